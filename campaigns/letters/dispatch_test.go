package letters

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/inbound"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// monday is ten in the morning of a working day in New York.
var monday = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

// post is letters with an outbox of their own.
type post struct {
	*Service
	t       *testing.T
	ctx     context.Context
	clk     *clock.Fixed
	out     *deliveries.Service
	mail    *mailer.Memory
	in      *inbound.Service
	chamber models.Chamber
	c       models.LetterCampaign
	sender  deliveries.Sender
	way     mailer.Transport // what carries mail; the memory at first
}

func eachPost(t *testing.T, fn func(t *testing.T, p *post)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newPost(t, db)) })
}

func newPost(t *testing.T, db *database.DB) *post {
	t.Helper()
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(monday)
	signer, org := tokens.New(v), organisation.New(db, v, clk)
	p := &post{t: t, ctx: t.Context(), clk: clk, mail: mailer.NewMemory()}
	_, err := org.Ensure(p.ctx)
	p.must(err)
	p.must(org.Update(p.ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", LegalName: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", FromAddress: "hello@act.example.org",
		TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	}))
	p.Service = New(Options{
		DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, args ...any) string {
			if key == "letters.dear" {
				return fmt.Sprintf("Dear %v,", args[1])
			}
			return fmt.Sprint(append([]any{key}, args...)...)
		},
	})
	words, err := mailer.NewRenderer()
	p.must(err)
	p.way = p.mail
	p.sender = deliveries.Sender{
		Connections: 1, FromName: "WCPC", FromAddress: "hello@act.example.org", BounceAddress: "bounces@act.example.org",
		Letterhead: mailer.Letterhead{OrgName: "WCPC", PostalAddress: "12 Ferry Street"}, Offices: deliveries.Offices{Live: true},
	}
	p.out = deliveries.NewService(db, v, clk, signer, words, deliveries.Options{Sender: func(context.Context) (deliveries.Sender, error) {
		s := p.sender
		s.Transport = p.way
		return s, nil
	}})
	for kind, r := range p.DispatchRenderers() {
		p.out.Handle(kind, r)
	}
	p.in = inbound.New(inbound.Options{DB: db, Vault: v, Clock: clk, Signer: signer, PerHour: 1000})
	p.in.Register(KindLetter, p.CameBack)
	p.in.Register(KindDigest, p.CameBack)
	p.in.RegisterReader(KindLetter, p.Answered)
	j := models.Jurisdiction{ID: models.NewID(), Code: "wk", Name: "Wennick", Country: "US", Region: "WK", CreatedAt: monday, UpdatedAt: monday}
	p.must(db.Create(&j).Error)
	p.chamber = models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", DivisionKind: models.DivisionUpper, CreatedAt: monday, UpdatedAt: monday}
	p.must(db.Create(&p.chamber).Error)
	p.c = p.campaign(10, false)
	return p
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *post) campaign(perHour int, digest bool) models.LetterCampaign {
	p.t.Helper()
	c := models.Campaign{ID: models.NewID(), Slug: uuid.NewString(), Title: "HB 412", State: models.CampaignPublished, CreatedAt: monday, UpdatedAt: monday}
	p.must(p.DB.Create(&c).Error)
	l := models.LetterCampaign{
		ID: models.NewID(), CampaignID: c.ID, Slug: uuid.NewString(), State: models.LettersPublished, Title: "Twenty visits", Ask: "x", Position: models.StanceSupport, Locale: "en",
		HourlyCap: perHour, Digest: digest, AskAnswers: true, CreatedAt: monday, UpdatedAt: monday,
	}
	p.must(p.DB.Create(&l).Error)
	return l
}

// senator is somebody in a seat of their own, with channels: "email:x@example.org", "webform:https://...", "post:", "phone:555-0100".
func (p *post) senator(n int, channels ...string) models.Legislator {
	p.t.Helper()
	g := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: uuid.NewString(), Name: fmt.Sprintf("Ada Quill %d", n), GivenName: "Ada", FamilyName: fmt.Sprintf("Quill %d", n), CreatedAt: monday, UpdatedAt: monday}
	p.must(p.DB.Create(&g).Error)
	p.term(g, n, "2025-01-01")
	o := models.Office{ID: models.NewID(), LegislatorID: g.ID, SourceKey: "capitol", Kind: "capitol", Name: "State House", Street: "1 Capitol Way", City: "Three Forks", Region: "WK", PostalCode: "00201", Country: "US", Hours: "9 to 5", CreatedAt: monday, UpdatedAt: monday}
	p.must(p.DB.Create(&o).Error)
	for i, c := range channels {
		kind, value, _ := strings.Cut(c, ":")
		p.must(p.DB.Create(&models.Channel{ID: models.NewID(), LegislatorID: g.ID, OfficeID: &o.ID, Kind: models.ChannelKind(kind), Value: value, Position: i + 1, Source: "hand", CreatedAt: monday, UpdatedAt: monday}).Error)
	}
	return g
}

