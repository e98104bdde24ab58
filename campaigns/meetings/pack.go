package meetings

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/print"
	"kithline/models"
)

// Pack is what a team needs for its meeting.
type Pack struct {
	Office
	Meeting    models.Meeting
	Roster     models.Roster
	Asks       []models.MeetingAsk
	Points     []Point
	Crew       []Crew
	Join       string
	Access     string
	CrisisLine string
}

// Crew is a role of a team, and who has it.
type Crew struct {
	Stands
	Names    []string // given names of those who hold a place
	Handover string
}

// Ends is when the meeting ends.
func (p Pack) Ends() time.Time { return ends(p.Meeting) }

func roleWord(k models.RoleKind) string {
	if slices.Contains(TeamRoles, k) {
		return string(k)
	}
	return "other"
}

// packs reads what teams need, in the order of the meetings of a roster. The points of a letter campaign are those of a language, or of the
// campaign's own where it has none in that.
func (s *Service) packs(ctx context.Context, tx *gorm.DB, r models.Roster, list []models.Meeting, lang string) ([]Pack, error) {
	now := s.Clock.Now()
	whom, err := offices(ctx, tx, list, now)
	if err != nil {
		return nil, err
	}
	p, err := planOf(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	asks, err := asksOf(ctx, tx, idsOf(list))
	if err != nil {
		return nil, err
	}
	said, err := letterPoints(ctx, tx, p, lang)
	if err != nil {
		return nil, err
	}
	teams := make([]uuid.UUID, len(list))
	for i, m := range list {
		teams[i] = m.TeamID
	}
	stands, err := standing(ctx, tx, teams, now)
	if err != nil {
		return nil, err
	}
	names, err := s.given(ctx, tx, stands)
	if err != nil {
		return nil, err
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Pack, len(list))
	for i, m := range list {
		x := Pack{Office: whom[i], Meeting: m, Roster: r, Asks: asks[m.ID], Points: slices.Clone(p.Points), CrisisLine: org.CrisisLine}
		for _, l := range said {
			if (l.Party == "" || l.Party == x.Term.Party) && (l.ChamberID == nil || *l.ChamberID == x.Chamber.ID) {
				x.Points = append(x.Points, Point{l.Body, l.SourceTitle, l.SourceURL})
			}
		}
		for _, st := range stands[m.TeamID] {
			x.Crew = append(x.Crew, Crew{Stands: st, Names: names[st.ID], Handover: st.Handover})
		}
		if x.Join, err = s.Vault.Open("meetings", "join_sealed", m.ID, m.JoinSealed); err != nil {
			return nil, err
		}
		if x.Access, err = s.Vault.Open("meetings", "access_sealed", m.ID, m.AccessSealed); err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// letterPoint is a point of a letter campaign, for whom it is.
type letterPoint struct {
	models.LetterPoint
	ChamberID *uuid.UUID // nil: for everybody
}

// letterPoints reads what the letters of a plan's campaign can say. A point for a committee or for one person is not one for a meeting.
func letterPoints(ctx context.Context, tx *gorm.DB, p Plan, lang string) ([]letterPoint, error) {
	if p.LetterCampaignID == nil {
		return nil, nil
	}
	var rows []letterPoint
	err := tx.WithContext(ctx).Table("letter_points AS p").Select("p.*, t.chamber_id").Joins("LEFT JOIN letter_targets t ON t.id = p.target_id").
		Where("p.letter_campaign_id = ? AND (p.target_id IS NULL OR t.chamber_id IS NOT NULL)", *p.LetterCampaignID).Order("p.position, p.id").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	spoken := lang
	if !slices.ContainsFunc(rows, func(x letterPoint) bool { return x.Locale == lang }) {
		var c models.LetterCampaign
		if err := tx.WithContext(ctx).Select("id", "locale").Where("id = ?", *p.LetterCampaignID).Take(&c).Error; err != nil {
			return nil, err
		}
		spoken = c.Locale
	}
	return slices.DeleteFunc(rows, func(x letterPoint) bool { return x.Locale != spoken }), nil
}

// given reads the given names of those who hold a confirmed place, or come along with one, by shift.
func (s *Service) given(ctx context.Context, tx *gorm.DB, stands map[uuid.UUID][]Stands) (map[uuid.UUID][]string, error) {
	var ids []uuid.UUID
	for _, list := range stands {
		for _, x := range list {
			ids = append(ids, x.ID)
		}
	}
	out := map[uuid.UUID][]string{}
	var rows []models.Assignment
	err := tx.WithContext(ctx).Select("id", "shift_id", "given_name_sealed").
		Where("shift_id IN ? AND as_what IN ? AND state = ?", ids, []models.PlaceAs{models.AsPlace, models.AsBuddy}, models.AssignmentConfirmed).Order("id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, a := range rows {
		name, err := s.Vault.Open("assignments", "given_name_sealed", a.ID, a.GivenNameSealed)
		if err != nil {
			return nil, err
		}
		if name != "" {
			out[a.ShiftID] = append(out[a.ShiftID], name)
		}
	}
	return out, nil
}

// paper is the size of the pages of a roster's packs.
func paper(country string) print.Size {
	switch strings.ToUpper(country) {
	case "US", "CA", "MX", "PH", "CL", "CO", "":
		return print.Letter
	}
	return print.A4
}

func (s *Service) document(ctx context.Context, lang, title, country string) (*print.Document, error) {
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return nil, err
	}
	return print.NewDocument(paper(country), print.Meta{
		Title: title, Organisation: org.Name, Lang: lang, At: s.Clock.Now(), Page: func(page, of int) string { return s.Words(lang, "meetings.page_of", "Page", page, "Of", of) },
	}), nil
}

// set writes a pack into a document. zone is where its reader is, "" for the roster's own.
func (s *Service) set(d *print.Document, lang string, p Pack, zone string) {
	t := func(key string, args ...any) string { return s.Words(lang, key, args...) }
	d.Title(p.Who())
	if seat := p.Seat(); seat != "" {
		if p.Term.Party != "" {
			seat += " (" + p.Term.Party + ")"
		}
		d.Lead(seat)
	}
	when, own := s.WhenFor(lang, p, zone)
	facts := []print.Fact{{Name: t("meetings.fact_when"), Value: when}}
	if own != "" {
		facts = append(facts, print.Fact{Name: t("meetings.fact_own"), Value: own})
	}
	facts = append(facts, print.Fact{Name: t("meetings.fact_how"), Value: t("meetings.mode_" + string(p.Meeting.Mode))})
	add := func(key, value string) {
		if value != "" {
			facts = append(facts, print.Fact{Name: t(key), Value: value})
		}
	}
	add("meetings.fact_where", p.Meeting.Place)
	if p.Meeting.Mode == models.MeetingOnsite {
		add("meetings.fact_office", strings.Join(p.Lines(), ", "))
	}
	add("meetings.fact_join", p.Join)
	add("meetings.fact_call", strings.TrimSpace(p.Roster.ContactName+" "+p.Roster.ContactPhone))
	d.Facts(facts...)
	asks := make([]string, len(p.Asks))
	for i, a := range p.Asks {
		asks[i] = a.Ask
	}
	d.Heading(t("meetings.h_asks"))
	d.List(true, asks...)
	if len(p.Points) > 0 {
		d.Heading(t("meetings.h_points"))
		points := make([]string, len(p.Points))
		for i, x := range p.Points {
			points[i] = x.Body
			if from := strings.TrimSpace(x.SourceTitle + " " + x.SourceURL); from != "" {
				points[i] += "\n" + t("meetings.source", "Source", from)
			}
		}
		d.List(false, points...)
	}
	d.Heading(t("meetings.h_team"))
	var crew []print.Fact
	for _, c := range p.Crew {
		names := strings.Join(c.Names, ", ")
		if names == "" {
			names = t("meetings.nobody_yet")
		}
		crew = append(crew, print.Fact{Name: t("meetings.role_" + roleWord(c.RoleKind)), Value: names})
	}
	d.Facts(crew...)
	if p.Access != "" {
		d.Heading(t("meetings.h_access"))
		d.Paragraph(p.Access)
	}
	for _, c := range p.Crew {
		if c.Handover != "" {
			d.Heading(t("meetings.h_handover", "Role", t("meetings.role_"+roleWord(c.RoleKind))))
			d.Paragraph(c.Handover)
		}
	}
	if p.CrisisLine != "" {
		d.Small(t("meetings.crisis", "Line", p.CrisisLine))
	}
}

// PackOf writes the PDF of one team for an organizer, in the roster's language. It needs actor.ManageRosters, and is written down. The faults
// are NotFound, error.meetings_roster_unknown and error.meetings_unknown.
func (s *Service) PackOf(ctx context.Context, a actor.Actor, roster, id uuid.UUID, to io.Writer) error {
	return s.print(ctx, a, roster, func(list []models.Meeting) ([]models.Meeting, error) {
		list = slices.DeleteFunc(list, func(m models.Meeting) bool { return m.ID != id })
		if len(list) == 0 {
			return nil, errMeeting()
		}
		return list, nil
	}, to, s.bound)
}

// AllPacks writes the packs of all planned meetings of a roster as one PDF. The rights and faults are those of PackOf, and Conflict,
// error.meetings_none, where there is none.
func (s *Service) AllPacks(ctx context.Context, a actor.Actor, roster uuid.UUID, to io.Writer) error {
	return s.print(ctx, a, roster, planned, to, s.bound)
}

// ZipPacks writes the packs of all planned meetings of a roster as a ZIP with a PDF for each. The rights and faults are those of AllPacks.
func (s *Service) ZipPacks(ctx context.Context, a actor.Actor, roster uuid.UUID, to io.Writer) error {
	return s.print(ctx, a, roster, planned, to, s.zipped)
}

func planned(list []models.Meeting) ([]models.Meeting, error) {
	list = slices.DeleteFunc(list, func(m models.Meeting) bool { return m.State != models.MeetingPlanned })
	if len(list) == 0 {
		return nil, fault.New(fault.Conflict, "error.meetings_none")
	}
	return list, nil
}

func (s *Service) print(ctx context.Context, a actor.Actor, roster uuid.UUID, choose func([]models.Meeting) ([]models.Meeting, error), to io.Writer, write func(context.Context, models.Roster, []Pack, io.Writer) error) error {
	now := s.Clock.Now()
	var r models.Roster
	var packs []Pack
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if r, err = changing(ctx, tx, a, roster); err != nil {
			return err
		}
		var list []models.Meeting
		if err := tx.Where("roster_id = ?", r.ID).Order("starts_at, id").Find(&list).Error; err != nil {
			return err
		}
		if list, err = choose(list); err != nil {
			return err
		}
		if packs, err = s.packs(ctx, tx, r, list, r.Locale); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.packs", "rosters", r.ID, map[string]any{"packs": len(packs)})
	})
	if err != nil {
		return err
	}
	return write(ctx, r, packs, to)
}

