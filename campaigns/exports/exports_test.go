package exports_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/xuri/excelize/v2"

	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

var system = actor.TheSystem()

// hard is what a cell of a list can hold at worst.
var hard = []string{
	`=HYPERLINK("http://evil.example","x")`, "+1", "-2+3", "@SUM(A1)", "\ttab", "\rreturn", `plain "quoted", with comma`, "line\nbreak", " space first", "'apostrophe", "Núñez 日本 👩‍🦽",
	"<b>&amp;</b>", "back\\slash", "\u2028separator", "=",
}

func TestCSVHoldsNoFormula(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, h := range hard {
			w.add(somebody{given: h, family: "Family", city: h, emails: []string{uuid.NewString() + "@example.org"}, phones: []string{"+1 617 555 0123"}})
		}
		out := w.write(system, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: []string{"given_name", "city", "phone", "created_at"}})
		rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil || len(rows) != len(hard)+1 || !slices.Equal(rows[0], []string{"given_name", "city", "phone", "created_at"}) {
			t.Fatalf("%v, %q", err, rows)
		}
		for i, row := range rows[1:] {
			for k, cell := range row[:3] {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("row %d: %q is a formula", i, cell)
				}
				want := strings.ReplaceAll(hard[i], "\r\n", "\n")
				if k == 2 {
					want = "+16175550123"
				}
				if bare := strings.TrimPrefix(cell, "'"); cell != want && bare != want {
					t.Errorf("row %d: %q came out as %q", i, want, cell)
				}
			}
		}
	})
}

func TestWorkbook(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, h := range append(slices.Clone(hard), "control\x01\x0bs", strings.Repeat("y", 40_000)) {
			w.add(somebody{given: h, tags: []string{"one", "two, three"}})
		}
		out := w.write(system, exports.Input{Kind: exports.KindSupporters, Format: exports.XLSX, Columns: []string{"given_name", "tags"}})
		book, err := excelize.OpenReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = book.Close() }()
		rows, err := book.GetRows(book.GetSheetName(0))
		if err != nil || len(rows) != len(hard)+3 {
			t.Fatalf("%v, %d rows", err, len(rows))
		}
		for i, h := range append(slices.Clone(hard), "controls", strings.Repeat("y", 32_767)) {
			if rows[i+1][0] != h {
				t.Errorf("%q came out as %q", h, rows[i+1][0])
			}
			if f, err := book.GetCellFormula(book.GetSheetName(0), "A"+string(rune('2'))); err != nil || f != "" {
				t.Errorf("a formula: %q, %v", f, err)
			}
			if rows[i+1][1] != `one, "two, three"` {
				t.Errorf("tags are %q", rows[i+1][1])
			}
		}
	})
}

