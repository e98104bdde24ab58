package inbound

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what signature version 1 of Amazon SNS is made of
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"kithline/campaigns/fault"
	"kithline/mailer"
	"kithline/models"
)

var (
	topicARN = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	snsHost  = regexp.MustCompile(`^sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`)
)

// snsMessage is what Amazon SNS sends.
type snsMessage struct {
	Type             string
	MessageID        string `json:"MessageId"`
	Token            string
	TopicArn         string
	Subject          *string
	Message          string
	SubscribeURL     string
	Timestamp        string
	SignatureVersion string
	Signature        string
	SigningCertURL   string
}

// signed is the text that the signature is over.
func (m snsMessage) signed() string {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	add("Message", m.Message)
	add("MessageId", m.MessageID)
	if m.Type == "Notification" {
		if m.Subject != nil {
			add("Subject", *m.Subject)
		}
	} else {
		add("SubscribeURL", m.SubscribeURL)
	}
	add("Timestamp", m.Timestamp)
	if m.Type != "Notification" {
		add("Token", m.Token)
	}
	add("TopicArn", m.TopicArn)
	add("Type", m.Type)
	return b.String()
}

// sesNote is a notification of Amazon SES, as far as it is read: of feedback, or of event publishing.
type sesNote struct {
	NotificationType string `json:"notificationType"`
	EventType        string `json:"eventType"`
	Mail             struct {
		Source  string `json:"source"`
		Headers []struct {
			Name, Value string
		} `json:"headers"`
		CommonHeaders struct {
			MessageID string `json:"messageId"`
		} `json:"commonHeaders"`
		Tags map[string][]string `json:"tags"`
	} `json:"mail"`
	Bounce struct {
		BounceType        string `json:"bounceType"`
		BounceSubType     string `json:"bounceSubType"`
		BouncedRecipients []struct {
			Status         string `json:"status"`
			DiagnosticCode string `json:"diagnosticCode"`
			EmailAddress   string `json:"emailAddress"`
		} `json:"bouncedRecipients"`
	} `json:"bounce"`
	Complaint struct {
		FeedbackType string `json:"complaintFeedbackType"`
	} `json:"complaint"`
	DeliveryDelay struct {
		DelayType string `json:"delayType"`
	} `json:"deliveryDelay"`
}

// returned is the notification as a mail that came back.
func (n sesNote) returned() (mailer.Returned, bool) {
	back := mailer.Returned{}
	back.Marks = append(back.Marks, n.Mail.Tags[mailer.MarkName]...)
	back.Marks = append(back.Marks, mailer.MarksOf(n.Mail.Source, n.Mail.CommonHeaders.MessageID)...)
	for _, h := range n.Mail.Headers {
		if strings.EqualFold(h.Name, "Message-ID") {
			back.Marks = append(back.Marks, mailer.MarksOf("", h.Value)...)
		}
	}
	kind := n.NotificationType
	if kind == "" {
		kind = n.EventType
	}
	switch kind {
	case "Complaint":
		back.Class, back.Diagnostic = mailer.Complaint, mailer.Scrub(n.Complaint.FeedbackType)
		if n.Complaint.FeedbackType == "not-spam" {
			back.Class = mailer.Unclear
		}
	case "Delivery":
		back.Class = mailer.Delivered
	case "DeliveryDelay":
		back.Class, back.Diagnostic = mailer.Delayed, mailer.Scrub(n.DeliveryDelay.DelayType)
	case "Bounce":
		var said, address string
		for _, r := range n.Bounce.BouncedRecipients {
			back.Status, said, address = r.Status, r.DiagnosticCode, r.EmailAddress
			break
		}
		back.Diagnostic = mailer.Scrub(said, address)
		back.Class = mailer.ClassOf(back.Status, said)
		switch {
		case n.Bounce.BounceType != "Permanent" && back.Class == mailer.BounceHard:
			back.Class = mailer.BounceSoft
		case n.Bounce.BounceType == "Permanent" && back.Class == mailer.BounceSoft &&
			(n.Bounce.BounceSubType == "NoEmail" || n.Bounce.BounceSubType == "General" && mailer.Vague(back.Status)):
			back.Class = mailer.BounceHard // Amazon has looked closer than the words say
		case n.Bounce.BounceSubType == "MessageTooLarge", n.Bounce.BounceSubType == "ContentRejected", n.Bounce.BounceSubType == "AttachmentRejected":
			back.Class = mailer.BounceOurs
		}
	default: // Send, Open, Click, Subscription ...: nothing that came back
		return back, false
	}
	return back, true
}

