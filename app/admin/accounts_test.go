package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/jobs"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// path is an address of the site without its host.
func path(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

func TestSetupFromTheLinkOn(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, db string) {
		a := testapp.New(t, db)
		c := a.Client(t)
		ctx := context.Background()

		if p := c.Get("/admin/login").Want(200); p.Path != "/admin/setup" || !strings.Contains(p.Text("main"), "the link that the server showed") {
			t.Errorf("before setup the sign-in page is %s: %s", p.Path, p.Text("main"))
		}
		link, err := a.SetupURL(ctx)
		if err != nil {
			t.Fatal(err)
		}
		base := path(t, link)
		c.Get(base[:len(base)-2] + "xx").Want(404)
		if p := c.Get(base + "/you").Want(200); p.Path != base {
			t.Errorf("a later step before the first: %s", p.Path)
		}

		first := c.Get(link).Want(200)
		if v, _ := first.Doc.Find("#name").Attr("value"); v != "" {
			t.Errorf("the name is filled in: %q", v)
		}
		wrong := first.Submit("main form", map[string]string{"name": "Wennick <Coalition>", "from_address": "nobody", "time_zone": "Mars", "phone": "555-0142"}).Want(422)
		if got := wrong.Text("#summary"); !strings.Contains(got, "2 things") || !strings.HasPrefix(wrong.Text("title"), "Error:") {
			t.Errorf("%s / %s", wrong.Text("title"), got)
		}
		if v, _ := wrong.Doc.Find("#name").Attr("value"); v != "Wennick <Coalition>" {
			t.Errorf("the form lost %q", v)
		}
		mail := wrong.Submit("main form", map[string]string{"from_address": "news@act.example.org", "time_zone": "America/Chicago", "postal_address": "12 Ferry Street\nHarrow Bay"}).Want(200)
		if mail.Path != base+"/mail" {
			t.Fatalf("after the first step: %s", mail.Path)
		}

		bad := mail.Submit(`button[value="test"]`, map[string]string{"smtp_host": "127.0.0.1", "smtp_tls": "none", "to": "x"}).Want(422)
		if got := bad.Text("#to-error"); !strings.Contains(got, "e-mail") && !strings.Contains(got, "address") {
			t.Errorf("%q", got)
		}
		sent := bad.Submit(`button[value="test"]`, map[string]string{"to": "ilse@example.org"}).Want(200)
		if got := sent.Text(".notice.good"); !strings.Contains(got, "took the test mail") {
			t.Errorf("%q", got)
		}
		a.WaitMail(t, "ilse@example.org", 1)
		if v, _ := sent.Doc.Find("#smtp_host").Attr("value"); v != "127.0.0.1" {
			t.Errorf("the mail server is %q", v)
		}

		texts := sent.Submit(`button[value="save"]`, nil).Want(200)
		if texts.Path != base+"/texts" || texts.Doc.Find("textarea").Length() != 4 || !strings.Contains(texts.Text("#privacy_es"), "{organisation}") {
			t.Fatalf("%s", texts.Path)
		}
		you := texts.Submit("main form", map[string]string{"accessibility_en": "Call us on {phone} about <script>alert(1)</script> anything."}).Want(200)
		back := you.Follow(`main a[href$="/texts"]`).Want(200)
		if got := back.Text("#accessibility_en"); !strings.HasPrefix(got, "Call us") {
			t.Errorf("going back lost the text: %q", got)
		}
		if v, _ := c.Get(link).Want(200).Doc.Find("#phone").Attr("value"); v != "555-0142" {
			t.Errorf("going back lost the phone: %q", v)
		}

		weak := you.Submit("main form", map[string]string{"name": "Ilse Halvorsen", "email": "ilse@example.org", "password": "short"}).Want(422)
		if weak.Has(`#password[value]`) || weak.Text("#password-error") == "" {
			t.Error("the password came back, or without its error")
		}
		in := weak.Submit("main form", map[string]string{"password": "a calm afternoon"}).Want(200)
		if !strings.HasPrefix(in.Path, "/admin/recovery") || !in.Has(`form[action="/admin/logout"]`) {
			t.Fatalf("not signed in: %s", in.Path)
		}
		c.Get(link).Want(410)
		a.Client(t).Get(base + "/you").Want(410)

		sheet := in.Submit(`form[action="/admin/recovery/sheet"]`, nil).Want(200)
		if n := sheet.Doc.Find("td code").Length(); n != 20 || sheet.Header.Get("Cache-Control") != "no-store" || !sheet.Has(".sheet") {
			t.Errorf("%d groups, %s", n, sheet.Header.Get("Cache-Control"))
		}
		if got := c.Get("/admin").Want(200).Text("main ol"); !strings.Contains(got, "recovery sheet") {
			t.Errorf("today does not ask for the sheet: %s", got)
		}
		today := sheet.Submit(`form[action="/admin/recovery/kept"]`, nil).Want(200)
		if today.Path != "/admin" || strings.Contains(today.Text("main"), "recovery sheet on paper") || !strings.Contains(today.Text("main"), "Nothing needs you right now") {
			t.Errorf("%s: %s", today.Path, today.Text("main"))
		}

		// What setup said is what visitors read.
		privacy := a.Client(t).Get("/privacy").Want(200)
		if got := privacy.Text("main"); !strings.Contains(got, "We are Wennick <Coalition>.") || !strings.Contains(got, "after 7 days") || !strings.Contains(got, "555-0142") {
			t.Errorf("%.200s", got)
		}
		if got := a.Client(t).Get("/accessibility").Want(200); got.Has("main script") || !strings.Contains(got.Text("main"), "Call us on 555-0142") {
			t.Errorf("%s", got.Text("main"))
		}
		spanish := a.Client(t)
		spanish.Lang = "es"
		if got := spanish.Get("/privacy").Want(200); got.Text("h1") != "Qué guardamos sobre usted" || !strings.Contains(got.Text("main"), "a los 7 días") {
			t.Errorf("%s", got.Text("h1"))
		}
	})
}

