package meetings

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// TeamRoles are the roles of a team, in the order that pages show them in.
var TeamRoles = []models.RoleKind{models.RoleLeader, models.RoleStoryteller, models.RoleAsker, models.RoleNotes}

// PointsMost is how many points a plan has, and PointMax how long one is, in characters.
const (
	PointsMost = 5
	PointMax   = 400
	sourceMax  = 200
	urlMax     = 500
)

// Count is how many places a role of a team has, and with how many at least a meeting goes ahead.
type Count struct {
	Minimum int `json:"minimum"`
	Places  int `json:"places"`
}

// Point is something that can be said, with its source.
type Point struct {
	Body        string `json:"body"`
	SourceTitle string `json:"source_title"`
	SourceURL   string `json:"source_url"`
}

// Plan is what the meetings of a roster have in common. The comments name its fields.
type Plan struct {
	LetterCampaignID *uuid.UUID                // letter_campaign
	Asks             []string                  // asks
	Points           []Point                   // point_1, source_title_1, source_url_1 and so on
	Roles            map[models.RoleKind]Count // leader, leader_minimum and so on
	Minutes          int                       // minutes
	BlockMinutes     int                       // block_minutes
	BreakMinutes     int                       // break_minutes
	LoggedAt, SentAt *time.Time
	Revision         int // 0: none is kept yet
}

// sheet is what meetings read of an event's access sheet.
type sheet struct {
	BlockMinutes int `json:"block_minutes"`
	BreakMinutes int `json:"break_minutes"`
}

// fresh is the plan of a roster that has none: blocks and breaks are those of the event's access sheet, where it says so.
func fresh(ctx context.Context, tx *gorm.DB, r models.Roster) (Plan, error) {
	p := Plan{
		Roles:   map[models.RoleKind]Count{models.RoleLeader: {1, 1}, models.RoleStoryteller: {1, 2}, models.RoleAsker: {1, 1}, models.RoleNotes: {1, 1}},
		Minutes: 15, BlockMinutes: 45, BreakMinutes: 15,
	}
	if r.EventID == nil {
		return p, nil
	}
	var e models.Event
	if err := tx.WithContext(ctx).Select("id", "access").Where("id = ?", *r.EventID).Take(&e).Error; err != nil {
		return p, err
	}
	var s sheet
	if json.Unmarshal([]byte(e.Access), &s) == nil { // where nobody looked at it yet, it is no sheet
		if s.BlockMinutes > 0 {
			p.BlockMinutes = min(s.BlockMinutes, 480)
		}
		if s.BreakMinutes > 0 {
			p.BreakMinutes = min(s.BreakMinutes, 240)
		}
	}
	return p, nil
}

// planOf reads the plan of a roster, or what it is until somebody keeps one.
func planOf(ctx context.Context, tx *gorm.DB, r models.Roster) (Plan, error) {
	var row models.MeetingPlan
	err := tx.WithContext(ctx).Where("roster_id = ?", r.ID).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fresh(ctx, tx, r)
	}
	if err != nil {
		return Plan{}, err
	}
	p := Plan{
		LetterCampaignID: row.LetterCampaignID, Minutes: row.Minutes, BlockMinutes: row.BlockMinutes, BreakMinutes: row.BreakMinutes, LoggedAt: row.LoggedAt, SentAt: row.SentAt,
		Revision: row.Revision,
	}
	return p, errors.Join(decode(row.Asks, &p.Asks), decode(row.Points, &p.Points), decode(row.Roles, &p.Roles))
}

// Plan returns what the meetings of a roster have in common. It needs actor.ManageRosters. The fault is NotFound,
// error.meetings_roster_unknown, also for a roster of another chapter.
func (s *Service) Plan(ctx context.Context, a actor.Actor, roster uuid.UUID) (models.Roster, Plan, error) {
	r, err := changing(ctx, s.DB.DB, a, roster)
	if err != nil {
		return r, Plan{}, err
	}
	p, err := planOf(ctx, s.DB.DB, r)
	return r, p, err
}

