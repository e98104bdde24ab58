package public_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/models"
	"kithline/tests/testapp"
)

// titles are the petitions that a page of the list shows.
func titles(p *testapp.Page) []string {
	return p.Doc.Find("main li h2").Map(func(_ int, s *goquery.Selection) string { return s.Text() })
}

// The list is looked through by a plain form: it keeps its words, finds what is only begun, pages on, and takes any text for words.
func TestFindAPetition(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, system := context.Background(), actor.TheSystem()
		closed := published(t, a, "Benches at bus stops")
		if _, err := a.Petitions.Steer(ctx, system, closed.ID, petitions.Close); err != nil {
			t.Fatal(err)
		}
		paused := published(t, a, "Benches in the park")
		if _, err := a.Petitions.Steer(ctx, system, paused.ID, petitions.Pause); err != nil {
			t.Fatal(err)
		}
		hidden := published(t, a, "Benches nobody may see")
		if _, err := a.Petitions.Steer(ctx, system, hidden.ID, petitions.Hide); err != nil {
			t.Fatal(err)
		}
		for i := range 23 {
			a.Clock.Add(time.Minute)
			published(t, a, fmt.Sprintf("Ramps for library number %d", i))
		}
		published(t, a, "Más bancos en la estación")
		c := a.Client(t)
		if !c.Get("/").Want(200).Has("main a[href='/petitions']") {
			t.Error("the first page does not lead to the list")
		}
		list := c.Get("/petitions").Want(200)
		find := func(words, which string) *testapp.Page {
			t.Helper()
			p := list.Submit("form[role=search]", map[string]string{"q": words, "which": which}).Want(200)
			if got := p.Doc.Find("#q").AttrOr("value", ""); got != strings.TrimSpace(words) {
				t.Errorf("%q is not kept: %q", words, got)
			}
			if p.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("what somebody looks for is kept: %q", p.Header.Get("Cache-Control"))
			}
			return p
		}
		for _, f := range []struct {
			words, which string
			want         []string
		}{
			{"bench", "all", []string{"Benches in the park", "Benches at bus stops"}},
			{"bench bus", "all", []string{"Benches at bus stops"}},
			{"BENCHES", "over", []string{"Benches at bus stops"}},
			{"benches", "", nil},
			{"estación", "", []string{"Más bancos en la estación"}},
			{"banco ESTACIÓN", "", []string{"Más bancos en la estación"}},
		} {
			if p := find(f.words, f.which); !slices.Equal(titles(p), f.want) {
				t.Errorf("%q in %q: %q, not %q", f.words, f.which, titles(p), f.want)
			}
		}
		if p := find("bench", "all"); !strings.Contains(p.Text("[role=status]"), "2 petitions speak of this") || !strings.Contains(p.Text("main"), "No new signatures for now") || !strings.Contains(p.Text("main"), "Closed.") {
			t.Error(p.Text("main"))
		}
		if p := find("benches", ""); !strings.Contains(p.Text("[role=status]"), "No petition speaks of this") || len(titles(p.Follow("[role=status] a"))) != 2 {
			t.Error(p.Text("main"))
		}
		// In pages, each once, in both orders.
		for _, order := range []string{"", "&sort=signed"} {
			p := c.Get("/petitions?q=library" + order).Want(200)
			all := titles(p)
			if len(all) != 20 || strings.Contains(p.Text("main"), "speak of this") {
				t.Errorf("%d on the first page: %s", len(all), p.Text("main"))
			}
			p = p.Follow("main a.button[href*='after=']").Want(200)
			if p.Doc.Find("#q").AttrOr("value", "") != "library" || p.Has("main a.button[href*='after=']") {
				t.Error("the second page forgot what was looked for, or there is a third")
			}
			all = append(all, titles(p)...)
			slices.Sort(all)
			if len(slices.Compact(all)) != 23 {
				t.Errorf("%d of 23: %q", len(slices.Compact(all)), all)
			}
		}
		c.Get("/petitions?q=library&after=nonsense").Want(422)
		// Anything is words, and finds none; nothing of it is an order to the database, or markup.
		for _, words := range []string{
			`"`, `'`, `bench' OR '1'='1`, `bench":* | "ramps`, `x') OR 1=1 --`, `NEAR(bench ramps)`, `title : bench`, `bench NOT bus*zzz`, `{title} : zzz`, `^zzz`, `':*`, `\' \`, `%`, `_`, "bench\x00zzz",
			`<script>alert(1)</script>`, strings.Repeat("word ", 400), strings.Repeat("x", 5000), "zzz\u202e", "ｚｚｚ", "\xff\xfe", `!&|()<->`, "the", "a\u0301\u0301\u0301zzz",
		} {
			p := c.Get("/petitions?which=all&q=" + url.QueryEscape(words)).Want(200)
			if n := len(titles(p)); n != 0 || p.Has("main script") {
				t.Errorf("%.40q finds %q", words, titles(p))
			}
		}
	})
}

// odd are texts that harm whatever takes them for something other than text.
var odd = []string{
	`</script><script>alert(1)</script>`, `]]><x onload=alert(1)>&amp;&lt;`, `"'><img src=x onerror=alert(1)>`, `<!-- --><svg/onload=alert(1)>`, `{{.Site}} ${1+1} #{1}`, `=HYPERLINK("http://x.example","y")`,
	"\u202eevil\u202c \u2066x\u2069 مرحبا שלום", "Z\u0323\u0301\u0302a\u0323\u0301l\u0300\u0301g\u0323o", strings.Repeat("W", 78), "Tiếng Việt 中文 한국어 😀👩‍👩‍👧", `\"; DROP TABLE petitions; --`, "\u200b\u00ad\ufeffx\u2028y",
}

