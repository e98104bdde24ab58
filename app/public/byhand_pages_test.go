package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/models"
)

// Every state of a letter and of its parts has words in every language.
func TestPagesOfOwnLetters(t *testing.T) {
	now := webtest.Time
	part := func(state models.DispatchState, by models.DispatchChannel) letters.Part {
		return letters.Part{ID: uuid.New(), To: "Senator Ada <Quill>", State: state, Channel: by, At: now}
	}
	var parts []letters.Part
	add := func(p letters.Part) { parts = append(parts, p) }
	add(part(models.DispatchWaiting, ""))
	for _, mail := range []models.DeliveryState{models.DeliveryQueued, models.DeliverySent, models.DeliveryUnknown} {
		p := part(models.DispatchHanded, models.ByEmail)
		p.Mail, p.MayWithdraw = mail, mail == models.DeliveryQueued
		add(p)
	}
	arrived := part(models.DispatchPresumed, models.ByEmail)
	arrived.AsksAnswered = true
	add(arrived)
	for _, by := range []models.DispatchChannel{models.ByWebForm, models.ByPrint, models.ByCall} {
		open, done := part(models.DispatchByHand, by), part(models.DispatchByHand, by)
		open.Remind, done.Done = &now, &now
		if by == models.ByPrint {
			done.How = "carried"
		}
		add(open)
		add(done)
	}
	for _, answer := range letters.Answers {
		p := part(models.DispatchAnswered, models.ByEmail)
		p.Answer = answer
		add(p)
	}
	for _, reason := range []string{letters.ClosedWithdrawn, letters.ClosedDeclined, letters.ClosedNobody, letters.ClosedTime, letters.ClosedChanged} {
		p := part(models.DispatchClosed, "")
		p.Reason = reason
		add(p)
	}
	add(part(models.DispatchFailed, ""))
	retarget := part(models.DispatchRetarget, "")
	retarget.MayWithdraw = true
	add(retarget)
	mine := letters.Mine{ID: uuid.New(), Title: "Twenty <visits>", Lang: "en", Locale: "es", Slug: "twenty-visits", State: models.LetterReleased, Confirmed: &now, Parts: parts}
	kept, over := mine, mine
	kept.Keeps, kept.Replies = true, []letters.Kept{{At: now, Text: "Dear June,\n<yes>."}}
	over.Closed, over.Gone, over.Parts, over.Confirmed = &now, &now, nil, nil
	office := models.Office{Street: "1 Capitol Way", City: "Three Forks", Region: "WK", PostalCode: "00201", Hours: "9 to 5"}
	all := func(m letters.Mine, fill func(p *partPage)) {
		t.Helper()
		webtest.All(t, "public/byhand/", func(_ *web.Web, p web.Page) map[string]any {
			part := &partPage{Page: p, Token: "abc", Form: partForm{DaysTyped: "3"}, Carry: letters.Carry{Letter: m}}
			part.Title = "Your letter"
			fill(part)
			return map[string]any{"public/byhand/letter": &ownLetterPage{Page: p, Token: "abc", Mine: m}, "public/byhand/part": part}
		})
	}
	all(kept, func(p *partPage) { p.Carry.Part = parts[0] })
	all(over, func(p *partPage) { p.Carry.Part = parts[0] })
	for i, x := range parts {
		c := letters.Carry{
			Part: x, Letter: mine, Subject: "Please <support> HB 412", Text: "Dear Senator Quill,\n\nI am <June>.", URL: "https://senate.example.org/write?a=1&b=2", Phone: "555-0100", Hours: "9 to 5",
			Office: office, Fields: []letters.Filled{{Key: "dispatch.field_given", Value: "June"}, {Key: "dispatch.field_phone", Value: "555"}, {Key: "dispatch.field_subject", Value: "x"}}, Other: i%2 == 0,
		}
		all(mine, func(p *partPage) { p.Carry = c })
		all(mine, func(p *partPage) {
			p.Carry = c
			switch {
			case x.State == models.DispatchByHand && x.Done == nil:
				p.Errors = []web.FieldError{{Name: "days", Text: "Wrong."}}
				if x.Channel == models.ByCall {
					p.Errors = append(p.Errors, web.FieldError{Name: "how", Text: "Wrong."})
				}
			case x.AsksAnswered:
				p.Errors = []web.FieldError{{Name: "answer", Text: "Wrong."}}
			case x.State == models.DispatchRetarget:
				p.Carry.Successor = &legislators.Member{Legislator: models.Legislator{Name: "Bo <Marsh>"}, Chamber: models.Chamber{MemberTitle: "Senator"}}
				p.Carry.NewText = "Dear Senator Marsh,"
			}
		})
	}
}
