package letters_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	campaignsAt = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)
	bg          = context.Background()
)

// desk is an organisation with people who work there, two legislators in a chamber, and a clock that stands.
type desk struct {
	t                             *testing.T
	db                            *database.DB
	vault                         *vault.Vault
	clk                           *clock.Fixed
	svc                           *letters.Service
	organizer, advocate, stranger actor.Actor
	viewer, chaptered             actor.Actor
	house                         models.Chamber
	committee                     models.Committee
	ada, ben                      models.Legislator
	terms                         map[uuid.UUID]uuid.UUID // by legislator
	n                             int
}

func eachDesk(t *testing.T, fn func(w *desk)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(newDesk(t, db)) })
}

func newDesk(t *testing.T, db *database.DB) *desk {
	t.Helper()
	w := &desk{t: t, db: db, vault: vault.New(vault.NewKey()), clk: clock.NewFixed(campaignsAt), terms: map[uuid.UUID]uuid.UUID{}}
	org := organisation.New(db, w.vault, w.clk)
	_, err := org.Ensure(bg)
	w.must(err)
	w.svc = letters.New(letters.Options{
		DB: db, Vault: w.vault, Clock: w.clk, Signer: tokens.New(w.vault), Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words:   func(lang, key string, _ ...any) string { return lang + " " + key },
		Enqueue: func(context.Context, *gorm.DB, river.JobArgs) error { return nil },
	})
	user := func(role actor.Role, chapter uuid.UUID) actor.Actor {
		box := models.Mailbox{ID: models.NewID(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte("x"), CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
		u := models.User{ID: models.NewID(), MailboxID: box.ID, NameSealed: []byte("x"), Role: string(role), CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
		w.create(&box, &u)
		return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role, ChapterID: chapter}
	}
	w.organizer, w.advocate, w.stranger = user(actor.Organizer, uuid.Nil), user(actor.Advocate, uuid.Nil), user(actor.Advocate, uuid.Nil)
	w.viewer, w.chaptered = user(actor.Viewer, uuid.Nil), user(actor.Organizer, models.NewID())
	in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
	w.house = models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", Name: "House", MemberTitle: "Representative", DivisionKind: models.DivisionLower, CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
	w.committee = models.Committee{ID: models.NewID(), JurisdictionID: in.ID, ChamberID: &w.house.ID, ExternalID: "c", Name: "Insurance", CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
	w.create(&in, &w.house, &w.committee)
	w.ada, w.ben = w.seat("Ada Quill", "7", ""), w.seat("Ben Sorrel", "8", "2026-12-31")
	return w
}

// seat makes a legislator of the house whose term ends on a day.
func (w *desk) seat(name, district, until string) models.Legislator {
	w.t.Helper()
	given, family, _ := strings.Cut(name, " ")
	l := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: name, Name: name, GivenName: given, FamilyName: family, CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
	term := models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: w.house.ID, District: district, Party: "Harbour", ValidThrough: until, CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
	w.create(&l, &term)
	w.terms[l.ID] = term.ID
	return l
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
	if !fault.Is(err, kind) || !strings.Contains(fmt.Sprintf("%+v %v", err, fields(err)), key) {
		w.t.Errorf("%v %v, want %v %s", err, fields(err), kind, key)
	}
}

func fields(err error) []string {
	var out []string
	if f, ok := err.(*fault.Error); ok {
		for _, x := range f.Fields {
			out = append(out, x.Name+"="+x.Key)
		}
	}
	return out
}

// full is a draft that can be published once somebody is written to.
func full(title string) letters.Plan {
	return letters.Plan{
		Said: letters.Said{Title: title, Summary: "Twenty visits a year.", Ask: "Please vote yes on HB 412.", Subject: "HB 412", Closing: "With respect", Locale: "en", Opening: "I live in your district."},
		Bill: "HB 412", Position: models.StanceSupport, HourlyCap: 20, Minutes: 8, Energy: 2, Demands: []string{"typing", "home"}, AskAnswers: true,
	}
}

// ready is a whole draft of somebody, that writes to the house.
func (w *desk) ready(a actor.Actor, title string) letters.Campaign {
	w.t.Helper()
	c, err := w.svc.Create(bg, a, letters.CreateInput{Plan: full(title)})
	w.must(err)
	c, err = w.svc.AddTarget(bg, a, c.ID, letters.TargetInput{Rule: models.TargetRepresents, ChamberID: w.house.ID, Name: "My representative", Revision: c.Revision})
	w.must(err)
	return c
}

// open is a published one.
func (w *desk) open(title string) letters.Campaign {
	w.t.Helper()
	c := w.ready(w.organizer, title)
	c, err := w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
	w.must(err)
	return c
}

// letter writes a letter with one dispatch past the operations of writers.
func (w *desk) letter(c letters.Campaign, to models.Legislator, state models.LetterState, own string, share int) (models.Letter, models.Dispatch) {
	w.t.Helper()
	w.n++
	address := fmt.Sprintf("writer%d@example.org", w.n)
	hash := w.vault.AddressHash(address)
	box := models.Mailbox{ID: models.NewID(), AddressHash: hash, AddressSealed: w.vault.SealBytes("mailboxes", "address_sealed", hash, []byte(address)), Domain: "example.org", CreatedAt: w.clk.Now(), UpdatedAt: w.clk.Now()}
	at := w.clk.Now()
	l := models.Letter{
		ID: models.NewID(), LetterCampaignID: c.ID, MailboxID: box.ID, State: state, Locale: "en", PostalArea: "00011", Region: "WN", Country: "US", Divisions: "[]", Points: "[]", Chosen: "[]", Consents: "[]",
		OwnShare: share, OwnWords: len(strings.Fields(own)), Number: w.n, CreatedAt: at, UpdatedAt: at, ConfirmedAt: &at, ExpiresAt: at,
	}
	l.GivenNameSealed = w.vault.Seal("letters", "given_name_sealed", l.ID, "Juniper")
	l.FamilyNameSealed = w.vault.Seal("letters", "family_name_sealed", l.ID, "Canaryfamily")
	l.StreetSealed = w.vault.Seal("letters", "street_sealed", l.ID, "1 Canary Street")
	l.OwnWordsSealed = w.vault.Seal("letters", "own_words_sealed", l.ID, own)
	d := models.Dispatch{ID: models.NewID(), LetterID: l.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: to.ID, TermID: w.terms[to.ID], State: models.DispatchDraft, DueAt: at, CreatedAt: at, UpdatedAt: at}
	d.TextSealed = w.vault.Seal("dispatches", "text_sealed", d.ID, "Dear Ada, "+own)
	if state == models.LetterHeld {
		l.HeldAt, l.HeldReason = &at, "similar"
	} else {
		d.State = models.DispatchWaiting
	}
	w.create(&box, &l, &d)
	return l, d
}

// From the advocate's first words to the day it closes: who may do what, and what is in the way.
func TestTheWayOfALetterCampaign(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.ready(w.advocate, "Twenty visits")
		if c.State != models.LettersDraft || c.Revision != 2 || c.HourlyCap != 20 || !strings.HasPrefix(c.Slug, "draft-") {
			t.Errorf("%+v", c.LetterCampaign)
		}
		// Somebody else's draft is unknown to an advocate, to a viewer and to who is of a chapter.
		for _, a := range []actor.Actor{w.stranger, w.chaptered} {
			_, err := w.svc.Draft(bg, a, c.ID)
			w.wants(err, fault.NotFound, "error.letters_unknown")
		}
		_, err := w.svc.Report(bg, w.viewer, c.ID, time.UTC)
		w.wants(err, fault.NotFound, "error.letters_unknown")
		_, err = w.svc.Draft(bg, w.viewer, c.ID)
		w.wants(err, fault.Forbidden, "error.forbidden")
		_, err = w.svc.Create(bg, actor.Actor{}, letters.CreateInput{Plan: full("x")})
		w.wants(err, fault.Unauthenticated, "error.login_needed")
		// Its author proposes, and can neither publish it nor change it meanwhile.
		for _, a := range []actor.Actor{w.advocate, w.viewer, w.chaptered} {
			_, err = w.svc.Publish(bg, a, c.ID, letters.PublishInput{Revision: c.Revision})
			w.wants(err, fault.Forbidden, "error.forbidden")
		}
		_, err = w.svc.Submit(bg, w.advocate, c.ID, c.Revision-1)
		w.wants(err, fault.Conflict, "error.letters_changed")
		c, err = w.svc.Submit(bg, w.advocate, c.ID, c.Revision)
		w.must(err)
		_, err = w.svc.Save(bg, w.advocate, c.ID, letters.SaveInput{Plan: full("Other"), Revision: c.Revision})
		w.wants(err, fault.Conflict, "error.letters_state")
		if q, err := w.svc.Queues(bg, w.organizer); err != nil || q[0].Count != 1 || !q[0].Oldest.Equal(campaignsAt) {
			t.Errorf("%+v, %v", q, err)
		}
		if q, err := w.svc.Queues(bg, w.advocate); err != nil || len(q) != 0 {
			t.Errorf("%+v, %v", q, err)
		}
		_, err = w.svc.Return(bg, w.organizer, c.ID, letters.ReturnInput{Reason: " ", Revision: c.Revision})
		w.wants(err, fault.Invalid, "reason=error.letters_reason_missing")
		c, err = w.svc.Return(bg, w.organizer, c.ID, letters.ReturnInput{Reason: "Which committee?", Revision: c.Revision})
		w.must(err)
		if c.State != models.LettersReturned || c.ReturnText != "Which committee?" {
			t.Errorf("%+v", c.LetterCampaign)
		}
		in := full("Twenty visits: let people move")
		closes := campaignsAt.AddDate(0, 1, 0)
		in.ClosesAt = &closes
		c, err = w.svc.Save(bg, w.advocate, c.ID, letters.SaveInput{Plan: in, Revision: c.Revision})
		w.must(err)
		c, err = w.svc.Submit(bg, w.advocate, c.ID, c.Revision)
		w.must(err)
		// Nobody sees it before it is published.
		if _, err := w.svc.Public(bg, c.Slug, "en"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		c, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
		w.must(err)
		if c.Slug != "twenty-visits" || c.State != models.LettersPublished || c.PublishedAt == nil || c.ReturnText != "" {
			t.Errorf("%+v", c.LetterCampaign)
		}
		var holder models.Campaign
		w.must(w.db.Take(&holder, "id = ?", c.CampaignID).Error)
		if holder.State != models.CampaignPublished || holder.Deadline == nil || !holder.Deadline.Equal(c.ClosesAt.Add(-time.Second)) {
			t.Errorf("%+v", holder)
		}
		if open, err := w.svc.Open(bg, c.CampaignID, "en"); err != nil || len(open) != 1 {
			t.Errorf("%+v, %v", open, err)
		}
		_, err = w.svc.Pause(bg, w.advocate, c.ID)
		w.wants(err, fault.Forbidden, "error.forbidden")
		_, err = w.svc.Pause(bg, w.organizer, c.ID)
		w.must(err)
		if open, err := w.svc.Open(bg, uuid.Nil, "en"); err != nil || len(open) != 0 {
			t.Errorf("%+v, %v", open, err)
		}
		_, err = w.svc.Pause(bg, w.organizer, c.ID)
		w.wants(err, fault.Conflict, "error.letters_state")
		_, err = w.svc.Resume(bg, w.organizer, c.ID)
		w.must(err)
		c, err = w.svc.Close(bg, w.organizer, c.ID)
		w.must(err)
		if c.ClosedAt == nil || letters.Editable(w.organizer, c.LetterCampaign) || len(letters.Can(w.organizer, c.LetterCampaign)) != 0 {
			t.Errorf("%+v", c.LetterCampaign)
		}
		var n int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("object = 'letter_campaigns'").Count(&n).Error)
		if n != 10 { // create, target, save, submit twice, return, publish, pause, resume, close
			t.Errorf("%d entries in the audit log", n)
		}
	})
}

// What stands in the way of publishing, all at once and in the order of the form.
func TestWhatIsMissing(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c, err := w.svc.Create(bg, w.organizer, letters.CreateInput{Plan: letters.Plan{Said: letters.Said{Title: "Bare", Locale: "en"}}})
		w.must(err)
		_, err = w.svc.Look(bg, w.organizer, c.ID)
		want := []string{
			"summary_text=error.letters_summary_text_missing", "ask=error.letters_ask_missing", "subject=error.letters_subject_missing", "closing=error.letters_closing_missing",
			"minutes=error.letters_minutes_missing", "energy=error.letters_energy_missing", "targets=error.letters_targets_missing",
		}
		if got := fields(err); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		_, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
		w.wants(err, fault.Invalid, "error.letters_ask_missing")
		// A rule that finds nobody: the one who is written to is not in a seat any more.
		in := full("Bare")
		c, err = w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: in, Revision: c.Revision})
		w.must(err)
		_, err = w.svc.AddTarget(bg, w.organizer, c.ID, letters.TargetInput{Rule: models.TargetPerson, LegislatorID: w.ben.ID, Revision: c.Revision})
		w.wants(err, fault.Invalid, "legislator=error.letters_legislator_missing")
		c, err = w.svc.AddTarget(bg, w.organizer, c.ID, letters.TargetInput{Rule: models.TargetCommittee, CommitteeID: w.committee.ID, OnlyMine: true, Revision: c.Revision})
		w.must(err)
		if c.Targets[0].Name != "Insurance" || !c.Targets[0].OnlyMine || c.Targets[0].ChamberID != nil {
			t.Errorf("%+v", c.Targets[0])
		}
		_, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
		w.wants(err, fault.Invalid, "targets=error.letters_targets_nobody")
		w.create(&models.CommitteeMember{ID: models.NewID(), CommitteeID: w.committee.ID, LegislatorID: w.ada.ID, CreatedAt: campaignsAt})
		if r, err := w.svc.Reach(bg, w.organizer, c.ID); err != nil || r[0].Count != 1 || r[0].What != "Insurance, Wennick" {
			t.Errorf("%+v, %v", r, err)
		}
		// A source that is not reached safely, and words of an election.
		for _, address := range []string{"http://example.org/", "javascript:alert(1)", "https://", "https://user@example.org/", "example.org", "https://example.org/ x"} {
			_, err = w.svc.AddPoint(bg, w.organizer, c.ID, letters.PointInput{Body: "It helps.", Locale: "en", SourceTitle: "x", SourceURL: address, Revision: c.Revision})
			w.wants(err, fault.Invalid, "source_url=error.letters_url")
		}
		c, err = w.svc.AddPoint(bg, w.organizer, c.ID, letters.PointInput{Body: "Remember it on election day and vote for her.", Locale: "en", Revision: c.Revision})
		w.must(err)
		if words := letters.ElectionWords(c); !slices.Equal(words, []string{"election", "vote for"}) {
			t.Errorf("%v", words)
		}
		_, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
		w.wants(err, fault.Invalid, "decision=error.letters_decision")
		c, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision, Decision: true})
		w.must(err)
		// A public one stays whole, and is never without anybody to write to.
		_, err = w.svc.RemoveTarget(bg, w.organizer, c.ID, c.Targets[0].ID, c.Revision)
		w.wants(err, fault.Conflict, "error.letters_target_last")
		in.Ask = ""
		_, err = w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: in, Revision: c.Revision})
		w.wants(err, fault.Invalid, "ask=error.letters_ask_missing")
	})
}

