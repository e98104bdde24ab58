package rosters

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var deskStart = time.Date(2027, 3, 1, 15, 0, 0, 0, time.UTC)

type deskWorld struct {
	*Service
	t   *testing.T
	ctx context.Context
	clk *clock.Fixed
	a   actor.Actor
}

func deskEach(t *testing.T, fn func(w *deskWorld)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v, clk := vault.New(vault.NewKey()), clock.NewFixed(deskStart)
		org := organisation.New(db, v, clk)
		if _, err := org.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := New(Options{
			DB: db, Vault: v, Clock: clk, Signer: tokens.New(v), Organisation: org, BaseURL: "https://act.example.org",
			Words:   func(_, key string, args ...any) string { return key + fmt.Sprint(args...) },
			Enqueue: func(context.Context, *gorm.DB, river.JobArgs) error { return nil },
		})
		w := &deskWorld{Service: s, t: t, ctx: t.Context(), clk: clk}
		w.a = w.user(actor.Coordinator, uuid.Nil)
		fn(w)
	})
}

func (w *deskWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fields checks that an error is about exactly these fields, each as field=key.
func (w *deskWorld) fields(err error, want ...string) {
	w.t.Helper()
	var got []string
	if e, ok := err.(*fault.Error); ok {
		for _, f := range e.Fields {
			got = append(got, f.Name+"="+strings.TrimPrefix(f.Key, "error.rosterdesk_"))
		}
	}
	if !fault.Is(err, fault.Invalid) || strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.Errorf("fields %v of %v, want %v", got, err, want)
	}
}

func (w *deskWorld) fails(err error, kind fault.Kind, key string) {
	w.t.Helper()
	if e, ok := err.(*fault.Error); !ok || e.Kind != kind || e.Key != key {
		w.t.Errorf("%v, want %v %s", err, kind, key)
	}
}

func (w *deskWorld) box(address string) uuid.UUID {
	w.t.Helper()
	m, err := mailboxes.Ensure(w.ctx, w.DB.DB, w.Vault, address, w.clk.Now())
	w.must(err)
	return m.ID
}

func (w *deskWorld) user(role actor.Role, chapter uuid.UUID) actor.Actor {
	w.t.Helper()
	u := models.User{ID: models.NewID(), MailboxID: w.box(uuid.NewString() + "@example.org"), Role: string(role), Locale: "en", CreatedAt: deskStart, UpdatedAt: deskStart}
	w.must(w.DB.Create(&u).Error)
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role, ChapterID: chapter}
}

func (w *deskWorld) chapter(name string) uuid.UUID {
	w.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: name, Name: name, CreatedAt: deskStart, UpdatedAt: deskStart}
	w.must(w.DB.Create(&c).Error)
	return c.ID
}

var deskDraft = Draft{Title: "Pain Day", Locale: "en", Zone: "America/New_York"}

func (w *deskWorld) roster() models.Roster {
	w.t.Helper()
	r, err := w.Create(w.ctx, w.a, deskDraft)
	w.must(err)
	return r
}

// fixed is a shift on a day, from a time to a time.
func fixed(role, day, from, until string) ShiftInput {
	return ShiftInput{
		Role: role, Kind: models.ShiftFixed, Mode: models.ShiftHome, Starts: Local{Day: day, Clock: from}, Ends: Local{Day: day, Clock: until}, Minimum: 1, Places: 2, Standbys: 1, Energy: 2,
		Demands: []string{"screen", "sitting"}, Revision: 1,
	}
}

func (w *deskWorld) shift(r models.Roster, in ShiftInput) models.Shift {
	w.t.Helper()
	made, err := w.AddShifts(w.ctx, w.a, r.ID, in)
	w.must(err)
	return made[0]
}

func (w *deskWorld) publish(r models.Roster) models.Roster {
	w.t.Helper()
	r, err := w.SetState(w.ctx, w.a, r.ID, models.RosterPublished)
	w.must(err)
	return r
}

