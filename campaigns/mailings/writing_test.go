package mailings_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/mailings"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// colleague is another account of the organisation.
func (w *world) colleague(address string, role actor.Role) actor.Actor {
	w.t.Helper()
	u := models.User{ID: models.NewID(), MailboxID: w.mailbox(address), Role: string(role), Locale: "en", CreatedAt: start, UpdatedAt: start}
	u.NameSealed = w.vault.Seal("users", "name_sealed", u.ID, "Ada Somebody")
	w.must(w.db.Create(&u).Error)
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role}
}

// put saves a draft over what there is and returns the new revision.
func (w *world) put(id uuid.UUID, d mailings.Draft) int {
	w.t.Helper()
	m, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	d.Revision, d.PetitionID = m.Revision, w.petition.ID
	r, err := w.svc.Save(ctx, w.user, id, d)
	w.must(err)
	return r
}

// said are the keys of the checks with a tone, without what begins them all.
func said(list mailings.Checks, tone string) string {
	var out []string
	for _, c := range list {
		if c.Tone == tone {
			out = append(out, strings.TrimPrefix(strings.TrimPrefix(c.Key, "mailings.check_"), "error."))
		}
	}
	return strings.Join(out, " ")
}

func (w *world) checks(id uuid.UUID) mailings.Checks {
	w.t.Helper()
	list, _, err := w.svc.Checks(ctx, w.user, id)
	w.must(err)
	return list
}

// Each person gets the version in their own language, or the first one.
func TestVersionsByLanguage(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.orgSet(map[string]any{"languages": "en,es"})
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		box := w.sign("luz@example.org", "Luz", models.SignatureConfirmed, true)
		w.must(db.Model(&models.Signature{}).Where("mailbox_id = ?", box).Update("locale", "es-MX").Error)
		id := w.draft()
		r := w.put(id, mailings.Draft{Subject: "Tuesday", Body: "Hello {{given_name|friend}}, {{signature_count}}."})
		if _, err := w.svc.AddLanguage(ctx, w.user, id, r, "fr"); key(err) != "error.check_fields" {
			t.Errorf("a language that is not ours: %v", err)
		}
		r, err := w.svc.AddLanguage(ctx, w.user, id, r, "es")
		w.must(err)
		if _, err := w.svc.AddLanguage(ctx, w.user, id, r, "es"); key(err) != "error.check_fields" {
			t.Errorf("twice: %v", err)
		}
		if _, err := w.svc.Save(ctx, w.user, id, mailings.Draft{Revision: r, PetitionID: w.petition.ID, Version: "fr", Subject: "x", Body: "x"}); key(err) != "error.mailing_language_unknown" {
			t.Errorf("a version that there is not: %v", err)
		}
		w.put(id, mailings.Draft{Version: "es", Subject: "Martes", Preheader: "Dos minutos", Body: "Hola {{given_name|amiga}}, {{signature_count}}."})
		if texts, err := w.svc.Texts(ctx, w.user, id); err != nil || len(texts) != 2 || texts[0].Lines[0].Subject != "Tuesday" || texts[1].Lines[0] != (mailings.Line{Subject: "Martes", Preheader: "Dos minutos"}) {
			t.Errorf("%+v, %v", texts, err)
		}
		if p, err := w.svc.PreviewIn(ctx, w.user, id, "es", 0); err != nil || p.Subject != "Martes" || !strings.Contains(p.HTML, "Hola Ilse") || !strings.Contains(p.HTML, `lang="es"`) {
			t.Errorf("%+v, %v", p, err)
		}
		// A check of one version says which.
		w.put(id, mailings.Draft{Version: "es", Subject: "Día del dolor", Body: "Hola"})
		if list := w.checks(id); said(list, mailings.Stop) != "neutral" || list[0].Locale != "es" || fmt.Sprint(list[0].Args) != "[Words “dolor”]" {
			t.Errorf("%+v", list)
		}
		r = w.put(id, mailings.Draft{Version: "es", Subject: "Martes", Body: "Hola {{given_name|amiga}}, {{signature_count}}."})
		w.must(w.svc.Test(ctx, w.user, id))
		w.must(w.svc.Send(ctx, w.user, id, r))
		w.must(w.svc.Freeze(ctx, id))
		w.drain()
		got := map[string]string{}
		for _, m := range w.wire.Messages() {
			got[m.To+" "+m.Subject] = strings.SplitN(m.Text, "\n", 2)[0]
		}
		want := map[string]string{
			"june@example.org Tuesday": "Hello June, 3184.", "luz@example.org Martes": "Hola Luz, 3184.",
			"ilse@example.org mailings.test_subject Subject Tuesday": "Hello Ilse, 3184.", "ilse@example.org mailings.test_subject Subject Martes": "Hola Ilse, 3184.",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v\nwant %v", got, want)
		}
		if _, err := w.svc.RemoveLanguage(ctx, w.user, id, r, "es"); key(err) != "error.mailing_moved" {
			t.Errorf("from one that is on its way: %v", err)
		}
	})
}

