package series_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/series"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	ctx = context.Background()
	// start is a Monday, ten in the morning in New York.
	start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)
)

// world is an organisation with a published petition, its outbox with a transport in memory, and a clock that stands.
type world struct {
	t        *testing.T
	db       *database.DB
	vault    *vault.Vault
	clk      *clock.Fixed
	signer   *tokens.Signer
	wire     *mailer.Memory
	out      *deliveries.Service
	mails    *mailings.Service
	svc      *series.Service
	org      *organisation.Service
	petition models.Petition
	user     actor.Actor // an organizer
	texts    map[models.Purpose]uuid.UUID
}

func each(t *testing.T, fn func(w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(newWorld(t, db)) })
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	v := vault.New(vault.NewKey())
	w := &world{t: t, db: db, vault: v, clk: clock.NewFixed(start), signer: tokens.New(v), wire: mailer.NewMemory(), texts: map[models.Purpose]uuid.UUID{}}
	w.org = organisation.New(db, v, w.clk)
	_, err := w.org.Ensure(ctx)
	w.must(err)
	w.must(db.Model(&models.Organisation{}).Where("id = ?", organisation.ID).Updates(map[string]any{
		"name": "Wennick Coalition", "postal_address": "12 Ferry Street, Harrow Bay", "time_zone": "America/New_York", "languages": "en,es",
	}).Error)
	w.org.Drop()
	words, err := mailer.NewRenderer()
	w.must(err)
	sender := func(ctx context.Context) (deliveries.Sender, error) {
		o, err := w.org.Current(ctx)
		return deliveries.Sender{
			Transport: w.wire, Connections: 3, FromName: "WCPC", FromAddress: "hello@act.example.org", ListDomain: "act.example.org",
			Letterhead: mailer.Letterhead{OrgName: o.Name, PostalAddress: o.PostalAddress, SiteURL: "https://act.example.org"},
		}, err
	}
	w.out = deliveries.NewService(db, v, w.clk, w.signer, words, deliveries.Options{Sender: sender, Lease: time.Minute})
	w.mails = mailings.New(mailings.Options{
		DB: db, Vault: v, Clock: w.clk, Signer: w.signer, Organisation: w.org, Mail: words, Sender: sender, BaseURL: "https://act.example.org",
		Enqueue: func(context.Context, *gorm.DB, river.JobArgs) error { return nil },
		Words: mailings.Words{
			Text: func(lang, key string, args ...any) string {
				return strings.TrimSpace(lang + " " + key + " " + fmt.Sprintln(args...))
			},
			Date:   func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
			Number: func(_ string, n int64) string { return fmt.Sprint(n) },
		},
	})
	w.svc = w.node()
	w.svc.Register(w.out)

	c := models.Campaign{ID: models.NewID(), Slug: "visits", Title: "Visits for all", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
	w.must(db.Create(&c).Error)
	w.petition = models.Petition{
		ID: models.NewID(), CampaignID: c.ID, Slug: "twenty-visits", State: models.PetitionPublished, Title: "Twenty visits", Goal: 5000, Locale: "en",
		SignatureCount: 3184, CreatedAt: start, UpdatedAt: start,
	}
	w.must(db.Create(&w.petition).Error)
	for _, p := range []models.Purpose{models.PurposeUpdates, models.PurposeNewsletter} {
		text, err := consents.Text(ctx, db.DB, p, "en", "Write to me.", start)
		w.must(err)
		w.texts[p] = text.ID
	}
	box := w.mailbox("ilse@example.org")
	u := models.User{ID: models.NewID(), MailboxID: box, Role: "organizer", Locale: "en", CreatedAt: start, UpdatedAt: start}
	u.NameSealed = v.Seal("users", "name_sealed", u.ID, "Ilse Halvorsen")
	w.must(db.Create(&u).Error)
	w.user = actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Organizer}
	return w
}

// node is the service as another node would have it.
func (w *world) node() *series.Service {
	return series.New(series.Options{DB: w.db, Clock: w.clk, Organisation: w.org, Mailings: w.mails, Open: w.vault.Open})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mailbox(address string) uuid.UUID {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		m, err = mailboxes.Ensure(ctx, tx, w.vault, address, w.clk.Now())
		return err
	}))
	return m.ID
}

// person is a supporter with one verified address, "name@example.org".
type person struct{ id, box uuid.UUID }

func (w *world) person(name string, change ...map[string]any) person {
	w.t.Helper()
	now := w.clk.Now()
	row := supporters.NewRow(w.vault, models.NewID(), supporters.Facts{GivenName: name, Locale: "en", Source: supporters.SourcePetition}, now)
	w.must(w.db.Create(&row).Error)
	for _, c := range change {
		w.must(w.db.Model(&models.Supporter{}).Where("id = ?", row.ID).Updates(c).Error)
	}
	p := person{row.ID, w.mailbox(strings.ToLower(name) + "@example.org")}
	w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", p.box).Updates(map[string]any{"supporter_id": p.id, "verified_at": now}).Error)
	return p
}

func (w *world) agree(p person, purpose models.Purpose, scope uuid.UUID, how models.ConsentHow) {
	w.t.Helper()
	w.must(consents.Give(ctx, w.db.DB, consents.Given{
		MailboxID: p.box, Purpose: purpose, ScopeID: scope, TextID: w.texts[purpose], Locale: "en", ShownAt: w.clk.Now(), Source: "form", How: how,
	}, w.clk.Now()))
}

// join makes somebody who agrees to the newsletter now, as a form does.
func (w *world) join(name string, change ...map[string]any) person {
	w.t.Helper()
	p := w.person(name, change...)
	w.agree(p, models.PurposeNewsletter, uuid.Nil, models.ConsentByMail)
	return p
}