func TestSigningIn(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c := a.Client(t)
		login := c.Get("/admin/audit").Want(200)
		if login.Path != "/admin/login?next=%2Fadmin%2Faudit" {
			t.Fatalf("%s", login.Path)
		}
		no := login.Submit(`form[action="/admin/login"]`, map[string]string{"email": testapp.OwnerEmail, "password": "wrong password"}).Want(422)
		if v, _ := no.Doc.Find("#email").Attr("value"); v != testapp.OwnerEmail || no.Has("#password[value]") {
			t.Errorf("the address is %q", v)
		}
		known := no.Text("#summary")
		if other := login.Submit(`form[action="/admin/login"]`, map[string]string{"email": "nobody@example.org", "password": "wrong password"}).Want(422); other.Text("#summary") != known {
			t.Errorf("%q differs from %q", other.Text("#summary"), known)
		}
		in := no.Submit(`form[action="/admin/login"]`, map[string]string{"password": testapp.Password}).Want(200)
		if !strings.HasPrefix(in.Path, "/admin/audit") || !strings.Contains(in.Text("tbody"), "Ilse Halvorsen") || !strings.Contains(in.Text("tbody"), "how: password") {
			t.Errorf("%s: %s", in.Path, in.Text("main"))
		}
		if p := c.Get("/admin/login?next=/admin/users").Want(200); p.Path != "/admin/users" {
			t.Errorf("signed in already: %s", p.Path)
		}
		out := in.Submit(`form[action="/admin/logout"]`, nil).Want(200)
		if out.Path != "/admin/login" || !strings.Contains(out.Text(".notice"), "signed out") {
			t.Errorf("%s", out.Path)
		}
		if p := c.Get("/admin/users"); !strings.HasPrefix(p.Path, "/admin/login") {
			t.Errorf("still signed in: %s", p.Path)
		}
		for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example"} {
			p := a.Client(t).Get("/admin/login?next=" + url.QueryEscape(next)).Want(200)
			if v, _ := p.Doc.Find(`[name="next"]`).Attr("value"); strings.Contains(v, "evil") {
				t.Errorf("next is %q", v)
			}
		}

		for i := range 5 {
			c.Get("/admin/login").Submit(`form[action="/admin/login"]`, map[string]string{"email": testapp.OwnerEmail, "password": fmt.Sprint("wrong password ", i)}).Want(422)
		}
		p := c.Get("/admin/login").Submit(`form[action="/admin/login"]`, map[string]string{"email": testapp.OwnerEmail, "password": testapp.Password}).Want(429)
		if p.Header.Get("Retry-After") != "900" || !strings.Contains(p.Text("#summary"), "15 minutes") || !p.Has("#password") {
			t.Errorf("%s: %s", p.Header.Get("Retry-After"), p.Text("#summary"))
		}

		// The link by mail is the way in all the same.
		sent := p.Follow(`a[href="/admin/login/link"]`).Submit(`form[action="/admin/login/link"]`, map[string]string{"email": testapp.OwnerEmail}).Want(200)
		unknown := a.Client(t).Get("/admin/login/link").Submit(`form[action="/admin/login/link"]`, map[string]string{"email": "nobody@example.org"}).Want(200)
		if sent.Path != "/admin/login/link/sent" || unknown.Path != sent.Path || unknown.Text("main") != sent.Text("main") {
			t.Errorf("%s %s", sent.Path, unknown.Path)
		}
		link := testapp.Link(t, a.WaitMail(t, testapp.OwnerEmail, 1)[0], "/admin/login/")
		fresh := a.Client(t)
		button := fresh.Get(link).Want(200)
		fresh.Get(link).Want(200) // a scanner looked before: nothing is used up
		if button.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the page of a secret sends referrers: %q", button.Header.Get("Referrer-Policy"))
		}
		if in := button.Submit(`main form`, nil).Want(200); !strings.HasPrefix(in.Path, "/admin?") {
			t.Errorf("%s", in.Path)
		}
		if old := a.Client(t).Get(link).Want(410); !old.Has(`a[href="/admin/login/link"]`) || !strings.Contains(old.Text("main"), "used already") {
			t.Errorf("%s", old.Text("main"))
		}
		a.Client(t).Get("/admin/login/" + strings.Repeat("A", 51)).Want(404)
	})
}

