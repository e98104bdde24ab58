package journey

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// answer is all that a stranger sees of an answer but what differs each time: its status, its headers, its words, and of
// cookies the length of their values.
func answer(t *testing.T, a *testapp.App, path string, form url.Values, cookies ...*http.Cookie) (seen string, got []*http.Cookie) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, a.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		req.AddCookie(c)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := res.Header.Get("X-Request-Id")
	lines := []string{}
	for name, values := range res.Header {
		for _, v := range values {
			switch name {
			case "X-Request-Id", "Date", "Set-Cookie":
			default:
				lines = append(lines, name+": "+v)
			}
		}
	}
	for _, c := range res.Cookies() {
		lines = append(lines, fmt.Sprintf("cookie %s, %d characters, %d %s %v", c.Name, len(c.Value), c.MaxAge, c.Path, c.SameSite))
	}
	slices.Sort(lines)
	words := strings.ReplaceAll(string(body), id, "(id)")
	for _, v := range form["email"] { // the form comes back with what was typed
		words = strings.ReplaceAll(words, v, "(address)")
	}
	return fmt.Sprintf("%d\n%s\n%s", res.StatusCode, strings.Join(lines, "\n"), words), res.Cookies()
}

// Nobody learns from an answer whether somebody has signed or has an account.
func TestTheSameAnswerForEveryAddress(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		path := "/petitions/" + p.Slug
		factory.Signed(t, a, p, factory.Person{Given: "June", Family: "Okafor", Email: "knows@example.org", Updates: true})
		sign := func(email string) (string, []*http.Cookie) {
			return answer(t, a, path+"/sign", url.Values{"given_name": {"Ann"}, "family_name": {"Lee"}, "email": {email}, "postal_code": {"00209"}, "display": {"name"}})
		}
		sign("waits@example.org")
		want, fresh := sign("fresh@example.org")
		if !strings.HasPrefix(want, "303") || len(fresh) == 0 {
			t.Fatal(want)
		}
		for _, email := range []string{"knows@example.org", "waits@example.org", testapp.OwnerEmail} {
			got, cookies := sign(email)
			if got != want {
				t.Errorf("signing as %s:\n%s\nnot\n%s", email, got, want)
			}
			for _, next := range []struct {
				path string
				form url.Values
			}{{path + "/sent", nil}, {"/confirm", url.Values{"code": {"GGGGGG"}}}} {
				one, _ := answer(t, a, next.path, next.form, fresh...)
				two, _ := answer(t, a, next.path, next.form, cookies...)
				if one != two {
					t.Errorf("%s after signing as %s:\n%s\nnot\n%s", next.path, email, two, one)
				}
			}
		}

		for _, email := range []string{testapp.OwnerEmail, "knows@example.org"} {
			local, domain, _ := strings.Cut(email, "@")
			unknown := strings.Repeat("z", len(local)) + "@" + domain // as long: the form comes back with it
			for path, form := range map[string]url.Values{"/admin/login": {"password": {"not the password"}}, "/admin/login/link": {}} {
				form.Set("email", unknown)
				want, _ := answer(t, a, path, form)
				form.Set("email", email)
				if got, _ := answer(t, a, path, form); got != want {
					t.Errorf("%s as %s:\n%s\nnot\n%s", path, email, got, want)
				}
			}
		}
	})
}
