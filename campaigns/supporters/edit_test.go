package supporters_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// fields are the names that a fault of kind Invalid is about, with their keys.
func fields(err error) map[string]string {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Invalid {
		return nil
	}
	out := map[string]string{}
	for _, f := range e.Fields {
		out[f.Name] = f.Key
	}
	return out
}

func (r *room) audited(action string) int {
	r.t.Helper()
	var n int64
	r.must(r.db.Model(&models.AuditEntry{}).Where("action = ?", action).Count(&n).Error)
	return int(n)
}

func TestAnAddressIsFilledAsOne(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		show := func(id uuid.UUID) supporters.View {
			t.Helper()
			v, err := r.Show(ctx, organizer(), id)
			r.must(err)
			return v
		}
		told := supporters.Facts{Street: "1 Pine Road", City: "Boston", Region: "ma", PostalArea: "02139-1234", Country: "us", TimeZone: "America/New_York"}
		same := r.person("same@example.org", supporters.Facts{PostalArea: "02139", Country: "US"}, nil)
		other := r.person("other@example.org", supporters.Facts{PostalArea: "10001", TimeZone: "Nowhere/Else"}, nil)
		rowSame, rowOther := r.person("a@example.org", supporters.Facts{PostalArea: "02139"}, nil), r.person("b@example.org", supporters.Facts{PostalArea: "10001"}, nil)
		for _, id := range []uuid.UUID{same, other} {
			r.must(supporters.Fill(ctx, db.DB, r.v, id, told.Trim(), r.clk.Now()))
		}
		rows := []models.Supporter{supporters.NewRow(r.v, rowSame, told.Trim(), r.clk.Now()), supporters.NewRow(r.v, rowOther, told.Trim(), r.clk.Now())}
		r.must(db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: supporters.FillEmpty()}).Create(&rows).Error)
		for name, id := range map[string]uuid.UUID{"fill": same, "rows": rowSame} {
			if v := show(id); v.Street != "1 Pine Road" || v.City != "Boston" || v.Region != "MA" || v.PostalArea != "02139" || v.TimeZone != "America/New_York" {
				t.Errorf("%s: %+v", name, v)
			}
		}
		for name, id := range map[string]uuid.UUID{"fill": other, "rows": rowOther} {
			if v := show(id); v.Street != "" || v.City != "" || v.Region != "" || v.PostalArea != "10001" || v.Country != "US" || v.TimeZone != "America/New_York" {
				t.Errorf("%s: an address of two: %+v", name, v)
			}
		}
	})
}

func TestPhonesOfAnOlderVersionMove(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		const people = 1203
		rows := make([]models.Supporter, people)
		for i := range rows {
			id := models.NewID()
			rows[i] = models.Supporter{ID: id, Country: "US", Source: "import", CreatedAt: now, UpdatedAt: now, PhoneSealed: r.v.Seal("supporters", "phone_sealed", id, "(617) 253-1000")}
		}
		rows[1].PhoneSealed = bytes.Repeat([]byte{7}, 60) // does not open
		rows[2].PhoneSealed = nil
		rows[3].PhoneSealed = r.v.Seal("supporters", "phone_sealed", rows[3].ID, "call the office")
		r.must(db.CreateInBatches(&rows, 400).Error)
		r.must(supporters.AddPhone(ctx, db.DB, r.v, rows[4].ID, "+1 617 253 1000", "", now))
		moved, left, err := supporters.MovePhones(ctx, db, r.v, now)
		if err != nil || moved != people-2 || left != 1 {
			t.Fatalf("%d moved, %d left, %v", moved, left, err)
		}
		if moved, left, err = supporters.MovePhones(ctx, db, r.v, now); err != nil || moved != 0 || left != 1 {
			t.Errorf("again: %d moved, %d left, %v", moved, left, err)
		}
		var phones int64
		r.must(db.Model(&models.Phone{}).Count(&phones).Error)
		if phones != people-2 {
			t.Errorf("%d phones", phones)
		}
		for i, want := range map[int]string{0: "+1 617-253-1000", 3: "call the office", 4: "+1 617-253-1000", people - 1: "+1 617-253-1000"} {
			v, err := r.Show(ctx, organizer(), rows[i].ID)
			if err != nil || len(v.Phones) != 1 || v.Phones[0].Number != want {
				t.Errorf("%d: %+v, %v", i, v.Phones, err)
			}
		}
		if v, err := r.Show(ctx, organizer(), rows[2].ID); err != nil || len(v.Phones) != 0 {
			t.Errorf("%+v, %v", v.Phones, err)
		}
	})
}