// What one person's record holds comes out whole, in every column.
func TestEveryColumn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open, secret, number := w.field("shirt", models.FieldText, false, "coordinator"), w.field("meeting", models.FieldText, true, "organizer"), w.field("visits", models.FieldNumber, false, "organizer")
		north := w.chapter("north")
		topic := models.Topic{ID: models.NewID(), Slug: "research", Name: "Research", CreatedAt: start, UpdatedAt: start}
		w.create(&topic)
		p := w.add(somebody{
			given: "June", family: "Okafor", street: "1 Elm St", city: "Durham", postal: "27701", emails: []string{"june@example.org", "j.okafor@example.com"},
			phones: []string{"(617) 555-0123", "+34 912 345 678"}, tags: []string{"volunteer", "speaks, Spanish"}, chapter: north,
			fields: map[*models.CustomField]string{open: "M", secret: "prefers mornings", number: "3"},
		})
		d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:nc/cd:4", Kind: models.DivisionCongress, Country: "US", CreatedAt: start, UpdatedAt: start}
		w.create(&d, &models.SupporterDivision{SupporterID: p.ID, Kind: d.Kind, DivisionID: d.ID, How: models.ByPostal, UpdatedAt: start})
		w.agree("june@example.org", models.PurposeNewsletter, topic.ID)
		w.agree("june@example.org", models.PurposePhone, uuid.Nil)
		w.must(w.db.Model(&models.Supporter{}).Where("id = ?", p.ID).Updates(map[string]any{"region": "NC", "time_zone": "America/New_York"}).Error)
		w.add(somebody{given: "Nobody", emails: nil})

		columns := append(slices.Clone(exports.Columns), "field_shirt", "field_meeting", "field_visits")
		list := w.people(system, exports.Input{Columns: columns})
		if len(list) != 2 {
			t.Fatalf("%d people", len(list))
		}
		want := map[string]any{
			"id": p.ID.String(), "email": "june@example.org", "other_emails": []any{"j.okafor@example.com"}, "given_name": "June", "family_name": "Okafor",
			"phone": "+16175550123", "other_phones": []any{"+34912345678"}, "street": "1 Elm St", "city": "Durham", "region": "NC", "postal_area": "27701", "country": "US",
			"locale": "en", "time_zone": "America/New_York", "chapter": "Chapter north", "districts": []any{"ocd-division/country:us/state:nc/cd:4"},
			"consents": []any{"newsletter:research 2027-02-01", "phone 2027-02-01"}, "subscription_status": "subscribed", "source": "form", "created_at": "2027-02-01T12:00:00Z",
			"field_shirt": "M", "field_meeting": "prefers mornings", "field_visits": "3",
		}
		for k, v := range want {
			if a, b := must(json.Marshal(list[0][k])), must(json.Marshal(v)); string(a) != string(b) {
				t.Errorf("%s is %s, want %s", k, a, b)
			}
		}
		if tags, _ := list[0]["tags"].([]any); len(tags) != 2 || !slices.Contains(tags, any("volunteer")) || !slices.Contains(tags, any("speaks, Spanish")) {
			t.Errorf("tags: %v", list[0]["tags"])
		}
		for k, v := range list[1] {
			if _, is := v.([]any); !is && v != nil && !slices.Contains([]string{"id", "given_name", "created_at", "country", "locale", "source"}, k) && v != "none" {
				t.Errorf("nobody has %s: %v", k, v)
			}
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// Whoever did not agree to a purpose is in no list for it, and neither are addresses that were not agreed with.
func TestPurpose(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		topic, partner, other := models.NewID(), models.NewID(), models.NewID()
		w.create(&models.Topic{ID: topic, Slug: "t", Name: "T", CreatedAt: start, UpdatedAt: start}, &models.Partner{ID: partner, Name: "Partner", CreatedAt: start, UpdatedAt: start},
			&models.Partner{ID: other, Name: "Other", CreatedAt: start, UpdatedAt: start})
		w.add(somebody{given: "Yes", emails: []string{"other-yes@example.org", "yes@example.org"}, phones: []string{"6175550123"}, tags: []string{"secret tag"}})
		w.add(somebody{given: "Never", emails: []string{"never@example.org"}, phones: []string{"6175550124"}})
		w.add(somebody{given: "Withdrew", emails: []string{"withdrew@example.org"}})
		w.add(somebody{given: "Suppressed", emails: []string{"suppressed@example.org"}, suppressed: models.SuppressedComplaint})
		w.add(somebody{given: "Paused", emails: []string{"paused@example.org"}})
		w.must(w.db.Model(&models.Mailbox{}).Where("domain = 'example.org' AND supporter_id IN (SELECT m2.supporter_id FROM mailboxes m2 WHERE m2.address_hash = ?)", w.vault.AddressHash("paused@example.org")).
			Update("paused_until", time.Now().AddDate(1, 0, 0)).Error)
		for _, who := range []string{"yes", "withdrew", "suppressed", "paused"} {
			for _, p := range []struct {
				purpose models.Purpose
				scope   uuid.UUID
			}{{models.PurposeNewsletter, topic}, {models.PurposePhone, uuid.Nil}, {models.PurposeShare, partner}} {
				c := w.agree(who+"@example.org", p.purpose, p.scope)
				if who == "withdrew" {
					w.must(w.db.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'mail' WHERE id = ?", start, c.ID).Error)
				}
			}
		}
		for _, c := range []struct {
			purpose models.Purpose
			scope   uuid.UUID
			want    []string
		}{
			{models.PurposeNewsletter, topic, []string{"Yes"}},
			{models.PurposeNewsletter, uuid.Nil, []string{}},
			{models.PurposePhone, uuid.Nil, []string{"Yes", "Suppressed", "Paused"}},
			{models.PurposeShare, partner, []string{"Yes", "Suppressed", "Paused"}},
			{models.PurposeShare, other, []string{}},
		} {
			list := w.people(system, exports.Input{Purpose: c.purpose, ScopeID: c.scope, Columns: []string{"given_name", "email", "phone"}})
			if got := names(list); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.purpose, got, c.want)
			}
			for _, m := range list {
				if m["given_name"] == "Yes" && m["email"] != "yes@example.org" {
					t.Errorf("%s: the address is %v", c.purpose, m["email"])
				}
			}
		}
		all := w.write(system, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Purpose: models.PurposeShare, ScopeID: partner})
		if s := string(all); strings.Contains(s, "secret tag") || strings.Contains(s, "other-yes") || !strings.Contains(s, "yes@example.org") {
			t.Errorf("the partner gets %s", s)
		}
		for _, in := range []exports.Input{
			{Purpose: models.PurposeShare, ScopeID: partner, Columns: []string{"email", "tags"}},
			{Purpose: models.PurposeShare},
			{Purpose: models.PurposeUpdates},
			{Purpose: models.PurposeShare, ScopeID: topic},
			{Purpose: "receipt"},
			{Purpose: "nonsense"},
			{Columns: []string{"email", "password"}},
			{Columns: []string{"field_none"}},
		} {
			in.Kind, in.Format = exports.KindSupporters, exports.CSV
			if _, err := w.svc.Write(t.Context(), system, in, io.Discard, nil); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", in, err)
			}
		}
	})
}