func TestSubjectVariants(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		w.put(id, mailings.Draft{Subject: "One", More: []mailings.Line{{Subject: "Two, {{given_name|friend}}", Preheader: "second"}, {}, {Subject: "Three"}}, Body: "x"})
		texts, err := w.svc.Texts(ctx, w.user, id)
		w.must(err)
		if len(texts[0].Lines) != 3 || texts[0].Lines[2].Subject != "Three" {
			t.Errorf("%+v", texts[0].Lines)
		}
		if p, err := w.svc.PreviewIn(ctx, w.user, id, "", 1); err != nil || p.Subject != "Two, Ilse" || p.Preheader != "second" || len(p.Screens) != 3 {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err := w.svc.PreviewIn(ctx, w.user, id, "", 9); err != nil || p.Subject != "One" {
			t.Errorf("one that there is not: %+v, %v", p, err)
		}
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		// A copy goes out with the subject that its delivery has.
		other := w.draft()
		r := w.put(other, mailings.Draft{Subject: "One", More: []mailings.Line{{Subject: "Two, {{given_name|friend}}"}}, Body: "x"})
		w.must(w.svc.Send(ctx, w.user, other, r))
		w.must(w.svc.Freeze(ctx, other))
		w.must(db.Exec("UPDATE deliveries SET variant = 1 WHERE mailing_id = ?", other).Error)
		w.drain()
		if sent := w.wire.Messages(); len(sent) != 1 || sent[0].Subject != "Two, June" {
			t.Errorf("%+v", sent)
		}
		d := mailings.Draft{Revision: m.Revision, PetitionID: w.petition.ID, Subject: "One", Body: "x", More: []mailings.Line{{Subject: "{{nobody}}"}, {Subject: strings.Repeat("x", 201)}}}
		_, err = w.svc.Save(ctx, w.user, id, d)
		var f *fault.Error
		if !errors.As(err, &f) || !fault.Fields(f.Fields).Has("subject_3") {
			t.Errorf("too long: %v", err)
		}
		d.More = d.More[:1]
		if _, err = w.svc.Save(ctx, w.user, id, d); !errors.As(err, &f) || !fault.Fields(f.Fields).Has("subject_2") {
			t.Errorf("a field that there is not: %v", err)
		}
		d.More = make([]mailings.Line, 4)
		if _, err = w.svc.Save(ctx, w.user, id, d); key(err) != "error.check_fields" {
			t.Errorf("five: %v", err)
		}
	})
}