func TestEditing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		harbor, hill := r.chapter("Harbor"), r.chapter("Hill")
		id := r.person("june@example.org", supporters.Facts{GivenName: "June", Phone: "617 253 1000", PostalArea: "02139", Country: "US", Locale: "en"}, harbor)
		owner := actor.Actor{Kind: actor.User, Role: actor.Owner}
		field := func(in supporters.FieldInput) models.CustomField {
			t.Helper()
			f, err := r.AddField(ctx, owner, in)
			r.must(err)
			return f
		}
		nick := field(supporters.FieldInput{Label: "Preferred name", Kind: models.FieldText, SeenBy: actor.Coordinator})
		salary := field(supporters.FieldInput{Name: "payroll", Label: "Payroll", Kind: models.FieldNumber, SeenBy: actor.Owner})
		secret := field(supporters.FieldInput{Label: "Access needs", Kind: models.FieldText, Private: true, SeenBy: actor.Organizer})
		color := field(supporters.FieldInput{Label: "Colour", Kind: models.FieldChoice, Choices: "Red\n red \nBlue", SeenBy: actor.Organizer})
		born := field(supporters.FieldInput{Label: "Born", Kind: models.FieldDate, SeenBy: actor.Organizer})
		drives := field(supporters.FieldInput{Label: "Drives", Kind: models.FieldYesNo, SeenBy: actor.Organizer})
		if nick.Name != "preferred_name" || color.Choices != "Red\nBlue" {
			t.Errorf("%+v %+v", nick, color)
		}

		e, err := r.Edit(ctx, owner, id)
		r.must(err)
		if len(e.Fields) != 6 || len(e.Chapters) != 2 || e.Draft.Phones != "+1 617-253-1000" || e.Draft.Chapter != harbor.String() {
			t.Fatalf("%+v", e)
		}
		d := e.Draft
		if changed, err := r.Save(ctx, owner, id, d); err != nil || changed || r.audited("supporter.edit") != 0 {
			t.Errorf("nothing was changed: %v, %v", changed, err)
		}
		d.FamilyName, d.Street, d.TimeZone, d.Phones = "Okafor", "1 Pine Road", "America/Chicago", "+1 617-253-1000\n  617.253.1001 \n1-617-253-1001\nask her sister"
		d.Answers = map[uuid.UUID]string{salary.ID: "1250.50", secret.ID: "needs a ramp", color.ID: "blue", born.ID: "1980-02-29", drives.ID: "Yes"}
		d.Chapter = hill.String()
		first := d
		changed, err := r.Save(ctx, owner, id, d)
		if err != nil || !changed || r.audited("supporter.edit") != 1 {
			t.Fatalf("%v, %v", changed, err)
		}
		v, err := r.Show(ctx, owner, id)
		r.must(err)
		answers := func(v supporters.View) string {
			var s []string
			for _, a := range v.Answers {
				s = append(s, a.Field.Name+"="+a.Value)
			}
			return strings.Join(s, " ")
		}
		numbers := func(v supporters.View) (out []string) {
			for _, p := range v.Phones {
				out = append(out, p.Number)
			}
			return out
		}
		if v.FamilyName != "Okafor" || v.Street != "1 Pine Road" || v.Chapter != "Hill" || !slices.Equal(numbers(v), []string{"+1 617-253-1000", "+1 617-253-1001", "ask her sister"}) ||
			answers(v) != "preferred_name= payroll=1250.5 access_needs=needs a ramp colour=Blue born=1980-02-29 drives=yes" {
			t.Errorf("%+v: %v %s", v, numbers(v), answers(v))
		}
		var sealed models.FieldValue
		r.must(db.Take(&sealed, "field_id = ?", secret.ID).Error)
		if sealed.TextValue != "" || sealed.NumberValue != nil || sealed.ValueSealed == nil || bytes.Contains(sealed.ValueSealed, []byte("ramp")) {
			t.Errorf("a private answer in clear: %+v", sealed)
		}
		var entry models.AuditEntry
		r.must(db.Take(&entry, "action = 'supporter.edit'").Error)
		if strings.Contains(entry.Details, "Okafor") || strings.Contains(entry.Details, "ramp") || !strings.Contains(entry.Details, "family_name") {
			t.Errorf("the audit log says %s", entry.Details)
		}

		// Who edited an older state is told, and nothing is written.
		first.GivenName = "Jane"
		if _, err := r.Save(ctx, owner, id, first); !fault.Is(err, fault.Conflict) {
			t.Errorf("an old revision: %v", err)
		}
		for name, change := range map[string]func(tx *gorm.DB) error{
			"a phone": func(tx *gorm.DB) error {
				return supporters.AddPhone(ctx, tx, r.v, id, "617 253 1002", "US", r.clk.Add(time.Second))
			},
			"a field": func(tx *gorm.DB) error {
				return supporters.SetField(ctx, tx, r.v, id, born, "1981-01-01", r.clk.Add(time.Second))
			},
			"a fact": func(tx *gorm.DB) error {
				return supporters.Fill(ctx, tx, r.v, id, supporters.Facts{City: "Boston"}, r.clk.Add(time.Second))
			},
		} {
			e, err := r.Edit(ctx, owner, id)
			r.must(err)
			r.must(db.Tx(ctx, change))
			if _, err := r.Save(ctx, owner, id, e.Draft); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s came meanwhile: %v", name, err)
			}
		}

		// An organizer neither sees nor changes what is the owner's.
		e, err = r.Edit(ctx, organizer(), id)
		r.must(err)
		d = e.Draft
		d.Answers[salary.ID] = "1"
		d.Answers[nick.ID] = "Junie"
		_, err = r.Save(ctx, organizer(), id, d)
		r.must(err)
		if v, err = r.Show(ctx, owner, id); err != nil || !strings.Contains(answers(v), "payroll=1250.5 ") || !strings.Contains(answers(v), "preferred_name=Junie") {
			t.Errorf("%s, %v", answers(v), err)
		}
		if v, err = r.Show(ctx, organizer(), id); err != nil || strings.Contains(answers(v), "payroll") || !strings.Contains(answers(v), "ramp") {
			t.Errorf("an organizer sees %s, %v", answers(v), err)
		}
		if v, err = r.Show(ctx, actor.Actor{Kind: actor.User, Role: actor.Coordinator}, id); err != nil || answers(v) != "preferred_name=Junie" {
			t.Errorf("a coordinator sees %s, %v", answers(v), err)
		}

		// What is wrong is told by field, and all at once; what nobody touched is not looked at.
		r.must(db.Model(&models.Supporter{}).Where("id = ?", id).UpdateColumn("country", "Erewhon").Error)
		e, err = r.Edit(ctx, owner, id)
		r.must(err)
		d = e.Draft
		d.City, d.Answers[salary.ID], d.Answers[color.ID], d.Answers[born.ID], d.Answers[drives.ID] = "Boston Harbor", "many", "green", "1981-02-29", "perhaps"
		want := map[string]string{
			supporters.FieldInputName(salary.ID): "error.field_number", supporters.FieldInputName(color.ID): "error.field_choice",
			supporters.FieldInputName(born.ID): "error.field_date", supporters.FieldInputName(drives.ID): "error.field_yes_no",
		}
		if _, err := r.Save(ctx, owner, id, d); len(fields(err)) != 4 || !equal(fields(err), want) {
			t.Errorf("%v", err)
		}
		e, err = r.Edit(ctx, owner, id)
		r.must(err)
		d = e.Draft
		d.Country, d.Locale, d.TimeZone, d.Chapter, d.GivenName, d.Phones = "Atlantis", "no language", "Moon/Base", models.NewID().String(), strings.Repeat("x", 101), strings.Repeat("1\n", 11)
		want = map[string]string{
			"country": "error.country_unknown", "locale": "error.language_unknown", "time_zone": "error.zone_unknown", "chapter": "error.value_unknown",
			"given_name": "error.text_too_long", "phones": "error.phones_many",
		}
		if _, err := r.Save(ctx, owner, id, d); !equal(fields(err), want) {
			t.Errorf("%v", err)
		}
		// Somebody of a chapter moves nobody.
		e, err = r.Edit(ctx, of(hill), id)
		r.must(err)
		d = e.Draft
		d.City, d.Chapter = "Salem", harbor.String()
		_, err = r.Save(ctx, of(hill), id, d)
		r.must(err)
		if v, err = r.Show(ctx, owner, id); err != nil || v.City != "Salem" || v.Chapter != "Hill" || len(e.Chapters) != 0 {
			t.Errorf("%+v, %v", v, err)
		}
		// Emptied is gone.
		e, err = r.Edit(ctx, owner, id)
		r.must(err)
		d = e.Draft
		d.Phones, d.Street, d.Answers[secret.ID] = "", "", ""
		_, err = r.Save(ctx, owner, id, d)
		r.must(err)
		if v, err = r.Show(ctx, owner, id); err != nil || len(v.Phones) != 0 || v.Street != "" || strings.Contains(answers(v), "ramp") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestAddedByHandMeansContactableForNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		harbor, hill := r.chapter("Harbor"), r.chapter("Hill")
		id, err := r.Add(ctx, of(harbor), " June@Example.org ", supporters.Draft{GivenName: "June", Phones: "617 253 1000", PostalArea: "02139", Chapter: hill.String()})
		r.must(err)
		v, err := r.Show(ctx, of(harbor), id)
		r.must(err)
		if v.GivenName != "June" || v.Chapter != "Harbor" || v.Source != "hand" || len(v.Phones) != 1 || len(v.Mailboxes) != 1 || v.Mailboxes[0].Address != "june@example.org" || v.Mailboxes[0].VerifiedAt != nil || len(v.Consents) != 0 {
			t.Errorf("%+v", v)
		}
		mailable := func() (n int64) {
			t.Helper()
			r.must(db.Table("mailable").Count(&n).Error)
			return n
		}
		if mailable() != 0 {
			t.Error("contactable")
		}
		// An address that is there already, one that was erased, one that is nobody's.
		box, err := mailboxes.Ensure(ctx, db.DB, r.v, "gone@example.org", now)
		r.must(err)
		r.must(db.Create(&models.Erasure{ID: models.NewID(), AddressHash: box.AddressHash, How: "person", CreatedAt: now}).Error)
		for _, x := range []struct {
			a          actor.Actor
			email, key string
		}{
			{of(harbor), "june@example.org", "error.supporter_there"},
			{of(hill), "june@example.org", "error.supporter_not_added"},
			{of(hill), "gone@example.org", "error.supporter_not_added"},
			{organizer(), "gone@example.org", "error.supporter_erased"},
			{organizer(), "june@example.org", "error.supporter_there"},
			{organizer(), "june", "error.email_invalid"},
		} {
			if _, err := r.Add(ctx, x.a, x.email, supporters.Draft{GivenName: "X"}); fields(err)["email"] != x.key {
				t.Errorf("%s: %v, want %s", x.email, err, x.key)
			}
		}
		var people int64
		r.must(db.Model(&models.Supporter{}).Count(&people).Error)
		if people != 1 {
			t.Errorf("%d records", people)
		}

		// A consent by hand, with its proof.
		on := now.AddDate(0, 0, -3).Format(time.DateOnly)
		yes := supporters.Yes{MailboxID: v.Mailboxes[0].ID, Purpose: models.PurposeNewsletter, Words: "Write to me.", Where: "Town meeting, sheet 3", On: on, Locale: "en"}
		for name, x := range map[string]struct {
			in   func(y supporters.Yes) supporters.Yes
			want map[string]string
		}{
			"nothing":    {func(y supporters.Yes) supporters.Yes { return supporters.Yes{MailboxID: y.MailboxID, Locale: "en"} }, map[string]string{"purpose": "error.consent_purpose_missing", "words": "error.consent_words_missing", "where": "error.consent_where_missing", "on": "error.field_date"}},
			"future":     {func(y supporters.Yes) supporters.Yes { y.On = "2099-01-01"; return y }, map[string]string{"on": "error.consent_future"}},
			"receipt":    {func(y supporters.Yes) supporters.Yes { y.Purpose = models.PurposeReceipt; return y }, map[string]string{"purpose": "error.consent_purpose_missing"}},
			"no scope":   {func(y supporters.Yes) supporters.Yes { y.Purpose = models.PurposeUpdates; return y }, map[string]string{"purpose": "error.consent_scope_missing"}},
			"no topic":   {func(y supporters.Yes) supporters.Yes { y.ScopeID = models.NewID(); return y }, map[string]string{"purpose": "error.consent_scope_missing"}},
			"no partner": {func(y supporters.Yes) supporters.Yes { y.Purpose = models.PurposeShare; return y }, map[string]string{"purpose": "error.consent_scope_missing"}},
		} {
			if err := r.RecordConsent(ctx, of(harbor), id, x.in(yes)); !equal(fields(err), x.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r.must(r.RecordConsent(ctx, of(harbor), id, yes))
		if mailable() != 1 {
			t.Error("not contactable after the consent")
		}
		if err := r.RecordConsent(ctx, of(harbor), id, yes); fields(err)["purpose"] != "error.consent_there" {
			t.Errorf("twice: %v", err)
		}
		v, err = r.Show(ctx, of(harbor), id)
		r.must(err)
		c := v.Consents[0]
		if c.How != models.ConsentByHand || c.Words != "Write to me." || c.Source != "Town meeting, sheet 3" || c.GivenAt.Format(time.DateOnly) != on || c.Version != 1 {
			t.Errorf("%+v", c)
		}
		// A no counts more than an older yes.
		r.must(r.WithdrawConsent(ctx, of(harbor), id, c.ID))
		if mailable() != 0 {
			t.Error("contactable after the no")
		}
		if err := r.RecordConsent(ctx, of(harbor), id, yes); fields(err)["on"] != "error.consent_withdrawn" {
			t.Errorf("an older yes over a no: %v", err)
		}
		yes.On = r.clk.Now().Format(time.DateOnly)
		if err := r.RecordConsent(ctx, of(harbor), id, yes); fields(err)["on"] != "error.consent_withdrawn" {
			t.Errorf("a yes of the same day: %v", err)
		}
		r.clk.Add(24 * time.Hour)
		yes.On = r.clk.Now().Format(time.DateOnly)
		r.must(r.RecordConsent(ctx, of(harbor), id, yes))
		v, err = r.Show(ctx, of(harbor), id)
		r.must(err)
		if len(v.Consents) != 2 || v.Consents[1].WithdrawnHow != "organizer" || mailable() != 1 {
			t.Errorf("%+v", v.Consents)
		}
		// Stopped by hand, started again.
		if err := r.Suppress(ctx, of(harbor), id, yes.MailboxID, "because"); fields(err)["reason"] == "" {
			t.Errorf("no reason: %v", err)
		}
		r.must(r.Suppress(ctx, of(harbor), id, yes.MailboxID, "asked"))
		if mailable() != 0 {
			t.Error("contactable though stopped")
		}
		r.must(r.Unsuppress(ctx, of(harbor), id, yes.MailboxID, "mistake"))
		if mailable() != 1 || r.audited("supporter.suppress") != 1 || r.audited("supporter.unsuppress") != 1 || r.audited("supporter.consent") != 2 || r.audited("supporter.add") != 1 {
			t.Error("not as it was")
		}
	})
}

