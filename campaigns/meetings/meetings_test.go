package meetings_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/meetings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/rosters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	bg    = context.Background()
	start = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)
)

// desk is an organisation with a roster for an advocacy day, a house of three districts, and a clock that stands.
type desk struct {
	t                              *testing.T
	db                             *database.DB
	vault                          *vault.Vault
	signer                         *tokens.Signer
	clk                            *clock.Fixed
	svc                            *meetings.Service
	organizer, coordinator, viewer actor.Actor
	chaptered                      actor.Actor
	roster                         models.Roster
	house                          models.Chamber
	ada, ben, cora                 models.Legislator // of districts 7, 8 and 9
}

func eachDesk(t *testing.T, fn func(w *desk)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(newDesk(t, db)) })
}

func newDesk(t *testing.T, db *database.DB) *desk {
	t.Helper()
	w := &desk{t: t, db: db, vault: vault.New(vault.NewKey()), clk: clock.NewFixed(start)}
	w.signer = tokens.New(w.vault)
	org := organisation.New(db, w.vault, w.clk)
	_, err := org.Ensure(bg)
	w.must(err)
	w.svc = meetings.New(meetings.Options{
		DB: db, Vault: w.vault, Clock: w.clk, Signer: w.signer, Organisation: org, BaseURL: "https://act.example.org",
		Words: func(lang, key string, args ...any) string {
			return strings.TrimSpace(fmt.Sprintln(append([]any{lang, key}, args...)...))
		},
		Day: func(_ string, t time.Time) string { return t.Format("Monday 2006-01-02") },
	})
	user := func(role actor.Role, chapter uuid.UUID) actor.Actor {
		u := models.User{ID: models.NewID(), MailboxID: w.mailbox(nil), NameSealed: []byte("x"), Role: string(role), CreatedAt: start, UpdatedAt: start}
		w.create(&u)
		return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role, ChapterID: chapter}
	}
	w.organizer, w.coordinator, w.viewer = user(actor.Organizer, uuid.Nil), user(actor.Coordinator, uuid.Nil), user(actor.Viewer, uuid.Nil)
	w.chaptered = user(actor.Coordinator, models.NewID())
	in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: start, UpdatedAt: start}
	w.house = models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", Name: "House", MemberTitle: "Representative", DivisionKind: models.DivisionLower, CreatedAt: start, UpdatedAt: start}
	w.create(&in, &w.house)
	w.ada, w.ben, w.cora = w.seat("Ada Quill", "7"), w.seat("Ben Sorrel", "8"), w.seat("Cora Vane", "9")
	w.roster = models.Roster{ID: models.NewID(), Slug: "day", State: models.RosterPublished, Title: "Pain Day", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: start, UpdatedAt: start}
	w.create(&w.roster)
	w.must(w.svc.SavePlan(bg, w.organizer, w.roster.ID, w.plan()))
	return w
}

func (w *desk) plan() meetings.Plan {
	return meetings.Plan{
		Asks: []string{"Will you vote yes on HB 412?", "Will you speak for it?"}, Minutes: 15, BlockMinutes: 45, BreakMinutes: 15,
		Points: []meetings.Point{{Body: "One in five lives with pain.", SourceTitle: "A survey", SourceURL: "https://example.org/survey"}},
		Roles:  map[models.RoleKind]meetings.Count{models.RoleLeader: {Minimum: 1, Places: 1}, models.RoleStoryteller: {Minimum: 1, Places: 2}, models.RoleNotes: {Minimum: 1, Places: 1}},
	}
}

// seat makes a legislator of a district with a division and a postal area of its own.
func (w *desk) seat(name, district string) models.Legislator {
	w.t.Helper()
	given, family, _ := strings.Cut(name, " ")
	d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:" + district, Name: "House " + district, Country: "US", Region: "WN", Kind: models.DivisionLower, CreatedAt: start, UpdatedAt: start}
	l := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: name, Name: name, GivenName: given, FamilyName: family, CreatedAt: start, UpdatedAt: start}
	term := models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: w.house.ID, OCDID: d.OCDID, DivisionID: &d.ID, District: district, Party: "Harbour", CreatedAt: start, UpdatedAt: start}
	office := models.Office{ID: models.NewID(), LegislatorID: l.ID, SourceKey: "c", Kind: "capitol", Name: "Capitol", Street: "1 Main Street", City: "Harrow Bay", Region: "WN", Country: "US", CreatedAt: start, UpdatedAt: start}
	w.create(&d, &l, &term, &office, &models.PostalDivision{Country: "US", PostalArea: area(district), DivisionID: d.ID, Kind: models.DivisionLower})
	return l
}

// area is the postal area of a district.
func area(district string) string { return strings.Repeat("0", 5-len(district)) + district }

func (w *desk) mailbox(supporter *uuid.UUID) uuid.UUID {
	w.t.Helper()
	box := models.Mailbox{ID: models.NewID(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte("x"), Domain: "example.org", SupporterID: supporter, CreatedAt: start, UpdatedAt: start}
	w.create(&box)
	return box.ID
}

// volunteer is somebody who offers time and lives in a district.
func (w *desk) volunteer(name, district string) uuid.UUID {
	w.t.Helper()
	v := models.Volunteer{
		ID: models.NewID(), MailboxID: w.mailbox(nil), State: models.VolunteerActive, Likes: "storyteller,driver", Country: "US", PostalArea: area(district), AskBy: models.AskByMail, AskFrom: 540,
		AskUntil: 1200, Locale: "en", CreatedAt: start, UpdatedAt: start,
	}
	v.GivenNameSealed = w.vault.Seal("volunteers", "given_name_sealed", v.ID, name)
	w.create(&v)
	return v.MailboxID
}

// take gives a mailbox a place of a meeting's team in a role.
func (w *desk) take(m models.Meeting, role models.RoleKind, as models.PlaceAs, box uuid.UUID, name string) models.Assignment {
	w.t.Helper()
	var sh models.Shift
	w.must(w.db.Where("team_id = ? AND role_kind = ?", m.TeamID, role).Take(&sh).Error)
	a := models.Assignment{ID: models.NewID(), ShiftID: sh.ID, MailboxID: box, AsWhat: as, State: models.AssignmentConfirmed, Locale: "en", TimeZone: "Europe/Madrid", CreatedAt: start, UpdatedAt: start}
	if as == models.AsStandby {
		a.State = models.AssignmentHeld
	}
	a.GivenNameSealed = w.vault.Seal("assignments", "given_name_sealed", a.ID, name)
	w.create(&a)
	return a
}

func (w *desk) link(a models.Assignment) string {
	return w.signer.Make(tokens.Cant, a.ID, w.clk.Now().AddDate(1, 0, 0))
}

func (w *desk) create(rows ...any) {
	w.t.Helper()
	for _, r := range rows {
		if err := w.db.Create(r).Error; err != nil {
			w.t.Fatalf("%T: %v", r, err)
		}
	}
}

func (w *desk) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// wants fails the test where an error is not of a kind with a key.
func (w *desk) wants(err error, kind fault.Kind, key string) {
	w.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), key) {
		w.t.Errorf("%v, want %v %s", err, kind, key)
	}
}