func (w *deskWorld) seats(sh models.Shift, name string, as models.PlaceAs) models.Assignment {
	w.t.Helper()
	made, err := w.Seat(w.ctx, w.a, sh.ID, SeatInput{Email: name + "@example.org", GivenName: name, FamilyName: "Okafor", Phone: "555-0142", As: as, AskBy: models.AskByPhone, SaidYes: true})
	w.must(err)
	return made
}

func (w *deskWorld) count(model any, where string, args ...any) int {
	w.t.Helper()
	var n int64
	w.must(w.DB.Model(model).Where(where, args...).Count(&n).Error)
	return int(n)
}

func (w *deskWorld) mail(as models.Assignment, kind string, state models.DeliveryState) (d models.Delivery) {
	w.t.Helper()
	w.must(w.DB.Take(&d, "subject_id = ? AND kind = ? AND state = ?", as.ID, kind, state).Error)
	return d
}

func TestDeskRoster(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		if _, err := w.Create(w.ctx, w.user(actor.Advocate, uuid.Nil), deskDraft); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate makes a roster: %v", err)
		}
		_, err := w.Create(w.ctx, w.a, Draft{Locale: "xx", Zone: "Nowhere/Land"})
		w.fields(err, "locale=error.value_unknown", "time_zone=zone", "title=error.title_missing")
		r := w.roster()
		_, err = w.SetState(w.ctx, w.a, r.ID, models.RosterPublished)
		w.fields(err, "shifts=no_shifts")
		_, err = w.SetState(w.ctx, w.a, r.ID, models.RosterClosed)
		w.fields(err, "state=error.value_unknown")
		in := fixed("Notes", "2027-03-09", "10:00", "10:45")
		in.Energy = 0
		w.shift(r, in)
		_, err = w.SetState(w.ctx, w.a, r.ID, models.RosterPublished)
		w.fields(err, "effort=no_effort")
		w.must(w.DB.Exec("UPDATE shifts SET energy = 1").Error)
		_, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: deskDraft, Revision: 7})
		w.fails(err, fault.Conflict, "error.rosterdesk_changed")
		pattern := deskDraft
		pattern.Template = true
		kept, err := w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: pattern, Revision: r.Revision})
		w.must(err)
		_, err = w.SetState(w.ctx, w.a, r.ID, models.RosterPublished)
		w.fields(err, "template=template_public")
		opens := deskDraft
		opens.Opens = Local{Day: "2027-03-14", Clock: "02:30"}
		_, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: opens, Revision: kept.Revision})
		w.fields(err, "opens=time_skipped")
		day := models.Event{
			ID: models.NewID(), Slug: "day", State: models.EventPublished, Kind: models.EventAdvocacyDay, Title: "The day", Locale: "en", TimeZone: "America/New_York", StartsOn: "2027-03-09T09:00", Minutes: 60,
			Venue: models.VenueHybrid, CreatedAt: w.clk.Now(), UpdatedAt: w.clk.Now(),
		}
		w.must(w.DB.Create(&day).Error)
		of := deskDraft
		of.EventID = &r.ID
		_, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: of, Revision: kept.Revision})
		w.fields(err, "event=error.value_unknown")
		of.EventID = &day.ID
		kept, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: of, Revision: kept.Revision})
		w.must(err)
		if c, err := w.Choices(w.ctx, w.a); err != nil || len(c.Events) != 1 || DraftOf(kept).EventID == nil || *kept.EventID != day.ID {
			t.Errorf("%+v, %v", c, err)
		}
		theirs := w.chapter("north")
		w.must(w.DB.Model(&day).Update("chapter_id", theirs).Error)
		if c, err := w.Choices(w.ctx, w.user(actor.Coordinator, w.chapter("south"))); err != nil || len(c.Events) != 0 {
			t.Errorf("events of another chapter are offered: %+v, %v", c, err)
		}
		kept, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: deskDraft, Revision: kept.Revision})
		w.must(err)
		r = w.publish(r)
		if r.Slug != "pain-day" || r.PublishedAt == nil || r.State != models.RosterPublished {
			t.Errorf("%+v", r)
		}
		_, err = w.Save(w.ctx, w.a, r.ID, SaveInput{Draft: pattern, Revision: r.Revision})
		w.fields(err, "template=template_public")
		r, err = w.SetState(w.ctx, w.a, r.ID, models.RosterClosed)
		w.must(err)
		if r.ClosedAt == nil {
			t.Error("closed without a time")
		}
		if r = w.publish(r); r.Slug != "pain-day" || r.ClosedAt != nil {
			t.Errorf("opened again: %+v", r)
		}
		if n := w.count(&models.AuditEntry{}, "object = 'rosters' AND action IN ?", []string{"roster.create", "roster.save", "roster.publish", "roster.close", "roster.reopen"}); n != 7 {
			t.Errorf("%d entries in the audit log", n)
		}
	})
}

