package meetings

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Somebody is a person who holds a place of a roster, or offers time, for suggestions.
type Somebody struct {
	Mailbox     uuid.UUID
	Name        string
	Volunteer   *uuid.UUID // offers time: their record
	Holds       bool       // holds a place of the roster
	Likes       []models.RoleKind
	AskBy       models.AskBy // "" where they are not to be asked
	AskFrom     int          // minutes after midnight, where they live
	AskUntil    int
	Constituent bool // the office is that of their own representative
	Here        bool // is in the team already, or stands by for it
	Busy        bool // is in another meeting, or on another shift, at that time
}

// Suggestion is who could be in the team of a meeting: its constituents first.
type Suggestion struct {
	View
	People []Somebody
	More   int // who could be, and is not listed
}

// suggestMost is how many people are suggested for one meeting, and peopleMost of how many they are chosen.
const (
	suggestMost = 8
	peopleMost  = 5000
)

// homes is where the people of mailboxes live, as far as that is known: by their record, or by what they said when they offered time.
func (s *Service) homes(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID) (map[uuid.UUID]legislators.Place, error) {
	tx = tx.WithContext(ctx)
	out := make(map[uuid.UUID]legislators.Place, len(boxes))
	for part := range slices.Chunk(boxes, 500) {
		var vs []models.Volunteer
		if err := tx.Select("mailbox_id", "country", "postal_area", "region").Where("mailbox_id IN ? AND state <> ?", part, models.VolunteerPending).Find(&vs).Error; err != nil {
			return nil, err
		}
		for _, v := range vs {
			if v.PostalArea != "" || v.Region != "" {
				out[v.MailboxID] = legislators.Place{Country: v.Country, PostalCode: v.PostalArea, Region: stateAlone(v.PostalArea, v.Region)}
			}
		}
		var rows []struct {
			MailboxID                   uuid.UUID
			SupporterID                 uuid.UUID
			Country, PostalArea, Region string
		}
		err := tx.Table("supporters AS p").Select("m.id AS mailbox_id, p.id AS supporter_id, p.country, p.postal_area, p.region").
			Joins("JOIN mailboxes m ON m.supporter_id = p.id").Where("m.id IN ?", part).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		var ids []uuid.UUID
		for _, r := range rows {
			ids = append(ids, r.SupporterID)
		}
		var known []models.SupporterDivision
		if err := tx.Where("supporter_id IN ? AND how <> ?", ids, models.ByPostal).Order("kind").Find(&known).Error; err != nil {
			return nil, err
		}
		of := map[uuid.UUID][]uuid.UUID{}
		for _, d := range known {
			of[d.SupporterID] = append(of[d.SupporterID], d.DivisionID)
		}
		for _, r := range rows {
			if p := (legislators.Place{Country: r.Country, PostalCode: r.PostalArea, Region: stateAlone(r.PostalArea, r.Region), Divisions: of[r.SupporterID]}); p.PostalCode != "" || p.Region != "" || p.Divisions != nil {
				out[r.MailboxID] = p
			}
		}
	}
	return out, nil
}

// stateAlone is a state, where no postal code says more than it.
func stateAlone(area, region string) string {
	if area != "" {
		return ""
	}
	return region
}

// placeKey tells places apart.
func placeKey(p legislators.Place) string {
	var b strings.Builder
	b.WriteString(p.Country + "/" + p.PostalCode + "/" + p.Region)
	for _, d := range p.Divisions {
		b.WriteString("/" + d.String())
	}
	return b.String()
}

// everybody reads who holds a place of a roster, stands by, or offers time and may be asked, as far as the actor may see them.
func (s *Service) everybody(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, now time.Time) ([]Somebody, error) {
	tx = tx.WithContext(ctx)
	var out []Somebody
	at := map[uuid.UUID]int{}
	var held []models.Assignment
	err := tx.Table("assignments AS a").Select("a.id, a.mailbox_id, a.given_name_sealed, a.family_name_sealed").Joins("JOIN shifts sh ON sh.id = a.shift_id").
		Where("sh.roster_id = ? AND sh.cancelled_at IS NULL AND a.state <> ?", r.ID, models.AssignmentPending).Order("a.id").Limit(peopleMost).Scan(&held).Error
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		if _, twice := at[h.MailboxID]; twice {
			continue
		}
		p := Somebody{Mailbox: h.MailboxID, Holds: true}
		if p.Name, err = s.name("assignments", h.ID, h.GivenNameSealed, h.FamilyNameSealed); err != nil {
			return nil, err
		}
		at[h.MailboxID] = len(out)
		out = append(out, p)
	}
	var vs []models.Volunteer
	err = tx.Scopes(chapters.Scope(a, "chapter_id")).Where("state = ?", models.VolunteerActive).Order("id").Limit(peopleMost).Find(&vs).Error
	if err != nil {
		return nil, err
	}
	for _, v := range vs {
		i, there := at[v.MailboxID]
		if !there {
			if v.AskBy == models.AskNot {
				continue
			}
			p := Somebody{Mailbox: v.MailboxID}
			if p.Name, err = s.name("volunteers", v.ID, v.GivenNameSealed, v.FamilyNameSealed); err != nil {
				return nil, err
			}
			i, at[v.MailboxID] = len(out), len(out)
			out = append(out, p)
		}
		out[i].Volunteer, out[i].AskBy, out[i].AskFrom, out[i].AskUntil = &v.ID, v.AskBy, v.AskFrom, v.AskUntil
		for _, k := range TeamRoles {
			if slices.Contains(strings.Split(v.Likes, ","), string(k)) {
				out[i].Likes = append(out[i].Likes, k)
			}
		}
	}
	return out, nil
}