// What was saved by hand is kept, and what was typed now and then; it can be put back.
func TestRevisions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.orgSet(map[string]any{"languages": "en,es"})
		id, err := w.svc.Create(ctx, w.user, w.petition.ID)
		w.must(err)
		typed := func(body string) {
			t.Helper()
			w.put(id, mailings.Draft{Subject: "S", Body: body, Unfinished: true})
		}
		typed("a")                                                                     // 2, kept: the first
		typed("ab")                                                                    // 3, soon after
		w.clk.Add(11 * time.Minute)                                                    //
		typed("abc {{giv")                                                             // 4, kept
		typed("abcd")                                                                  // 5
		w.put(id, mailings.Draft{Subject: "By hand", Body: "abcde", NamesCause: true}) // 6, kept
		list, err := w.svc.Revisions(ctx, w.user, id)
		w.must(err)
		var got []string
		for _, r := range list {
			got = append(got, fmt.Sprintf("%d %v %s", r.Revision, r.ByHand, r.Texts[0].Body))
		}
		if s := strings.Join(got, ", "); s != "6 true abcde, 4 false abc {{giv, 2 false a" {
			t.Errorf("%s", s)
		}
		r, err := w.svc.AddLanguage(ctx, w.user, id, 6, "es")
		w.must(err)
		if r, err = w.svc.Restore(ctx, w.user, id, r, 4); err != nil || r != 8 {
			t.Fatalf("%d, %v", r, err)
		}
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		texts, err := w.svc.Texts(ctx, w.user, id)
		w.must(err)
		if m.Body != "abc {{giv" || m.Subject != "S" || m.NamesCause || len(texts) != 1 || m.Revision != 8 {
			t.Errorf("%+v, %d texts", m, len(texts))
		}
		if r, err = w.svc.Restore(ctx, w.user, id, 8, 7); err != nil { // with both languages
			t.Fatal(err)
		}
		if texts, err = w.svc.Texts(ctx, w.user, id); err != nil || len(texts) != 2 || texts[1].Body != "abcde" {
			t.Errorf("%+v, %v", texts, err)
		}
		if _, err := w.svc.Restore(ctx, w.user, id, 8, 2); key(err) != "error.mailing_changed" {
			t.Errorf("an old page: %v", err)
		}
		if _, err := w.svc.Restore(ctx, w.user, id, r, 99); key(err) != "error.mailing_revision_unknown" {
			t.Errorf("one that was not kept: %v", err)
		}
		if _, err := w.svc.Revision(ctx, w.user, id, 3); key(err) != "error.mailing_revision_unknown" {
			t.Errorf("one that was not kept: %v", err)
		}
	})
}

func TestTemplates(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.orgSet(map[string]any{"languages": "en,es"})
		id, err := w.svc.CreateTo(ctx, w.user, mailings.To{Newsletter: true, Locale: "es", Template: "event"})
		w.must(err)
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		if !strings.Contains(m.Subject, "invitación") || !strings.Contains(m.Body, "::: evento") || m.Locale != "es" {
			t.Errorf("%+v", m)
		}
		if s := said(w.checks(id), mailings.Stop); !strings.Contains(s, "placeholder") {
			t.Errorf("what is to be filled in: %s", s)
		}
		_, err = w.svc.AddLanguage(ctx, w.user, id, 1, "en")
		w.must(err)
		if _, err := w.svc.SaveTemplate(ctx, w.user, id, " "); key(err) != "error.check_fields" {
			t.Errorf("no name: %v", err)
		}
		own, err := w.svc.SaveTemplate(ctx, w.user, id, "Monthly")
		w.must(err)
		if _, err := w.svc.SaveTemplate(ctx, w.user, id, "Monthly"); key(err) != "error.check_fields" {
			t.Errorf("a name that is taken: %v", err)
		}
		list, err := w.svc.Templates(ctx, w.user)
		w.must(err)
		if len(list) != 5 || list[4].Name != "Monthly" || !list[0].BuiltIn() {
			t.Errorf("%+v", list)
		}
		// The first language is the new mailing's own.
		again, err := w.svc.CreateTo(ctx, w.user, mailings.To{Newsletter: true, Locale: "en", Template: own.String()})
		w.must(err)
		texts, err := w.svc.Texts(ctx, w.user, again)
		w.must(err)
		if len(texts) != 2 || texts[0].Locale != "en" || texts[1].Locale != "es" {
			t.Errorf("%+v", texts)
		}
		w.must(w.svc.DeleteTemplate(ctx, w.user, own))
		for _, gone := range []string{own.String(), "nothing", uuid.NewString()} {
			if _, err := w.svc.CreateTo(ctx, w.user, mailings.To{Newsletter: true, Template: gone}); key(err) != "error.check_fields" {
				t.Errorf("%s: %v", gone, err)
			}
		}
		if err := w.svc.DeleteTemplate(ctx, w.user, own); key(err) != "error.mailing_template_unknown" {
			t.Errorf("twice: %v", err)
		}
	})
}

// shelf keeps stored files in memory.
type shelf map[string][]byte

func (s shelf) Put(_ context.Context, key string, r io.Reader, _ int64) (err error) {
	s[key], err = io.ReadAll(r)
	return err
}

func (s shelf) Get(_ context.Context, key string) (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(s[key])), int64(len(s[key])), nil
}

