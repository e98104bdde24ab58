package testapp

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// Client is one browser without JavaScript: it keeps cookies, follows redirects, and says where a form was sent from.
type Client struct {
	t    testing.TB
	base string
	http *http.Client
	Lang string // Accept-Language
	Via  string // X-Forwarded-For: what a proxy would write, or somebody who would like to be one; "" for none
}

// Page is what came back.
type Page struct {
	t      testing.TB
	client *Client
	Status int
	Path   string // after redirects
	Header http.Header
	Body   []byte
	Doc    *goquery.Document
}

// Client returns a browser of its own, with no cookies.
func (a *App) Client(t testing.TB) *Client { t.Helper(); return NewClient(t, a.URL) }

// NewClient returns a browser for the site at base, wherever that runs.
func NewClient(t testing.TB, base string) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{t: t, base: base, http: &http.Client{Jar: lasting{jar}}, Lang: "en"}
}

// lasting keeps every cookie that is not taken back: the program's clock is not the one that a jar goes by.
type lasting struct{ http.CookieJar }

// SetCookies is part of http.CookieJar.
func (l lasting) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge >= 0 && c.Value != "" {
			c.MaxAge, c.Expires = 0, time.Time{}
		}
	}
	l.CookieJar.SetCookies(u, cookies)
}

// Get opens a path or an address of the site.
func (c *Client) Get(path string) *Page {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.address(path), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(req)
}

// Post sends a form as a browser does.
func (c *Client) Post(path string, form url.Values) *Page {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, c.address(path), strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", c.base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.do(req)
}

// Do sends any request as this browser.
func (c *Client) Do(req *http.Request) *Page { c.t.Helper(); return c.do(req) }

// Stream opens an answer that goes on, such as server-sent events. Whoever calls it reads and closes its body.
func (c *Client) Stream(path, accept string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.address(path), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Language", c.Lang)
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

func (c *Client) address(path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return c.base + path
}

func (c *Client) do(req *http.Request) *Page {
	c.t.Helper()
	if req.Header.Get("Accept-Language") == "" {
		req.Header.Set("Accept-Language", c.Lang)
	}
	if c.Via != "" {
		req.Header.Set("X-Forwarded-For", c.Via)
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	p := &Page{t: c.t, client: c, Status: res.StatusCode, Path: res.Request.URL.RequestURI(), Header: res.Header, Body: body}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		if p.Doc, err = goquery.NewDocumentFromReader(bytes.NewReader(body)); err != nil {
			c.t.Fatal(err)
		}
	}
	return p
}

// Want fails the test unless the page has the status.
func (p *Page) Want(status int) *Page {
	p.t.Helper()
	if p.Status != status {
		p.t.Fatalf("%s answered %d, not %d: %s", p.Path, p.Status, status, p.brief())
	}
	return p
}

func (p *Page) brief() string {
	if p.Doc == nil {
		return string(p.Body[:min(len(p.Body), 600)])
	}
	return strings.Join(strings.Fields(p.Doc.Find("main").Text()), " ")
}

// Text is the text of the first element of a selector, white space folded.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return strings.Join(strings.Fields(p.find(selector).First().Text()), " ")
}

// Has reports whether the page has such an element.
func (p *Page) Has(selector string) bool { return p.Doc != nil && p.Doc.Find(selector).Length() > 0 }

func (p *Page) find(selector string) *goquery.Selection {
	p.t.Helper()
	if p.Doc == nil {
		p.t.Fatalf("%s is no page: %s", p.Path, p.brief())
	}
	s := p.Doc.Find(selector)
	if s.Length() == 0 {
		p.t.Fatalf("%s has no %s: %s", p.Path, selector, p.brief())
	}
	return s
}

// Follow opens the first link of a selector.
func (p *Page) Follow(selector string) *Page {
	p.t.Helper()
	href, ok := p.find(selector).First().Attr("href")
	if !ok {
		p.t.Fatalf("%s: %s is no link", p.Path, selector)
	}
	return p.client.Get(p.resolve(href))
}

func (p *Page) resolve(ref string) string {
	p.t.Helper()
	base, err := url.Parse(p.client.base + p.Path)
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := base.Parse(ref)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.String()
}

// Submit fills in the form of a selector (a form, or a button in it, which is then pressed) and sends it, as a browser
// without JavaScript would: with every value the page put there, changed by fields.
func (p *Page) Submit(selector string, fields map[string]string) *Page {
	p.t.Helper()
	at := p.find(selector).First()
	form := at.Closest("form")
	if id, ok := at.Attr("form"); ok {
		form = p.find("form#" + id)
	}
	values := url.Values{}
	form.Find("input, textarea, select").Each(func(_ int, s *goquery.Selection) {
		name, ok := s.Attr("name")
		if _, off := s.Attr("disabled"); !ok || off {
			return
		}
		switch goquery.NodeName(s) {
		case "textarea":
			values.Add(name, strings.TrimPrefix(s.Text(), "\n"))
		case "select":
			o := s.Find("option[selected]")
			if o.Length() == 0 {
				o = s.Find("option").First()
			}
			if v, ok := o.First().Attr("value"); ok {
				values.Add(name, v)
			} else {
				values.Add(name, strings.TrimSpace(o.First().Text()))
			}
		default:
			t := s.AttrOr("type", "text")
			_, checked := s.Attr("checked")
			if (t == "checkbox" || t == "radio") && !checked || t == "submit" || t == "file" {
				return
			}
			values.Add(name, s.AttrOr("value", map[bool]string{true: "on"}[t == "checkbox"]))
		}
	})
	for k, v := range fields {
		if form.Find(`[name="`+k+`"]`).Length() == 0 {
			p.t.Fatalf("%s: the form has no field %q", p.Path, k)
		}
		if v == "" && form.Find(`input[type="checkbox"][name="`+k+`"]`).Length() > 0 {
			values.Del(k)
			continue
		}
		values.Set(k, v)
	}
	if name, ok := at.Attr("name"); ok && goquery.NodeName(at) == "button" {
		values.Set(name, at.AttrOr("value", ""))
	}
	action := form.AttrOr("action", p.Path)
	if a, ok := at.Attr("formaction"); ok {
		action = a
	}
	if strings.EqualFold(form.AttrOr("method", "get"), "get") {
		u, err := url.Parse(p.resolve(action))
		if err != nil {
			p.t.Fatal(err)
		}
		u.RawQuery = values.Encode()
		return p.client.Get(u.String())
	}
	return p.client.Post(p.resolve(action), values)
}
