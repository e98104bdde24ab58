package deliveries_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"kithline/campaigns/deliveries"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// Receipts and copies of a mailing are signed by every key, on their way out of the outbox.
func TestMailsAreSigned(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		private, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		ed := ed25519.NewKeyFromSeed(make([]byte, 32))
		public, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		dns := map[string]string{
			"r._domainkey.act.example.org": "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public),
			"e._domainkey.act.example.org": "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(ed.Public().(ed25519.PublicKey)),
		}
		for selector, key := range map[string]crypto.Signer{"r": private, "e": ed} {
			d, err := mailer.NewDKIM("act.example.org", selector, key)
			if err != nil {
				t.Fatal(err)
			}
			w.sender.DKIM = append(w.sender.DKIM, d)
		}
		form := &mailer.Form{Lang: "en", Subject: []mailer.Piece{{Text: "Tuesday, "}, {Value: 1}}, Text: []mailer.Piece{{Text: "Hello  "}, {Value: 1}, {Text: "\n"}}, HTML: []mailer.Piece{{Text: "<p>Hello  "}, {Value: 1}, {Text: "</p>"}}, ListID: "news.act.example.org"}
		w.sender.Letterhead.PostalAddress = "12 Ferry Street"
		w.out.Handle("copy", func(_ context.Context, d models.Delivery) (deliveries.Content, error) {
			return deliveries.Content{Lang: "en", Bulk: &deliveries.BulkContent{Form: form, Values: []string{"Žofia " + d.ID.String()}, Reason: "You agreed.", UnsubscribeURL: "https://act.example.org/u/x"}}, nil
		})
		for i := range 10 {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, Kind: []string{"setup_test", "copy"}[i%2]})
		}
		w.drain()
		sent := w.wire.All()
		if len(sent) != 10 {
			t.Fatalf("%d mails went out", len(sent))
		}
		copies := 0
		for _, s := range sent {
			list, err := dkim.VerifyWithOptions(bytes.NewReader(s.Raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) { return []string{dns[name]}, nil }})
			if err != nil || len(list) != 2 || list[0].Err != nil || list[1].Err != nil {
				t.Fatalf("%v, %+v:\n%s", err, list, s.Raw)
			}
			p, err := mail.ReadMessage(bytes.NewReader(s.Raw))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(p.Header["List-Unsubscribe-Post"]); n == 1 && len(p.Header["List-Unsubscribe"]) == 1 {
				copies++
			} else if n != 0 {
				t.Errorf("%d fields to unsubscribe by", n)
			}
		}
		if copies != 5 {
			t.Errorf("%d copies of a mailing", copies)
		}
		// A key that cannot sign now holds the mail back; it is not sent unsigned.
		d, err := mailer.NewDKIM("act.example.org", "x", unwilling{ed})
		if err != nil {
			t.Fatal(err)
		}
		w.sender.DKIM = []*mailer.DKIM{d}
		id := w.queue(deliveries.New{MailboxID: w.mailbox("late@example.org").ID})
		w.drain()
		if got := w.get(id).State; got == models.DeliverySent || got == models.DeliveryFailed || len(w.wire.All()) != 10 {
			t.Errorf("a mail that cannot be signed is %s", got)
		}
	})
}

// unwilling is a key that cannot sign now.
type unwilling struct{ crypto.Signer }

func (unwilling) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("out of order")
}
