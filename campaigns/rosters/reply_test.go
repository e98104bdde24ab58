package rosters

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/inbound"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// reads is a reader of mail that comes back, to whom answers about places are known.
func (w *taking) reads() *inbound.Service {
	in := inbound.New(inbound.Options{DB: w.DB, Vault: w.Vault, Clock: w.clk, Signer: w.Signer, Log: slog.New(slog.DiscardHandler), PerHour: 100000})
	for _, kind := range PlaceKinds {
		in.RegisterReader(kind, w.Replied)
	}
	return in
}

// went is a mail about a place that the mail server took.
func (w *taking) went(kind string, a models.Assignment) models.Delivery {
	w.t.Helper()
	var d models.Delivery
	w.must(w.DB.Take(&d, "kind = ? AND subject_id = ?", kind, a.ID).Error)
	now := w.clk.Now()
	w.must(w.DB.Model(&models.Delivery{}).Where("id = ?", d.ID).Updates(map[string]any{"state": models.DeliverySent, "sent_at": now, "attempt": 1}).Error)
	return d
}

// answer is a mail that answers a delivery, from the head that is given on.
func (w *taking) answer(d models.Delivery, rest string) []byte {
	id := "<d." + w.Signer.MakeForever(tokens.Message, d.ID) + "@act.example.org>"
	return []byte("From: June <june@example.org>\r\nTo: Coalition <hello@act.example.org>\r\nSubject: Re: Your place on Tuesday\r\nIn-Reply-To: " + id + "\r\nReferences: " + id + "\r\nMIME-Version: 1.0\r\n" +
		strings.ReplaceAll(rest, "\n", "\r\n"))
}

const ourWords = `
On Mon, Mar 8, 2027 at 6:00 PM Coalition <hello@act.example.org>
wrote:

> This is coming up: Welcome table.
> If you can't come, answer with:
> can't today
`

// replies are mails as programs write them, from their own head on, and whether they let the place go.
var replies = map[string]struct {
	mail string
	goes bool
}{
	"plain, above what it quotes":       {"\nI can't today\n" + ourWords, true},
	"with a greeting and a reason":      {"Content-Type: text/plain; charset=utf-8\n\nHi Rosa,\n\nSorry, I can't make it today because my head hurts.\n\nJune\n" + ourWords, true},
	"of a telephone":                    {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nCan=E2=80=99t today\n\nSent from my phone\n\n-----Original Message-----\nFrom: Coalition\nThis is coming up.\n", true},
	"Spanish, in another charset":       {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nHola Rosa:\n\nNo podr=E9 ir ma=F1ana, lo siento.\n\nEl lun, 8 mar 2027 a las 18:00, Coalition escribi=F3:\n> Su turno\n", true},
	"Spanish, in base64":                {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("Hoy no puedo ir.\n\n-- \nJune")) + "\n", true},
	"of Windows":                        {"Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: 8bit\n\nI can\x92t come today\n", true},
	"HTML alone":                        {"Content-Type: text/html; charset=utf-8\n\n<html><head><style>p{color:red}</style></head><body><div dir=\"auto\">I can&#39;t today</div><blockquote>can't today</blockquote></body></html>\n", true},
	"both forms":                        {"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\nNot today, sorry.\n" + ourWords + "\n--b\nContent-Type: text/html; charset=utf-8\n\n<div>Not today, sorry.</div>\n--b--\n", true},
	"in capitals, with a picture":       {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nCANT\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b--\n", true},
	"a question":                        {"\nWhich floor is it?\n" + ourWords, false},
	"a question that sounds alike":      {"\nI can't come by bus today?\n", false},
	"our own words alone":               {ourWords, false},
	"our own words above":               {"\n> can't today\n\nThank you, see you then\n", false},
	"our own words in HTML":             {"Content-Type: text/html; charset=utf-8\n\n<blockquote>can't today</blockquote><p>See you!</p>\n", false},
	"forwarded":                         {"\nBegin forwarded message:\n\ncan't today\n", false},
	"a yes with these words":            {"\nI can't wait to be there\n", false},
	"German":                            {"Content-Type: text/plain; charset=utf-8\n\nIch kann heute leider nicht.\n", false},
	"French":                            {"Content-Type: text/plain; charset=utf-8\n\nJe ne peux pas venir aujourd'hui.\n", false},
	"nothing":                           {"\n\n", false},
	"stop":                              {"\nSTOP\n", false},
	"by a machine":                      {"Auto-Submitted: auto-replied\n\nI can't today\n", false},
	"by a machine that does not say so": {"X-Autoreply: yes\n\nHoy no puedo\n", false},
	"by a list":                         {"Precedence: list\nList-Id: <x.example.org>\n\nI can't today\n", false},
	"a receipt of reading":              {"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nI can't today\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n", false},
	"a bounce with these words":         {"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\ncan't today\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; june@example.org\nAction: failed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 full\n--b--\n", false},
}

// An answer to a mail about a place lets it go where its own first words say so, as it comes: in any form, in both languages. A machine's
// words do not, whatever they are.
func TestAReplyLetsGo(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		in := w.reads()
		box := w.box("june@example.org")
		sh := w.shift("2027-03-09 09:00", 60)
		let := 0
		for name, c := range replies {
			a := w.took(sh, "june@example.org")
			d := w.went(KindReceipt, a)
			got, err := in.Take(w.ctx, models.SourceIMAP, w.answer(d, c.mail))
			w.must(err)
			gone := w.count(&models.Assignment{}, "id = ?", a.ID) == 0
			if gone != c.goes || (got == inbound.Passed) != c.goes || !gone && got != inbound.Done {
				t.Errorf("%s: %s, gone: %t", name, got, gone)
			}
			if c.goes {
				let++
				// Nothing of the answer is kept, nor that there was one; the same mail read again does nothing.
				if n := w.count(&models.InboundReport{}, "mailbox_id = ?", box.ID); n != 0 {
					t.Errorf("%s: %d reports are kept", name, n)
				}
				if got, err := in.Take(w.ctx, models.SourceIMAP, w.answer(d, c.mail)); err != nil || got != inbound.Unmatched {
					t.Errorf("%s, read again: %s, %v", name, got, err)
				}
			}
			if !gone {
				w.must(w.TakeBack(w.ctx, []uuid.UUID{box.ID}, a.ID))
			}
		}
		answers := w.mails(KindLetGo)
		if len(answers) != let {
			t.Errorf("%d answers to %d", len(answers), let)
		}
		for _, d := range answers {
			c, err := w.TakingMails()[KindLetGo](w.ctx, d)
			w.must(err)
			if c.Data.(LetGoMail).Role != sh.Role || d.SubjectID != sh.ID || d.MailboxID != box.ID {
				t.Errorf("%+v", c)
			}
		}
		w.must(w.DB.Model(&models.Delivery{}).Where("kind = ?", KindLetGo).Updates(map[string]any{"state": models.DeliverySent, "sent_at": takeStart}).Error)
		if _, err := w.Settle(w.ctx); err != nil || len(w.mails(KindLetGo)) != 0 {
			t.Errorf("the answers stay: %v", err)
		}
	})
}

