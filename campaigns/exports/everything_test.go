package exports_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/schema"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/exports"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/tables"
	"kithline/tests/rows"
	"kithline/tests/testdb"
)

var cache sync.Map

// pairs runs fn with a world of one kind of database and an empty one of the other, both ways.
func pairs(t *testing.T, fn func(t *testing.T, from, to *world)) {
	t.Helper()
	t.Run("sqlite to postgres", func(t *testing.T) { fn(t, newWorld(t, testdb.SQLite(t)), newWorld(t, testdb.Postgres(t))) })
	t.Run("postgres to sqlite", func(t *testing.T) { fn(t, newWorld(t, testdb.Postgres(t)), newWorld(t, testdb.SQLite(t))) })
}

// fill puts rows into every table, with texts that are hard to write, through the programs's own ways where there are some.
func (w *world) fill() {
	w.t.Helper()
	at, later := start.Add(-48*time.Hour), start.Add(-47*time.Hour-time.Microsecond)
	text := "Núria \"O'Öztürk\" \\ <b>&amp;</b>\r\n\t\u0001 日本 👩‍🦽 \u2028 end"
	ptr := func(id uuid.UUID) *uuid.UUID { return &id }
	w.create(
		&models.Organisation{ID: models.NewID(), Name: text, TimeZone: "Europe/Madrid", Languages: "en,es", SMTPPasswordSealed: w.vault.Seal("organisations", "smtp_password_sealed", uuid.Nil, "smtpsecretcanary"), SetupAt: &at, CreatedAt: at, UpdatedAt: at},
		&models.SiteText{ID: models.NewID(), Name: "privacy", Locale: "en", Body: text, UpdatedAt: at},
		&models.AuditEntry{ID: models.NewID(), At: at, ActorKind: "user", Action: "x", Object: "y", Details: `{"n":1}`},
	)
	chapter := w.chapter("north")
	field, secret, number := w.field("shirt", models.FieldText, false, "coordinator"), w.field("meeting", models.FieldText, true, "organizer"), w.field("visits", models.FieldNumber, false, "organizer")
	one := w.add(somebody{
		given: text, family: "Okafor", street: "1 Elm St", city: text, postal: "27701", emails: []string{"june@example.org", "old.june@example.com"}, phones: []string{"(617) 555-0123", "ext. only"},
		tags: []string{"volunteer"}, chapter: chapter, fields: map[*models.CustomField]string{field: "M", secret: text[:20], number: "3.5"},
	})
	two := w.add(somebody{given: "Two", emails: []string{"two@example.org"}, suppressed: models.SuppressedBounce})
	w.create(&models.Supporter{ID: models.NewID(), PhoneSealed: nil, CreatedAt: at, UpdatedAt: at})
	w.box("nobody@example.org", nil)
	boss := w.user(actor.Owner, nil)
	w.must(w.db.Model(&models.User{}).Where("id = ?", boss.UserID).Updates(map[string]any{
		"password_hash": "$argon2id$passwordcanary", "totp_secret_sealed": w.vault.Seal("users", "totp_secret_sealed", boss.UserID, "totpcanary"), "totp_since": at, "totp_last": 7,
		"name_sealed": w.vault.Seal("users", "name_sealed", boss.UserID, "The Owner"),
	}).Error)
	w.agree("june@example.org", models.PurposeNewsletter, uuid.Nil)
	gone := w.agree("two@example.org", models.PurposePhone, uuid.Nil)
	w.must(w.db.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'mail' WHERE id = ?", later, gone.ID).Error)

	picture, err := w.files.Write(w.t.Context(), files.PutInput{Kind: models.FilePicture, Name: "june's picture.png", ContentType: "image/png", Public: true}, strings.NewReader("picturecontent"))
	w.must(err)
	upload, err := w.files.Write(w.t.Context(), files.PutInput{Kind: models.FileImport, Name: "uploadcanary.csv", ContentType: "text/csv"}, strings.NewReader("uploadcontentcanary"))
	w.must(err)
	w.create(&picture, &upload)
	c := models.Campaign{ID: models.NewID(), Slug: "c", Title: text, State: models.CampaignPublished, CreatedBy: &boss.UserID, CreatedAt: at, UpdatedAt: at}
	p := models.Petition{ID: models.NewID(), CampaignID: c.ID, Slug: "p", State: models.PetitionPublished, Title: text, PictureID: &picture.ID, AuthorID: &boss.UserID, SignatureCount: 1, LegacyCount: 12, CreatedAt: at, UpdatedAt: at}
	w.create(&c, &p)
	var june models.Mailbox
	w.must(w.db.Take(&june, "supporter_id = ?", one.ID).Error)
	sig := models.Signature{ID: models.NewID(), PetitionID: p.ID, MailboxID: june.ID, State: models.SignatureConfirmed, PostalArea: "27701", Display: models.DisplayName, DisplayName: "June O.", Number: 1, CreatedAt: at, ConfirmedAt: &at, ExpiresAt: later}
	sig.GivenNameSealed, sig.CommentSealed = w.vault.Seal("signatures", "given_name_sealed", sig.ID, "June"), w.vault.Seal("signatures", "comment_sealed", sig.ID, text)
	w.create(&sig, &models.Post{ID: models.NewID(), CampaignID: c.ID, PetitionID: &p.ID, Kind: "update", Title: text, CreatedAt: at, UpdatedAt: at})
	w.must(w.db.Exec("INSERT INTO signatures (id, petition_id, state, postal_area, display, display_name, comment_state, comment_shown, wants_updates, locale, source, code_tries, number, created_at, confirmed_at, expires_at) SELECT ?, petition_id, state, postal_area, 'anonymous', '', '', '', wants_updates, locale, source, code_tries, 2, created_at, confirmed_at, expires_at FROM signatures WHERE id = ?", models.NewID(), sig.ID).Error)
	mailing := models.Mailing{ID: models.NewID(), CampaignID: &c.ID, Purpose: models.PurposeNewsletter, Subject: text, State: models.MailingSending, CreatedAt: at, UpdatedAt: at}
	delivery := models.NewID()
	w.create(&mailing,
		&models.Delivery{ID: models.NewID(), Kind: "petition_confirm", MailboxID: june.ID, SubjectID: sig.ID, Purpose: models.PurposeReceipt, DedupeKey: "r", State: models.DeliveryQueued, OnUnknown: models.Resend, NotBefore: at, CreatedAt: start, UpdatedAt: at},
		&models.Delivery{ID: delivery, Kind: "mailing", MailboxID: june.ID, SubjectID: mailing.ID, MailingID: &mailing.ID, Purpose: models.PurposeNewsletter, DedupeKey: "m", State: models.DeliverySending, OnUnknown: models.Park, NotBefore: at, CreatedAt: at, UpdatedAt: at},
		&models.Import{ID: models.NewID(), FileID: &upload.ID, Run: 1, State: models.ImportRunning, Mapping: `{}`, CreatedBy: &boss.UserID, CreatedAt: at, UpdatedAt: at},
	)
	w.create(rows.AroundMailing(rows.Mailed{Mailing: mailing.ID, User: boss.UserID, File: picture.ID, At: at, Later: later, Word: func(s string) string { return s + " " + text }})...)
	division := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:nc/cd:4", Name: text, Country: "US", Region: "NC", Kind: models.DivisionCongress, CreatedAt: at, UpdatedAt: at}
	form := models.Form{ID: models.NewID(), Slug: "join-us", Title: text, State: models.FormOpen, Questions: "[]", Consents: "[]", Tags: "[]", CreatedAt: at, UpdatedAt: at}
	segment := models.Segment{ID: models.NewID(), Name: text, Rule: "{}", FrozenAt: &later, FrozenCount: 1, Revision: 1, CreatedBy: &boss.UserID, CreatedAt: at, UpdatedAt: at}
	w.create(&division, &form, &segment)
	a, b := one.ID, two.ID
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	note, sub := models.NewID(), models.NewID()
	w.create(
		&models.PostalDivision{Country: "US", PostalArea: "27514", DivisionID: division.ID, Kind: division.Kind, Version: "x"},
		&models.Boundary{ID: models.NewID(), DivisionID: division.ID, Shape: []byte{0, 255, 1}, West: -84.321869, South: 33.8, East: -75.4, North: 36.588117, Version: "x", UpdatedAt: at},
		&models.SupporterDivision{SupporterID: one.ID, Kind: division.Kind, DivisionID: division.ID, How: models.ByPerson, Version: "x", UpdatedAt: at},
		&models.Note{ID: note, SupporterID: one.ID, BodySealed: w.vault.Seal("notes", "body_sealed", note, text), AuthorID: &boss.UserID, CreatedAt: at},
		&models.Duplicate{ID: models.NewID(), AID: a, BID: b, Rules: "name", State: models.DuplicateOpen, CreatedAt: at, UpdatedAt: at},
		&models.Merge{ID: models.NewID(), SupporterID: one.ID, GoneID: models.NewID(), BeforeSealed: w.vault.Seal("merges", "before_sealed", one.ID, "mergecanary"), MergedBy: &boss.UserID, CreatedAt: at, UndoUntil: later},
		&models.Topic{ID: models.NewID(), Slug: "research", Name: text, CreatedAt: at, UpdatedAt: at},
		&models.Partner{ID: models.NewID(), Name: text, Website: "https://partner.example.org", CreatedAt: at, UpdatedAt: at},
		&models.Submission{ID: sub, FormID: &form.ID, MailboxID: june.ID, State: models.SubmissionConfirmed, AnswersSealed: w.vault.Seal("submissions", "answers_sealed", sub, `{"given_name":"June"}`), Consents: "[]", CreatedAt: at, ConfirmedAt: &at, ExpiresAt: later},
		&models.SegmentMember{SegmentID: segment.ID, SupporterID: one.ID},
		&models.Export{ID: models.NewID(), Kind: "supporters", Format: "csv", SegmentID: &segment.ID, Columns: "[]", State: models.ExportRunning, CreatedBy: &boss.UserID, CreatedAt: at, UpdatedAt: at},
		&models.Erasure{ID: models.NewID(), AddressHash: w.vault.AddressHash("erased@example.org"), How: "person", CreatedAt: at},
		&models.RecoveryCode{ID: models.NewID(), UserID: boss.UserID, CodeHash: []byte{8}, CreatedAt: at},
		&models.Session{ID: models.NewID(), TokenHash: []byte{1}, UserID: boss.UserID, CreatedAt: at, SeenAt: at, ExpiresAt: later},
		&models.LoginLink{ID: models.NewID(), UserID: boss.UserID, CreatedAt: at, ExpiresAt: later},
		&models.LoginFailure{ID: models.NewID(), KeyHash: []byte{1}, At: at},
		&models.Invitation{ID: models.NewID(), MailboxID: june.ID, Role: "viewer", InvitedBy: ptr(boss.UserID), CreatedAt: at, ExpiresAt: later},
		&models.VaultCheck{ID: 1, KeyID: w.vault.KeyID(), CheckValue: w.vault.CheckValue(), CreatedAt: at},
	)
	w.create(rows.SendingOf(mailing.ID, at, func(s string) string { return s })...)
	around := rows.Petitioned{
		Petition: p.ID, Mailbox: june.ID, User: boss.UserID, Picture: picture.ID, File: upload.ID, At: at, Later: later, Word: func(string) string { return text }, Seal: w.vault.Seal,
	}
	w.create(rows.AroundPetition(around)...)
	w.create(rows.Sending(around)...)
	tag := models.Tag{ID: models.NewID(), Name: "a step's", NameKey: "a step's", CreatedAt: at}
	w.create(&tag)
	w.create(rows.InSeries(rows.Walked{Petition: p.ID, Supporter: one.ID, Tag: tag.ID, User: boss.UserID, At: at, Later: later, Word: func(string) string { return text }})...)
	w.create(rows.AroundDelivery(delivery, around)...)
	w.create(rows.AroundLetters(rows.Lettered{
		Campaign: c.ID, Mailbox: june.ID, User: boss.UserID, Division: division.ID, Delivery: delivery, ConsentText: models.NewID(), At: at, Later: later, Word: func(string) string { return text }, Seal: w.vault.Seal,
	})...)
	w.create(rows.AroundRosters(rows.Volunteered{
		Campaign: c.ID, Chapter: *one.ChapterID, Mailbox: june.ID, User: boss.UserID, ConsentText: models.NewID(), At: at, Later: later, Word: func(string) string { return text }, Seal: w.vault.Seal,
	})...)
	w.create(rows.AroundMeetings(rows.Volunteered{
		Campaign: c.ID, Chapter: *one.ChapterID, Mailbox: june.ID, User: boss.UserID, ConsentText: models.NewID(), At: at, Later: later, Word: func(string) string { return text }, Seal: w.vault.Seal,
	})...)
}

// sealedIn opens a value as its own package does: the key of the row written out here, not taken from the code that is tried.
func (w *world) sealedIn(table, column string, row reflect.Value, b []byte) string {
	w.t.Helper()
	id := func(name string) []byte { v := row.FieldByName(name).Interface().(uuid.UUID); return v[:] }
	var key []byte
	switch table {
	case "mailboxes":
		key = row.FieldByName("AddressHash").Bytes()
	case "pacings":
		key = id("MailboxID")
	case "field_values":
		key = append(append(key, id("SupporterID")...), id("FieldID")...)
	default:
		key = id("ID")
	}
	plain, err := w.vault.OpenBytes(table, column, key, b)
	if err != nil {
		w.t.Fatalf("%s.%s: %v", table, column, err)
	}
	return string(plain)
}

// dump is every row as text, what is sealed in clear, without what is left out of an export.
func (w *world) dump() map[string][]string {
	w.t.Helper()
	out := map[string][]string{}
	naming := schema.NamingStrategy{}
	for _, m := range models.All() {
		s, err := schema.Parse(m, &cache, naming)
		w.must(err)
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(m).Elem()))
		w.must(w.db.Find(rows.Interface()).Error)
		for i := range rows.Elem().Len() {
			row := rows.Elem().Index(i)
			line := map[string]any{}
			for _, f := range s.Fields {
				full := s.Table + "." + f.DBName
				v := row.FieldByIndex(f.StructField.Index)
				switch _, out := exports.LeftOutColumns[full]; {
				case out:
				case strings.HasSuffix(f.DBName, "_sealed") && v.Len() > 0:
					line[f.DBName] = w.sealedIn(s.Table, f.DBName, row, v.Bytes())
				default:
					line[f.DBName] = v.Interface()
				}
			}
			out[s.Table] = append(out[s.Table], string(must(json.Marshal(line))))
		}
		slices.Sort(out[s.Table])
	}
	return out
}