func TestPasswordChangeInTheBrowser(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		desk, phone := a.Owner(t), a.Owner(t)
		page := desk.Get("/admin/account").Want(200)
		if got := page.Text("#part-sessions + p"); got == "Only here." {
			t.Errorf("%s", got)
		}
		bad := page.Submit(`form[action="/admin/account/password"]`, map[string]string{"current": "not it at all", "password": "quite another one"}).Want(422)
		if bad.Text("#current-error") == "" {
			t.Error("no error beside the field")
		}
		if v, _ := bad.Doc.Find("#name").Attr("value"); v != "Ilse Halvorsen" {
			t.Errorf("the other form lost the name: %q", v)
		}
		good := bad.Submit(`form[action="/admin/account/password"]`, map[string]string{"current": testapp.Password, "password": "quite another one"}).Want(200)
		if good.Path != "/admin/account" || good.Text("#part-sessions + p") != "Only here." {
			t.Errorf("%s: %s", good.Path, good.Text("main"))
		}
		if p := phone.Get("/admin/account"); !strings.HasPrefix(p.Path, "/admin/login") {
			t.Errorf("the other device is still in: %s", p.Path)
		}
		m := a.WaitMail(t, testapp.OwnerEmail, 1)[0]
		if !strings.Contains(m.Subject, "password") || strings.Contains(m.Text, "quite another") {
			t.Errorf("%s\n%s", m.Subject, m.Text)
		}
		// A form that was open elsewhere is answered with a page that tells what to do, not with a blank one.
		gone := phone.Post("/admin/account", url.Values{"name": {"New Name"}, "language": {"en"}}).Want(401)
		if !gone.Has(`a[href^="/admin/login"]`) || !strings.Contains(gone.Text("main"), "still in your browser") {
			t.Errorf("%s", gone.Text("main"))
		}
		saved := good.Submit(`form[action="/admin/account"]`, map[string]string{"name": "Ilse H.", "language": "es"}).Want(200)
		if saved.Text("h1") != "Su cuenta" || !strings.Contains(saved.Text(".site-head"), "Ilse H.") {
			t.Errorf("%s: %s", saved.Text("h1"), saved.Text(".site-head"))
		}
	})
}