func (p *post) term(g models.Legislator, n int, from string) models.Term {
	p.t.Helper()
	t := models.Term{ID: models.NewID(), LegislatorID: g.ID, ChamberID: p.chamber.ID, OCDID: fmt.Sprintf("ocd-division/country:us/state:wk/sldu:%d", n), District: fmt.Sprint(n), ValidFrom: from, CreatedAt: monday, UpdatedAt: monday}
	p.must(p.DB.Create(&t).Error)
	return t
}

// text is what the letter of a writer says.
func text(who string, to models.Legislator) string {
	return "Dear Senator " + to.FamilyName + ",\n\nI am " + who + ". Will you vote for HB 412?\n\nWith respect\n" + who + " Okafor\n12 Ferry Street\nThree Forks, WK 00209"
}

// letter is a confirmed letter of somebody to some legislators, released.
func (p *post) letter(c models.LetterCampaign, who string, to ...models.Legislator) (models.Letter, []models.Dispatch) {
	p.t.Helper()
	l, list := p.confirmed(c, who, to...)
	p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error { return p.release(p.ctx, tx, l, p.clk.Now()) }))
	p.must(p.DB.Where("id = ?", l.ID).Take(&l).Error)
	return l, list
}

func (p *post) confirmed(c models.LetterCampaign, who string, to ...models.Legislator) (models.Letter, []models.Dispatch) {
	p.t.Helper()
	now := p.clk.Now()
	var l models.Letter
	var list []models.Dispatch
	p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error {
		box, err := mailboxes.Ensure(p.ctx, tx, p.Vault, strings.ToLower(who)+"@example.org", now)
		if err != nil {
			return err
		}
		l = models.Letter{
			ID: models.NewID(), LetterCampaignID: c.ID, MailboxID: box.ID, State: models.LetterConfirmed, Locale: "en", PostalArea: "00209", Region: "WK", Country: "US",
			CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now, ExpiresAt: now.AddDate(1, 0, 0),
		}
		seal := func(column, s string) []byte { return p.Vault.Seal("letters", column, l.ID, s) }
		l.GivenNameSealed, l.FamilyNameSealed, l.StreetSealed, l.CitySealed = seal("given_name_sealed", who), seal("family_name_sealed", "Okafor"), seal("street_sealed", "12 Ferry Street"), seal("city_sealed", "Three Forks")
		for _, g := range to {
			var t models.Term
			if err := tx.Where("legislator_id = ?", g.ID).Order("valid_from DESC").Take(&t).Error; err != nil {
				return err
			}
			d := models.Dispatch{ID: models.NewID(), LetterID: l.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: g.ID, TermID: t.ID, State: models.DispatchDraft, DueAt: now, CreatedAt: now, UpdatedAt: now}
			d.SubjectSealed = p.Vault.Seal("dispatches", "subject_sealed", d.ID, "Please support HB 412")
			d.TextSealed = p.Vault.Seal("dispatches", "text_sealed", d.ID, text(who, g))
			list = append(list, d)
		}
		if l.ConfirmedDigest, err = p.digestOf(l, list); err != nil {
			return err
		}
		if err := tx.Create(&l).Error; err != nil {
			return err
		}
		return tx.Create(&list).Error
	}))
	return l, list
}

// run lets time pass in steps, with the jobs and the outbox at each.
func (p *post) run(d, step time.Duration) {
	p.t.Helper()
	for end := p.clk.Now().Add(d); p.clk.Now().Before(end); {
		p.step()
		p.clk.Add(step)
	}
	p.step()
}

func (p *post) step() {
	p.t.Helper()
	p.must(p.Pace(p.ctx))
	_, err := p.out.Drain(p.ctx)
	p.must(err)
	p.must(p.settle(p.ctx, time.Hour))
}