// inert fails the test where a text became an element, an attribute that acts, or an address that does.
func inert(t *testing.T, name string, doc *goquery.Document) {
	t.Helper()
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, a := range s.Nodes[0].Attr {
			v := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || (a.Key == "href" || a.Key == "src") && (strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:")) {
				t.Errorf("%s: %s=%q", name, a.Key, a.Val)
			}
		}
	})
	doc.Find("script").Each(func(_ int, s *goquery.Selection) {
		if src := s.AttrOr("src", ""); !strings.HasPrefix(src, "/static/") || strings.TrimSpace(s.Text()) != "" {
			t.Errorf("%s: a script %q %q", name, src, s.Text())
		}
	})
	if n := doc.Find("x, main svg[onload], img[src=x]").Length(); n > 0 {
		t.Errorf("%s: %d elements of somebody's text", name, n)
	}
}

// wellFormed reads a whole XML document strictly and returns its text.
func wellFormed(t *testing.T, name string, b []byte) string {
	t.Helper()
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		switch tok, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return text.String()
		case err != nil:
			t.Errorf("%s is no XML: %v in %.300s", name, err, b)
			return ""
		default:
			switch tok := tok.(type) {
			case xml.CharData:
				text.Write(tok)
			case xml.StartElement:
				if tok.Name.Local == "script" || tok.Name.Local == "x" || slices.ContainsFunc(tok.Attr, func(a xml.Attr) bool { return strings.HasPrefix(a.Name.Local, "on") }) {
					t.Errorf("%s: an element %v of somebody's text", name, tok)
				}
			}
		}
	}
}