// What is typed is checked: caps, windows, injected heads, and two pages that are open at once.
func TestWhatIsTyped(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.ready(w.organizer, "Twenty visits")
		for name, change := range map[string]func(*letters.Plan){
			"hourly_cap=error.letters_number":     func(p *letters.Plan) { p.HourlyCap = 0 },
			"max_letters=error.letters_number":    func(p *letters.Plan) { p.MaxLetters = -1 },
			"max_recipients=error.letters_number": func(p *letters.Plan) { p.MaxRecipients = 21 },
			"energy=error.letters_number":         func(p *letters.Plan) { p.Energy = 6 },
			"min_own_words=error.letters_number":  func(p *letters.Plan) { p.MinOwnWords = 301 },
			"subject=error.text_unreadable":       func(p *letters.Plan) { p.Subject = "HB 412\r\nBcc: x@example.org" },
			"title=error.text_too_long":           func(p *letters.Plan) { p.Title = strings.Repeat("x", 81) },
			"position=error.value_unknown":        func(p *letters.Plan) { p.Position = "elect" },
			"closes=error.letters_window":         func(p *letters.Plan) { p.OpensAt, p.ClosesAt = &campaignsAt, &campaignsAt },
		} {
			in := full("Twenty visits")
			change(&in)
			_, err := w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: in, Revision: c.Revision})
			w.wants(err, fault.Invalid, name)
		}
		first := full("First")
		saved, err := w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: first, Revision: c.Revision})
		w.must(err)
		stored, err := w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: full("Second"), Revision: c.Revision})
		w.wants(err, fault.Conflict, "error.letters_changed")
		if stored.Title != "First" || stored.Revision != saved.Revision {
			t.Errorf("%+v", stored.LetterCampaign)
		}
		// The same again is no change.
		if again, err := w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: first, Revision: c.Revision}); err != nil || again.Revision != saved.Revision {
			t.Errorf("%+v, %v", again.LetterCampaign, err)
		}
	})
}

