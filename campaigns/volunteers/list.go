package volunteers

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/today"
	"kithline/models"
)

// need is the right to see volunteers: both actor.ManageRosters and actor.SeeSupporters.
func need(a actor.Actor) error {
	if err := a.Need(actor.ManageRosters); err != nil {
		return err
	}
	return a.Need(actor.SeeSupporters)
}

// Filter narrows the list; the zero value takes all.
type Filter struct {
	Like, Skill, Language, Training string // codes
	Area                            string // the beginning of a postal area
	State                           string // "", active, paused, new (nobody welcomed them yet) or beginning (steps are open)
	Chapter                         uuid.UUID
}

// States are what Filter.State can be.
var States = []string{string(models.VolunteerActive), string(models.VolunteerPaused), "new", "beginning"}

// visible are the volunteers that an actor may see, each with the record behind their mailbox.
func visible(q *gorm.DB, a actor.Actor) *gorm.DB {
	return q.Table("volunteers v").Joins("JOIN mailboxes m ON m.id = v.mailbox_id").Joins("JOIN supporters p ON p.id = m.supporter_id").
		Where("v.state <> ?", models.VolunteerPending).Scopes(chapters.Scope(a, "p.chapter_id"))
}

// open are the volunteers with a step that they did not do.
const open = "EXISTS (SELECT 1 FROM onboarding_steps st WHERE st.archived_at IS NULL AND NOT EXISTS (SELECT 1 FROM onboarding_marks k WHERE k.step_id = st.id AND k.mailbox_id = v.mailbox_id))"

func (f Filter) narrow(q *gorm.DB, a actor.Actor) *gorm.DB {
	q = visible(q, a)
	for _, x := range []struct{ column, code string }{{"likes", f.Like}, {"skills", f.Skill}, {"languages", f.Language}, {"trainings", f.Training}} {
		if x.code != "" {
			q = q.Where("',' || v."+x.column+" || ',' LIKE ? ESCAPE '!'", "%,"+escaped(x.code)+",%")
		}
	}
	if f.Area != "" {
		q = q.Where("v.postal_area LIKE ? ESCAPE '!'", escaped(strings.ToUpper(f.Area))+"%")
	}
	switch f.State {
	case "new":
		q = q.Where("v.welcomed_at IS NULL")
	case "beginning":
		q = q.Where(open)
	case string(models.VolunteerActive), string(models.VolunteerPaused):
		q = q.Where("v.state = ?", f.State)
	}
	if f.Chapter != uuid.Nil {
		q = q.Where("p.chapter_id = ?", f.Chapter)
	}
	return q
}

var forLike = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func escaped(s string) string { return forLike.Replace(s) }

// Row is one volunteer of the list.
type Row struct {
	Said
	ID        uuid.UUID
	Chapter   string // its name, "" for none
	Trainings []string
	Paused    bool
	Welcomed  bool
	Since     time.Time
	Done, Of  int // steps
}

// Name is both names.
func (r Row) Name() string { return strings.TrimSpace(r.GivenName + " " + r.FamilyName) }

type listed struct {
	models.Volunteer
	Chapter string
	Done    int
}

const columns = "v.*, COALESCE((SELECT c.name FROM chapters c WHERE c.id = p.chapter_id), '') AS chapter, " +
	"(SELECT count(*) FROM onboarding_marks k JOIN onboarding_steps st ON st.id = k.step_id AND st.archived_at IS NULL WHERE k.mailbox_id = v.mailbox_id) AS done"

// List is a page of volunteers, newest first. It needs actor.ManageRosters and actor.SeeSupporters; a chapter's account sees its chapter's.
func (s *Service) List(ctx context.Context, a actor.Actor, f Filter, after paging.Cursor) (paging.Page[Row], error) {
	if err := need(a); err != nil {
		return paging.Page[Row]{}, err
	}
	list, err := s.read(ctx, a, f, after, paging.Size+1)
	if err != nil {
		return paging.Page[Row]{}, err
	}
	return paging.Cut(list, paging.Size, func(r Row) paging.Cursor { return paging.Cursor{At: r.Since, ID: r.ID} }), nil
}