func (p *post) get(id uuid.UUID) models.Dispatch {
	p.t.Helper()
	var d models.Dispatch
	p.must(p.DB.Where("id = ?", id).Take(&d).Error)
	return d
}

// to lists the mails to an address.
func (p *post) to(address string) (out []mailer.Message) {
	for _, m := range p.mail.Messages() {
		if m.To == address {
			out = append(out, m)
		}
	}
	return out
}

// mails lists the mails of a kind that wait for the writer or went to them, by their state.
func (p *post) count(kind string) int {
	p.t.Helper()
	var n int64
	p.must(p.DB.Model(&models.Delivery{}).Where("kind = ?", kind).Count(&n).Error)
	return int(n)
}

// A letter goes to the office by mail: from the writer in our own domain, answered to the writer, word for word as it was confirmed, and
// once. Nothing in it says that a machine sent it, or to many.
func TestLetterByMail(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org", "webform:https://senate.example.org/write")
		l, list := p.letter(p.c, "June", ada)
		if l.State != models.LetterReleased || l.ReleasedAt == nil {
			t.Fatalf("%+v", l.State)
		}
		p.run(2*time.Hour, 10*time.Minute)
		got := p.to("ada@senate.example.org")
		if len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		m := got[0]
		raw, err := mailer.Bytes(m)
		p.must(err)
		mark := p.Signer.MakeForever(tokens.Message, *p.get(list[0].ID).DeliveryID)
		if m.FromName != "June Okafor" || m.FromAddress != "bounces+"+mark+"@act.example.org" || m.ReplyTo != "june@example.org" || m.EnvelopeFrom != "bounces+"+mark+"@act.example.org" ||
			m.MessageID != "d."+mark+"@act.example.org" || m.Subject != "Please support HB 412" || m.Text != text("June", ada) || m.HTML != "" {
			t.Errorf("%+v", m)
		}
		head, _, _ := strings.Cut(strings.ToLower(string(raw)), "\r\n\r\n")
		for _, no := range []string{"list-unsubscribe", "list-id", "precedence", "auto-submitted", "x-auto-response", "feedback-id"} {
			if strings.Contains(head, no) {
				t.Errorf("%s in %s", no, head)
			}
		}
		d := p.get(list[0].ID)
		if d.State != models.DispatchHanded || d.Channel != models.ByEmail {
			t.Errorf("%+v", d)
		}
		var mail models.Delivery
		p.must(p.DB.Where("id = ?", d.DeliveryID).Take(&mail).Error)
		if mail.OnUnknown != models.Park || mail.State != models.DeliverySent {
			t.Errorf("%+v", mail)
		}
		p.clk.Add(49 * time.Hour)
		p.must(p.Daily(p.ctx))
		if d := p.get(list[0].ID); d.State != models.DispatchPresumed {
			t.Errorf("%s", d.State)
		}
		// Released once more, and asked for again, nothing more goes.
		p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error { return p.release(p.ctx, tx, l, p.clk.Now()) }))
		p.run(26*time.Hour, time.Hour)
		if n := len(p.to("ada@senate.example.org")); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

// What is not the text that was confirmed never goes, and neither does what was taken back or rejected.
func TestLettersThatDoNotGo(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		_, changed := p.letter(p.c, "June", ada)
		p.must(p.DB.Model(&models.Dispatch{}).Where("id = ?", changed[0].ID).Update("text_sealed", p.Vault.Seal("dispatches", "text_sealed", changed[0].ID, "Other words")).Error)
		back, taken := p.letter(p.c, "Cal", ada)
		token := strings.TrimPrefix(p.Path(back.ID), "/by-hand/")
		p.must(p.Withdraw(p.ctx, token, taken[0].ID))
		held, kept := p.confirmed(p.c, "Obi", ada)
		p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error { return p.reject(p.ctx, tx, held, "same", p.clk.Now()) }))
		p.run(24*time.Hour, 20*time.Minute)
		if n := len(p.mail.Messages()); n != 0 {
			t.Fatalf("%d mails", n)
		}
		for _, c := range []struct {
			id     uuid.UUID
			reason string
		}{{changed[0].ID, ClosedChanged}, {taken[0].ID, ClosedWithdrawn}, {kept[0].ID, "same"}} {
			if d := p.get(c.id); d.State != models.DispatchClosed || d.ClosedReason != c.reason {
				t.Errorf("%s: %+v", c.reason, d)
			}
		}
	})
}

