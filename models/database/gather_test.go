package database_test

import (
	"testing"

	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// TestGather: what travels together is there in its order, a question among it sees what went before, and one that is refused fails all.
func TestGather(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		rows := some(3)
		count := func(tx *gorm.DB) (n int64) {
			t.Helper()
			if err := tx.Model(&models.Mailbox{}).Where("domain = 'gathered'").Count(&n).Error; err != nil {
				t.Error(err)
			}
			return n
		}
		err := db.Tx(t.Context(), func(tx *gorm.DB) error {
			err := database.Gather(tx, func() error {
				if err := database.InsertAll(tx, rows[:2], ""); err != nil {
					return err
				}
				if err := tx.Exec("UPDATE mailboxes SET domain = 'gathered'").Error; err != nil {
					return err
				}
				if n := count(tx); n != 2 {
					t.Errorf("a question in the middle sees %d", n)
				}
				rows[2].Domain = "gathered"
				return database.InsertAll(tx, rows[2:], "")
			})
			if n := count(tx); err != nil || n != 3 {
				t.Errorf("after it there are %d, %v", n, err)
			}
			return err
		})
		if n := count(db.DB); err != nil || n != 3 {
			t.Fatalf("%d were kept, %v", n, err)
		}
		err = db.Tx(t.Context(), func(tx *gorm.DB) error {
			return database.Gather(tx, func() error {
				if err := tx.Exec("UPDATE mailboxes SET domain = 'lost'").Error; err != nil {
					return err
				}
				return database.InsertAll(tx, rows[:1], "") // it is there already
			})
		})
		if n := count(db.DB); !database.Refused(err) || n != 3 {
			t.Errorf("one that is refused: %v, and %d are as they were", err, n)
		}
	})
}
