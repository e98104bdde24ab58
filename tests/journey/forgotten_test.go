package journey

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/backups"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/factory"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// forgotten is somebody whose every word can be told from everybody else's.
type forgotten struct {
	given, family, email, phone, comment, note, answer, field string
	box                                                       models.Mailbox
}

// word is a word for a number, of the same length for all, that stands in no other.
func word(n int) string {
	const letters = "bcdfghjklmnpqrst"
	return string([]byte{letters[n>>8&15], 'a', letters[n>>4&15], 'o', letters[n&15], 'u'})
}

func somebody(n int) forgotten {
	w := word(n)
	title := strings.ToUpper(w[:1]) + w[1:]
	return forgotten{
		given: "Q" + title + "ine", family: "X" + title + "feld", email: "y" + w + "z@people.example", phone: fmt.Sprintf("+141555%05d", 20000+n),
		comment: "The " + w + " comment.", note: "The " + w + " note.", answer: "The " + w + " answer.", field: "the " + w + " field",
	}
}

// clear is whatever of them may stand somewhere for everybody to read; hashes are what would tell them without a key, and the
// telephone number's keyed hash. The address's own keyed hash is what an erasure leaves on purpose.
func (f forgotten) clear() []string {
	return []string{f.given, f.family, f.email, f.phone, f.phone[2:], f.comment, f.note, f.answer, f.field}
}

func (f forgotten) hashes(v *vault.Vault) []string {
	var out []string
	for _, x := range []string{f.email, f.phone, f.phone[1:], f.given, f.given + " " + f.family} {
		h := sha256.Sum256([]byte(x))
		out = append(out, string(h[:]), hex.EncodeToString(h[:]), base64.StdEncoding.EncodeToString(h[:]))
	}
	return append(out, forms(v.Hash("phone", []byte(f.phone)))...)
}

func forms(h []byte) []string {
	return []string{string(h), hex.EncodeToString(h), base64.StdEncoding.EncodeToString(h)}
}