// Line ends and control characters in a name, a subject and a text add no field to the head of a mail.
func TestNoHeaderIsInjected(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		l, list := p.confirmed(p.c, "June", ada)
		evil := "x\r\nBcc: all@example.net\r\n\r\nX-Evil: 1\u2028\x00y"
		list[0].SubjectSealed = p.Vault.Seal("dispatches", "subject_sealed", list[0].ID, evil)
		list[0].TextSealed = p.Vault.Seal("dispatches", "text_sealed", list[0].ID, "Dear\r\n.\r\nBcc: all@example.net\r\n"+evil)
		sum, err := p.digestOf(l, list)
		p.must(err)
		p.must(p.DB.Model(&models.Dispatch{}).Where("id = ?", list[0].ID).Updates(map[string]any{"subject_sealed": list[0].SubjectSealed, "text_sealed": list[0].TextSealed}).Error)
		p.must(p.DB.Model(&models.Letter{}).Where("id = ?", l.ID).Updates(map[string]any{"confirmed_digest": sum, "given_name_sealed": p.Vault.Seal("letters", "given_name_sealed", l.ID, evil)}).Error)
		p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error { return p.release(p.ctx, tx, l, p.clk.Now()) }))
		p.run(time.Hour, 10*time.Minute)
		got := p.to("ada@senate.example.org")
		if len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		raw, err := mailer.Bytes(got[0])
		p.must(err)
		head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if l := strings.ToLower(line); strings.HasPrefix(l, "bcc") || strings.HasPrefix(l, "x-evil") {
				t.Errorf("%q", line)
			}
		}
		if len(p.mail.Messages()) != 1 {
			t.Errorf("%d mails", len(p.mail.Messages()))
		}
	})
}

// A server that is not said to be live sends no letter to an office: it goes to the address that the settings name, or waits. It waits
// for longer than addresses are kept that nobody confirmed.
func TestOfficesGetNothingFromATry(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		p.letter(p.c, "June", ada)
		for i, c := range []struct {
			offices             deliveries.Offices
			redirected, waiting int
		}{{deliveries.Offices{}, 0, 1}, {deliveries.Offices{Redirect: "try@example.org"}, 1, 0}} {
			p.sender.Offices = c.offices
			p.run(90*time.Minute, 10*time.Minute)
			p.clk.Add(2 * 7 * 24 * time.Hour)
			_, err := mailboxes.Sweep(p.ctx, p.DB, p.clk.Now())
			p.must(err)
			p.clk.Add(-2 * 7 * 24 * time.Hour)
			var waiting int64
			p.must(p.DB.Model(&models.Delivery{}).Where("kind = ? AND state = 'queued'", KindLetter).Count(&waiting).Error)
			if len(p.to("ada@senate.example.org")) != 0 || len(p.to("try@example.org")) != c.redirected || int(waiting) != c.waiting {
				t.Errorf("%d: %d redirected, %d wait", i, len(p.to("try@example.org")), waiting)
			}
		}
	})
}

// returned is the notice of a server that a mail did not arrive.
func (p *post) returned(delivery uuid.UUID, status string) {
	p.t.Helper()
	back := "bounces+" + p.Signer.MakeForever(tokens.Message, delivery) + "@act.example.org"
	raw := "From: MAILER-DAEMON@mx.example.org\r\nTo: " + back + "\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; ada@senate.example.org\r\nAction: failed\r\nStatus: " + status + "\r\n\r\n--b--\r\n"
	if got, err := p.in.Take(p.ctx, models.SourceIMAP, []byte(raw)); err != nil || got != inbound.Done {
		p.t.Fatalf("%s, %v", got, err)
	}
}

// answer is what an office writes back to the address that a letter came from.
func (p *post) answer(delivery uuid.UUID, head, text string) inbound.Result {
	p.t.Helper()
	raw := "From: Office <office@senate.example.org>\r\nTo: bounces+" + p.Signer.MakeForever(tokens.Message, delivery) + "@act.example.org\r\nSubject: Re: Please support HB 412\r\n" + head + "\r\n" + text + "\r\n"
	got, err := p.in.Take(p.ctx, models.SourceIMAP, []byte(raw))
	p.must(err)
	return got
}