func (s shelf) Delete(_ context.Context, key string) error         { delete(s, key); return nil }
func (s shelf) List(context.Context, func(files.Blob) error) error { return nil }

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicturesAndHTML(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.svc.Files = files.New(db, w.vault, w.clk, shelf{})
		p, err := w.svc.AddPicture(ctx, w.user, "The Harbour.png", bytes.NewReader(pngOf(t, 1024, 512)))
		w.must(err)
		q, err := w.svc.AddPicture(ctx, w.user, `C:\x\The Harbour.png`, bytes.NewReader(pngOf(t, 10, 10)))
		w.must(err)
		if p.Name != "the-harbour" || q.Name != "the-harbour-2" || p.Width != 1024 || p.Height != 512 {
			t.Errorf("%+v, %+v", p, q)
		}
		if _, err := w.svc.AddPicture(ctx, w.user, "x.png", strings.NewReader("no picture")); key(err) != "error.check_fields" {
			t.Errorf("no picture: %v", err)
		}
		rc, f, err := w.svc.Picture(ctx, p.FileID)
		w.must(err)
		if b, err := io.ReadAll(rc); err != nil || f.ContentType != "image/png" || len(b) == 0 {
			t.Errorf("%d bytes of %s, %v", len(b), f.ContentType, err)
		}
		other, err := w.svc.Files.Put(ctx, nil, files.PutInput{Kind: models.FilePicture, Public: true}, strings.NewReader("x"))
		w.must(err)
		if _, _, err := w.svc.Picture(ctx, other.ID); key(err) != "error.file_unknown" {
			t.Errorf("a picture of something else: %v", err)
		}
		id := w.draft()
		r := w.put(id, mailings.Draft{Subject: "S", Body: "::: picture\nfile: the-harbour\nalt: Boats\n:::"})
		prev, err := w.svc.Preview(ctx, w.user, id)
		w.must(err)
		if !strings.Contains(prev.HTML, `<img src="`+mailings.PicturePath(p.FileID)+`" alt="Boats" width="512" height="256"`) {
			t.Errorf("%s", prev.HTML)
		}

		src := `<style>p{color:#333}</style><p>Hello {{given_name|friend}}</p><p>{{chapter|<b>"all" & more}} <a href="{{petition_url}}?a=1">x</a></p><img src="data:image/png;base64,` + b64(pngOf(t, 20, 10)) + `"><img src="https://other.example/x.png">`
		if _, err := w.svc.ImportHTML(ctx, w.user, id, r-1, "", src); key(err) != "error.mailing_changed" {
			t.Errorf("an old page: %v", err)
		}
		for bad, want := range map[string]string{"<script>1</script>": "error.check_fields", "<p>{{secret}}</p>": "error.check_fields", strings.Repeat("x", mailings.MaxHTML+1): "error.check_fields"} {
			if _, err := w.svc.ImportHTML(ctx, w.user, id, r, "", bad); key(err) != want {
				t.Errorf("%.40s: %v", bad, err)
			}
		}
		taken, err := w.svc.ImportHTML(ctx, w.user, id, r, "", src)
		w.must(err)
		if taken != (mailings.Taken{Pictures: 1}) {
			t.Errorf("%+v", taken)
		}
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		if m.Format != models.FormatHTML || !strings.Contains(m.Body, `<p style="color:#333">Hello {{given_name|friend}}</p>`) || !strings.Contains(m.Body, mailings.PicturePath(uuid.Nil)[:12]) ||
			!strings.Contains(m.Body, `{{chapter|&lt;b&gt;&#34;all&#34; &amp; more}} <a href="{{petition_url}}?a=1">x</a>`) || strings.Contains(m.Body, "data:") {
			t.Errorf("%+v", m)
		}
		if s := said(w.checks(id), mailings.Stop); !strings.Contains(s, "alt") {
			t.Errorf("a picture without words: %s", s)
		}
		if prev, err = w.svc.Preview(ctx, w.user, id); err != nil || !strings.Contains(prev.HTML, `&lt;b&gt;&#34;all&#34; &amp; more <a href="https://act.example.org/petitions/twenty-visits?a=1">x</a>`) ||
			!strings.Contains(prev.Text, `<b>"all" & more x (https://act.example.org/petitions/twenty-visits?a=1)`) {
			t.Errorf("%s\n%s, %v", prev.HTML, prev.Text, err)
		}
		// The text part is one's own where it is written; the HTML stays as it is whatever the form says.
		w.put(id, mailings.Draft{Subject: "S", Body: "not taken", Plain: "Dear {{given_name|you}}"})
		if prev, err = w.svc.Preview(ctx, w.user, id); err != nil || !strings.HasPrefix(prev.Text, "Dear Ilse") || !strings.Contains(prev.HTML, "Hello Ilse") {
			t.Errorf("%+v, %v", prev, err)
		}
		m, err = w.svc.Get(ctx, w.user, id)
		w.must(err)
		_, err = w.svc.BackToMarkdown(ctx, w.user, id, m.Revision, "")
		w.must(err)
		if m, err = w.svc.Get(ctx, w.user, id); err != nil || m.Format != models.FormatMarkdown || m.Body != "Dear {{given_name|you}}" || m.Plain != "" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

func TestChecksOfWords(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		w.sign("nameless@example.org", "", models.SignatureConfirmed, true)
		id := w.draft()
		for _, c := range []struct {
			d                 mailings.Draft
			stop, think, fine string
		}{
			{mailings.Draft{Subject: "Tuesday", Body: "x"}, "", "", ""},
			{mailings.Draft{Subject: "A day against pain", Body: "x"}, "neutral", "", ""},
			{mailings.Draft{Subject: "Tuesday", Preheader: "for people with fibromyalgia", Body: "x"}, "neutral", "", ""},
			{mailings.Draft{Subject: "A day against pain", Body: "x", NamesCause: true}, "", "", ""},
			{mailings.Draft{Subject: "Tuesday", More: []mailings.Line{{Subject: "Migraine news"}}, Body: "x"}, "neutral", "", ""},
			{mailings.Draft{Subject: "", Body: "x"}, "mailing_no_subject", "", ""},
			{mailings.Draft{Subject: "Tuesday", Body: ""}, "mailing_no_body", "", ""},
			{mailings.Draft{Subject: "RE: our talk", Body: "x"}, "", "subject_reply", ""},
			{mailings.Draft{Subject: "Now!!! Today", Body: "x"}, "", "subject_marks", ""},
			{mailings.Draft{Subject: "READ THIS TODAY", Body: "x"}, "", "subject_capitals", ""},
			{mailings.Draft{Subject: "A free lunch", Body: "x"}, "", "subject_pushy", ""},
			{mailings.Draft{Subject: "The freedom of the town", Body: "x"}, "", "", ""},
			{mailings.Draft{Subject: "One", More: []mailings.Line{{Subject: "One"}}, Body: "x"}, "", "subject_twice", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "::: event\ntitle: x\nwhen: 2027-01-31\nwhere: y\n:::"}, "", "event_over", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "::: event\ntitle: x\nwhen: 2027-02-01\nwhere: y\n:::"}, "", "", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "on [[the day]]"}, "placeholder", "", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "[x](/petitions/twenty-visits) [y](/petitions/nothing) [z](/admin/users)"}, "link_gone link_gone", "", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "[x](http://other.example/) [y](https://nohost)"}, "link_broken", "http", ""},
			{mailings.Draft{Subject: "Tuesday", Body: strings.Repeat("Notwithstanding interdisciplinary considerations, institutional representatives postponed comprehensive implementation. ", 5)}, "", "grade_high", ""},
			{mailings.Draft{Subject: "Tuesday", Body: strings.Repeat("We ask for two days. ", 20)}, "", "", "grade"},
			{mailings.Draft{Subject: "Tuesday", Body: strings.Repeat("Wörds with ümläuts. ", 4000)}, "", "clipped", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "Hi {{given_name|friend}}"}, "", "", "lack_given_name"},
			{mailings.Draft{Subject: "Tuesday", Body: "Hi {{given_name}}"}, "", "nameless empty_given_name", ""},
			{mailings.Draft{Subject: "Tuesday", Body: "Hi {{chapter|all}}"}, "", "", "lack_chapter"},
		} {
			w.put(id, c.d)
			list := w.checks(id)
			if got := said(list, mailings.Stop); got != c.stop {
				t.Errorf("%.60q stops for %s, want %s", c.d.Subject+" "+c.d.Body, got, c.stop)
			}
			if got := said(list, mailings.Think); got != c.think {
				t.Errorf("%.60q: think of %s, want %s", c.d.Subject+" "+c.d.Body, got, c.think)
			}
			if got := said(list, mailings.Fine); !strings.Contains(" "+got+" ", " "+c.fine) {
				t.Errorf("%.60q: fine %s, want %s", c.d.Subject+" "+c.d.Body, got, c.fine)
			}
			for _, x := range list {
				if x.Key == "mailings.check_lack_given_name" && fmt.Sprint(x.Args) != "[Count 1 Words friend]" {
					t.Errorf("%+v", x)
				}
			}
		}
		// While somebody types the people are not counted again and again.
		w.put(id, mailings.Draft{Subject: "Tuesday", Body: "Hi {{given_name|friend}}"})
		live, err := w.svc.LiveChecks(ctx, w.user, id)
		w.must(err)
		if live.Count(mailings.Stop) != 0 || strings.Contains(said(live, mailings.Fine), "lack") {
			t.Errorf("%+v", live)
		}
		w.must(db.Exec("UPDATE signatures SET state = 'invalidated'").Error)
		if live, err = w.svc.LiveChecks(ctx, w.user, id); err != nil || live.Count(mailings.Stop) != 0 {
			t.Errorf("counted again: %+v, %v", live, err)
		}
		if list := w.checks(id); said(list, mailings.Stop) != "nobody" {
			t.Errorf("%+v", list)
		}
		w.must(db.Exec("UPDATE signatures SET state = 'confirmed'").Error)
		w.orgSet(map[string]any{"health_words": "tuesday group"})
		w.put(id, mailings.Draft{Subject: "News of the Tuesday Group", Body: "x"})
		if got := said(w.checks(id), mailings.Stop); got != "neutral" {
			t.Errorf("the organisation's own word: %s", got)
		}
	})
}