// sign puts a confirmed signature under the petition.
func (w *world) sign(p person, at time.Time, state models.SignatureState) uuid.UUID {
	w.t.Helper()
	g := models.Signature{
		ID: models.NewID(), PetitionID: w.petition.ID, MailboxID: p.box, State: state, Display: models.DisplayName, Locale: "en", CreatedAt: at, ConfirmedAt: &at,
		ExpiresAt: at.AddDate(0, 0, 7),
	}
	w.must(w.db.Create(&g).Error)
	return g.ID
}

func (w *world) leave(p person) {
	w.t.Helper()
	_, err := consents.Withdraw(ctx, w.db.DB, p.box, models.PurposeNewsletter, uuid.Nil, "page", w.clk.Now())
	w.must(err)
}

var newsletter = mailings.To{Newsletter: true, Locale: "en"}

// draft makes a series for the newsletter without steps.
func (w *world) draft(name string) uuid.UUID {
	w.t.Helper()
	id, err := w.svc.Create(ctx, w.user, name, newsletter, series.Empty)
	w.must(err)
	return id
}

// settings are those of a series as its page shows them.
func (w *world) settings(id uuid.UUID) series.Settings {
	w.t.Helper()
	sr, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	in := series.Settings{
		Revision: sr.Revision, Name: sr.Name, To: newsletter, Trigger: sr.TriggerKind, TriggerID: sr.TriggerID, Date: sr.TriggerDate, Days: sr.TriggerDays,
		Lookback: sr.LookbackDays, Again: sr.AgainDays, QuietFrom: fmt.Sprintf("%02d:%02d", sr.QuietFrom/60, sr.QuietFrom%60), QuietUntil: fmt.Sprintf("%02d:%02d", sr.QuietUntil/60, sr.QuietUntil%60),
	}
	if sr.PetitionID != nil {
		in.To = mailings.To{PetitionID: *sr.PetitionID}
	}
	return in
}

func (w *world) set(id uuid.UUID, change func(*series.Settings)) {
	w.t.Helper()
	in := w.settings(id)
	change(&in)
	_, err := w.svc.Save(ctx, w.user, id, in)
	w.must(err)
}

func (w *world) mail(id uuid.UUID, subject string) uuid.UUID {
	w.t.Helper()
	step, err := w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: models.StepMail})
	w.must(err)
	w.must(w.svc.SaveMail(ctx, w.user, id, step, series.MailInput{Locale: "en", Subject: subject, Body: "Hello {{given_name|friend}}."}))
	return step
}

func (w *world) wait(id uuid.UUID, amount int, unit string) uuid.UUID {
	w.t.Helper()
	step, err := w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: models.StepWait, Amount: amount, Unit: unit, Weekday: -1})
	w.must(err)
	return step
}

func (w *world) live(id uuid.UUID) {
	w.t.Helper()
	sr, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	w.must(w.svc.Start(ctx, w.user, id, sr.Revision))
}

// work lets the periodic job run and sends what it wrote.
func (w *world) work() {
	w.t.Helper()
	w.must(w.svc.Work(ctx))
	_, err := w.out.Drain(ctx)
	w.must(err)
}

// after moves the clock and works.
func (w *world) after(d time.Duration) {
	w.t.Helper()
	w.clk.Add(d)
	w.work()
}

// got are the mails so far, as "name: subject", in the order of the alphabet.
func (w *world) got() string {
	var out []string
	for _, m := range w.wire.Messages() {
		name, _, _ := strings.Cut(m.To, "@")
		out = append(out, name+": "+m.Subject)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (w *world) want(mails string) {
	w.t.Helper()
	if got := w.got(); got != mails {
		w.t.Errorf("mails so far: %q, want %q", got, mails)
	}
}

// place is somebody's row in a series.
func (w *world) place(id uuid.UUID, p person) models.SeriesPerson {
	w.t.Helper()
	var rows []models.SeriesPerson
	w.must(w.db.Where("series_id = ? AND supporter_id = ?", id, p.id).Find(&rows).Error)
	if len(rows) > 1 {
		w.t.Fatalf("%d rows of one person in one series", len(rows))
	}
	if len(rows) == 0 {
		return models.SeriesPerson{}
	}
	return rows[0]
}

func (w *world) wantState(id uuid.UUID, p person, state models.SeriesPersonState, reason string) {
	w.t.Helper()
	if row := w.place(id, p); row.State != state || row.Reason != reason {
		w.t.Errorf("in state %q for %q, want %q for %q", row.State, row.Reason, state, reason)
	}
}

func keys(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, x := range f.Fields {
		out = append(out, strings.TrimPrefix(x.Name+" "+x.Key, " "))
	}
	if len(out) == 0 {
		out = append(out, f.Key)
	}
	return strings.Join(out, ", ")
}

// dying is a context that ends when it was looked at so many times: a run that has it breaks off somewhere in the middle of its
// statements, as that of a process which is killed.
func dying(looks int64) context.Context {
	d := &dyingContext{Context: context.Background(), done: make(chan struct{})}
	d.looks.Store(looks)
	return d
}

type dyingContext struct {
	context.Context
	looks atomic.Int64
	once  sync.Once
	done  chan struct{}
}

func (d *dyingContext) Done() <-chan struct{} {
	if d.looks.Add(-1) < 0 {
		d.once.Do(func() { close(d.done) })
	}
	return d.done
}

func (d *dyingContext) Err() error {
	select {
	case <-d.done:
		return context.Canceled
	default:
		return nil
	}
}
