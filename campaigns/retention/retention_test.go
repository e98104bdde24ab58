package retention_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/retention"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// world is a campaign that is over, with a closed petition and form, and another one that goes on.
type world struct {
	*retention.Service
	t            *testing.T
	db           *database.DB
	clk          *clock.Fixed
	over, on     models.Campaign
	closed, open models.Petition
	closedF      models.Form
	text         models.ConsentText
	forgotten    int
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clk: clock.NewFixed(start)}
	w.Service = retention.New(db, w.clk, func() { w.forgotten++ })
	campaign := func(slug string) models.Campaign {
		return models.Campaign{ID: models.NewID(), Slug: slug, Title: slug, State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
	}
	w.over, w.on = campaign("over"), campaign("on")
	ended := start.AddDate(0, -13, 0)
	w.closed = models.Petition{ID: models.NewID(), CampaignID: w.over.ID, Slug: "closed", State: models.PetitionAnswered, ClosedAt: &ended, CreatedAt: ended, UpdatedAt: start}
	w.open = models.Petition{ID: models.NewID(), CampaignID: w.on.ID, Slug: "open", State: models.PetitionPublished, CreatedAt: ended, UpdatedAt: start}
	w.closedF = models.Form{ID: models.NewID(), Slug: "join", State: models.FormClosed, CampaignID: &w.over.ID, CreatedAt: ended, UpdatedAt: ended}
	w.text = models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: "Write to me", CreatedAt: start}
	w.create(&w.over, &w.on, &w.closed, &w.open, &w.closedF, &w.text, &models.Organisation{ID: models.NewID(), RetentionMonths: 24, CreatedAt: start, UpdatedAt: start})
	return w
}

func (w *world) create(rows ...any) {
	w.t.Helper()
	for _, r := range rows {
		if err := w.db.Create(r).Error; err != nil {
			w.t.Fatalf("%T: %v", r, err)
		}
	}
}

// person is somebody with a record, a mailbox and a name.
func (w *world) person(name, source string) models.Mailbox {
	w.t.Helper()
	s := models.Supporter{ID: models.NewID(), GivenNameSealed: []byte(name), Source: source, CreatedAt: start, UpdatedAt: start}
	m := models.Mailbox{ID: models.NewID(), AddressHash: []byte(name), AddressSealed: []byte(name), VerifiedAt: &start, SupporterID: &s.ID, CreatedAt: start, UpdatedAt: start}
	w.create(&s, &m)
	return m
}

func (w *world) sign(p models.Petition, m models.Mailbox, comment models.CommentState) models.Signature {
	w.t.Helper()
	g := models.Signature{
		ID: models.NewID(), PetitionID: p.ID, MailboxID: m.ID, State: models.SignatureConfirmed, GivenNameSealed: []byte("given"), FamilyNameSealed: []byte("family"), PostalArea: "00209",
		Display: models.DisplayName, DisplayName: "shown", CommentSealed: []byte("comment"), CommentState: comment, Locale: "en", CreatedAt: start, ConfirmedAt: &start, ExpiresAt: start,
	}
	if comment == models.CommentShown {
		g.CommentShown = "what everybody read"
	}
	d := models.Delivery{
		ID: models.NewID(), Kind: "petition_confirm", MailboxID: m.ID, SubjectID: g.ID, Purpose: models.PurposeReceipt, DedupeKey: g.ID.String(), State: models.DeliverySent,
		OnUnknown: models.Resend, NotBefore: start, CreatedAt: start, UpdatedAt: start,
	}
	w.create(&g, &d)
	return g
}

func (w *world) agree(m models.Mailbox, purpose models.Purpose, scope uuid.UUID) {
	w.t.Helper()
	w.create(&models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: purpose, ScopeID: scope, TextID: w.text.ID, Locale: "en", ShownAt: start, GivenAt: start, How: models.ConsentByMail})
}

func (w *world) there(m models.Mailbox) (record, mailbox bool) {
	w.t.Helper()
	var n, k int64
	if err := w.db.Model(&models.Supporter{}).Where("id = ?", m.SupporterID).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	if err := w.db.Model(&models.Mailbox{}).Where("id = ?", m.ID).Count(&k).Error; err != nil {
		w.t.Fatal(err)
	}
	return n == 1, k == 1
}

