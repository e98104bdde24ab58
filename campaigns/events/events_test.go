package events

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/segments"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC) // ten in the morning in New York

type world struct {
	*Service
	t    *testing.T
	ctx  context.Context
	clk  *clock.Fixed
	door *confirmations.Service
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v, clk := vault.New(vault.NewKey()), clock.NewFixed(start)
		signer, org := tokens.New(v), organisation.New(db, v, clk)
		if _, err := org.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := New(Options{
			DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: org, BaseURL: "https://act.example.org",
			Words: func(lang, key string, args ...any) string {
				return fmt.Sprint(append([]any{lang, " ", key}, args...)...)
			},
			Day:    func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
			Limits: func(context.Context) (models.Limits, error) { return models.DefaultLimits(), nil },
		})
		w := &world{Service: s, t: t, ctx: t.Context(), clk: clk, door: confirmations.New(clk, signer)}
		w.door.Register(s.Source())
		fn(t, w)
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) chapter(name string) uuid.UUID {
	w.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: name, Name: name, CreatedAt: start, UpdatedAt: start}
	w.must(w.DB.Create(&c).Error)
	return c.ID
}

func (w *world) user(chapter uuid.UUID, role actor.Role) actor.Actor {
	w.t.Helper()
	m := models.Mailbox{ID: models.NewID(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte{1}, CreatedAt: start, UpdatedAt: start}
	w.must(w.DB.Create(&m).Error)
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(role), Locale: "en", CreatedAt: start, UpdatedAt: start}
	u.NameSealed = w.Vault.Seal("users", "name_sealed", u.ID, "Maren")
	w.must(w.DB.Create(&u).Error)
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role, ChapterID: chapter}
}

// draft is an event with all it needs to be public: online, on the first Tuesday.
func draft() Draft {
	return Draft{
		Title: "First Tuesday circle", Summary: "An hour to talk.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: "America/New_York", StartsOn: "2027-02-02T18:30", Minutes: 75,
		Recurrence: "FREQ=MONTHLY;BYDAY=1TU", Venue: models.VenueOnline, Join: "https://meet.example.org/room?pwd=secret", Looked: true, Access: Access{Captions: Point{Is: Yes, Text: "Made by a person."}},
	}
}

func (w *world) open(a actor.Actor, change func(d *Draft)) models.Event {
	w.t.Helper()
	d := draft()
	if change != nil {
		change(&d)
	}
	e, err := w.Create(w.ctx, a, d)
	w.must(err)
	e, err = w.Publish(w.ctx, a, e.ID)
	w.must(err)
	return e
}

// sent fills in the form.
func (w *world) sent(in RegisterInput) models.Registration {
	w.t.Helper()
	if in.GivenName == "" {
		in.GivenName = "June"
	}
	in.Locale, in.Lang, in.NeedsText = "en", "en", "Read by one person."
	id, err := w.Register(w.ctx, in)
	w.must(err)
	var r models.Registration
	w.must(w.DB.Limit(1).Find(&r, "id = ?", id).Error)
	return r
}

// pressed presses the button behind the mailed link.
func (w *world) pressed(r models.Registration) (models.Registration, error) {
	w.t.Helper()
	_, err := w.door.Confirm(w.ctx, w.Signer.Make(tokens.Confirm, r.MailboxID, w.clk.Now().Add(time.Hour)), []uuid.UUID{r.ID})
	return w.again(r), err
}

func (w *world) again(r models.Registration) models.Registration {
	w.t.Helper()
	var out models.Registration
	w.must(w.DB.Limit(1).Find(&out, "id = ?", r.ID).Error)
	return out
}

func (w *world) comes(in RegisterInput) models.Registration {
	w.t.Helper()
	r, err := w.pressed(w.sent(in))
	w.must(err)
	return r
}

func (w *world) link(r models.Registration) string {
	return w.Signer.Make(tokens.Coming, r.ID, w.clk.Now().Add(time.Hour))
}

// mails lists the mails of a kind that wait for a mailbox or were sent to it; uuid.Nil is every mailbox.
func (w *world) mails(kind string, box uuid.UUID) []models.Delivery {
	w.t.Helper()
	var out []models.Delivery
	q := w.DB.Where("kind = ? AND state <> ?", kind, models.DeliveryExpired)
	if box != uuid.Nil {
		q = q.Where("mailbox_id = ?", box)
	}
	w.must(q.Order("created_at, id").Find(&out).Error)
	return out
}

func (w *world) rows() (n int64) {
	w.t.Helper()
	w.must(w.DB.Model(&models.Registration{}).Count(&n).Error)
	return n
}

func TestEventIsPublishedOnceAccessIsSaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Coordinator)
		for _, c := range []struct {
			name, want string
			change     func(d *Draft)
		}{
			{"nobody looked at the sheet", "access_looked", func(d *Draft) { d.Looked = false }},
			{"online without a way in", "join", func(d *Draft) { d.Join = "" }},
			{"on site, nobody says why there is no way from home", "no_remote_why", func(d *Draft) { d.Venue, d.Join, d.PlaceName = models.VenueOnsite, "", "Library" }},
			{"on site, nowhere", "place_name", func(d *Draft) { d.Venue, d.NoRemoteWhy, d.Join = models.VenueOnsite, "The room has no line.", "" }},
			{"by telephone without a number", "dial", func(d *Draft) { d.Venue = models.VenuePhone }},
			{"without a summary", "about", func(d *Draft) { d.Summary = "" }},
			{"over", "starts_on", func(d *Draft) { d.StartsOn, d.Recurrence = "2027-01-05T18:30", "" }},
		} {
			d := draft()
			c.change(&d)
			e, err := w.Create(w.ctx, a, d)
			w.must(err)
			_, err = w.Publish(w.ctx, a, e.ID)
			if !fault.Is(err, fault.Invalid) || len(asFault(err).Fields) != 1 || asFault(err).Fields[0].Name != c.want {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, err := w.Public(w.ctx, e.Slug); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: a draft is public: %v", c.name, err)
			}
		}
		for _, c := range []struct {
			want   string
			change func(d *Draft)
		}{
			{"minutes", func(d *Draft) { d.Minutes = 0 }},
			{"minutes", func(d *Draft) { d.Minutes = MinutesMax + 1 }},
			{"title", func(d *Draft) { d.Title = " " }},
			{"kind", func(d *Draft) { d.Kind = "party" }},
			{"join", func(d *Draft) { d.Join = "javascript:alert(1)" }},
			{"time_zone", func(d *Draft) { d.TimeZone = "Mars/Base" }},
			{"capacity", func(d *Draft) { d.Capacity = -1 }},
			{"access_captions", func(d *Draft) { d.Access.Captions.Text = strings.Repeat("x", pointMax+1) }},
			{"chapter", func(d *Draft) { id := uuid.New(); d.ChapterID = &id }},
		} {
			d := draft()
			c.change(&d)
			if _, err := w.Create(w.ctx, a, d); !fault.Is(err, fault.Invalid) || asFault(err).Fields[0].Name != c.want {
				t.Errorf("%s: %v", c.want, err)
			}
		}
		e := w.open(a, nil)
		v, err := w.Public(w.ctx, "first-tuesday-circle")
		if err != nil || v.ID != e.ID || !v.Takes() || v.Access.Captions.Is != Yes || v.Access.Scent.Is != NotKnown || len(v.Next) != shownDates {
			t.Errorf("%+v %v", v, err)
		}
	})
}

// How to join is sealed in the row, and stands on no public page.
func TestJoinIsForWhoIsRegistered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), nil)
		if strings.Contains(string(e.JoinSealed), "secret") {
			t.Error("it is not sealed")
		}
		v, err := w.Public(w.ctx, e.Slug)
		w.must(err)
		b, err := json.Marshal(v)
		w.must(err)
		feed, err := w.Feed(w.ctx, "", "", "en")
		w.must(err)
		guide, err := w.Guide(w.ctx)
		w.must(err)
		for _, s := range []string{string(b), string(feed), string(guide)} {
			if strings.Contains(s, "meet.example.org") {
				t.Errorf("it says how to join: %s", s)
			}
		}
		r := w.sent(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		if _, err := w.Coming(w.ctx, w.link(r), "en"); !fault.Is(err, fault.Gone) {
			t.Errorf("before it is confirmed: %v", err)
		}
		r, err = w.pressed(r)
		w.must(err)
		c, err := w.Coming(w.ctx, w.link(r), "en")
		if err != nil || c.Join != draft().Join || c.GivenName != "June" {
			t.Errorf("%+v %v", c, err)
		}
		content, err := w.comingMail(w.ctx, models.Delivery{Kind: KindReceipt, SubjectID: r.ID, MailboxID: r.MailboxID})
		if m, ok := content.Data.(ComingMail); err != nil || !ok || m.Join != draft().Join || m.Waiting || !m.Calendar {
			t.Errorf("%+v %v", content, err)
		}
		if len(content.Attachments) != 1 || content.Attachments[0].Name != "date.ics" {
			t.Fatalf("%+v", content.Attachments)
		}
		file := strings.ReplaceAll(string(content.Attachments[0].Data), "\r\n ", "")
		if strings.Count(file, "BEGIN:VEVENT") != 1 || !strings.Contains(file, "URL:"+w.BaseURL+"/coming/") || !strings.Contains(file, e.Title) {
			t.Errorf("%s", file)
		}
		reminder, err := w.comingMail(w.ctx, models.Delivery{Kind: KindReminder, SubjectID: r.ID, MailboxID: r.MailboxID})
		if err != nil || len(reminder.Attachments) != 0 {
			t.Errorf("with the reminder it goes once more: %v", err)
		}
	})
}

// An address that is known and one that is not get the same answer, and one mail each.
func TestTheSameAnswerForEveryAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), nil)
		june := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		for _, email := range []string{"june@example.org", "cal@example.org"} {
			id, err := w.Register(w.ctx, RegisterInput{Slug: e.Slug, Email: email, GivenName: "Eve", Locale: "en", Lang: "en"})
			if err != nil || id == uuid.Nil || id == june.ID {
				t.Errorf("%s: %v %v", email, id, err)
			}
		}
		if n := len(w.mails(confirmations.EventAlready, june.MailboxID)); n != 1 {
			t.Errorf("%d mails say that she is registered", n)
		}
		if c, err := w.Coming(w.ctx, w.link(june), "en"); err != nil || c.GivenName != "June" {
			t.Errorf("what a stranger typed changed hers: %+v %v", c, err)
		}
		if w.rows() != 2 {
			t.Errorf("%d registrations", w.rows())
		}
		// Typed again before it is confirmed: the newest is what is confirmed.
		a := w.sent(RegisterInput{Slug: e.Slug, Email: "teo@example.org", GivenName: "T"})
		b := w.sent(RegisterInput{Slug: e.Slug, Email: "teo@example.org", GivenName: "Teo"})
		if w.again(a).ID != uuid.Nil || b.ID == a.ID {
			t.Errorf("%+v %+v", w.again(a), b)
		}
	})
}