func TestInvitingInTheBrowser(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		owner := a.Owner(t)
		form := owner.Get("/admin/users").Want(200).Follow(`a[href="/admin/users/invite"]`).Want(200)
		form.Submit("main form", map[string]string{"email": testapp.OwnerEmail}).Want(422)
		list := form.Submit("main form", map[string]string{"email": "maren@example.org", "role": "advocate"}).Want(200)
		if list.Path != "/admin/users" || !strings.Contains(list.Text("tbody"), "maren@example.org") {
			t.Fatalf("%s: %s", list.Path, list.Text("main"))
		}
		link := testapp.Link(t, a.WaitMail(t, "maren@example.org", 1)[0], "/admin/invitation/")
		guest := a.Client(t)
		guest.Lang = "es"
		page := guest.Get(link).Want(200)
		if page.Text("h1") != "Prepare su cuenta" || !strings.Contains(page.Text("main"), "maren@example.org") {
			t.Errorf("%s", page.Text("main"))
		}
		page.Submit("main form", map[string]string{"name": "", "password": "short"}).Want(422)
		in := page.Submit("main form", map[string]string{"name": "Maren Oyelaran", "password": "una tarde tranquila"}).Want(200)
		if !strings.HasPrefix(in.Path, "/admin?") || !strings.Contains(in.Text(".site-head"), "Maren Oyelaran") {
			t.Errorf("%s", in.Path)
		}
		a.Client(t).Get(link).Want(410)
		for _, p := range []string{"/admin/users", "/admin/users/invite", "/admin/settings", "/admin/settings/mail", "/admin/settings/texts", "/admin/jobs", "/admin/audit", "/admin/recovery"} {
			guest.Get(p).Want(403)
		}
		if rail := in.Text(".rail"); strings.Contains(rail, "Ajustes") || strings.Contains(rail, "Registro de cambios") {
			t.Errorf("an advocate's menu: %s", rail)
		}

		list = owner.Get("/admin/users").Want(200)
		maren, err := a.Users.Find(context.Background(), actor.TheSystem(), "maren@example.org")
		if err != nil {
			t.Fatal(err)
		}
		list = list.Submit(fmt.Sprintf(`form[action="/admin/users/%s/role"]`, maren.ID), map[string]string{"role": "viewer"}).Want(200)
		list = list.Submit(fmt.Sprintf(`form[action="/admin/users/%s/disable"] button`, maren.ID), nil).Want(200)
		if !strings.Contains(list.Text("main"), "Closed") {
			t.Errorf("%s", list.Text("main"))
		}
		if p := guest.Get("/admin"); !strings.HasPrefix(p.Path, "/admin/login") {
			t.Errorf("a closed account is still in: %s", p.Path)
		}
		me, err := a.Users.Find(context.Background(), actor.TheSystem(), testapp.OwnerEmail)
		if err != nil {
			t.Fatal(err)
		}
		last := list.Submit(fmt.Sprintf(`form[action="/admin/users/%s/disable"] button`, me.ID), nil).Want(200)
		if !strings.Contains(last.Text(".notice.bad"), "last owner") {
			t.Errorf("%s", last.Text("main"))
		}
		owner.Post("/admin/users/nonsense/role", url.Values{"role": {"viewer"}}).Want(404)
		owner.Post("/admin/users/"+models.NewID().String()+"/role", url.Values{"role": {"viewer"}}).Want(404)
	})
}

