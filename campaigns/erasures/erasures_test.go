package erasures

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/tables"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// world is a database with people in every table.
type world struct {
	*Service
	t       *testing.T
	db      *database.DB
	clk     *clock.Fixed
	vault   *vault.Vault
	files   *files.Service
	jobs    []copiesArgs
	parents map[string]uuid.UUID // by column: the row that it points to
	nobody  uuid.UUID            // a record without anything
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clk: clock.NewFixed(start), vault: vault.New(vault.NewKey())}
	dir := t.TempDir()
	stored, err := files.NewFolder(filepath.Join(dir, "files"))
	w.must(err)
	outside, err := files.NewFolder(filepath.Join(dir, "erased"))
	w.must(err)
	w.files = files.New(db, w.vault, w.clk, stored)
	w.Service = New(Options{
		DB: db, Vault: w.vault, Clock: w.clk, Files: w.files, Ledger: NewLedger(outside),
		Enqueue: func(_ context.Context, _ *gorm.DB, args river.JobArgs) error {
			w.jobs = append(w.jobs, args.(copiesArgs))
			return nil
		},
	})
	author := models.Mailbox{ID: models.NewID(), AddressHash: []byte("author"), AddressSealed: []byte("author"), CreatedAt: start, UpdatedAt: start}
	user := models.User{ID: models.NewID(), MailboxID: author.ID, Role: "owner", CreatedAt: start, UpdatedAt: start}
	campaign := models.Campaign{ID: models.NewID(), Slug: "c", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
	petition := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "p", State: models.PetitionPublished, SignatureCount: 3, CreatedAt: start, UpdatedAt: start}
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: "Write to me", CreatedAt: start}
	form := models.Form{ID: models.NewID(), Slug: "f", State: models.FormOpen, CreatedAt: start, UpdatedAt: start}
	tag := models.Tag{ID: models.NewID(), Name: "Choir", NameKey: "choir", CreatedAt: start}
	field := models.CustomField{ID: models.NewID(), Name: "shirt", Kind: models.FieldText, SeenBy: "organizer", CreatedAt: start, UpdatedAt: start}
	division := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn", CreatedAt: start, UpdatedAt: start}
	chapter := models.Chapter{ID: models.NewID(), Slug: "north", CreatedAt: start, UpdatedAt: start}
	segment := models.Segment{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
	nobody := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
	w.nobody = nobody.ID
	course := models.Series{ID: models.NewID(), Name: "Welcome", Purpose: models.PurposeNewsletter, Locale: "en", TriggerKind: "joined", State: "live", CreatedAt: start, UpdatedAt: start}
	for _, row := range []any{&nobody, &author, &user, &campaign, &petition, &text, &form, &tag, &field, &division, &chapter, &segment, &course} {
		w.must(db.Create(row).Error)
	}
	letters, legislator, term := w.decided(campaign.ID)
	event := models.Event{ID: models.NewID(), Slug: "e", State: models.EventPublished, Kind: models.EventSocial, Venue: models.VenuePhone, CreatedAt: start, UpdatedAt: start}
	roster := models.Roster{ID: models.NewID(), Slug: "r", State: models.RosterPublished, CreatedAt: start, UpdatedAt: start}
	shift := models.Shift{ID: models.NewID(), RosterID: roster.ID, Kind: models.ShiftTask, Mode: models.ShiftHome, CreatedAt: start, UpdatedAt: start}
	step := models.OnboardingStep{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
	for _, row := range []any{&event, &roster, &shift, &step} {
		w.must(db.Create(row).Error)
	}
	w.parents = map[string]uuid.UUID{
		"petition_id": petition.ID, "text_id": text.ID, "consent_text_id": text.ID, "form_id": form.ID, "tag_id": tag.ID, "field_id": field.ID,
		"division_id": division.ID, "chapter_id": chapter.ID, "segment_id": segment.ID, "series_id": course.ID, "author_id": user.ID, "merged_by": user.ID, "decided_by": user.ID, "invited_by": user.ID,
		"letter_campaign_id": letters, "legislator_id": legislator, "term_id": term,
		"event_id": event.ID, "shift_id": shift.ID, "step_id": step.ID,
	}
	return w
}

// decided writes a letter campaign, and somebody in a seat to write to.
func (w *world) decided(campaign uuid.UUID) (letters, legislator, term uuid.UUID) {
	w.t.Helper()
	in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", CreatedAt: start, UpdatedAt: start}
	body := models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", CreatedAt: start, UpdatedAt: start}
	who := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "1", CreatedAt: start, UpdatedAt: start}
	seat := models.Term{ID: models.NewID(), LegislatorID: who.ID, ChamberID: body.ID, CreatedAt: start, UpdatedAt: start}
	c := models.LetterCampaign{ID: models.NewID(), CampaignID: campaign, Slug: "l", State: models.LettersPublished, Position: models.StanceOther, LetterCount: 1, CreatedAt: start, UpdatedAt: start}
	for _, row := range []any{&in, &body, &who, &seat, &c} {
		w.must(w.db.Create(row).Error)
	}
	return c.ID, who.ID, seat.ID
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// person is somebody with a row in every table that a personal column is in.
type person struct {
	name               string
	supporter, mailbox uuid.UUID
}

// choices are values of columns that take no others.
var choices = map[string]string{
	"supporters.frequency": "weekly", "signatures.state": "confirmed", "signatures.display": "name", "signatures.comment_state": "shown",
	"submissions.state": "confirmed", "deliveries.state": "queued", "deliveries.on_unknown": "resend", "deliveries.purpose": "receipt",
	"supporter_divisions.how": "hand", "duplicates.state": "open", "consents.withdrawn_how": "", "mailboxes.suppressed_reason": "",
	"invitations.role": "viewer", "inbound_reports.class": "hard", "inbound_reports.source": "imap", "inbound_reports.state": "done", "series_people.state": "active", "suppression_changes.action": "added",
	"letters.state": "released", "dispatches.state": "waiting",
	"volunteers.state": "active", "volunteers.ask_by": "mail", "assignments.as_what": "standby", "assignments.state": "held", "assignments.ask_by": "phone", "offers.state": "open", "offers.by_what": "mail",
	"certificates.state": "asked", "registrations.state": "registered", "registrations.attends": "online",
}

// canary is what stands in a text or bytes column of somebody.
func canary(name, table, column string) string { return "CANARY." + name + "." + table + "." + column }

// fill writes a row for a person into every table that erasing has to do with, with a canary in every personal column.
// other is somebody whom they may be a duplicate of.
func (w *world) fill(name string, other uuid.UUID) person {
	w.t.Helper()
	p := person{name, models.NewID(), models.NewID()}
	var cache sync.Map
	rows, delivery, letter, dispatch := map[string]any{}, models.NewID(), models.NewID(), models.NewID()
	for _, m := range models.All() {
		s, err := schema.Parse(m, &cache, schema.NamingStrategy{})
		w.must(err)
		var owners []string
		personal := map[string]bool{}
		for _, c := range models.PersonalColumns {
			if c.Table == s.Table && (c.Whose() == models.OfMailbox || c.Whose() == models.OfSupporter) {
				personal[c.Column] = true
				owners = append(owners, c.Owner)
			}
		}
		if len(owners) == 0 {
			continue
		}
		row := reflect.New(s.ModelType)
		for _, f := range s.Fields {
			v := row.Elem().FieldByIndex(f.StructField.Index)
			key := s.Table + "." + f.DBName
			id, pointed := w.parents[f.DBName]
			switch f.DBName {
			case "id":
				id, pointed = models.NewID(), true
				if s.Table == "mailboxes" {
					id = p.mailbox
				}
				if s.Table == "supporters" {
					id = p.supporter
				}
				if s.Table == "deliveries" {
					id = delivery
				}
				if s.Table == "letters" {
					id = letter
				}
				if s.Table == "dispatches" {
					id = dispatch
				}
			case "letter_id":
				id, pointed = letter, true
			case "dispatch_id":
				id, pointed = dispatch, true
			case "delivery_id":
				id, pointed = delivery, true
			case "mailbox_id":
				id, pointed = p.mailbox, true
			case "supporter_id", "gone_id":
				id, pointed = p.supporter, true
			case "a_id":
				id, pointed = other, true
			case "b_id":
				id, pointed = p.supporter, true
			case "subject_id", "scope_id":
				id, pointed = models.NewID(), true
			}
			choice, chosen := choices[key]
			switch x := v.Addr().Interface().(type) {
			case *uuid.UUID:
				*x = id
			case **uuid.UUID:
				if pointed && personal[f.DBName] {
					*x = &id
				}
			case *[]byte:
				*x = []byte(canary(name, s.Table, f.DBName))
			case *time.Time:
				*x = start
			case **time.Time:
				if personal[f.DBName] && f.DBName != "withdrawn_at" {
					at := start.Add(-time.Hour)
					*x = &at
				}
			case **float64:
				n := 4711.5
				*x = &n
			default:
				if v.Kind() != reflect.String {
					continue
				}
				if !chosen {
					choice = canary(name, s.Table, f.DBName)
				}
				v.SetString(choice)
			}
		}
		rows[s.Table] = row.Interface()
	}
	conn, err := w.db.DB.DB()
	w.must(err)
	order, err := tables.Ordered(w.t.Context(), conn, w.db.Postgres(), slices.Collect(maps.Keys(rows)))
	w.must(err)
	for _, table := range order {
		if err := w.db.Create(rows[table]).Error; err != nil {
			w.t.Fatalf("%s: %v", table, err)
		}
	}
	return p
}

// dump reads every row of every table, each as one text.
func dump(t *testing.T, db *database.DB) []string {
	t.Helper()
	conn, err := db.DB.DB()
	if err != nil {
		t.Fatal(err)
	}
	all, err := tables.Read(t.Context(), conn, db.Postgres())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for table, columns := range all {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = tables.Quote(c.Name)
		}
		rows, err := conn.QueryContext(t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM "+tables.Quote(table))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			at := make([]any, len(columns))
			for i := range values {
				at[i] = &values[i]
			}
			if err := rows.Scan(at...); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			b.WriteString(table)
			for i, v := range values {
				if x, ok := v.([]byte); ok {
					v = string(x)
				}
				if x, ok := v.([16]byte); ok {
					v = uuid.UUID(x).String()
				}
				fmt.Fprintf(&b, " | %s=%v", columns[i].Name, v)
			}
			out = append(out, b.String())
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

func (p person) in(row string) bool {
	return strings.Contains(row, "CANARY."+p.name+".") || strings.Contains(row, p.supporter.String()) || strings.Contains(row, p.mailbox.String())
}

// Whatever is registered of a person goes, in every table; what stays names nobody; and nobody else loses anything.
func TestErasingLeavesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		bela := w.fill("bela", w.nobody)
		anna := w.fill("anna", bela.supporter)
		before := dump(t, db)
		for _, c := range models.PersonalColumns { // the test itself: there is something to lose
			if s := c.Whose(); (s == models.OfMailbox || s == models.OfSupporter) && c.Form == models.Sealed && !strings.Contains(strings.Join(before, "\n"), canary("anna", c.Table, c.Column)) {
				t.Errorf("nothing stood in %s.%s", c.Table, c.Column)
			}
		}
		receipt, err := w.EraseMine(ctx, actor.Actor{Kind: actor.Person, MailboxID: anna.mailbox})
		w.must(err)
		if receipt.ID == uuid.Nil || receipt.Addresses != 1 || receipt.Signatures != 1 || receipt.Mails != 1 || receipt.Account {
			t.Errorf("the receipt: %+v", receipt)
		}
		after := dump(t, db)
		leaves(t, after, anna)
		for _, row := range before {
			if !anna.in(row) && !slices.Contains(after, row) {
				t.Errorf("of somebody else this is gone or changed: %s", row)
			}
		}
		var sig models.Signature
		w.must(db.Take(&sig, "postal_area = ?", canary("anna", "signatures", "postal_area")).Error)
		if sig.MailboxID != uuid.Nil || sig.State != models.SignatureConfirmed || sig.CommentState != models.CommentNone {
			t.Errorf("the signature that stays for the counts: %+v", sig)
		}
		var mail models.Delivery
		w.must(db.Take(&mail, "kind = ?", canary("anna", "deliveries", "kind")).Error)
		if mail.State != models.DeliverySuppressed || mail.MailboxID != uuid.Nil {
			t.Errorf("the mail that waited: %+v", mail)
		}
		var p models.Petition
		w.must(db.Take(&p).Error)
		if p.SignatureCount != 3 {
			t.Errorf("the count moved to %d", p.SignatureCount)
		}
		if _, err := w.EraseMine(ctx, actor.Actor{Kind: actor.Person, MailboxID: anna.mailbox}); !fault.Is(err, fault.Gone) {
			t.Errorf("twice: %v", err)
		}
	})
}