// Names go when their time is over, and only then; who is held by something else keeps a record; and the numbers that are
// told before are those that go.
func TestRetention(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w, owner := context.Background(), newWorld(t, db), actor.TheSystem()
		only := w.person("only here", "petition")
		member := w.person("member", "petition")
		other := w.person("signed elsewhere", "petition")
		listed := w.person("imported", "import")
		worker := w.person("works here", "petition")
		bounced := w.person("bounced", "petition")
		asked := w.person("filled in a form", "form")
		writer := w.person("wrote a letter", "petition")
		for _, m := range []models.Mailbox{only, member, other, listed, worker, bounced, writer} {
			w.sign(w.closed, m, models.CommentWaiting)
			w.agree(m, models.PurposeUpdates, w.over.ID)
		}
		shown := w.sign(w.closed, w.person("commented", "petition"), models.CommentShown)
		w.agree(member, models.PurposeNewsletter, uuid.Nil)
		kept := w.sign(w.open, other, models.CommentWaiting)
		w.create(&models.User{ID: models.NewID(), MailboxID: worker.ID, Role: "viewer", CreatedAt: start, UpdatedAt: start})
		if err := db.Model(&models.Mailbox{}).Where("id = ?", bounced.ID).Updates(map[string]any{"suppressed_at": start, "suppressed_reason": "bounce"}).Error; err != nil {
			t.Fatal(err)
		}
		ask := models.LetterCampaign{ID: models.NewID(), CampaignID: w.over.ID, Slug: "write", State: models.LettersClosed, Position: models.StanceOther, CreatedAt: start, UpdatedAt: start}
		letter := models.Letter{ID: models.NewID(), LetterCampaignID: ask.ID, MailboxID: writer.ID, State: models.LetterReleased, GivenNameSealed: []byte("given"), CreatedAt: start, UpdatedAt: start, ConfirmedAt: &start, ExpiresAt: start}
		saved, gone, begun := letter, letter, letter
		saved.ID, saved.State, saved.Keeps = models.NewID(), models.LetterClosed, true
		gone.ID, gone.State = models.NewID(), models.LetterAnonymised
		begun.ID, begun.State, begun.ConfirmedAt = models.NewID(), models.LetterAwaiting, nil
		w.create(&ask, &letter, &saved, &gone, &begun)
		if err := db.Exec("UPDATE letters SET mailbox_id = NULL WHERE id = ?", gone.ID).Error; err != nil {
			t.Fatal(err)
		}
		w.create(
			&models.Submission{ID: models.NewID(), FormID: &w.closedF.ID, MailboxID: asked.ID, State: models.SubmissionConfirmed, AnswersSealed: []byte("answers"), CreatedAt: start, ExpiresAt: start},
			&models.Note{ID: models.NewID(), SupporterID: *only.SupporterID, BodySealed: []byte("a note holds nobody"), CreatedAt: start},
		)

		run := func() retention.Done {
			t.Helper()
			done, err := w.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		// Nobody said that names go; then not before their time.
		if done := run(); done != (retention.Done{}) {
			t.Errorf("without months: %+v", done)
		}
		if err := w.Set(ctx, owner, w.over.ID, 14); err != nil {
			t.Fatal(err)
		}
		if done := run(); done != (retention.Done{}) {
			t.Errorf("a month early: %+v", done)
		}
		d, err := w.Preview(ctx, owner, w.over.ID, 12)
		if err != nil || d.Signatures != 8 || d.Comments != 7 || d.Answers != 1 || d.Records != 4 || d.Letters != 1 || d.Kept != 1 || !d.Now(start) {
			t.Errorf("the preview: %+v, %v", d, err)
		}
		if err := w.Set(ctx, owner, w.over.ID, 12); err != nil {
			t.Fatal(err)
		}
		if done := run(); done.Signatures != 8 || done.Answers != 1 || done.Records != 4 || done.Addresses != 3 || done.More || w.forgotten != 1 {
			t.Errorf("it ran: %+v, told %d times", done, w.forgotten)
		}
		for _, x := range []struct {
			who             string
			m               models.Mailbox
			record, mailbox bool
		}{
			{"only this petition", only, false, false},
			{"a newsletter", member, true, true},
			{"another petition", other, true, true},
			{"an imported record", listed, true, true},
			{"an account", worker, true, true},
			{"a suppressed address", bounced, false, true},
			{"a form", asked, false, false},
			{"a letter", writer, true, true},
		} {
			if r, m := w.there(x.m); r != x.record || m != x.mailbox {
				t.Errorf("%s: record %v, mailbox %v", x.who, r, m)
			}
		}
		var left, named, linked int64
		db.Model(&models.Signature{}).Where("petition_id = ? AND postal_area = '00209'", w.closed.ID).Count(&left)
		db.Model(&models.Signature{}).Where("petition_id = ? AND (mailbox_id IS NOT NULL OR given_name_sealed IS NOT NULL OR family_name_sealed IS NOT NULL OR display_name <> '' OR comment_sealed IS NOT NULL)", w.closed.ID).Count(&named)
		db.Raw("SELECT COUNT(*) FROM deliveries d JOIN signatures g ON g.id = d.subject_id WHERE g.petition_id = ? AND d.mailbox_id IS NOT NULL", w.closed.ID).Scan(&linked)
		if left != 8 || named != 0 || linked != 0 {
			t.Errorf("%d signatures are left, %d still name somebody, %d mails lead to somebody", left, named, linked)
		}
		if err := db.Take(&shown, "id = ?", shown.ID).Error; err != nil || shown.CommentShown != "what everybody read" || shown.CommentState != models.CommentShown {
			t.Errorf("the published comment: %+v, %v", shown, err)
		}
		if err := db.Take(&letter, "id = ?", letter.ID).Error; err != nil || letter.MailboxID != writer.ID || letter.GivenNameSealed == nil {
			t.Errorf("a letter on its way: %+v, %v", letter, err)
		}
		if err := db.Take(&kept, "id = ?", kept.ID).Error; err != nil || kept.MailboxID != other.ID || kept.GivenNameSealed == nil {
			t.Errorf("a signature of a petition that goes on: %+v, %v", kept, err)
		}
		var consents int64
		db.Model(&models.Consent{}).Where("scope_id = ?", w.over.ID).Count(&consents)
		if consents != 0 {
			t.Errorf("%d people still agree to news of what is over", consents)
		}
		var p models.Petition
		if err := db.Take(&p, "id = ?", w.closed.ID).Error; err != nil || p.AnonymisedAt == nil {
			t.Errorf("the petition: %+v, %v", p, err)
		}
		var erased int64
		db.Model(&models.Erasure{}).Count(&erased)
		if erased != 0 {
			t.Error("nobody asked to be erased, and a list may name them again")
		}
		if done := run(); done != (retention.Done{}) {
			t.Errorf("again: %+v", done)
		}
		plan, err := w.Plan(ctx, owner, paging.Cursor{})
		if err != nil || len(plan.Rows) != 2 {
			t.Fatalf("%+v, %v", plan, err)
		}
		for _, d := range plan.Rows {
			if d.ID == w.over.ID && !d.Done || d.ID == w.on.ID && (d.Ended != nil || d.On != nil) {
				t.Errorf("the plan: %+v", d)
			}
		}
	})
}