func TestDeskShiftInput(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		for name, c := range map[string]struct {
			change func(*ShiftInput)
			want   []string
		}{
			"zero length":         {func(in *ShiftInput) { in.Ends.Clock = "10:00" }, []string{"ends=zero"}},
			"end before start":    {func(in *ShiftInput) { in.Ends.Clock = "09:00" }, []string{"ends=ends_day"}},
			"ends the day before": {func(in *ShiftInput) { in.Ends.Day = "2027-03-08" }, []string{"ends=ends_before"}},
			"past midnight":       {func(in *ShiftInput) { in.Starts.Clock, in.Ends = "22:00", Local{Day: "2027-03-10", Clock: "02:00"} }, nil},
			"longer than a day":   {func(in *ShiftInput) { in.Ends.Day = "2027-03-11" }, []string{"ends=too_long"}},
			"over":                {func(in *ShiftInput) { in.Starts.Day, in.Ends.Day = "2027-02-09", "2027-02-09" }, []string{"ends=past"}},
			"no time":             {func(in *ShiftInput) { in.Starts, in.Ends = Local{}, Local{} }, []string{"starts=starts_missing", "ends=ends_missing"}},
			"nonsense":            {func(in *ShiftInput) { in.Starts.Day = "2027-02-30" }, []string{"starts=time"}},
			"left out by the clock": {func(in *ShiftInput) {
				in.Starts, in.Ends = Local{Day: "2027-03-14", Clock: "02:30"}, Local{Day: "2027-03-14", Clock: "04:00"}
			}, []string{"starts=time_skipped"}},
			"twice by the clock": {func(in *ShiftInput) {
				in.Starts, in.Ends = Local{Day: "2027-11-07", Clock: "00:30"}, Local{Day: "2027-11-07", Clock: "01:30"}
			}, []string{"ends=time_twice"}},
			"minimum over places":   {func(in *ShiftInput) { in.Minimum = 3 }, []string{"minimum=minimum"}},
			"no places":             {func(in *ShiftInput) { in.Places, in.Minimum = 0, 0 }, []string{"places=number"}},
			"energy":                {func(in *ShiftInput) { in.Energy = 6 }, []string{"energy=number"}},
			"longer than there is":  {func(in *ShiftInput) { in.Minutes = 90 }, []string{"minutes=minutes_long"}},
			"no role":               {func(in *ShiftInput) { in.Role = " " }, []string{"role=role_missing"}},
			"language":              {func(in *ShiftInput) { in.Languages = "english!" }, []string{"languages=languages"}},
			"area":                  {func(in *ShiftInput) { in.Area = "[" }, []string{"area=area"}},
			"somebody else's team":  {func(in *ShiftInput) { x := uuid.New(); in.TeamID = &x }, []string{"team=error.value_unknown"}},
			"too many":              {func(in *ShiftInput) { in.Repeat, in.Every = 101, 30 }, []string{"repeat=number"}},
			"every never":           {func(in *ShiftInput) { in.Repeat = 2 }, []string{"every=number"}},
			"kind and mode":         {func(in *ShiftInput) { in.Kind, in.Mode, in.RoleKind = "x", "y", "z" }, []string{"role_kind=error.value_unknown", "kind=error.value_unknown", "mode=error.value_unknown"}},
			"a task without a time": {func(in *ShiftInput) { in.Kind, in.Starts, in.Ends, in.Minutes = models.ShiftTask, Local{}, Local{}, 20 }, nil},
			"a task that is over":   {func(in *ShiftInput) { in.Kind, in.Starts, in.Ends.Day = models.ShiftTask, Local{}, "2027-02-01" }, []string{"ends=past"}},
		} {
			in := fixed("Notes", "2027-03-09", "10:00", "10:45")
			c.change(&in)
			_, err := w.AddShifts(w.ctx, w.a, r.ID, in)
			if c.want == nil && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if c.want != nil {
				t.Log(name)
				w.fields(err, c.want...)
			}
		}
		in := fixed("Host", "2027-11-07", "01:30", "03:00") // the night on which the clock is set back: the second 1:30 is an hour later
		in.Starts.Twice = "second"
		sh := w.shift(r, in)
		if !sh.StartsAt.Equal(time.Date(2027, 11, 7, 6, 30, 0, 0, time.UTC)) || sh.Minutes != 90 {
			t.Errorf("begins %v, takes %d", sh.StartsAt, sh.Minutes)
		}
		if back := ShiftInputOf(r, sh, ""); back.Starts != in.Starts || back.Ends != in.Ends {
			t.Errorf("the form says %+v", back)
		}
		in = fixed("Across", "2027-03-14", "01:30", "03:30") // forward in between: an hour of time, two by the clock
		if sh = w.shift(r, in); sh.Minutes != 60 {
			t.Errorf("takes %d minutes", sh.Minutes)
		}
		in = fixed("Table", "2027-03-09", "23:00", "23:30")
		in.Repeat, in.Every, in.Join = 4, 30, "https://meet.example.org/1"
		made, err := w.AddShifts(w.ctx, w.a, r.ID, in)
		w.must(err)
		if len(made) != 4 || !made[3].StartsAt.Equal(made[0].StartsAt.Add(90*time.Minute)) || !made[3].EndsAt.Equal(made[3].StartsAt.Add(30*time.Minute)) {
			t.Errorf("%+v", made)
		}
		for _, m := range made {
			_, _, join, err := w.Shift(w.ctx, w.a, m.ID)
			w.must(err)
			if join != in.Join {
				t.Errorf("joined by %q", join)
			}
		}
	})
}

