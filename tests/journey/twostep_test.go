package journey

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// A server asks for a second step before the widest rights; the pages lead there, and signing in asks for the code.
func TestTwoSteps(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, dbURL string) {
		a := testapp.New(t, dbURL, testapp.TwoStep)
		a.SetUp()
		c := a.Owner(t)
		if !c.Get("/admin").Want(200).Has(`a[href="/admin/account/two-step"]`) {
			t.Error("the first page does not tell")
		}
		page := c.Get("/admin/account/two-step").Want(200)
		if page.Has("#secret") {
			t.Fatal("looking at the page made a key")
		}
		page = page.Submit("form[action$='/begin']", nil).Want(200)
		key := strings.ReplaceAll(page.Text("#secret"), " ", "")
		if svg := c.Get("/admin/account/two-step/qr.svg").Want(200); svg.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(string(svg.Body), "<svg") {
			t.Error("no picture to scan, or one that is kept")
		}
		code := func() string {
			s, err := totp.GenerateCode(key, a.Clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		form := "form[action='/admin/account/two-step']"
		page = page.Submit(form, map[string]string{"code": "12"}).Want(422)
		if !page.Has("#code[aria-invalid=true]") || strings.ReplaceAll(page.Text("#secret"), " ", "") != key {
			t.Error("a wrong code is not answered where it was typed, or changes the key")
		}
		page = page.Submit(form, map[string]string{"code": code()}).Want(200)
		if n := page.Doc.Find("#codes li").Length(); n != 10 {
			t.Errorf("%d recovery codes", n)
		}
		recovery := page.Text("#codes li:nth-child(2)")
		c.Get("/admin/account/two-step/qr.svg").Want(404)
		if strings.Contains(string(c.Get("/admin/account/two-step").Want(200).Body), recovery) {
			t.Error("recovery codes can be read again")
		}

		// Anew: the password alone opens nothing.
		d := a.Client(t)
		page = d.Get("/admin/login?next=/admin/petitions").Want(200).
			Submit("form[action='/admin/login']", map[string]string{"email": testapp.OwnerEmail, "password": testapp.Password}).Want(200)
		if !strings.HasPrefix(page.Path, "/admin/login/code") {
			t.Fatalf("no code was asked: %s", page.Path)
		}
		if p := d.Get("/admin/petitions").Want(200); !strings.HasPrefix(p.Path, "/admin/login") {
			t.Fatalf("the password alone opens %s", p.Path)
		}
		d.Post("/admin/account", url.Values{"name": {"x"}}).Want(401)
		a.Clock.Add(time.Minute)
		page = page.Submit("form", map[string]string{"code": "000 000"}).Want(422)
		page = page.Submit("form", map[string]string{"code": code()}).Want(200)
		if !strings.HasPrefix(page.Path, "/admin/petitions") {
			t.Errorf("went to %s", page.Path)
		}
		// A recovery code in place of the device.
		page = a.Client(t).Get("/admin/login").Want(200).
			Submit("form[action='/admin/login']", map[string]string{"email": testapp.OwnerEmail, "password": testapp.Password}).Want(200).
			Submit("form", map[string]string{"code": strings.ToUpper(recovery)}).Want(200)
		if !strings.HasPrefix(page.Path, "/admin") || strings.HasPrefix(page.Path, "/admin/login") {
			t.Errorf("a recovery code leads to %s", page.Path)
		}
	})
}