// TestAChapterReachesNobodyElse: whatever somebody of a chapter tries on another chapter's person answers as for somebody who is
// not there, and changes nothing.
func TestAChapterReachesNobodyElse(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		harbor, hill := r.chapter("Harbor"), r.chapter("Hill")
		theirs := r.person("june@example.org", supporters.Facts{GivenName: "June"}, hill)
		mine := r.person("mine@example.org", supporters.Facts{GivenName: "Mine"}, harbor)
		whole := organizer()
		r.must(r.AddTag(ctx, whole, theirs, "drives"))
		author := models.User{ID: models.NewID(), MailboxID: mailbox(t, db, r.v, "ilse@example.org").ID, Role: "organizer", Locale: "en", CreatedAt: now, UpdatedAt: now}
		author.NameSealed = r.v.Seal("users", "name_sealed", author.ID, "Ilse")
		r.must(db.Create(&author).Error)
		whole.UserID = author.ID
		r.must(r.AddNote(ctx, whole, theirs, " Called on Monday.\nBetter on Tuesdays. "))
		for _, bad := range []string{" \n", strings.Repeat("x", 5001)} {
			if err := r.AddNote(ctx, whole, theirs, bad); fields(err)["note"] == "" {
				t.Errorf("%v", err)
			}
		}
		v, err := r.Show(ctx, whole, theirs)
		r.must(err)
		if len(v.Notes) != 1 || v.Notes[0].Body != "Called on Monday.\nBetter on Tuesdays." || v.Notes[0].Author != "Ilse" {
			t.Errorf("%+v", v.Notes)
		}
		box := v.Mailboxes[0].ID
		yes := supporters.Yes{MailboxID: box, Purpose: models.PurposeNewsletter, Words: "Yes", Where: "Here", On: "2027-01-01", Locale: "en"}
		r.must(r.RecordConsent(ctx, whole, theirs, yes))
		v, err = r.Show(ctx, whole, theirs)
		r.must(err)
		e, err := r.Edit(ctx, whole, theirs)
		r.must(err)
		before := r.dump()
		for _, a := range []actor.Actor{of(harbor), {Kind: actor.User, Role: actor.Owner, ChapterID: *harbor}} {
			for name, try := range map[string]func(id uuid.UUID) error{
				"show":     func(id uuid.UUID) error { _, err := r.Show(ctx, a, id); return err },
				"edit":     func(id uuid.UUID) error { _, err := r.Edit(ctx, a, id); return err },
				"save":     func(id uuid.UUID) error { _, err := r.Save(ctx, a, id, e.Draft); return err },
				"tag":      func(id uuid.UUID) error { return r.AddTag(ctx, a, id, "mine") },
				"untag":    func(id uuid.UUID) error { return r.RemoveTag(ctx, a, id, v.Tags[0].ID) },
				"note":     func(id uuid.UUID) error { return r.AddNote(ctx, a, id, "x") },
				"unnote":   func(id uuid.UUID) error { return r.DeleteNote(ctx, a, id, v.Notes[0].ID) },
				"stop":     func(id uuid.UUID) error { return r.Suppress(ctx, a, id, box, "asked") },
				"start":    func(id uuid.UUID) error { return r.Unsuppress(ctx, a, id, box, "asked") },
				"consent":  func(id uuid.UUID) error { return r.RecordConsent(ctx, a, id, yes) },
				"withdraw": func(id uuid.UUID) error { return r.WithdrawConsent(ctx, a, id, v.Consents[0].ID) },
			} {
				if err := try(theirs); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
				if err := try(models.NewID()); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s of nobody: %v", name, err)
				}
			}
			// Through a person of one's own, neither.
			for name, err := range map[string]error{
				"stop": r.Suppress(ctx, a, mine, box, "asked"), "start": r.Unsuppress(ctx, a, mine, box, "asked"), "consent": r.RecordConsent(ctx, a, mine, yes),
				"withdraw": r.WithdrawConsent(ctx, a, mine, v.Consents[0].ID),
			} {
				if !fault.Is(err, fault.NotFound) {
					t.Errorf("%s by one's own: %v", name, err)
				}
			}
			r.must(r.DeleteNote(ctx, a, mine, v.Notes[0].ID)) // a note that is not this person's: nothing happens
			for name, err := range map[string]error{
				"rename": r.RenameTag(ctx, a, v.Tags[0].ID, "x"), "merge": r.MergeTags(ctx, a, v.Tags[0].ID, models.NewID()), "delete": r.DeleteTag(ctx, a, v.Tags[0].ID),
				"add": func() error {
					_, err := r.AddField(ctx, a, supporters.FieldInput{Label: "X", Kind: models.FieldText, SeenBy: actor.Organizer})
					return err
				}(),
			} {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if after := r.dump(); after != before {
			t.Errorf("something was changed:\n%s\n%s", before, after)
		}
	})
}

