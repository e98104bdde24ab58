package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/forms"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// joiner is somebody who joins by /join or by the form.
type joiner struct {
	Day       int               `json:"day"`
	Form      bool              `json:"form"`
	Waits     bool              `json:"waits"` // has not confirmed yet
	Given     string            `json:"given"`
	Family    string            `json:"family"`
	Postal    string            `json:"postal"`
	Locale    string            `json:"locale"`
	Agree     []string          `json:"agree"` // a purpose, and behind a slash the number of a topic
	Frequency string            `json:"frequency"`
	Source    string            `json:"source"`
	Answers   map[string]string `json:"answers"` // by the name of a question or custom field

	email string // "" = from the name
}

func (j joiner) address() string {
	if j.email != "" {
		return j.email
	}
	return plain(j.Given) + "." + plain(j.Family) + "@example.org"
}

// newsletter is how a joiner says which topics they want.
const newsletter = "newsletter/"

// planJoining notes who joins, and the form that some of them use.
func (b *builder) planJoining() {
	f := b.w.joining.Form
	b.note(b.day(f.Day, 11, 0), "making a form", b.makeForm)
	for i, j := range b.w.joining.People {
		at := b.day(j.Day, 12, 7+13*(i%4))
		if j.Waits {
			at = b.now.Add(-5 * time.Hour)
		}
		b.note(at, "joining", func(ctx context.Context) error { return b.join(ctx, j) })
	}
	// Somebody who signed joins with another address of theirs: two records of one person.
	b.note(b.day(31, 12, 50), "joining once more", func(ctx context.Context) error {
		name, domain, _ := strings.Cut(b.twice.email, "@")
		return b.join(ctx, joiner{Given: b.twice.given, Family: b.twice.family, Postal: b.twice.postal, Agree: []string{newsletter + "0"}, email: name + "+news@" + domain})
	})
}

// makeForm makes the form that asks who can lend a hand, and opens it.
func (b *builder) makeForm(ctx context.Context) error {
	in := b.w.joining.Form
	who := b.actors[in.Author]
	f, err := b.Forms.Create(ctx, who, in.Title, "en")
	if err != nil {
		return err
	}
	d := forms.Draft{Title: in.Title, Intro: in.Intro, Thanks: in.Thanks, Locale: "en", Tags: in.Tags}
	for _, q := range in.Questions {
		key, required := strings.CutSuffix(q, "!")
		d.Questions = append(d.Questions, forms.Question{Key: b.question(key), Required: required})
	}
	for _, ask := range in.Asks {
		a := consents.Ask{Purpose: models.Purpose(ask)}
		if a.Purpose == models.PurposeShare {
			a.ScopeID = b.partner
		}
		d.Asks = append(d.Asks, a)
	}
	if f, err = b.Forms.Save(ctx, who, f.ID, forms.SaveInput{Draft: d, Revision: f.Revision}); err != nil {
		return err
	}
	b.form, err = b.Forms.SetState(ctx, who, f.ID, models.FormOpen)
	return err
}

// question is the key of a question: a part of the record, or a custom field.
func (b *builder) question(name string) string {
	if id, ok := b.fields[name]; ok {
		return forms.FieldKey(id)
	}
	return name
}

// join fills in a form and, some minutes later, presses the button on the page that the mail leads to.
func (b *builder) join(ctx context.Context, j joiner) error {
	in := forms.SubmitInput{Email: j.address(), Locale: j.Locale, Source: j.Source, Answers: map[string]string{
		forms.GivenName: j.Given, forms.FamilyName: j.Family, forms.PostalCode: j.Postal, forms.HowOften: j.Frequency,
	}}
	if in.Locale == "" {
		in.Locale = "en"
	}
	in.Lang = in.Locale
	var v forms.View
	var err error
	if j.Form {
		in.Slug = b.form.Slug
		v, err = b.Forms.Public(ctx, in.Slug, in.Lang)
	} else {
		v, err = b.Forms.Joining(ctx, in.Lang)
	}
	if err != nil {
		return err
	}
	for name, answer := range j.Answers {
		in.Answers[b.question(name)] = answer
	}
	for _, want := range j.Agree {
		i := slices.IndexFunc(v.Boxes, func(box consents.Box) bool { return b.asked(want, box.Ask) })
		if i < 0 {
			return fmt.Errorf("the form does not ask for %s", want)
		}
		in.Boxes = append(in.Boxes, v.Boxes[i].Value)
	}
	id, districts, err := b.Forms.Submit(ctx, in)
	if fault.Is(err, fault.Invalid) && len(districts) > 0 {
		in.Answers[forms.District] = districts[0].Divisions[0].ID.String() // the page asks again
		id, _, err = b.Forms.Submit(ctx, in)
	}
	if err != nil {
		return err
	}
	if j.Waits {
		return b.deliver(ctx)
	}
	b.forward(b.clk.Now().Add(time.Duration(90+b.rnd.IntN(240)) * time.Second))
	var sub models.Submission
	if err := b.DB.WithContext(ctx).Select("mailbox_id").Where("id = ?", id).Take(&sub).Error; err != nil {
		return err
	}
	_, err = b.Waiting.Confirm(ctx, b.Signer.Make(tokens.Confirm, sub.MailboxID, b.clk.Now().Add(7*24*time.Hour)), []uuid.UUID{id})
	return err
}

// asked reports whether a box asks for what somebody agrees to.
func (b *builder) asked(want string, a consents.Ask) bool {
	for i, id := range b.topics {
		if want == newsletter+fmt.Sprint(i) {
			return a == consents.Ask{Purpose: models.PurposeNewsletter, ScopeID: id}
		}
	}
	return string(a.Purpose) == want
}
