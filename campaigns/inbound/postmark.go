package inbound

import (
	"context"
	"encoding/json"

	"kithline/mailer"
	"kithline/models"
)

// postmarkCall is what Postmark's webhooks send, as far as it is read.
type postmarkCall struct {
	RecordType      string
	Type            string
	Email           string
	Details         string
	Description     string
	SuppressSending bool
	Origin          string
	Metadata        map[string]string
}

// returned is the call as a mail that came back.
func (p postmarkCall) returned() (mailer.Returned, bool) {
	back := mailer.Returned{Diagnostic: mailer.Scrub(p.Details, p.Email)}
	if mark := p.Metadata[mailer.MarkName]; mark != "" {
		back.Marks = []string{mark}
	}
	back.Status = mailer.StatusIn(p.Details)
	switch p.RecordType {
	case "SpamComplaint":
		back.Class = mailer.Complaint
		return back, true
	case "Delivery":
		return mailer.Returned{Class: mailer.Delivered, Marks: back.Marks}, true
	case "SubscriptionChange": // by Postmark's own link, or by the organization's hand there
		back.Class, back.Diagnostic = mailer.StopReply, ""
		return back, p.SuppressSending && p.Origin == "Recipient"
	case "Bounce":
	default:
		return back, false
	}
	switch p.Type {
	case "HardBounce", "BadEmailAddress":
		back.Class = mailer.ClassOf(back.Status, p.Details)
		if back.Class == mailer.BounceSoft { // Postmark has looked closer than the words say
			back.Class = mailer.BounceHard
		}
	case "SpamComplaint":
		back.Class = mailer.Complaint
	case "SpamNotification", "Blocked", "DMARCPolicy", "ISPBlock", "SMTPApiError", "TemplateRenderingFailed":
		back.Class = mailer.BouncePolicy
	case "AutoResponder", "ChallengeVerification", "AddressChange":
		back.Class = mailer.AutoReply
	case "Unsubscribe":
		back.Class = mailer.StopReply
	case "VirusNotification":
		back.Class = mailer.BounceOurs
	case "Transient", "OpenRelayTest":
		back.Class = mailer.Delayed
	case "SoftBounce", "DnsError", "Undetermined", "Unknown", "ManuallyDeactivated", "Unconfirmed", "InboundError":
		back.Class = mailer.BounceSoft
		if c := mailer.ClassOf(back.Status, p.Details); c != mailer.BounceHard {
			back.Class = c
		}
	default: // Subscribe, and what comes later
		back.Class = mailer.Unclear
	}
	return back, true
}

// Postmark takes a call of Postmark's webhooks. A wrong secret is a NotFound fault, what cannot be read a Forbidden one,
// error.callback. Nobody's right is asked for: the secret is the proof, and each delivery is named by our own mark.
func (s *Service) Postmark(ctx context.Context, secret string, body []byte) error {
	src, err := s.hook(ctx, models.SourcePostmark, secret)
	if err != nil {
		return err
	}
	var p postmarkCall
	if err := json.Unmarshal(body, &p); err != nil {
		return errCall
	}
	if back, is := p.returned(); is {
		if _, err := s.take(ctx, models.SourcePostmark, back, nil); err != nil {
			return err
		}
	}
	return s.heard(ctx, src.ID)
}