func (w *desk) input(l models.Legislator, hour string) meetings.Input {
	return meetings.Input{LegislatorID: l.ID, Day: "2027-03-09", Hour: hour, Minutes: 15, Mode: models.MeetingVideo, Join: "https://meet.example.org/1", Access: "Captions, please."}
}

func (w *desk) add(l models.Legislator, hour string) models.Meeting {
	w.t.Helper()
	m, err := w.svc.Add(bg, w.coordinator, w.roster.ID, w.input(l, hour))
	w.must(err)
	return m
}

func (w *desk) shifts(m models.Meeting) []models.Shift {
	w.t.Helper()
	var out []models.Shift
	w.must(w.db.Where("team_id = ?", m.TeamID).Order("position").Find(&out).Error)
	return out
}

func (w *desk) mails() (n int64) {
	w.t.Helper()
	w.must(w.db.Model(&models.Delivery{}).Where("kind = ?", meetings.KindTeam).Count(&n).Error)
	return n
}

func TestAddMakesATeam(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		if want := time.Date(2027, 3, 9, 15, 0, 0, 0, time.UTC); !m.StartsAt.Equal(want) {
			t.Errorf("starts at %v, want %v", m.StartsAt, want)
		}
		list := w.shifts(m)
		if len(list) != 3 {
			t.Fatalf("%d shifts", len(list))
		}
		for i, want := range []struct {
			kind            models.RoleKind
			minimum, places int
			demands         string
		}{{models.RoleLeader, 1, 1, "speaking,screen"}, {models.RoleStoryteller, 1, 2, "speaking,screen"}, {models.RoleNotes, 1, 1, "typing,screen"}} {
			sh := list[i]
			if sh.RoleKind != want.kind || sh.Minimum != want.minimum || sh.Places != want.places || sh.Demands != want.demands || sh.Mode != models.ShiftHome || !sh.StartsAt.Equal(m.StartsAt) || sh.EndsAt.Sub(*sh.StartsAt) != 15*time.Minute {
				t.Errorf("shift %d: %+v", i, sh)
			}
			join, err := w.vault.Open("shifts", "join_sealed", sh.ID, sh.JoinSealed)
			if err != nil || join != "https://meet.example.org/1" {
				t.Errorf("join %q %v", join, err)
			}
		}
		d, err := w.svc.Get(bg, w.organizer, w.roster.ID, m.ID)
		w.must(err)
		if d.Who() != "Representative Ada Quill" || d.Seat() != "House 7" || len(d.Asks) != 2 || d.Join == "" || d.Access != "Captions, please." || d.Short() != 3 || d.Open() != 4 || d.Input().Hour != "10:00" {
			t.Errorf("%+v", d)
		}
	})
}