func (s *Service) read(ctx context.Context, a actor.Actor, f Filter, after paging.Cursor, most int) ([]Row, error) {
	db := s.DB.WithContext(ctx)
	q := f.narrow(db, a).Select(columns).Order("v.created_at DESC, v.id DESC").Limit(most)
	if !after.First() {
		q = q.Where("(v.created_at, v.id) < (?, ?)", after.At, after.ID)
	}
	var rows []listed
	if err := q.Scan(&rows).Error; err != nil {
		return nil, err
	}
	var steps int64
	if err := db.Model(&models.OnboardingStep{}).Where("archived_at IS NULL").Count(&steps).Error; err != nil {
		return nil, err
	}
	out := make([]Row, len(rows))
	for i, r := range rows {
		d, err := s.said(r.Volunteer)
		if err != nil {
			return nil, err
		}
		out[i] = Row{
			Said: d, ID: r.ID, Chapter: r.Chapter, Trainings: split(r.Trainings), Paused: r.State == models.VolunteerPaused, Welcomed: r.WelcomedAt != nil, Since: r.CreatedAt,
			Done: r.Done, Of: int(steps),
		}
	}
	return out, nil
}

// Choices are what the list can be narrowed by, beside what everybody chooses from.
type Choices struct {
	Trainings []string // that somebody has or a shift needs
	Chapters  []models.Chapter
}

// Choices reads them. It needs what List needs.
func (s *Service) Choices(ctx context.Context, a actor.Actor) (Choices, error) {
	var out Choices
	if err := need(a); err != nil {
		return out, err
	}
	db := s.DB.WithContext(ctx)
	var lists, needed []string
	if err := visible(db, a).Where("v.trainings <> ''").Distinct().Limit(1000).Pluck("v.trainings", &lists).Error; err != nil {
		return out, err
	}
	err := db.Table("shifts").Joins("JOIN rosters r ON r.id = shifts.roster_id").Scopes(chapters.Scope(a, "r.chapter_id")).Where("shifts.training <> ''").Distinct().Limit(1000).Pluck("shifts.training", &needed).Error
	if err != nil {
		return out, err
	}
	for _, l := range append(lists, needed...) {
		for _, t := range split(l) {
			if !slices.Contains(out.Trainings, t) {
				out.Trainings = append(out.Trainings, t)
			}
		}
	}
	slices.Sort(out.Trainings)
	if a.Chapter() == nil {
		err = db.Where("closed_at IS NULL").Order("name, id").Find(&out.Chapters).Error
	}
	return out, err
}

// CSV calls fn for each volunteer of the list, with the mail address, newest first, and writes down that it was taken out. It needs
// actor.Export beside what List needs. There is nothing in it of plans, of bad times, and of places that were let go.
func (s *Service) CSV(ctx context.Context, a actor.Actor, f Filter, fn func(r Row, address string) error) error {
	if err := need(a); err != nil {
		return err
	}
	if err := a.Need(actor.Export); err != nil {
		return err
	}
	now, n := s.Clock.Now(), 0
	for after := (paging.Cursor{}); ; {
		list, err := s.read(ctx, a, f, after, 500)
		if err != nil {
			return err
		}
		addresses, err := s.addresses(ctx, list)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := fn(r, addresses[r.ID]); err != nil {
				return err
			}
		}
		if n += len(list); len(list) < 500 {
			break
		}
		last := list[len(list)-1]
		after = paging.Cursor{At: last.Since, ID: last.ID}
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, a, now, "volunteer.export", "volunteers", uuid.Nil, map[string]any{"rows": n})
	})
}

// addresses opens the mail addresses of volunteers, by their ids.
func (s *Service) addresses(ctx context.Context, list []Row) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	if len(list) == 0 {
		return out, nil
	}
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		ids[i] = r.ID
	}
	var boxes []struct {
		VolunteerID uuid.UUID
		models.Mailbox
	}
	err := s.DB.WithContext(ctx).Table("mailboxes").Select("v.id AS volunteer_id, mailboxes.*").Joins("JOIN volunteers v ON v.mailbox_id = mailboxes.id").Where("v.id IN ?", ids).Scan(&boxes).Error
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		if b.AddressSealed == nil {
			continue
		}
		if out[b.VolunteerID], err = mailboxes.Address(s.Vault, b.Mailbox); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Step is a step of beginning, and whether a volunteer did it.