// One press lets go: the row is gone with all that was said in it, its mails end, and nothing else tells of it.
func TestCantComeLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), nil)
		r := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org", Needs: "A chair with arms."})
		token := w.link(r)
		w.must(w.Cant(w.ctx, token, false))
		w.must(w.Cant(w.ctx, token, false)) // twice is once
		if w.rows() != 0 {
			t.Errorf("%d rows", w.rows())
		}
		var open int64
		w.must(w.DB.Model(&models.Delivery{}).Where("subject_id = ? AND state = ?", r.ID, models.DeliveryQueued).Count(&open).Error)
		if open != 0 {
			t.Errorf("%d mails would still go", open)
		}
		if _, err := w.Coming(w.ctx, token, "en"); !fault.Is(err, fault.Gone) {
			t.Errorf("%v", err)
		}
		var audited int64
		w.must(w.DB.Model(&models.AuditEntry{}).Where("object_id = ? OR action LIKE ?", r.ID, "%cant%").Count(&audited).Error)
		if audited != 0 {
			t.Error("the audit log tells of it")
		}
		again := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		if again.State != models.Registered {
			t.Errorf("coming back: %+v", again)
		}
	})
}

// Places are never more than there are, whoever is quick; whoever waits longest is next, at an hour that is not quiet.
func TestPlacesAndTheWaitingList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.clk.Set(time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC))
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, func(d *Draft) {
			d.Capacity, d.WaitingList, d.Recurrence, d.StartsOn = 2, true, "", "2027-02-20T11:00"
		})
		var all []models.Registration
		for i := range 5 {
			all = append(all, w.sent(RegisterInput{Slug: e.Slug, Email: fmt.Sprintf("p%d@example.org", i), GivenName: fmt.Sprint("P", i)}))
		}
		w.clk.Add(PlaceFor + time.Minute) // none of them keeps a place any more
		var wg sync.WaitGroup
		for _, r := range all {
			wg.Go(func() {
				_, _ = w.door.Confirm(w.ctx, w.Signer.Make(tokens.Confirm, r.MailboxID, w.clk.Now().Add(time.Hour)), []uuid.UUID{r.ID})
			})
		}
		wg.Wait()
		by := map[models.RegistrationState][]models.Registration{}
		var rows []models.Registration
		w.must(w.DB.Order("updated_at, id").Find(&rows).Error)
		for _, r := range rows {
			by[r.State] = append(by[r.State], r)
		}
		if len(by[models.Registered]) != 2 || len(by[models.RegistrationWaiting]) != 3 {
			t.Fatalf("%d registered, %d wait", len(by[models.Registered]), len(by[models.RegistrationWaiting]))
		}
		if v, err := w.Public(w.ctx, e.Slug); err != nil || v.Free != 0 || !v.Takes() {
			t.Errorf("%+v %v", v, err)
		}
		first := by[models.RegistrationWaiting][0]
		if c, err := w.Coming(w.ctx, w.link(first), "en"); err != nil || c.Join != "" || c.Has() {
			t.Errorf("who waits is told how to join: %+v %v", c, err)
		}
		// Somebody cannot come, late at night: the place is offered at nine in the morning.
		w.clk.Set(time.Date(2027, 2, 3, 4, 0, 0, 0, time.UTC))
		w.must(w.Cant(w.ctx, w.link(by[models.Registered][0]), false))
		if first = w.again(first); first.State != models.RegistrationOffered {
			t.Fatalf("%+v", first)
		}
		offers := w.mails(KindOffer, first.MailboxID)
		nine := time.Date(2027, 2, 3, 14, 0, 0, 0, time.UTC)
		if len(offers) != 1 || !offers[0].NotBefore.Equal(nine) || !first.OfferedUntil.Equal(nine.Add(offerFor)) {
			t.Fatalf("%+v %v", offers, first.OfferedUntil)
		}
		// It is kept for nobody else meanwhile.
		late := w.sent(RegisterInput{Slug: e.Slug, Email: "late@example.org"})
		if late, err := w.pressed(late); err != nil || late.State != models.RegistrationWaiting {
			t.Errorf("%+v %v", late, err)
		}
		// No answer: the next one is asked, and the first waits on behind everybody.
		w.clk.Set(nine.Add(offerFor))
		w.must(w.Offers(w.ctx))
		second := w.again(by[models.RegistrationWaiting][1])
		if second.State != models.RegistrationOffered || w.again(first).State != models.RegistrationWaiting {
			t.Fatalf("%+v %+v", second, w.again(first))
		}
		if err := w.Accept(w.ctx, w.link(first)); !fault.Is(err, fault.Conflict) {
			t.Errorf("too late: %v", err)
		}
		w.must(w.Accept(w.ctx, w.link(second)))
		w.must(w.Accept(w.ctx, w.link(second)))
		if r := w.again(second); r.State != models.Registered || len(w.mails(KindReceipt, r.MailboxID)) != 2 { // that they wait, that they come
			t.Errorf("%+v, %d receipts", r, len(w.mails(KindReceipt, r.MailboxID)))
		}
		// Fewer places take nobody's away; more are offered at once.
		_, d, err := w.DraftOf(w.ctx, a, e.ID)
		w.must(err)
		d.Capacity = 1
		got, err := w.Save(w.ctx, a, e.ID, SaveInput{d, e.Revision})
		w.must(err)
		if r := w.again(second); r.State != models.Registered {
			t.Errorf("%+v", r)
		}
		d.Capacity = 4
		_, err = w.Save(w.ctx, a, e.ID, SaveInput{d, got.Revision})
		w.must(err)
		var offered int64
		w.must(w.DB.Model(&models.Registration{}).Where("state = ?", models.RegistrationOffered).Count(&offered).Error)
		if offered != 2 {
			t.Errorf("%d places offered", offered)
		}
	})
}