// Mail that comes back goes on by the next channel, never by the same one, and the writer is told where their hand is needed.
func TestBounceTakesAnotherChannel(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org", "email:office@senate.example.org", "webform:https://senate.example.org/write", "phone:555-0100")
		l, list := p.letter(p.c, "June", ada)
		id := list[0].ID
		p.step()
		p.returned(*p.get(id).DeliveryID, "5.1.1")
		var c models.Channel
		p.must(p.DB.Where("value = ?", "ada@senate.example.org").Take(&c).Error)
		if c.BouncedAt == nil || p.get(id).State != models.DispatchWaiting {
			t.Errorf("%+v %+v", c, p.get(id))
		}
		p.run(30*time.Minute, 5*time.Minute)
		if len(p.to("ada@senate.example.org")) != 1 || len(p.to("office@senate.example.org")) != 1 {
			t.Fatalf("%d, %d", len(p.to("ada@senate.example.org")), len(p.to("office@senate.example.org")))
		}
		p.returned(*p.get(id).DeliveryID, "5.7.1") // refused, but there is such a mailbox: it stays a channel, and is not tried again with this letter
		p.run(30*time.Minute, 5*time.Minute)
		c = models.Channel{}
		p.must(p.DB.Where("value = ?", "office@senate.example.org").Take(&c).Error)
		if c.BouncedAt != nil {
			t.Errorf("%+v", c)
		}
		if d := p.get(id); d.State != models.DispatchByHand || d.Channel != models.ByWebForm || d.DoneAt != nil {
			t.Errorf("%+v", d)
		}
		if len(p.to("office@senate.example.org")) != 1 {
			t.Error("twice to one address")
		}
		told := p.to("june@example.org")
		if len(told) != 1 || !strings.Contains(told[0].Text, "Senator Ada Quill 1: the office has a form") {
			t.Fatalf("%+v", told)
		}
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		p.must(p.Another(p.ctx, token, id)) // the form does not work
		p.run(30*time.Minute, 5*time.Minute)
		if d := p.get(id); d.Channel != models.ByCall {
			t.Errorf("%+v", d)
		}
		p.must(p.Another(p.ctx, token, id))
		p.run(30*time.Minute, 5*time.Minute)
		if d := p.get(id); d.State != models.DispatchFailed || d.ClosedReason != ClosedUnreachable {
			t.Errorf("%+v", d)
		}
		// The next letter does not try the dead address.
		_, next := p.letter(p.c, "Cal", ada)
		p.run(30*time.Minute, 5*time.Minute)
		if len(p.to("ada@senate.example.org")) != 1 || p.get(next[0].ID).State != models.DispatchHanded {
			t.Errorf("%+v", p.get(next[0].ID))
		}
	})
}

// What is in the writer's hands is sent when they say so, and not before. They can be reminded, and can leave it.
func TestByHand(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		form := p.senator(1, "webform:https://senate.example.org/write", "post:")
		paper, call := p.senator(2, "post:"), p.senator(3, "phone:555-0100")
		l, list := p.letter(p.c, "June", form, paper, call)
		p.step()
		if n := p.count(KindByHand); n != 1 {
			t.Fatalf("%d mails about one letter", n)
		}
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		c, err := p.Carry(p.ctx, token, list[0].ID)
		p.must(err)
		if c.URL != "https://senate.example.org/write" || c.Text != text("June", form) || len(c.Fields) != 8 || c.Fields[0].Value != "June" || c.Fields[6].Value != "june@example.org" || !c.Other {
			t.Errorf("%+v", c)
		}
		c, err = p.Carry(p.ctx, token, list[1].ID)
		p.must(err)
		if c.Channel != models.ByPrint || c.Office.Street != "1 Capitol Way" {
			t.Errorf("%+v", c)
		}
		c, err = p.Carry(p.ctx, token, list[2].ID)
		p.must(err)
		if c.Phone != "555-0100" || c.Hours != "9 to 5" {
			t.Errorf("%+v", c)
		}
		if err := p.Done(p.ctx, token, list[2].ID, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("a call without its outcome: %v", err)
		}
		p.must(p.Done(p.ctx, token, list[2].ID, "busy"))
		if d := p.get(list[2].ID); d.DoneAt != nil || d.RemindAt == nil {
			t.Errorf("%+v", d)
		}
		p.must(p.Done(p.ctx, token, list[0].ID, ""))
		p.must(p.Done(p.ctx, token, list[0].ID, ""))
		p.must(p.Decline(p.ctx, token, list[1].ID))
		if d := p.get(list[0].ID); d.DoneAt == nil || d.State != models.DispatchByHand {
			t.Errorf("%+v", d)
		}
		p.must(p.Remind(p.ctx, token, list[2].ID, 3))
		if err := p.Remind(p.ctx, token, list[2].ID, 0); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		p.clk.Add(73 * time.Hour)
		p.must(p.Daily(p.ctx))
		p.step()
		told := p.to("june@example.org")
		if len(told) != 2 || !strings.Contains(told[1].Text, "Ada Quill 3") || strings.Contains(told[1].Text, "Ada Quill 1") || strings.Contains(told[1].Text, "Ada Quill 2") {
			t.Fatalf("%d: %s", len(told), told[len(told)-1].Text)
		}
		p.must(p.Done(p.ctx, token, list[2].ID, "reached"))
		if d := p.get(list[2].ID); d.DoneAt == nil || d.DoneHow != "reached" {
			t.Errorf("%+v", d)
		}
		if err := p.Decline(p.ctx, token, list[1].ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("declined twice: %v", err)
		}
		other, _ := p.confirmed(p.c, "Cal", form)
		if _, err := p.Carry(p.ctx, strings.TrimPrefix(p.Path(other.ID), "/by-hand/"), list[0].ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("by another's link: %v", err)
		}
	})
}