func TestChecksOfPeople(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for i := range 60 {
			w.sign(fmt.Sprintf("s%d@example.org", i), "June", models.SignatureConfirmed, true)
		}
		id := w.draft()
		for i, n := range []int{4, 6, 100} {
			at := start.Add(time.Duration(i) * time.Hour)
			w.must(db.Create(&models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: models.MailingFinished, AudienceCount: n, FrozenAt: &at, CreatedAt: at, UpdatedAt: at}).Error)
		}
		w.put(id, mailings.Draft{Subject: "S", Body: "x"})
		if got := said(w.checks(id), mailings.Think); got != "many" {
			t.Errorf("ten times as many as usual: %s", got)
		}
		w.svc.Domain = func(context.Context) []mailings.Check {
			return []mailings.Check{{Tone: mailings.Think, Key: "mailings.check_dkim"}, {Tone: mailings.Fine, Key: "mailings.check_spf"}}
		}
		list := w.checks(id)
		if said(list, mailings.Think) != "many dkim" || !slices.ContainsFunc(list, func(c mailings.Check) bool { return c.Key == "mailings.check_spf" }) {
			t.Errorf("%+v", list)
		}
	})
}

// Above the size that the owner sets a second person looks first; each change takes their yes back.
func TestApproval(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.svc.ApproveAbove = func(context.Context) (int, error) { return 1, nil }
		for _, n := range []string{"june", "luz"} {
			w.sign(n+"@example.org", n, models.SignatureConfirmed, true)
		}
		second, viewer := w.colleague("ada@example.org", actor.Organizer), w.colleague("vi@example.org", actor.Viewer)
		id := w.draft()
		r := w.put(id, mailings.Draft{Subject: "S", Body: "x"})
		list := w.checks(id)
		if said(list, mailings.Stop) != "approval" || !list.Approvable() {
			t.Errorf("%+v", list)
		}
		if err := w.svc.Send(ctx, w.user, id, r); key(err) != "error.check_fields" {
			t.Errorf("sent without a yes: %v", err)
		}
		queue := func(a actor.Actor) (out []string) {
			list, err := w.svc.Today(ctx, a)
			w.must(err)
			for _, q := range list {
				out = append(out, q.Key)
			}
			return out
		}
		w.must(w.svc.AskApproval(ctx, w.user, id))
		if q := queue(second); fmt.Sprint(q) != "[mailings.queue_approval]" || len(queue(w.user)) != 0 || len(queue(viewer)) != 0 {
			t.Errorf("%v, %v, %v", q, queue(w.user), queue(viewer))
		}
		for who, want := range map[*actor.Actor]string{&w.user: "error.mailing_own_approval", &viewer: "error.forbidden"} {
			if err := w.svc.Approve(ctx, *who, id, r); key(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if err := w.svc.Approve(ctx, second, id, r-1); key(err) != "error.mailing_changed_seen" {
			t.Errorf("what they did not see: %v", err)
		}
		w.must(w.svc.Approve(ctx, second, id, r))
		if list = w.checks(id); list.Count(mailings.Stop) != 0 || len(queue(second)) != 0 {
			t.Errorf("%+v", list)
		}
		r = w.put(id, mailings.Draft{Subject: "S", Body: "other words"})
		if err := w.svc.Send(ctx, w.user, id, r); key(err) != "error.check_fields" {
			t.Errorf("sent with a yes to other words: %v", err)
		}
		// Who changed it last is not the second person any more; who began it is not either.
		m, err := w.svc.Get(ctx, second, id)
		w.must(err)
		r, err = w.svc.Save(ctx, second, id, mailings.Draft{Revision: m.Revision, PetitionID: w.petition.ID, Subject: "S", Body: "mine"})
		w.must(err)
		if err := w.svc.Approve(ctx, second, id, r); key(err) != "error.mailing_own_approval" {
			t.Errorf("one's own words: %v", err)
		}
		third := w.colleague("tess@example.org", actor.Organizer)
		w.put(id, mailings.Draft{Subject: "", Body: "mine"})
		if err := w.svc.Approve(ctx, third, id, r+1); key(err) != "error.check_fields" {
			t.Errorf("what something else stops: %v", err)
		}
		r = w.put(id, mailings.Draft{Subject: "S", Body: "mine"})
		w.must(w.svc.Approve(ctx, third, id, r))
		w.must(w.svc.Send(ctx, w.user, id, r))
		var n int64
		w.must(db.Model(&models.AuditEntry{}).Where("action IN ?", []string{"mailing.ask_approval", "mailing.approve"}).Count(&n).Error)
		if n != 3 {
			t.Errorf("%d entries in the audit log", n)
		}
	})
}