func TestWrongInput(t *testing.T) {
	eachDesk(t, func(w *desk) {
		for _, c := range []struct {
			change func(in *meetings.Input)
			want   string
		}{
			{func(in *meetings.Input) { in.Day = "9 March" }, "day: error.meetings_day"},
			{func(in *meetings.Input) { in.Hour = "10" }, "hour: error.meetings_time"},
			{func(in *meetings.Input) { in.Day = "2027-02-22" }, "hour: error.meetings_past"},
			{func(in *meetings.Input) { in.Day, in.Hour = "2027-03-14", "02:30" }, "hour: error.meetings_time_skipped"},
			{func(in *meetings.Input) { in.Minutes = 4 }, "minutes: error.meetings_number"},
			{func(in *meetings.Input) { in.Mode = "pigeon" }, "mode: error.value_unknown"},
			{func(in *meetings.Input) { in.Asks = strings.Split("a|b|c|d|e", "|") }, "asks: error.meetings_asks"},
			{func(in *meetings.Input) { in.Place = strings.Repeat("x", 201) }, "place: error.text_too_long"},
			{func(in *meetings.Input) { in.LegislatorID = models.NewID() }, "legislator: error.meetings_legislator"},
			{func(in *meetings.Input) { id := models.NewID(); in.OfficeID = &id }, "office: error.value_unknown"},
		} {
			in := w.input(w.ada, "10:00")
			c.change(&in)
			_, err := w.svc.Add(bg, w.organizer, w.roster.ID, in)
			w.wants(err, fault.Invalid, c.want)
		}
		var n int64
		w.must(w.db.Model(&models.Shift{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d shifts of meetings that were refused", n)
		}
		// Where the clocks show a time twice, it is the first.
		in := w.input(w.ada, "01:30")
		in.Day = "2027-11-07"
		m, err := w.svc.Add(bg, w.organizer, w.roster.ID, in)
		w.must(err)
		if want := time.Date(2027, 11, 7, 5, 30, 0, 0, time.UTC); !m.StartsAt.Equal(want) {
			t.Errorf("%v, want %v", m.StartsAt, want)
		}
		for _, p := range []struct {
			change func(p *meetings.Plan)
			want   string
		}{
			{func(p *meetings.Plan) { p.Points[0].SourceTitle = "" }, "source_title_1: error.meetings_source_missing"},
			{func(p *meetings.Plan) { p.Points[0].SourceURL = "http://x" }, "source_url_1: error.meetings_source_url"},
			{func(p *meetings.Plan) { p.Roles[models.RoleLeader] = meetings.Count{Minimum: 2, Places: 1} }, "leader_minimum: error.meetings_minimum"},
			{func(p *meetings.Plan) { p.Roles = nil }, "leader: error.meetings_no_roles"},
			{func(p *meetings.Plan) { id := models.NewID(); p.LetterCampaignID = &id }, "letter_campaign: error.value_unknown"},
		} {
			x := w.plan()
			x.Revision = 1
			p.change(&x)
			w.wants(w.svc.SavePlan(bg, w.organizer, w.roster.ID, x), fault.Invalid, p.want)
		}
		w.wants(w.svc.SavePlan(bg, w.organizer, w.roster.ID, w.plan()), fault.Conflict, "error.meetings_changed")
	})
}

func TestRights(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		for _, who := range []struct {
			a    actor.Actor
			kind fault.Kind
		}{{w.viewer, fault.Forbidden}, {actor.Actor{}, fault.Unauthenticated}, {w.chaptered, fault.NotFound}} {
			a, r := who.a, w.roster.ID
			var b bytes.Buffer
			_, _, list := w.svc.List(bg, a, r)
			_, _, plan := w.svc.Plan(bg, a, r)
			_, get := w.svc.Get(bg, a, r, m.ID)
			_, add := w.svc.Add(bg, a, r, w.input(w.ada, "11:00"))
			_, save := w.svc.Save(bg, a, r, m.ID, w.input(w.ada, "11:00"))
			_, build := w.svc.Build(bg, a, r, meetings.BuildInput{})
			_, propose := w.svc.Propose(bg, a, r, meetings.BuildInput{})
			_, _, load := w.svc.Import(bg, a, r, strings.NewReader(""))
			_, board := w.svc.Board(bg, a, r)
			_, send := w.svc.Send(bg, a, r)
			_, host := w.svc.HostNotes(bg, a, r, m.ID)
			for i, err := range []error{
				list, plan, get, add, save, build, propose, load, board, send, host, w.svc.SavePlan(bg, a, r, w.plan()), w.svc.Cancel(bg, a, r, m.ID), w.svc.SetLate(bg, a, r, m.ID, 5),
				w.svc.Note(bg, a, r, m.ID, meetings.Notes{}), w.svc.Thank(bg, a, r, m.ID), w.svc.FollowedUp(bg, a, r, m.ID), w.svc.AllPacks(bg, a, r, &b), w.svc.ZipPacks(bg, a, r, &b),
				w.svc.PackOf(bg, a, r, m.ID, &b),
			} {
				if !fault.Is(err, who.kind) {
					t.Errorf("%s %d: %v, want %v", a.Role, i, err, who.kind)
				}
			}
			if b.Len() > 0 {
				t.Errorf("%s has %d bytes of packs", a.Role, b.Len())
			}
		}
		if _, err := w.svc.Report(bg, w.viewer, w.roster.ID); err != nil {
			t.Error(err)
		}
		w.wants(w.svc.Log(bg, w.coordinator, w.roster.ID), fault.Forbidden, "error.forbidden")
		_, err := w.svc.Report(bg, w.chaptered, w.roster.ID)
		w.wants(err, fault.NotFound, "error.meetings_roster_unknown")
		days, err := w.svc.Days(bg, w.chaptered)
		if err != nil || len(days) != 0 {
			t.Errorf("%v %v", days, err)
		}
		if days, err = w.svc.Days(bg, w.coordinator); err != nil || len(days) != 1 || days[0].Meetings != 1 || days[0].FirstAt == nil {
			t.Errorf("%+v %v", days, err)
		}
	})
}

func TestAChangeFollowsIntoTheTeamAndIsTold(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		a := w.take(m, models.RoleLeader, models.AsPlace, w.mailbox(nil), "June")
		w.take(m, models.RoleLeader, models.AsStandby, w.mailbox(nil), "Teo")
		in := w.input(w.ada, "10:00")
		in.Revision, in.Access = 1, "Dim light."
		_, err := w.svc.Save(bg, w.organizer, w.roster.ID, m.ID, in)
		w.must(err)
		if n := w.mails(); n != 0 {
			t.Errorf("%d mails though nothing moved", n)
		}
		_, err = w.svc.Save(bg, w.organizer, w.roster.ID, m.ID, in)
		w.wants(err, fault.Conflict, "error.meetings_changed")
		in.Revision, in.Hour, in.Mode, in.Join, in.Place = 2, "11:30", models.MeetingOnsite, "", "Room 114"
		moved, err := w.svc.Save(bg, w.organizer, w.roster.ID, m.ID, in)
		w.must(err)
		for _, sh := range w.shifts(m) {
			if !sh.StartsAt.Equal(moved.StartsAt) || sh.Place != "Room 114" || sh.JoinSealed != nil || sh.Mode != models.ShiftOnsite || strings.Contains(sh.Demands, "screen") || sh.Revision != 2 {
				t.Errorf("%+v", sh)
			}
		}
		if n := w.mails(); n != 2 {
			t.Errorf("%d mails, want one for who holds a place and one for who stands by", n)
		}
		var d models.Delivery
		w.must(w.db.Where("subject_id = ?", a.ID).Take(&d).Error)
		render := w.svc.Renderers()[meetings.KindTeam]
		c, err := render(bg, d)
		w.must(err)
		mail := c.Data.(meetings.TeamMail)
		if d.Purpose != models.PurposeReceipt || mail.Cancelled || mail.Who != "Representative Ada Quill" || !strings.Contains(mail.When, "11:30") || !strings.Contains(mail.Own, "17:30") || !strings.HasPrefix(mail.PageURL, "https://act.example.org/meetings/") {
			t.Errorf("%+v", mail)
		}
		w.must(w.svc.Cancel(bg, w.organizer, w.roster.ID, m.ID))
		w.must(w.svc.Cancel(bg, w.organizer, w.roster.ID, m.ID))
		if n := w.mails(); n != 4 {
			t.Errorf("%d mails, want two more", n)
		}
		if c, err = render(bg, d); err != nil || !c.Data.(meetings.TeamMail).Cancelled {
			t.Errorf("%+v %v", c, err)
		}
		for _, sh := range w.shifts(m) {
			if sh.CancelledAt == nil {
				t.Errorf("%s is not called off", sh.RoleKind)
			}
		}
		// Who lets go gets no mail about it any more.
		w.must(w.db.Delete(&models.Assignment{}, "id = ?", a.ID).Error)
		_, err = render(bg, d)
		w.wants(err, fault.Gone, "error.mail_gone")
	})
}

