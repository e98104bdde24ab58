package database_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

const keep = "ON CONFLICT (address_hash) DO NOTHING"

// some are mailboxes with every kind of value that a row can have.
func some(n int) []models.Mailbox {
	rows := make([]models.Mailbox, n)
	for i := range rows {
		later := at.Add(time.Duration(i) * time.Microsecond)
		rows[i] = models.Mailbox{ID: models.NewID(), AddressHash: fmt.Appendf([]byte{0, 255, '\'', '"'}, "%d", i), Domain: "exämple.org \"'\\\n{}💜", CreatedAt: at, UpdatedAt: later}
		switch i % 3 {
		case 0:
			rows[i].VerifiedAt, rows[i].AddressSealed = &later, []byte{0, 1, 2}
		case 1:
			rows[i].AddressSealed = []byte{}
		}
	}
	return rows
}

// TestInsertAllIsCreate: rows come back as they do after GORM's Create, in both databases.
func TestInsertAllIsCreate(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		rows := some(300)
		rows[7].CreatedAt = at.In(time.FixedZone("", 3600)) // stored in UTC all the same
		person := models.Supporter{ID: models.NewID(), CreatedAt: at, UpdatedAt: at}
		if err := db.Create(&person).Error; err != nil {
			t.Fatal(err)
		}
		rows[8].SupporterID = &person.ID
		if err := database.InsertAll(db.DB, rows, ""); err != nil {
			t.Fatal(err)
		}
		read := func() (all []models.Mailbox) {
			t.Helper()
			if err := db.Order("id").Find(&all).Error; err != nil {
				t.Fatal(err)
			}
			return all
		}
		got := read()
		if err := db.Exec("DELETE FROM mailboxes").Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Create(&rows).Error; err != nil {
			t.Fatal(err)
		}
		if want := read(); len(got) != 300 || !reflect.DeepEqual(got, want) {
			t.Fatalf("InsertAll and Create differ: %+v and %+v", got[7], want[7])
		}
		var ordered int64
		if err := db.Model(&models.Mailbox{}).Where("created_at = ? AND verified_at >= created_at", at).Count(&ordered).Error; err != nil || ordered != 100 {
			t.Errorf("%d compare as times, %v", ordered, err)
		}
	})
}

// TestInsertAllWritesEveryModel: a signature and a delivery hold texts, numbers and yes or no besides.
func TestInsertAllWritesEveryModel(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		box := some(1)
		id, mailing := models.NewID(), (*uuid.UUID)(nil)
		want := []models.Delivery{
			{ID: id, Kind: "x", MailboxID: box[0].ID, SubjectID: id, MailingID: mailing, Purpose: models.PurposeReceipt, DedupeKey: "a", Priority: 1 << 30, State: models.DeliveryQueued, OnUnknown: models.Park, Attempt: -1, NotBefore: at, CreatedAt: at, UpdatedAt: at},
		}
		if err := database.InsertAll(db.DB, box, ""); err != nil {
			t.Fatal(err)
		}
		if err := database.InsertAll(db.DB, want, "ON CONFLICT (dedupe_key) DO NOTHING"); err != nil {
			t.Fatal(err)
		}
		var got []models.Delivery
		if err := db.Find(&got).Error; err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: %+v is not %+v", err, got, want)
		}
		if err := database.InsertAll(db.DB, []models.Delivery{{ID: models.NewID(), MailboxID: models.NewID(), State: "queued", OnUnknown: "park", Purpose: "receipt", NotBefore: at, CreatedAt: at, UpdatedAt: at}}, ""); !database.Refused(err) {
			t.Errorf("a delivery without a mailbox: %v", err)
		}
		if err := database.InsertAll(db.DB, []models.Delivery{{ID: models.NewID(), MailboxID: box[0].ID, State: "queued", OnUnknown: "park", Purpose: models.PurposeUpdates, DedupeKey: "b", NotBefore: at, CreatedAt: at, UpdatedAt: at}}, ""); !database.NoConsent(err) {
			t.Errorf("a delivery without consent: %v", err)
		}
		text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 2, Body: "yes", CreatedAt: at}
		if err := database.InsertAll(db.DB, []models.ConsentText{text}, ""); err != nil {
			t.Error(err)
		}
		for _, wrong := range []string{"a\x00b", "a\xffb"} {
			text.ID, text.Version, text.Body = models.NewID(), text.Version+1, wrong
			if err := database.InsertAll(db.DB, []models.ConsentText{text}, ""); !database.Refused(err) {
				t.Errorf("%q: %v", wrong, err)
			}
		}
		type odd struct {
			ID   uuid.UUID
			Rate float32
		}
		if err := database.InsertAll(db.DB, []odd{{}}, ""); err == nil || !strings.Contains(err.Error(), "rate") {
			t.Errorf("a type that is not known: %v", err)
		}
	})
}