// What somebody writes more than once is read each time; what is about another mail, or comes too late, lets nothing go.
func TestAReplyIsAboutItsPlace(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		in := w.reads()
		w.box("june@example.org")
		w.box("cal@example.org")
		one, two := w.took(w.shift("2027-03-09 09:00", 60), "june@example.org"), w.took(w.shift("2027-03-10 09:00", 60), "june@example.org")
		cals := w.took(w.shift("2027-03-11 09:00", 60), "cal@example.org")
		d := w.went(KindReceipt, one)
		take := func(raw []byte, want inbound.Result) {
			t.Helper()
			if got, err := in.Take(w.ctx, models.SourceIMAP, raw); err != nil || got != want {
				t.Errorf("%s, want %s: %v", got, want, err)
			}
		}
		has := func(all ...models.Assignment) {
			t.Helper()
			if n := w.count(&models.Assignment{}, "1 = 1"); n != len(all) {
				t.Errorf("%d places, not %d", n, len(all))
			}
			for _, a := range all {
				if w.count(&models.Assignment{}, "id = ?", a.ID) != 1 {
					t.Errorf("%s is gone", a.ID)
				}
			}
		}
		say := "\nI can't today\n"
		mark := w.Signer.MakeForever(tokens.Message, d.ID)
		take(bytes.ReplaceAll(w.answer(d, say), []byte(mark), []byte("x"+mark[1:])), inbound.Unmatched) // a made up mark
		take(bytes.ReplaceAll(w.answer(d, say), []byte(mark), []byte(w.Signer.MakeForever(tokens.Cant, d.ID))), inbound.Unmatched)
		other := deliveries.New{ // a mail and a place that are not of one person
			Kind: KindReminder, MailboxID: d.MailboxID, SubjectID: cals.ID, Purpose: models.PurposeReceipt, DedupeKey: "other", OnUnknown: models.Resend,
		}.Row(w.clk.Now())
		other.State, other.Attempt, other.SentAt = models.DeliverySent, 1, &takeStart
		w.put(&other)
		take(w.answer(other, "\nCan't\n"), inbound.Passed)
		has(one, two, cals)
		take(w.answer(d, "\nWhich floor?\n"), inbound.Done)
		take(w.answer(d, "\nAnd when is lunch?\n"), inbound.Twice)
		has(one, two, cals)
		take(w.answer(d, say), inbound.Passed) // after a question about the same mail
		has(two, cals)
		take(w.answer(d, say), inbound.Unmatched)
		has(two, cals)
		late := w.went(KindReceipt, two)
		w.clk.Set(w.at("2027-03-10 09:00"))
		take(w.answer(late, say), inbound.Done) // it has begun: somebody reads what they wrote
		has(two, cals)
		if n := len(w.mails(KindLetGo)); n != 1 {
			t.Errorf("%d answers", n)
		}
	})
}

// No mail of the collection of mail that comes back lets a place go: bounces, complaints, machines, and what people wrote who come.
func TestMailThatComesBackKeepsThePlace(t *testing.T) {
	found, err := filepath.Glob(filepath.Join("..", "..", "mailer", "testdata", "returned", "*", "*.eml"))
	if err != nil || len(found) < 200 {
		t.Fatalf("%d mails, %v", len(found), err)
	}
	eachTaking(t, func(t *testing.T, w *taking) {
		in := w.reads()
		w.box("june@example.org")
		a := w.took(w.shift("2027-03-09 09:00", 60), "june@example.org")
		mark := w.Signer.MakeForever(tokens.Message, w.went(KindReceipt, a).ID)
		known := 0
		for _, name := range found {
			raw, err := os.ReadFile(name)
			w.must(err)
			got, err := in.Take(w.ctx, models.SourceIMAP, bytes.ReplaceAll(raw, []byte("AQgBkzXk3mJ7cQ2nT5wY8rL4vB6hD9sF1gK0pAAAAAB-eU_ZqXw"), []byte(mark)))
			w.must(err)
			if got != inbound.Unmatched {
				known++
			}
			if w.count(&models.Assignment{}, "id = ?", a.ID) != 1 || got == inbound.Passed {
				t.Fatalf("%s let go: %s", name, got)
			}
		}
		if known < 200 {
			t.Errorf("%d were read as about the place", known)
		}
	})
}