// Whoever may not, may not: every page and every form of these features, as every role and as nobody.
func TestPagesKeepToRights(t *testing.T) {
	a := testapp.New(t, testdb.SQLiteURL(t))
	a.SetUp()
	ctx := context.Background()
	clients := map[string]*testapp.Client{"nobody": a.Client(t)}
	for _, r := range actor.Roles {
		id, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "N", Email: string(r) + "@example.org", Role: r})
		if err != nil {
			t.Fatal(err)
		}
		token, err := a.Users.LoginLinkFor(ctx, actor.TheSystem(), id)
		if err != nil {
			t.Fatal(err)
		}
		c := a.Client(t)
		c.Get(users.LoginPath(token)).Want(200).Submit("main form", nil).Want(200)
		clients[string(r)] = c
	}
	target, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "Target", Email: "target@example.org", Role: actor.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	everyone := map[string]bool{"/admin": true, "/admin/account": true}
	for _, p := range []string{
		"/admin", "/admin/account", "/admin/users", "/admin/users/invite", "/admin/settings", "/admin/settings/mail", "/admin/settings/texts",
		"/admin/recovery", "/admin/jobs", "/admin/audit",
	} {
		for who, c := range clients {
			got := c.Get(p)
			switch {
			case who == "nobody" && !strings.HasPrefix(got.Path, "/admin/login"):
				t.Errorf("GET %s as nobody: %d at %s", p, got.Status, got.Path)
			case who != "nobody" && (who == "owner" || everyone[p]) && got.Status != 200:
				t.Errorf("GET %s as %s: %d", p, who, got.Status)
			case who != "nobody" && who != "owner" && !everyone[p] && got.Status != 403:
				t.Errorf("GET %s as %s: %d, want 403", p, who, got.Status)
			}
		}
	}
	for _, p := range []string{
		"/admin/users/invite", "/admin/users/invitations/" + models.NewID().String() + "/revoke", "/admin/users/" + target.String() + "/role",
		"/admin/users/" + target.String() + "/disable", "/admin/settings", "/admin/settings/mail", "/admin/settings/texts", "/admin/recovery/sheet",
		"/admin/recovery/kept", "/admin/jobs/1/retry", "/admin/jobs/1/cancel",
	} {
		form := url.Values{"email": {"new@example.org"}, "role": {"viewer"}, "disabled": {"yes"}, "do": {"save"}}
		for who, c := range clients {
			want := http.StatusForbidden
			if who == "nobody" {
				want = http.StatusUnauthorized
			}
			if who == "owner" {
				continue
			}
			if got := c.Post(p, form); got.Status != want {
				t.Errorf("POST %s as %s: %d, want %d", p, who, got.Status, want)
			}
		}
	}
	if u, err := a.Users.Find(ctx, actor.TheSystem(), "target@example.org"); err != nil || u.DisabledAt != nil {
		t.Errorf("%+v, %v", u, err)
	}
	a.Client(t).Post("/admin/account/password", url.Values{"password": {"something long enough"}}).Want(401)
	a.Client(t).Post("/admin/logout", url.Values{}).Want(200) // nobody's session ends without a fuss
}

func TestAuditLogHasPages(t *testing.T) {
	a := testapp.New(t, testdb.SQLiteURL(t))
	a.SetUp()
	c := a.Owner(t)
	for range 60 {
		a.Clock.Add(time.Second)
		if err := a.Organisation.KeepRecoverySheet(context.Background(), actor.TheSystem()); err != nil {
			t.Fatal(err)
		}
	}
	first := c.Get("/admin/audit").Want(200)
	second := first.Follow(`.pager a[rel="next"]`).Want(200)
	if n, m := first.Doc.Find("tbody tr").Length(), second.Doc.Find("tbody tr").Length(); n != 50 || m < 10 || !strings.Contains(second.Text("tbody"), "user.create") {
		t.Errorf("%d and %d rows", n, m)
	}
	c.Get("/admin/audit?after=nonsense").Want(422)
}

func TestJobsPage(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c := a.Owner(t)
		c.Get("/admin/jobs").Want(200)
		for _, s := range jobs.States {
			c.Get("/admin/jobs?state=" + s).Want(200)
		}
		c.Get("/admin/jobs?state=nonsense").Want(200)
		c.Post("/admin/jobs/999999/retry", url.Values{}).Want(404)
		c.Post("/admin/jobs/x/cancel", url.Values{}).Want(404)
	})
}

func TestLoginOverPlainHTTPFromElsewhereIsRefused(t *testing.T) {
	a := testapp.New(t, testdb.SQLiteURL(t))
	a.SetUp()
	for _, p := range []string{"/admin/login", "/admin/login/link", "/admin/setup/x"} {
		req, err := http.NewRequest(http.MethodGet, a.URL+p, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "act.example.org"
		if got := a.Client(t).Do(req).Want(403); !strings.Contains(got.Text("main"), "https") {
			t.Errorf("%s: %s", p, got.Text("main"))
		}
	}
}