type Step struct {
	models.OnboardingStep
	DoneAt *time.Time
}

// View is everything that the page of one volunteer shows.
type View struct {
	Row
	Address   string
	Supporter uuid.UUID
	Remark    string
	Steps     []Step
	Agreed    []models.Purpose // volunteering and phone, as far as they are in force
}

// Get reads one volunteer. It needs what List needs; the fault is NotFound, error.volunteer_unknown, also for one of another chapter.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (View, error) {
	v, err := s.one(ctx, s.DB.DB, a, id)
	if err != nil {
		return View{}, err
	}
	out := View{Row: Row{ID: v.ID, Trainings: split(v.Trainings), Chapter: v.Chapter, Paused: v.State == models.VolunteerPaused, Welcomed: v.WelcomedAt != nil, Since: v.CreatedAt, Done: v.Done}}
	if out.Said, err = s.said(v.Volunteer); err != nil {
		return out, err
	}
	if out.Remark, err = s.Vault.Open("volunteers", "remark_sealed", v.ID, v.RemarkSealed); err != nil {
		return out, err
	}
	db := s.DB.WithContext(ctx)
	var box models.Mailbox
	if err := db.Where("id = ?", v.MailboxID).Take(&box).Error; err != nil {
		return out, err
	}
	if box.SupporterID != nil {
		out.Supporter = *box.SupporterID
	}
	if box.AddressSealed != nil {
		if out.Address, err = mailboxes.Address(s.Vault, box); err != nil {
			return out, err
		}
	}
	var steps []models.OnboardingStep
	if err := db.Where("archived_at IS NULL").Order("position, id").Find(&steps).Error; err != nil {
		return out, err
	}
	var marks []models.OnboardingMark
	if err := db.Where("mailbox_id = ?", v.MailboxID).Find(&marks).Error; err != nil {
		return out, err
	}
	for _, st := range steps {
		step := Step{OnboardingStep: st}
		if i := slices.IndexFunc(marks, func(m models.OnboardingMark) bool { return m.StepID == st.ID }); i >= 0 {
			step.DoneAt = &marks[i].DoneAt
		}
		out.Steps = append(out.Steps, step)
	}
	out.Of = len(steps)
	out.Agreed, err = inForce(ctx, s.DB.DB, v.MailboxID)
	return out, err
}

// one reads a volunteer that the actor may see.
func (s *Service) one(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (listed, error) {
	if err := need(a); err != nil {
		return listed{}, err
	}
	var rows []listed
	if err := visible(tx.WithContext(ctx), a).Select(columns).Where("v.id = ?", id).Scan(&rows).Error; err != nil {
		return listed{}, err
	}
	if len(rows) == 0 {
		return listed{}, unknown()
	}
	return rows[0], nil
}

// by runs one change of a volunteer by somebody who works here: the rights, the row, which is held, the change, the audit entry.
func (s *Service) by(ctx context.Context, a actor.Actor, id uuid.UUID, action string, fn func(tx *gorm.DB, v models.Volunteer, now time.Time) error) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		seen, err := s.one(ctx, tx, a, id)
		if err != nil {
			return err
		}
		tx = tx.WithContext(ctx)
		if err := holdBoxes(ctx, tx, []uuid.UUID{seen.MailboxID}); err != nil {
			return err
		}
		var held []models.Volunteer
		if err := tx.Clauses(forUpdate).Where("id = ?", id).Find(&held).Error; err != nil {
			return err
		}
		if len(held) == 0 {
			return unknown()
		}
		if err := fn(tx, held[0], now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "volunteers", id, nil)
	})
}

// Limits of trainings.
const (
	trainingsMost = 20
	RemarkMax     = 2000 // characters
)

var trainingForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// TrainingCode is a training as it is kept, however it was typed: "First aid" is first-aid. It is "" for what is none.
func TrainingCode(typed string) string {
	code := strings.Join(strings.Fields(strings.ToLower(typed)), "-")
	if !trainingForm.MatchString(code) {
		return ""
	}
	return code
}