// A chapter's account gets its chapter's people alone, each account the fields of its role, and what others made for
// themselves stays theirs.
func TestWhoSeesWhat(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north, south := w.chapter("north"), w.chapter("south")
		secret := w.field("board", models.FieldText, false, "owner")
		for _, s := range []struct {
			name    string
			chapter *uuid.UUID
		}{{"Northcanary", north}, {"Southcanary", south}, {"Nochapter", nil}} {
			w.add(somebody{given: s.name, emails: []string{s.name + "@example.org"}, chapter: s.chapter, fields: map[*models.CustomField]string{secret: "ownercanary"}})
		}
		owner, organizer, northern, southern := w.user(actor.Owner, nil), w.user(actor.Organizer, nil), w.user(actor.Organizer, north), w.user(actor.Organizer, south)
		given := []string{"given_name"}
		for _, c := range []struct {
			a    actor.Actor
			want []string
		}{
			{owner, []string{"Northcanary", "Southcanary", "Nochapter"}},
			{organizer, []string{"Northcanary", "Southcanary", "Nochapter"}},
			{northern, []string{"Northcanary"}},
			{southern, []string{"Southcanary"}},
		} {
			if got := names(w.people(c.a, exports.Input{Columns: given})); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.a.Role, got, c.want)
			}
		}
		if got := w.people(owner, exports.Input{Columns: []string{"field_board"}}); got[0]["field_board"] != "ownercanary" {
			t.Errorf("the owner's field: %v", got)
		}
		if _, err := w.svc.Create(t.Context(), organizer, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: []string{"field_board"}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("an organizer exports a field of the owner: %v", err)
		}
		for _, a := range []actor.Actor{{}, w.user(actor.Viewer, nil), w.user(actor.Coordinator, nil), w.user(actor.Advocate, nil), {Kind: actor.User, Role: actor.Owner, OneStep: true}} {
			if _, err := w.svc.Create(t.Context(), a, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV}); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s exports: %v", a.Role, err)
			}
		}
		for _, a := range []actor.Actor{organizer, northern} {
			if _, err := w.svc.Create(t.Context(), a, exports.Input{Kind: exports.KindEverything}); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s exports everything: %v", a.Role, err)
			}
		}

		// Files: each is fetched by those who could have made it.
		made := map[string]uuid.UUID{}
		for name, m := range map[string]struct {
			a  actor.Actor
			in exports.Input
		}{
			"north": {northern, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: given}},
			"whole": {organizer, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: given}},
			"board": {owner, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: []string{"field_board"}}},
			"all":   {owner, exports.Input{Kind: exports.KindEverything}},
		} {
			id, err := w.svc.Create(t.Context(), m.a, m.in)
			w.must(err)
			made[name] = id
			w.work(id)
		}
		for _, c := range []struct {
			a   actor.Actor
			may string
		}{{owner, "north whole board all"}, {organizer, "north whole"}, {northern, "north"}, {southern, ""}} {
			page, err := w.svc.List(t.Context(), c.a, paging.Cursor{})
			w.must(err)
			listed := map[uuid.UUID]bool{}
			for _, e := range page.Rows {
				listed[e.ID] = true
			}
			for name, id := range made {
				rc, _, err := w.svc.Open(t.Context(), c.a, id)
				allowed := slices.Contains(strings.Fields(c.may), name)
				if allowed != (err == nil) || allowed != listed[id] || err != nil && !fault.Is(err, fault.NotFound) {
					t.Errorf("%s %s: %v, listed %v", c.a.Role, name, err, listed[id])
				}
				if err == nil {
					b, err := io.ReadAll(rc)
					w.must(errors.Join(err, rc.Close()))
					if name == "north" && (strings.Contains(string(b), "Southcanary") || !strings.Contains(string(b), "Northcanary")) {
						t.Errorf("the north's file holds %s", b)
					}
				}
			}
		}
		var fetched int64
		w.must(w.db.Model(&models.AuditEntry{}).Where("action = 'export.fetch'").Count(&fetched).Error)
		if fetched != 7 {
			t.Errorf("%d fetches were noted, not 7", fetched)
		}
		var entries []models.AuditEntry
		w.must(w.db.Where("action = 'export.finish' AND object_id = ?", made["whole"]).Find(&entries).Error)
		if len(entries) != 1 || !strings.Contains(entries[0].Details, `"rows":3`) {
			t.Errorf("noted: %+v", entries)
		}
	})
}

