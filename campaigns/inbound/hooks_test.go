package inbound_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/inbound"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// amazon is a server that stands for sns.REGION.amazonaws.com: its certificate signs notifications, and it hears who subscribes.
type amazon struct {
	t    *testing.T
	key  *rsa.PrivateKey
	srv  *httptest.Server
	mu   sync.Mutex
	asks []string
}

func newAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{t: t}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	cert := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: start.AddDate(0, -1, 0), NotAfter: start.AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, &cert, &cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.srv = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asks = append(a.asks, r.Host+r.URL.RequestURI())
		a.mu.Unlock()
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}))
	t.Cleanup(a.srv.Close)
	return a
}

// client reaches the server by whatever name.
func (a *amazon) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, a.srv.Listener.Addr().String())
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server of this test, by another name
	}}
}

func (a *amazon) asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asks...)
}

const topic = "arn:aws:sns:eu-west-1:123456789012:bounces"

// call is a message of SNS, signed.
func (a *amazon) call(version string, fields map[string]string) []byte {
	a.t.Helper()
	m := map[string]string{
		"Type": "Notification", "MessageId": "m1", "TopicArn": topic, "Timestamp": "2027-02-01T12:00:00.000Z", "SignatureVersion": version,
		"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
	}
	for k, v := range fields {
		m[k] = v
	}
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m["Type"] != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var text strings.Builder
	for _, n := range names {
		if v, ok := m[n]; ok {
			text.WriteString(n + "\n" + v + "\n")
		}
	}
	h := crypto.SHA256
	sum := sha256.Sum256([]byte(text.String()))
	digest := sum[:]
	if version == "1" {
		old := sha1.Sum([]byte(text.String()))
		h, digest = crypto.SHA1, old[:]
	}
	sig, err := rsa.SignPKCS1v15(rand.Reader, a.key, h, digest)
	if err != nil {
		a.t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(sig)
	b, err := json.Marshal(m)
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// note is a notification of SES about a delivery, in one of the ways in which it names it.
func (w *world) note(kind, how string, d models.Delivery, rest string) string {
	mark := w.signer.MakeForever(tokens.Message, d.ID)
	mail := map[string]string{
		"source":  `"source":"bounces+` + mark + `@act.example.org"`,
		"headers": `"source":"hello@act.example.org","headers":[{"name":"Message-ID","value":"<d.` + mark + `@act.example.org>"}]`,
		"common":  `"source":"hello@act.example.org","commonHeaders":{"messageId":"<d.` + mark + `@act.example.org>"}`,
		"tags":    `"source":"hello@act.example.org","tags":{"kithline":["` + mark + `"]}`,
		"none":    `"source":"hello@act.example.org"`,
	}[how]
	return `{"` + map[bool]string{true: "eventType", false: "notificationType"}[how == "tags"] + `":"` + kind + `","mail":{` + mail + `}` + rest + `}`
}

const bounced = `,"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"june@example.net","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 <june@example.net> user unknown"}]}`

func TestAmazonCalls(t *testing.T) {
	aws := newAmazon(t)
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{HTTP: aws.client()})
		if err := w.in.SetSES(w.ctx, owner, "arn:aws:sqs:x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("a topic that is none: %v", err)
		}
		w.must(w.in.SetSES(w.ctx, owner, topic))
		src, err := w.in.Sources(w.ctx, owner)
		w.must(err)
		if len(src.SESSecret) != 32 || src.SES.Topic != topic {
			t.Fatalf("%+v", src)
		}
		call := func(body []byte) error { return w.in.SES(w.ctx, src.SESSecret, body) }

		for i, how := range []string{"source", "headers", "common", "tags"} {
			box := w.mailbox(how + "@example.net")
			d := w.sent(box, "x", models.DeliverySent)
			w.must(call(aws.call([]string{"1", "2"}[i%2], map[string]string{"Message": w.note("Bounce", how, d, bounced)})))
			var r models.InboundReport
			w.must(w.db.Take(&r, "delivery_id = ?", d.ID).Error)
			if w.reason(box) != models.SuppressedBounce || r.Source != models.SourceSES || r.Status != "5.1.1" || strings.Contains(r.Diagnostic, "@") {
				t.Errorf("%s: %q, %+v", how, w.reason(box), r)
			}
		}
		for _, c := range []struct{ kind, rest, class string }{
			{"Complaint", `,"complaint":{"complaintFeedbackType":"abuse"}`, "complaint"},
			{"Complaint", `,"complaint":{"complaintFeedbackType":"not-spam"}`, "unclear"},
			{"Delivery", ``, "delivered"},
			{"DeliveryDelay", `,"deliveryDelay":{"delayType":"MailboxFull"}`, "delayed"},
			{"Bounce", `,"bounce":{"bounceType":"Transient","bounceSubType":"MailboxFull","bouncedRecipients":[{"status":"5.2.2"}]}`, "soft"},
			{"Bounce", `,"bounce":{"bounceType":"Transient","bounceSubType":"General","bouncedRecipients":[{"status":"5.1.1"}]}`, "soft"},
			{"Bounce", `,"bounce":{"bounceType":"Transient","bounceSubType":"MessageTooLarge","bouncedRecipients":[{}]}`, "ours"},
			{"Bounce", `,"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"status":"5.7.1","diagnosticCode":"smtp; 550 5.7.1 blocked"}]}`, "policy"},
			{"Bounce", `,"bounce":{"bounceType":"Permanent","bounceSubType":"NoEmail","bouncedRecipients":[{}]}`, "hard"},
			{"Bounce", `,"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"status":"5.0.0","diagnosticCode":"smtp; 550 no"}]}`, "hard"},
			{"Bounce", `,"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"status":"5.4.4"}]}`, "soft"},
		} {
			d := w.sent(w.mailbox(fmt.Sprintf("june%d@example.net", w.n)), "x", models.DeliverySent)
			w.must(call(aws.call("2", map[string]string{"Message": w.note(c.kind, "source", d, c.rest)})))
			var r models.InboundReport
			w.must(w.db.Take(&r, "delivery_id = ?", d.ID).Error)
			if r.Class != c.class {
				t.Errorf("%s %s is %s, not %s", c.kind, c.rest, r.Class, c.class)
			}
		}

		// What is not Amazon's, or not of our topic, does nothing and is told nothing.
		box := w.mailbox("quiet@example.net")
		d := w.sent(box, "x", models.DeliverySent)
		good := aws.call("2", map[string]string{"Message": w.note("Bounce", "source", d, bounced)})
		changed := strings.Replace(string(good), "5.1.1", "5.2.1", 1)
		before := len(aws.asked())
		for name, body := range map[string][]byte{
			"changed after it was signed": []byte(changed),
			"another topic":               aws.call("2", map[string]string{"TopicArn": topic + "x", "Message": w.note("Bounce", "source", d, bounced)}),
			"another certificate":         aws.call("2", map[string]string{"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem", "Message": w.note("Bounce", "source", d, bounced)}),
			"a certificate in the clear":  aws.call("2", map[string]string{"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/x.pem", "Message": w.note("Bounce", "source", d, bounced)}),
			"a certificate at a user":     aws.call("2", map[string]string{"SigningCertURL": "https://x@sns.eu-west-1.amazonaws.com/x.pem", "Message": w.note("Bounce", "source", d, bounced)}),
			"another version":             aws.call("3", map[string]string{"Message": w.note("Bounce", "source", d, bounced)}),
			"no JSON":                     []byte("x"),
			"a subscription elsewhere":    aws.call("2", map[string]string{"Type": "SubscriptionConfirmation", "Token": "t", "Message": "x", "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription"}),
		} {
			if err := call(body); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.in.SES(w.ctx, "x", good); !fault.Is(err, fault.NotFound) {
			t.Errorf("a wrong secret: %v", err)
		}
		if w.reason(box) != "" || len(aws.asked()) != before {
			t.Errorf("%q; asked for %v", w.reason(box), aws.asked()[before:])
		}
		w.must(call(aws.call("2", map[string]string{"Message": w.note("Bounce", "none", d, bounced)})))
		if w.reason(box) != "" {
			t.Error("suppressed without our mark, by the address alone")
		}

		w.must(call(aws.call("1", map[string]string{"Type": "SubscriptionConfirmation", "Token": "t", "Message": "x", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"})))
		asked := aws.asked()
		if last := asked[len(asked)-1]; last != "sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t" {
			t.Errorf("asked for %s", last)
		}
		w.clk.Add(60 * 24 * time.Hour)
		if err := call(good); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a certificate that is over: %v", err)
		}
		w.must(w.in.SetSES(w.ctx, owner, ""))
		if err := call(good); !fault.Is(err, fault.NotFound) {
			t.Errorf("switched off: %v", err)
		}
	})
}

func TestPostmarkCalls(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		w.must(w.in.SetPostmark(w.ctx, owner, true))
		src, err := w.in.Sources(w.ctx, owner)
		w.must(err)
		for _, c := range []struct{ fields, class string }{
			{`"RecordType":"Bounce","Type":"HardBounce","Email":"june@example.net","Details":"smtp;550 5.1.1 The email account june@example.net does not exist"`, "hard"},
			{`"RecordType":"Bounce","Type":"HardBounce","Details":""`, "hard"},
			{`"RecordType":"Bounce","Type":"HardBounce","Details":"smtp;550 5.7.1 blocked"`, "policy"},
			{`"RecordType":"Bounce","Type":"SoftBounce","Details":"smtp;452 4.2.2 full"`, "soft"},
			{`"RecordType":"Bounce","Type":"Transient","Details":"smtp;421 later"`, "delayed"},
			{`"RecordType":"Bounce","Type":"Blocked","Details":"smtp;550 rejected"`, "policy"},
			{`"RecordType":"Bounce","Type":"AutoResponder"`, "auto_reply"},
			{`"RecordType":"Bounce","Type":"VirusNotification"`, "ours"},
			{`"RecordType":"Bounce","Type":"Unsubscribe"`, "stop"},
			{`"RecordType":"Bounce","Type":"Newer"`, "unclear"},
			{`"RecordType":"SpamComplaint","Type":"SpamComplaint"`, "complaint"},
			{`"RecordType":"SubscriptionChange","SuppressSending":true,"Origin":"Recipient"`, "stop"},
			{`"RecordType":"Delivery"`, "delivered"},
		} {
			d := w.sent(w.mailbox(fmt.Sprintf("june%d@example.net", w.n)), "x", models.DeliverySent)
			body := `{` + c.fields + `,"MessageID":"x","Metadata":{"kithline":"` + w.signer.MakeForever(tokens.Message, d.ID) + `"}}`
			w.must(w.in.Postmark(w.ctx, src.PostSecret, []byte(body)))
			var r models.InboundReport
			w.must(w.db.Take(&r, "delivery_id = ?", d.ID).Error)
			if r.Class != c.class || r.Source != models.SourcePostmark || strings.Contains(r.Diagnostic, "@") {
				t.Errorf("%s: %+v", c.fields, r)
			}
		}
		var before, after int64
		w.must(w.db.Model(&models.InboundReport{}).Count(&before).Error)
		d := w.sent(w.mailbox("last@example.net"), "x", models.DeliverySent)
		meta := `"Metadata":{"kithline":"` + w.signer.MakeForever(tokens.Message, d.ID) + `"}}`
		for _, body := range []string{`{"RecordType":"Open",` + meta, `{"RecordType":"SubscriptionChange","SuppressSending":false,` + meta, `{"RecordType":"Bounce","Type":"HardBounce","Email":"last@example.net"}`} {
			w.must(w.in.Postmark(w.ctx, src.PostSecret, []byte(body)))
		}
		if err := w.in.Postmark(w.ctx, "x", []byte(`{}`)); !fault.Is(err, fault.NotFound) {
			t.Errorf("a wrong secret: %v", err)
		}
		if err := w.in.Postmark(w.ctx, src.PostSecret, []byte(`x`)); !fault.Is(err, fault.Forbidden) {
			t.Errorf("no JSON: %v", err)
		}
		w.must(w.db.Model(&models.InboundReport{}).Count(&after).Error)
		if before != after {
			t.Errorf("%d reports became %d", before, after)
		}
		w.must(w.in.SetPostmark(w.ctx, owner, false))
		w.must(w.in.SetPostmark(w.ctx, owner, true))
		again, err := w.in.Sources(w.ctx, owner)
		w.must(err)
		if again.PostSecret == src.PostSecret {
			t.Error("the address is the old one after it was switched off")
		}
		if _, err := w.in.Sources(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an organizer sees the settings: %v", err)
		}
	})
}

// mailboxServer is a real IMAP server on loopback with one user.
func mailboxServer(t *testing.T) (*imapmemserver.User, int) {
	t.Helper()
	mem := imapmemserver.New()
	user := imapmemserver.NewUser("bounces", "a calm afternoon")
	mem.AddUser(user)
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}}, InsecureAuth: true, Logger: silent{},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return user, l.Addr().(*net.TCPAddr).Port
}