// bound writes packs behind one another.
func (s *Service) bound(ctx context.Context, r models.Roster, packs []Pack, to io.Writer) error {
	d, err := s.document(ctx, r.Locale, r.Title, packs[0].Room.Country)
	if err != nil {
		return err
	}
	for i, p := range packs {
		if i > 0 {
			d.PageBreak()
		}
		s.set(d, r.Locale, p, "")
	}
	return d.Write(to)
}

func (s *Service) zipped(ctx context.Context, r models.Roster, packs []Pack, to io.Writer) error {
	z := zip.NewWriter(to)
	for i, p := range packs {
		var b bytes.Buffer
		if err := s.bound(ctx, r, []Pack{p}, &b); err != nil {
			return err
		}
		name := fmt.Sprintf("%02d-%s-%s.pdf", i+1, p.Meeting.StartsAt.In(Zone(r)).Format("1504"), fileWord(p.FamilyName))
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: s.Clock.Now()})
		if err != nil {
			return err
		}
		if _, err := f.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return z.Close()
}

// fileWord is a name as every system can write it to a disk.
func fileWord(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s), "-")
	if s == "" {
		return "team"
	}
	return s
}

// Host is what the host office of a meeting may know about access: what the organizer wrote, and what people of the team said yes to.
type Host struct {
	Pack
	Needs []string // without names
}

