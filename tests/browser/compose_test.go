package browser

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/mailings"
	"kithline/campaigns/users"
	"kithline/models"
)

// written makes a mailing with every block, a picture, two languages and two subjects.
func (w *world) written(petition models.Petition) uuid.UUID {
	w.t.Helper()
	ctx := context.Background()
	img := image.NewRGBA(image.Rect(0, 0, 900, 400))
	for x := range 900 {
		for y := range 400 {
			img.Set(x, y, color.RGBA{uint8(60 + x/9), uint8(110 + y/8), 150, 255})
		}
	}
	var b bytes.Buffer
	w.must(png.Encode(&b, img))
	p := must[models.MailPicture](w)(w.Mailings.AddPicture(ctx, w.owner, "harbour.png", bytes.NewReader(b.Bytes())))
	id := must[uuid.UUID](w)(w.Mailings.CreateTo(ctx, w.owner, mailings.To{PetitionID: petition.ID}))
	body := `# The hearing has a date

Hello {{given_name|friend}}, the Committee hears HB 412 on **16 March**.

::: picture
file: ` + p.Name + `
alt: Boats in the harbour at low tide
:::

::: action
title: Ask for twenty visits
link: /petitions/` + petition.Slug + `
minutes: 2
energy: 1
needs: screen, typing
words: Sign the petition
:::

::: quote
words: I could go because there was a chair and nobody asked why.
who: June, Harrow Bay
:::

::: event
title: Open evening
when: 2027-03-16 18:00
until: 2027-03-16 19:30
where: Town hall, Harrow Bay, or by phone
access: No steps. Chairs with arms. A quiet room.
link: /petitions
:::

::: button
words: How it stands
link: {{petition_url}}
:::
`
	more := []mailings.Line{{Subject: "16 March, 9:00", Preheader: "Come, call or write"}}
	r := must[int](w)(w.Mailings.Save(ctx, w.owner, id, mailings.Draft{Revision: 1, PetitionID: petition.ID, Subject: "The hearing has a date", Preheader: "Two minutes, ten, or none", More: more, Body: body, Public: true}))
	r = must[int](w)(w.Mailings.AddLanguage(ctx, w.owner, id, r, "es"))
	must[int](w)(w.Mailings.Save(ctx, w.owner, id, mailings.Draft{Revision: r, PetitionID: petition.ID, Version: "es", Subject: "La audiencia tiene fecha", Body: strings.NewReplacer("# The hearing has a date", "# La audiencia tiene fecha").Replace(body), Public: true}))
	return id
}