// Caps and windows say when nobody can write any more.
func TestWhenItTakesLetters(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.open("Twenty visits")
		for _, x := range []struct {
			set  map[string]any
			open bool
		}{
			{map[string]any{"max_letters": 5, "letter_count": 4}, true},
			{map[string]any{"max_letters": 5, "letter_count": 5}, false},
			{map[string]any{"max_letters": 0, "letter_count": 5}, true},
			{map[string]any{"opens_at": campaignsAt.Add(time.Second)}, false},
			{map[string]any{"opens_at": campaignsAt}, true},
			{map[string]any{"closes_at": campaignsAt}, false},
			{map[string]any{"closes_at": campaignsAt.Add(time.Second)}, true},
		} {
			set := map[string]any{"max_letters": 0, "letter_count": 0, "opens_at": nil, "closes_at": nil}
			for k, v := range x.set {
				set[k] = v
			}
			w.must(w.db.Model(&models.LetterCampaign{}).Where("id = ?", c.ID).Updates(set).Error)
			list, err := w.svc.Open(bg, uuid.Nil, "en")
			one, err2 := w.svc.Public(bg, c.Slug, "en")
			if err != nil || err2 != nil || len(list) == 1 != x.open || one.OpenAt(campaignsAt) != x.open {
				t.Errorf("%v: listed %d, open %v, %v %v", x.set, len(list), one.OpenAt(campaignsAt), err, err2)
			}
		}
	})
}

