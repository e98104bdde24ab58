package deliveries

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
)

// Content is what a Renderer makes of a delivery: the name of a template with its data, or the ready body of a mailing.
type Content struct {
	Template    string // in mailer/templates
	Lang        string
	Data        any // the struct that the template expects
	ToName      string
	Bulk        *BulkContent // instead of a template
	Letter      *Letter      // instead of a template
	Attachments []Attachment // beside a template
	Answers     bool         // an answer does something: it goes to where mail that comes back is read too, with the delivery's mark
	// UnsubscribeURL is the link that stops mails like a template's, for the header by which mail programs offer that; "" where
	// there is nothing to stop.
	UnsubscribeURL string
}

// Attachment is a small file beside the words.
type Attachment = mailer.Attachment

// Letter is what one person writes to an office by us: the words are theirs alone, and so is the answer. It comes from the address that
// the mark of the delivery stands in, where the organisation has one of the sender's own domain, so that an answer to either address is
// read. It is no mail of a machine, nor one to many, and carries no field that says so.
type Letter struct {
	FromName      string // "" for the organisation's
	ReplyTo       string // the same
	Subject, Text string
}

// NotYet is the error of a Renderer whose mail must wait: the delivery goes back to the outbox until then.
type NotYet struct{ Until time.Time }

// Error is part of error.
func (n NotYet) Error() string { return "deliveries: not before " + n.Until.Format(time.RFC3339) }

// BulkContent is one copy of a mailing: a text that is made once for all of them, with what this one has of its own.
type BulkContent struct {
	Form                     *mailer.Form // the same pointer for all copies of the same text
	Values                   []string
	Reason                   string // why the person gets it
	UnsubscribeURL, PauseURL string
}

// Renderer makes the content of a delivery at the moment it goes out. It returns a Gone fault when the mail is no longer
// wanted; the delivery is then expired.
type Renderer func(ctx context.Context, d models.Delivery) (Content, error)

// Batch reads what many deliveries of one kind need, with few questions to the database, and returns what makes each of them.
type Batch func(ctx context.Context, ds []models.Delivery) (Maker, error)

// Maker makes the content of a delivery of its batch, as a Renderer does. Many goroutines call it at once.
type Maker func(d models.Delivery) (Content, error)

// Handle registers the renderer of a kind, at start only.
func (s *Service) Handle(kind string, r Renderer) {
	s.HandleBatch(kind, func(ctx context.Context, _ []models.Delivery) (Maker, error) {
		return func(d models.Delivery) (Content, error) { return r(ctx, d) }, nil
	})
}

// HandleBatch registers the renderer of a kind of which many go out at once, at start only.
func (s *Service) HandleBatch(kind string, b Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.render[kind]; twice {
		panic("deliveries: two renderers for " + kind)
	}
	s.render[kind] = b
}

// errGone means that the mail is no longer wanted, or its address was erased.
var errGone = fault.New(fault.Gone, "error.mail_gone")

// jobs reads what due deliveries need to be made. What cannot be read of one is that one's error.
func (s *Service) jobs(ctx context.Context, w *way, rows []due) []*job {
	jobs, kinds := make([]*job, len(rows)), map[string][]models.Delivery{}
	for i, r := range rows {
		jobs[i] = &job{d: r.Delivery, way: w, domain: r.Domain, zone: zoneOf(r.TimeZone, w.Zone)}
		kinds[r.Kind] = append(kinds[r.Kind], r.Delivery)
	}
	makers := map[string]func(models.Delivery) (Maker, error){}
	for kind, of := range kinds {
		makers[kind] = s.makers(ctx, kind, of)
	}
	for i, j := range jobs {
		if j.to, j.wrong = mailboxes.Address(s.vault, models.Mailbox{ID: j.d.MailboxID, AddressHash: rows[i].AddressHash, AddressSealed: rows[i].AddressSealed}); j.wrong == nil && j.to == "" {
			j.wrong = errGone
		}
		if j.wrong == nil {
			j.maker, j.wrong = makers[j.d.Kind](j.d)
		}
	}
	return jobs
}

// makers has a batch read. Where that fails each delivery is tried by itself, so that one does not hold up the others.
func (s *Service) makers(ctx context.Context, kind string, ds []models.Delivery) func(models.Delivery) (Maker, error) {
	s.mu.RLock()
	read := s.render[kind]
	s.mu.RUnlock()
	if read == nil {
		return func(models.Delivery) (Maker, error) { return nil, fmt.Errorf("deliveries: nobody renders %q", kind) }
	}
	m, err := read(ctx, ds)
	if err == nil || len(ds) == 1 {
		return func(models.Delivery) (Maker, error) { return m, err }
	}
	return func(d models.Delivery) (Maker, error) { return read(ctx, []models.Delivery{d}) }
}