func TestDeskShiftChanges(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		sh := w.shift(r, fixed("Notes", "2027-03-09", "10:00", "10:45"))
		w.publish(r)
		june, cal := w.seats(sh, "june", models.AsPlace), w.seats(sh, "cal", models.AsPlace)
		w.seats(sh, "hal", models.AsStandby)
		_, err := w.Seat(w.ctx, w.a, sh.ID, SeatInput{Email: "ada@example.org", GivenName: "Ada", As: models.AsPlace, SaidYes: true})
		w.fails(err, fault.Conflict, "error.shift_full")
		_, err = w.Seat(w.ctx, w.a, sh.ID, SeatInput{Email: "cal@example.org", GivenName: "Cal", As: models.AsPlace, SaidYes: true})
		w.fails(err, fault.Conflict, "error.shift_twice")

		in := fixed("Notes", "2027-03-09", "10:00", "10:45")
		in.Places = 1
		_, _, err = w.SaveShift(w.ctx, w.a, sh.ID, in)
		w.fields(err, "places=places_held")
		in.Places, in.Handover = 2, "Write down yes or no."
		sh, told, err := w.SaveShift(w.ctx, w.a, sh.ID, in)
		w.must(err)
		if told != 0 || sh.Revision != 2 {
			t.Errorf("a note told %d people", told)
		}
		_, _, err = w.SaveShift(w.ctx, w.a, sh.ID, in)
		w.fails(err, fault.Conflict, "error.rosterdesk_shift_changed")

		in.Revision, in.Starts.Clock, in.Ends.Clock = 2, "11:00", "11:45"
		sh, told, err = w.SaveShift(w.ctx, w.a, sh.ID, in)
		w.must(err)
		w.clk.Add(time.Minute)
		in.Revision, in.Place, in.Join = 3, "Room 114", "https://meet.example.org/31"
		if sh, _, err = w.SaveShift(w.ctx, w.a, sh.ID, in); err != nil || told != 3 {
			t.Fatalf("told %d, %v", told, err)
		}
		if live, ended := w.count(&models.Delivery{}, "kind = ? AND state = 'queued'", KindChanged), w.count(&models.Delivery{}, "kind = ? AND state = 'expired'", KindChanged); live != 3 || ended != 3 {
			t.Errorf("%d mails wait, %d ended: one says what is so now", live, ended)
		}
		d := w.mail(june, KindChanged, models.DeliveryQueued)
		if d.Purpose != models.PurposeReceipt {
			t.Errorf("a mail about a place is for %s", d.Purpose)
		}
		mail, err := w.DeskMails()[KindChanged](w.ctx, d)
		w.must(err)
		m := mail.Data.(ShiftMail)
		if m.GivenName != "june" || m.Place != "Room 114" || m.Join != in.Join || m.Standby || !strings.HasPrefix(m.CantURL, "https://act.example.org/cant/") || !strings.Contains(m.When, "11:00") {
			t.Errorf("%+v", m)
		}
		id, err := w.Signer.Read(tokens.Cant, strings.TrimPrefix(m.CantURL, "https://act.example.org/cant/"), w.clk.Now())
		if err != nil || id != june.ID {
			t.Errorf("the link is for %v: %v", id, err)
		}
		w.mail(cal, KindPlaced, models.DeliveryQueued)

		// Whoever is not there any more gets no mail about it.
		w.must(w.Release(w.ctx, w.a, sh.ID, june.ID, true))
		if n := w.count(&models.Delivery{}, "subject_id = ? AND state = 'queued'", june.ID); n != 0 {
			t.Errorf("%d mails to who let go", n)
		}
		if _, err := w.DeskMails()[KindChanged](w.ctx, d); !fault.Is(err, fault.Gone) {
			t.Errorf("a mail to who let go: %v", err)
		}

		w.fails(w.DeleteShift(w.ctx, w.a, sh.ID), fault.Conflict, "error.rosterdesk_shift_held")
		sh, told, err = w.CancelShift(w.ctx, w.a, sh.ID)
		w.must(err)
		if told != 2 || w.count(&models.Cover{}, "shift_id = ?", sh.ID) != 0 || w.count(&models.ShiftEvent{}, "shift_id = ? AND kind = 'cancelled'", sh.ID) != 1 {
			t.Errorf("told %d", told)
		}
		if _, told, err = w.CancelShift(w.ctx, w.a, sh.ID); err != nil || told != 0 {
			t.Errorf("twice: %d, %v", told, err)
		}
		if n := w.count(&models.Delivery{}, "kind = ?", KindCancelled); n != 2 {
			t.Errorf("%d mails that it is called off", n)
		}
		_, err = w.DeskMails()[KindCancelled](w.ctx, w.mail(cal, KindCancelled, models.DeliveryQueued))
		w.must(err)
		in.Revision = sh.Revision
		_, _, err = w.SaveShift(w.ctx, w.a, sh.ID, in)
		w.fails(err, fault.Gone, "error.rosterdesk_shift_over")
		empty := w.shift(r, fixed("Empty", "2027-03-09", "10:00", "10:45"))
		w.must(w.DeleteShift(w.ctx, w.a, empty.ID))
		w.fails(w.DeleteShift(w.ctx, w.a, empty.ID), fault.Gone, "error.shift_gone")
	})
}