// A mailing is written with all that the page offers: it follows what is typed, takes a block at the press of a button, has two
// languages, HTML that is brought, what was saved before, and a second person's yes.
func TestComposing(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.Mailings.ApproveAbove = func(context.Context) (int, error) { return 1, nil }
	p := w.petition(draft, models.PetitionPublished)
	for _, s := range []signer{{"June", "Okafor", "june@example.org", "", "name", true}, {"Cal", "Whitcomb", "cal@example.org", "", "name", true}} {
		w.sign(p.Slug, s)
	}
	tab := New(t, w.URL)
	picture := func(name string) {
		if *screens == "" {
			return
		}
		for _, size := range []Size{Phone, Desk} {
			for _, scheme := range []string{"light", "dark"} {
				w.must(os.WriteFile(filepath.Join(*screens, "compose-"+name+"-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644))
			}
		}
	}
	w.signIn(tab)
	tab.Open("/admin/mailings")
	Eval[bool](tab, `(document.querySelector('[name=template]').value = 'action', true)`)
	tab.Press(`main form button.main`)
	tab.Want(200, "/admin/mailings/")
	compose := tab.Path()
	tab.Check("compose, from a template")
	if !strings.Contains(tab.Value("[name=body]"), "::: action") || !strings.Contains(tab.Text("section.card"), "still to be filled in") {
		t.Errorf("the template: %s, %s", tab.Value("[name=body]"), tab.Text("section.card"))
	}

	// The checks and the frame follow what is typed.
	Eval[bool](tab, `(window.loads = 0, document.querySelector('iframe').addEventListener('load', () => window.loads++), true)`)
	tab.Fill(`[name=subject]`, "A day for people in pain")
	tab.Fill(`[name=body]`, "Hello {{given_name|friend}}, it is on **16 March**.")
	tab.Until(`document.querySelector('section.card').innerText.includes('“pain”')`)
	tab.Until(`window.loads > 0 && document.querySelector('[aria-labelledby=screen]').innerText.includes('A day for people in pain')`)
	tab.Fill(`[name=subject]`, "The hearing has a date")
	tab.Until(`!document.querySelector('section.card').innerText.includes('“pain”')`)
	Eval[bool](tab, `(document.querySelectorAll('details').forEach(d => d.open = true), true)`)
	tab.Check("compose, with all of it open")
	tab.Click(`[data-insert=block-button]`)
	if got := tab.Value("[name=body]"); !strings.HasSuffix(strings.TrimSpace(got), "::: button\nwords: Sign the petition\nlink: /petitions\n:::") {
		t.Errorf("the block is put in as %q", got)
	}
	tab.Until(`document.querySelector('#plain-part').textContent.includes('Sign the petition:')`)

	// Another language.
	tab.Press(`button[value="add:es"]`)
	tab.Want(200, compose+"?version=es")
	tab.Fill(`[name=subject]`, "La audiencia tiene fecha")
	tab.Press(`main form button.button[value=look]`)
	tab.Want(200, compose+"?version=es")
	tab.Check("compose, the second language")
	tab.Press(`button[value="version:en"]`)
	if got := tab.Value("[name=subject]"); got != "The hearing has a date" {
		t.Errorf("the first language has the subject %q", got)
	}
	tab.Open(compose + "/preview")
	tab.Check("preview of two languages")
	tab.Press(`nav a[href*="version=es"]`)
	if !strings.Contains(tab.Text("dl.facts"), "La audiencia tiene fecha") {
		t.Errorf("the preview says %s", tab.Text("dl.facts"))
	}

	// HTML of one's own, and back.
	tab.Open(compose)
	tab.Press(`main form button[value=html]`)
	tab.Want(200, compose+"/html")
	tab.Fill(`[name=html]`, `<style>p{color:#333}</style><p onclick="x()">Hello {{given_name|friend}}</p><img src="https://other.example/x.png">`)
	tab.Press(`main form button.main`)
	tab.Want(200, compose+"/html")
	tab.Check("brought HTML, with what was left out")
	picture("html")
	if !strings.Contains(tab.Text(".notice.warn"), "1 picture of another server") {
		t.Errorf("left out: %s", tab.Text(".notice.warn"))
	}
	tab.Open(compose)
	tab.Check("compose, with HTML")
	tab.Open(compose + "/revisions")
	tab.Check("what was saved before")
	tab.Press(`tbody tr:nth-child(2) a`)
	tab.Check("one of them")
	picture("revision")
	tab.Press(`main form button.main`)
	tab.Want(200, compose)
	if got := tab.Value("[name=body]"); !strings.Contains(got, "::: button") {
		t.Errorf("put back: %q", got)
	}

	// A second person.
	tab.Press(`form[action$="/approval"] button`)
	tab.Want(200, compose)
	tab.Check("compose, waiting for a second person")
	tab.Open(compose + "/approve")
	tab.Check("one's own mailing to say yes to")
	second := must[uuid.UUID](w)(w.Users.Add(context.Background(), w.owner, users.NewUser{Name: "Ada Second", Email: "ada@example.org", Role: actor.Organizer, Locale: "en"}))
	token := must[string](w)(w.Users.LoginLinkFor(context.Background(), actor.TheSystem(), second))
	other := w.Client(t)
	other.Get(users.LoginPath(token)).Want(200).Submit("main form button", nil).Want(200)
	if today := other.Get("/admin").Want(200).Text("main"); !strings.Contains(today, "waits for a second person") {
		t.Errorf("their first page says %s", today)
	}
	other.Get(compose+"/approve").Want(200).Submit(`form[action$="/approve"] button`, nil).Want(200)
	tab.Open(compose)
	if got := tab.Text("section.card"); !strings.Contains(got, "A second person looked at it") {
		t.Errorf("the checks say %s", got)
	}
	tab.Clean()
}

// The same without scripts and by keyboard: a block is copied by hand, the button saves and shows, Enter saves and sends nothing.
func TestComposingWithoutScripts(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.petition(draft, models.PetitionPublished)
	tab := New(t, w.URL)
	w.signIn(tab)
	tab.Scripts(false)
	tab.Open("/admin/mailings")
	tab.Press(`main form button.main`)
	compose := tab.Path()
	if Eval[bool](tab, `!document.querySelector('[data-insert]').hidden`) {
		t.Error("a button is shown that needs a script")
	}
	if got := Eval[string](tab, `document.querySelector('#block-button').textContent`); got != "::: button\nwords: Sign the petition\nlink: /petitions\n:::" {
		t.Errorf("the piece to copy is %q", got)
	}
	tab.Fill(`[name=body]`, "Hello.\n\n::: button\nwords: Have a look\nlink: nowhere\n:::")
	tab.Fill(`[name=subject]`, "Tuesday")
	tab.KeysAway("\r")
	tab.Want(422, compose)
	if got := tab.Text("#summary"); !strings.Contains(got, "Line 5") || !strings.Contains(got, "“nowhere” is no address") {
		t.Errorf("the summary says %s", got)
	}
	tab.Check("compose, with a wrong block")
	tab.Fill(`[name=body]`, "Hello.\n\n::: button\nwords: Have a look\nlink: /petitions\n:::")
	tab.Press(`main form button.button[value=look]`)
	tab.Want(200, compose)
	if !strings.Contains(tab.Text("[aria-labelledby=screen]"), "Tuesday") || !tab.Has("iframe[sandbox]") {
		t.Errorf("the page shows %s", tab.Text("[aria-labelledby=screen]"))
	}
	tab.Clean()
}

// A public mailing is read on the site, with its picture, in both languages; nothing of a person is in it.
func TestArchive(t *testing.T) {
	t.Parallel()
	w := empty(t)
	p := w.petition(draft, models.PetitionPublished)
	w.sign(p.Slug, signer{"June", "Okafor", "june@example.org", "", "name", true})
	id := w.written(p)
	must[uuid.UUID](w)(w.Mailings.SaveTemplate(context.Background(), w.owner, id, "Monthly letter"))
	m := must[models.Mailing](w)(w.Mailings.Get(context.Background(), w.owner, id))
	w.must(w.Mailings.Send(context.Background(), w.owner, id, m.Revision))
	mail := w.WaitMail(t, "june@example.org", 3)[2]
	tab := New(t, w.URL)
	tab.Open("/archive")
	tab.Check("archive")
	tab.Press(`main li a`)
	tab.Want(200, "/m/the-hearing-has-a-date")
	tab.Check("a copy of a mail")
	tab.Until(`document.querySelector('article img').naturalWidth === 900`)
	if *screens != "" {
		for _, scheme := range []string{"light", "dark"} {
			for _, size := range []Size{Phone, Desk} {
				w.must(os.WriteFile(filepath.Join(*screens, "copy-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644))
			}
		}
		w.signIn(tab)
		mine := w.written(p)
		for path, name := range map[string]string{"": "compose", "/preview": "preview", "/approve": "approve"} {
			tab.Open("/admin/mailings/" + mine.String() + path)
			for _, size := range []Size{Phone, Desk} {
				for _, scheme := range []string{"light", "dark"} {
					w.must(os.WriteFile(filepath.Join(*screens, name+"-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644))
				}
			}
		}
		for _, path := range []string{"/admin/mailings", "/admin/mailings/pictures", "/admin/mailings/templates", "/admin/settings/words", "/archive"} {
			tab.Open(path)
			w.must(os.WriteFile(filepath.Join(*screens, strings.ReplaceAll(path[1:], "/", "-")+".png"), tab.Picture(Desk, "light"), 0o644))
		}
	}
	if text := tab.Text("article"); strings.Contains(text, "June,") && !strings.Contains(text, "June, Harrow Bay") || !strings.Contains(mail.HTML, "Hello June") {
		t.Errorf("the copy says %s", text)
	}
	tab.Open("/m/the-hearing-has-a-date?version=es")
	if !strings.Contains(tab.Text("h1"), "La audiencia") {
		t.Errorf("in Spanish: %s", tab.Text("h1"))
	}
	at := strings.Index(mail.Text, w.URL+"/m/")
	if at < 0 {
		t.Fatalf("no link to the copy in %s", mail.Text)
	}
	tab.Open(strings.Fields(mail.Text[at:])[0])
	tab.Want(200, "/m/")
	tab.Check("a copy by the link in the mail")
}
