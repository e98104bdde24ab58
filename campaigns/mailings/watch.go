package mailings

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
)

// watchEvery is how often those who watch get new numbers, at most.
const watchEvery = time.Second

// Watch tells how far a mailing is as it goes on: at once, then whenever a number changed, at most once a second. However many
// watch, the deliveries are counted once in CountEvery. news is closed when nothing moves by itself any more; end stops it. It needs
// the right actor.SeeFigures, and returns a NotFound fault for an unknown id.
func (s *Service) Watch(ctx context.Context, a actor.Actor, id uuid.UUID) (news <-chan Progress, end func(), err error) {
	p, err := s.Progress(ctx, a, id)
	if err != nil {
		return nil, nil, err
	}
	ctx, end = context.WithCancel(context.WithoutCancel(ctx))
	out := make(chan Progress, 1)
	out <- p
	if !p.Active() {
		close(out)
		return out, end, nil
	}
	go func() {
		defer close(out)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		last := p
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			m, err := find(ctx, s.DB.DB, id)
			if err != nil {
				continue // the next time, or the reader goes
			}
			now, err := s.count(ctx, m)
			if err != nil {
				continue
			}
			if now.same(last) {
				continue
			}
			last = now
			select { // who is slow gets the newest
			case <-out:
			default:
			}
			out <- now
			if !now.Active() {
				return
			}
		}
	}()
	return out, end, nil
}

// same reports whether nothing that is shown differs.
func (p Progress) same(q Progress) bool {
	return p.State == q.State && p.Total == q.Total && p.Sent == q.Sent && p.Waiting == q.Waiting && p.Later == q.Later && p.Refused == q.Refused &&
		p.Left == q.Left && p.Paused == q.Paused && p.Expired == q.Expired && p.Unknown == q.Unknown && p.Open == q.Open
}