func TestTeamPage(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		own := w.take(m, models.RoleStoryteller, models.AsPlace, w.volunteer("June", "7"), "June")
		w.take(m, models.RoleLeader, models.AsPlace, w.mailbox(nil), "Teo")
		far := w.take(m, models.RoleNotes, models.AsPlace, w.volunteer("Rosa", "8"), "Rosa")
		by := w.take(m, models.RoleLeader, models.AsStandby, w.mailbox(nil), "Cal")
		p, err := w.svc.Team(bg, w.link(own), "en")
		w.must(err)
		var names []string
		for _, c := range p.Crew {
			names = append(names, c.Names...)
		}
		if !p.OwnRep || p.GivenName != "June" || p.Join == "" || p.Access == "" || !slices.Equal(names, []string{"Teo", "June", "Rosa"}) || len(p.Points) != 1 || p.Began {
			t.Errorf("%+v", p)
		}
		if p, err = w.svc.Team(bg, w.link(far), "en"); err != nil || p.OwnRep {
			t.Errorf("a representative of another district is called their own: %v", err)
		}
		p, err = w.svc.Team(bg, w.link(by), "en")
		w.must(err)
		names = nil
		for _, c := range p.Crew {
			names = append(names, c.Names...)
		}
		if !p.Stands || p.Join != "" || p.Access != "" || len(names) > 0 {
			t.Errorf("who stands by sees %+v", p)
		}
		var b bytes.Buffer
		w.wants(w.svc.TeamPDF(bg, w.link(by), "en", &b), fault.Conflict, "error.meetings_stands_by")
		w.must(w.svc.TeamPDF(bg, w.link(own), "en", &b))
		if !bytes.HasPrefix(b.Bytes(), []byte("%PDF-")) {
			t.Error("no PDF")
		}
		// The link ends with the place.
		w.must(w.db.Delete(&models.Assignment{}, "id = ?", own.ID).Error)
		_, err = w.svc.Team(bg, w.link(own), "en")
		w.wants(err, fault.Gone, "error.meetings_gone")
		_, err = w.svc.Team(bg, w.signer.Make(tokens.Me, far.ID, w.clk.Now().AddDate(1, 0, 0)), "en")
		w.wants(err, fault.NotFound, "error.link")
		b.Reset()
		w.must(w.svc.AllPacks(bg, w.coordinator, w.roster.ID, &b))
		w.must(w.svc.ZipPacks(bg, w.coordinator, w.roster.ID, &b))
		w.must(w.svc.PackOf(bg, w.coordinator, w.roster.ID, m.ID, &b))
		if n := bytes.Count(b.Bytes(), []byte("%PDF-")); n < 2 {
			t.Errorf("%d PDFs", n)
		}
	})
}

func TestHostNotesHaveOnlyWhatPeopleSaidYesTo(t *testing.T) {
	eachDesk(t, func(w *desk) {
		e := models.Event{ID: models.NewID(), Slug: "e", State: models.EventPublished, Kind: models.EventAdvocacyDay, Venue: models.VenueHybrid, AccessContactID: &w.coordinator.UserID, CreatedAt: start, UpdatedAt: start}
		w.create(&e)
		w.must(w.db.Model(&models.Roster{}).Where("id = ?", w.roster.ID).Update("event_id", e.ID).Error)
		m := w.add(w.ada, "10:00")
		for i, x := range []struct {
			text       string
			share, has bool
		}{{"a seat by the door", true, true}, {"secret one", false, true}, {"secret two", true, false}} {
			box := w.mailbox(nil)
			r := models.Registration{ID: models.NewID(), EventID: e.ID, OccursAt: start, MailboxID: box, State: models.Registered, Attends: models.AttendsOnsite, ShareNeeds: x.share, CreatedAt: start, UpdatedAt: start}
			r.NeedsSealed = w.vault.Seal("registrations", "needs_sealed", r.ID, x.text)
			w.create(&r)
			if x.has {
				w.take(m, []models.RoleKind{models.RoleLeader, models.RoleStoryteller}[i], models.AsPlace, box, "x")
			}
		}
		h, err := w.svc.HostNotes(bg, w.coordinator, w.roster.ID, m.ID)
		w.must(err)
		if !slices.Equal(h.Needs, []string{"a seat by the door"}) {
			t.Errorf("%q", h.Needs)
		}
		_, err = w.svc.HostNotes(bg, w.organizer, w.roster.ID, m.ID)
		w.wants(err, fault.Forbidden, "error.meetings_access")
	})
}

func TestSuggestionsPutConstituentsFirst(t *testing.T) {
	eachDesk(t, func(w *desk) {
		seven, eight := w.add(w.ada, "10:00"), w.add(w.ben, "10:00")
		w.volunteer("June", "7")
		rosa := w.volunteer("Rosa", "8")
		w.take(seven, models.RoleLeader, models.AsPlace, rosa, "Rosa")
		// Somebody of the record, whom a point put into another district than their postal area has.
		p := models.Supporter{ID: models.NewID(), Country: "US", PostalArea: "00007", Source: "form", CreatedAt: start, UpdatedAt: start}
		var d models.Division
		w.must(w.db.Where("name = 'House 8'").Take(&d).Error)
		w.create(&p, &models.SupporterDivision{SupporterID: p.ID, Kind: models.DivisionLower, DivisionID: d.ID, How: models.ByPerson, UpdatedAt: start})
		w.take(seven, models.RoleNotes, models.AsPlace, w.mailbox(&p.ID), "Teo")
		paused := w.volunteer("Ilse", "7")
		w.must(w.db.Model(&models.Volunteer{}).Where("mailbox_id = ?", paused).Update("state", models.VolunteerPaused).Error)
		_, list, err := w.svc.Suggest(bg, w.coordinator, w.roster.ID)
		w.must(err)
		got := map[uuid.UUID][]string{}
		for _, s := range list {
			for _, x := range s.People {
				name := x.Name
				if x.Constituent {
					name += " lives there"
				}
				if x.Here {
					name += " here"
				}
				if x.Busy {
					name += " busy"
				}
				got[s.ID()] = append(got[s.ID()], name)
			}
		}
		if want := []string{"June lives there"}; !slices.Equal(got[seven.ID], want) {
			t.Errorf("7: %q, want %q", got[seven.ID], want)
		}
		if want := []string{"Rosa lives there busy", "Teo lives there busy", "June"}; !slices.Equal(got[eight.ID], want) {
			t.Errorf("8: %q, want %q", got[eight.ID], want)
		}
		_, _, err = w.svc.Suggest(bg, w.viewer, w.roster.ID)
		w.wants(err, fault.Forbidden, "error.forbidden")
	})
}