// Whatever people wrote stays text in everything that leaves for other sites: frame, badge, code, feeds, picture, figures, sheets.
func TestTextsStayTexts(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, system := context.Background(), actor.TheSystem()
		c := a.Client(t)
		for i, text := range odd {
			p := published(t, a, fmt.Sprintf("Odd %d", i))
			// What the form refuses may still be there from a time before, or from elsewhere.
			if err := a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Updates(map[string]any{
				"title": text, "summary": text + text, "decider": text, "place": text, "legacy_source": text, "legacy_count": 3, "response_from": text, "response_text": text,
				"responded_at": a.Clock.Now(),
			}).Error; err != nil {
				t.Fatal(err)
			}
			if _, err := a.Posts.PostUpdate(ctx, system, p.ID, posts.UpdateInput{Title: "News " + strings.Map(plainly, text), Body: text + "\n\n" + text}); err != nil {
				t.Fatal(err)
			}
			in := petitions.SignInput{
				Slug: p.Slug, GivenName: "June", FamilyName: "Okafor", Email: "june@example.org", PostalCode: "00012", Comment: strings.Map(plainly, text), Display: "name", Locale: "en",
				Source: text, By: text,
			}
			if _, err := a.Petitions.Sign(ctx, in); err != nil {
				t.Fatal(err)
			}
			if err := a.DB.Model(&models.Signature{}).Where("petition_id = ?", p.ID).Updates(map[string]any{
				"state": models.SignatureConfirmed, "confirmed_at": a.Clock.Now(), "display_name": text, "comment_state": models.CommentShown, "comment_shown": text,
			}).Error; err != nil {
				t.Fatal(err)
			}
			var row models.Signature
			if err := a.DB.Where("petition_id = ?", p.ID).Take(&row).Error; err != nil || row.Source != "" || row.RecruitedBy != nil {
				t.Errorf("%q is kept as a source %q, or as a code %v: %v", text, row.Source, row.RecruitedBy, err)
			}
			a.Clock.Add(10 * time.Second)
			at := "/petitions/" + p.Slug
			q := url.Values{"source": {text}, "by": {text}, "lang": {text}, "accent": {text}, "background": {text}, "text": {text}, "theme": {text}}.Encode()
			for _, path := range []string{"", "/embed", "/share", "/thanks", "/spread", "/poster", "/card", "/sent"} {
				page := c.Get(at + path + "?" + q).Want(200)
				inert(t, at+path, page.Doc)
				if path != "/sent" && !strings.Contains(page.Doc.Text(), text) && !strings.Contains(page.Doc.Find("textarea").Text(), text) {
					t.Errorf("%s%s does not show %q", at, path, text)
				}
				if page.Has("input[name=source][value]:not([value=''])") || page.Has("input[name=by][value]:not([value=''])") {
					t.Errorf("%s%s takes %q for a code", at, path, text)
				}
			}
			if css := c.Get("/embed.css?" + q).Want(200); len(css.Body) > 0 && text[0] != '=' {
				t.Errorf("a style of %q: %s", text, css.Body)
			}
			for path, kind := range map[string]string{"/badge.svg": "image/svg+xml", "/qr.svg": "image/svg+xml", "/feed.atom": "application/atom+xml; charset=utf-8", "/feed.rss": "application/rss+xml; charset=utf-8"} {
				page := c.Get(at + path + "?" + q).Want(200)
				said := wellFormed(t, at+path, page.Body)
				if page.Header.Get("Content-Type") != kind || page.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s: %v", path, page.Header)
				}
				if path != "/qr.svg" && !strings.Contains(said, text) {
					t.Errorf("%s does not say %q: %s", path, text, said)
				}
				if strings.HasPrefix(path, "/feed.") { // its content is HTML for whoever reads it
					for _, html := range contents(t, page.Body) {
						doc, err := goquery.NewDocumentFromReader(strings.NewReader(html))
						if err != nil {
							t.Fatal(err)
						}
						inert(t, path+" content", doc)
					}
				}
			}
			for _, path := range []string{".json", "/districts.json"} {
				var v map[string]any
				page := c.Get(at + path + "?" + q).Want(200)
				if err := json.Unmarshal(page.Body, &v); err != nil || bytes.Contains(page.Body, []byte("</")) {
					t.Errorf("%s: %v: %s", path, err, page.Body)
				}
				if path == ".json" && (v["title"] != text || v["decider"] != text) {
					t.Errorf("%s: %q, not %q", path, v["title"], text)
				}
			}
			if picture, err := png.Decode(bytes.NewReader(c.Get(at + "/og.png?" + q).Want(200).Body)); err != nil || picture.Bounds().Dx() != 1200 || picture.Bounds().Dy() != 630 {
				t.Errorf("the picture of %q: %v", text, err)
			}
		}
		wellFormed(t, "/petitions.atom", c.Get("/petitions.atom").Want(200).Body)
		for _, path := range []string{"/petitions", "/petitions?which=all&q=odd", "/"} {
			inert(t, path, c.Get(path).Want(200).Doc)
		}
	})
}

// plainly leaves out what the forms take for no text.
func plainly(r rune) rune {
	if r < ' ' || r >= '\u2028' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
		return -1
	}
	return r
}

// contents are the pieces of HTML in a feed.
func contents(t *testing.T, feed []byte) (out []string) {
	t.Helper()
	var f struct {
		Entries []struct {
			Content string `xml:"content"`
		} `xml:"entry"`
		Items []struct {
			Description string `xml:"description"`
		} `xml:"channel>item"`
	}
	if err := xml.Unmarshal(feed, &f); err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries {
		out = append(out, e.Content)
	}
	for _, i := range f.Items {
		out = append(out, i.Description)
	}
	if len(out) < 2 {
		t.Errorf("%d entries in %.300s", len(out), feed)
	}
	return out
}

