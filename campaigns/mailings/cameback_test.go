package mailings_test

import (
	"testing"

	"gorm.io/gorm"

	"kithline/campaigns/inbound"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// answer is a mail that somebody sends in answer to a delivery, or that a server sends back.
func (w *world) answer(d models.Delivery, head, body string) []byte {
	return []byte("From: June <june@example.net>\r\nIn-Reply-To: <d." + w.signer.MakeForever(tokens.Message, d.ID) + "@act.example.org>\r\n" + head + "\r\n" + body)
}

func TestWhatComesBackOfAMailing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		in := inbound.New(inbound.Options{DB: db, Vault: w.vault, Clock: w.clk, Signer: w.signer, PerHour: 100})
		in.Register("", w.svc.CameBack)
		w.signers(3)
		id := w.draft()
		w.write(id, "Good news", "Hello {{given_name}}")
		w.send(id)
		w.drain()
		var ds []models.Delivery
		w.must(w.db.Where("mailing_id = ?", id).Order("id").Find(&ds).Error)
		if len(ds) != 3 || ds[0].State != models.DeliverySent {
			t.Fatalf("%d deliveries", len(ds))
		}
		take := func(raw []byte) {
			t.Helper()
			got, err := in.Take(ctx, models.SourceIMAP, raw)
			w.must(err)
			if got != inbound.Done {
				t.Fatalf("it is %s", got)
			}
		}
		effect := func(d models.Delivery, class string) string {
			var r models.InboundReport
			w.must(w.db.Take(&r, "delivery_id = ? AND class = ?", d.ID, class).Error)
			return r.Effect
		}
		agreed := func(d models.Delivery) bool {
			var n int64
			w.must(w.db.Model(&models.Consent{}).Where("mailbox_id = ? AND purpose = ? AND withdrawn_at IS NULL", d.MailboxID, d.Purpose).Count(&n).Error)
			return n > 0
		}

		take(w.answer(ds[0], "", "I will be there. Stop the bill!\r\n"))
		if !agreed(ds[0]) || effect(ds[0], "reply") != "" {
			t.Error("an answer took a consent back")
		}
		take(w.answer(ds[0], "", "Stop\r\n\r\n> Hello\r\n"))
		var c models.Consent
		w.must(w.db.Take(&c, "mailbox_id = ? AND purpose = ?", ds[0].MailboxID, ds[0].Purpose).Error)
		if c.WithdrawnAt == nil || c.WithdrawnHow != "reply" || effect(ds[0], "stop") != models.EffectStopped || !agreed(ds[1]) {
			t.Errorf("%+v, %s", c, effect(ds[0], "stop"))
		}

		// The mailing is still being sent when a server calls it too big.
		w.must(w.db.Tx(ctx, func(tx *gorm.DB) error {
			return tx.Model(&models.Mailing{}).Where("id = ?", id).Updates(map[string]any{"state": models.MailingSending, "finished_at": nil}).Error
		}))
		dsn := "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\nMIME-Version: 1.0\r\n"
		body := "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; june@example.net\r\nAction: failed\r\nStatus: 5.3.4\r\nDiagnostic-Code: smtp; 552 5.3.4 too big\r\n\r\n--b--\r\n"
		take(w.answer(ds[1], dsn, body))
		var m models.Mailing
		w.must(w.db.Take(&m, "id = ?", id).Error)
		if m.State != models.MailingPaused || m.PausedReason != "mailings.paused_returned" || m.PausedAt == nil || effect(ds[1], "ours") != models.EffectPaused {
			t.Errorf("%s %q, %s", m.State, m.PausedReason, effect(ds[1], "ours"))
		}
		take(w.answer(ds[2], dsn, body))
		if got := effect(ds[2], "ours"); got != "" {
			t.Errorf("paused twice: %q", got)
		}
		var paused int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("action = ? AND object_id = ?", "mailing.pause", id).Count(&paused).Error)
		if paused != 1 {
			t.Errorf("%d entries in the log", paused)
		}
		// A receipt has nothing to stop.
		receipt := ds[2]
		receipt.ID, receipt.Purpose, receipt.Kind, receipt.DedupeKey, receipt.MailingID = models.NewID(), models.PurposeReceipt, "x", "receipt", nil
		w.must(w.db.Create(&receipt).Error)
		take(w.answer(receipt, "", "stop\r\n"))
		if got := effect(receipt, "stop"); got != "" || !agreed(ds[2]) {
			t.Errorf("%q", got)
		}
	})
}