// Two worlds that differ in who let go are the same to the audit log.
func TestDeskReleaseNamesNobody(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		sh := w.shift(r, fixed("Notes", "2027-03-09", "10:00", "10:45"))
		w.publish(r)
		june := w.seats(sh, "june", models.AsPlace)
		w.fields(w.Release(w.ctx, w.a, sh.ID, june.ID, false), "said_yes=said_go")
		w.must(w.Release(w.ctx, w.a, sh.ID, june.ID, true))
		w.fails(w.Release(w.ctx, w.a, sh.ID, june.ID, true), fault.Gone, "error.rosterdesk_not_there")
		var log []models.AuditEntry
		w.must(w.DB.Find(&log, "action IN ?", []string{"roster.seat", "roster.released"}).Error)
		if len(log) != 2 {
			t.Fatalf("%d entries", len(log))
		}
		for _, e := range log {
			if e.Object != "shifts" || *e.ObjectID != sh.ID || e.Details != "{}" {
				t.Errorf("%+v", e)
			}
		}
		if w.count(&models.Cover{}, "shift_id = ?", sh.ID) != 1 || w.count(&models.Assignment{}, "shift_id = ?", sh.ID) != 0 {
			t.Error("the search for somebody has not begun")
		}
		_, err := w.Seat(w.ctx, w.a, sh.ID, SeatInput{Email: "x", As: models.AsStandby})
		if e, ok := err.(*fault.Error); !ok || len(e.Fields) != 4 {
			t.Errorf("%v", err)
		}
		// A place that is seated ends the search.
		two := fixed("Notes", "2027-03-09", "10:00", "10:45")
		two.Places = 1
		_, _, err = w.SaveShift(w.ctx, w.a, sh.ID, two)
		w.must(err)
		w.seats(sh, "june", models.AsPlace)
		if w.count(&models.Cover{}, "shift_id = ?", sh.ID) != 0 {
			t.Error("a full shift is still searched for")
		}
		// Who holds a place at the same time is told so.
		other := w.shift(r, fixed("Driver", "2027-03-09", "10:30", "11:45"))
		_, err = w.Seat(w.ctx, w.a, other.ID, SeatInput{Email: "june@example.org", GivenName: "June", As: models.AsPlace, SaidYes: true})
		w.fails(err, fault.Conflict, "error.rosterdesk_no_clash")
		w.seats(other, "june", models.AsStandby)
	})
}

