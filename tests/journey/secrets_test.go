package journey

import (
	"bytes"
	"context"
	"net/mail"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/users"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/smtpsink"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// attacks are ways to end a header and begin one's own.
var attacks = []string{
	"\r\nBcc: thief@evil.example", "\nBcc: thief@evil.example", "\rBcc: thief@evil.example", "\r\n\r\n<p>Another body", "\x00\r\nBcc: thief@evil.example",
	"\u2028Bcc: thief@evil.example", "\u2029Bcc: thief@evil.example", "\u0085Bcc: thief@evil.example", "\v\fBcc: thief@evil.example",
	"=?utf-8?q?=0D=0ABcc=3A_thief=40evil.example?=", "=?utf-8?b?DQpCY2M6IHRoaWVmQGV2aWwuZXhhbXBsZQ==?=", "\" <thief@evil.example>, \"", "> , thief@evil.example <", "%0d%0aBcc: thief@evil.example",
}

// headers are all that a mail of ours has, each once at most.
var headers = []string{
	"From", "To", "Reply-To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted", "X-Auto-Response-Suppress",
	"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence", "Feedback-Id",
}

// Whatever people and organizers type, no mail gets a header or a recipient of theirs.
func TestNobodyAddsAHeader(t *testing.T) {
	a := testapp.New(t, testdb.SQLiteURL(t))
	a.SetUp()
	ctx, owner := context.Background(), factory.Owner(t, a)
	p := factory.Petition(t, a, "Twenty visits")
	path := "/petitions/" + p.Slug
	var o models.Organisation
	if err := a.DB.Take(&o).Error; err != nil {
		t.Fatal(err)
	}
	details := organisation.DetailsOf(o)
	refused, taken := 0, 0
	count := func(err error) bool {
		if err != nil {
			refused++
			return false
		}
		taken++
		return true
	}
	for i, x := range attacks {
		n := strconv.Itoa(i)
		d := details
		for _, field := range []*string{&d.Name, &d.ShortName, &d.LegalName, &d.PostalAddress, &d.Phone, &d.FromName} {
			was := *field
			*field = "WCPC" + x
			count(a.Organisation.Update(ctx, actor.TheSystem(), d))
			*field = was
		}
		for _, field := range []*string{&d.FromAddress, &d.ReplyTo} {
			was := *field
			*field = was + x
			if count(a.Organisation.Update(ctx, actor.TheSystem(), d)) {
				t.Errorf("the organisation's address may be %q", *field)
			}
			*field = was
		}
		d.FromName, d.ShortName = "WCPC"+x, "WCPC"+x // stays for the mails of this round, where it is taken
		count(a.Organisation.Update(ctx, actor.TheSystem(), d))

		// By the form, as a browser, and by the operation, as whatever comes later.
		signer := a.Client(t)
		signer.Post(path+"/sign", url.Values{
			"given_name": {"June" + x}, "family_name": {"Okafor" + x}, "email": {"signer" + n + "@example.org"}, "postal_code": {"00209"}, "display": {"name"}, "updates": {"yes"},
		})
		for _, email := range []string{"whole" + n + "@example.org" + x, "half" + n + x + "@example.org"} {
			_, err := a.Petitions.Sign(ctx, petitions.SignInput{
				Slug: p.Slug, GivenName: "June", FamilyName: "Okafor", Email: email, PostalCode: "00209", Display: "name", Locale: "en",
			})
			if count(err) && !strings.HasPrefix(email, "half13%") { // letters that mean nothing in an address
				t.Errorf("an address may be %q", email)
			}
		}
		_, err := a.Petitions.Sign(ctx, petitions.SignInput{
			Slug: p.Slug, GivenName: "June" + x, FamilyName: "Okafor" + x, Email: "direct" + n + "@example.org", PostalCode: "00209", Display: "name", Updates: true, Locale: "en", ConsentText: "Write to me",
		})
		count(err)
		if _, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "Ann" + x, Email: "user" + n + "@example.org", Role: actor.Advocate}); count(err) {
			count(a.Users.RequestLoginLink(ctx, users.Visit{}, "user"+n+"@example.org"))
		}
		_, err = a.Users.Invite(ctx, owner, "new"+n+"@example.org"+x, actor.Viewer, uuid.Nil)
		count(err)
		_, err = a.Users.Invite(ctx, owner, "new"+n+"@example.org", actor.Viewer, uuid.Nil)
		count(err)

		// A petition with such a title: its author is told, its signer asked, its signers written to.
		draft := petitions.Draft{
			Title: "Visits " + x, Summary: "We ask" + x, Body: "Most plans stop.", Decider: "Chair" + x, WhyNow: "Soon.", SystemChange: "Twenty.", Place: "Wennick" + x, Goal: 500, Locale: "en",
		}
		if q, err := a.Petitions.Create(ctx, owner, petitions.CreateInput{Draft: draft}); count(err) {
			if q, err = a.Petitions.Submit(ctx, owner, q.ID, q.Revision); count(err) {
				if q, err = a.Petitions.Publish(ctx, owner, q.ID, q.Revision); count(err) {
					factory.Signed(t, a, q, factory.Person{Given: "June", Family: "Okafor", Email: "q" + n + "@example.org", Updates: true})
					m, err := a.Mailings.Create(ctx, owner, q.ID)
					if err != nil {
						t.Fatal(err)
					}
					r, err := a.Mailings.Save(ctx, owner, m, mailings.Draft{
						Revision: 1, PetitionID: q.ID, Subject: "News {{petition_title}}" + x, Preheader: "Pre" + x, Body: "Hello {{given_name|friend}}, {{petition_title}}.",
					})
					if count(err) && count(a.Mailings.Test(ctx, owner, m)) {
						count(a.Mailings.Send(ctx, owner, m, r))
					}
				}
			}
		}
	}
	if refused < len(attacks) || taken < len(attacks) {
		t.Fatalf("%d refused, %d taken: the fields were not reached", refused, taken)
	}
	var queued int64
	if err := a.DB.Model(&models.Mailing{}).Where("state <> 'draft'").Count(&queued).Error; err != nil || queued == 0 {
		t.Fatalf("no mailing with such a subject went out: %v", err)
	}
	for {
		var left int64
		if err := a.DB.Model(&models.Mailing{}).Where("state IN ('freezing', 'sending')").Count(&left).Error; err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		pause(t)
	}
	settled(t, a)

	// The same messages once more, over the wire, as a server takes them.
	sink := smtpsink.New(t)
	conn := dial(t, sink)
	defer func() { _ = conn.Close() }()
	messages := a.Mail.Messages()
	for _, m := range messages {
		if o := conn.Send(ctx, m); o.State != mailer.Accepted {
			t.Errorf("%q to %s: %v", m.Subject, m.To, o.Err)
		}
	}
	mails := sink.Mails()
	if len(mails) != len(messages) || len(mails) < 3*len(attacks) {
		t.Fatalf("%d of %d mails came", len(mails), len(messages))
	}
	for _, m := range mails {
		msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
		if err != nil {
			t.Fatalf("%v: %s", err, m.Raw)
		}
		for name, values := range msg.Header {
			if !slices.Contains(headers, textproto.CanonicalMIMEHeaderKey(name)) || len(values) != 1 {
				t.Errorf("a mail has %s %d times: %q", name, len(values), values)
			}
		}
		for _, name := range []string{"From", "To", "Reply-To"} {
			if msg.Header.Get(name) == "" && name == "Reply-To" {
				continue
			}
			list, err := msg.Header.AddressList(name)
			if err != nil || len(list) != 1 || strings.Contains(list[0].Address, "evil") {
				t.Errorf("%s is %q: %v", name, msg.Header.Get(name), err)
			}
		}
		if strings.Contains(m.To+m.From, "evil") {
			t.Errorf("the envelope is from %q to %q", m.From, m.To)
		}
	}
}