// leaves fails the test where a dump still holds something of a person that erasing does not leave on purpose.
func leaves(t *testing.T, after []string, p person) {
	t.Helper()
	may := map[string]bool{canary(p.name, "mailboxes", "address_hash"): true}
	for _, c := range models.PersonalColumns {
		if c.OnErase == models.Stays {
			may[canary(p.name, c.Table, c.Column)] = true
		}
	}
	for _, row := range after {
		table, rest, _ := strings.Cut(row, " | ")
		if !p.in(row) || table == "audit_entries" && strings.Contains(row, "actor_id="+p.mailbox.String()) {
			continue // there is the number of a row that is not there any more
		}
		for cell := range strings.SplitSeq(rest, " | ") {
			column, value, _ := strings.Cut(cell, "=")
			switch {
			case strings.Contains(value, p.mailbox.String()) || strings.Contains(value, p.supporter.String()):
				t.Errorf("%s.%s still points to them: %s", table, column, value)
			case !p.in(value) || slices.Contains(models.NotPersonal[table], column):
			case !may[value] || value == canary(p.name, "mailboxes", "address_hash") && table != "erasures":
				t.Errorf("%s.%s still holds %s", table, column, value)
			}
		}
	}
}

// A column that nobody knows how to erase stops everything.
func TestAnUnknownColumnStopsErasing(t *testing.T) {
	for _, c := range []models.Personal{
		{Table: "notes", Column: "body_sealed", Owner: "supporter_id", OnErase: "forgotten about"},
		{Table: "notes", Column: "body_sealed", Owner: "supporter_id", OnErase: models.ByExpiry},
		{Table: "notes", Column: "body_sealed", Owner: "author_id", OnErase: models.RowGoes},
		{Table: "notes", Column: "colour", Owner: "supporter_id", OnErase: models.RowGoes},
		{Table: "sessions", Column: "token_hash", Owner: "user_id", OnErase: models.RowGoes},
	} {
		if got := stepsOf([]models.Personal{c}); len(got) != 1 || got[0].err == nil {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	for _, s := range stepsOf(models.PersonalColumns) {
		if s.err != nil {
			t.Error(s.err)
		}
	}
}

// Every table that points to a mailbox or a record is known to erasing and to the sweep of unused addresses.
func TestEveryLinkIsRegistered(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		q := `SELECT m.name AS tbl, f."from" AS col, f."table" AS target FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
		if db.Postgres() {
			q = `SELECT c.conrelid::regclass::text AS tbl, a.attname AS col, c.confrelid::regclass::text AS target FROM pg_constraint c
				JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'`
		}
		var links []struct{ Tbl, Col, Target string }
		if err := db.Raw(q).Scan(&links).Error; err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range links {
			if l.Target != "mailboxes" && l.Target != "supporters" {
				continue
			}
			n++
			if !slices.ContainsFunc(models.PersonalColumns, func(c models.Personal) bool {
				return c.Table == l.Tbl && (c.Owner == l.Col && c.Whose() != "" || c.Column == l.Col)
			}) {
				t.Errorf("%s.%s points to %s and is not registered", l.Tbl, l.Col, l.Target)
			}
			if l.Target == "mailboxes" && (l.Col != "mailbox_id" || !slices.Contains(models.Holding(), l.Tbl)) {
				t.Errorf("the sweep of addresses does not look at %s.%s", l.Tbl, l.Col)
			}
		}
		if n < 10 {
			t.Errorf("only %d links", n)
		}
	})
}