// Where nobody waits behind them, a place stays with who did not answer yet; near the date the offer goes at once.
func TestAnOfferWithNobodyBehind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), func(d *Draft) {
			d.Capacity, d.WaitingList, d.Recurrence, d.StartsOn = 1, true, "", "2027-02-03T11:00"
		})
		has, waits := w.comes(RegisterInput{Slug: e.Slug, Email: "a@example.org"}), w.comes(RegisterInput{Slug: e.Slug, Email: "b@example.org"})
		if has.State != models.Registered || waits.State != models.RegistrationWaiting {
			t.Fatalf("%s %s", has.State, waits.State)
		}
		w.clk.Set(time.Date(2027, 2, 3, 4, 0, 0, 0, time.UTC)) // 23:00 there, twelve hours before
		w.must(w.Cant(w.ctx, w.link(has), false))
		begins := time.Date(2027, 2, 3, 16, 0, 0, 0, time.UTC)
		if o := w.mails(KindOffer, waits.MailboxID); len(o) != 1 || !o[0].NotBefore.Equal(w.clk.Now()) {
			t.Fatalf("%+v", o)
		}
		w.clk.Set(begins.Add(-time.Minute))
		w.must(w.Offers(w.ctx))
		if r := w.again(waits); r.State != models.RegistrationOffered {
			t.Errorf("%+v", r)
		}
		w.must(w.Accept(w.ctx, w.link(waits)))
		w.clk.Set(begins.Add(3 * time.Hour))
		w.must(w.Offers(w.ctx))
		if r := w.again(waits); r.State != models.Registered {
			t.Errorf("%+v", r)
		}
	})
}

func TestFullWithoutAWaitingList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), func(d *Draft) {
			d.Capacity, d.Venue, d.PlaceName = 1, models.VenueHybrid, "Library"
		})
		onsite := RegisterInput{Slug: e.Slug, Email: "a@example.org", Attends: models.AttendsOnsite}
		first := w.sent(onsite)
		other := RegisterInput{Slug: e.Slug, Email: "b@example.org", GivenName: "B", Attends: models.AttendsOnsite, Locale: "en", Lang: "en"}
		if _, err := w.Register(w.ctx, other); !fault.Is(err, fault.Conflict) || asFault(err).Key != "error.event_full" {
			t.Errorf("a form that is not confirmed keeps its place for half an hour: %v", err)
		}
		w.clk.Add(PlaceFor)
		second := w.sent(other)
		if r, err := w.pressed(second); err != nil || r.State != models.Registered {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := w.pressed(first); !fault.Is(err, fault.Gone) || asFault(err).Key != "error.event_full" {
			t.Errorf("%v", err)
		}
		// From home there is no limit.
		for _, email := range []string{"c@example.org", "d@example.org"} {
			if r := w.comes(RegisterInput{Slug: e.Slug, Email: email, Attends: models.AttendsOnline}); r.State != models.Registered {
				t.Errorf("%+v", r)
			}
		}
	})
}