// silent is a log that nobody reads: what clients do wrong is what is tested.
type silent struct{}

func (silent) Printf(string, ...any) {}

type literal struct {
	io.Reader
	size int64
}

func (l literal) Size() int64 { return l.size }

func TestTheMailboxIsPolled(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		w.must(w.in.Poll(w.ctx)) // none is set
		user, port := mailboxServer(t)
		put := func(raw []byte) {
			if _, err := user.Append("INBOX", literal{strings.NewReader(string(raw)), int64(len(raw))}, &imap.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		unseen := func() int {
			st, err := user.Status("INBOX", &imap.StatusOptions{NumUnseen: true})
			w.must(err)
			return int(*st.NumUnseen)
		}
		in := inbound.MailboxInput{Host: "localhost", Port: port, TLS: "none", Username: "bounces", Password: "wrong", Afterwards: "seen"}
		w.must(w.in.SetMailbox(w.ctx, owner, in))
		if _, err := w.in.TestMailbox(w.ctx, owner); err == nil || !strings.Contains(err.Error(), "imap.auth") {
			t.Errorf("a wrong password: %v", err)
		}
		w.must(w.in.Poll(w.ctx))
		w.clk.Add(time.Hour)
		queues, err := w.in.Today(w.ctx, owner)
		w.must(err)
		if len(queues) != 2 || queues[1].Key != "today.inbound_failing" {
			t.Errorf("%+v", queues)
		}
		in.Password = "a calm afternoon"
		in.Address = "much-too-long@example.org"
		if err := w.in.SetMailbox(w.ctx, owner, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("an address that leaves no room for a mark: %v", err)
		}
		in.Address = "Bounces@Example.org"
		w.must(w.in.SetMailbox(w.ctx, owner, in))
		in.Password = ""
		w.must(w.in.SetMailbox(w.ctx, owner, in)) // keeps the one there is
		if at, err := w.in.BounceAddress(w.ctx); err != nil || at != "bounces@example.org" {
			t.Errorf("mail comes back to %q, %v", at, err)
		}
		in.Host = "127.0.0.1"
		if err := w.in.SetMailbox(w.ctx, owner, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("the password went to another server: %v", err)
		}

		gone := w.mailbox("gone@example.net")
		d := w.sent(gone, "x", models.DeliverySent)
		put(w.mail("exim/unknown.eml", d))
		put(w.mail("exim/unknown.eml", d))
		put(w.mail("own/*-reply-thanks.eml", w.sent(w.mailbox("june@example.net"), "x", models.DeliverySent)))
		put([]byte("Subject: hello\r\n\r\nWho are you?\r\n"))
		if n, err := w.in.TestMailbox(w.ctx, owner); err != nil || n != 4 {
			t.Errorf("%d, %v", n, err)
		}
		w.must(w.in.Poll(w.ctx))
		var reports int64
		w.must(w.db.Model(&models.InboundReport{}).Count(&reports).Error)
		if w.reason(gone) != models.SuppressedBounce || reports != 2 || unseen() != 2 {
			t.Errorf("%q, %d reports, %d unseen: what people write stays unseen", w.reason(gone), reports, unseen())
		}
		w.must(w.in.Poll(w.ctx))
		src, err := w.in.Sources(w.ctx, owner)
		w.must(err)
		if src.Mailbox.LastUID != 4 || src.Mailbox.CheckedAt == nil || src.Mailbox.FailedAt != nil || len(src.Mailbox.PasswordSealed) == 0 {
			t.Errorf("%+v", src.Mailbox)
		}
	})
}