// Who works here keeps the account, and nothing of the supporter.
func TestAnAccountStays(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		cora := w.fill("cora", w.nobody)
		user := models.User{ID: models.NewID(), MailboxID: cora.mailbox, NameSealed: []byte("Cora works here"), Role: "viewer", CreatedAt: start, UpdatedAt: start}
		w.must(db.Create(&user).Error)
		w.clk.Add(time.Hour)
		receipt, err := w.Erase(ctx, actor.TheSystem(), cora.supporter)
		w.must(err)
		if !receipt.Account {
			t.Errorf("the receipt says nothing of the account: %+v", receipt)
		}
		var box models.Mailbox
		w.must(db.Take(&box, "id = ?", cora.mailbox).Error)
		if box.SupporterID != nil || box.PausedUntil != nil || string(box.AddressSealed) != canary("cora", "mailboxes", "address_sealed") {
			t.Errorf("the mailbox of the account: %+v", box)
		}
		for _, row := range dump(t, db) {
			table, _, _ := strings.Cut(row, " | ")
			if table != "mailboxes" && table != "users" && table != "erasures" && strings.Contains(row, cora.mailbox.String()) {
				t.Errorf("still there: %s", row)
			}
		}
		// What they do from now on is not what was erased: a replay of the list leaves it.
		w.clk.Add(time.Hour)
		w.must(db.Model(&models.Mailbox{}).Where("id = ?", cora.mailbox).Update("paused_until", w.clk.Now()).Error)
		w.must(db.Tx(ctx, func(tx *gorm.DB) error { _, err := Replay(ctx, tx, w.jobs[0].Entries, w.clk.Now()); return err }))
		w.must(db.Take(&box, "id = ?", cora.mailbox).Error)
		if box.PausedUntil == nil {
			t.Error("the list took what was given after the erasure")
		}
	})
}