func TestBuild(t *testing.T) {
	eachDesk(t, func(w *desk) {
		// A senator represents both volunteers, each of whom has a representative of their own.
		senate := models.Chamber{ID: models.NewID(), JurisdictionID: w.house.JurisdictionID, Code: "upper", Name: "Senate", MemberTitle: "Senator", DivisionKind: models.DivisionUpper, CreatedAt: start, UpdatedAt: start}
		d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldu:1", Name: "Senate 1", Country: "US", Region: "WN", Kind: models.DivisionUpper, CreatedAt: start, UpdatedAt: start}
		l := models.Legislator{ID: models.NewID(), Source: "hand", ExternalID: "s", Name: "Dara Voss", FamilyName: "Voss", CreatedAt: start, UpdatedAt: start}
		w.create(&senate, &d, &l, &models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: senate.ID, OCDID: d.OCDID, DivisionID: &d.ID, District: "1", CreatedAt: start, UpdatedAt: start},
			&models.PostalDivision{Country: "US", PostalArea: "00007", DivisionID: d.ID, Kind: models.DivisionUpper}, &models.PostalDivision{Country: "US", PostalArea: "00008", DivisionID: d.ID, Kind: models.DivisionUpper})
		w.volunteer("June", "7")
		w.volunteer("Rosa", "8")
		in := meetings.BuildInput{Chambers: []uuid.UUID{w.house.ID, senate.ID}, Day: "2027-03-09", From: "09:00", Until: "10:00", Mode: models.MeetingVideo}
		list, err := w.svc.Propose(bg, w.coordinator, w.roster.ID, in)
		w.must(err)
		at := map[string]time.Time{}
		for _, p := range list {
			at[p.Name] = p.StartsAt
		}
		if len(list) != 3 || at["Dara Voss"].Equal(at["Ada Quill"]) || at["Dara Voss"].Equal(at["Ben Sorrel"]) {
			t.Errorf("%v: nobody can be in two meetings at once", at)
		}
		n, err := w.svc.Build(bg, w.coordinator, w.roster.ID, in)
		if err != nil || n != 3 {
			t.Fatalf("%d %v", n, err)
		}
		_, err = w.svc.Build(bg, w.coordinator, w.roster.ID, in)
		w.wants(err, fault.Conflict, "error.meetings_nobody")
		_, views, err := w.svc.List(bg, w.coordinator, w.roster.ID)
		w.must(err)
		for _, v := range views {
			if len(v.Asks) != 2 || len(v.Roles) != 3 || v.Mode != models.MeetingVideo || !v.StartsAt.Equal(at[v.Name]) {
				t.Errorf("%+v", v)
			}
		}
		for _, c := range []struct {
			change func(in *meetings.BuildInput)
			want   string
		}{
			{func(in *meetings.BuildInput) { in.Chambers = nil }, "chambers: error.meetings_chambers"},
			{func(in *meetings.BuildInput) { in.Until = "09:10" }, "until: error.meetings_hours"},
			{func(in *meetings.BuildInput) { in.Until = "08:00" }, "until: error.meetings_hours"},
			{func(in *meetings.BuildInput) { in.Day = "2027-02-01" }, "from: error.meetings_past"},
			{func(in *meetings.BuildInput) { in.Day, in.From = "2027-03-14", "02:15" }, "from: error.meetings_time_skipped"},
		} {
			x := in
			c.change(&x)
			_, err := w.svc.Build(bg, w.coordinator, w.roster.ID, x)
			w.wants(err, fault.Invalid, c.want)
		}
	})
}