// errCall is a call that is no provider's: what is wrong with it is not told.
var errCall = fault.New(fault.Forbidden, "error.callback")

// SES takes a call of Amazon SNS with a notification of Amazon SES: its signature is checked, and that it came by our topic. A call
// to confirm a subscription to the topic is answered. A wrong secret is a NotFound fault, everything else that is wrong a Forbidden
// one, error.callback. Nobody's right is asked for: secret and signature are the proof.
func (s *Service) SES(ctx context.Context, secret string, body []byte) error {
	src, err := s.hook(ctx, models.SourceSES, secret)
	if err != nil {
		return err
	}
	var m snsMessage
	if err := json.Unmarshal(body, &m); err != nil || m.TopicArn != src.Topic {
		return errCall
	}
	if err := s.proved(ctx, m); err != nil {
		return fault.Because(err, fault.Forbidden, "error.callback")
	}
	switch m.Type {
	case "SubscriptionConfirmation":
		if !snsURL(m.SubscribeURL, "") {
			return errCall
		}
		if _, err := s.fetch(ctx, m.SubscribeURL); err != nil {
			return err
		}
		s.Log.Info("Amazon's notifications were subscribed to")
	case "Notification":
		var n sesNote
		if err := json.Unmarshal([]byte(m.Message), &n); err != nil {
			break // the words by which Amazon says that the topic is set up
		}
		if back, is := n.returned(); is {
			if _, err := s.take(ctx, models.SourceSES, back, nil); err != nil {
				return err
			}
		}
	}
	return s.heard(ctx, src.ID)
}

// snsURL reports whether an address is Amazon SNS's own.
func snsURL(raw, suffix string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && snsHost.MatchString(u.Host) && u.User == nil && strings.HasSuffix(u.Path, suffix)
}

// proofs are the certificates that were fetched, by their address.
type proofs struct {
	mu   sync.Mutex
	keys map[string]proof
}

type proof struct {
	key  *rsa.PublicKey
	from time.Time
	till time.Time
}

// proved checks the signature of a message.
func (s *Service) proved(ctx context.Context, m snsMessage) error {
	if !snsURL(m.SigningCertURL, ".pem") {
		return errors.New("inbound: the certificate is not Amazon's")
	}
	sig, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		return err
	}
	key, err := s.certificate(ctx, m.SigningCertURL)
	if err != nil {
		return err
	}
	text := []byte(m.signed())
	switch m.SignatureVersion {
	case "1":
		sum := sha1.Sum(text) //nolint:gosec // as above
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], sig)
	case "2":
		sum := sha256.Sum256(text)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig)
	}
	return errors.New("inbound: an unknown signature version")
}

// certificate returns the key of a certificate at Amazon's, fetched once.
func (s *Service) certificate(ctx context.Context, at string) (*rsa.PublicKey, error) {
	now := s.Clock.Now()
	s.proofs.mu.Lock()
	p, ok := s.proofs.keys[at]
	s.proofs.mu.Unlock()
	if !ok {
		b, err := s.fetch(ctx, at)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, errors.New("inbound: no certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		key, is := cert.PublicKey.(*rsa.PublicKey)
		if !is {
			return nil, errors.New("inbound: the certificate has no RSA key")
		}
		p = proof{key, cert.NotBefore, cert.NotAfter}
		s.proofs.mu.Lock()
		if s.proofs.keys == nil || len(s.proofs.keys) >= 20 {
			s.proofs.keys = map[string]proof{}
		}
		s.proofs.keys[at] = p
		s.proofs.mu.Unlock()
	}
	if now.Before(p.from) || now.After(p.till) {
		return nil, errors.New("inbound: the certificate is not valid now")
	}
	return p.key, nil
}

// outside is the client that asks Amazon: it follows no redirect.
func outside() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// fetch reads a page of Amazon SNS; its address was checked.
func (s *Service) fetch(ctx context.Context, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.HTTP.Do(req)
	if err != nil {
		return nil, errors.New("inbound: Amazon could not be asked")
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("inbound: Amazon answered %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, 64<<10))
}