// HostNotes returns what the office of a meeting may be told. It needs actor.ManageRosters, and is for the event's access contact alone,
// whatever their role: the fault is Forbidden, error.meetings_access. It is written down.
func (s *Service) HostNotes(ctx context.Context, a actor.Actor, roster, id uuid.UUID) (Host, error) {
	now := s.Clock.Now()
	var h Host
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := changing(ctx, tx, a, roster)
		if err != nil {
			return err
		}
		m, err := meetingOf(ctx, tx, roster, id)
		if err != nil {
			return err
		}
		var e models.Event
		if r.EventID != nil {
			if err := tx.Where("id = ?", *r.EventID).Take(&e).Error; err != nil {
				return err
			}
		}
		if !a.Is(e.AccessContactID) {
			return fault.New(fault.Forbidden, "error.meetings_access")
		}
		list, err := s.packs(ctx, tx, r, []models.Meeting{m}, r.Locale)
		if err != nil {
			return err
		}
		h.Pack = list[0]
		if h.Needs, err = s.shared(ctx, tx, m, e.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.host_notes", "meetings", id, nil)
	})
	if err != nil {
		return Host{}, err
	}
	return h, nil
}

// shared reads the needs of those who hold a place of a meeting's team and said that its office may read them.
func (s *Service) shared(ctx context.Context, tx *gorm.DB, m models.Meeting, event uuid.UUID) ([]string, error) {
	var rows []models.Registration
	err := tx.WithContext(ctx).Where(`event_id = ? AND share_needs = TRUE AND needs_sealed IS NOT NULL AND state = ? AND mailbox_id IN
		(SELECT a.mailbox_id FROM assignments a JOIN shifts sh ON sh.id = a.shift_id WHERE sh.team_id = ? AND sh.cancelled_at IS NULL AND a.as_what IN ? AND a.state = ?)`,
		event, models.Registered, m.TeamID, []models.PlaceAs{models.AsPlace, models.AsBuddy}, models.AssignmentConfirmed).Order("id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range rows {
		text, err := s.Vault.Open("registrations", "needs_sealed", x.ID, x.NeedsSealed)
		if err != nil {
			return nil, err
		}
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	slices.Sort(out) // an order in which nobody is told by when they came
	return out, nil
}

// HostSheet writes HostNotes as a PDF, in the roster's language.
func (s *Service) HostSheet(ctx context.Context, a actor.Actor, roster, id uuid.UUID, to io.Writer) error {
	h, err := s.HostNotes(ctx, a, roster, id)
	if err != nil {
		return err
	}
	lang := h.Roster.Locale
	d, err := s.document(ctx, lang, h.Roster.Title, h.Room.Country)
	if err != nil {
		return err
	}
	d.Title(s.Words(lang, "meetings.host_title"))
	d.Lead(h.Who())
	d.Facts(print.Fact{Name: s.Words(lang, "meetings.fact_when"), Value: s.When(lang, h.Meeting, Zone(h.Roster))})
	d.Paragraph(s.Words(lang, "meetings.host_text"))
	var notes []string
	if h.Access != "" {
		notes = append(notes, h.Access)
	}
	if notes = append(notes, h.Needs...); len(notes) == 0 {
		notes = []string{s.Words(lang, "meetings.host_none")}
	}
	d.List(false, notes...)
	return d.Write(to)
}
