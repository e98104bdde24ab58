package database_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// TestCopyAllIsCreate: rows come back as they do after GORM's Create, in both databases, also of a model with whole numbers
// and of one with fractions.
func TestCopyAllIsCreate(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		read := func() (all []models.Mailbox) {
			t.Helper()
			if err := db.Order("id").Find(&all).Error; err != nil {
				t.Fatal(err)
			}
			return all
		}
		rows := some(1200)
		if err := db.Tx(t.Context(), func(tx *gorm.DB) error { return database.CopyAll(tx, rows) }); err != nil {
			t.Fatal(err)
		}
		got := read()
		if err := db.Exec("DELETE FROM mailboxes").Error; err != nil {
			t.Fatal(err)
		}
		if err := db.CreateInBatches(&rows, 500).Error; err != nil {
			t.Fatal(err)
		}
		if want := read(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\n%+v", got[0], want[0])
		}
		person := models.Supporter{ID: models.NewID(), CreatedAt: at, UpdatedAt: at}
		field := models.CustomField{ID: models.NewID(), Name: "size", Kind: models.FieldNumber, SeenBy: "owner", Position: 7, CreatedAt: at, UpdatedAt: at}
		size := 38.5
		value := models.FieldValue{SupporterID: person.ID, FieldID: field.ID, TextValue: "38.5", NumberValue: &size, UpdatedAt: at}
		if err := db.Tx(t.Context(), func(tx *gorm.DB) error {
			for _, err := range []error{database.CopyAll(tx, []models.Supporter{person}), database.CopyAll(tx, []models.CustomField{field}), database.CopyAll(tx, []models.FieldValue{value})} {
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var back models.FieldValue
		if err := db.Take(&back).Error; err != nil || !reflect.DeepEqual(back, value) {
			t.Errorf("%+v, %v", back, err)
		}
		for _, bad := range []string{"a\x00b", "a\xffb"} {
			err := db.Tx(t.Context(), func(tx *gorm.DB) error {
				return database.CopyAll(tx, []models.Mailbox{{ID: models.NewID(), AddressHash: []byte(bad), Domain: bad, CreatedAt: at, UpdatedAt: at}})
			})
			if !database.Refused(err) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}

func TestFindIn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		rows := some(1500)
		if err := database.InsertAll(db.DB, rows, ""); err != nil {
			t.Fatal(err)
		}
		var ids []uuid.UUID
		var hashes [][]byte
		for _, r := range rows[:1300] {
			ids, hashes = append(ids, r.ID), append(hashes, r.AddressHash)
		}
		for i := range 300 {
			ids, hashes = append(ids, models.NewID()), append(hashes, fmt.Append(nil, "nobody", i))
		}
		var byID, byHash []models.Mailbox
		if err := database.FindIn(db.DB.Where("verified_at IS NULL"), "id", ids, &byID); err != nil {
			t.Fatal(err)
		}
		if err := database.FindIn(db.DB, "address_hash", hashes, &byHash); err != nil {
			t.Fatal(err)
		}
		var byDomain []models.Mailbox
		if err := database.FindIn(db.DB, "domain", []string{rows[0].Domain, "nothing"}, &byDomain); err != nil {
			t.Fatal(err)
		}
		var none []models.Mailbox
		if err := database.FindIn(db.DB, "id", []uuid.UUID{}, &none); err != nil {
			t.Fatal(err)
		}
		if len(byID) != 866 || len(byHash) != 1300 || len(byDomain) != 1500 || len(none) != 0 {
			t.Errorf("%d, %d, %d, %d", len(byID), len(byHash), len(byDomain), len(none))
		}
	})
}