// Figures, feeds, badge and frame are for every site, without anybody's cookies; nothing else is for another site.
func TestWhatOtherSitesMayRead(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		at := "/petitions/" + p.Slug
		from := func(method, path string, more ...string) *testapp.Page {
			t.Helper()
			req, err := http.NewRequest(method, a.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "https://elsewhere.example")
			req.Header.Set("Sec-Fetch-Site", "cross-site")
			for i := 0; i+1 < len(more); i += 2 {
				req.Header.Set(more[i], more[i+1])
			}
			page := a.Client(t).Do(req)
			if page.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: with cookies", method, path)
			}
			return page
		}
		for _, path := range []string{".json", "/districts.json"} {
			page := from(http.MethodGet, at+path+"?lang=es", "Cookie", "lang=en").Want(200)
			h := page.Header
			if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Set-Cookie") != "" || h.Get("Cache-Control") != "public, max-age=1, stale-while-revalidate=1" {
				t.Errorf("%s: %v", path, h)
			}
			if again := from(http.MethodGet, at+path, "If-None-Match", h.Get("ETag")).Want(304); len(again.Body) > 0 {
				t.Errorf("%s: sent again", path)
			}
			for _, method := range []string{http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodDelete} {
				if page := from(method, at+path, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "x-any"); page.Status < 400 || page.Header.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("%s %s: %d %v", method, path, page.Status, page.Header)
				}
			}
		}
		for _, path := range []string{"/embed", "/badge.svg", "/feed.atom", "/feed.rss", "/og.png"} {
			if h := from(http.MethodGet, at+path+"?lang=es").Want(200).Header; h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, h)
			}
		}
		if csp := from(http.MethodGet, at+"/embed").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors *") || !strings.Contains(csp, "script-src 'self'") {
			t.Error(csp)
		}
		for _, path := range []string{at, at + "/share", at + "/thanks", "/petitions", "/", "/me", "/admin/login", "/confirm"} {
			h := from(http.MethodGet, path).Want(200).Header
			if h.Get("Access-Control-Allow-Origin") != "" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s: %v", path, h)
			}
		}
		if page := from(http.MethodGet, "/petitions/nothing.json").Want(404); strings.Contains(string(page.Body), "<html") {
			t.Errorf("%s", page.Body)
		}
	})
}

// inner is what a page holds between its head and its foot, whose links to other languages keep the address.
func inner(p *testapp.Page) string { s, _ := p.Doc.Find("main").Html(); return s }

// Who comes by a signer's own link counts once for it, by whatever page; what is no code counts for nobody.
func TestBroughtByASigner(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		at := "/petitions/" + p.Slug
		join := func(c *testapp.Client, path, email string) *testapp.Page {
			t.Helper()
			n := 1
			for _, m := range a.Mail.Messages() {
				if m.To == email {
					n++
				}
			}
			c.Get(path).Want(200).Submit(signForm, june(email)).Want(200)
			mail := a.WaitMail(t, email, n)[n-1]
			if !strings.Contains(mail.Text, "/confirm/") {
				return nil
			}
			return c.Get(testapp.Link(t, mail, "/confirm/")).Want(200).Submit("form button.main", nil).Want(200)
		}
		own := join(a.Client(t), at, "june@example.org").Doc.Find("#own").AttrOr("value", "")
		u, err := url.Parse(own)
		if err != nil || u.Query().Get("source") != "signer" || u.Query().Get("by") == "" {
			t.Fatalf("own link: %q", own)
		}
		by := u.Query().Get("by")
		brought := func() int {
			t.Helper()
			rows, err := petitions.Tallies(context.Background(), a.DB.DB, p.ID, models.TallyRecruited)
			n := 0
			for _, r := range rows {
				n += r.Confirmed
			}
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		c := a.Client(t)
		join(c, u.RequestURI(), "cal@example.org")
		if brought() != 1 {
			t.Fatalf("%d were brought, not 1", brought())
		}
		join(c, u.RequestURI(), "cal@example.org") // again
		join(a.Client(t), u.RequestURI(), "june@example.org")
		if brought() != 1 {
			t.Errorf("%d were brought: somebody counts twice", brought())
		}
		// The page that a signer's own page leads to has the same link; other codes are none.
		share := c.Get(at + "/share?by=" + by + "&source=town").Want(200)
		if got := share.Doc.Find("#own").AttrOr("value", ""); got != own || !strings.Contains(share.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("%q, not %q", got, own)
		}
		if strings.Contains(inner(share), "town") || strings.Contains(share.Doc.Find("#share").AttrOr("value", ""), by) {
			t.Error("what came with the address is passed on")
		}
		other := by[:27] + "A"
		if other == by {
			other = by[:27] + "B"
		}
		for _, wrong := range []string{by + "x", strings.ToLower(by), other, "'\"><b>", "00000000-0000-0000-0000-000000000000"} {
			q := "?by=" + url.QueryEscape(wrong) + "&source=" + url.QueryEscape("town<b>")
			for _, path := range []string{at, at + "/share", at + "/thanks"} {
				page := c.Get(path + q).Want(200)
				if page.Has("input[name=by][value]:not([value=''])") || page.Has("input[name=source][value]:not([value=''])") || page.Has("#own") && path != at+"/thanks" || strings.Contains(inner(page), "town") {
					t.Errorf("%s takes %q for a code", path, wrong)
				}
			}
		}
		if page := c.Get(at + "?by=" + by + "&source=Town").Want(200); page.Doc.Find("input[name=by]").AttrOr("value", "") != by {
			t.Error("a code is lost")
		}
	})
}