func TestBlocksHaveBreaks(t *testing.T) {
	eachDesk(t, func(w *desk) {
		for i := range 6 {
			w.seat(fmt.Sprintf("Nora P%d", i), fmt.Sprint(20+i))
			w.volunteer("V", fmt.Sprint(20+i))
		}
		list, err := w.svc.Propose(bg, w.coordinator, w.roster.ID, meetings.BuildInput{Chambers: []uuid.UUID{w.house.ID}, Day: "2027-03-09", From: "09:00", Until: "12:00", Mode: models.MeetingPhone})
		w.must(err)
		zone, _ := time.LoadLocation("America/New_York")
		var got []string
		for _, p := range list {
			got = append(got, p.StartsAt.In(zone).Format("15:04"))
		}
		if want := []string{"09:00", "09:15", "09:30", "10:00", "10:15", "10:30"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestImport(t *testing.T) {
	eachDesk(t, func(w *desk) {
		good := "Office;District;Date;Time;Minutes;Mode;Room;Ask\nAda Quill;;2027-03-09;9:30;20;in person;Room 7;Vote yes?|Speak?\n;House 8;2027-03-09;10:00;;phone;;\nRepresentative Cora Vane;9;2027-03-09;11:00;;;;\n"
		n, bad, err := w.svc.Import(bg, w.coordinator, w.roster.ID, strings.NewReader("\xef\xbb\xbf"+good))
		if err != nil || n != 3 || len(bad) > 0 {
			t.Fatalf("%d %v %v", n, bad, err)
		}
		_, list, err := w.svc.List(bg, w.coordinator, w.roster.ID)
		w.must(err)
		if v := list[0]; v.Name != "Ada Quill" || v.Minutes != 20 || v.Mode != models.MeetingOnsite || v.Place != "Room 7" || len(v.Asks) != 2 || v.Asks[0].Ask != "Vote yes?" {
			t.Errorf("%+v", v)
		}
		if v := list[1]; v.Name != "Ben Sorrel" || v.Minutes != 15 || v.Mode != models.MeetingPhone || v.Asks[0].Ask != "Will you vote yes on HB 412?" {
			t.Errorf("%+v", v)
		}
		w.seat("Dan Quill", "10")
		wrong := "office,district,date,time,mode,minutes\nQuill,,2027-03-09,12:00,video,\nNobody,,2027-03-09,12:00,,\n,,2027-03-09,12:00,,\nAda Quill,,9.3.2027,noon,pigeon,ten\nCora Vane,,2027-03-09,11:00,,\nBen Sorrel,,2027-03-09,13:00,,\nBen Sorrel,,2027-03-09,13:00,,\n"
		n, bad, err = w.svc.Import(bg, w.coordinator, w.roster.ID, strings.NewReader(wrong))
		w.wants(err, fault.Invalid, "file: error.meetings_csv_lines")
		var said []string
		for _, b := range bad {
			said = append(said, fmt.Sprintf("%d %s", b.Line, strings.TrimPrefix(b.Key, "error.meetings_")))
		}
		if want := []string{"2 csv_several", "3 csv_nobody", "4 csv_who", "5 csv_mode", "5 csv_minutes", "5 day", "6 csv_twice", "8 csv_twice"}; n != 0 || !slices.Equal(said, want) {
			t.Errorf("%d %q, want %q", n, said, want)
		}
		var there int64
		w.must(w.db.Model(&models.Meeting{}).Count(&there).Error)
		if there != 3 {
			t.Errorf("%d meetings: something was made of a bad list", there)
		}
		for content, key := range map[string]string{
			"":                           "error.meetings_csv_column",
			"office,date\nx,y\n":         "error.meetings_csv_column",
			"date,time\n2027-03-09,10\n": "error.meetings_csv_column",
			"office,date,time\n":         "error.meetings_csv_empty",
			"office,date,time\n\"x":      "error.meetings_csv_broken",
			"office,date,time\n\xff,,\n": "error.meetings_csv_encoding",
		} {
			_, _, err := w.svc.Import(bg, w.coordinator, w.roster.ID, strings.NewReader(content))
			w.wants(err, fault.Invalid, key)
		}
	})
}

func TestBoard(t *testing.T) {
	eachDesk(t, func(w *desk) {
		full := func(m models.Meeting, boxes ...uuid.UUID) {
			for i, k := range []models.RoleKind{models.RoleLeader, models.RoleStoryteller, models.RoleNotes} {
				w.take(m, k, models.AsPlace, boxes[i], "x")
			}
		}
		june, teo, rosa := w.mailbox(nil), w.mailbox(nil), w.mailbox(nil)
		first, second, third := w.add(w.ada, "10:00"), w.add(w.ben, "10:20"), w.add(w.cora, "10:40")
		alone, gap := w.add(w.ada, "10:20"), w.add(w.ben, "12:00")
		full(first, june, teo, rosa)
		full(second, june, w.mailbox(nil), w.mailbox(nil))
		full(third, teo, w.mailbox(nil), w.mailbox(nil))
		full(alone, w.mailbox(nil), w.mailbox(nil), w.mailbox(nil))
		w.must(w.svc.SetLate(bg, w.coordinator, w.roster.ID, first.ID, 20))
		w.wants(w.svc.SetLate(bg, w.coordinator, w.roster.ID, first.ID, 500), fault.Invalid, "late: error.meetings_number")
		w.clk.Set(first.StartsAt.Add(5 * time.Minute))
		b, err := w.svc.Board(bg, w.coordinator, w.roster.ID)
		w.must(err)
		got := map[uuid.UUID]meetings.Tile{}
		for _, x := range b.Tiles {
			got[x.ID()] = x
		}
		// Ends at 10:35 instead of 10:15: the leader's next is 15 minutes behind, the storyteller's at 10:40 is not.
		if b.Tiles[0].ID() != gap.ID || !got[gap.ID].Gap() || b.Gaps != 1 || got[gap.ID].Short() != 3 {
			t.Errorf("gaps come first: %+v", b)
		}
		if got[second.ID].Behind != 15 || !got[second.ID].AtRisk() || got[third.ID].AtRisk() || got[alone.ID].AtRisk() {
			t.Errorf("behind: %d %d %d", got[second.ID].Behind, got[third.ID].Behind, got[alone.ID].Behind)
		}
		if got[first.ID].Phase != meetings.PhaseNow || got[second.ID].Phase != meetings.PhaseNext || got[gap.ID].Phase != meetings.PhaseLater || b.Run != 1 || b.Late != 1 {
			t.Errorf("%s %s %s", got[first.ID].Phase, got[second.ID].Phase, got[gap.ID].Phase)
		}
		// Two meetings with the same person one after the other: what is late goes on through both.
		w.must(w.svc.SetLate(bg, w.coordinator, w.roster.ID, first.ID, 60))
		b, err = w.svc.Board(bg, w.coordinator, w.roster.ID)
		w.must(err)
		for _, x := range b.Tiles {
			if x.ID() == third.ID && x.Behind != 35 {
				t.Errorf("third is behind by %d", x.Behind)
			}
		}
		w.clk.Set(first.StartsAt.AddDate(0, 0, 1))
		b, err = w.svc.Board(bg, w.coordinator, w.roster.ID)
		if err != nil || b.Gaps != 0 || b.Run != 0 {
			t.Errorf("the day after: %+v %v", b, err)
		}
	})
}

func TestNotesThanksAndReport(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		other := w.add(w.ben, "11:00")
		a := w.take(m, models.RoleNotes, models.AsPlace, w.mailbox(nil), "June")
		by := w.take(m, models.RoleLeader, models.AsStandby, w.mailbox(nil), "Cal")
		n := meetings.Notes{Outcomes: map[int]models.AskOutcome{1: models.AskYes, 2: models.AskMaybe}, Text: "They will look.", FollowUp: "Send the study.", FollowUpUntil: "2027-03-12", Revision: 1}
		w.wants(w.svc.NoteFromTeam(bg, w.link(a), n), fault.Conflict, "error.meetings_not_begun")
		w.wants(w.svc.Thank(bg, w.organizer, w.roster.ID, m.ID), fault.Conflict, "error.meetings_not_held")
		w.clk.Set(m.StartsAt.Add(20 * time.Minute))
		for _, c := range []struct {
			change func(n *meetings.Notes)
			want   string
		}{
			{func(n *meetings.Notes) { n.Outcomes = map[int]models.AskOutcome{1: models.AskYes} }, "ask_2: error.meetings_outcome"},
			{func(n *meetings.Notes) { n.FollowUpUntil = "2027-03-08" }, "follow_up_until: error.meetings_follow_up_before"},
			{func(n *meetings.Notes) { n.FollowUp = "" }, "follow_up: error.meetings_follow_up_missing"},
			{func(n *meetings.Notes) { n.Text = strings.Repeat("x", 4001) }, "notes: error.text_too_long"},
		} {
			x := n
			c.change(&x)
			w.wants(w.svc.NoteFromTeam(bg, w.link(a), x), fault.Invalid, c.want)
		}
		w.wants(w.svc.NoteFromTeam(bg, w.link(by), n), fault.Conflict, "error.meetings_stands_by")
		w.must(w.svc.NoteFromTeam(bg, w.link(a), n))
		w.wants(w.svc.Note(bg, w.organizer, w.roster.ID, m.ID, n), fault.Conflict, "error.meetings_changed")
		d, err := w.svc.Get(bg, w.organizer, w.roster.ID, m.ID)
		w.must(err)
		if d.State != models.MeetingHeld || d.Notes.Text != "They will look." || d.Asks[0].Outcome != models.AskYes || d.ThanksShiftID == nil {
			t.Fatalf("%+v", d)
		}
		// Nobody can tell who wrote it.
		var who int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("action = 'meetings.note' AND actor_id IS NOT NULL").Count(&who).Error)
		if who != 0 {
			t.Error("the log knows who wrote the notes of a team")
		}
		var thanks models.Shift
		w.must(w.db.Where("id = ?", *d.ThanksShiftID).Take(&thanks).Error)
		if thanks.Kind != models.ShiftTask || thanks.Minutes != 10 || thanks.Energy != 1 || thanks.Places != 1 || thanks.Minimum != 0 || !thanks.EndsAt.Equal(time.Date(2027, 3, 17, 3, 59, 0, 0, time.UTC)) {
			t.Errorf("%+v", thanks)
		}
		n.Revision = 2
		w.must(w.svc.Note(bg, w.organizer, w.roster.ID, m.ID, n))
		var tasks int64
		w.must(w.db.Model(&models.Shift{}).Where("kind = 'task'").Count(&tasks).Error)
		if tasks != 1 {
			t.Errorf("%d thank-you shifts", tasks)
		}
		w.must(w.svc.Thank(bg, w.organizer, w.roster.ID, m.ID))
		w.must(w.db.Where("id = ?", thanks.ID).Take(&thanks).Error)
		if thanks.CancelledAt == nil {
			t.Error("the shift of a mail that went is still to be taken")
		}
		w.must(w.svc.FollowedUp(bg, w.organizer, w.roster.ID, m.ID))
		w.must(w.svc.Cancel(bg, w.organizer, w.roster.ID, other.ID))
		w.wants(w.svc.Cancel(bg, w.organizer, w.roster.ID, m.ID), fault.Conflict, "error.meetings_over")
		rep, err := w.svc.Report(bg, w.viewer, w.roster.ID)
		w.must(err)
		if rep.Planned != 1 || rep.Held != 1 || rep.Cancelled != 1 || rep.Answers[models.AskYes] != 1 || rep.Answers[models.AskMaybe] != 1 || rep.Thanked != 1 || rep.FollowUps != 1 || rep.FollowedUp != 1 || rep.Minutes != 15 || rep.HasLetters {
			t.Errorf("%+v", rep)
		}
		w.must(w.svc.Log(bg, w.organizer, w.roster.ID))
		w.wants(w.svc.Log(bg, w.organizer, w.roster.ID), fault.Conflict, "error.meetings_logged")
		var e []models.AdvocacyEntry
		w.must(w.db.Find(&e).Error)
		if len(e) != 1 || e[0].Kind != "meetings" || e[0].Amount != 1 || e[0].Minutes != 15 || e[0].HappenedOn != "2027-03-09" {
			t.Errorf("%+v", e)
		}
		// Once the shift is settled nobody is left in it, and the figures stay.
		w.must(w.db.Where("shift_id IN (SELECT id FROM shifts WHERE team_id = ?)", m.TeamID).Delete(&models.Assignment{}).Error)
		w.must(w.db.Model(&models.Shift{}).Where("team_id = ? AND role_kind = ?", m.TeamID, models.RoleNotes).Updates(map[string]any{"settled_at": w.clk.Now(), "filled": 1}).Error)
		again, err := w.svc.Report(bg, w.viewer, w.roster.ID)
		if err != nil || again.Minutes != 15 {
			t.Errorf("%d minutes once it is settled: %v", again.Minutes, err)
		}
	})
}

// A copy of a roster, and a pattern of it, has the roles of the teams, and nobody in it is asked to thank an office for last year's meeting.
func TestACopyThanksNobody(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		w.create(&models.Shift{ // a task of the roster itself
			ID: models.NewID(), RosterID: w.roster.ID, Role: "Fold the leaflets", RoleKind: models.RoleWriting, Kind: models.ShiftTask, Minutes: 10, Mode: models.ShiftHome, Places: 1, Energy: 1, Revision: 1, CreatedAt: start, UpdatedAt: start,
		})
		w.clk.Set(m.StartsAt.Add(20 * time.Minute))
		n := meetings.Notes{Outcomes: map[int]models.AskOutcome{1: models.AskYes, 2: models.AskMaybe}, Text: "They will look.", Revision: 1}
		w.must(w.svc.Note(bg, w.organizer, w.roster.ID, m.ID, n))
		d, err := w.svc.Get(bg, w.organizer, w.roster.ID, m.ID)
		w.must(err)
		copies := rosters.New(rosters.Options{DB: w.db, Vault: w.vault, Clock: w.clk, Signer: w.signer})
		for _, in := range []rosters.CopyInput{{Day: "2028-03-14"}, {Template: true}} {
			c, err := copies.Copy(bg, w.organizer, w.roster.ID, in)
			w.must(err)
			var roles []string
			w.must(w.db.Model(&models.Shift{}).Where("roster_id = ?", c.ID).Order("role").Pluck("role", &roles).Error)
			if len(roles) != len(w.shifts(m))+1 || !slices.Contains(roles, "Fold the leaflets") {
				t.Errorf("%+v has %q", in, roles)
			}
		}
		var still int64
		w.must(w.db.Model(&models.Shift{}).Where("id = ? AND cancelled_at IS NULL", *d.ThanksShiftID).Count(&still).Error)
		if still != 1 {
			t.Error("the office of the meeting itself is not thanked")
		}
	})
}