// A language shows once it is whole; its points are its own, and those of the first language stand in until it has any.
func TestLanguagesOfALetterCampaign(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.ready(w.organizer, "Twenty visits")
		var err error
		point := func(body, locale, party string, target uuid.UUID) {
			t.Helper()
			c, err = w.svc.AddPoint(bg, w.organizer, c.ID, letters.PointInput{Body: body, Locale: locale, Party: party, TargetID: target, Revision: c.Revision})
			w.must(err)
		}
		c, err = w.svc.AddTarget(bg, w.organizer, c.ID, letters.TargetInput{Rule: models.TargetPerson, LegislatorID: w.ada.ID, Revision: c.Revision})
		w.must(err)
		point("for all", "en", "", uuid.Nil)
		point("for Ada", "en", "", c.Targets[1].ID)
		point("for a party", "en", "Harbour", uuid.Nil)
		bodies := func(list []models.LetterPoint) (out []string) {
			for _, p := range list {
				out = append(out, p.Body)
			}
			return out
		}
		if got := bodies(c.PointsFor("en", "Harbour", c.Targets[0].ID)); !slices.Equal(got, []string{"for all", "for a party"}) {
			t.Errorf("%v", got)
		}
		if got := bodies(c.PointsFor("en", "", c.Targets[1].ID)); !slices.Equal(got, []string{"for all", "for Ada"}) {
			t.Errorf("%v", got)
		}
		_, err = w.svc.SaveText(bg, w.organizer, c.ID, letters.TextInput{Said: letters.Said{Locale: "en", Title: "x"}, Revision: c.Revision})
		w.wants(err, fault.Invalid, "locale=error.letters_locale")
		half := letters.Said{Locale: "es", Title: "Veinte visitas", Summary: "s"}
		c, err = w.svc.SaveText(bg, w.organizer, c.ID, letters.TextInput{Said: half, Revision: c.Revision})
		w.must(err)
		if c.In("es").Title != "Twenty visits" || len(c.Languages()) != 1 {
			t.Errorf("half a language shows: %+v", c.Languages())
		}
		half.Ask, half.Subject, half.Closing = "Vote sí.", "HB 412", "Con respeto"
		c, err = w.svc.SaveText(bg, w.organizer, c.ID, letters.TextInput{Said: half, Revision: c.Revision})
		w.must(err)
		if es := c.In("es"); es.Title != "Veinte visitas" || es.Locale != "es" || es.Ask != "Vote sí." || es.OwnLocale != "en" || len(c.Texts) != 1 {
			t.Errorf("%+v", es)
		}
		if got := bodies(c.In("es").PointsFor("es", "*")); len(got) != 3 {
			t.Errorf("no points of the first language: %v", got)
		}
		point("para todos", "es", "", uuid.Nil)
		if got := bodies(c.PointsFor("es", "*")); !slices.Equal(got, []string{"para todos"}) {
			t.Errorf("%v", got)
		}
		// A target goes with its points, a language with its own.
		c, err = w.svc.RemoveTarget(bg, w.organizer, c.ID, c.Targets[1].ID, c.Revision)
		w.must(err)
		c, err = w.svc.RemoveText(bg, w.organizer, c.ID, "es", c.Revision)
		w.must(err)
		if got := bodies(c.Points); !slices.Equal(got, []string{"for all", "for a party"}) {
			t.Errorf("%v", got)
		}
	})
}