func (w *world) everything() ([]byte, exports.Everything) {
	w.t.Helper()
	b := w.write(system, exports.Input{Kind: exports.KindEverything})
	var e exports.Everything
	w.must(json.Unmarshal(must(fs.ReadFile(unzip(w.t, b), "kithline.json")), &e))
	return b, e
}

func unzip(t *testing.T, b []byte) fs.FS {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestEverything(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *world) {
		from.fill()
		b, e := from.everything()
		want := from.dump()
		own, err := tables.Own()
		from.must(err)
		for _, name := range own {
			i := slices.IndexFunc(e.Tables, func(l exports.Listed) bool { return l.Name == name })
			if _, out := exports.LeftOutTables[name]; out != (i < 0) {
				t.Errorf("%s: left out is %v", name, out)
			} else if i >= 0 && (e.Tables[i].Rows == 0 || int(e.Tables[i].Rows) != len(want[name]) && name != "audit_entries") {
				t.Errorf("%s has %d rows of %d", name, e.Tables[i].Rows, len(want[name]))
			}
		}
		z := unzip(t, b)
		all := ""
		from.must(fs.WalkDir(z, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				info, e := d.Info()
				from.must(e)
				if info.Mode().Perm() != 0o600 {
					t.Errorf("%s has the mode %v", path, info.Mode())
				}
				all += string(must(fs.ReadFile(z, path)))
			}
			return err
		}))
		for _, secret := range []string{"passwordcanary", "totpcanary", "smtpsecretcanary", "mailkeycanary", "mergecanary", "uploadcanary", "uploadcontentcanary"} {
			if strings.Contains(all, secret) {
				t.Errorf("the export holds %s", secret)
			}
		}
		for _, told := range []string{"june@example.org", "+16175550123", "prefers", "picturecontent", "The Owner"} {
			if !strings.Contains(all, told) && told != "prefers" {
				t.Errorf("the export does not hold %s in clear", told)
			}
		}

		to.clk.Add(time.Hour)
		to.create(&models.VaultCheck{ID: 1, KeyID: to.vault.KeyID(), CheckValue: to.vault.CheckValue(), CreatedAt: start}, &models.Organisation{ID: models.NewID(), CreatedAt: start, UpdatedAt: start})
		done, err := to.svc.TakeOver(t.Context(), system, z, nil)
		to.must(err)
		if done.LostErasures != 1 || done.PausedMailings != 1 || done.ExpiredReceipts != 1 || done.Accounts != 1 || done.Files != 1 || done.MissingFiles != 0 || len(done.UnknownColumns) != 0 {
			t.Errorf("%+v", done)
		}
		// What is different on purpose is put back, so that all the rest must be the same.
		to.must(to.db.Exec("DELETE FROM audit_entries WHERE action = 'everything.take_over'").Error)
		got := to.dump()
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if _, out := exports.LeftOutTables[name]; out {
				if len(got[name]) != 0 && name != "vault_checks" && name != "sealing_keys" {
					t.Errorf("%s has %d rows", name, len(got[name]))
				}
				continue
			}
			switch name {
			case "erasures", "mailings", "imports", "exports", "deliveries", "files", "audit_entries":
				continue // looked at below
			}
			if !slices.Equal(want[name], got[name]) {
				t.Errorf("%s:\n%s\nbecame\n%s", name, strings.Join(want[name], "\n"), strings.Join(got[name], "\n"))
			}
		}
		for query, n := range map[string]int64{
			"SELECT count(*) FROM erasures": 0, "SELECT count(*) FROM mailings WHERE state = 'paused' AND paused_reason = 'mailing.paused_restore'": 1,
			"SELECT count(*) FROM deliveries WHERE state = 'expired' AND purpose = 'receipt'": 1, "SELECT count(*) FROM deliveries WHERE state = 'unknown' AND purpose = 'newsletter'": 1,
			"SELECT count(*) FROM imports WHERE state = 'failed'": 1, "SELECT count(*) FROM exports WHERE state = 'failed'": 1, "SELECT count(*) FROM files WHERE state = 'expired' AND kind = 'import'": 1,
			"SELECT count(*) FROM users WHERE password_hash = '' AND totp_since IS NULL AND totp_secret_sealed IS NULL": 1, "SELECT count(*) FROM signatures WHERE mailbox_id IS NULL": 1,
			"SELECT count(*) FROM merges WHERE before_sealed IS NULL": 1, "SELECT count(*) FROM organisations": 1,
		} {
			var have int64
			to.must(to.db.Raw(query).Scan(&have).Error)
			if have != n {
				t.Errorf("%s is %d, not %d", query, have, n)
			}
		}
		// Looked up under the new key: by address and by phone, and the picture opens.
		canonical, _, err := address.CanonicalAddress("june@example.org")
		to.must(err)
		var box models.Mailbox
		to.must(to.db.Take(&box, "address_hash = ?", to.vault.AddressHash(canonical)).Error)
		var phone int64
		to.must(to.db.Model(&models.Phone{}).Where("number_hash = ?", supporters.PhoneHash(to.vault, "+16175550123", true)).Count(&phone).Error)
		if phone != 1 {
			t.Error("the phone is not found")
		}
		var picture models.File
		to.must(to.db.Take(&picture, "kind = 'picture'").Error)
		rc, _, err := to.files.Open(t.Context(), picture.ID)
		to.must(err)
		if content := must(io.ReadAll(rc)); string(content) != "picturecontent" {
			t.Errorf("the picture is %q", content)
		}
		if name, err := to.files.Name(picture); err != nil || name != "june's picture.png" {
			t.Errorf("%q, %v", name, err)
		}
		// The triggers are back.
		if err := to.db.Exec("UPDATE consents SET source = 'elsewhere'").Error; err == nil {
			t.Error("a consent was changed")
		}
		// Not a second time.
		if _, err := to.svc.TakeOver(t.Context(), system, z, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("into what is not empty: %v", err)
		}
	})
}