// More people than go in one step, with several addresses and petitions each; stopped in between, and gone on with.
func TestRetentionGoesOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		second := models.Petition{ID: models.NewID(), CampaignID: w.over.ID, Slug: "second", State: models.PetitionWithdrawn, CreatedAt: start, UpdatedAt: start.AddDate(0, -13, 0)}
		w.create(&second)
		for i := range 620 {
			m := w.person(fmt.Sprint("person ", i), "petition")
			w.sign(w.closed, m, models.CommentNone)
			if i%3 == 0 { // by another address of the same person
				more := models.Mailbox{ID: models.NewID(), AddressHash: fmt.Append(nil, "more ", i), AddressSealed: []byte("x"), VerifiedAt: &start, SupporterID: m.SupporterID, CreatedAt: start, UpdatedAt: start}
				w.create(&more)
				w.sign(second, more, models.CommentNone)
			}
		}
		if err := w.Set(ctx, actor.TheSystem(), w.over.ID, 6); err != nil {
			t.Fatal(err)
		}
		// The first run is stopped in its second step.
		stopped, stop := context.WithCancel(ctx)
		steps := 0
		if err := db.Callback().Raw().After("gorm:raw").Register("test:stop", func(tx *gorm.DB) {
			if strings.Contains(tx.Statement.SQL.String(), "comment_state = 'shown'") { // once in each step
				if steps++; steps == 2 {
					stop()
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Run(stopped); err == nil {
			t.Error("a run that was stopped says that it is done")
		}
		var left int64
		db.Model(&models.Signature{}).Where("mailbox_id IS NOT NULL").Count(&left)
		if left == 0 || left == 827 {
			t.Fatalf("%d of 827 are left: nothing was stopped in between", left)
		}
		done, err := w.Run(ctx)
		if err != nil || done.Signatures != int(left) {
			t.Errorf("%+v, %v", done, err)
		}
		var people, addresses, signatures int64
		db.Model(&models.Supporter{}).Count(&people)
		db.Model(&models.Mailbox{}).Count(&addresses)
		db.Model(&models.Signature{}).Count(&signatures)
		if people != 0 || addresses != 0 || signatures != 827 {
			t.Errorf("%d people, %d addresses, %d signatures", people, addresses, signatures)
		}
	})
}

func TestRetentionRights(t *testing.T) {
	db := testdb.SQLite(t)
	ctx, w := context.Background(), newWorld(t, db)
	organizer := actor.Actor{Kind: actor.User, Role: actor.Organizer}
	if err := w.Set(ctx, organizer, w.over.ID, 1); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if _, err := w.Plan(ctx, organizer, paging.Cursor{}); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if err := w.Suggest(ctx, organizer, 3); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	for _, months := range []int{-1, retention.MonthsMax + 1} {
		if err := w.Set(ctx, actor.TheSystem(), w.over.ID, months); !fault.Is(err, fault.Invalid) {
			t.Error(months, err)
		}
	}
	if err := w.Set(ctx, actor.TheSystem(), models.NewID(), 1); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	if err := w.Suggest(ctx, actor.TheSystem(), 36); err != nil {
		t.Error(err)
	}
	if n, err := w.Suggested(ctx); n != 36 || err != nil {
		t.Error(n, err)
	}
}

// What was typed and never confirmed goes after a week, and nothing that is in use: whatever table points to the mailbox.
func TestUnconfirmedAddresses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		v := vault.New(vault.NewKey())
		box := func(address string) models.Mailbox {
			var m models.Mailbox
			if err := db.Tx(ctx, func(tx *gorm.DB) (err error) { m, err = mailboxes.Ensure(ctx, tx, v, address, start); return err }); err != nil {
				t.Fatal(err)
			}
			return m
		}
		typed, waits, invited, agreed := box("typed@example.org"), box("waits@example.org"), box("invited@example.org"), box("agreed@example.org")
		w.create(
			&models.Submission{ID: models.NewID(), MailboxID: waits.ID, State: models.SubmissionPending, CreatedAt: start, ExpiresAt: start.AddDate(0, 1, 0)},
			&models.Invitation{ID: models.NewID(), MailboxID: invited.ID, Role: "viewer", CreatedAt: start, ExpiresAt: start.AddDate(0, 1, 0)},
		)
		w.agree(agreed, models.PurposeNewsletter, uuid.Nil)
		sweep := func(at time.Time) int {
			n, err := mailboxes.Sweep(ctx, db, at)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := sweep(start.AddDate(0, 0, 6)); n != 0 {
			t.Errorf("%d went before a week was over", n)
		}
		if n := sweep(start.AddDate(0, 0, 8)); n != 1 {
			t.Errorf("%d went, not the one that nothing points to", n)
		}
		var n int64
		if err := db.Model(&models.Mailbox{}).Where("id = ?", typed.ID).Count(&n).Error; err != nil || n != 0 {
			t.Errorf("the address that was typed: %d, %v", n, err)
		}
	})
}