func TestArchive(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		r := w.put(id, mailings.Draft{Subject: "Tuesday, {{given_name|friend}}", Body: "Hello {{given_name|friend}} <script>alert(1)</script>", Public: true})
		if _, err := w.svc.WebCopy(ctx, "tuesday-friend", ""); key(err) != "error.mailing_unknown" {
			t.Errorf("a draft: %v", err)
		}
		if err := w.svc.SetPublic(ctx, w.user, id, false); key(err) != "error.mailing_moved" {
			t.Errorf("a draft: %v", err)
		}
		w.must(w.svc.Send(ctx, w.user, id, r))
		w.must(w.svc.Freeze(ctx, id))
		w.drain()
		mail := w.wire.Messages()[0]
		_, token, ok := strings.Cut(mail.Text, "https://act.example.org/m/")
		token, _, _ = strings.Cut(token, "\n")
		if !ok || !strings.Contains(mail.HTML, "/m/"+token) || !strings.Contains(mail.Text, "Hello June") {
			t.Fatalf("no link to the copy in\n%s", mail.Text)
		}
		for _, ref := range []string{token, "tuesday-friend"} {
			c, err := w.svc.WebCopy(ctx, ref, "")
			w.must(err)
			if c.Title != "Tuesday, friend" || strings.TrimSpace(string(c.HTML)) != "<p>Hello friend alert(1)</p>" || !c.Public || strings.Contains(fmt.Sprint(c), "June") {
				t.Errorf("%s: %+v", ref, c)
			}
		}
		list, err := w.svc.Archive(ctx)
		w.must(err)
		feed, err := w.svc.Feed(ctx)
		w.must(err)
		if len(list) != 1 || list[0].Slug != "tuesday-friend" || list[0].Title != "Tuesday, friend" || len(feed) != 1 || feed[0].HTML == "" {
			t.Errorf("%+v, %+v", list, feed)
		}
		w.must(w.svc.SetPublic(ctx, w.user, id, false))
		if _, err := w.svc.WebCopy(ctx, "tuesday-friend", ""); key(err) != "error.mailing_unknown" {
			t.Errorf("one that was taken out: %v", err)
		}
		if c, err := w.svc.WebCopy(ctx, token, ""); err != nil || c.Public {
			t.Errorf("by the link in the mail: %+v, %v", c, err)
		}
		if list, err = w.svc.Archive(ctx); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		for _, ref := range []string{"", "draft-x", w.signer.MakeForever(2, id)} {
			if _, err := w.svc.WebCopy(ctx, ref, ""); key(err) != "error.mailing_unknown" {
				t.Errorf("%q: %v", ref, err)
			}
		}
	})
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