// Who left gets nothing more. The writer is asked, and only their new yes sends the letter to the successor, once.
func TestRetarget(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		l, list := p.letter(p.c, "June", ada)
		_, late := p.letter(p.c, "Cal", ada)
		p.must(p.DB.Model(&models.Term{}).Where("legislator_id = ?", ada.ID).Update("ended_at", p.clk.Now()).Error)
		p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error { return p.Left(p.ctx, tx, []uuid.UUID{ada.ID}) }))
		p.run(2*time.Hour, 10*time.Minute)
		if len(p.to("ada@senate.example.org")) != 0 || p.get(list[0].ID).State != models.DispatchRetarget || p.get(late[0].ID).State != models.DispatchRetarget {
			t.Fatalf("%+v", p.get(list[0].ID))
		}
		if m := p.to("june@example.org"); len(m) != 1 || !strings.Contains(m[0].Text, "Nobody sits there yet") {
			t.Fatalf("%+v", m)
		}
		bo := p.senator(9, "email:bo@senate.example.org")
		p.must(p.DB.Where("legislator_id = ?", bo.ID).Delete(&models.Term{}).Error)
		p.term(bo, 1, "2027-01-31")
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		c, err := p.Carry(p.ctx, token, list[0].ID)
		p.must(err)
		if c.Successor == nil || c.Successor.ID != bo.ID || c.NewText != text("June", bo) {
			t.Fatalf("%+v", c)
		}
		if err := p.Succeed(p.ctx, token, list[0].ID, ada.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("to somebody else: %v", err)
		}
		p.must(p.Succeed(p.ctx, token, list[0].ID, bo.ID))
		p.must(p.Succeed(p.ctx, token, list[0].ID, bo.ID))
		p.run(2*time.Hour, 10*time.Minute)
		if m := p.to("bo@senate.example.org"); len(m) != 1 || m[0].Text != text("June", bo) || m[0].ReplyTo != "june@example.org" {
			t.Fatalf("%+v", m)
		}
		if d := p.get(list[0].ID); d.State != models.DispatchClosed || p.get(late[0].ID).State != models.DispatchRetarget {
			t.Errorf("%+v", d)
		}
	})
}

// A machine's answer is noted. What a person writes goes to the writer, each answer once, and its text is not kept.
func TestRepliesArePassedOn(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		l, list := p.letter(p.c, "June", ada)
		p.step()
		id := *p.get(list[0].ID).DeliveryID
		if got := p.answer(id, "Auto-Submitted: auto-replied\r\n", "We read every letter."); got != inbound.Done {
			t.Error(got)
		}
		for _, text := range []string{"The Senator will vote yes.", "The Senator will vote yes.", "One more thing."} {
			if got := p.answer(id, "", text); got != inbound.Passed {
				t.Error(got)
			}
		}
		p.step()
		told := p.to("june@example.org")
		if len(told) != 2 || !strings.Contains(told[0].Text+told[1].Text, "The Senator will vote yes.") || !strings.Contains(told[0].Text+told[1].Text, "One more thing.") {
			t.Fatalf("%+v", told)
		}
		p.must(p.Daily(p.ctx))
		var rows []models.LetterReply
		p.must(p.DB.Find(&rows).Error)
		for _, r := range rows {
			if r.BodySealed != nil || r.Kind == "reply" && r.ForwardedAt == nil {
				t.Errorf("%+v", r)
			}
		}
		if len(rows) != 3 {
			t.Errorf("%d rows", len(rows))
		}
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		p.must(p.Keep(p.ctx, token, true))
		p.answer(id, "", "Kept.")
		p.step()
		p.must(p.Daily(p.ctx))
		if m, err := p.Mine(p.ctx, token); err != nil || len(m.Replies) != 1 || m.Replies[0].Text != "Kept." {
			t.Errorf("%+v, %v", m.Replies, err)
		}
	})
}