func (w *world) box(address string) models.Mailbox {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Tx(w.t.Context(), func(tx *gorm.DB) (err error) {
		m, err = mailboxes.Ensure(w.t.Context(), tx, w.vault, address, w.clk.Now())
		return err
	}))
	return m
}

// Somebody of a chapter erases that chapter's people; an address without a record goes too; addresses of one person go
// together; and whoever confirms something anew is remembered as erased no longer.
func TestByAddresses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		there, elsewhere := w.parents["chapter_id"], models.NewID()
		w.must(db.Create(&models.Chapter{ID: elsewhere, Slug: "south", CreatedAt: start, UpdatedAt: start}).Error)
		record := func(chapter *uuid.UUID, addresses ...string) {
			s := models.Supporter{ID: models.NewID(), ChapterID: chapter, CreatedAt: start, UpdatedAt: start}
			w.must(db.Create(&s).Error)
			for _, a := range addresses {
				w.must(db.Model(&models.Mailbox{}).Where("id = ?", w.box(a).ID).Update("supporter_id", s.ID).Error)
			}
		}
		record(&there, "june@example.org", "june@example.net")
		record(&elsewhere, "other@example.org")
		record(nil, "none@example.org")
		w.box("typed@example.org")
		left := func(address string) bool {
			var n int64
			w.must(db.Model(&models.Mailbox{}).Where("address_hash = ?", w.vault.AddressHash(address)).Count(&n).Error)
			return n == 1
		}
		chapter := actor.Actor{Kind: actor.User, UserID: w.parents["author_id"], Role: actor.Owner, ChapterID: there}
		got, err := w.EraseAddresses(ctx, chapter, []string{" June@Example.org ", "june@example.net", "other@example.org", "none@example.org", "typed@example.org", "nothing", "gone@example.org"})
		w.must(err)
		if want := (Bulk{Erased: 2, Unknown: 4, Wrong: 1}); got != want {
			t.Errorf("%+v, not %+v", got, want)
		}
		if left("june@example.net") || !left("other@example.org") || !left("none@example.org") || !left("typed@example.org") {
			t.Error("the wrong people went")
		}
		if _, err := w.Erase(ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer}, models.NewID()); !fault.Is(err, fault.Forbidden) {
			t.Errorf("without the right: %v", err)
		}
		if got, err = w.EraseAddresses(ctx, actor.TheSystem(), []string{"typed@example.org"}); err != nil || got.Erased != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		// An address that is typed again is not confirmed yet: nobody came back.
		again := w.box("june@example.org")
		remembered := func() bool {
			var n int64
			w.must(db.Model(&models.Erasure{}).Where("address_hash = ?", again.AddressHash).Count(&n).Error)
			return n == 1
		}
		if !remembered() {
			t.Error("to type an address ends an erasure")
		}
		w.must(db.Tx(ctx, func(tx *gorm.DB) error { return mailboxes.SignedUp(ctx, tx, []models.Mailbox{again}, w.clk.Now()) }))
		if remembered() {
			t.Error("whoever signed up anew is still remembered as erased")
		}
	})
}