// Out of two hundred people a hundred are erased, each by one of the ways there are. Then nothing of them is found in the
// rows, not even in what is sealed, nor in a file of the data folder, the log or a later backup. The others are whole.
func TestEraseAHundred(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, system := context.Background(), actor.TheSystem()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		people := make([]forgotten, 200)
		p := factory.Petition(t, a, "Twenty visits")
		for i := range people {
			people[i] = somebody(i)
			f := &people[i]
			_, err := a.Petitions.Sign(ctx, petitions.SignInput{
				Slug: p.Slug, GivenName: f.given, FamilyName: f.family, Email: f.email, PostalCode: "00209", Display: "name", Comment: f.comment, Updates: true, Locale: "en", ConsentText: "Write to me",
			})
			must(err)
			must(a.DB.Take(&f.box, "address_hash = ?", a.Vault.AddressHash(f.email)).Error)
			_, err = a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, f.box.ID, a.Clock.Now().AddDate(0, 0, 7)), nil)
			must(err)
			must(a.DB.Take(&f.box, "id = ?", f.box.ID).Error)
		}
		settled(t, a)
		record(t, a, people)
		var count int
		must(a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Pluck("signature_count", &count).Error)

		before := everything(t, a.DB, a.Vault)
		for _, f := range people { // the search finds what is there
			for _, needle := range append(f.clear(), forms(a.Vault.AddressHash(f.email))[1]) {
				if needle != f.phone[2:] && !strings.Contains(before, needle) {
					t.Fatalf("the search does not find %q of somebody who is there", needle)
				}
			}
		}
		folder := func() string {
			text := tree(t, a.Config.Storage.Data)
			if path := a.DB.Path(); path != "" {
				text += tree(t, filepath.Dir(path)) // the file and its log
			}
			return text
		}
		if !a.DB.Postgres() && !strings.Contains(folder(), people[3].given) {
			t.Fatal("a name that is shown in public does not stand in the database's file: the search does not look there")
		}
		if page := a.Client(t).Get("/petitions/" + p.Slug).Want(200); !strings.Contains(string(page.Body), people[198].given) {
			t.Fatal("the petition's page shows no names")
		}

		// By the person, from the record's page, and by a list of addresses.
		gone, stay := []forgotten{}, []forgotten{}
		owner := a.Owner(t)
		var list []string
		for i, f := range people {
			switch {
			case i%2 == 1:
				stay = append(stay, f)
				continue
			case i%6 == 0:
				_, err := a.Erasures.EraseMine(ctx, actor.Actor{Kind: actor.Person, MailboxID: f.box.ID})
				must(err)
			case i%6 == 2:
				ask := owner.Get("/admin/erasures/supporter/" + f.box.SupporterID.String()).Want(200)
				ask.Submit("main form", nil).Want(422) // not sure
				if receipt := ask.Submit("main form", map[string]string{"sure": "yes"}).Want(200); !strings.HasPrefix(receipt.Path, "/admin/erasures/") {
					t.Fatalf("after erasing: %s", receipt.Path)
				}
			default:
				list = append(list, strings.ToUpper(f.email))
			}
			gone = append(gone, f)
		}
		page := owner.Get("/admin/erasures").Want(200)
		page.Submit("form[action='/admin/erasures']", map[string]string{"addresses": strings.Join(list, "\n"), "sure": "yes"}).Want(200)
		if len(gone) != 100 {
			t.Fatalf("%d people", len(gone))
		}
		if body := string(a.Client(t).Get("/petitions/" + p.Slug).Want(200).Body); strings.Contains(body, people[198].given) || !strings.Contains(body, people[199].given) {
			t.Error("the petition's page shows who is erased, or not who is there")
		}
		worked(t, a)

		after := everything(t, a.DB, a.Vault)
		var made bytes.Buffer
		store, err := files.NewFolder(a.Config.Storage.Path("files"))
		must(err)
		_, err = backups.New(a.DB, store, a.Clock, "test").Backup(ctx, system, &made, nil)
		must(err)
		backup := unpacked(t, made.Bytes())
		again := testdb.SQLite(t)
		elsewhere, err := files.NewFolder(t.TempDir())
		must(err)
		_, err = backups.New(again, elsewhere, a.Clock, "test").Restore(ctx, system, bytes.NewReader(made.Bytes()), nil)
		must(err)
		hits := 0
		for where, text := range map[string]string{
			"rows": after, "the data folder": folder(), "the log": a.Logged(), "a later backup": backup, "a later backup, restored": everything(t, again, a.Vault),
		} {
			if len(text) < 1000 && where != "the log" {
				t.Errorf("%s: only %d bytes were searched", where, len(text))
			}
			for _, f := range gone {
				for _, needle := range append(f.clear(), f.hashes(a.Vault)...) {
					if strings.Contains(text, needle) {
						hits++
						t.Errorf("%s: %q", where, needle)
					}
				}
			}
			t.Logf("searched %s: %d bytes for 100 people", where, len(text))
		}
		for _, line := range strings.Split(after, "\n") {
			table, _, _ := strings.Cut(line, " ")
			for _, f := range gone {
				for _, h := range forms(a.Vault.AddressHash(f.email)) {
					if table != "erasures" && table != "river_job" && strings.Contains(line, h) {
						t.Errorf("%s holds the keyed hash of an erased address", table)
					}
				}
			}
		}
		t.Logf("%d hits", hits)

		// The others, and the counts.
		for _, f := range stay {
			for _, needle := range append(f.clear(), forms(a.Vault.AddressHash(f.email))[1]) {
				if needle != f.phone[2:] && !strings.Contains(after, needle) {
					t.Errorf("%q of somebody who stays is gone", needle)
				}
			}
		}
		for table, want := range map[string]int64{"supporters": 100, "phones": 100, "notes": 100, "submissions": 100, "field_values": 100, "signatures": 200, "erasures": 100} {
			var n int64
			if err := a.DB.Table(table).Count(&n).Error; err != nil || n != want {
				t.Errorf("%s: %d rows, not %d (%v)", table, n, want, err)
			}
		}
		var now int
		must(a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Pluck("signature_count", &now).Error)
		if now != count || now != 200 {
			t.Errorf("%d signatures, then %d", count, now)
		}
		if outside := tree(t, a.Config.Storage.Path("erased")); strings.Count(outside, `"hash"`) != 100 {
			t.Errorf("the list outside of the database has %d entries", strings.Count(outside, `"hash"`))
		}
	})
}