func TestDeskCopy(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		team, err := w.AddTeam(w.ctx, w.a, r.ID, TeamInput{Name: "House 31"})
		w.must(err)
		in := fixed("Leader", "2027-03-09", "10:00", "10:45")
		in.TeamID, in.Join, in.Opens = &team.ID, "https://meet.example.org/31", Local{Day: "2027-03-05", Clock: "08:00"}
		sh := w.shift(r, in)
		w.shift(r, fixed("Night", "2027-03-10", "01:30", "03:30"))
		off := w.shift(r, fixed("Off", "2027-03-09", "08:00", "09:00"))
		task := fixed("Thanks", "2027-03-12", "00:00", "23:59")
		task.Kind, task.Starts, task.Minutes = models.ShiftTask, Local{}, 20
		w.shift(r, task)
		w.publish(r)
		w.seats(sh, "june", models.AsPlace)
		_, _, err = w.CancelShift(w.ctx, w.a, off.ID)
		w.must(err)
		day, err := w.FirstDay(w.ctx, w.a, r.ID)
		w.must(err)
		if day != "2027-03-09" {
			t.Errorf("begins on %s", day)
		}
		_, err = w.Copy(w.ctx, w.a, r.ID, CopyInput{Day: "soon"})
		w.fields(err, "day=day")
		// To the days around the night on which the clock is set forward: 13 and 14 March 2027.
		c, err := w.Copy(w.ctx, w.a, r.ID, CopyInput{Title: "Next", Day: "2027-03-13"})
		w.must(err)
		var shifts []models.Shift
		w.must(w.DB.Order("role").Find(&shifts, "roster_id = ?", c.ID).Error)
		if len(shifts) != 3 || c.State != models.RosterDraft || *c.CopiedFrom != r.ID || c.Title != "Next" {
			t.Fatalf("%+v %+v", c, shifts)
		}
		zone := Zone(c)
		for i, want := range []string{"Leader 03-13 10:00 03-13 10:45", "Night 03-14 01:30 03-14 03:30", "Thanks - 03-16 23:59"} {
			say := func(t *time.Time) string {
				if t == nil {
					return "-"
				}
				return t.In(zone).Format("01-02 15:04")
			}
			if got := shifts[i].Role + " " + say(shifts[i].StartsAt) + " " + say(shifts[i].EndsAt); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if shifts[0].OpensAt.In(zone).Format("01-02 15:04") != "03-09 08:00" || *shifts[0].TeamID == team.ID || w.count(&models.Team{}, "roster_id = ? AND id = ?", c.ID, *shifts[0].TeamID) != 1 {
			t.Errorf("%+v", shifts[0])
		}
		if _, _, join, err := w.Shift(w.ctx, w.a, shifts[0].ID); err != nil || join != in.Join {
			t.Errorf("joined by %q, %v", join, err)
		}
		if w.count(&models.Assignment{}, "shift_id IN (SELECT id FROM shifts WHERE roster_id = ?)", c.ID) != 0 {
			t.Error("somebody was copied")
		}
		pattern, err := w.Copy(w.ctx, w.a, r.ID, CopyInput{Template: true})
		w.must(err)
		if first, err := w.FirstDay(w.ctx, w.a, pattern.ID); err != nil || first != day || !pattern.Template {
			t.Errorf("a pattern begins on %s, %v", first, err)
		}
	})
}