func TestInsertAllOnConflict(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		rows := some(5)
		if err := database.InsertAll(db.DB, rows[:2], keep); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			rows[i].ID = models.NewID()
		}
		if got, err := database.InsertNew(db.DB, rows, keep); err != nil || len(got) != 3 || !got[rows[2].ID] || !got[rows[3].ID] || !got[rows[4].ID] {
			t.Errorf("not the last three were written: %v, %v", got, err)
		}
		if err := database.InsertAll(db.DB, rows[:1], ""); !database.Refused(err) {
			t.Errorf("the same row again: %v", err)
		}
		if n, err := database.InsertNew(db.DB, []models.Mailbox{}, keep); err != nil || len(n) != 0 {
			t.Errorf("none: %d, %v", len(n), err)
		}
	})
}

// TestUpdateAll: the named columns of the rows that are there, and nothing else.
func TestUpdateAll(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		rows := some(700) // more than SQLite takes in a statement
		if err := database.InsertAll(db.DB, rows[1:], ""); err != nil {
			t.Fatal(err)
		}
		read := func() (all []models.Mailbox) {
			t.Helper()
			if err := db.Order("id").Find(&all).Error; err != nil || len(all) != 699 {
				t.Fatalf("%d rows, %v", len(all), err)
			}
			return all
		}
		want, later := read(), at.Add(time.Hour)
		for i := range rows {
			rows[i].Domain, rows[i].AddressSealed, rows[i].CreatedAt = fmt.Sprintf("d%d'é", i), nil, later
			if rows[i].VerifiedAt = nil; i%2 == 0 {
				rows[i].VerifiedAt = &later
			}
			if i > 0 && i < 650 {
				want[i-1].Domain, want[i-1].VerifiedAt = rows[i].Domain, rows[i].VerifiedAt
			}
		}
		if err := database.UpdateAll(db.DB, rows[:650], "domain", "verified_at"); err != nil {
			t.Fatal(err)
		}
		for i, m := range read() {
			if !reflect.DeepEqual(m, want[i]) {
				t.Fatalf("row %d: %+v is not %+v", i, m, want[i])
			}
		}
		if err := database.UpdateAll(db.DB, rows, "colour"); err == nil {
			t.Error("a column that is not there was set")
		}
		if err := database.UpdateAll(db.DB, []models.Mailbox{}, "domain"); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkInsertBatches(b *testing.B) {
	for _, db := range []*database.DB{testdb.SQLite(b), testdb.Postgres(b)} {
		name := map[bool]string{true: "postgres", false: "sqlite"}[db.Postgres()]
		fresh := func(i int) []models.Mailbox {
			rows := some(30 + i%35) // a batch is never as long as the last
			for k := range rows {
				rows[k].AddressHash = fmt.Appendf(nil, "%s %d %d", rows[k].ID, i, k)
			}
			return rows
		}
		b.Run(name+"/all", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := database.InsertAll(db.DB, fresh(i), keep); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/create", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				rows := fresh(i)
				if err := db.Create(&rows).Error; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
