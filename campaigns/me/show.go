package me

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// View is the page.
type View struct {
	Address     string   // whose link it is
	Others      []string // the person's further addresses, masked
	Record      bool     // there is a record of the person
	GivenName   string
	PausedUntil *time.Time // nil where mail comes
	UntilTold   bool       // the pause lasts until the person ends it
	Due         []Item     // soonest first
	Did         []Item     // newest first
	Waiting     []confirmations.Item
	Confirm     string // the token of the page where what waits is confirmed or deleted; "" where nothing waits
	Agreed      []Consent
	Ended       []Consent
	Offered     []consents.Box // parts of the newsletter that the person did not choose
	Sent        []Sent         // newest first, at most sentShown
	Details     Details
	Districts   []District
}

// Sent is a mail that went to the person.
type Sent struct {
	At      time.Time
	Kind    string // of the delivery
	Subject string // of a mailing
}

// sentShown is how many mails the page lists; the download has all of them.
const sentShown = 30

// Show reads the page of a link, and changes nothing. lang is that of what can be agreed to, and of times. Whoever has the link may read it. The faults are those of
// tokens.Signer.Read, and Gone, error.me_nothing, where nothing is kept about the address any more.
func (s *Service) Show(ctx context.Context, token, lang string) (View, error) {
	now := s.o.Clock.Now()
	db := s.o.DB.WithContext(ctx)
	p, err := s.open(ctx, db, tokens.Me, token)
	if err != nil {
		return View{}, err
	}
	p.Lang = lang
	v := View{Record: p.supporter != nil}
	if v.Address, err = s.address(p.box); err != nil {
		return View{}, err
	}
	for _, m := range p.boxes {
		if m.ID != p.Mailbox {
			a, err := s.address(m)
			if err != nil {
				return View{}, err
			}
			v.Others = append(v.Others, Mask(a))
		}
		if m.PausedUntil != nil && m.PausedUntil.After(now) && (v.PausedUntil == nil || m.PausedUntil.After(*v.PausedUntil)) {
			v.PausedUntil = m.PausedUntil
		}
	}
	v.UntilTold = v.PausedUntil != nil && v.PausedUntil.Equal(models.PausedUntilTold)
	for _, kind := range s.order {
		src := s.sources[kind]
		for _, part := range []struct {
			read func(context.Context, Who) ([]Item, error)
			into *[]Item
		}{{src.Did, &v.Did}, {src.Due, &v.Due}} {
			if part.read == nil {
				continue
			}
			items, err := part.read(ctx, p.Who)
			if err != nil {
				return View{}, err
			}
			for _, i := range items {
				i.Kind = kind
				*part.into = append(*part.into, i)
			}
		}
	}
	slices.SortStableFunc(v.Did, func(a, b Item) int { return b.At.Compare(a.At) })
	slices.SortStableFunc(v.Due, func(a, b Item) int { return a.At.Compare(b.At) })

	confirm := s.o.Signer.Make(tokens.Confirm, p.Mailbox, now.Add(linkLife))
	waiting, err := s.o.Confirmations.Waiting(ctx, confirm)
	if err != nil {
		return View{}, err
	}
	if v.Waiting = waiting.Items; len(v.Waiting) > 0 {
		v.Confirm = confirm
	}
	if err := s.consents(ctx, db, p, lang, now, &v); err != nil {
		return View{}, err
	}
	if v.Sent, err = s.sent(ctx, p.Mailboxes); err != nil {
		return View{}, err
	}
	if v.Details, err = s.details(ctx, db, p); err != nil {
		return View{}, err
	}
	v.GivenName = v.Details.GivenName
	v.Districts, err = districts(ctx, db, p, now)
	return v, err
}

func (s *Service) sent(ctx context.Context, boxes []uuid.UUID) ([]Sent, error) {
	var rows []struct {
		SentAt  time.Time
		Kind    string
		Subject *string
	}
	err := s.o.DB.WithContext(ctx).Table("deliveries d").Select("d.sent_at, d.kind, m.subject").Joins("LEFT JOIN mailings m ON m.id = d.mailing_id").
		Where("d.mailbox_id IN ? AND d.state = ? AND d.sent_at IS NOT NULL", boxes, models.DeliverySent).
		Order("d.sent_at DESC").Limit(sentShown).Scan(&rows).Error
	out := make([]Sent, len(rows))
	for i, r := range rows {
		out[i] = Sent{At: r.SentAt, Kind: r.Kind}
		if r.Subject != nil {
			out[i].Subject = *r.Subject
		}
	}
	return out, err
}