// Held letters wait for a person, the oldest first, side by side with the one that they resemble; each goes once, and who is turned down
// hears why, once.
func TestHeldLetters(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.open("Twenty visits")
		first, _ := w.letter(c, w.ada, models.LetterReleased, "My father could lift his cup again.", 80)
		w.clk.Add(time.Minute)
		one, d1 := w.letter(c, w.ada, models.LetterHeld, "My mother could lift her cup again, at last.", 80)
		w.clk.Add(time.Minute)
		two, d2 := w.letter(c, w.ada, models.LetterHeld, "You fool.", 80)
		w.must(w.db.Model(&models.Letter{}).Where("id = ?", one.ID).Update("held_like", first.ID).Error)
		for _, a := range []actor.Actor{w.advocate, w.viewer, w.chaptered} {
			_, err := w.svc.Held(bg, a, uuid.Nil, paging.Cursor{})
			w.wants(err, fault.Forbidden, "error.forbidden")
			_, err = w.svc.LetGo(bg, a, one.ID)
			w.wants(err, fault.Forbidden, "error.forbidden")
			w.wants(w.svc.TurnDown(bg, a, one.ID, "unkind"), fault.Forbidden, "error.forbidden")
		}
		page, err := w.svc.Held(bg, w.organizer, uuid.Nil, paging.Cursor{})
		w.must(err)
		if len(page.Rows) != 2 || page.Rows[0].ID != one.ID || !page.Rows[0].LikeSent || page.Rows[1].Like != nil {
			t.Fatalf("%+v", page.Rows)
		}
		show := func(pieces []letters.Piece) (s string) {
			for _, p := range pieces {
				if p.Own {
					s += "[" + p.Text + "]"
				} else {
					s += p.Text
				}
			}
			return s
		}
		if got := show(page.Rows[0].Words); got != "My [mother ]could lift [her ]cup again, [at last.]" {
			t.Errorf("%q", got)
		}
		if got := show(page.Rows[0].Like); got != "My [father ]could lift [his ]cup again." {
			t.Errorf("%q", got)
		}
		if q, err := w.svc.Queues(bg, w.organizer); err != nil || q[1].Count != 2 || !q[1].Oldest.Equal(campaignsAt.Add(time.Minute)) {
			t.Errorf("%+v, %v", q, err)
		}
		_, err = w.svc.LetGo(bg, w.organizer)
		w.wants(err, fault.Invalid, "error.letters_none_chosen")
		if n, err := w.svc.LetGo(bg, w.organizer, one.ID, first.ID, uuid.New()); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := w.svc.LetGo(bg, w.organizer, one.ID); err != nil || n != 0 {
			t.Errorf("twice: %d, %v", n, err)
		}
		w.wants(w.svc.TurnDown(bg, w.organizer, two.ID, "because"), fault.Invalid, "reason=error.letters_reject_reason")
		w.must(w.svc.TurnDown(bg, w.organizer, two.ID, "unkind"))
		w.wants(w.svc.TurnDown(bg, w.organizer, two.ID, "unkind"), fault.Conflict, "error.letters_not_held")
		var rows []models.Dispatch
		w.must(w.db.Where("id IN ?", []uuid.UUID{d1.ID, d2.ID}).Order("created_at").Find(&rows).Error)
		if rows[0].State != models.DispatchWaiting || rows[1].State != models.DispatchClosed || rows[1].ClosedReason != "unkind" {
			t.Errorf("%+v", rows)
		}
		var l models.Letter
		w.must(w.db.Take(&l, "id = ?", two.ID).Error)
		if l.State != models.LetterRejected || l.ReviewedBy == nil || *l.ReviewedBy != w.organizer.UserID {
			t.Errorf("%+v", l)
		}
		var mails []models.Delivery
		w.must(w.db.Find(&mails).Error)
		if len(mails) != 1 || mails[0].Kind != letters.KindRejected || mails[0].MailboxID != two.MailboxID {
			t.Fatalf("%+v", mails)
		}
		content, err := w.svc.Rejected(bg, mails[0])
		w.must(err)
		if m := content.Data.(letters.RejectedMail); m.GivenName != "Juniper" || m.Reason != "en lettercampaigns.told_unkind" || m.URL != "https://act.example.org/letters/twenty-visits" {
			t.Errorf("%+v", m)
		}
		var n int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("action IN ('letter.release', 'letter.reject') AND details NOT LIKE '%fool%'").Count(&n).Error)
		if n != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