// Copies end with the erasure; those that an import works on end with it; and the list stands outside of the database.
func TestCopiesAndTheList(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		put := func(kind models.FileKind) models.File {
			f, err := w.files.Put(ctx, nil, files.PutInput{Kind: kind, Name: "june okafor.csv", ContentType: "text/csv"}, strings.NewReader("june@example.org"))
			w.must(err)
			return f
		}
		upload, export, pack, errors, picture, running := put(models.FileImport), put(models.FileExport), put(models.FilePack), put(models.FileErrors), put(models.FilePicture), put(models.FileImport)
		busy := models.Import{ID: models.NewID(), FileID: &running.ID, State: models.ImportRunning, CreatedAt: start, UpdatedAt: start}
		w.must(db.Create(&busy).Error)
		late := models.Export{ID: models.NewID(), Kind: "supporters", Format: "csv", State: "running", CreatedAt: start, UpdatedAt: start}
		w.must(db.Create(&late).Error)
		w.box("june@example.org")
		_, err := w.EraseAddresses(ctx, actor.TheSystem(), []string{"june@example.org"})
		w.must(err)
		readable := func(f models.File) bool {
			rc, _, err := w.files.Open(ctx, f.ID)
			if err != nil {
				return false
			}
			defer rc.Close()
			b, err := io.ReadAll(rc)
			return err == nil && len(b) > 0
		}
		for _, f := range []models.File{upload, export, pack, errors} {
			if readable(f) {
				t.Errorf("the %s can still be read", f.Kind)
			}
		}
		if !readable(picture) || !readable(running) {
			t.Error("a picture, or the file of an import that runs, is gone")
		}
		wait, err := w.follow(ctx, w.jobs[0])
		if err != nil || !wait {
			t.Errorf("while an import runs: %v, %v", wait, err)
		}
		made := put(models.FileExport) // what the export that ran wrote
		w.must(db.Model(&models.Import{}).Where("id = ?", busy.ID).Update("state", models.ImportFinished).Error)
		w.must(db.Model(&models.Export{}).Where("id = ?", late.ID).Updates(map[string]any{"state": "finished", "file_id": made.ID}).Error)
		if wait, err := w.follow(ctx, w.jobs[0]); err != nil || wait {
			t.Errorf("once it ended: %v, %v", wait, err)
		}
		if readable(running) || readable(made) {
			t.Error("what an import and an export worked on is still there")
		}
		list, err := w.o.Ledger.All(ctx)
		w.must(err)
		if len(list) != 1 || list[0].Hash != hex.EncodeToString(w.vault.AddressHash("june@example.org")) || !list[0].At.Equal(start) {
			t.Errorf("the list: %+v", list)
		}
		var text strings.Builder
		w.must(WriteList(&text, list))
		if back, err := ReadList(strings.NewReader(text.String())); err != nil || !slices.Equal(back, list) {
			t.Errorf("read back: %+v, %v", back, err)
		}
		for _, bad := range []string{"june@example.org", "{}", `{"id":"0","hash":"zz"}`, strings.Repeat("x", 100_000)} {
			if _, err := ReadList(strings.NewReader(bad)); !fault.Is(err, fault.Invalid) {
				t.Errorf("%.20q: %v", bad, err)
			}
		}
		if since, err := w.Since(ctx, actor.TheSystem()); err != nil || len(since) != 1 {
			t.Errorf("the list to keep: %+v, %v", since, err)
		}
	})
}