// Reminders go a day before, outside quiet hours where the person lives; in both weeks of a clock change by the clock on the wall.
func TestReminders(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), func(d *Draft) {
			d.StartsOn, d.Recurrence = "2027-03-13T21:30", "FREQ=DAILY;COUNT=2" // the night before the clocks change, and the one after
		})
		near := w.comes(RegisterInput{Slug: e.Slug, Email: "near@example.org", Series: true})
		far := w.comes(RegisterInput{Slug: e.Slug, Email: "far@example.org", TimeZone: "Europe/Madrid"})
		w.clk.Set(time.Date(2027, 3, 12, 15, 0, 0, 0, time.UTC))
		w.must(w.Remind(w.ctx))
		w.must(w.Remind(w.ctx))
		// 21:30 of the day before is quiet in New York: nine in the morning. In Madrid it is 03:30: nine there too.
		for _, c := range []struct {
			who  models.Registration
			want time.Time
		}{{near, time.Date(2027, 3, 13, 14, 0, 0, 0, time.UTC)}, {far, time.Date(2027, 3, 13, 8, 0, 0, 0, time.UTC)}} {
			if m := w.mails(KindReminder, c.who.MailboxID); len(m) != 1 || !m[0].NotBefore.Equal(c.want) {
				t.Errorf("%+v, want %v", m, c.want)
			}
		}
		c, err := w.Coming(w.ctx, w.link(far), "en")
		if err != nil || !strings.Contains(c.When, "21:30") || !strings.Contains(c.Yours, "03:30") || !strings.Contains(c.Yours, "Madrid") {
			t.Errorf("%q %q %v", c.When, c.Yours, err)
		}
		if c, err := w.Coming(w.ctx, w.link(near), "en"); err != nil || c.Yours != "" {
			t.Errorf("%q %v", c.Yours, err)
		}
		// After the first night whoever comes to all goes on to the second one, 24 hours later by the clock and 23 in all.
		w.clk.Set(time.Date(2027, 3, 14, 4, 0, 0, 0, time.UTC))
		w.must(w.Settle(w.ctx))
		if r := w.again(near); !r.OccursAt.Equal(time.Date(2027, 3, 15, 1, 30, 0, 0, time.UTC)) || r.RemindedAt != nil {
			t.Errorf("%+v", r)
		}
		w.must(w.Remind(w.ctx))
		if m := w.mails(KindReminder, near.MailboxID); len(m) != 1 || !m[0].NotBefore.Equal(time.Date(2027, 3, 14, 13, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", m)
		}
		// Who registers in the last day has the receipt.
		last := w.comes(RegisterInput{Slug: e.Slug, Email: "last@example.org"})
		w.must(w.Remind(w.ctx))
		if m := w.mails(KindReminder, last.MailboxID); len(m) != 0 {
			t.Errorf("%+v", m)
		}
	})
}

// 30 days after a date all that was said for it is gone; what comes to all dates stays while there are some.
func TestNothingStays(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, func(d *Draft) { d.Recurrence = "FREQ=WEEKLY;COUNT=3" })
		once := w.comes(RegisterInput{Slug: e.Slug, Email: "once@example.org", Needs: "Low light."})
		series := w.comes(RegisterInput{Slug: e.Slug, Email: "series@example.org", Series: true, Needs: "A pause."})
		pending := w.sent(RegisterInput{Slug: e.Slug, Email: "pending@example.org", Original: Stamp(moment("2027-02-16T23:30Z"))})
		end := moment("2027-02-03T00:45Z")
		for week := range 3 {
			w.clk.Set(end.AddDate(0, 0, 7*week))
			w.must(w.Settle(w.ctx))
		}
		w.clk.Set(end.Add(keepFor - time.Minute))
		w.must(w.Settle(w.ctx))
		if w.again(once).ID == uuid.Nil || w.again(pending).ID != uuid.Nil {
			t.Errorf("too early, or what nobody confirmed: %+v %+v", w.again(once), w.again(pending))
		}
		w.clk.Set(end.Add(keepFor))
		w.must(w.Settle(w.ctx))
		if w.again(once).ID != uuid.Nil || w.again(series).ID == uuid.Nil {
			t.Errorf("%+v %+v", w.again(once), w.again(series))
		}
		if got, err := w.Get(w.ctx, a, e.ID); err != nil || got.State != models.EventClosed {
			t.Errorf("%+v %v", got.State, err)
		}
		w.clk.Set(moment("2027-02-17T00:45Z").Add(keepFor))
		w.must(w.Settle(w.ctx))
		if w.rows() != 0 {
			t.Errorf("%d rows", w.rows())
		}
	})
}

// Whoever comes to all dates can stay away from one: nothing of it is kept but when they come next.
func TestNotThisTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		e := w.open(w.user(uuid.Nil, actor.Organizer), nil)
		r := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org", Series: true})
		w.must(w.Cant(w.ctx, w.link(r), true))
		other := w.comes(RegisterInput{Slug: e.Slug, Email: "cal@example.org", Series: true, Original: Stamp(moment("2027-03-02T23:30Z"))})
		a, b := w.again(r), w.again(other)
		if !a.OccursAt.Equal(b.OccursAt) || a.State != b.State || a.Series != b.Series {
			t.Errorf("one who stayed away and one who never was to come differ: %+v %+v", a, b)
		}
	})
}

// The access contact alone reads what people need: no other role, and the place only what may be passed on.
func TestNeedsAreForOnePerson(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		owner, contact := w.user(uuid.Nil, actor.Owner), w.user(uuid.Nil, actor.Coordinator)
		e := w.open(owner, func(d *Draft) { d.AccessContactID = &contact.UserID })
		r := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org", FamilyName: "Hollis", Needs: "Curtains closed.", ShareNeeds: true})
		w.comes(RegisterInput{Slug: e.Slug, Email: "cal@example.org", Needs: "A seat by the door."})
		if strings.Contains(string(r.NeedsSealed), "Curtains") || r.ConsentTextID == nil {
			t.Errorf("%+v", r)
		}
		if _, _, _, err := w.PeopleNeeds(w.ctx, owner, e.ID, r.OccursAt); !fault.Is(err, fault.Forbidden) {
			t.Errorf("the owner reads them: %v", err)
		}
		_, _, list, err := w.PeopleNeeds(w.ctx, contact, e.ID, r.OccursAt)
		if err != nil || len(list) != 2 || list[0].Needs != "Curtains closed." || !list[0].Share || list[1].Share {
			t.Errorf("%+v %v", list, err)
		}
		_, _, people, err := w.People(w.ctx, owner, e.ID, r.OccursAt)
		b, _ := json.Marshal(people)
		if err != nil || len(people) != 2 || strings.Contains(string(b), "Curtains") || people[1].Email != "june@example.org" {
			t.Errorf("%s %v", b, err)
		}
		w.must(w.SetNeeds(w.ctx, w.link(r), "", false, "Read by one person."))
		if r = w.again(r); r.NeedsSealed != nil || r.ShareNeeds {
			t.Errorf("%+v", r)
		}
	})
}