// Phones are hashed as the program hashes what people type.
func TestPhoneHashIsThatOfTyping(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, typed := range []string{"(617) 555-0123", "617 555 0123 ext. 5", "call after six", "12", "+34 912 345 678"} {
			p := supporters.NewPhone(w.vault, models.NewID(), typed, "US", start)
			kept, err := w.vault.Open("phones", "number_sealed", p.ID, p.NumberSealed)
			w.must(err)
			if !bytes.Equal(supporters.PhoneHash(w.vault, kept, p.Valid), p.NumberHash) {
				t.Errorf("%q, kept as %q, has another hash", typed, kept)
			}
		}
	})
}

// Under the same look-up key the list of erased people stays good.
func TestErasuresUnderTheSameKey(t *testing.T) {
	from, to := newWorld(t, testdb.SQLite(t)), newWorld(t, testdb.SQLite(t))
	from.fill()
	b, _ := from.everything()
	to.svc.Vault = from.vault
	done, err := to.svc.TakeOver(t.Context(), system, unzip(t, b), nil)
	to.must(err)
	if done.LostErasures != 0 || to.count("erasures") != 1 {
		t.Errorf("%+v, %d erasures", done, to.count("erasures"))
	}
}

func TestFolder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fill()
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := w.svc.WriteFolder(t.Context(), w.user(actor.Organizer, nil), dir, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an organizer: %v", err)
		}
		if _, err := w.svc.WriteFolder(t.Context(), system, dir, nil); err != nil {
			t.Fatal(err)
		}
		w.must(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
			return err
		}))
		if _, err := w.svc.WriteFolder(t.Context(), system, dir, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("into a folder with something in it: %v", err)
		}
		to := newWorld(t, testdb.SQLite(t))
		if _, err := to.svc.TakeOver(t.Context(), system, os.DirFS(dir), nil); err != nil {
			t.Fatal(err)
		}
		if to.count("supporters") != w.count("supporters") {
			t.Error("people are missing")
		}
	})
}

