package web

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
)

type inner struct {
	City string `form:"city"`
}

type bindForm struct {
	inner
	Email    string    `form:"email,max=20"`
	Comment  string    `form:"comment,max=2000,lines"`
	Password string    `form:"password,max=30,raw"`
	Updates  bool      `form:"updates"`
	Points   []string  `form:"point,max=5"`
	Goal     int       `form:"goal"`
	ID       uuid.UUID `form:"id"`
	Other    string
}

func TestBind(t *testing.T) {
	id := uuid.MustParse("0190b6a0-0000-7000-8000-000000000001")
	for name, c := range map[string]struct {
		in   url.Values
		want bindForm
		bad  string // field: key, in order
	}{
		"everything": {
			in: url.Values{
				"email": {" june@example.org "}, "comment": {"one\r\ntwo\rthree\tfour "}, "password": {" a\tb "}, "updates": {"yes"},
				"point": {"a", " ", "b"}, "goal": {"5,000"}, "id": {id.String()}, "Other": {"x"}, "city": {"Harrow Bay"},
			},
			want: bindForm{
				inner: inner{"Harrow Bay"}, Email: "june@example.org", Comment: "one\ntwo\nthree\tfour", Password: " a\tb ", Updates: true,
				Points: []string{"a", "b"}, Goal: 5000, ID: id,
			},
		},
		"nothing":     {in: url.Values{}, want: bindForm{Points: []string{}}},
		"off":         {in: url.Values{"updates": {"no"}}, want: bindForm{Points: []string{}}},
		"NUL":         {in: url.Values{"email": {"ju\x00ne"}, "city": {"A"}}, want: bindForm{Email: "june", inner: inner{"A"}, Points: []string{}}, bad: "email: error.text_unreadable"},
		"not UTF-8":   {in: url.Values{"comment": {"caf\xe9 and more"}}, want: bindForm{Comment: "caf and more", Points: []string{}}, bad: "comment: error.text_unreadable"},
		"line breaks": {in: url.Values{"email": {"a\r\nBcc: b\u2028c\u0085d"}}, want: bindForm{Email: "a Bcc: b c d", Points: []string{}}},
		"separators":  {in: url.Values{"comment": {"a\u2028b\x07c"}}, want: bindForm{Comment: "a\nb c", Points: []string{}}},
		"too long": {
			in:   url.Values{"email": {strings.Repeat("é", 21)}, "point": {"abcdef"}},
			want: bindForm{Email: strings.Repeat("é", 21), Points: []string{"abcdef"}}, bad: "email: error.text_too_long Max=20 Over=1; point: error.text_too_long Max=5 Over=1",
		},
		"just fits":  {in: url.Values{"email": {strings.Repeat("é", 20)}}, want: bindForm{Email: strings.Repeat("é", 20), Points: []string{}}},
		"no number":  {in: url.Values{"goal": {"many"}}, want: bindForm{Points: []string{}}, bad: "goal: error.number_invalid"},
		"huge":       {in: url.Values{"goal": {"99999999999999999999"}}, want: bindForm{Goal: 1<<63 - 1, Points: []string{}}, bad: "goal: error.number_invalid"},
		"unknown id": {in: url.Values{"id": {"x"}}, want: bindForm{Points: []string{}}, bad: "id: error.value_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			var got bindForm
			err := bindValues(c.in, &got)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			var bad []string
			if e, ok := Invalid(err); ok {
				for _, f := range e.Fields {
					s := f.Name + ": " + f.Key
					for i := 0; i+1 < len(f.Args); i += 2 {
						s += " " + f.Args[i].(string) + "=" + f.Args[i+1].(string)
					}
					bad = append(bad, s)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(bad, "; "); got != c.bad {
				t.Errorf("%q, want %q", got, c.bad)
			}
		})
	}
}

// What a form of a browser sends, in both encodings, and what it does not.
func TestBindReadsRequests(t *testing.T) {
	_, app := house(t, nil)
	app.All("/form", func(c *fiber.Ctx) error {
		var f bindForm
		err := Bind(c, &f)
		if err != nil && !fault.Is(err, fault.Invalid) {
			return err
		}
		if err != nil {
			return c.Status(422).SendString(f.Email + "|" + err.Error())
		}
		return c.SendString(f.Email)
	})
	var m bytes.Buffer
	mw := multipart.NewWriter(&m)
	_ = mw.WriteField("email", "a\x00b")
	_ = mw.Close()
	for _, c := range []struct {
		method, target, body, kind string
		status                     int
		want                       string
	}{
		{"GET", "/form?email=a%40b", "", "", 200, "a@b"},
		{"POST", "/form?email=query", "email=a%40b", "application/x-www-form-urlencoded; charset=UTF-8", 200, "a@b"},
		{"POST", "/form", "email=a%00b", "", 422, "ab|invalid: error.check_fields; email: error.text_unreadable"},
		{"POST", "/form", "email=%ff", "", 422, "|invalid: error.check_fields; email: error.text_unreadable"},
		{"POST", "/form", "email=%zz", "", 422, "|invalid: error.form_unreadable: a form with a wrong escape"},
		{"POST", "/form", m.String(), mw.FormDataContentType(), 422, "ab|invalid: error.check_fields; email: error.text_unreadable"},
		{"POST", "/form", "--x", "multipart/form-data; boundary=y", 422, ""},
		{"POST", "/form", "{}", "application/json", 422, "|invalid: error.form_unreadable"},
		{"POST", "/form", strings.Repeat("a=&", 6000), "", 422, "|invalid: error.form_unreadable"},
		{"POST", "/form", "email=" + strings.Repeat("x", 1_000_000), "", 422, ""},
	} {
		resp, body := do(t, app, c.method, c.target, c.body, "Content-Type", c.kind)
		if c.kind == "" {
			resp, body = do(t, app, c.method, c.target, c.body)
		}
		if resp.StatusCode != c.status || (c.want != "" && body != c.want) {
			t.Errorf("%s %.40q: %d %.200q", c.target, c.body, resp.StatusCode, body)
		}
	}
}

func TestUpload(t *testing.T) {
	_, app := house(t, nil)
	app.Post("/up", func(c *fiber.Ctx) error {
		name, b, err := Upload(c, "file", 10)
		if err != nil {
			return c.Status(422).SendString(err.Error())
		}
		return c.SendString(name + ":" + string(b))
	})
	for content, want := range map[string]string{
		"ten bytes!": "a.csv:ten bytes!", "": "invalid: error.check_fields; file: error.file_missing",
		"eleven byte": "invalid: error.check_fields; file: error.file_too_large",
	} {
		var m bytes.Buffer
		mw := multipart.NewWriter(&m)
		part, err := mw.CreateFormFile("file", "a.csv")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write([]byte(content))
		_ = mw.Close()
		if _, got := do(t, app, "POST", "/up", m.String(), "Content-Type", mw.FormDataContentType()); got != want {
			t.Errorf("%q: %q", content, got)
		}
	}
}

// Whatever arrives, values come out clean and Bind does not panic.
func FuzzBind(f *testing.F) {
	for _, s := range []string{"email=a%40b&goal=1", "email=%00&comment=%ff&goal=x", "point=1&point=2&id=z", "email=%zz", "a=b;c=d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := parseForm(body)
		if err != nil {
			return
		}
		var form bindForm
		err = bindValues(v, &form)
		for _, s := range append([]string{form.Email, form.Comment, form.Password, form.City}, form.Points...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("not clean: %q", s)
			}
		}
		if strings.ContainsAny(form.Email+form.City, "\r\n\u2028\u2029") || strings.Contains(form.Comment, "\r") {
			t.Fatalf("line ends: %q %q", form.Email, form.Comment)
		}
		if err == nil && utf8.RuneCountInString(form.Email) > 20 {
			t.Fatalf("too long and not refused: %q", form.Email)
		}
	})
}
