package demo

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
)

const (
	days     = 42 // that the petition has been open
	newest   = 30 // signers who come one by one at the end; before that people come in groups
	mailed   = 16 // of the newest whose confirmation mail is made before they confirm
	waitDays = 6  // since when those who have not confirmed wait: after seven their signature is gone
	waitRead = 2  // days since when the comments that nobody has decided about wait

	readHour, readMinute = 10, 30 // when somebody sits down to read comments, every day
)

// hours at which people come in groups, with their share of the day: enough of them that the days look alive, few enough
// that a group shares its commits.
var hours = []struct {
	hour  int
	share float64
}{{8, 31}, {13, 35}, {19, 34}}

// group is who signs at the same moment.
type group struct {
	at     time.Time
	people []*person
	mailed bool
}

// groups puts people into the weeks. The last ones come one by one.
func (b *builder) groups() []group {
	crowd := b.w.crowd(b.rnd, b.w.Signatures+b.w.Pending)
	confirmed, pending := crowd[:b.w.Signatures], crowd[b.w.Signatures:]

	mailing := days
	for _, m := range b.w.story.Mailings {
		if m.Send {
			mailing = m.Day
		}
	}
	alone := min(newest, b.w.Signatures/4)
	last := b.now.Add(-time.Duration(alone+1) * 9 * time.Minute) // the newest come after this
	var moments []time.Time
	var weight []float64
	for d, v := range weights(b.rnd, days+1, mailing, b.start.Weekday()) {
		for _, h := range hours {
			at := b.day(d, h.hour, b.rnd.IntN(110))
			if at.After(b.day(0, 9, 5)) && at.Before(last.Add(-time.Hour)) {
				moments, weight = append(moments, at), append(weight, v*h.share)
			}
		}
	}
	var out []group
	rest := confirmed
	for i, n := range share(len(confirmed)-alone, weight) {
		if n > 0 {
			out, rest = append(out, group{at: moments[i], people: slices.Clone(rest[:n])}), rest[n:]
		}
	}
	b.comments(out)
	for _, p := range out[0].people {
		if p.display == models.DisplayAnonymous && p.comment == nil && p.locale == "en" {
			b.twice = p
		}
	}
	if b.twice == nil {
		b.twice = out[0].people[0]
	}
	// Those who have not confirmed yet came in the last days, among the others.
	late := from(out, b.now.AddDate(0, 0, -waitDays))
	for i, p := range pending {
		p.pending = true
		g := &out[late+i%(len(out)-late)]
		g.people = append(g.people, p)
	}
	for i, p := range rest {
		at := last.Add(time.Duration(i)*9*time.Minute + time.Duration(b.rnd.IntN(360))*time.Second)
		out = append(out, group{at: at, people: []*person{p}, mailed: i >= len(rest)-mailed})
	}
	return out
}

// comments gives people their own words: those that are read to signers of all weeks until the last time that somebody sat
// down to read, those that wait to signers of the last days.
func (b *builder) comments(gs []group) {
	var read, wait []*comment
	for i := range b.w.comments {
		if c := &b.w.comments[i]; c.State == "waiting" {
			wait = append(wait, c)
		} else {
			read = append(read, c)
		}
	}
	b.rnd.Shuffle(len(read), func(i, j int) { read[i], read[j] = read[j], read[i] })
	spread := func(cs []*comment, first, end int) {
		for i, c := range cs {
			at := first + (end-first)*i/len(cs)
			p := silent(gs[at])
			for ; p == nil; p = silent(gs[at]) { // at the worst some hours earlier
				at = (at + len(gs) - 1) % len(gs)
			}
			p.comment, p.locale = c, c.Locale
		}
	}
	spread(read, 0, from(gs, b.lastRead().Add(-time.Hour)))
	spread(wait, from(gs, b.now.AddDate(0, 0, -waitRead)), len(gs))
}

// from is the first of gs that came after a moment; the last one where nobody did.
func from(gs []group, at time.Time) int {
	for i, g := range gs {
		if g.at.After(at) {
			return i
		}
	}
	return len(gs) - 1
}

// silent is the first of a group who has said nothing yet.
func silent(g group) *person {
	for _, p := range g.people {
		if p.comment == nil {
			return p
		}
	}
	return nil
}

// lastRead is the last time that somebody read comments, as plan has it.
func (b *builder) lastRead() time.Time {
	if at := b.day(days, readHour, readMinute); !at.After(b.now) {
		return at
	}
	return b.day(days-1, readHour, readMinute)
}

// judgement is what becomes of a comment once somebody reads it.
type judgement struct {
	signature uuid.UUID
	show      bool
}

// sign lets a group sign and, some minutes later, confirm.
func (b *builder) sign(ctx context.Context, g group) error {
	ids := make([]uuid.UUID, len(g.people))
	err := together(len(g.people), func(i int) error {
		p := g.people[i]
		in := petitions.SignInput{
			Slug: b.petition.Slug, GivenName: p.given, FamilyName: p.family, Email: p.email, PostalCode: p.postal, Display: string(p.display),
			Updates: p.updates, Locale: p.locale, Source: p.source, ConsentText: b.w.story.ConsentWords[p.locale],
		}
		if p.comment != nil {
			in.Comment = p.comment.Text
		}
		r, err := b.Petitions.Sign(ctx, in)
		ids[i] = r.ID
		return err
	})
	if err != nil {
		return err
	}
	var rows []models.Signature
	if err := b.DB.WithContext(ctx).Select("id", "mailbox_id").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return err
	}
	boxes := make(map[uuid.UUID]uuid.UUID, len(rows))
	for _, r := range rows {
		boxes[r.ID] = r.MailboxID
	}
	if g.mailed {
		if err := b.deliver(ctx); err != nil {
			return err
		}
	}
	b.forward(b.clk.Now().Add(time.Duration(90+b.rnd.IntN(240)) * time.Second))
	var links []string
	waiting := false
	for i, p := range g.people {
		if p.pending {
			waiting = true
			continue
		}
		links = append(links, b.Signer.Make(tokens.Confirm, boxes[ids[i]], b.clk.Now().Add(7*24*time.Hour)))
		if p.comment != nil && p.comment.State != "waiting" {
			b.judge = append(b.judge, judgement{ids[i], p.comment.State == "shown"})
		}
	}
	err = together(len(links), func(i int) error {
		_, err := b.Petitions.Confirm(ctx, links[i], nil)
		return err
	})
	if err != nil {
		return err
	}
	if b.done += len(links); b.progress != nil {
		b.progress(b.done, b.w.Signatures)
	}
	if waiting {
		return b.deliver(ctx)
	}
	return nil
}

// read judges the comments that came since the last time.
func (b *builder) read(ctx context.Context, who string) error {
	for _, j := range b.judge {
		if err := b.Petitions.JudgeComment(ctx, b.actors[who], b.petition.ID, j.signature, j.show); err != nil {
			return err
		}
	}
	b.judge = nil
	return nil
}
