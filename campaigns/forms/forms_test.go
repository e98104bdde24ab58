package forms

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

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
		s := New(db, v, clk, signer, consents.New(db, clk, signer, org), Options{BaseURL: "https://act.example.org"})
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
	w.must(w.db.Create(&c).Error)
	return c.ID
}

// user is an account of a chapter, or of the whole organisation.
func (w *world) user(chapter uuid.UUID) actor.Actor {
	w.t.Helper()
	m := models.Mailbox{ID: models.NewID(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte{1}, CreatedAt: start, UpdatedAt: start}
	w.must(w.db.Create(&m).Error)
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(actor.Organizer), Locale: "en", CreatedAt: start, UpdatedAt: start}
	w.must(w.db.Create(&u).Error)
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Organizer, ChapterID: chapter}
}

func (w *world) open(a actor.Actor, d Draft) models.Form {
	w.t.Helper()
	f, err := w.Create(w.ctx, a, d.Title, "en")
	w.must(err)
	d.Locale = "en"
	f, err = w.Save(w.ctx, a, f.ID, SaveInput{d, f.Revision})
	w.must(err)
	f, err = w.SetState(w.ctx, a, f.ID, models.FormOpen)
	w.must(err)
	return f
}

// confirm submits a form and presses the button.
func (w *world) confirm(in SubmitInput) {
	w.t.Helper()
	in.Locale, in.Lang = "en", "en"
	id, _, err := w.Submit(w.ctx, in)
	w.must(err)
	var sub models.Submission
	w.must(w.db.Take(&sub, "id = ?", id).Error)
	done, err := w.door.Confirm(w.ctx, w.signer.Make(tokens.Confirm, sub.MailboxID, sub.ExpiresAt), []uuid.UUID{id})
	if err != nil || len(done.Items) != 1 {
		w.t.Fatalf("%+v, %v", done, err)
	}
}

// A chapter's account sees its chapter's forms alone, and they make people of that chapter, but not of those of another.
func TestFormsOfChapters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north, south := w.chapter("north"), w.chapter("south")
		a, b, whole := w.user(north), w.user(south), w.user(uuid.Nil)
		mine, theirs, all := w.open(a, Draft{Title: "North"}), w.open(b, Draft{Title: "South"}), w.open(whole, Draft{Title: "All"})
		if mine.ChapterID == nil || *mine.ChapterID != north || all.ChapterID != nil {
			t.Errorf("%+v %+v", mine.ChapterID, all.ChapterID)
		}
		for _, id := range []uuid.UUID{theirs.ID, all.ID} {
			_, get := w.Get(w.ctx, a, id)
			_, save := w.Save(w.ctx, a, id, SaveInput{Draft{Title: "Taken", Locale: "en"}, 2})
			_, state := w.SetState(w.ctx, a, id, models.FormClosed)
			_, report := w.Report(w.ctx, a, id, time.UTC)
			_, choices := w.Choices(w.ctx, a, id)
			_, preview := w.Preview(w.ctx, a, id, "en")
			for i, err := range []error{get, save, state, report, choices, preview} {
				if !fault.Is(err, fault.NotFound) {
					t.Errorf("%d: %v", i, err)
				}
			}
		}
		if list, err := w.List(w.ctx, a, paging.Cursor{}); err != nil || len(list.Rows) != 1 || list.Rows[0].ID != mine.ID {
			t.Errorf("%+v %v", list, err)
		}
		if list, err := w.List(w.ctx, whole, paging.Cursor{}); err != nil || len(list.Rows) != 3 {
			t.Errorf("%+v %v", list, err)
		}
		if _, err := w.List(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Viewer}, paging.Cursor{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a viewer: %v", err)
		}
		// A chapter's account cannot move its form elsewhere.
		f, err := w.Save(w.ctx, a, mine.ID, SaveInput{Draft{Title: "North too", Locale: "en", ChapterID: &south}, mine.Revision})
		if err != nil || f.ChapterID == nil || *f.ChapterID != north {
			t.Errorf("%+v %v", f.ChapterID, err)
		}
		w.confirm(SubmitInput{Slug: mine.Slug, Email: "june@example.org"})
		w.confirm(SubmitInput{Slug: theirs.Slug, Email: "june@example.org"})
		var p models.Supporter
		if err := w.db.Take(&p).Error; err != nil || p.ChapterID == nil || *p.ChapterID != north {
			t.Errorf("%+v %v", p, err)
		}
	})
}

