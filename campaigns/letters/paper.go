package letters

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/print"
	"kithline/models"
)

// Letters on paper: one for its writer to post, or all of an office for somebody to carry.

// sheetSize is the paper of a country.
func sheetSize(country string) print.Size {
	switch strings.ToUpper(country) {
	case "US", "CA", "MX", "PH", "CL", "CO", "":
		return print.Letter
	}
	return print.A4
}

// Paper writes the PDF of one part of the letter of a link. date words a day. The faults are those of Carry, and Conflict,
// error.letter_went, where it is in nobody's hands.
func (s *Service) Paper(ctx context.Context, token string, dispatch uuid.UUID, date func(lang string, t time.Time) string, to io.Writer) error {
	l, err := s.letterOf(ctx, s.DB.DB, token)
	if err != nil {
		return err
	}
	c, err := s.carry(ctx, s.DB.WithContext(ctx), l, dispatch)
	if err != nil {
		return err
	}
	if c.State != models.DispatchByHand {
		return fault.New(fault.Conflict, "error.letter_went")
	}
	doc := print.NewDocument(sheetSize(c.Office.Country), print.Meta{Title: c.Subject, Lang: l.Locale, At: s.Clock.Now(), Plain: true})
	if err := s.sheet(ctx, s.DB.WithContext(ctx), doc, l, c.To, c.Office, c.Subject, c.Text, date); err != nil {
		return err
	}
	return doc.Write(to)
}

// sheet sets one letter.
func (s *Service) sheet(ctx context.Context, tx *gorm.DB, doc *print.Document, l models.Letter, name string, o models.Office, subject, text string, date func(lang string, t time.Time) string) error {
	w, err := s.writer(ctx, tx, l)
	if err != nil {
		return err
	}
	doc.Letter(print.Sheet{From: w.lines(), To: addressed(name, o), Date: date(l.Locale, s.Clock.Now()), Subject: subject, Body: text})
	return nil
}

// addressed is who sits in an office, and where that is, as it stands on an envelope.
func addressed(name string, o models.Office) []string {
	return append([]string{name}, OfficeLines(o)...)
}

// OfficeLines is where an office is.
func OfficeLines(o models.Office) (out []string) {
	for line := range strings.Lines(o.Street) {
		out = append(out, strings.TrimSpace(line))
	}
	if place := strings.TrimSpace(strings.Trim(o.City+", "+o.Region, ", ") + " " + o.PostalCode); place != "" {
		out = append(out, place)
	}
	return out
}

// onPaper are the dispatches to a legislator in a letter campaign that are to be carried on paper, and were not yet.
const onPaper = "letter_campaign_id = ? AND legislator_id = ? AND state = 'by_hand' AND channel = 'print' AND done_at IS NULL AND mailbox_id IS NOT NULL"

// batchMost is how many letters one file for an office holds.
const batchMost = 500

// Batch writes the PDF of all letters on paper of a letter campaign to one legislator, for somebody who carries them there. It names
// people, so it needs the rights actor.ManageLetters and actor.Export, and is written down. The fault is NotFound, error.letters_none.
func (s *Service) Batch(ctx context.Context, a actor.Actor, campaign, legislator uuid.UUID, date func(lang string, t time.Time) string, to io.Writer) error {
	if err := needPaper(a); err != nil {
		return err
	}
	now := s.Clock.Now()
	var doc *print.Document
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var list []models.Dispatch
		if err := tx.Where(onPaper, campaign, legislator).Order("handed_at, id").Limit(batchMost).Find(&list).Error; err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.New(fault.NotFound, "error.letters_none")
		}
		m, err := legislators.Sitting(ctx, tx, legislator, now)
		if err != nil {
			return err
		}
		name := strings.TrimSpace(m.Title() + " " + m.Name)
		var c models.LetterCampaign
		if err := tx.Where("id = ?", campaign).Take(&c).Error; err != nil {
			return err
		}
		for _, d := range list {
			var l models.Letter
			if err := tx.Where("id = ?", d.LetterID).Take(&l).Error; err != nil {
				return err
			}
			subject, text, err := s.words(d)
			if err != nil {
				return err
			}
			o := officeOf(m, d)
			if doc == nil {
				doc = print.NewDocument(sheetSize(o.Country), print.Meta{Title: name, Lang: c.Locale, At: now, Plain: true})
			}
			if err := s.sheet(ctx, tx, doc, l, name, o, subject, text, date); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "letters.print", "letter_campaigns", campaign, map[string]any{"legislator": legislator, "letters": len(list)})
	})
	if err != nil {
		return err
	}
	return doc.Write(to)
}

// officeOf is the office that a dispatch on paper goes to.
func officeOf(m legislators.Member, d models.Dispatch) models.Office {
	for _, o := range m.Offices {
		if d.OfficeID != nil && o.ID == *d.OfficeID {
			return o
		}
	}
	return postal(m, models.Channel{})
}

func needPaper(a actor.Actor) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	return a.Need(actor.Export)
}

// Carried says that the letters on paper to one legislator were brought there: those that were ready before a moment. It needs the rights
// of Batch. It returns how many they were.
func (s *Service) Carried(ctx context.Context, a actor.Actor, campaign, legislator uuid.UUID, before time.Time) (int, error) {
	if err := needPaper(a); err != nil {
		return 0, err
	}
	now, n := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.Dispatch{}).Where(onPaper, campaign, legislator).Where("handed_at <= ?", before).
			Updates(map[string]any{"done_at": now, "done_how": "carried", "remind_at": nil, "updated_at": now})
		n = int(r.RowsAffected)
		if r.Error != nil || n == 0 {
			return r.Error
		}
		return audit.Write(ctx, tx, a, now, "letters.carried", "letter_campaigns", campaign, map[string]any{"legislator": legislator, "letters": n})
	})
	return n, err
}