// signatures is the source of what somebody signed.
func (s *Service) signatures() Source {
	return Source{
		Did: func(ctx context.Context, w Who) ([]Item, error) {
			rows, err := s.o.Petitions.SignedFrom(ctx, w.Mailboxes)
			out := make([]Item, len(rows))
			for i, r := range rows {
				it := Item{ID: r.ID, At: r.At, Key: "me.did_signed", Title: r.Title, Lang: r.TitleLocale, Name: r.ShownName}
				if r.Public {
					it.URL = "/petitions/" + r.Slug
				}
				it.More = []More{{"me.own_signature", s.o.Petitions.OwnLink(r.Slug, r.ID, s.o.Clock.Now())}}
				if r.Public && r.State == models.SignatureConfirmed {
					it.More = append(it.More, More{"me.pass_on", s.o.Petitions.ShareLink(r.Slug, r.ID)})
				}
				switch {
				case r.State == models.SignatureWithdrawn:
					it.Note, it.Withdrew = "me.did_taken_back", true
					if r.Undo {
						it.Redo = "me.put_back"
					} else if r.Public {
						it.More = append(it.More, More{"me.sign_again", "/petitions/" + r.Slug + "#sign"})
					}
				case r.State == models.SignatureInvalidated:
					it.Note = "me.did_taken_out"
				case r.ShownName == "":
					it.Note, it.Undo = "me.did_signed_unnamed", "me.take_back"
				default:
					it.Note, it.Undo = "me.did_signed_named", "me.take_back"
				}
				out[i] = it
			}
			return out, err
		},
		Undo: func(ctx context.Context, w Who, id uuid.UUID, back bool) (string, error) {
			do := s.o.Petitions.Withdraw
			if back {
				do = s.o.Petitions.Restore
			}
			slug, err := do(ctx, w.Mailboxes, id)
			return "/petitions/" + slug, err
		},
	}
}

// submissions is the source of forms that somebody filled in and confirmed.
func (s *Service) submissions() Source {
	return Source{Did: func(ctx context.Context, w Who) ([]Item, error) {
		var rows []struct {
			ID          uuid.UUID
			ConfirmedAt time.Time
			Title       *string
			Locale      *string
			Slug        *string
			State       *models.FormState
		}
		err := s.o.DB.WithContext(ctx).Table("submissions s").Select("s.id, s.confirmed_at, f.title, f.locale, f.slug, f.state").Joins("LEFT JOIN forms f ON f.id = s.form_id").
			Where("s.mailbox_id IN ? AND s.state = ? AND s.confirmed_at IS NOT NULL", w.Mailboxes, models.SubmissionConfirmed).
			Order("s.confirmed_at DESC").Limit(200).Scan(&rows).Error
		out := make([]Item, len(rows))
		for i, r := range rows {
			out[i] = Item{ID: r.ID, At: r.ConfirmedAt, Key: "me.did_joined", Note: "me.did_on"}
			if r.Title != nil {
				out[i].Key, out[i].Title, out[i].Lang = "me.did_form", *r.Title, *r.Locale
				if *r.State == models.FormOpen {
					out[i].URL = "/forms/" + *r.Slug
				}
			}
		}
		return out, err
	}}
}

// TakeBack takes one thing that the person did back, or brings it back. It returns the beginning of the addresses whose kept
// pages changed, "" for none. The faults are those of Show, and those of the item's source; NotFound, error.me_item_unknown.
func (s *Service) TakeBack(ctx context.Context, token, kind string, id uuid.UUID, back bool) (drop string, err error) {
	p, err := s.open(ctx, s.o.DB.DB, tokens.Me, token)
	if err != nil {
		return "", err
	}
	src, ok := s.sources[kind]
	if !ok || src.Undo == nil {
		return "", unknownItem()
	}
	return src.Undo(ctx, p.Who, id, back)
}
