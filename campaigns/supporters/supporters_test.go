package supporters_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var now = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

func organizer() actor.Actor { return actor.Actor{Kind: actor.User, Role: actor.Organizer} }

func mailbox(t *testing.T, db *database.DB, v *vault.Vault, address string) models.Mailbox {
	t.Helper()
	m, err := mailboxes.Ensure(context.Background(), db.DB, v, address, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAttachMakesOneRecordAndFillsIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, v := context.Background(), vault.New(vault.NewKey())
		m := mailbox(t, db, v, "june@example.org")
		attach := func(f supporters.Facts, at time.Time) (id uuid.UUID) {
			t.Helper()
			if err := db.Tx(ctx, func(tx *gorm.DB) (err error) { id, err = supporters.Attach(ctx, tx, v, m, f, at); return err }); err != nil {
				t.Fatal(err)
			}
			return id
		}
		id := attach(supporters.Facts{GivenName: " June ", Country: "us", Source: supporters.SourcePetition}, now)
		// m still says that nobody is attached, as a caller's copy would.
		if again := attach(supporters.Facts{GivenName: "Jane", FamilyName: "Okafor", PostalArea: "02139", Country: "CA", Source: supporters.SourceImport}, now.Add(time.Hour)); again != id {
			t.Fatalf("a second record: %s, %s", id, again)
		}
		attach(supporters.Facts{GivenName: "Jane", FamilyName: "Other"}, now.Add(2*time.Hour))
		p, err := supporters.New(db, v, clock.NewFixed(now)).Show(ctx, organizer(), id)
		if err != nil {
			t.Fatal(err)
		}
		if p.GivenName != "June" || p.FamilyName != "Okafor" || p.PostalArea != "02139" || p.Country != "US" || p.Source != "petition" || len(p.Phones) != 0 {
			t.Errorf("%+v", p)
		}
		var row models.Supporter
		if err := db.Take(&row, "id = ?", id).Error; err != nil || !row.UpdatedAt.Equal(now.Add(time.Hour)) {
			t.Errorf("changed at %s, %v", row.UpdatedAt, err)
		}
	})
}