// What one person let go of changes nothing that a page shows.
func TestLettingGoIsNotTold(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		box := w.volunteer("June", "7")
		w.take(m, models.RoleLeader, models.AsPlace, w.mailbox(nil), "Teo")
		see := func() string {
			t.Helper()
			_, list, err := w.svc.Suggest(bg, w.coordinator, w.roster.ID)
			w.must(err)
			b, err := w.svc.Board(bg, w.coordinator, w.roster.ID)
			w.must(err)
			rep, err := w.svc.Report(bg, w.viewer, w.roster.ID)
			w.must(err)
			return fmt.Sprintf("%+v %+v %+v", list[0].People, b.Tiles[0].Roles, rep)
		}
		before := see()
		for range 3 {
			a := w.take(m, models.RoleStoryteller, models.AsPlace, box, "June")
			if see() == before {
				t.Fatal("a place that is taken shows nowhere: this test could not fail")
			}
			w.must(w.db.Delete(&models.Assignment{}, "id = ?", a.ID).Error)
			w.create(&models.ShiftEvent{ID: models.NewID(), ShiftID: a.ShiftID, Kind: models.PlaceReleased, At: w.clk.Now()})
		}
		if after := see(); after != before {
			t.Errorf("%s\nthen\n%s", before, after)
		}
	})
}

