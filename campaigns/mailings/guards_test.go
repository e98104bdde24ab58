package mailings_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// TestDeliveriesPointToSomething: a delivery to no mailbox or of no mailing is refused, and what deliveries point to cannot be deleted,
// whether a foreign key or a trigger sees to it.
func TestDeliveriesPointToSomething(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(1)
		id := w.draft()
		w.send(id)
		bare := w.mailbox("bare@example.org")
		row := func(change func(*models.Delivery)) *models.Delivery {
			d := models.Delivery{
				ID: models.NewID(), Kind: "x", MailboxID: bare, SubjectID: bare, Purpose: models.PurposeReceipt, State: models.DeliverySent, OnUnknown: models.Park,
				NotBefore: start, CreatedAt: start, UpdatedAt: start,
			}
			d.DedupeKey = d.ID.String()
			change(&d)
			return &d
		}
		w.must(db.Create(row(func(*models.Delivery) {})).Error)
		none := models.NewID()
		for name, d := range map[string]*models.Delivery{
			"to no mailbox": row(func(d *models.Delivery) { d.MailboxID = none }),
			"of no mailing": row(func(d *models.Delivery) { d.MailingID = &none }),
		} {
			if err := db.Create(d).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// One wrong row among many takes the whole statement with it.
		many := []*models.Delivery{row(func(*models.Delivery) {}), row(func(d *models.Delivery) { d.MailboxID = none })}
		if err := db.Create(&many).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
			t.Errorf("among others: %v", err)
		}
		for _, q := range []string{"DELETE FROM mailboxes WHERE id = '" + bare.String() + "'", "DELETE FROM mailings WHERE id = '" + id.String() + "'"} {
			if err := db.Exec(q).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
				t.Errorf("%s: %v", q, err)
			}
		}
		if err := db.Exec("UPDATE deliveries SET mailing_id = ? WHERE mailing_id IS NOT NULL", none).Error; err == nil {
			t.Error("a delivery became one of another mailing")
		}
		var n int64
		w.must(db.Model(&models.Delivery{}).Count(&n).Error)
		if n != 2 {
			t.Errorf("%d deliveries", n)
		}
		// What nothing points to goes.
		w.must(db.Where("mailbox_id = ?", bare).Delete(&models.Delivery{}).Error)
		w.must(db.Delete(&models.Mailbox{}, "id = ?", bare).Error)
	})
}