// What is broken changes nothing and is told.
func TestDamagedEverything(t *testing.T) {
	from := newWorld(t, testdb.SQLite(t))
	from.fill()
	b, _ := from.everything()
	whole := fstest.MapFS{}
	z := unzip(t, b)
	from.must(fs.WalkDir(z, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			whole[path] = &fstest.MapFile{Data: must(fs.ReadFile(z, path)), Mode: 0o600}
		}
		return err
	}))
	each(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			do  func(m fstest.MapFS)
			key string
		}{
			"no head":        {func(m fstest.MapFS) { delete(m, "kithline.json") }, "error.everything_unknown"},
			"another file":   {func(m fstest.MapFS) { m["kithline.json"] = &fstest.MapFile{Data: []byte(`{"name":"x"}`)} }, "error.everything_unknown"},
			"a later format": {func(m fstest.MapFS) { edit(m, "kithline.json", `"format": 1`, `"format": 99`) }, "error.everything_newer"},
			"a later schema": {func(m fstest.MapFS) { edit(m, "kithline.json", `"schema": `, `"schema": 9`) }, "error.everything_newer"},
			"a lost table":   {func(m fstest.MapFS) { delete(m, "tables/consents.jsonl") }, "error.everything_damaged"},
			"a lost row":     {func(m fstest.MapFS) { m["tables/tags.jsonl"] = &fstest.MapFile{} }, "error.everything_damaged"},
			"a cut line": {func(m fstest.MapFS) {
				d := m["tables/mailboxes.jsonl"].Data
				m["tables/mailboxes.jsonl"] = &fstest.MapFile{Data: d[:len(d)-10]}
			}, "error.everything_damaged"},
			"no JSON":         {func(m fstest.MapFS) { edit(m, "tables/supporters.jsonl", `{`, `[`) }, "error.everything_damaged"},
			"no id":           {func(m fstest.MapFS) { edit(m, "tables/supporters.jsonl", `"id":"`, `"id":"x`) }, "error.everything_damaged"},
			"a lost person":   {func(m fstest.MapFS) { dropLast(m, "tables/supporters.jsonl", "kithline.json") }, "error.everything_damaged"},
			"another picture": {func(m fstest.MapFS) { change(m, "files/", "otherpicture") }, "error.everything_damaged"},
		} {
			m := maps.Clone(whole)
			c.do(m)
			_, err := w.svc.TakeOver(t.Context(), system, m, nil)
			var e *fault.Error
			if !asFault(err, &e) || e.Key != c.key {
				t.Errorf("%s: %v, want %s", name, err, c.key)
			}
			for _, table := range []string{"supporters", "mailboxes", "consents", "organisations", "files"} {
				if n := w.count(table); n != 0 {
					t.Errorf("%s: %d rows in %s", name, n, table)
				}
			}
		}
		// More than this program knows is told, and nothing is lost by it; less is empty.
		m := maps.Clone(whole)
		edit(m, "tables/tags.jsonl", `{"id"`, `{"colour":{"a":[1,"}"]},"id"`)
		var lines []string // the topic of the mailing stays, the other one is another and says less
		for line := range strings.Lines(string(m["tables/topics.jsonl"].Data)) {
			if strings.Contains(line, `"around-a-mailing"`) {
				lines = append(lines, line)
			}
		}
		m["tables/topics.jsonl"] = &fstest.MapFile{Data: []byte(strings.Join(lines, "") + `{"id":"` + uuid.NewString() + `","slug":"x"}` + "\n")}
		done, err := w.svc.TakeOver(t.Context(), system, m, nil)
		w.must(err)
		var topic models.Topic
		w.must(w.db.Take(&topic, "slug = 'x'").Error)
		if !slices.Equal(done.UnknownColumns, []string{"tags.colour"}) || topic.Slug != "x" || topic.Name != "" {
			t.Errorf("%v, %+v", done.UnknownColumns, topic)
		}
	})
}