func TestRightsAndChapters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north, south := w.chapter("north"), w.chapter("south")
		a, b := w.user(north, actor.Coordinator), w.user(south, actor.Coordinator)
		e := w.open(a, nil)
		if e.ChapterID == nil || *e.ChapterID != north {
			t.Errorf("%v", e.ChapterID)
		}
		viewer := actor.Actor{Kind: actor.User, Role: actor.Viewer}
		for _, c := range []struct {
			who  actor.Actor
			want fault.Kind
		}{{b, fault.NotFound}, {viewer, fault.Forbidden}, {actor.Actor{}, fault.Unauthenticated}} {
			_, get := w.Get(w.ctx, c.who, e.ID)
			_, save := w.Save(w.ctx, c.who, e.ID, SaveInput{draft(), 1})
			_, publish := w.Publish(w.ctx, c.who, e.ID)
			_, cancel := w.Cancel(w.ctx, c.who, e.ID, "")
			_, closed := w.Close(w.ctx, c.who, e.ID)
			_, date := w.SetDate(w.ctx, c.who, e.ID, DateInput{Do: "off"})
			_, _, dates := w.DatesOf(w.ctx, c.who, e.ID, 9)
			_, _, _, people := w.People(w.ctx, c.who, e.ID, start)
			_, _, _, needs := w.PeopleNeeds(w.ctx, c.who, e.ID, start)
			_, preview := w.Preview(w.ctx, c.who, e.ID)
			for i, err := range []error{get, save, publish, cancel, closed, date, dates, people, needs, preview} {
				if !fault.Is(err, c.want) {
					t.Errorf("%v %d: %v", c.who.Role, i, err)
				}
			}
		}
		if list, err := w.List(w.ctx, b); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
		if list, err := w.List(w.ctx, a); err != nil || len(list) != 1 {
			t.Errorf("%+v %v", list, err)
		}
		for chapter, want := range map[string]int{"north": 1, "south": 0, "": 1} {
			if list, err := w.Upcoming(w.ctx, Filter{Chapter: chapter}, 1); err != nil || len(list) != want {
				t.Errorf("%q: %+v %v", chapter, list, err)
			}
		}
	})
}

// Two pages never overwrite each other unseen; the rule stays while people are registered by it.
func TestSave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, nil)
		d := draft()
		d.Body = "More."
		one, err := w.Save(w.ctx, a, e.ID, SaveInput{d, e.Revision})
		if err != nil || one.Revision != e.Revision+1 || one.JoinSealed == nil {
			t.Fatalf("%+v %v", one, err)
		}
		if again, err := w.Save(w.ctx, a, e.ID, SaveInput{d, e.Revision}); err != nil || again.Revision != one.Revision {
			t.Errorf("the same from an older page: %d %v", again.Revision, err)
		}
		d.Body = "Other."
		if stored, err := w.Save(w.ctx, a, e.ID, SaveInput{d, e.Revision}); !fault.Is(err, fault.Conflict) || stored.Body != "More." {
			t.Errorf("%+v %v", stored.Body, err)
		}
		d.StartsOn = "2027-02-02T19:00"
		one, err = w.Save(w.ctx, a, e.ID, SaveInput{d, one.Revision})
		w.must(err)
		w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		d.StartsOn = "2027-02-02T20:00"
		if _, err := w.Save(w.ctx, a, e.ID, SaveInput{d, one.Revision}); !fault.Is(err, fault.Invalid) || asFault(err).Fields[0].Key != "error.event_registered" {
			t.Errorf("%v", err)
		}
		d.StartsOn, d.Looked = "2027-02-02T19:00", false
		if _, err := w.Save(w.ctx, a, e.ID, SaveInput{d, one.Revision}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a public event without its access sheet: %v", err)
		}
	})
}