func (p *Plan) check() (bad fault.Fields) {
	p.Asks = asksTyped(p.Asks, &bad, "asks")
	var points []Point
	for i, x := range p.Points {
		x = Point{line(x.Body), line(x.SourceTitle), line(x.SourceURL)}
		if x == (Point{}) {
			continue
		}
		n := string(rune('1' + i))
		if x.Body == "" {
			bad.Add("point_"+n, "error.meetings_point_missing")
		}
		tooLong(&bad, "point_"+n, x.Body, PointMax)
		if x.SourceTitle == "" {
			bad.Add("source_title_"+n, "error.meetings_source_missing")
		}
		tooLong(&bad, "source_title_"+n, x.SourceTitle, sourceMax)
		tooLong(&bad, "source_url_"+n, x.SourceURL, urlMax)
		if u, err := url.Parse(x.SourceURL); x.SourceURL != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			bad.Add("source_url_"+n, "error.meetings_source_url")
		}
		points = append(points, x)
	}
	p.Points = points
	places := 0
	for _, k := range TeamRoles {
		c := p.Roles[k]
		number(&bad, string(k), c.Places, 0, 5)
		number(&bad, string(k)+"_minimum", c.Minimum, 0, 5)
		if c.Minimum > c.Places && !bad.Has(string(k)) && !bad.Has(string(k)+"_minimum") {
			bad.Add(string(k)+"_minimum", "error.meetings_minimum")
		}
		places += c.Places
	}
	if places == 0 && !bad.Has(string(models.RoleLeader)) {
		bad.Add(string(models.RoleLeader), "error.meetings_no_roles")
	}
	number(&bad, "minutes", p.Minutes, shortest, longest)
	number(&bad, "block_minutes", p.BlockMinutes, 0, 480)
	number(&bad, "break_minutes", p.BreakMinutes, 0, 240)
	return bad
}

// asksTyped takes what is asked, one thing each, without what is empty.
func asksTyped(typed []string, bad *fault.Fields, field string) (out []string) {
	for _, x := range typed {
		if x = line(x); x != "" {
			out = append(out, x)
			if !bad.Has(field) {
				tooLong(bad, field, x, AskMax)
			}
		}
	}
	if len(out) > AsksMost && !bad.Has(field) {
		bad.Add(field, "error.meetings_asks", "Max", AsksMost)
	}
	return out
}

// SavePlan keeps what the meetings of a roster have in common, over the revision that the page showed. Meetings that are there keep their
// teams, and what they ask. It needs what Plan needs. The faults: Invalid with the fields of Plan, and Conflict, error.meetings_changed,
// where another page changed it since.
func (s *Service) SavePlan(ctx context.Context, a actor.Actor, roster uuid.UUID, p Plan) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := changing(ctx, tx.Clauses(forUpdate), a, roster)
		if err != nil {
			return err
		}
		bad := p.check()
		if p.LetterCampaignID != nil {
			var n int64
			if err := tx.WithContext(ctx).Model(&models.LetterCampaign{}).Where("id = ?", *p.LetterCampaignID).Count(&n).Error; err != nil {
				return err
			}
			if n == 0 {
				bad.Add("letter_campaign", "error.value_unknown")
			}
		}
		if err := bad.Err(); err != nil {
			return err
		}
		before, err := planOf(ctx, tx, r)
		if err != nil {
			return err
		}
		if before.Revision != p.Revision {
			return errChanged()
		}
		p.LoggedAt, p.SentAt = before.LoggedAt, before.SentAt
		if err := keepPlan(ctx, tx, r, p, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.plan", "rosters", r.ID, nil)
	})
}

// keepPlan writes a plan, one revision further, in tx.
func keepPlan(ctx context.Context, tx *gorm.DB, r models.Roster, p Plan, now time.Time) error {
	row := models.MeetingPlan{
		RosterID: r.ID, LetterCampaignID: p.LetterCampaignID, Asks: encode(p.Asks), Points: encode(p.Points), Roles: encode(p.Roles), Minutes: p.Minutes, BlockMinutes: p.BlockMinutes,
		BreakMinutes: p.BreakMinutes, LoggedAt: p.LoggedAt, SentAt: p.SentAt, Revision: p.Revision + 1, CreatedAt: now, UpdatedAt: now,
	}
	if p.Revision == 0 {
		return tx.WithContext(ctx).Create(&row).Error
	}
	return tx.WithContext(ctx).Select("*").Omit("created_at").Updates(&row).Error
}

// LetterCampaigns lists those that a plan can name, the newest first: what was published. It needs actor.ManageRosters.
func (s *Service) LetterCampaigns(ctx context.Context, a actor.Actor) ([]models.LetterCampaign, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return nil, err
	}
	var rows []models.LetterCampaign
	err := s.DB.WithContext(ctx).Where("published_at IS NOT NULL").Order("published_at DESC, id").Limit(100).Find(&rows).Error
	return rows, err
}
