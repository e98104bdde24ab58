package letters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// AdvocacyKinds are what an organisation writes down of its own work, in the order of the form. Letters are counted by themselves.
var AdvocacyKinds = []string{"calls", "meetings", "letters", "other"}

// EntryInput is a line of the advocacy log as it was typed.
type EntryInput struct {
	Kind       string
	Amount     int
	Minutes    int // of all who took part, together
	Note       string
	HappenedOn string    // 2006-01-02
	CampaignID uuid.UUID // the letter campaign that it belongs to; zero for none
}

// AdvocacyLine is a line of the log.
type AdvocacyLine struct {
	models.AdvocacyEntry
	Title     string // of the letter campaign; "" for none
	Automatic bool   // counted from letters: cannot be taken away
}

// AdvocacyLog is the log of a period.
type AdvocacyLog struct {
	From, Until     string // days, both in it
	Lines           []AdvocacyLine
	Sums            map[string]int // amount by kind
	Minutes         int
	LetterCampaigns []models.LetterCampaign // that an entry can belong to
}

// Period reads the days of a period. What cannot be read, and nothing, is the year that today is in.
func Period(from, until string, now time.Time) (string, string) {
	f, e1 := time.Parse(time.DateOnly, from)
	u, e2 := time.Parse(time.DateOnly, until)
	if e1 != nil || e2 != nil || u.Before(f) {
		return now.UTC().Format("2006") + "-01-01", now.UTC().Format("2006") + "-12-31"
	}
	return f.Format(time.DateOnly), u.Format(time.DateOnly)
}

// Advocacy returns the log of a period, the newest day first: what people wrote down, and for each letter campaign and day how many letters
// were handed over. It needs actor.SeeFigures.
func (s *Service) Advocacy(ctx context.Context, a actor.Actor, from, until string) (AdvocacyLog, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return AdvocacyLog{}, err
	}
	l := AdvocacyLog{Sums: map[string]int{}}
	l.From, l.Until = Period(from, until, s.Clock.Now())
	db := s.DB.WithContext(ctx)
	var all []models.LetterCampaign
	if err := db.Where("state IN ?", PublicStates).Order("published_at DESC, id").Find(&all).Error; err != nil {
		return l, err
	}
	l.LetterCampaigns = all
	title := map[uuid.UUID]string{}
	for _, c := range all {
		title[c.ID] = c.Title
	}
	var rows []models.AdvocacyEntry
	if err := db.Where("happened_on >= ? AND happened_on <= ? AND removed_at IS NULL", l.From, l.Until).Order("happened_on DESC, id DESC").Find(&rows).Error; err != nil {
		return l, err
	}
	for _, e := range rows {
		x := AdvocacyLine{AdvocacyEntry: e}
		if e.LetterCampaignID != nil {
			x.Title = title[*e.LetterCampaignID]
		}
		l.Lines = append(l.Lines, x)
	}
	counted, err := s.handedByDay(ctx, l.From, l.Until, title)
	if err != nil {
		return l, err
	}
	l.Lines = append(l.Lines, counted...)
	slices.SortStableFunc(l.Lines, func(x, y AdvocacyLine) int { return strings.Compare(y.HappenedOn, x.HappenedOn) })
	for _, x := range l.Lines {
		l.Sums[x.Kind] += x.Amount
		l.Minutes += x.Minutes
	}
	return l, nil
}

// handedByDay counts the letters of each campaign that reached their office's door, or whose writers said that they sent them: the day is
// that of UTC.
func (s *Service) handedByDay(ctx context.Context, from, until string, title map[uuid.UUID]string) ([]AdvocacyLine, error) {
	first, _ := time.Parse(time.DateOnly, from)
	last, _ := time.Parse(time.DateOnly, until)
	rows, err := s.DB.WithContext(ctx).Raw(`SELECT letter_campaign_id, channel, done_at, handed_at FROM dispatches
		WHERE COALESCE(done_at, handed_at) >= ? AND COALESCE(done_at, handed_at) < ? AND (state IN ('handed', 'presumed_delivered', 'answered', 'closed') OR state = 'by_hand' AND done_at IS NOT NULL)`,
		first, last.AddDate(0, 0, 1)).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	type key struct {
		campaign  uuid.UUID
		day, kind string
	}
	counts := map[key]int{}
	for rows.Next() {
		var d struct {
			LetterCampaignID uuid.UUID
			Channel          models.DispatchChannel
			DoneAt, HandedAt *time.Time
		}
		if err := s.DB.ScanRows(rows, &d); err != nil {
			return nil, err
		}
		at := d.DoneAt
		if at == nil {
			at = d.HandedAt
		}
		k := key{d.LetterCampaignID, at.UTC().Format(time.DateOnly), "letters"}
		if d.Channel == models.ByCall {
			k.kind = "calls"
		}
		counts[k]++
	}
	var out []AdvocacyLine
	for k, n := range counts {
		e := models.AdvocacyEntry{LetterCampaignID: &k.campaign, Kind: k.kind, Amount: n, HappenedOn: k.day}
		out = append(out, AdvocacyLine{AdvocacyEntry: e, Title: title[k.campaign], Automatic: true})
	}
	slices.SortFunc(out, func(x, y AdvocacyLine) int {
		if c := strings.Compare(x.HappenedOn, y.HappenedOn); c != 0 {
			return c
		}
		return strings.Compare(x.Title+x.Kind, y.Title+y.Kind)
	})
	return out, rows.Err()
}

// LogEntry writes a line into the advocacy log. It needs actor.ManageLetters. The faults are Invalid with the fields kind, amount, minutes,
// happened_on, note and campaign.
func (s *Service) LogEntry(ctx context.Context, a actor.Actor, in EntryInput) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	in.Note = strings.TrimSpace(in.Note)
	now := s.Clock.Now()
	var bad fault.Fields
	if !slices.Contains(AdvocacyKinds, in.Kind) {
		bad.Add("kind", "error.letters_kind_missing")
	}
	planNumber(&bad, "amount", in.Amount, 1, 100_000)
	planNumber(&bad, "minutes", in.Minutes, 0, 1_000_000)
	at, err := time.Parse(time.DateOnly, in.HappenedOn)
	switch {
	case err != nil:
		bad.Add("happened_on", "error.letters_day")
	case at.After(now.Add(24 * time.Hour)):
		bad.Add("happened_on", "error.letters_day_ahead")
	}
	planLine(&bad, "note", in.Note, SummaryMax)
	if err := bad.Err(); err != nil {
		return err
	}
	e := models.AdvocacyEntry{ID: models.NewID(), Kind: in.Kind, Amount: in.Amount, Minutes: in.Minutes, Note: in.Note, HappenedOn: in.HappenedOn, CreatedBy: a.Account(), CreatedAt: now}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if in.CampaignID != uuid.Nil {
			c, err := load(ctx, tx, in.CampaignID)
			if err != nil {
				return err
			}
			e.LetterCampaignID, e.CampaignID = &c.ID, &c.CampaignID
		}
		if err := tx.Create(&e).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "advocacy.write", "advocacy_entries", e.ID, nil)
	})
}

// StrikeEntry takes a line out of the log: the row stays, and counts no more. It needs actor.ManageLetters. The fault is NotFound,
// error.letters_entry_unknown.
func (s *Service) StrikeEntry(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.AdvocacyEntry{}).Where("id = ? AND removed_at IS NULL", id).Update("removed_at", now)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.letters_entry_unknown")
		}
		return audit.Write(ctx, tx, a, now, "advocacy.strike", "advocacy_entries", id, nil)
	})
}