// Two weeks later the writer is asked once, and once more; then the letter closes, and 28 days later it says nothing any more.
func TestAfterwards(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada, cy := p.senator(1, "email:ada@senate.example.org"), p.senator(2, "email:cy@senate.example.org")
		l, list := p.letter(p.c, "June", ada, cy)
		kept, _ := p.letter(p.c, "Cal", ada)
		p.must(p.Keep(p.ctx, strings.TrimPrefix(p.Path(kept.ID), "/by-hand/"), true))
		p.run(time.Hour, 5*time.Minute)
		days := func(n int) {
			for range n {
				p.clk.Add(24 * time.Hour)
				p.must(p.Daily(p.ctx))
				p.step()
			}
		}
		days(13)
		if n := p.count(KindQuestion); n != 0 {
			t.Fatalf("asked after 13 days: %d", n)
		}
		days(2)
		asked := p.to("june@example.org")
		if len(asked) != 1 || !strings.Contains(asked[0].Text, "Ada Quill 1, Senator Ada Quill 2") {
			t.Fatalf("%+v", asked)
		}
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		if err := p.Tell(p.ctx, token, list[0].ID, "perhaps"); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		p.must(p.Tell(p.ctx, token, list[0].ID, "yes"))
		if d := p.get(list[0].ID); d.State != models.DispatchAnswered || d.Answer != "yes" || d.AnsweredAt == nil {
			t.Errorf("%+v", d)
		}
		days(8)
		asked = p.to("june@example.org")
		if len(asked) != 2 || strings.Contains(asked[1].Text, "Quill 1") || !strings.Contains(asked[1].Text, "Quill 2") {
			t.Fatalf("%d", len(asked))
		}
		days(9)
		var now models.Letter
		p.must(p.DB.Where("id = ?", l.ID).Take(&now).Error)
		if now.State != models.LetterClosed || len(p.to("june@example.org")) != 2 {
			t.Fatalf("%s", now.State)
		}
		days(29)
		now = models.Letter{}
		p.must(p.DB.Where("id = ?", l.ID).Take(&now).Error)
		if now.State != models.LetterAnonymised || now.MailboxID != uuid.Nil || now.GivenNameSealed != nil || now.StreetSealed != nil || now.PostalArea != "" || now.ConfirmedDigest != nil {
			t.Errorf("%+v", now)
		}
		if d := p.get(list[0].ID); d.TextSealed != nil || d.SubjectSealed != nil || d.MailboxID != uuid.Nil || d.Answer != "yes" {
			t.Errorf("%+v", d)
		}
		if _, err := p.Mine(p.ctx, token); !fault.Is(err, fault.Gone) {
			t.Error(err)
		}
		now = models.Letter{}
		p.must(p.DB.Where("id = ?", kept.ID).Take(&now).Error)
		if now.State != models.LetterClosed || now.GivenNameSealed == nil {
			t.Errorf("%+v", now)
		}
		p.must(p.Discard(p.ctx, strings.TrimPrefix(p.Path(kept.ID), "/by-hand/")))
		now = models.Letter{}
		p.must(p.DB.Where("id = ?", kept.ID).Take(&now).Error)
		if now.State != models.LetterAnonymised || now.GivenNameSealed != nil {
			t.Errorf("%+v", now)
		}
	})
}