// make makes the mail of a job as it is to go over the wire.
func (s *Service) make(j *job) error {
	c, err := j.maker(j.d)
	if err != nil {
		return err
	}
	from, d := j.way.Sender, j.d
	m := mailer.Message{
		MessageID: s.MessageID(d, from.FromAddress), FromName: from.FromName, FromAddress: from.FromAddress, ReplyTo: from.ReplyTo,
		To: j.to, ToName: c.ToName, Date: s.clk.Now().Truncate(time.Second), AutoSubmitted: c.Bulk == nil,
	}
	if local, domain, ok := strings.Cut(from.BounceAddress, "@"); ok {
		m.EnvelopeFrom = local + "+" + s.signer.MakeForever(tokens.Message, d.ID) + "@" + domain
	}
	if c.Answers {
		m.AlsoReplyTo = m.EnvelopeFrom
	}
	if by, ok := from.Transport.(interface{ Config() mailer.SMTPConfig }); ok {
		m.Headers = mailer.MarkHeaders(by.Config().Host, m.MessageID)
	}
	lh := from.Letterhead
	lh.Lang = c.Lang
	if c.Bulk != nil {
		if m, err = s.copy(j.way.Sender, m, c.Bulk); err != nil {
			return err
		}
		j.message = m
		return j.message.Sign(from.DKIM...)
	}
	if c.Letter != nil {
		if m, err = s.letter(j, m, *c.Letter); err != nil {
			return err
		}
		if err := m.Encode(); err != nil {
			return err
		}
		j.message = m
		return j.message.Sign(from.DKIM...)
	}
	m.UnsubscribeURL = c.UnsubscribeURL
	r, err := s.words.Render(c.Template, c.Lang, lh, c.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", mailer.ErrMessage, err)
	}
	m.Subject, m.Preheader, m.Text, m.HTML, m.Attachments = r.Subject, r.Preheader, r.Text, r.HTML, c.Attachments
	if err := m.Encode(); err != nil {
		return err
	}
	j.message = m
	return j.message.Sign(from.DKIM...)
}

// letter makes the mail that carries a letter. Where letters do not leave this server, it goes to whom the settings name, or waits.
func (s *Service) letter(j *job, m mailer.Message, l Letter) (mailer.Message, error) {
	m.AutoSubmitted, m.Subject, m.Text = false, l.Subject, l.Text
	if l.FromName != "" {
		m.FromName = l.FromName
	}
	if l.ReplyTo != "" {
		m.ReplyTo = l.ReplyTo
	}
	if local, domain, ok := strings.Cut(j.way.BounceAddress, "@"); ok && strings.HasSuffix(strings.ToLower(m.FromAddress), "@"+strings.ToLower(domain)) {
		m.FromAddress = local + "+" + s.signer.MakeForever(tokens.Message, j.d.ID) + "@" + domain
	}
	switch o := j.way.Offices; {
	case o.Live:
	case o.Redirect != "":
		m.To, m.ToName = o.Redirect, ""
	default:
		return m, NotYet{s.clk.Now().Add(time.Hour)}
	}
	return m, nil
}

// copy makes one copy of a mailing, whose text is encoded when its first one is made.
func (s *Service) copy(from Sender, m mailer.Message, b *BulkContent) (mailer.Message, error) {
	key := frameKey{form: b.Form, letterhead: from.Letterhead, name: from.FromName, address: from.FromAddress, reply: from.ReplyTo}
	s.mu.RLock()
	f := s.frames[key]
	s.mu.RUnlock()
	if f == nil {
		var err error
		if f, err = s.words.Frame(from.Letterhead, b.Form, mailer.Message{FromName: from.FromName, FromAddress: from.FromAddress, ReplyTo: from.ReplyTo}); err != nil {
			return m, fmt.Errorf("%w: %w", mailer.ErrMessage, err)
		}
		s.mu.Lock()
		if len(s.frames) >= maxFrames {
			clear(s.frames)
		}
		s.frames[key] = f
		s.mu.Unlock()
	}
	return f.Message(mailer.Copy{
		Values: b.Values, Reason: b.Reason, UnsubscribeURL: b.UnsubscribeURL, PauseURL: b.PauseURL,
		MessageID: m.MessageID, EnvelopeFrom: m.EnvelopeFrom, To: m.To, ToName: m.ToName, Date: m.Date, Headers: m.Headers,
	})
}

// frameKey is what a mailing's encoded text depends on.
type frameKey struct {
	form                 *mailer.Form
	letterhead           mailer.Letterhead
	name, address, reply string
}

// maxFrames is how many encoded texts are kept: mailings that are sent at once, in all their languages and variants.
const maxFrames = 64

// MessageID is the Message-ID of a delivery, without <>: the same on every attempt, and readable by nobody but us.
func (s *Service) MessageID(d models.Delivery, fromAddress string) string {
	_, domain, _ := strings.Cut(fromAddress, "@")
	return "d." + s.signer.MakeForever(tokens.Message, d.ID) + "@" + domain
}