// A date that is moved or off is told to who comes to it, and to nobody else; an event that is called off to everybody, once.
func TestChangesAreTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, nil)
		first, second := moment("2027-02-02T23:30Z"), moment("2027-03-02T23:30Z")
		june := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		cal := w.comes(RegisterInput{Slug: e.Slug, Email: "cal@example.org", Original: Stamp(second)})
		all := w.comes(RegisterInput{Slug: e.Slug, Email: "all@example.org", Series: true})
		_, err := w.SetDate(w.ctx, a, e.ID, DateInput{Original: second, Do: "move", Starts: "2027-03-04T17:00", Note: "The host is away on Tuesday."})
		w.must(err)
		for _, c := range []struct {
			who  models.Registration
			want int
		}{{june, 0}, {cal, 1}, {all, 1}} {
			m := w.mails(KindChanged, c.who.MailboxID)
			if len(m) != c.want {
				t.Fatalf("%d mails, want %d", len(m), c.want)
			}
			if c.want == 0 {
				continue
			}
			content, err := w.changedMail(w.ctx, m[0])
			if d, ok := content.Data.(ChangedMail); err != nil || !ok || !strings.Contains(d.Was, "18:30") || !strings.Contains(d.When, "17:00") || d.Note == "" || d.URL == "" {
				t.Errorf("%+v %v", content, err)
			}
		}
		if c, err := w.Coming(w.ctx, w.link(cal), "en"); err != nil || !c.Date.Start.Equal(moment("2027-03-04T22:00Z")) || c.Join == "" {
			t.Errorf("%+v %v", c, err)
		}
		_, err = w.SetDate(w.ctx, a, e.ID, DateInput{Original: first, Do: "off"})
		w.must(err)
		if c, err := w.Coming(w.ctx, w.link(june), "en"); err != nil || !c.Date.Off || c.Join != "" {
			t.Errorf("%+v %v", c, err)
		}
		if _, err := w.Register(w.ctx, RegisterInput{Slug: e.Slug, Email: "x@example.org", GivenName: "X", Original: Stamp(first)}); !fault.Is(err, fault.Conflict) {
			t.Errorf("registering for a date that is off: %v", err)
		}
		_, err = w.Cancel(w.ctx, a, e.ID, "We are sorry.")
		w.must(err)
		_, err = w.Cancel(w.ctx, a, e.ID, "We are sorry.")
		w.must(err)
		for _, c := range []struct {
			who  models.Registration
			want int
		}{{june, 0}, {cal, 1}, {all, 1}} { // hers was off already
			if m := w.mails(KindCancelled, c.who.MailboxID); len(m) != c.want {
				t.Errorf("%d mails, want %d", len(m), c.want)
			}
		}
		if _, err := w.pressed(w.sentAnyway(e)); !fault.Is(err, fault.Gone) {
			t.Errorf("confirming after it was called off: %v", err)
		}
	})
}

// sentAnyway is a form that was sent before the event was called off.
func (w *world) sentAnyway(e models.Event) models.Registration {
	w.t.Helper()
	w.must(w.DB.Model(&models.Event{}).Where("id = ?", e.ID).Update("state", models.EventPublished).Error)
	r := w.sent(RegisterInput{Slug: e.Slug, Email: "late@example.org", Original: Stamp(moment("2027-04-06T22:30Z"))})
	w.must(w.DB.Model(&models.Event{}).Where("id = ?", e.ID).Update("state", models.EventCancelled).Error)
	return r
}

// An event called off while a place is offered: the mail about the place does not go, and the place cannot be taken.
func TestCalledOffDuringAnOffer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, func(d *Draft) { d.Capacity, d.WaitingList, d.Recurrence, d.StartsOn = 1, true, "", "2027-02-20T11:00" })
		has, waits := w.comes(RegisterInput{Slug: e.Slug, Email: "a@example.org"}), w.comes(RegisterInput{Slug: e.Slug, Email: "b@example.org"})
		w.must(w.Cant(w.ctx, w.link(has), false))
		offer := w.mails(KindOffer, waits.MailboxID)[0]
		if _, err := w.offerMail(w.ctx, offer); err != nil {
			t.Fatal(err)
		}
		_, err := w.Cancel(w.ctx, a, e.ID, "")
		w.must(err)
		if _, err := w.offerMail(w.ctx, offer); !fault.Is(err, fault.Gone) {
			t.Errorf("%v", err)
		}
		if err := w.Accept(w.ctx, w.link(waits)); !fault.Is(err, fault.Gone) {
			t.Errorf("%v", err)
		}
		if m := w.mails(KindCancelled, waits.MailboxID); len(m) != 1 {
			t.Errorf("%d mails", len(m))
		}
	})
}

func TestListsAndGroups(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		w.open(a, func(d *Draft) {
			d.Title, d.StartsOn, d.Recurrence, d.Venue, d.Dial, d.Types = "Phone Thursdays", "2027-02-04T13:30", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", models.VenuePhone, "+1-555-0142, code 7", []string{"phone-only"}
		})
		w.open(a, func(d *Draft) {
			d.Title, d.StartsOn, d.Recurrence, d.Locale, d.Types, d.CoLeaderWanted = "Mañana en calma", "2027-02-06T11:00", "FREQ=WEEKLY;BYDAY=SA", "es", []string{"open", "camera-off-ok"}, true
		})
		w.open(a, func(d *Draft) {
			d.Title, d.Venue, d.PlaceName, d.Street, d.City, d.Region, d.PostalCode, d.Country, d.Recurrence, d.Types = "First Tuesday", models.VenueHybrid, "Library", "1 Mill Lane", "Harrow Bay", "WN", "00011", "US", "FREQ=WEEKLY;BYDAY=TU,TH", []string{"open", "wheelchair", "no such"}
		})
		w.open(a, func(d *Draft) {
			d.Title, d.Kind, d.Recurrence, d.StartsOn = "Pain Day", models.EventAdvocacyDay, "", "2027-03-09T09:00"
		})
		for _, c := range []struct {
			f    Filter
			want []string
		}{
			{Filter{}, []string{"First Tuesday", "Phone Thursdays", "Mañana en calma", "Pain Day"}},
			{Filter{Kind: models.EventAdvocacyDay}, []string{"Pain Day"}},
			{Filter{Kind: models.EventSupportGroup, Day: 5}, []string{"Phone Thursdays"}},
			{Filter{Kind: models.EventSupportGroup, Part: "evening"}, []string{"First Tuesday"}},
			{Filter{Part: "morning"}, []string{"Mañana en calma", "Pain Day"}},
			{Filter{Way: "phone"}, []string{"Phone Thursdays"}},
			{Filter{Way: "place"}, []string{"First Tuesday"}},
			{Filter{Way: "online", Locale: "es"}, []string{"Mañana en calma"}},
			{Filter{Type: "open"}, []string{"First Tuesday", "Mañana en calma"}},
			{Filter{Type: "' OR 1=1 --"}, []string{"First Tuesday", "Phone Thursdays", "Mañana en calma", "Pain Day"}},
		} {
			list, err := w.Upcoming(w.ctx, c.f, 3)
			var got []string
			for _, l := range list {
				got = append(got, l.Title)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v %v", c.f, got, err)
			}
		}
		b, err := w.Guide(w.ctx)
		w.must(err)
		var guide []map[string]any
		w.must(json.Unmarshal(b, &guide))
		var got []string
		for _, m := range guide {
			got = append(got, fmt.Sprint(m["slug"], m["day"], m["time"], m["end_time"], m["types"]))
			for _, name := range []string{"conference_url", "conference_phone"} {
				if m[name] != nil {
					t.Errorf("%s: %v", name, m)
				}
			}
		}
		want := []string{"first-tuesday-tue218:3019:45[EN O X]", "first-tuesday-thu418:3019:45[EN O X]", "manana-en-calma611:0012:15[ES O ONL]"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if guide[0]["formatted_address"] != "1 Mill Lane, Harrow Bay, WN 00011, US" || guide[0]["timezone"] != "America/New_York" || guide[0]["location"] != "Library" {
			t.Errorf("%v", guide[0])
		}
	})
}

