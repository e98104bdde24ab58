package exports_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/tests/rows"
)

// Letters with names go to who has both rights alone, with what was sealed opened and nothing that a spreadsheet would run; that they went
// is written down.
func TestLettersWithNames(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		boss := w.user(actor.Owner, nil)
		hash := w.vault.AddressHash("june@example.org")
		june := models.Mailbox{ID: models.NewID(), AddressHash: hash, AddressSealed: w.vault.SealBytes("mailboxes", "address_sealed", hash, []byte("june@example.org")), CreatedAt: start, UpdatedAt: start}
		holder := models.Campaign{ID: models.NewID(), Slug: "c", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
		place := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:7", Country: "US", Region: "WN", Kind: models.DivisionLower, CreatedAt: start, UpdatedAt: start}
		handed := models.Delivery{
			ID: models.NewID(), Kind: "letter", MailboxID: june.ID, SubjectID: models.NewID(), Purpose: models.PurposeReceipt, DedupeKey: "letter/1", State: models.DeliverySent, OnUnknown: models.Park,
			NotBefore: start, CreatedAt: start, UpdatedAt: start,
		}
		w.create(&june, &holder, &place, &handed)
		made := rows.AroundLetters(rows.Lettered{
			Campaign: holder.ID, Mailbox: june.ID, User: boss.UserID, Division: place.ID, Delivery: handed.ID, ConsentText: models.NewID(), At: start, Later: start,
			Word: func(s string) string { return "=" + s }, Seal: w.vault.Seal,
		})
		w.create(made...)
		var c models.LetterCampaign
		w.must(w.db.Take(&c).Error)
		in := exports.Input{Kind: exports.KindLetters, Format: exports.CSV, LetterCampaignID: c.ID}
		text := string(w.write(boss, in))
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
		w.must(err)
		got := map[string]string{}
		for i, name := range lines[0] {
			got[name] = lines[1][i]
		}
		for name, want := range map[string]string{
			"number": "1", "state": "held", "given_name": "June", "family_name": "Okafor", "email": "june@example.org", "street": "1 Main Street", "city": "Quillby", "region": "WN", "postal_area": "00011",
			"subject": "HB 412", "own_words": "'=My father", "recipients": "'=Ada Quill (answered)",
		} {
			if got[name] != want {
				t.Errorf("%s: %q, want %q", name, got[name], want)
			}
		}
		if len(lines) != 2 {
			t.Errorf("%d lines", len(lines))
		}
		var n int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("action IN ('export.ask', 'export.finish') AND actor_id = ? AND details LIKE '%letters%'", boss.UserID).Count(&n).Error)
		if n != 2 {
			t.Errorf("%d entries in the audit log", n)
		}
		for _, a := range []actor.Actor{w.user(actor.Advocate, nil), w.user(actor.Viewer, nil), {Kind: actor.User, UserID: boss.UserID, Role: actor.Organizer, ChapterID: models.NewID()}, {Kind: actor.User, UserID: boss.UserID, Role: actor.Owner, OneStep: true}} {
			if _, err := w.svc.Create(t.Context(), a, in); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%+v: %v", a, err)
			}
		}
		in.LetterCampaignID = uuid.New()
		if _, err := w.svc.Create(t.Context(), boss, in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	})
}