// A digest is one mail an office and day, with each letter in it.
func TestDigest(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		c := p.campaign(10, true)
		for i := range 3 {
			p.letter(c, fmt.Sprintf("June%d", i), ada)
		}
		p.run(time.Hour, 10*time.Minute)
		_, later := p.letter(c, "Cal", ada)
		p.run(3*time.Hour, 10*time.Minute)
		got := p.to("ada@senate.example.org")
		if len(got) != 1 || got[0].FromName != "WCPC" {
			t.Fatalf("%d", len(got))
		}
		for i := range 3 {
			if !strings.Contains(got[0].Text, text(fmt.Sprintf("June%d", i), ada)) {
				t.Errorf("letter %d is not in it", i)
			}
		}
		if d := p.get(later[0].ID); d.State != models.DispatchWaiting {
			t.Errorf("%+v", d)
		}
		p.run(24*time.Hour, 30*time.Minute)
		if got := p.to("ada@senate.example.org"); len(got) != 2 || !strings.Contains(got[1].Text, text("Cal", ada)) || p.get(later[0].ID).Channel != models.ByDigest {
			t.Errorf("%d", len(got))
		}
	})
}

// While a letter campaign is paused nothing of it is handed over; then it goes on.
func TestPausedCampaign(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		p.must(p.DB.Model(&models.LetterCampaign{}).Where("id = ?", p.c.ID).Update("state", models.LettersPaused).Error)
		p.letter(p.c, "June", ada)
		p.run(time.Hour, 10*time.Minute)
		if n := p.count(KindLetter); n != 0 {
			t.Fatalf("%d", n)
		}
		desks, err := p.Offices(p.ctx, organizer(), p.c.ID)
		p.must(err)
		if len(desks.Rows) != 1 || desks.Rows[0].Waiting != 1 || desks.Rows[0].NextAt == nil || !desks.Rows[0].NextAt.After(p.clk.Now()) {
			t.Errorf("%+v", desks.Rows)
		}
		p.must(p.DB.Model(&models.LetterCampaign{}).Where("id = ?", p.c.ID).Update("state", models.LettersPublished).Error)
		p.run(time.Hour, 10*time.Minute)
		if n := len(p.to("ada@senate.example.org")); n != 1 {
			t.Errorf("%d", n)
		}
	})
}

// organizer may manage letters and print them.
func organizer() actor.Actor {
	return actor.Actor{Kind: actor.User, UserID: models.NewID(), Role: actor.Organizer}
}

// An organizer prints what is to be carried to an office, with the rights for it alone, and says that it was: what came later is left.
func TestBatchOnPaper(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "post:")
		p.letter(p.c, "June", ada)
		l, _ := p.letter(p.c, "Cal", ada)
		p.step()
		date := func(string, time.Time) string { return "1 February 2027" }
		for _, role := range []actor.Role{actor.Viewer, actor.Advocate, actor.Coordinator} {
			var b strings.Builder
			if err := p.Batch(p.ctx, actor.Actor{Kind: actor.User, Role: role}, p.c.ID, ada.ID, date, &b); !fault.Is(err, fault.Forbidden) || b.Len() != 0 {
				t.Errorf("%s: %v", role, err)
			}
			if _, err := p.Offices(p.ctx, actor.Actor{Kind: actor.User, Role: role}, p.c.ID); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", role, err)
			}
		}
		a := organizer()
		var b strings.Builder
		p.must(p.Batch(p.ctx, a, p.c.ID, ada.ID, date, &b))
		if !strings.HasPrefix(b.String(), "%PDF") || strings.Count(b.String(), "/Type/Page/") != 2 {
			t.Errorf("%d pages", strings.Count(b.String(), "/Type/Page/"))
		}
		desks, err := p.Offices(p.ctx, a, p.c.ID)
		p.must(err)
		if desks.Rows[0].Paper != 2 {
			t.Errorf("%+v", desks.Rows)
		}
		p.clk.Add(time.Minute)
		_, late := p.letter(p.c, "Obi", ada)
		p.step()
		if n, err := p.Carried(p.ctx, a, p.c.ID, ada.ID, desks.At); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		if p.get(late[0].ID).DoneAt != nil {
			t.Error("what was not printed is marked")
		}
		token := strings.TrimPrefix(p.Path(l.ID), "/by-hand/")
		m, err := p.Mine(p.ctx, token)
		p.must(err)
		if m.Parts[0].How != "carried" || m.Parts[0].Done == nil {
			t.Errorf("%+v", m.Parts)
		}
		did, due, err := p.WroteFrom(p.ctx, []uuid.UUID{l.MailboxID})
		if err != nil || len(did) != 1 || len(due) != 0 {
			t.Errorf("%+v %+v %v", did, due, err)
		}
	})
}
