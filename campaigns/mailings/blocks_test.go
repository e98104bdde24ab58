package mailings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/models"
)

const everyBlock = `# Hello {{given_name|friend}}

::: button
words: Sign, {{given_name|friend}}
link: /petitions/twenty-visits
:::

::: imagen
archivo: Harbour
descripción: Twelve people <on> the steps
enlace: https://example.org/steps
:::

::: quote
words: I could go because there was a chair,
  and nobody asked: why?
who: June
:::

::: acción
título: Ask for twenty visits
enlace: {{petition_url}}?from=mail
minutos: 2
energía: 1
requiere: pantalla, bright light
:::

::: event
title: Open evening
when: 2027-03-16 18:00
until: 2027-03-16 19:30
where: Town hall, or by phone
access: No steps.
:::

Yours
`

func withPicture(t *testing.T) (kit, models.MailPicture) {
	t.Helper()
	p := models.MailPicture{Name: "harbour", FileID: uuid.MustParse("019377c0-0000-7000-8000-000000000001"), Width: 1024, Height: 768}
	k := tools(renderer(t))
	k.pictures = pictured{"harbour": p}
	return k, p
}

func TestBlocksInMail(t *testing.T) {
	k, p := withPicture(t)
	c, err := compile(Text{Locale: "en", Lines: []Line{{"S", ""}}, Body: everyBlock}, models.PurposeUpdates, k)
	if err != nil || len(c.problems) > 0 {
		t.Fatal(err, c.problems)
	}
	mail := c.fill(june)
	page := string(mail.HTML)
	for _, want := range []string{
		`<a href="https://act.example.org/petitions/twenty-visits" style=`, `>Sign, June</a></span></p>`,
		`<a href="https://example.org/steps" style="color:#1c5c4d"><img src="` + base + PicturePath(p.FileID) + `" alt="Twelve people &lt;on&gt; the steps" width="512" height="384"`,
		`and nobody asked: why?</p><p class="effort"`, `href="https://act.example.org/petitions/twenty-visits?from=mail"`,
		`base.effort_minutes Count 2 · base.effort_energy Level 1 · mailings.demand_screen, mailings.demand_light`, `>mailings.block_action_words</a>`,
		`mailings.block_until From mailings.block_at Date Tuesday 16 March 2027 Time 18:00 Until 19:30</strong><br/>Town hall, or by phone`, `mailings.block_access No steps.`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if strings.Contains(page, ":::") || strings.Contains(page, "{{") || strings.Contains(page, k.base+k.base) || strings.Count(page, `class="card"`) != 2 {
		t.Errorf("left over in %s", page)
	}
	wantText := `Hello June

Sign, June:
https://act.example.org/petitions/twenty-visits

[mailings.block_picture_text Alt Twelve people <on> the steps]
https://example.org/steps

> I could go because there was a chair, and nobody asked: why?
>
> June

Ask for twenty visits
base.effort_minutes Count 2 · base.effort_energy Level 1 · mailings.demand_screen, mailings.demand_light
mailings.block_action_words:
https://act.example.org/petitions/twenty-visits?from=mail

Open evening
mailings.block_until From mailings.block_at Date Tuesday 16 March 2027 Time 18:00 Until 19:30
Town hall, or by phone
mailings.block_access No steps.

Yours`
	if mail.Text != wantText {
		t.Errorf("the text:\n%s\nwant:\n%s", mail.Text, wantText)
	}
	// On the site it has the site's own classes, and nobody's values.
	site := splice(c.page, values{}, func(s string) string { return s })
	if !strings.Contains(site, `<a class="button main" href="https://act.example.org/petitions/twenty-visits">Sign, friend</a>`) || strings.Contains(site, "style=") || !strings.Contains(site, "<h3>Hello friend</h3>") {
		t.Errorf("the page: %s", site)
	}
	if got := fmt.Sprint(c.links); got != "[https://act.example.org/petitions/twenty-visits https://example.org/steps]" {
		t.Errorf("links %s", got)
	}
}

func TestBlocksAreReadByLine(t *testing.T) {
	k, _ := withPicture(t)
	for _, c := range []struct{ body, want string }{
		{"a\n::: buton\nwords: x\n:::", "error.block_unknown buton 2"},
		{"::: button\nwords: x\nlink: /a", "error.block_open button 1"},
		{"::: button Sign /a", "error.block_stray ::: button Sign /a 1"},
		{"::: button\nwords: x\n:::", "error.block_lacks_link button 1"},
		{"::: picture\nfile: harbour\n:::", "error.block_lacks_alt picture 1"},
		{"::: picture\nfile: nothere\nalt: x\n:::", "error.block_no_picture nothere 2"},
		{"::: picture\nfile: harbour\nalt: {{given_name}}\n:::", "error.merge_in_alt given_name 3"},
		{"::: button\nwords: x\nlink: javascript:alert(1)\n:::", "error.block_link javascript:alert(1) 3"},
		{"::: button\nwords: x\nlink: //evil.example\n:::", "error.block_link //evil.example 3"},
		{"::: button\nwords: x\nlink: {{given_name}}\n:::", "error.merge_in_link given_name 3"},
		{"::: button\nlnk: /a\nwords: x\nlink: /a\n:::", "error.block_name lnk 2"},
		{"::: button\nwords: x\nwords: y\nlink: /a\n:::", "error.block_twice words 3"},
		{"::: button\nsomething\nwords: x\nlink: /a\n:::", "error.block_line something 2"},
		{"::: action\ntitle: x\nlink: /a\nminutes: two\nenergy: 1\n:::", "error.block_minutes two 4"},
		{"::: action\ntitle: x\nlink: /a\nminutes: 2\nenergy: 9\n:::", "error.block_energy 9 5"},
		{"::: action\ntitle: x\nlink: /a\nminutes: 2\nenergy: 1\nneeds: strength\n:::", "error.block_needs strength 6"},
		{"::: event\ntitle: x\nwhen: 16 March\nwhere: y\n:::", "error.block_when 16 March 3"},
		{"<!--\n::: button\nwords: x\nlink: /a\n:::\n-->", "error.block_lost button 2"},
		{"```\n::: button\n:::\n```", ""},
		{"text ::: button", ""},
	} {
		got, err := compile(Text{Locale: "en", Body: c.body}, models.PurposeUpdates, k)
		if err != nil {
			t.Fatal(err)
		}
		var bad []string
		for _, p := range got.problems {
			bad = append(bad, fmt.Sprintf("%s %s %d", p.Key, p.Name, p.Line))
		}
		if s := strings.Join(bad, ", "); s != c.want {
			t.Errorf("%q: %s, want %s", c.body, s, c.want)
		}
		harmless(t, c.body, string(got.fill(june).HTML))
	}
}

// The built-in templates can be read in both languages, are neutral, and say what is still to be filled in.
func TestBuiltInTemplates(t *testing.T) {
	for _, name := range builtIn {
		for _, lang := range []string{"en", "es"} {
			txt, err := builtInText(name, lang)
			if err != nil {
				t.Fatal(err)
			}
			c, err := compile(txt, models.PurposeNewsletter, tools(renderer(t)))
			if err != nil || len(c.problems) > 0 {
				t.Errorf("%s in %s: %v, %v", name, lang, err, c.problems)
			}
			if found := healthIn(txt.Lines[0].Subject+" "+txt.Lines[0].Preheader, lang, models.Organisation{}); len(found) > 0 {
				t.Errorf("%s in %s names %v", name, lang, found)
			}
			if !placeholder.MatchString(txt.Body) || strings.Contains(string(c.fill(june).HTML), ":::") {
				t.Errorf("%s in %s: %s", name, lang, txt.Body)
			}
		}
	}
}
