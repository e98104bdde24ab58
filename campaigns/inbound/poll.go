package inbound

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"kithline/mailer"
	"kithline/models"
)

// pollFor is how long one look into the mailbox may take: less than a job has. What is left is read the next time.
const pollFor = 35 * time.Second

// answerFor is how long the server may take for one answer: with pollFor it is less than a job has.
const answerFor = 10 * time.Second

// Poll reads what came into the mailbox since the last time. It runs by itself every minute, on one node; run twice at once, it reads
// mails twice, which does nothing. What cannot be read for a while shows on the owner's first page.
func (s *Service) Poll(ctx context.Context) error {
	in, err := s.mailbox(ctx)
	if err != nil || in.Host == "" {
		return err
	}
	var m models.InboundSource
	err = s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		m, err = s.ensure(ctx, tx, models.SourceIMAP)
		return err
	})
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	from := mailer.FolderPlace{Validity: uint32(m.Validity), Last: uint32(m.LastUID)}
	if m.Reading != in.reading() {
		from = mailer.FolderPlace{}
	}
	counts := map[Result]int{}
	take := func(raw []byte) (bool, error) {
		back := mailer.ReadReturned(raw)
		got, err := s.take(ctx, models.SourceIMAP, back, raw)
		counts[got]++
		// What people write stays as it is, for whoever reads this mailbox, but for what was passed on.
		return err == nil && (got == Passed || got != Unmatched && back.Class != mailer.Reply && back.Class != mailer.Unclear), err
	}
	told := func(p mailer.FolderPlace) error {
		return s.save(ctx, m, map[string]any{"reading": in.reading(), "validity": int64(p.Validity), "last_uid": int64(p.Last)})
	}
	err = mailer.ReadFolder(limit, in.config(), from, take, told)
	var failed *mailer.Failure
	switch {
	case errors.As(err, &failed):
		s.Log.Warn("the mailbox for mail that comes back cannot be read", "kind", failed.Kind, "reply", failed.Reply)
		set := map[string]any{"failure": failed.Kind}
		if m.FailedAt == nil {
			set["failed_at"] = s.Clock.Now()
		}
		return s.save(ctx, m, set)
	case err != nil:
		return err
	}
	if n := counts[Done] + counts[Held]; n > 0 {
		s.Log.Info("mail that came back was read", "reports", n, "held", counts[Held], "others", counts[Unmatched]+counts[Twice])
	}
	return s.save(ctx, m, map[string]any{"failure": "", "failed_at": nil, "checked_at": s.Clock.Now()})
}

func (s *Service) save(ctx context.Context, m models.InboundSource, set map[string]any) error {
	return s.DB.WithContext(ctx).Model(&models.InboundSource{}).Where("id = ?", m.ID).Updates(set).Error
}