// SetTrainings says what a volunteer was trained for, by codes with commas or spaces after them. It needs what List needs. The faults are
// that of Get, and Invalid with the field trainings.
func (s *Service) SetTrainings(ctx context.Context, a actor.Actor, id uuid.UUID, typed string) error {
	var bad fault.Fields
	var list []string
	for part := range strings.SplitSeq(typed, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		code := TrainingCode(part)
		if code == "" {
			bad.Add("trainings", "error.volunteer_training")
			break
		}
		if !slices.Contains(list, code) {
			list = append(list, code)
		}
	}
	if len(list) > trainingsMost {
		bad.Add("trainings", "error.volunteer_trainings", "Max", trainingsMost)
	}
	slices.Sort(list)
	return s.by(ctx, a, id, "volunteer.trainings", func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		if err := bad.Err(); err != nil {
			return err
		}
		return tx.Model(&models.Volunteer{}).Where("id = ?", v.ID).Updates(map[string]any{"trainings": join(list), "updated_at": now}).Error
	})
}

// SetRemark writes down something about a volunteer, sealed; the person has it in their download. It needs what List needs. The faults are
// that of Get, and Invalid with the field remark.
func (s *Service) SetRemark(ctx context.Context, a actor.Actor, id uuid.UUID, remark string) error {
	var bad fault.Fields
	remark = text(&bad, "remark", remark, RemarkMax)
	return s.by(ctx, a, id, "volunteer.remark", func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		if err := bad.Err(); err != nil {
			return err
		}
		return tx.Model(&models.Volunteer{}).Where("id = ?", v.ID).Updates(map[string]any{"remark_sealed": s.seal(v.ID, "remark_sealed", remark), "updated_at": now}).Error
	})
}

// Welcome says that somebody greeted a new volunteer. It needs what List needs; the fault is that of Get.
func (s *Service) Welcome(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.by(ctx, a, id, "volunteer.welcome", func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		return tx.Model(&models.Volunteer{}).Where("id = ? AND welcomed_at IS NULL", v.ID).Updates(map[string]any{"welcomed_at": now, "updated_at": now}).Error
	})
}

// beginningFor is after how long a person should look at steps that are still open.
const beginningFor = 14 * 24 * time.Hour

// Queues says what waits for the actor: volunteers whom nobody welcomed, steps that are open for long, certificates that were asked for. It
// is a today.Provider.
func (s *Service) Queues(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if need(a) != nil {
		return nil, nil
	}
	now := s.Clock.Now()
	count := func(q *gorm.DB, column string, out *today.Queue) error {
		var n int64
		if err := q.Session(&gorm.Session{}).Count(&n).Error; err != nil || n == 0 {
			return err
		}
		out.Count = int(n)
		var at []time.Time
		if err := q.Session(&gorm.Session{}).Order(column).Limit(1).Pluck(column, &at).Error; err != nil {
			return err
		}
		if len(at) > 0 {
			out.Oldest = at[0]
		}
		return nil
	}
	db := s.DB.WithContext(ctx)
	fresh := today.Queue{Key: "volunteers.queue_new", Path: "/admin/volunteers?state=new", Minutes: 5, Right: actor.ManageRosters}
	late := today.Queue{Key: "volunteers.queue_steps", Path: "/admin/volunteers?state=beginning", Minutes: 5, Right: actor.ManageRosters}
	papers := today.Queue{Key: "volunteers.queue_certificates", Path: "/admin/volunteers/certificates", Minutes: 2, Right: actor.ManageRosters}
	err := count(visible(db, a).Where("v.welcomed_at IS NULL"), "v.created_at", &fresh)
	if err == nil {
		err = count(visible(db, a).Where("v.created_at < ? AND "+open, now.Add(-beginningFor)), "v.created_at", &late)
	}
	if err == nil {
		err = count(certificatesFor(db, a).Where("c.state = ?", models.CertificateAsked), "c.created_at", &papers)
	}
	return []today.Queue{fresh, late, papers}, err
}