// A signature that arrives while its mailbox is erased finds or makes a mailbox: never none.
func TestErasedWhileTyped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		for range 20 {
			old := w.box("june@example.org")
			var wg sync.WaitGroup
			var got map[string]models.Mailbox
			wg.Go(func() {
				if _, err := w.EraseAddresses(ctx, actor.TheSystem(), []string{"june@example.org"}); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				row, err := mailboxes.NewRow(w.vault, "june@example.org", w.clk.Now())
				if err != nil {
					t.Error(err)
				}
				if err := db.Tx(ctx, func(tx *gorm.DB) error {
					var err error
					if got, _, err = mailboxes.EnsureAll(ctx, tx, []models.Mailbox{row}); err != nil {
						return err
					}
					m := got[string(row.AddressHash)]
					return tx.Create(&models.Submission{ID: models.NewID(), MailboxID: m.ID, State: models.SubmissionPending, CreatedAt: start, ExpiresAt: start}).Error
				}); err != nil {
					t.Errorf("signing while %s is erased: %v", old.ID, err)
				}
			})
			wg.Wait()
		}
	})
}

// Between looking for somebody and holding them, their record may become another's, or be made: whoever is erased is looked for
// again, so that no receipt is given for nobody, and no record stays behind.
func TestErasedWhileMerged(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		for name, move := range map[string]func(tx *gorm.DB, m models.Mailbox) Whom{
			"merged": func(tx *gorm.DB, m models.Mailbox) Whom {
				old, other := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}, models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
				w.must(tx.Create(&other).Error)
				w.must(tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", other.ID).Error)
				return Whom{Supporters: []uuid.UUID{old.ID}}
			},
			"taken apart again": func(tx *gorm.DB, m models.Mailbox) Whom {
				kept, own := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}, models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
				w.must(tx.Create(&[]models.Supporter{kept, own}).Error)
				w.must(tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", own.ID).Error)
				return whomOf(models.Mailbox{ID: m.ID, SupporterID: &kept.ID})
			},
			"given a record": func(tx *gorm.DB, m models.Mailbox) Whom {
				fresh := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
				w.must(tx.Create(&fresh).Error)
				w.must(tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", fresh.ID).Error)
				return Whom{Mailboxes: []uuid.UUID{m.ID}}
			},
		} {
			m := w.box(strings.ReplaceAll(name, " ", "") + "@example.org")
			tries := 0
			r, err := w.one(ctx, actor.TheSystem(), ByPerson, func(tx *gorm.DB) (Whom, error) {
				if tries++; tries == 1 {
					return move(tx, m), nil
				}
				var now models.Mailbox
				err := tx.Where("id = ?", m.ID).Take(&now).Error
				return whomOf(now), err
			})
			var boxes int64
			w.must(db.Model(&models.Mailbox{}).Where("id = ?", m.ID).Count(&boxes).Error)
			if err != nil || tries != 2 || r.Addresses != 1 || boxes != 0 {
				t.Errorf("%s: looked for %d times, %d addresses on the receipt, %d left, %v", name, tries, r.Addresses, boxes, err)
			}
		}
	})
}