// work does the job of an export as the queue would.
func (w *world) work(id uuid.UUID) {
	w.t.Helper()
	w.must(w.try(w.t.Context(), id, 1))
}

func (w *world) try(ctx context.Context, id uuid.UUID, attempt int) error {
	workers := exports.Worker(w.svc)
	return workers.Work(ctx, &river.Job[exports.RunArgs]{JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 5}, Args: exports.RunArgs{ExportID: id}})
}

func (w *world) state(id uuid.UUID) models.Export {
	w.t.Helper()
	var m models.Export
	w.must(w.db.Take(&m, "id = ?", id).Error)
	return m
}

func TestJob(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		owner := w.user(actor.Owner, nil)
		w.add(somebody{given: "Ann", emails: []string{"ann@example.org"}})
		ask := func() uuid.UUID {
			id, err := w.svc.Create(t.Context(), owner, exports.Input{Kind: exports.KindSupporters, Format: exports.JSONL, Columns: []string{"given_name"}})
			w.must(err)
			return id
		}
		id := ask()
		if len(w.jobs) != 1 || w.jobs[0].ExportID != id || w.state(id).State != models.ExportWaiting {
			t.Fatalf("%+v", w.jobs)
		}
		w.work(id)
		w.work(id) // twice does nothing
		if m := w.state(id); m.State != models.ExportFinished || m.RowsDone != 1 || m.FileID == nil || w.count("files") != 1 {
			t.Fatalf("%+v, %d files", m, w.count("files"))
		}
		rc, e, err := w.svc.Open(t.Context(), owner, id)
		w.must(err)
		b, err := io.ReadAll(rc)
		w.must(errors.Join(err, rc.Close()))
		if string(b) != "{\"given_name\":\"Ann\"}\n" || !strings.HasSuffix(e.Name(), ".jsonl") || e.Until == nil || !e.Until.Equal(start.AddDate(0, 0, 7)) {
			t.Fatalf("%q, %+v", b, e)
		}
		w.clk.Add(8 * 24 * time.Hour)
		if _, _, err := w.svc.Open(t.Context(), owner, id); !fault.Is(err, fault.Gone) {
			t.Errorf("after eight days: %v", err)
		}

		// Whoever lost the right gets nothing that they asked for before.
		id = ask()
		w.must(w.db.Model(&models.User{}).Where("id = ?", owner.UserID).Update("role", string(actor.Viewer)).Error)
		if err := w.try(t.Context(), id, 1); err == nil || w.state(id).State != models.ExportFailed || w.state(id).Message != "error.export_rights" {
			t.Errorf("%v, %+v", err, w.state(id))
		}
		w.must(w.db.Model(&models.User{}).Where("id = ?", owner.UserID).Update("role", string(actor.Owner)).Error)

		// One that died with its node is found, and begun anew.
		id = ask()
		w.must(w.db.Model(&models.Export{}).Where("id = ?", id).UpdateColumn("state", models.ExportRunning).Error)
		w.work(id)
		if w.state(id).State != models.ExportRunning {
			t.Error("somebody else's work was taken away")
		}
		w.jobs = nil
		w.must(w.svc.Revive(t.Context()))
		if len(w.jobs) != 0 {
			t.Error("revived at once")
		}
		w.clk.Add(3 * time.Minute)
		w.must(w.svc.Revive(t.Context()))
		if len(w.jobs) != 1 {
			t.Fatalf("%d jobs", len(w.jobs))
		}
		w.work(w.jobs[0].ExportID)
		if w.state(id).State != models.ExportFinished {
			t.Errorf("%+v", w.state(id))
		}

		// A server that stops leaves it to the next.
		id = ask()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = w.try(ctx, id, 1)
		if s := w.state(id).State; s != models.ExportWaiting {
			t.Errorf("after a stop: %s", s)
		}
		w.work(id)
		if w.state(id).State != models.ExportFinished {
			t.Errorf("%+v", w.state(id))
		}

		// What does not open is no half file.
		w.must(w.db.Exec("UPDATE supporters SET given_name_sealed = ?", []byte("0123456789012345678901234567890123456789")).Error)
		id = ask()
		for attempt := range 5 {
			if err := w.try(t.Context(), id, attempt+1); err == nil {
				t.Error("done")
			}
		}
		if m := w.state(id); m.State != models.ExportFailed || m.Message != "error.export_stopped" || m.FileID != nil {
			t.Errorf("%+v", m)
		}
	})
}