func TestDeskCoverage(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		team, err := w.AddTeam(w.ctx, w.a, r.ID, TeamInput{Name: "House 31"})
		w.must(err)
		leader := fixed("Leader", "2027-03-09", "10:00", "10:45")
		leader.TeamID, leader.RoleKind, leader.Minimum, leader.Places = &team.ID, models.RoleLeader, 2, 3
		a := w.shift(r, leader)
		b := w.shift(r, fixed("Driver", "2027-03-09", "08:00", "09:00"))
		w.shift(r, fixed("Later", "2027-03-10", "08:00", "09:00"))
		task := fixed("Thanks", "2027-03-12", "00:00", "23:59")
		task.Kind, task.Starts, task.Standbys, task.Minutes = models.ShiftTask, Local{}, 0, 20
		w.shift(r, task)
		w.publish(r)
		w.seats(a, "june", models.AsPlace)
		w.seats(b, "cal", models.AsPlace)
		w.seats(b, "ilse", models.AsPlace)
		c, err := w.Coverage(w.ctx, w.a, r.ID, CoverageFilter{})
		w.must(err)
		if c.Places != 9 || c.Held != 3 || c.Open != 6 || c.Thin != 3 || c.Day != "2027-03-09" || len(c.Days) != 2 || len(c.Rows) != 2 || len(c.Tasks) != 1 || !c.Names {
			t.Errorf("%+v", c)
		}
		var gaps []string
		for _, l := range c.Gaps {
			gaps = append(gaps, l.Role+" "+string(l.Risk))
		}
		if got := strings.Join(gaps, ", "); got != "Later empty, Thanks empty, Leader below, Driver no_standby" {
			t.Errorf("gaps: %s", got)
		}
		if c.Rows[0].Role != "Driver" || len(c.Rows[0].Named()) != 2 || c.Rows[0].Named()[0].Name != "cal O." {
			t.Errorf("%+v", c.Rows[0])
		}
		if len(c.Teams) != 1 || c.Teams[0].Ahead {
			t.Errorf("%+v", c.Teams)
		}
		w.seats(a, "rosa", models.AsPlace)
		w.seats(b, "hal", models.AsStandby)
		c, err = w.Coverage(w.ctx, w.a, r.ID, CoverageFilter{RoleKind: models.RoleLeader, Team: team.ID})
		w.must(err)
		if len(c.Rows) != 1 || len(c.Gaps) != 1 || c.Gaps[0].Risk != Short || !c.Teams[0].Ahead {
			t.Errorf("%+v", c)
		}
		if c, err = w.Coverage(w.ctx, w.a, r.ID, CoverageFilter{GapsOnly: true, Day: "2027-03-09"}); err != nil || len(c.Rows) != 1 || c.Rows[0].Role != "Leader" {
			t.Errorf("%+v, %v", c.Rows, err)
		}
		if c, err = w.Coverage(w.ctx, w.a, r.ID, CoverageFilter{Day: "2027-03-10"}); err != nil || len(c.Rows) != 1 || c.Rows[0].Role != "Later" {
			t.Errorf("%+v, %v", c.Rows, err)
		}
		queues, err := w.Queues(w.ctx, w.a)
		w.must(err)
		if queues[0].Count != 0 {
			t.Errorf("%d shifts wait before their week", queues[0].Count)
		}
		w.clk.Set(time.Date(2027, 3, 8, 15, 0, 0, 0, time.UTC))
		if queues, err = w.Queues(w.ctx, w.a); err != nil || queues[0].Count != 2 {
			t.Errorf("%+v, %v", queues, err)
		}
		if _, err = w.DeleteTeam(w.ctx, w.a, team.ID); err != nil || w.count(&models.Shift{}, "team_id IS NOT NULL") != 0 {
			t.Errorf("a team is not gone: %v", err)
		}
	})
}