func (s *Service) name(table string, id uuid.UUID, given, family []byte) (string, error) {
	g, err := s.Vault.Open(table, "given_name_sealed", id, given)
	if err != nil {
		return "", err
	}
	f, err := s.Vault.Open(table, "family_name_sealed", id, family)
	return line(g + " " + f), err
}

// representing says who represents people, beyond doubt: each place is looked up once.
func (s *Service) representing(ctx context.Context, tx *gorm.DB, people []Somebody, now time.Time) (map[uuid.UUID][]legislators.Member, error) {
	boxes := make([]uuid.UUID, len(people))
	for i, p := range people {
		boxes[i] = p.Mailbox
	}
	homes, err := s.homes(ctx, tx, boxes)
	if err != nil {
		return nil, err
	}
	found := map[string][]legislators.Member{}
	out := make(map[uuid.UUID][]legislators.Member, len(homes))
	for box, home := range homes {
		key := placeKey(home)
		list, done := found[key]
		if !done {
			m, err := legislators.Find(ctx, tx, home, now)
			if err != nil {
				return nil, err
			}
			for _, seat := range m.Seats {
				list = append(list, seat.Members...)
			}
			found[key] = list
		}
		out[box] = list
	}
	return out, nil
}

// Suggest lists, for each planned meeting of a roster that has not begun, who could be in its team: those whom the office represents first, those who
// hold a place of the roster before those who offered time. Nobody is put anywhere. It needs actor.ManageRosters and actor.SeeSupporters; a
// chapter's account sees the volunteers of its chapter. The fault is NotFound, error.meetings_roster_unknown.
func (s *Service) Suggest(ctx context.Context, a actor.Actor, roster uuid.UUID) (models.Roster, []Suggestion, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return models.Roster{}, nil, err
	}
	now := s.Clock.Now()
	r, list, err := s.List(ctx, a, roster)
	if err != nil {
		return r, nil, err
	}
	list = slices.DeleteFunc(list, func(v View) bool { return v.State != models.MeetingPlanned || !v.StartsAt.After(now) })
	if len(list) == 0 {
		return r, nil, nil
	}
	people, err := s.everybody(ctx, s.DB.DB, a, r, now)
	if err != nil {
		return r, nil, err
	}
	of, err := s.representing(ctx, s.DB.DB, people, now)
	if err != nil {
		return r, nil, err
	}
	held, err := s.heldBy(ctx, s.DB.DB, people)
	if err != nil {
		return r, nil, err
	}
	out := make([]Suggestion, len(list))
	for i, v := range list {
		out[i] = Suggestion{View: v}
		var fit []Somebody
		for _, p := range people {
			p.Constituent = slices.ContainsFunc(of[p.Mailbox], func(m legislators.Member) bool { return m.ID == v.LegislatorID })
			for _, h := range held[p.Mailbox] {
				if h.TeamID != nil && *h.TeamID == v.TeamID {
					p.Here = true
				} else if h.AsWhat == models.AsPlace && h.StartsAt != nil && h.EndsAt != nil && h.Kind == models.ShiftFixed && h.StartsAt.Before(v.Ends()) && v.StartsAt.Before(*h.EndsAt) {
					p.Busy = true
				}
			}
			if p.Constituent || len(p.Likes) > 0 && !p.Here && !p.Busy {
				fit = append(fit, p)
			}
		}
		slices.SortStableFunc(fit, func(x, y Somebody) int { return x.rank() - y.rank() })
		n := min(len(fit), suggestMost)
		out[i].People, out[i].More = fit[:n], len(fit)-n
	}
	return r, out, nil
}

// rank orders suggestions.
func (p Somebody) rank() int {
	n := 0
	for _, later := range []bool{!p.Constituent, p.Busy, p.Here, !p.Holds} {
		n *= 2
		if later {
			n++
		}
	}
	return n
}

// holding is a place that somebody holds, or stands by for.
type holding struct {
	MailboxID        uuid.UUID
	TeamID           *uuid.UUID
	AsWhat           models.PlaceAs
	Kind             models.ShiftKind
	StartsAt, EndsAt *time.Time
}

func (s *Service) heldBy(ctx context.Context, tx *gorm.DB, people []Somebody) (map[uuid.UUID][]holding, error) {
	out := map[uuid.UUID][]holding{}
	for part := range slices.Chunk(people, 500) {
		boxes := make([]uuid.UUID, len(part))
		for i, p := range part {
			boxes[i] = p.Mailbox
		}
		var rows []holding
		err := tx.WithContext(ctx).Table("assignments AS a").Select("a.mailbox_id, sh.team_id, a.as_what, sh.kind, sh.starts_at, sh.ends_at").Joins("JOIN shifts sh ON sh.id = a.shift_id").
			Where("a.mailbox_id IN ? AND a.state <> ? AND sh.cancelled_at IS NULL", boxes, models.AssignmentPending).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.MailboxID] = append(out[r.MailboxID], r)
		}
	}
	return out, nil
}