// Whoever is erased while a file is made is not in it.
func TestErasedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		owner := w.user(actor.Owner, nil)
		p := w.add(somebody{given: "Gone"})
		w.add(somebody{given: "Here"})
		id, err := w.svc.Create(t.Context(), owner, exports.Input{Kind: exports.KindSupporters, Format: exports.JSONL, Columns: []string{"given_name"}})
		w.must(err)
		exports.BeforeFinish(w.svc, func() {
			w.must(w.db.Exec("DELETE FROM supporters WHERE id = ?", p.ID).Error)
			w.create(&models.Erasure{ID: models.NewID(), AddressHash: []byte{1}, How: "person", CreatedAt: w.clk.Now()})
		})
		err = w.try(t.Context(), id, 1)
		var snooze *rivertype.JobSnoozeError
		if !errors.As(err, &snooze) || w.state(id).State != models.ExportWaiting || w.count("files") != 0 {
			t.Fatalf("%v, %+v", err, w.state(id))
		}
		exports.BeforeFinish(w.svc, func() {})
		w.work(id)
		rc, _, err := w.svc.Open(t.Context(), owner, id)
		w.must(err)
		b, err := io.ReadAll(rc)
		w.must(errors.Join(err, rc.Close()))
		if string(b) != "{\"given_name\":\"Here\"}\n" {
			t.Errorf("%s", b)
		}
	})
}

