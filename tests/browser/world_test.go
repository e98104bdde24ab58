package browser

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/imports"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/campaigns/series"
	"kithline/campaigns/supporters"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// world is the site under test: the whole program, with something in every corner of it.
type world struct {
	*testapp.App
	t     testing.TB
	owner actor.Actor

	slug, closed string    // of the petition that is open, and of one that is closed
	pressed      string    // of one whose form asks for a proof of work
	trouble      uuid.UUID // the same one
}

// empty starts the program with an organisation and an owner, and nothing else. Its clock shows the real time: a browser
// does not keep a cookie that has ended by its own clock.
func empty(t *testing.T, env ...string) *world {
	t.Helper()
	need(t)
	w := &world{App: testapp.New(t, databaseURL(t), env...), t: t}
	w.Clock.Set(time.Now())
	w.SetUp()
	w.must(w.Deliverability.SetLimits(t.Context(), actor.TheSystem(), models.Limits{})) // no quiet hours: it may be night
	accounts, err := w.Users.List(t.Context(), actor.TheSystem())
	w.must(err)
	w.owner = actor.Actor{Kind: actor.User, UserID: accounts[0].ID, Role: actor.Owner}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func must[T any](w *world) func(v T, err error) T {
	return func(v T, err error) T {
		w.t.Helper()
		w.must(err)
		return v
	}
}

var draft = petitions.Draft{
	Title: "Twenty visits: let people in pain get the care their doctor ordered", Summary: "We ask the House Health Committee to pass HB 412. You can sign without showing your name.",
	Body:    "1. Cover **20 visits a year** of physical therapy.\n2. Answer exceptions **within 72 hours**.\n\nPlease bring [HB 412](https://example.org/hb412) to a vote.",
	Decider: "The Chair of the House Health Committee", WhyNow: "The hearing is on 16 March.", SystemChange: "Insurers stop at eight visits. The law sets no lower limit.",
	Place: "Wennick", Goal: 5000, Locale: "en",
}

// petition makes a petition of what d says and brings it as far as state.
func (w *world) petition(d petitions.Draft, state models.PetitionState) models.Petition {
	w.t.Helper()
	ctx, step := context.Background(), must[models.Petition](w)
	p := step(w.Petitions.Create(ctx, w.owner, petitions.CreateInput{Draft: d}))
	if state == models.PetitionDraft {
		return p
	}
	p = step(w.Petitions.Submit(ctx, w.owner, p.ID, p.Revision))
	switch state {
	case models.PetitionSubmitted:
	case models.PetitionReturned:
		p = step(w.Petitions.Return(ctx, w.owner, p.ID, petitions.ReturnInput{Reason: petitions.Reasons[0], Text: "Please say who decides.", Revision: p.Revision}))
	default:
		p = step(w.Petitions.Publish(ctx, w.owner, p.ID, p.Revision))
		if state == models.PetitionClosed {
			p = step(w.Petitions.Steer(ctx, w.owner, p.ID, petitions.Close))
		}
	}
	return p
}

// signer is somebody who signs.
type signer struct {
	given, family, email, comment, display string
	updates                                bool
}

// sign signs and confirms by the mailed link, and returns the link.
func (w *world) sign(slug string, s signer) string {
	w.t.Helper()
	ctx := context.Background()
	before := len(w.mailsTo(s.email))
	_, err := w.Petitions.Sign(ctx, petitions.SignInput{
		Slug: slug, GivenName: s.given, FamilyName: s.family, Email: s.email, PostalCode: "10203", Comment: s.comment, Display: s.display,
		Updates: s.updates, Locale: "en", ConsentText: "Write to me about this petition",
	})
	w.must(err)
	mail := w.WaitMail(w.t, s.email, before+1)[before]
	for n := before + 2; !strings.Contains(mail.Text, "/confirm/"); n++ { // the receipt of an earlier one
		mail = w.WaitMail(w.t, s.email, n)[n-1]
	}
	link := testapp.Link(w.t, mail, "/confirm/")
	_, err = w.Petitions.Confirm(ctx, path.Base(link), nil)
	w.must(err)
	return link
}

func (w *world) mailsTo(email string) (n []string) {
	for _, m := range w.Mail.Messages() {
		if m.To == email {
			n = append(n, m.MessageID)
		}
	}
	return n
}

// full starts the program with petitions in every state, signers, comments, an update, mailings and an import.
func full(t *testing.T) *world {
	t.Helper()
	w := empty(t, tight...)
	ctx := context.Background()
	open := w.petition(draft, models.PetitionPublished)
	w.slug = open.Slug
	for _, state := range []models.PetitionState{models.PetitionDraft, models.PetitionSubmitted, models.PetitionReturned, models.PetitionClosed} {
		d := draft
		d.Title = "Benches at bus stops: " + string(state)
		w.closed = w.petition(d, state).Slug // the last one is
	}
	for i, s := range []signer{
		{"June", "Okafor", "june@example.org", "After visit six I did the exercises from a sheet of paper. It was not the same.", "name", true},
		{"Cal", "Whitcomb", "cal@example.org", "I drive my wife 40 minutes each way.", "initials", true},
		{"Ana", "Ruiz", "ana@example.org", "Some days I want to end my life.", "anonymous", false},
		{"Wolfeschlegelsteinhausenbergerdorff", "Wolfeschlegelsteinhausenbergerdorff", "wolfe@example.org", "", "name", true},
	} {
		w.Clock.Add(time.Duration(i) * time.Minute)
		w.sign(w.slug, s)
	}
	queue, _, err := w.Petitions.CommentQueue(ctx, w.owner, open.ID)
	w.must(err)
	if len(queue) != 3 {
		t.Fatalf("%d comments wait, not 3", len(queue))
	}
	w.must(w.Petitions.JudgeComment(ctx, w.owner, open.ID, queue[len(queue)-1].ID, true))
	_, err = w.Posts.PostUpdate(ctx, w.owner, open.ID, posts.UpdateInput{Title: "The hearing has a date", Body: "The Committee hears HB 412 **on 16 March**."})
	w.must(err)
	w.mailing(open.ID, "The hearing has a date", "Hello {{given_name}},\n\nthe Committee hears HB 412 on 16 March.", true)
	w.mailing(open.ID, "Thank you", "Hello,\n\nthank you.", false)
	w.written(open)
	public := w.written(open)
	w.must(w.Mailings.Send(ctx, w.owner, public, must[models.Mailing](w)(w.Mailings.Get(ctx, w.owner, public)).Revision))
	_, err = w.Users.Invite(ctx, w.owner, "maren@example.org", actor.Advocate, uuid.Nil)
	w.must(err)
	_, err = w.Users.Add(ctx, w.owner, users.NewUser{Name: "Maren Oyelaran", Email: "maren.o@example.org", Role: actor.Advocate, Locale: "en"})
	w.must(err)
	_, err = w.Imports.Run(ctx, w.owner, strings.NewReader("Given name,Family name,E-mail\nIda,Berg,ida@example.org\nNoel,Berg,not an address\n"), imports.RunOptions{Locale: "en"}, nil)
	w.must(err)
	w.records()
	w.doubtful()
	w.series(open.ID)
	w.returned()
	return w
}

// series makes one that is a draft, and one with every kind of step that is live and that people came to.
func (w *world) series(petition uuid.UUID) {
	w.t.Helper()
	ctx := context.Background()
	must[uuid.UUID](w)(w.Series.Create(ctx, w.owner, "Welcome to all of you", mailings.To{Newsletter: true}, series.Welcome))
	id := must[uuid.UUID](w)(w.Series.Create(ctx, w.owner, "After signing", mailings.To{PetitionID: petition}, series.Welcome))
	for _, in := range []series.StepInput{
		{Kind: models.StepTag, Tag: "thanked"}, {Kind: models.StepWait, Amount: 2, Unit: "hours", Weekday: 2, Hour: "09:30"},
	} {
		must[uuid.UUID](w)(w.Series.AddStep(ctx, w.owner, id, in))
	}
	must[int](w)(w.Series.Save(ctx, w.owner, id, series.Settings{
		Revision: 1, Name: "After signing", To: mailings.To{PetitionID: petition}, Trigger: models.TriggerSigned, TriggerID: petition, Lookback: 300, Again: 30,
		QuietFrom: "20:00", QuietUntil: "09:00", Goals: []series.Goal{{Kind: models.ExitActed}},
	}))
	w.must(w.Series.Start(ctx, w.owner, id, 2))
	w.must(w.Series.Work(ctx))
	must[uuid.UUID](w)(w.Series.AddStep(ctx, w.owner, id, series.StepInput{Kind: models.StepMail}))
}

// tight are limits that a few signatures from one device pass.
var tight = []string{"KITHLINE_SIGNING_PER_MINUTE=3", "KITHLINE_SIGNING_PROOF_FROM=8"}

// crowd signs a petition from one device so often that its form asks for a proof of work from now on.
func (w *world) crowd(slug, name string) {
	w.t.Helper()
	for i := range 10 {
		_, err := w.Petitions.Sign(context.Background(), petitions.SignInput{
			Slug: slug, GivenName: "June", FamilyName: "Okafor", Email: fmt.Sprintf("%s%d@wave.example", name, i), PostalCode: "10203", Display: "initials", Locale: "en", ClientIP: "192.0.2.1",
		})
		w.must(err)
	}
	w.Clock.Add(5 * time.Second) // pages are kept for a moment
}

// doubtful makes a petition with signatures that may not be what they seem, and all that is done about them.
func (w *world) doubtful() {
	w.t.Helper()
	ctx := context.Background()
	for _, r := range []abuse.RuleInput{
		{Effect: abuse.EffectBlock, Subject: abuse.SubjectDomain, Value: "wave.example", Note: "The wave of the ninth: 40 signatures in two minutes."},
		{Effect: abuse.EffectFlag, Subject: abuse.SubjectRange, Value: "198.51.100.0/24", Note: "A network that is hired by the hour"},
		{Effect: abuse.EffectAllow, Subject: abuse.SubjectAddress, Value: "clinic@wave.example", Note: "The clinic called us"},
	} {
		rule := must[models.AbuseRule](w)(w.Abuse.AddRule(ctx, w.owner, r))
		if r.Effect == abuse.EffectBlock {
			w.must(w.Abuse.EndRule(ctx, w.owner, rule.ID))
		}
	}
	d := draft
	d.Title = "Benches at bus stops: a crowd"
	p := w.petition(d, models.PetitionPublished)
	w.pressed, w.trouble = p.Slug, p.ID
	w.sign(p.Slug, signer{given: "June", family: "Okafor", email: "june@mailinator.com", display: "name"})
	w.crowd(p.Slug, "early")
	w.Clock.Add(7 * time.Hour)
	_, err := w.Abuse.OpenWindow(ctx, w.owner, abuse.WindowInput{PetitionID: p.ID, Note: "Stand at the Harrow Bay market", From: w.Clock.Now().Add(time.Hour), Until: w.Clock.Now().Add(5 * time.Hour)})
	w.must(err)
	w.crowd(p.Slug, "late")
	_, err = w.Petitions.Invalidate(ctx, w.owner, p.ID, petitions.Condition{Domain: "mailinator.com"}, "Addresses that live for minutes")
	w.must(err)
	w.must(w.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Update("breaker_at", w.Clock.Now()).Error)
}

// records completes the record of everybody: whichever page is looked at is a full one.
func (w *world) records() {
	w.t.Helper()
	ctx := context.Background()
	for _, in := range []supporters.FieldInput{
		{Label: "Preferred name", Kind: models.FieldText, SeenBy: actor.Coordinator},
		{Label: "Born", Kind: models.FieldDate, SeenBy: actor.Organizer},
		{Label: "Shirt size", Kind: models.FieldChoice, Choices: "small\nlarge", SeenBy: actor.Organizer},
		{Label: "Hours a month", Kind: models.FieldNumber, SeenBy: actor.Organizer},
		{Label: "Can drive", Kind: models.FieldYesNo, SeenBy: actor.Organizer},
		{Label: "Access needs", Kind: models.FieldText, Private: true, SeenBy: actor.Organizer},
	} {
		_, err := w.Supporters.AddField(ctx, w.owner, in)
		w.must(err)
	}
	list := must[paging.Page[supporters.Row]](w)(w.Supporters.List(ctx, w.owner, supporters.Filter{}, paging.Cursor{}))
	for _, row := range list.Rows {
		e := must[supporters.Editing](w)(w.Supporters.Edit(ctx, w.owner, row.ID))
		d := e.Draft
		d.Phones, d.Street, d.City, d.Region, d.Country, d.TimeZone = "617 253 1000\n555-0101, ask for the landlady of the house", "1 Pine Road", "Boston", "MA", "US", "America/New_York"
		for i, answer := range []string{"June", "1980-02-29", "large", "3.5", "yes", "A ramp and a chair with arms"} {
			d.Answers[e.Fields[i].ID] = answer
		}
		_, err := w.Supporters.Save(ctx, w.owner, row.ID, d)
		w.must(err)
		for _, tag := range []string{"can drive", "speaks Spanish", "a tag of many words, as long as a tag may be and not more of"} {
			w.must(w.Supporters.AddTag(ctx, w.owner, row.ID, tag))
		}
		w.must(w.Supporters.AddNote(ctx, w.owner, row.ID, "Prefers calls.\nNot on Mondays."))
		box := must[supporters.View](w)(w.Supporters.Show(ctx, w.owner, row.ID)).Mailboxes[0].ID
		yes := supporters.Yes{MailboxID: box, Purpose: models.PurposePhone, Words: "You may call me about this.", Where: "Town meeting, sheet 3", On: w.Clock.Now().AddDate(0, 0, -9).Format(time.DateOnly), Locale: "en"}
		w.must(w.Supporters.RecordConsent(ctx, w.owner, row.ID, yes))
		v := must[supporters.View](w)(w.Supporters.Show(ctx, w.owner, row.ID))
		w.must(w.Supporters.WithdrawConsent(ctx, w.owner, row.ID, v.Consents[len(v.Consents)-1].ID))
	}
}

// mailing writes to the signers of a petition, and sends where asked to.
func (w *world) mailing(petition uuid.UUID, subject, body string, send bool) uuid.UUID {
	w.t.Helper()
	ctx := context.Background()
	id := must[uuid.UUID](w)(w.Mailings.Create(ctx, w.owner, petition))
	revision := must[int](w)(w.Mailings.Save(ctx, w.owner, id, mailings.Draft{Revision: 1, PetitionID: petition, Subject: subject, Body: body}))
	if send {
		w.must(w.Mailings.Send(ctx, w.owner, id, revision))
	}
	return id
}

// signIn signs the owner in, by the page.
func (w *world) signIn(tab *Tab) {
	w.t.Helper()
	tab.Open("/admin/login")
	tab.Want(200, "/admin/login")
	tab.Fill(`form[action="/admin/login"] [name=email]`, testapp.OwnerEmail)
	tab.Fill(`form[action="/admin/login"] [name=password]`, testapp.Password)
	tab.Press(`form[action="/admin/login"] button`)
	tab.Want(200, "/admin")
}

// count is how many have signed, by the open figures.
func (w *world) count(slug string) string {
	w.t.Helper()
	f := must[petitions.Figures](w)(w.Petitions.Figures(context.Background(), slug, time.UTC))
	return fmt.Sprint(f.SignatureCount)
}

func databaseURL(t *testing.T) string { t.Helper(); return testdb.SQLiteURL(t) }

func parsed(t *testing.T, id string) uuid.UUID {
	t.Helper()
	u, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