// record gives people what petitions do not: telephone numbers, notes, fields, forms, and files that hold them all.
func record(t *testing.T, a *testapp.App, people []forgotten) {
	t.Helper()
	now, v := a.Clock.Now(), a.Vault
	create := func(rows ...any) {
		t.Helper()
		for _, r := range rows {
			if err := a.DB.Create(r).Error; err != nil {
				t.Fatalf("%T: %v", r, err)
			}
		}
	}
	field := models.CustomField{ID: models.NewID(), Name: "shirt", Label: "Shirt", Kind: models.FieldText, SeenBy: "organizer", CreatedAt: now, UpdatedAt: now}
	create(&field)
	// The sweep of files at the start takes what is being written for something old: this clock is ahead of the files'.
	idle(t, a, "kind = 'regular' AND state IN ('available', 'running', 'retryable')")
	var file strings.Builder
	for i, f := range people {
		s := *f.box.SupporterID
		phone, note, answers := models.NewID(), models.NewID(), models.NewID()
		create(
			&models.Phone{ID: phone, SupporterID: s, NumberSealed: v.Seal("phones", "number_sealed", phone, f.phone), NumberHash: v.Hash("phone", []byte(f.phone)), Valid: true, CreatedAt: now},
			&models.Note{ID: note, SupporterID: s, BodySealed: v.Seal("notes", "body_sealed", note, f.note), CreatedAt: now},
			&models.FieldValue{SupporterID: s, FieldID: field.ID, TextValue: f.field, UpdatedAt: now},
			&models.Submission{ID: answers, MailboxID: f.box.ID, State: models.SubmissionConfirmed, AnswersSealed: v.Seal("submissions", "answers_sealed", answers, f.answer), ConfirmedAt: &now, CreatedAt: now, ExpiresAt: now},
		)
		if i%4 < 2 { // a comment that everybody can read
			err := a.DB.Model(&models.Signature{}).Where("mailbox_id = ?", f.box.ID).Updates(map[string]any{"comment_state": models.CommentShown, "comment_shown": f.comment}).Error
			if err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&file, "%s,%s,%s,%s\n", f.email, f.given, f.family, f.phone)
	}
	for _, kind := range []models.FileKind{models.FileImport, models.FileErrors, models.FileExport} {
		f, err := a.Files.Put(t.Context(), nil, files.PutInput{Kind: kind, Name: people[0].given + ".csv", ContentType: "text/csv"}, strings.NewReader(file.String()))
		if err != nil {
			t.Fatal(err)
		}
		if kind == models.FileExport {
			create(&models.Export{ID: models.NewID(), Kind: "supporters", Format: "csv", State: "finished", FileID: &f.ID, CreatedAt: now, UpdatedAt: now})
		} else {
			create(&models.Import{ID: models.NewID(), FileID: &f.ID, State: models.ImportFinished, CreatedAt: now, UpdatedAt: now})
		}
	}
}

// worked returns once nothing is left to do after erasures.
func worked(t *testing.T, a *testapp.App) {
	t.Helper()
	idle(t, a, "kind = 'erasure' AND state <> 'completed'")
}

// idle returns once there is no job of a kind.
func idle(t *testing.T, a *testapp.App, where string) {
	t.Helper()
	for {
		var n int64
		if err := a.DB.Raw("SELECT COUNT(*) FROM river_job WHERE " + where).Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		pause(t)
	}
}

// everything is each row of each table as a line: its values as text and as hexadecimal, and what is sealed also opened.
func everything(t *testing.T, db *database.DB, v *vault.Vault) string {
	t.Helper()
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if db.Postgres() {
		list = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	}
	var names []string
	if err := db.Raw(list).Scan(&names).Error; err != nil {
		t.Fatal(err)
	}
	sealed := map[string][]string{}
	for _, c := range models.PersonalColumns {
		if c.Form == models.Sealed {
			sealed[c.Table] = append(sealed[c.Table], c.Column)
		}
	}
	id := func(v any) []byte {
		switch x := v.(type) {
		case string:
			u, _ := uuid.Parse(x)
			return u[:]
		case [16]byte:
			return x[:]
		}
		return nil
	}
	var out strings.Builder
	opened := 0
	for _, name := range names {
		var rows []map[string]any
		if err := db.Table(name).Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			out.WriteString(name)
			for column, value := range row {
				if b, ok := value.([]byte); ok {
					fmt.Fprintf(&out, " %s=%s %x", column, strings.ReplaceAll(string(b), "\n", " "), b)
					continue
				}
				fmt.Fprintf(&out, " %s=%v", column, value)
			}
			for _, column := range sealed[name] {
				b, ok := row[column].([]byte)
				if !ok || len(b) == 0 {
					continue
				}
				var key []byte
				switch name {
				case "mailboxes":
					key, _ = row["address_hash"].([]byte)
				case "field_values":
					key = append(slices.Clone(id(row["supporter_id"])), id(row["field_id"])...)
				default:
					key = id(row["id"])
				}
				plain, err := v.OpenBytes(name, column, key, b)
				if err != nil {
					t.Fatalf("%s.%s cannot be opened: %v", name, column, err)
				}
				opened++
				fmt.Fprintf(&out, " %s=%s", column, plain)
			}
			out.WriteByte('\n')
		}
	}
	if opened < 100 {
		t.Fatalf("only %d sealed values were opened", opened)
	}
	return out.String()
}

