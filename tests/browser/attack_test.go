package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/mailings"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/models"
)

// attacks are texts that are scripts where a page does not take them for text. Each calls the alarm and leaves its mark.
var attacks = []string{
	`<img src=x data-attack onerror=kithlineAlarm(/1/.source)>`,
	`<script data-attack>kithlineAlarm(/2/.source)</script>`,
	`"><svg data-attack onload=kithlineAlarm(/3/.source)>`,
	`'><b data-attack onmouseover='kithlineAlarm(/4/.source)'>b</b>`,
	`</title></textarea><iframe data-attack srcdoc="<script>top.kithlineAlarm(/5/.source)</script>">`,
	`" autofocus data-attack onfocus=kithlineAlarm(/6/.source) x="`,
	`[a](javascript:kithlineAlarm(/7/.source))`,
	`[b](<java` + "\t" + `script:kithlineAlarm(/8/.source)>)`,
	`[c](data:text/html;base64,PHNjcmlwdD5vcGVuZXIua2l0aGxpbmVBbGFybSgnOScpPC9zY3JpcHQ+)`,
	`![d](x"data-attack onerror="kithlineAlarm(/10/.source))`,
	`<a data-attack href="javascript:kithlineAlarm(/11/.source)">e</a>`,
	`{{.Site}} {{"</script>"}} ${kithlineAlarm(/12/.source)}`,
	`<math data-attack><mtext><style><img src=x onerror=kithlineAlarm(/13/.source)></style></mtext></math>`,
	`<form data-attack action="javascript:kithlineAlarm(/14/.source)"><button>f</button></form>`,
}

// unharmed fails the test if a text on the page became markup, or a script ran.
func (tab *Tab) unharmed(name string) {
	tab.t.Helper()
	// What happens only when somebody points or clicks happens now.
	Eval[bool](tab, `(() => {
		for (const e of document.querySelectorAll('main *')) e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));
		return true;
	})()`)
	bad := Eval[[]string](tab, `[...document.querySelectorAll('*')].filter(e => e.hasAttribute('data-attack') || [...e.attributes].some(a =>
		/^on/.test(a.name) || /^(href|src|action|formaction|srcdoc)$/.test(a.name) && /^\s*(javascript|data|vbscript):/i.test(a.value.replace(/[\t\n\r]/g, '')))).map(e => e.outerHTML.slice(0, 200))`)
	for _, html := range bad {
		tab.t.Errorf("%s: markup of somebody's text: %s", name, html)
	}
	tab.Clean()
}

// attackedMailing has attacks in every field of a mailing: subjects, blocks, a second language that is HTML, the name of a template.
func (w *world) attackedMailing(petition uuid.UUID, plain string, send bool) {
	w.t.Helper()
	ctx := context.Background()
	one := strings.Join(strings.Fields(plain), " ")
	id := must[uuid.UUID](w)(w.Mailings.Create(ctx, w.owner, petition))
	line := mailings.Line{Subject: attacks[0], Preheader: one[:min(len(one), 190)]}
	body := "::: quote\nwords: " + one + "\nwho: " + one + "\n:::\n\n::: action\ntitle: " + one + "\nlink: /petitions\nminutes: 1\nenergy: 1\nwords: " + one + "\n:::\n\n::: event\ntitle: " + one +
		"\nwhen: 2027-03-16\nwhere: " + one + "\naccess: " + one + "\n:::\n\n" + plain
	d := mailings.Draft{Revision: 1, PetitionID: petition, Subject: line.Subject, Preheader: line.Preheader, More: []mailings.Line{line}, Body: body, NamesCause: true, Public: true}
	r := must[int](w)(w.Mailings.Save(ctx, w.owner, id, d))
	r = must[int](w)(w.Mailings.AddLanguage(ctx, w.owner, id, r, "es"))
	_, err := w.Mailings.ImportHTML(ctx, w.owner, id, r, "es", "<p>x</p>"+plain)
	w.must(err)
	if send {
		w.must(w.Mailings.Send(ctx, w.owner, id, r+1))
		return
	}
	_, err = w.Mailings.SaveTemplate(ctx, w.owner, id, attacks[0][:min(len(attacks[0]), mailings.MaxTemplateName)])
	w.must(err)
}

