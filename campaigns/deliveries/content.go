package deliveries

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
)

// Content is what a Renderer makes of a delivery: the name of a template with its data, or the ready body of a mailing.
type Content struct {
	Template string // in mailer/templates
	Lang     string
	Data     any // the struct that the template expects
	ToName   string
	Bulk     *BulkContent // instead of a template
	// UnsubscribeURL is the link that stops mails like a template's, for the header by which mail programs offer that; "" where
	// there is nothing to stop.
	UnsubscribeURL string
}

// BulkContent is the body of one copy of a mailing.
type BulkContent struct {
	Subject, Preheader       string
	HTML                     template.HTML
	Text                     string
	Reason                   string // why the person gets it
	UnsubscribeURL, PauseURL string
	ListID                   string // the part of List-Id before the domain
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

// message makes the mail of a delivery as it is to go over the wire.
func (s *Service) message(ctx context.Context, from Sender, d models.Delivery) (mailer.Message, error) {
	s.mu.RLock()
	render := s.render[d.Kind]
	s.mu.RUnlock()
	if render == nil {
		return mailer.Message{}, fmt.Errorf("deliveries: nobody renders %q", d.Kind)
	}
	var box models.Mailbox
	if err := s.db.WithContext(ctx).Take(&box, "id = ?", d.MailboxID).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return mailer.Message{}, errGone
		}
		return mailer.Message{}, err
	}
	to, err := mailboxes.Address(s.vault, box)
	if err != nil {
		return mailer.Message{}, err
	}
	if to == "" {
		return mailer.Message{}, errGone
	}
	maker, err := render(ctx, []models.Delivery{d})
	if err != nil {
		return mailer.Message{}, err
	}
	c, err := maker(d)
	if err != nil {
		return mailer.Message{}, err
	}
	m := mailer.Message{
		MessageID: s.MessageID(d, from.FromAddress), FromName: from.FromName, FromAddress: from.FromAddress, ReplyTo: from.ReplyTo,
		To: to, ToName: c.ToName, Date: s.clk.Now().Truncate(time.Second), AutoSubmitted: c.Bulk == nil,
	}
	lh := from.Letterhead
	lh.Lang = c.Lang
	var r mailer.Rendered
	if b := c.Bulk; b != nil {
		r, err = s.words.Bulk(lh, mailer.BulkBody{
			Subject: b.Subject, Preheader: b.Preheader, HTML: b.HTML, Text: b.Text, Reason: b.Reason, UnsubscribeURL: b.UnsubscribeURL, PauseURL: b.PauseURL, Lang: c.Lang,
		})
		m.Bulk, m.UnsubscribeURL, m.ListID = true, b.UnsubscribeURL, b.ListID+"."+from.ListDomain
	} else {
		m.UnsubscribeURL = c.UnsubscribeURL
		r, err = s.words.Render(c.Template, c.Lang, lh, c.Data)
	}
	if err != nil {
		return mailer.Message{}, fmt.Errorf("%w: %w", mailer.ErrMessage, err)
	}
	m.Subject, m.Preheader, m.Text, m.HTML = r.Subject, r.Preheader, r.Text, r.HTML
	return m, nil
}

// MessageID is the Message-ID of a delivery, without <>: the same on every attempt, and readable by nobody but us.
func (s *Service) MessageID(d models.Delivery, fromAddress string) string {
	_, domain, _ := strings.Cut(fromAddress, "@")
	return "d." + s.signer.MakeForever(tokens.Message, d.ID) + "@" + domain
}