// Feeds are read by a second parser: all of it, one group, a person's own.
func TestFeeds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, func(d *Draft) { d.Recurrence = "FREQ=WEEKLY;BYDAY=TU" })
		off := moment("2027-02-09T23:30Z")
		_, err := w.SetDate(w.ctx, a, e.ID, DateInput{Original: off, Do: "off"})
		w.must(err)
		b, err := w.Feed(w.ctx, "", e.Slug, "en")
		w.must(err)
		got, name := parsed(t, b)
		if len(got) < 50 || name != e.Title {
			t.Errorf("%d entries, %q", len(got), name)
		}
		// The clocks change on 14 March: 18:30 there is 23:30 and then 22:30 in UTC.
		hours := map[string]string{}
		for _, v := range got {
			at, err := v.DateTimeStart(time.UTC)
			w.must(err)
			hours[at.Format(time.DateOnly)] = at.Format("15:04") + " " + text(t, v, "STATUS")
		}
		for on, want := range map[string]string{"2027-02-09": "23:30 CANCELLED", "2027-03-09": "23:30 CONFIRMED", "2027-03-16": "22:30 CONFIRMED"} {
			if hours[on] != want {
				t.Errorf("%s: %q, want %q", on, hours[on], want)
			}
		}
		r := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		b, err = w.File(w.ctx, w.link(r))
		w.must(err)
		own, _ := parsed(t, b)
		if len(own) != 1 || strings.Contains(text(t, own[0], "SUMMARY"), "circle") || !strings.Contains(text(t, own[0], "DESCRIPTION"), "First Tuesday circle") || strings.Contains(string(b), "meet.example.org") {
			t.Errorf("%s", b)
		}
		series := w.comes(RegisterInput{Slug: e.Slug, Email: "all@example.org", Series: true})
		one, err := w.FeedOf(w.ctx, []uuid.UUID{r.MailboxID})
		w.must(err)
		many, err := w.FeedOf(w.ctx, []uuid.UUID{series.MailboxID})
		w.must(err)
		if len(one) != 1 || len(many) < 50 {
			t.Errorf("%d and %d", len(one), len(many))
		}
		if _, err := w.Feed(w.ctx, "no-such", "", "en"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		list, err := w.OwnOf(w.ctx, []uuid.UUID{r.MailboxID, series.MailboxID}, "en")
		if err != nil || len(list) != 2 || !strings.HasPrefix(list[0].Path, "/coming/") {
			t.Errorf("%+v %v", list, err)
		}
	})
}

func TestSegmentOfWhoComes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		segments.Register(Condition())
		e := w.open(w.user(uuid.Nil, actor.Organizer), nil)
		r := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		w.sent(RegisterInput{Slug: e.Slug, Email: "cal@example.org"})
		part, err := Condition().Compile(nil, segments.Values{"event": e.ID.String()})
		w.must(err)
		var got []uuid.UUID
		w.must(w.DB.Raw(part.Set, part.Args...).Scan(&got).Error)
		var box models.Mailbox
		w.must(w.DB.Take(&box, "id = ?", r.MailboxID).Error)
		if len(got) != 1 || box.SupporterID == nil || got[0] != *box.SupporterID {
			t.Errorf("%v", got)
		}
		w.must(w.DB.Tx(w.ctx, func(tx *gorm.DB) error {
			list, err := choosableEvents(w.ctx, tx, actor.TheSystem())
			if err != nil || len(list) != 1 || list[0].Label != e.Title {
				t.Errorf("%+v %v", list, err)
			}
			if _, known, err := namedEvent(w.ctx, tx, actor.TheSystem(), uuid.NewString()); err != nil || known {
				t.Errorf("%v %v", known, err)
			}
			return nil
		}))
	})
}