// dial connects to a sink as the program connects to a mail server.
func dial(t *testing.T, sink *smtpsink.Sink) mailer.Conn {
	t.Helper()
	host, port, _ := strings.Cut(sink.Addr, ":")
	at, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	out, err := mailer.NewSMTP(mailer.SMTPConfig{Host: host, Port: at, TLS: "none"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := out.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// The log of everything that people do names nobody and holds no secret, however much it is asked to say.
func TestTheLogNamesNobody(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		a := testapp.New(t, url, "KITHLINE_LOG_LEVEL=debug")
		a.SetUp()
		path := "/petitions/" + factory.Petition(t, a, "Twenty visits").Slug
		secrets := []string{
			"quokka", "hidden.example", "Canarina", "Zyxwoldt", "numbatisland", "wrong-password-of-mine", testapp.OwnerEmail, testapp.Password, "Halvorsen", "12 Ferry Street",
		}

		june := a.Client(t)
		fields := map[string]string{"given_name": "Canarina", "family_name": "Zyxwoldt", "email": "quokka@hidden.example", "comment": "The word is numbatisland.", "updates": "yes"}
		sign(t, june, path, fields).Want(200)
		fields["email"] = "quokka@@hidden.example"
		sign(t, june, path, fields).Want(422)
		m := a.WaitMail(t, "quokka@hidden.example", 1)[0]
		link := testapp.Link(t, m, "/confirm/")
		june.Get(link).Want(200).Submit("main form button.main", nil).Want(200)
		june.Get(link).Want(200)

		nobody := a.Client(t)
		nobody.Get("/admin/login").Submit("form[action='/admin/login']", map[string]string{"email": "quokka@hidden.example", "password": "wrong-password-of-mine"}).Want(422)
		nobody.Get("/admin/login/link").Submit("form[action='/admin/login/link']", map[string]string{"email": testapp.OwnerEmail}).Want(200)
		login := ""
		for n := 1; login == ""; n++ { // among the mails about the petition
			for _, m := range a.WaitMail(t, testapp.OwnerEmail, n) {
				if strings.Contains(m.Text, "/admin/login/") {
					login = testapp.Link(t, m, "/admin/login/")
				}
			}
		}
		owner := a.Client(t)
		owner.Get(login).Want(200).Submit("main form button", nil).Want(200)
		owner.Get("/admin/supporters").Want(200).Submit("form[action='/admin/supporters/find']", map[string]string{"q": "quokka@hidden.example"}).Want(200)
		owner.Post("/admin/users/invite", map[string][]string{"email": {"invited@hidden.example"}, "role": {"viewer"}}).Want(200)
		invitation := testapp.Link(t, a.WaitMail(t, "invited@hidden.example", 1)[0], "/admin/invitation/")
		a.Client(t).Get(invitation).Want(200)
		a.Client(t).Get(invitation + "x").Want(404)
		a.Client(t).Get("/petitions/quokka@hidden.example?email=quokka@hidden.example").Want(404)

		// A server that refuses somebody says their address in its answer.
		sink := smtpsink.New(t)
		sink.Rcpt = func(to string) error {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + "> is unknown here"}
		}
		a.Mail.AnswerWith(func(m mailer.Message) mailer.Outcome {
			conn := dial(t, sink)
			defer func() { _ = conn.Close() }()
			return conn.Send(context.Background(), m)
		})
		mailing := write(t, a, owner, "A word for Canarina", "Hello {{given_name|friend}}.")
		for {
			if err := a.DB.Take(&mailing, "id = ?", mailing.ID).Error; err != nil {
				t.Fatal(err)
			}
			if mailing.State == models.MailingFinished {
				break
			}
			pause(t)
		}
		settled(t, a)
		var stored []models.Delivery
		if err := a.DB.Find(&stored).Error; err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, d := range stored {
			if d.State == models.DeliveryFailed {
				failed++
			}
			if strings.Contains(d.Reply, "hidden.example") {
				t.Errorf("a stored answer holds an address: %s", d.Reply)
			}
		}
		if failed != 1 {
			t.Errorf("%d mails were refused", failed)
		}

		log := a.Logged()
		if !strings.Contains(log, "level=INFO") || !strings.Contains(log, "/petitions/:slug/sign") {
			t.Fatalf("the log was not kept: %s", log)
		}
		for _, address := range []string{link, login, invitation} {
			secrets = append(secrets, address[strings.LastIndex(address, "/")+1:])
		}
		for line := range strings.SplitSeq(log, "\n") {
			for _, s := range secrets {
				if strings.Contains(line, s) {
					t.Errorf("the log holds %q: %s", s, line)
				}
			}
		}
	})
}