// dump is what stands in the tables of records.
func (r *room) dump() string {
	r.t.Helper()
	var b strings.Builder
	for _, table := range []string{"supporters", "mailboxes", "notes", "taggings", "tags", "consents", "custom_fields", "field_values", "phones"} {
		var rows []map[string]any
		r.must(r.db.Table(table).Order("1, 2").Find(&rows).Error)
		for _, row := range rows {
			b.WriteString(table)
			for _, k := range slices.Sorted(keys(row)) {
				b.WriteString(" " + k + "=")
				b.WriteString(strings.ReplaceAll(text(row[k]), "\n", " "))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestTheTimelineTellsNothingThatWasLetGo(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		id := r.person("june@example.org", supporters.Facts{GivenName: "June"}, nil)
		v, err := r.Show(ctx, organizer(), id)
		r.must(err)
		box := v.Mailboxes[0].ID
		at := func(h int) *time.Time { x := now.Add(time.Duration(h) * time.Hour); return &x }
		campaign := models.Campaign{ID: models.NewID(), Slug: "c", Title: "C", State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now}
		petition := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "p", State: models.PetitionPublished, Title: "Taken back", Locale: "en", CreatedAt: now, UpdatedAt: now}
		words, err := consents.Text(ctx, db.DB, models.PurposeNewsletter, "en", "Yes.", now)
		r.must(err)
		r.must(errors.Join(
			db.Create(&campaign).Error, db.Create(&petition).Error,
			db.Create(&models.Signature{ID: models.NewID(), PetitionID: petition.ID, MailboxID: box, State: models.SignatureWithdrawn, Display: "name", ConfirmedAt: at(1), WithdrawnAt: at(2), CreatedAt: now, ExpiresAt: *at(9)}).Error,
			consents.Give(ctx, db.DB, consents.Given{MailboxID: box, Purpose: models.PurposeNewsletter, TextID: words.ID, Locale: "en", ShownAt: now, Source: "list", How: models.ConsentByMail}, *at(1)),
			db.Create(&models.Merge{ID: models.NewID(), SupporterID: id, GoneID: models.NewID(), CreatedAt: *at(3), UndoUntil: *at(99)}).Error,
			db.Create(&models.Merge{ID: models.NewID(), SupporterID: id, GoneID: models.NewID(), CreatedAt: *at(4), UndoUntil: *at(99), UndoneAt: at(5)}).Error,
		))
		_, err = consents.Withdraw(ctx, db.DB, box, models.PurposeNewsletter, uuid.Nil, "page", *at(4))
		r.must(err)
		r.Timeline(func(_ context.Context, boxes []uuid.UUID, supporter uuid.UUID, limit int) ([]supporters.Event, error) {
			if !slices.Equal(boxes, []uuid.UUID{box}) || supporter != id || limit < 1 {
				t.Errorf("asked for %v of %s", boxes, supporter)
			}
			return []supporters.Event{{At: *at(2), Key: "supporter.signed", What: "A shift"}}, nil
		})
		v, err = r.Show(ctx, organizer(), id)
		r.must(err)
		var told []string
		for _, e := range v.Timeline {
			told = append(told, e.Key+" "+e.What)
		}
		if !slices.Equal(told, []string{"supporter.merged ", "supporter.signed A shift"}) {
			t.Errorf("%q", told)
		}
	})
}

func TestTagsAndFieldsAreLookedAfter(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		a := organizer()
		june, sam := r.person("june@example.org", supporters.Facts{}, nil), r.person("sam@example.org", supporters.Facts{}, nil)
		for id, names := range map[uuid.UUID][]string{june: {"Driver", "drives"}, sam: {"driver"}} {
			for _, n := range names {
				r.must(r.AddTag(ctx, a, id, n))
			}
		}
		for _, bad := range []string{" ", strings.Repeat("x", 61)} {
			if err := r.AddTag(ctx, a, june, bad); fields(err)["tag"] == "" {
				t.Errorf("%q: %v", bad, err)
			}
		}
		tags := func() map[string]supporters.TagCount {
			t.Helper()
			list, err := r.Tags(ctx, a)
			r.must(err)
			out := map[string]supporters.TagCount{}
			for _, x := range list {
				out[x.Name] = x
			}
			return out
		}
		was := tags()
		driver, drives := was["Driver"], was["drives"]
		if len(was) == 3 { // made in either order
			t.Fatal(was)
		}
		if driver.ID == uuid.Nil {
			driver = was["driver"]
		}
		if driver.People != 2 || drives.People != 1 {
			t.Fatalf("%+v", was)
		}
		if err := r.RenameTag(ctx, a, drives.ID, "DRIVER"); fields(err)["name"] != "error.tag_taken" {
			t.Errorf("%v", err)
		}
		r.must(r.RenameTag(ctx, a, drives.ID, "Drives a van"))
		if err := r.DeleteTag(ctx, a, drives.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("in use: %v", err)
		}
		segment := models.Segment{ID: models.NewID(), Name: "S", Rule: `{"tag":"` + drives.ID.String() + `"}`, CreatedAt: now, UpdatedAt: now}
		r.must(db.Create(&segment).Error)
		if err := r.MergeTags(ctx, a, drives.ID, drives.ID); fields(err)["into"] == "" {
			t.Errorf("%v", err)
		}
		r.must(r.MergeTags(ctx, a, drives.ID, driver.ID))
		if now := tags(); len(now) != 1 {
			t.Errorf("%+v", now)
		}
		r.must(db.Take(&segment, "id = ?", segment.ID).Error)
		if segment.Rule != `{"tag":"`+driver.ID.String()+`"}` {
			t.Errorf("the segment asks for %s", segment.Rule)
		}
		r.must(r.RemoveTag(ctx, a, june, driver.ID))
		r.must(r.RemoveTag(ctx, a, sam, driver.ID))
		if err := r.DeleteTag(ctx, a, driver.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("a segment names it: %v", err)
		}
		r.must(db.Delete(&segment).Error)
		r.must(r.DeleteTag(ctx, a, driver.ID))
		if err := r.DeleteTag(ctx, a, driver.ID); !fault.Is(err, fault.NotFound) || len(tags()) != 0 {
			t.Errorf("%v", err)
		}

		for name, x := range map[string]struct {
			in   supporters.FieldInput
			want map[string]string
		}{
			"nothing":   {supporters.FieldInput{}, map[string]string{"label": "error.field_label_missing", "seen_by": "error.value_unknown", "kind": "error.value_unknown"}},
			"no name":   {supporters.FieldInput{Label: "名前", Kind: models.FieldText, SeenBy: actor.Organizer}, map[string]string{"name": "error.field_name"}},
			"taken":     {supporters.FieldInput{Label: "Email", Kind: models.FieldText, SeenBy: actor.Organizer}, map[string]string{"name": "error.field_name_taken"}},
			"wider":     {supporters.FieldInput{Label: "X", Kind: models.FieldText, SeenBy: actor.Owner}, map[string]string{"seen_by": "error.value_unknown"}},
			"no choice": {supporters.FieldInput{Label: "X", Kind: models.FieldChoice, Choices: "one\n ONE\n", SeenBy: actor.Organizer}, map[string]string{"choices": "error.field_choices"}},
		} {
			if _, err := r.AddField(ctx, a, x.in); !equal(fields(err), x.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var made []models.CustomField
		for _, label := range []string{"One", "Two", "Three"} {
			f, err := r.AddField(ctx, a, supporters.FieldInput{Label: label, Kind: models.FieldChoice, Choices: "x\ny", SeenBy: actor.Organizer})
			r.must(err)
			made = append(made, f)
		}
		if _, err := r.AddField(ctx, a, supporters.FieldInput{Label: "one", Kind: models.FieldText, SeenBy: actor.Organizer}); fields(err)["name"] != "error.field_name_taken" {
			t.Errorf("%v", err)
		}
		order := func() string {
			t.Helper()
			list, err := r.Fields(ctx, a)
			r.must(err)
			var s []string
			for _, f := range list {
				s = append(s, f.Name)
			}
			return strings.Join(s, " ")
		}
		r.must(r.MoveField(ctx, a, made[2].ID, true))
		r.must(r.MoveField(ctx, a, made[2].ID, true))
		r.must(r.MoveField(ctx, a, made[2].ID, true))
		if got := order(); got != "three one two" {
			t.Error(got)
		}
		r.must(db.Tx(ctx, func(tx *gorm.DB) error { return supporters.SetField(ctx, tx, r.v, june, made[0], "x", now) }))
		r.must(r.ChangeField(ctx, a, made[0].ID, supporters.FieldInput{Name: "other", Label: "Uno", Kind: models.FieldText, Choices: "y\nz", Private: true, SeenBy: actor.Coordinator}))
		r.must(r.ArchiveField(ctx, a, made[0].ID, true))
		f, err := r.Field(ctx, a, made[0].ID)
		if err != nil || f.Name != "one" || f.Kind != models.FieldChoice || f.Private || f.Label != "Uno" || f.Choices != "y\nz" || f.ArchivedAt == nil || order() != "three two one" {
			t.Errorf("%+v, %s, %v", f, order(), err)
		}
		// What was answered stays, though nobody is asked any more.
		v, err := r.Show(ctx, a, june)
		if err != nil || len(v.Answers) != 3 || v.Answers[2].Value != "x" {
			t.Errorf("%+v, %v", v.Answers, err)
		}
		if e, err := r.Edit(ctx, a, june); err != nil || len(e.Fields) != 2 {
			t.Errorf("%+v, %v", e.Fields, err)
		}
		r.must(r.ArchiveField(ctx, a, made[0].ID, false))
		if e, err := r.Edit(ctx, a, june); err != nil || e.Draft.Answers[made[0].ID] != "x" {
			t.Errorf("%+v, %v", e.Draft, err)
		}
	})
}