func TestDeskChapters(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		north, south := w.chapter("north"), w.chapter("south")
		nora, sol := w.user(actor.Coordinator, north), w.user(actor.Coordinator, south)
		whole := w.roster()
		sh := w.shift(whole, fixed("Notes", "2027-03-09", "10:00", "10:45"))
		w.publish(whole)
		w.seats(sh, "june", models.AsPlace)
		theirs, err := w.Create(w.ctx, nora, deskDraft)
		w.must(err)
		if theirs.ChapterID == nil || *theirs.ChapterID != north {
			t.Fatalf("%+v", theirs)
		}
		own, err := w.AddShifts(w.ctx, nora, theirs.ID, fixed("Table", "2027-03-09", "10:00", "10:45"))
		w.must(err)
		for who, want := range map[*actor.Actor]int{&w.a: 2, &nora: 2, &sol: 1} {
			list, err := w.List(w.ctx, *who, paging.Cursor{})
			w.must(err)
			if len(list.Rows) != want {
				t.Errorf("%d rosters, want %d", len(list.Rows), want)
			}
		}
		c, err := w.Coverage(w.ctx, sol, whole.ID, CoverageFilter{})
		w.must(err)
		if c.Names || len(c.Rows[0].Holders) != 0 || c.Held != 1 {
			t.Errorf("a chapter reads the names of others: %+v", c.Rows[0])
		}
		for name, err := range map[string]error{
			"save":    func() error { _, err := w.Save(w.ctx, sol, whole.ID, SaveInput{Draft: deskDraft}); return err }(),
			"shift":   func() error { _, _, err := w.CancelShift(w.ctx, sol, sh.ID); return err }(),
			"crew":    func() error { _, err := w.Crew(w.ctx, sol, sh.ID); return err }(),
			"phones":  func() error { _, err := w.Phones(w.ctx, sol, whole.ID); return err }(),
			"message": func() error { _, err := w.CheckMessage(w.ctx, sol, whole.ID, MessageInput{}); return err }(),
			"print":   func() error { _, err := w.DayPlan(w.ctx, sol, whole.ID, ""); return err }(),
			"release": w.Release(w.ctx, sol, sh.ID, uuid.New(), true),
		} {
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s of the whole organisation's: %v", name, err)
			}
		}
		for name, err := range map[string]error{
			"get":      func() error { _, err := w.Get(w.ctx, sol, theirs.ID); return err }(),
			"coverage": func() error { _, err := w.Coverage(w.ctx, sol, theirs.ID, CoverageFilter{}); return err }(),
			"shift":    func() error { _, _, _, err := w.Shift(w.ctx, sol, own[0].ID); return err }(),
			"cancel":   func() error { _, _, err := w.CancelShift(w.ctx, sol, own[0].ID); return err }(),
			"copy":     func() error { _, err := w.Copy(w.ctx, sol, theirs.ID, CopyInput{Day: "2028-03-09"}); return err }(),
			"report":   func() error { _, err := w.Report(w.ctx, sol, theirs.ID); return err }(),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s of another chapter's: %v", name, err)
			}
		}
		mine, err := w.Copy(w.ctx, sol, whole.ID, CopyInput{Day: "2028-03-09"})
		w.must(err)
		if mine.ChapterID == nil || *mine.ChapterID != south {
			t.Errorf("%+v", mine)
		}
	})
}