func TestAttachAtTheSameMomentMakesOneRecord(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, v := context.Background(), vault.New(vault.NewKey())
		m := mailbox(t, db, v, "june@example.org")
		var wg sync.WaitGroup
		ids := make([]uuid.UUID, 6)
		for i := range ids {
			wg.Go(func() {
				f := supporters.Facts{GivenName: fmt.Sprint("June", i), Source: supporters.SourcePetition}
				if err := db.Tx(ctx, func(tx *gorm.DB) (err error) { ids[i], err = supporters.Attach(ctx, tx, v, m, f, now); return err }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var n int64
		if err := db.Model(&models.Supporter{}).Count(&n).Error; err != nil || n != 1 || len(slices.Compact(ids)) != 1 {
			t.Errorf("%d records, %v: %v", n, err, ids)
		}
	})
}

func TestAPersonWithEverything(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, v := context.Background(), vault.New(vault.NewKey())
		s := supporters.New(db, v, clock.NewFixed(now))
		first, second := mailbox(t, db, v, "june@example.org"), mailbox(t, db, v, "june@work.example")
		id, err := supporters.Attach(ctx, db.DB, v, first, supporters.Facts{GivenName: "June", Source: supporters.SourcePetition}, now)
		if err != nil {
			t.Fatal(err)
		}
		campaign := models.Campaign{ID: models.NewID(), Slug: "twenty-visits", Title: "Twenty visits", State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now}
		petition := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "twenty-visits", State: models.PetitionPublished, Title: "Twenty visits a year", Locale: "en", CreatedAt: now, UpdatedAt: now}
		at := func(h int) *time.Time { x := now.Add(time.Duration(h) * time.Hour); return &x }
		mailing := models.Mailing{ID: models.NewID(), Purpose: models.PurposeUpdates, ScopeID: campaign.ID, Subject: "The hearing has a date", State: models.MailingSending, CreatedAt: now, UpdatedAt: now}
		err = errors.Join(
			supporters.SetMailbox(ctx, db.DB, second.ID, id, now),
			db.Create(&campaign).Error, db.Create(&petition).Error, db.Create(&mailing).Error,
			db.Create(&models.Signature{ID: models.NewID(), PetitionID: petition.ID, MailboxID: first.ID, State: models.SignatureConfirmed, Display: "name", ConfirmedAt: at(1), CreatedAt: now, ExpiresAt: *at(9)}).Error,
			db.Create(&models.Signature{ID: models.NewID(), PetitionID: petition.ID, MailboxID: second.ID, State: models.SignaturePending, Display: "name", CreatedAt: now, ExpiresAt: *at(9)}).Error,
		)
		if err != nil {
			t.Fatal(err)
		}
		words, err := consents.Text(ctx, db.DB, models.PurposeUpdates, "en", "Tell me what happens.", now)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(
			consents.Give(ctx, db.DB, consents.Given{MailboxID: first.ID, Purpose: models.PurposeUpdates, ScopeID: campaign.ID, TextID: words.ID, Locale: "en", ShownAt: now, Source: "petition twenty-visits", How: models.ConsentByMail}, *at(1)),
			consents.Give(ctx, db.DB, consents.Given{MailboxID: second.ID, Purpose: models.PurposeNewsletter, TextID: words.ID, Locale: "en", ShownAt: now, Source: "list", How: models.ConsentByImport}, *at(2)),
			db.Create(&models.Delivery{ID: models.NewID(), Kind: "mailing", MailboxID: first.ID, SubjectID: mailing.ID, MailingID: &mailing.ID, Purpose: models.PurposeUpdates, ScopeID: campaign.ID, DedupeKey: "a", State: models.DeliverySent, OnUnknown: models.Park, NotBefore: now, CreatedAt: now, UpdatedAt: now, SentAt: at(3)}).Error,
			db.Create(&models.Delivery{ID: models.NewID(), Kind: "petition_confirm", MailboxID: first.ID, SubjectID: petition.ID, Purpose: models.PurposeReceipt, DedupeKey: "b", State: models.DeliverySent, OnUnknown: models.Resend, NotBefore: now, CreatedAt: now, UpdatedAt: now, SentAt: at(0)}).Error,
			db.Create(&models.Delivery{ID: models.NewID(), Kind: "petition_confirm", MailboxID: first.ID, SubjectID: petition.ID, Purpose: models.PurposeReceipt, DedupeKey: "c", State: models.DeliveryQueued, OnUnknown: models.Resend, NotBefore: now, CreatedAt: now, UpdatedAt: now}).Error,
		)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := consents.Withdraw(ctx, db.DB, second.ID, models.PurposeNewsletter, uuid.Nil, "page", *at(4)); err != nil {
			t.Fatal(err)
		}
		if err := mailboxes.Suppress(ctx, db.DB, second.ID, models.SuppressedBounce, *at(5)); err != nil {
			t.Fatal(err)
		}

		p, err := s.Show(ctx, organizer(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Mailboxes) != 2 || p.Mailboxes[0].Address != "june@example.org" || p.Mailboxes[1].SuppressedReason != models.SuppressedBounce {
			t.Errorf("%+v", p.Mailboxes)
		}
		if len(p.Consents) != 2 || p.Consents[0].WithdrawnAt == nil || p.Consents[0].Address != "june@work.example" ||
			p.Consents[1].Words != "Tell me what happens." || p.Consents[1].Scope != "Twenty visits" || p.Consents[1].How != models.ConsentByMail {
			t.Errorf("%+v", p.Consents)
		}
		var told []string
		for _, e := range p.Timeline {
			told = append(told, e.Key+" "+e.What)
		}
		if !slices.Equal(told, []string{"supporter.sent The hearing has a date", "supporter.signed Twenty visits a year", "supporter.said_yes Twenty visits", "supporter.sent_receipt "}) {
			t.Errorf("%q", told)
		}

		list, err := s.List(ctx, organizer(), supporters.Filter{}, paging.Cursor{})
		if err != nil || len(list.Rows) != 1 {
			t.Fatal(list, err)
		}
		r := list.Rows[0]
		if r.Address != "june@example.org" || r.More != 1 || r.Suppressed || !slices.Equal(r.Agreed, []supporters.Agreement{{Purpose: models.PurposeUpdates, Scope: "Twenty visits"}}) {
			t.Errorf("%+v", r)
		}
		for typed, key := range map[string]string{"JUNE@work.example ": "", "nobody@example.org": "error.supporter_none", "non@sense": "error.email_invalid", "": "error.supporter_query_missing", "Nobody": "error.supporter_no_name", "n": "error.supporter_query_short", "+1 617 555 0199": "error.supporter_no_phone"} {
			got, err := s.Find(ctx, organizer(), typed)
			var e *fault.Error
			switch {
			case key == "" && (err != nil || len(got.Rows) != 1 || got.Rows[0].ID != id):
				t.Errorf("%q: %+v, %v", typed, got, err)
			case key != "" && (!errors.As(err, &e) || e.Kind != fault.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != "q" || e.Fields[0].Key != key):
				t.Errorf("%q: %v, want %s", typed, err, key)
			}
		}
		if _, err := s.Show(ctx, organizer(), models.NewID()); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown: %v", err)
		}
		for _, role := range []actor.Role{actor.Advocate, actor.Viewer} {
			a := actor.Actor{Kind: actor.User, Role: role}
			_, err1 := s.List(ctx, a, supporters.Filter{}, paging.Cursor{})
			_, err2 := s.Show(ctx, a, id)
			_, err3 := s.Find(ctx, a, "june@example.org")
			for _, err := range []error{err1, err2, err3} {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s: %v", role, err)
				}
			}
		}
	})
}

func TestTheListHasPages(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, v := context.Background(), vault.New(vault.NewKey())
		s := supporters.New(db, v, clock.NewFixed(now))
		const people = 2*paging.Size + 7
		for i := range people {
			m := mailbox(t, db, v, fmt.Sprintf("p%d@example.org", i))
			// Every third shares its moment with the one before, as people of one list do.
			if _, err := supporters.Attach(ctx, db.DB, v, m, supporters.Facts{Source: "petition"}, now.Add(time.Duration(i/3)*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		seen, pages := map[uuid.UUID]bool{}, 0
		var last time.Time
		for next := "-"; next != ""; pages++ {
			c, err := paging.Parse(map[bool]string{false: next}[next == "-"])
			if err != nil {
				t.Fatal(err)
			}
			page, err := s.List(ctx, organizer(), supporters.Filter{}, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				if seen[r.ID] || (!last.IsZero() && r.CreatedAt.After(last)) {
					t.Fatalf("%s stands twice or in the wrong place", r.ID)
				}
				seen[r.ID], last = true, r.CreatedAt
			}
			next = page.Next
		}
		if n, err := s.Count(ctx, organizer()); err != nil || n != people || len(seen) != people || pages != 3 {
			t.Errorf("%d of %d on %d pages, %v", len(seen), n, pages, err)
		}
	})
}