// The report counts, and hides what could tell of a single writer from who does not run the campaign.
func TestReportOfLetters(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.open("Twenty visits")
		eva := w.seat("Eva Marsh", "9", "")
		place := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:7", Name: "House 7", Country: "US", Region: "WN", Kind: models.DivisionLower, CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
		small := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:9", Name: "House 9", Country: "US", Region: "WN", Kind: models.DivisionLower, CreatedAt: campaignsAt, UpdatedAt: campaignsAt}
		w.create(&place, &small)
		set := func(id uuid.UUID, columns map[string]any) {
			w.must(w.db.Model(&models.Dispatch{}).Where("id = ?", id).Updates(columns).Error)
		}
		for i := range 14 {
			l, d := w.letter(c, w.ada, models.LetterReleased, "one two three four", []int{0, 10, 50, 75, 90}[i%5])
			w.must(w.db.Model(&models.Letter{}).Where("id = ?", l.ID).Update("divisions", `["`+place.ID.String()+`"]`).Error)
			switch {
			case i < 8:
				set(d.ID, map[string]any{"state": models.DispatchPresumed, "channel": models.ByEmail, "handed_at": w.clk.Now().Add(-time.Duration(i) * 20 * time.Minute), "answer": map[bool]string{true: "yes", false: "no"}[i < 3]})
			case i < 10:
				set(d.ID, map[string]any{"state": models.DispatchBounced, "answer": "unclear"})
			case i < 11:
				set(d.ID, map[string]any{"state": models.DispatchByHand, "channel": models.ByWebForm})
			case i < 12:
				set(d.ID, map[string]any{"state": models.DispatchClosed, "closed_reason": "withdrawn"})
			}
		}
		for range 2 {
			l, _ := w.letter(c, eva, models.LetterReleased, "one", 10)
			w.must(w.db.Model(&models.Letter{}).Where("id = ?", l.ID).Update("divisions", `["`+small.ID.String()+`"]`).Error)
		}
		w.letter(c, w.ada, models.LetterHeld, "held one", 100)
		soon := w.clk.Now().Add(40 * time.Minute)
		w.must(w.db.Save(&models.LetterPace{LegislatorID: w.ada.ID, NextAt: &soon, UpdatedAt: soon}).Error)
		r, err := w.svc.Report(bg, w.organizer, c.ID, time.UTC)
		w.must(err)
		if r.Confirmed != 17 || r.Waiting != 4 || r.Handed != 8 || r.OwnShare != [5]int{3, 5, 3, 3, 3} || r.OwnWords != 4 {
			t.Errorf("%+v", r)
		}
		if last := r.Days[len(r.Days)-1]; last.Confirmed != 17 || last.Handed != 8 || len(r.Days) != 30 {
			t.Errorf("%+v", last)
		}
		if len(r.Offices) != 2 || r.Offices[0].Member.Name != "Ada Quill" || r.Offices[0].Letters != 14 || r.Offices[0].Handed != 8 || r.Offices[0].Missed != 3 || r.Offices[0].ByHand != 1 || r.Offices[0].LastHour != 3 || r.Offices[0].NextAt == nil || !r.Offices[0].NextAt.Equal(soon) {
			t.Errorf("%+v", r.Offices)
		}
		if o := r.Offices[0]; !o.Told || o.Answers != 10 || o.Yes != 3 || r.Offices[1].Told || r.Offices[1].Hidden {
			t.Errorf("%+v", r.Offices)
		}
		open := map[string]int{}
		for _, x := range r.Open {
			open[string(x.State)+x.Reason] = x.N
		}
		if open["bounced"] != 2 || open["by_hand"] != 1 || open["closedwithdrawn"] != 1 || len(open) != 3 {
			t.Errorf("%v", open)
		}
		// Two letters of a district are not told, and neither is any number from which they could be reckoned: the only other one hides with them.
		if len(r.Districts.Rows) != 0 || r.Districts.Rest != 17 {
			t.Errorf("%+v", r.Districts)
		}
		seen, err := w.svc.Report(bg, w.viewer, c.ID, time.UTC)
		w.must(err)
		for _, o := range seen.Offices {
			if !o.Hidden || o.Letters != 0 || o.Answers != 0 {
				t.Errorf("a viewer sees %+v", o)
			}
		}
		_, err = w.svc.Report(bg, actor.Actor{}, c.ID, time.UTC)
		w.wants(err, fault.Unauthenticated, "error.login_needed")

		// The table to take home says nothing about a writer.
		var lines []string
		w.must(w.svc.Figures(bg, w.organizer, c.ID, func(f letters.FigureRow) error {
			lines = append(lines, fmt.Sprintf("%+v", f))
			return nil
		}))
		all := strings.Join(lines, "\n")
		if len(lines) != 2 || !strings.Contains(all, "Legislator:Ada Quill") || !strings.Contains(all, "Letters:14 Waiting:2 Handed:8 ByHand:1 Done:0 Missed:3 AnswerYes:3 AnswerOpen:7") {
			t.Errorf("%s", all)
		}
		for _, secret := range []string{"Juniper", "Canary", "writer1@", "00011", "one two"} {
			if strings.Contains(all, secret) {
				t.Errorf("the table holds %q", secret)
			}
		}
		for _, a := range []actor.Actor{w.advocate, w.viewer, w.chaptered} {
			w.wants(w.svc.Figures(bg, a, c.ID, func(letters.FigureRow) error { return nil }), fault.Forbidden, "error.forbidden")
		}
	})
}

