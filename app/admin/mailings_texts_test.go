package admin_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// upload sends a file by a form with fields.
func upload(t *testing.T, c *testapp.Client, a *testapp.App, path, field, name string, content []byte, fields url.Values) *testapp.Page {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v[0]); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.CreateFormFile(field, name)
	if err == nil {
		_, err = f.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, a.URL+path, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.Do(req)
}

// What is around the text of a mailing says what is wrong where it was typed, and keeps what was typed.
func TestAroundTheTextOfAMailing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		factory.Signed(t, a, p, factory.People(1)...)
		c := a.Owner(t)
		page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}, "template": {"newsletter"}}).Want(200)
		if got := page.Text("#body"); !strings.Contains(got, "::: action") {
			t.Errorf("the template gives %s", got)
		}
		c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}, "template": {"nothing"}}).Want(422)

		// A template without a name, and with one.
		if got := c.Post(page.Path+"/template", url.Values{"name": {""}}).Want(422); !strings.Contains(got.Text("#summary"), "Give the template a name") {
			t.Errorf("no name: %s", got.Text("#summary"))
		}
		c.Post(page.Path+"/template", url.Values{"name": {"Monthly <b>"}}).Want(200)
		shelf := c.Get("/admin/mailings/templates").Want(200)
		if !strings.Contains(shelf.Text("main"), "Monthly <b>") {
			t.Errorf("the shelf holds %s", shelf.Text("main"))
		}
		if gone := shelf.Submit("main form button", nil).Want(200); gone.Has("main ul") {
			t.Errorf("it is still there: %s", gone.Text("main"))
		}

		// Pictures.
		var dot bytes.Buffer
		if err := png.Encode(&dot, image.NewGray(image.Rect(0, 0, 20, 10))); err != nil {
			t.Fatal(err)
		}
		upload(t, c, a, "/admin/mailings/pictures", "picture", "x.png", []byte("no picture"), nil).Want(422)
		added := upload(t, c, a, "/admin/mailings/pictures", "picture", "The Harbour.png", dot.Bytes(), nil).Want(200)
		if got := added.Text("main pre"); !strings.Contains(got, "file: the-harbour") {
			t.Errorf("its lines: %s", got)
		}
		src, _ := added.Doc.Find("main img").Attr("src")
		if shown := a.Client(t).Get(src).Want(200); shown.Header.Get("Content-Type") != "image/png" || shown.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("everybody gets %v", shown.Header)
		}

		// HTML: what cannot be taken is refused where it was put, and so is a large file: one above four megabytes the server does not even read.
		for _, bad := range []string{"", "<script>1</script>", "<p>{{secret}}</p>", strings.Repeat("<b>", 30_000)} {
			got := c.Post(page.Path+"/html", url.Values{"revision": {"1"}, "html": {bad}}).Want(422)
			if got.Text("#html-error") == "" || bad != "" && got.Doc.Find("#html").Text() == "" {
				t.Errorf("%.20q: %s", bad, got.Text("#summary"))
			}
		}
		if got := upload(t, c, a, page.Path+"/html", "file", "x.html", bytes.Repeat([]byte("<p>x</p>"), 2<<20/8), url.Values{"revision": {"1"}}).Want(422); got.Text("#file-error") == "" {
			t.Errorf("two megabytes: %s", got.Text("#summary"))
		}
		taken := upload(t, c, a, page.Path+"/html", "file", "x.html", []byte(`<p onclick="x()">Hello {{given_name|friend}}</p>`), url.Values{"revision": {"1"}}).Want(200)
		if got := taken.Text(".notice.warn"); !strings.Contains(got, "1 script, form or other part") || strings.Contains(taken.Doc.Find("#html").Text(), "onclick") {
			t.Errorf("left out: %s", got)
		}
		if got := c.Post(page.Path+"/html", url.Values{"revision": {"1"}, "html": {"<p>Mine</p>"}}).Want(409); !strings.Contains(got.Doc.Find("#html").Text(), "Mine") {
			t.Errorf("the clash lost %s", got.Text("main"))
		}
		if got := c.Get(page.Path).Want(200); got.Has("#body") || !got.Has("#plain") {
			t.Error("the form has the text of HTML")
		}

		// The organisation's own words.
		long := strings.Repeat("x", 61)
		if got := c.Post("/admin/settings/words", url.Values{"words": {"infus*\n" + long}}).Want(422); !strings.Contains(got.Doc.Find("#words").Text(), long) {
			t.Errorf("lost: %s", got.Text("main"))
		}
		c.Post("/admin/settings/words", url.Values{"words": {"infus*"}}).Want(200)
		before := c.Get(page.Path).Want(200).Submit("button[value='next']", map[string]string{"subject": "Your infusions"}).Want(200)
		if !strings.Contains(before.Text("main"), "names health: “infusions”") || before.Has("form[action$='/send']") {
			t.Errorf("before sending: %s", before.Text("main"))
		}
		saved := c.Get(page.Path).Want(200).Submit("button[value='next']", map[string]string{"subject": "Tuesday", "public": "yes"}).Want(200)

		// It goes out, can be read on the site, and is taken out of the archive again.
		report := saved.Submit("form[action$='/send'] button", nil).Want(200)
		waitSubject(t, a, "Tuesday", 1)
		visitor := a.Client(t)
		list := visitor.Get("/archive").Want(200)
		if got := list.Text("main"); !strings.Contains(got, "Tuesday") {
			t.Errorf("the archive shows %s", got)
		}
		if got := visitor.Get("/archive.atom").Want(200); !strings.Contains(string(got.Body), "/m/tuesday</") && !strings.Contains(string(got.Body), `/m/tuesday"`) {
			t.Errorf("the feed says %s", got.Body)
		}
		one := visitor.Get("/m/tuesday").Want(200)
		frame, _ := one.Doc.Find("iframe").Attr("src")
		if doc := visitor.Get(frame).Want(200); !strings.Contains(string(doc.Body), "Hello friend") || !strings.Contains(doc.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("the copy says %s", doc.Body)
		}
		c.Get(report.Path).Want(200).Submit("form[action$='/public'] button", nil).Want(200)
		visitor.Get("/m/tuesday").Want(404)
	})
}