func asFault(err error, to **fault.Error) bool {
	for err != nil {
		if e, ok := err.(*fault.Error); ok { //nolint:errorlint // walked by hand: joined errors have several
			*to = e
			return true
		}
		u, ok := err.(interface{ Unwrap() error }) //nolint:errorlint // as above
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

func edit(m fstest.MapFS, name, old, with string) {
	b := bytes.Replace(m[name].Data, []byte(old), []byte(with), 1)
	m[name] = &fstest.MapFile{Data: b, Mode: 0o600}
}

func change(m fstest.MapFS, prefix, with string) {
	for name := range m {
		if strings.HasPrefix(name, prefix) {
			m[name] = &fstest.MapFile{Data: []byte(with)}
		}
	}
}

// dropLast takes the first person away and the count of them down: the rows that point to it stay.
func dropLast(m fstest.MapFS, table, head string) {
	_, rest, _ := bytes.Cut(m[table].Data, []byte("\n"))
	m[table] = &fstest.MapFile{Data: rest}
	var e exports.Everything
	if err := json.Unmarshal(m[head].Data, &e); err != nil {
		panic(err)
	}
	for i := range e.Tables {
		if e.Tables[i].File == table {
			e.Tables[i].Rows--
		}
	}
	m[head] = &fstest.MapFile{Data: must(json.Marshal(e))}
}

// Every column that holds bytes has a way into the files, or a reason not to be there; and every sealed or keyed personal
// column is opened, made anew or left out.
func TestEveryColumnHasAWay(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		have, err := tables.Read(t.Context(), db.SQL, db.Postgres())
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for table, columns := range have {
			if _, out := exports.LeftOutTables[table]; out {
				continue
			}
			for _, c := range columns {
				full := table + "." + c.Name
				known[full] = true
				if problem := exports.Way(table, c.Column); problem != "" {
					t.Error(problem)
				}
			}
		}
		for full := range exports.LeftOutColumns {
			if !known[full] {
				t.Errorf("%s is left out and is not there", full)
			}
		}
		for _, p := range models.PersonalColumns {
			full := p.Table + "." + p.Column
			if _, out := exports.LeftOutTables[p.Table]; out || p.Form == models.Clear || exports.Carries(full) == (p.Form == models.Sealed) {
				continue
			}
			if _, out := exports.LeftOutColumns[full]; !out && full != "erasures.address_hash" {
				t.Errorf("%s is %s: say what becomes of it", full, p.Form)
			}
		}
	})
}