// Two pages never overwrite each other unseen; what cannot be stored is told by field.
func TestSave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil)
		f, err := w.Create(w.ctx, a, "Lend a hand", "en")
		w.must(err)
		d := Draft{Title: "Lend a hand", Locale: "en", Questions: []Question{{Key: City, Required: true}, {Key: "nonsense"}, {Key: City}}, Tags: []string{" Helper ", "helper"}, Hosts: "example.org https://EXAMPLE.org http://localhost:8080"}
		one, err := w.Save(w.ctx, a, f.ID, SaveInput{d, f.Revision})
		w.must(err)
		if q := QuestionsOf(one); !slices.Equal(q, []Question{{City, true}}) || one.EmbedHosts != "https://example.org\nhttp://localhost:8080" || one.Revision != f.Revision+1 {
			t.Errorf("%+v %+v", q, one)
		}
		again, err := w.Save(w.ctx, a, f.ID, SaveInput{d, f.Revision}) // the same, from the older page
		if err != nil || again.Revision != one.Revision {
			t.Errorf("%d %v", again.Revision, err)
		}
		d.Intro = "Other"
		if stored, err := w.Save(w.ctx, a, f.ID, SaveInput{d, f.Revision}); !fault.Is(err, fault.Conflict) || stored.Intro != "" {
			t.Errorf("%+v %v", stored, err)
		}
		for _, c := range []struct {
			change func(d *Draft)
			want   string
		}{
			{func(d *Draft) { d.Title = strings.Repeat("x", TitleMax+1) }, "title"},
			{func(d *Draft) { d.Locale = "<b>" }, "locale"},
			{func(d *Draft) { d.Hosts = "example.org;script-src *" }, "hosts"},
			{func(d *Draft) { d.Hosts = "http://example.org" }, "hosts"},
			{func(d *Draft) { d.Hosts = "*" }, "hosts"},
			{func(d *Draft) { id := uuid.New(); d.CampaignID = &id }, "campaign"},
			{func(d *Draft) { id := uuid.New(); d.ChapterID = &id }, "chapter"},
			{func(d *Draft) { d.Tags = []string{strings.Repeat("x", 61)} }, "tags"},
		} {
			bad := d
			c.change(&bad)
			_, err := w.Save(w.ctx, a, f.ID, SaveInput{bad, one.Revision})
			if e := asFault(err); e == nil || e.Kind != fault.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != c.want {
				t.Errorf("%s: %v", c.want, err)
			}
		}
	})
}

func TestAnswers(t *testing.T) {
	choice := &models.CustomField{ID: uuid.New(), Kind: models.FieldChoice, Choices: "Write\nCall"}
	questions := []Asked{
		{Question: Question{GivenName, true}},
		{Question: Question{Key: PostalCode}},
		{Question: Question{Key: Country}},
		{Question: Question{Key: Phone}},
		{Question: Question{Key: HowOften}},
		{Question: Question{Key: FieldKey(choice.ID), Required: true}, Field: choice},
	}
	for _, c := range []struct{ key, typed, want string }{
		{GivenName, "  June \t Ann ", ""},
		{GivenName, "", "error.answer_missing"},
		{GivenName, "a\u202eb", "error.text_unreadable"},
		{GivenName, strings.Repeat("x", 101), "error.text_too_long"},
		{PostalCode, "27 601", ""},
		{PostalCode, "<b>", "error.postal_code_invalid"},
		{PostalCode, "--", "error.postal_code_invalid"},
		{Country, "us", ""},
		{Country, "USA", "error.value_unknown"},
		{Phone, "12", "error.phone_invalid"},
		{Phone, "+49 30 1234567", ""},
		{HowOften, "weekly", ""},
		{HowOften, "hourly", "error.value_unknown"},
		{FieldKey(choice.ID), "call", ""},
		{FieldKey(choice.ID), "Sing", "error.field_choice"},
	} {
		typed := map[string]string{GivenName: "June", FieldKey(choice.ID): "Call"}
		typed[c.key] = c.typed
		var bad fault.Fields
		out := check(&bad, questions, typed)
		got := ""
		if len(bad) > 0 {
			got = bad[0].Key
			if bad[0].Name != c.key {
				t.Errorf("%q for %s: told of %s", c.typed, c.key, bad[0].Name)
			}
		} else if out[GivenName] != "June" && out[GivenName] != "June Ann" || out[FieldKey(choice.ID)] != "Call" {
			t.Errorf("%q for %s: %v", c.typed, c.key, out)
		}
		if got != c.want {
			t.Errorf("%q for %s: %q, want %q", c.typed, c.key, got, c.want)
		}
	}
}

// A postal code in two districts: the form asks which, takes no other, and takes "I do not know".
func TestDistrict(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		f := w.open(w.user(uuid.Nil), Draft{Title: "Lend a hand", Questions: []Question{{Key: PostalCode}, {Key: Country}, {Key: District, Required: true}}})
		var ids []uuid.UUID
		for _, n := range []string{"2", "4"} {
			d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:nc/cd:" + n, Name: "District " + n, Country: "US", Region: "NC", Kind: models.DivisionCongress, Version: "v", CreatedAt: start, UpdatedAt: start}
			w.must(w.db.Create(&d).Error)
			w.must(w.db.Create(&models.PostalDivision{Country: "US", PostalArea: "27601", DivisionID: d.ID, Kind: models.DivisionCongress, Version: "v"}).Error)
			ids = append(ids, d.ID)
		}
		in := SubmitInput{Slug: f.Slug, Email: "june@example.org", Lang: "en", Locale: "en", Answers: map[string]string{PostalCode: "27601", Country: "us"}}
		_, choices, err := w.Submit(w.ctx, in)
		if e := asFault(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Name != District || len(choices) != 1 || len(choices[0].Divisions) != 2 {
			t.Fatalf("%+v, %v", choices, err)
		}
		in.Answers[District] = uuid.NewString()
		if _, _, err := w.Submit(w.ctx, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("another place's district: %v", err)
		}
		in.Answers[District] = ids[1].String()
		w.confirm(in)
		var home models.SupporterDivision
		if err := w.db.Take(&home).Error; err != nil || home.DivisionID != ids[1] || home.How != models.ByPerson {
			t.Errorf("%+v, %v", home, err)
		}
		in.Email, in.Answers = "cal@example.org", map[string]string{PostalCode: "27601", Country: "us", District: uuid.Nil.String()}
		w.confirm(in)
		var n int64
		if err := w.db.Model(&models.SupporterDivision{}).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