func TestSend(t *testing.T) {
	eachDesk(t, func(w *desk) {
		m := w.add(w.ada, "10:00")
		w.take(m, models.RoleLeader, models.AsPlace, w.mailbox(nil), "Teo")
		pending := w.take(m, models.RoleNotes, models.AsPlace, w.mailbox(nil), "June")
		w.must(w.db.Model(&models.Assignment{}).Where("id = ?", pending.ID).Update("state", models.AssignmentPending).Error)
		for i, want := range []int{1, 0} {
			if n, err := w.svc.Send(bg, w.coordinator, w.roster.ID); err != nil || n != want {
				t.Errorf("%d: %d mails, want %d: %v", i, n, want, err)
			}
		}
		_, p, err := w.svc.Plan(bg, w.coordinator, w.roster.ID)
		if err != nil || p.SentAt == nil {
			t.Errorf("%+v %v", p, err)
		}
		w.clk.Set(m.StartsAt.AddDate(0, 0, 1))
		if n, err := w.svc.Send(bg, w.coordinator, w.roster.ID); err != nil || n != 0 {
			t.Errorf("%d mails about what is over: %v", n, err)
		}
	})
}

// Answers become positions of the legislator where the letter campaign of the day keeps positions, once an account that may write those saves
// the notes: not when the team does, nor a coordinator. Nothing that was written down changes; an answer put right is one more.
func TestAnswersBecomePositions(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := models.Campaign{ID: models.NewID(), Slug: "c", State: models.CampaignPublished, Title: "Visits", CreatedAt: start, UpdatedAt: start}
		l := models.LetterCampaign{
			ID: models.NewID(), CampaignID: c.ID, Slug: "l", State: models.LettersPublished, Title: "Twenty visits", Position: models.StanceSupport, Locale: "en", MaxRecipients: 1, HourlyCap: 1, PublishedAt: &start, CreatedAt: start, UpdatedAt: start,
		}
		w.create(&c, &l)
		m := w.add(w.ada, "10:00")
		_, p, err := w.svc.Plan(bg, w.organizer, w.roster.ID)
		w.must(err)
		p.LetterCampaignID = &l.ID
		w.must(w.svc.SavePlan(bg, w.organizer, w.roster.ID, p))
		a := w.take(m, models.RoleNotes, models.AsPlace, w.mailbox(nil), "June")
		w.clk.Set(m.StartsAt.Add(20 * time.Minute))
		revision := m.Revision
		note := func(who *actor.Actor, first, second models.AskOutcome) {
			w.t.Helper()
			n := meetings.Notes{Outcomes: map[int]models.AskOutcome{1: first, 2: second}, Revision: revision}
			if revision++; who == nil {
				w.must(w.svc.NoteFromTeam(bg, w.link(a), n))
			} else {
				w.must(w.svc.Note(bg, *who, w.roster.ID, m.ID, n))
			}
		}
		said := func() (out []string) {
			w.t.Helper()
			rows, err := legislators.SaidWhere(bg, w.db.DB, "p.legislator_id = ?", w.ada.ID)
			w.must(err)
			for _, x := range rows {
				if x.MeetingID == nil || *x.MeetingID != m.ID || x.RosterID == nil || *x.RosterID != w.roster.ID || x.LetterCampaignID != l.ID || x.Campaign != "Twenty visits" || x.SaidOn != "2027-03-09" ||
					x.CreatedBy == nil || *x.CreatedBy != w.organizer.UserID {
					w.t.Errorf("%+v", x)
				}
				out = append(out, x.Stance+" "+x.Note)
			}
			return out
		}
		keeps := func(who actor.Actor) bool {
			w.t.Helper()
			d, err := w.svc.Get(bg, who, w.roster.ID, m.ID)
			w.must(err)
			return d.Keeps != nil && d.Keeps.ID == l.ID
		}
		note(&w.organizer, models.AskYes, models.AskMaybe)
		if got := said(); got != nil || keeps(w.organizer) {
			w.t.Errorf("where no positions are kept: %v", got)
		}
		w.must(w.db.Model(&l).Update("positions", true).Error)
		note(nil, models.AskYes, models.AskUnknown)
		note(&w.coordinator, models.AskYes, models.AskUnknown)
		if got := said(); got != nil || keeps(w.coordinator) {
			w.t.Errorf("by the team and a coordinator: %v", got)
		}
		if !keeps(w.organizer) {
			w.t.Error("the organizer is not told that answers are kept")
		}
		const vote, speak = " Will you vote yes on HB 412?", " Will you speak for it?"
		for _, x := range []struct {
			first, second models.AskOutcome
			want          []string // the newest first
		}{
			{models.AskYes, models.AskUnknown, []string{"yes" + vote}},
			{models.AskYes, models.AskUnknown, []string{"yes" + vote}},
			{models.AskNo, models.AskMaybe, []string{"maybe" + speak, "no" + vote, "yes" + vote}},
			{models.AskUnknown, models.AskMaybe, []string{"unclear" + vote, "maybe" + speak, "no" + vote, "yes" + vote}},
		} {
			w.clk.Add(time.Minute)
			note(&w.organizer, x.first, x.second)
			if got := said(); !slices.Equal(got, x.want) {
				w.t.Errorf("%v, want %v", got, x.want)
			}
		}
		// The legislator's own page has them for who may write them.
		people := legislators.New(legislators.Options{DB: w.db, Clock: w.clk})
		for _, x := range []struct {
			who  actor.Actor
			want int
		}{{w.organizer, 4}, {w.viewer, 0}, {w.coordinator, 0}} {
			if p, err := people.Get(bg, x.who, w.ada.ID); err != nil || len(p.Said) != x.want {
				w.t.Errorf("%s sees %d, want %d: %v", x.who.Role, len(p.Said), x.want, err)
			}
		}
		// Somebody who did not have the seat on that day said nothing as a legislator.
		w.must(w.db.Model(&models.Term{}).Where("legislator_id = ?", w.ada.ID).Update("valid_from", "2027-03-10").Error)
		if keeps(w.organizer) {
			w.t.Error("the answers of somebody without a seat are kept")
		}
	})
}