// What is handed over is what signers were told.
func TestSignatures(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := models.Campaign{ID: models.NewID(), Slug: "c", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
		p := models.Petition{ID: models.NewID(), CampaignID: c.ID, Slug: "p", State: models.PetitionPublished, Title: "Twenty visits", CreatedAt: start, UpdatedAt: start}
		w.create(&c, &p)
		north := w.chapter("north")
		for i, s := range []models.Signature{
			{State: models.SignatureConfirmed, Display: models.DisplayName, DisplayName: "=June Okafor", PostalArea: "27701", CommentState: models.CommentShown, CommentShown: "Please"},
			{State: models.SignatureConfirmed, Display: models.DisplayAnonymous, PostalArea: "20009", CommentState: models.CommentHidden, CommentShown: "hiddencanary"},
			{State: models.SignaturePending, Display: models.DisplayName, DisplayName: "Pendingcanary"},
			{State: models.SignatureWithdrawn, Display: models.DisplayName, DisplayName: "Withdrawncanary"},
			{State: models.SignatureInvalidated, Display: models.DisplayName, DisplayName: "Invalidcanary"},
		} {
			at := start.Add(time.Duration(i) * time.Hour)
			var person *uuid.UUID
			if i == 0 {
				s := w.add(somebody{given: "June", chapter: north})
				person = &s.ID
			}
			m := w.box(uuid.NewString()+"@canary.example", person)
			s.ID, s.PetitionID, s.MailboxID, s.Number, s.CreatedAt, s.ConfirmedAt, s.ExpiresAt = models.NewID(), p.ID, m.ID, i+1, at, &at, at
			s.GivenNameSealed = w.vault.Seal("signatures", "given_name_sealed", s.ID, "Givencanary")
			w.create(&s)
		}
		out := string(w.write(w.user(actor.Organizer, nil), exports.Input{Kind: exports.KindSignatures, Format: exports.CSV, PetitionID: p.ID}))
		want := "number,name,postal_area,signed_on,comment\r\n1,\"'=June Okafor\",27701,2027-02-01,Please\r\n2,,20009,2027-02-01,\r\n"
		if out != want {
			t.Errorf("%q, want %q", out, want)
		}
		out = string(w.write(w.user(actor.Organizer, north), exports.Input{Kind: exports.KindSignatures, Format: exports.JSONL, PetitionID: p.ID}))
		if strings.Count(out, "\n") != 1 || !strings.Contains(out, "27701") {
			t.Errorf("a chapter gets %q", out)
		}
		if _, err := w.svc.Write(t.Context(), system, exports.Input{Kind: exports.KindSignatures, Format: exports.CSV, PetitionID: models.NewID()}, io.Discard, nil); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

// More chunks than workers, and a list that picks a few out of many, come out whole and in order.
func TestManyChunks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		exports.ChunkSize(w.svc, 7)
		seg := models.Segment{ID: models.NewID(), Name: "Some", Rule: `{"kind":"all"}`, FrozenAt: &start, FrozenCount: 1, Revision: 1, CreatedAt: start, UpdatedAt: start}
		w.create(&seg)
		var all, some []string
		for i := range 100 {
			name := uuid.NewString()
			p := w.add(somebody{given: name, emails: []string{name + "@example.org", "x" + name + "@example.org"}, tags: []string{"a", "b"}})
			all = append(all, name)
			if i%9 == 0 {
				some = append(some, name)
				w.create(&models.SegmentMember{SegmentID: seg.ID, SupporterID: p.ID})
			}
		}
		for _, c := range []struct {
			segment *uuid.UUID
			want    []string
		}{{nil, all}, {&seg.ID, some}} {
			list := w.people(system, exports.Input{SegmentID: c.segment, Columns: []string{"given_name", "email", "other_emails", "tags"}})
			if got := names(list); !slices.Equal(got, c.want) {
				t.Fatalf("%d people instead of %d, or in another order", len(got), len(c.want))
			}
			for _, m := range list {
				name, _ := m["given_name"].(string)
				if others, _ := m["other_emails"].([]any); m["email"] != name+"@example.org" || len(others) != 1 || others[0] != "x"+name+"@example.org" || len(m["tags"].([]any)) != 2 {
					t.Fatalf("%v", m)
				}
			}
		}
	})
}