// The same list, replayed over rows that came back, leaves what an erasure leaves.
func TestReplay(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, w := context.Background(), newWorld(t, db)
		bela := w.fill("bela", w.nobody)
		anna := w.fill("anna", bela.supporter)
		w.must(db.Model(&models.Mailbox{}).Where("id = ?", bela.mailbox).Update("verified_at", start).Error)
		list := []Entry{
			{models.NewID(), hex.EncodeToString([]byte(canary("anna", "mailboxes", "address_hash"))), ByPerson, start.Add(time.Hour)},
			{models.NewID(), hex.EncodeToString([]byte("not in the backup")), ByPerson, start.Add(time.Hour)},
			{models.NewID(), hex.EncodeToString([]byte(canary("bela", "mailboxes", "address_hash"))), ByPerson, start.Add(-time.Hour)}, // and came back
		}
		before := dump(t, db)
		for range 2 {
			w.must(db.Tx(ctx, func(tx *gorm.DB) error { _, err := Replay(ctx, tx, list, start.Add(2*time.Hour)); return err }))
		}
		after := dump(t, db)
		leaves(t, after, anna)
		for _, row := range before {
			if !anna.in(row) && !slices.Contains(after, row) {
				t.Errorf("of somebody else this is gone or changed: %s", row)
			}
		}
		var n int64
		if err := db.Model(&models.Erasure{}).Where("how = ?", ByRestore).Count(&n).Error; err != nil || n != 2 {
			t.Errorf("%d are remembered, not 2: %v", n, err)
		}
	})
}