// What the organisation did in a period: letters counted by themselves, and what people wrote down.
func TestAdvocacyLog(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.open("Twenty visits")
		for i, set := range []map[string]any{
			{"state": models.DispatchPresumed, "channel": models.ByEmail, "handed_at": campaignsAt},
			{"state": models.DispatchByHand, "channel": models.ByCall, "handed_at": campaignsAt, "done_at": campaignsAt.Add(24 * time.Hour)},
			{"state": models.DispatchByHand, "channel": models.ByWebForm, "handed_at": campaignsAt}, // not done: never counted
			{"state": models.DispatchPresumed, "channel": models.ByEmail, "handed_at": campaignsAt.AddDate(-1, 0, 0)},
		} {
			_, d := w.letter(c, w.ada, models.LetterReleased, fmt.Sprint(i), 10)
			w.must(w.db.Model(&models.Dispatch{}).Where("id = ?", d.ID).Updates(set).Error)
		}
		w.wants(w.svc.LogEntry(bg, w.advocate, letters.EntryInput{}), fault.Forbidden, "error.forbidden")
		err := w.svc.LogEntry(bg, w.organizer, letters.EntryInput{Kind: "bribes", Amount: 0, HappenedOn: "soon"})
		if got := fields(err); !slices.Equal(got, []string{"kind=error.letters_kind_missing", "amount=error.letters_number", "happened_on=error.letters_day"}) {
			t.Errorf("%v", got)
		}
		w.must(w.svc.LogEntry(bg, w.organizer, letters.EntryInput{Kind: "meetings", Amount: 3, Minutes: 90, HappenedOn: "2027-02-20", Note: "At the capitol", CampaignID: c.ID}))
		l, err := w.svc.Advocacy(bg, w.viewer, "", "")
		w.must(err)
		if l.From != "2027-01-01" || l.Until != "2027-12-31" || l.Sums["letters"] != 1 || l.Sums["calls"] != 1 || l.Sums["meetings"] != 3 || l.Minutes != 90 || len(l.Lines) != 3 {
			t.Errorf("%+v", l)
		}
		if l.Lines[0].HappenedOn != "2027-02-24" || !l.Lines[0].Automatic || l.Lines[2].Title != "Twenty visits" {
			t.Errorf("%+v", l.Lines)
		}
		if old, err := w.svc.Advocacy(bg, w.viewer, "2026-01-01", "2026-12-31"); err != nil || old.Sums["letters"] != 1 || len(old.Lines) != 1 {
			t.Errorf("%+v, %v", old, err)
		}
		w.must(w.svc.StrikeEntry(bg, w.organizer, l.Lines[2].ID))
		w.wants(w.svc.StrikeEntry(bg, w.organizer, l.Lines[2].ID), fault.NotFound, "error.letters_entry_unknown")
		if l, err := w.svc.Advocacy(bg, w.viewer, "", ""); err != nil || l.Sums["meetings"] != 0 {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

// Positions are off by default, are only ever added, carry their source, and are about somebody in office.
func TestPositions(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.open("Twenty visits")
		in := letters.PositionInput{LegislatorID: w.ada.ID, Stance: "undecided", SaidOn: "2027-02-20", SourceTitle: "Hearing", SourceURL: "https://example.org/hearing"}
		w.wants(w.svc.AddPosition(bg, w.organizer, c.ID, in), fault.Conflict, "error.letters_positions_off")
		plan := letters.PlanOf(c.LetterCampaign)
		plan.Positions = true
		_, err := w.svc.Save(bg, w.organizer, c.ID, letters.SaveInput{Plan: plan, Revision: c.Revision})
		w.must(err)
		w.wants(w.svc.AddPosition(bg, w.advocate, c.ID, in), fault.Forbidden, "error.forbidden")
		wrong := in
		wrong.LegislatorID, wrong.Stance, wrong.SaidOn, wrong.SourceTitle, wrong.SourceURL = w.ben.ID, "", "2027-03-20", "", "http://example.org/"
		if got := fields(w.svc.AddPosition(bg, w.organizer, c.ID, wrong)); !slices.Equal(got, []string{
			"legislator=error.letters_legislator_missing", "stance=error.letters_stance_missing", "said_on=error.letters_day_ahead", "source_title=error.letters_source_title_missing", "source_url=error.letters_url",
		}) {
			t.Errorf("%v", got)
		}
		w.must(w.svc.AddPosition(bg, w.organizer, c.ID, in))
		in.Stance, in.SaidOn = "support", "2027-02-22"
		w.must(w.svc.AddPosition(bg, w.organizer, c.ID, in))
		_, rows, err := w.svc.PositionsOf(bg, w.organizer, c.ID)
		w.must(err)
		if len(rows) != 1 || rows[0].Now().Stance != "support" || len(rows[0].Said) != 2 {
			t.Errorf("%+v", rows)
		}
		_, _, err = w.svc.PositionsOf(bg, w.viewer, c.ID)
		w.wants(err, fault.Forbidden, "error.forbidden")
	})
}

func TestElectionNear(t *testing.T) {
	for day, want := range map[string]bool{
		"2028-11-07": true, "2028-11-08": false, "2028-09-08": true, "2028-09-07": false, "2027-11-02": false, "2026-11-03": true, "2026-11-04": false, "2032-11-02": true, "2032-11-03": false,
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := letters.ElectionNear(at.Add(12 * time.Hour)); got != want {
			t.Errorf("%s: %v", day, got)
		}
	}
}