// Texts of strangers, advocates and organizers stay texts on every page and in every mail that shows them.
func TestAttacks(t *testing.T) {
	t.Parallel()
	w := empty(t)
	tab := New(t, w.URL)
	all := strings.Join(attacks, "\n\n")
	short := func(i, most int) string {
		a := attacks[i%len(attacks)]
		return strings.ReplaceAll(a[:min(len(a), most)], "\t", "")
	}
	d := petitions.Draft{
		Title: short(0, petitions.TitleMax), Summary: short(1, petitions.SummaryMax), Body: all, Decider: short(2, petitions.DeciderMax), WhyNow: all[:petitions.WhyNowMax*9/10],
		SystemChange: strings.Join(attacks[5:], "\n"), Place: short(3, petitions.PlaceMax), Goal: 100, Locale: "en",
	}
	slugs := []string{w.petition(d, models.PetitionPublished).Slug}
	for i := 1; i < 4; i++ {
		d.Title, d.Place, d.Decider = short(i, petitions.TitleMax), short(i+4, petitions.PlaceMax), short(i+6, petitions.DeciderMax)
		p := w.petition(d, []models.PetitionState{models.PetitionSubmitted, models.PetitionPublished, models.PetitionDraft}[i-1])
		if p.State == models.PetitionPublished {
			slugs = append(slugs, p.Slug)
		}
	}
	first, err := w.Petitions.Public(t.Context(), slugs[0])
	w.must(err)
	for i, name := range []string{`" onfocus=kithlineAlarm(/20/.source) autofocus x="`, `'-kithlineAlarm(/21/.source)-'`, `${kithlineAlarm(/22/.source)}`, `{{kithlineAlarm}}`} {
		w.sign(slugs[0], signer{given: name, family: name, email: string(rune('a'+i)) + "@example.org", comment: short(i, 200) + "\n" + short(i+5, 200), display: "name", updates: true})
	}
	queue, _, err := w.Petitions.CommentQueue(t.Context(), w.owner, first.Petition.ID)
	w.must(err)
	for _, c := range queue[:2] {
		w.must(w.Petitions.JudgeComment(t.Context(), w.owner, first.Petition.ID, c.ID, true))
	}
	_, err = w.Posts.PostUpdate(t.Context(), w.owner, first.Petition.ID, posts.UpdateInput{Title: short(4, posts.TitleMax), Body: all})
	w.must(err)
	subject := strings.Join(attacks[:2], " ")
	plain := strings.NewReplacer("{{", "{ {").Replace(all)
	w.mailing(first.Petition.ID, subject, plain, true)
	w.mailing(first.Petition.ID, subject, plain, false)
	w.attackedMailing(first.Petition.ID, plain, true)
	w.attackedMailing(first.Petition.ID, plain, false)

	public := w.walk(t, tab, w.Client(t), func(name string) { tab.unharmed(name + " " + tab.Path()) }, public, "/", "/archive", "/petitions/"+slugs[0], "/petitions/"+slugs[1])
	w.signIn(tab)
	organizers := w.walk(t, tab, w.Owner(t), func(name string) { tab.unharmed(name + " " + tab.Path()) }, organizers, "/admin", "/admin/petitions", "/admin/petitions/comments", "/admin/mailings", "/admin/supporters", "/admin/audit")
	if len(public) < 3 || len(organizers) < 8 {
		t.Errorf("only %d and %d kinds of pages", len(public), len(organizers))
	}
	bulk := 0
	w.WaitMail(t, "a@example.org", 2)
	for _, m := range w.Mail.Messages() {
		if m.Bulk {
			bulk++
		}
		tab.Show(m.HTML)
		tab.unharmed("mail " + m.Subject)
	}
	if bulk == 0 {
		t.Error("no mailing went out")
	}
}