// tree is the content of every file below a folder.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		out.WriteString(path + "\n")
		out.Write(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out.String()
}

// unpacked is the content of every member of a backup.
func unpacked(t *testing.T, b []byte) string {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out strings.Builder
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err == nil {
			out.WriteString(h.Name + "\n")
			_, err = io.Copy(&out, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A backup from before an erasure, restored: whoever was erased since stays erased, by the list beside the stored files and,
// where that is lost, by a copy of it. Whoever came back since is there.
func TestErasedStayErasedAfterARestore(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, system := context.Background(), actor.TheSystem()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(6)
		factory.Signed(t, a, p, people...)
		settled(t, a)
		store, err := files.NewFolder(a.Config.Storage.Path("files"))
		must(err)
		backup := func() []byte {
			var b bytes.Buffer
			_, err := backups.New(a.DB, store, a.Clock, "test").Backup(ctx, system, &b, nil)
			must(err)
			return b.Bytes()
		}
		old := backup()
		a.Clock.Add(time.Hour)
		done, err := a.Erasures.EraseAddresses(ctx, system, []string{people[0].Email, people[1].Email, people[2].Email})
		if err != nil || done.Erased != 3 {
			t.Fatalf("%+v, %v", done, err)
		}
		worked(t, a)
		a.Clock.Add(time.Hour)
		factory.Signed(t, a, p, people[2]) // came back
		newer := backup()

		outside, err := files.NewFolder(a.Config.Storage.Path("erased"))
		must(err)
		inStore, err := erasures.NewLedger(outside).All(ctx)
		must(err)
		var copied bytes.Buffer
		since, err := a.Erasures.Since(ctx, system)
		must(err)
		must(erasures.WriteList(&copied, since))
		fromFile, err := erasures.ReadList(&copied)
		must(err)
		if len(inStore) != 3 || len(fromFile) != 3 {
			t.Fatalf("the list: %d in the store, %d in its copy", len(inStore), len(fromFile))
		}
		for name, list := range map[string][]erasures.Entry{"from the store": inStore, "from a file": fromFile, "both": slices.Concat(inStore, fromFile)} {
			for _, x := range []struct {
				backup           []byte
				erased           int
				people, memories int64
			}{{old, 3, 3, 3}, {newer, 0, 4, 2}} {
				to := testdb.SQLite(t)
				if a.DB.Postgres() {
					to = testdb.Postgres(t)
				}
				folder, err := files.NewFolder(t.TempDir())
				must(err)
				got, err := backups.New(to, folder, a.Clock, "test").Restore(ctx, system, bytes.NewReader(x.backup), nil, list...)
				must(err)
				var rows, remembered, signatures int64
				var count int
				must(to.Model(&models.Supporter{}).Count(&rows).Error)
				must(to.Model(&models.Erasure{}).Count(&remembered).Error)
				must(to.Model(&models.Signature{}).Where("mailbox_id IS NOT NULL").Count(&signatures).Error)
				must(to.Model(&models.Petition{}).Where("id = ?", p.ID).Pluck("signature_count", &count).Error)
				if got.Erased != x.erased || rows != x.people || remembered != x.memories || signatures != x.people || count < 6 {
					t.Errorf("%s: %d addresses erased, %d people, %d remembered, %d signatures with a person, %d counted; not %+v", name, got.Erased, rows, remembered, signatures, count, x)
				}
				_, err = erasures.New(erasures.Options{DB: to, Vault: a.Vault, Clock: a.Clock}).EraseMine(ctx, actor.Actor{Kind: actor.Person, MailboxID: models.NewID()})
				if !fault.Is(err, fault.Gone) {
					t.Error(err)
				}
				for i, x := range people[:2] {
					var m models.Mailbox
					if err := to.Take(&m, "address_hash = ?", a.Vault.AddressHash(x.Email)).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
						t.Errorf("%s: person %d is back: %v", name, i, err)
					}
				}
			}
		}
	})
}