// Its author hears by mail that a letter campaign was handed in, came back with a reason, and is public; each mail says what is so when it
// goes. Who publishes what they wrote themselves hears nothing of it.
func TestItsAuthorHears(t *testing.T) {
	eachDesk(t, func(w *desk) {
		queued := func(id uuid.UUID) (out []models.Delivery) {
			t.Helper()
			w.must(w.db.Where("kind = ? AND subject_id = ?", letters.KindState, id).Order("created_at, id").Find(&out).Error)
			return out
		}
		said := func(d models.Delivery) string {
			t.Helper()
			c, err := w.svc.StateMail(bg, d)
			if fault.Is(err, fault.Gone) {
				return "gone"
			}
			w.must(err)
			m := c.Data.(letters.StateMail)
			return fmt.Sprintf("%s %s: %s, %s", c.Lang, m.State, m.Reason, strings.ReplaceAll(m.URL, d.SubjectID.String(), "ID"))
		}
		var author models.User
		w.must(w.db.Take(&author, "id = ?", w.advocate.UserID).Error)
		c := w.ready(w.advocate, "Twenty visits")
		c, err := w.svc.Submit(bg, w.advocate, c.ID, c.Revision)
		w.must(err)
		all := queued(c.ID)
		if len(all) != 1 || all[0].MailboxID != author.MailboxID || all[0].Purpose != models.PurposeReceipt || said(all[0]) != "en submitted: , https://act.example.org/admin/letters/ID" {
			t.Fatalf("%+v", all)
		}
		w.clk.Add(time.Hour)
		c, err = w.svc.Return(bg, w.organizer, c.ID, letters.ReturnInput{Reason: "Which committee?", Revision: c.Revision})
		w.must(err)
		w.must(w.db.Model(&models.User{}).Where("id = ?", author.ID).Update("locale", "es").Error)
		if all = queued(c.ID); len(all) != 2 || said(all[1]) != "es returned: Which committee?, https://act.example.org/admin/letters/ID/edit" {
			t.Fatalf("%+v", all)
		}
		w.clk.Add(time.Hour)
		c, err = w.svc.Submit(bg, w.advocate, c.ID, c.Revision)
		w.must(err)
		w.clk.Add(time.Hour)
		c, err = w.svc.Publish(bg, w.organizer, c.ID, letters.PublishInput{Revision: c.Revision})
		w.must(err)
		if all = queued(c.ID); len(all) != 4 || said(all[3]) != "es published: , https://act.example.org/letters/"+c.Slug {
			t.Fatalf("%+v", all)
		}
		_, err = w.svc.Pause(bg, w.organizer, c.ID)
		w.must(err)
		if got := said(all[3]); got != "gone" || len(queued(c.ID)) != 4 {
			t.Errorf("paused: %s", got)
		}
		own := w.ready(w.organizer, "Mine")
		own, err = w.svc.Publish(bg, w.organizer, own.ID, letters.PublishInput{Revision: own.Revision})
		w.must(err)
		if n := len(queued(own.ID)); n != 0 {
			t.Errorf("%d mails about one's own", n)
		}
	})
}

// Points change places with their neighbour of the same language, and nobody else's.
func TestPointsMove(t *testing.T) {
	eachDesk(t, func(w *desk) {
		c := w.ready(w.advocate, "Twenty visits")
		c, err := w.svc.SaveText(bg, w.advocate, c.ID, letters.TextInput{Said: letters.Said{Title: "Veinte", Summary: "s", Ask: "¿Votará sí?", Subject: "HB 412", Closing: "Saludos", Locale: "es"}, Revision: c.Revision})
		w.must(err)
		at := map[string]uuid.UUID{}
		for _, p := range []string{"en one", "es uno", "en two", "es dos", "en three"} {
			locale, body, _ := strings.Cut(p, " ")
			c, err = w.svc.AddPoint(bg, w.advocate, c.ID, letters.PointInput{Body: body, Locale: locale, Revision: c.Revision})
			w.must(err)
			at[body] = c.Points[len(c.Points)-1].ID
		}
		order := func() string {
			var out []string
			for _, p := range c.Points {
				out = append(out, p.Body)
			}
			return strings.Join(out, " ")
		}
		for _, m := range []struct {
			point string
			up    bool
			want  string
		}{
			{"three", true, "one uno three dos two"},
			{"three", true, "three uno one dos two"},
			{"uno", false, "three dos one uno two"},
			{"three", false, "one dos three uno two"},
		} {
			c, err = w.svc.MovePoint(bg, w.advocate, c.ID, at[m.point], m.up, c.Revision)
			w.must(err)
			if got := order(); got != m.want {
				t.Fatalf("%s, up %t: %s", m.point, m.up, got)
			}
		}
		if c.Movable(at["one"], true) || !c.Movable(at["one"], false) || c.Movable(at["uno"], false) || c.Movable(models.NewID(), true) {
			t.Error("a point can go where no other is, or not where one is")
		}
		_, err = w.svc.MovePoint(bg, w.advocate, c.ID, at["one"], true, c.Revision)
		w.wants(err, fault.Conflict, "error.letters_changed")
		_, err = w.svc.MovePoint(bg, w.advocate, c.ID, at["three"], true, c.Revision-1)
		w.wants(err, fault.Conflict, "error.letters_changed")
		_, err = w.svc.MovePoint(bg, w.advocate, c.ID, models.NewID(), true, c.Revision)
		w.wants(err, fault.NotFound, "error.letters_point_unknown")
		_, err = w.svc.MovePoint(bg, w.stranger, c.ID, at["three"], true, c.Revision)
		w.wants(err, fault.NotFound, "error.letters_unknown")
		if fresh, err := w.svc.Draft(bg, w.advocate, c.ID); err != nil || fresh.Revision != c.Revision {
			t.Errorf("revision %d after %d, %v", fresh.Revision, c.Revision, err)
		}
	})
}
