package exports_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"slices"
	"strings"
	"testing"

	"kithline/campaigns/exports"
	"kithline/campaigns/imports"
	"kithline/campaigns/imports/importstest"
	"kithline/models"
	"kithline/tests/testdb"
)

var people = flag.Int("people", 1000, "how many rows with troubles the round trip has, a multiple of 100")

// take imports a list, for which everybody in it agreed to the newsletter as far as the list does not say otherwise.
func (w *world) take(list []byte, mapping func([]string) imports.Mapping) imports.Result {
	w.t.Helper()
	svc := imports.New(imports.Options{DB: w.db, Vault: w.vault, Clock: w.clk, Files: w.files, Words: func(_, key string, _ ...any) string { return key }})
	o := imports.RunOptions{Locale: "en", Basis: imports.Basis{Purpose: models.PurposeNewsletter, Text: "Yes, send me the newsletter.", Source: "A list of before"}}
	if mapping != nil {
		head, _, _ := strings.Cut(string(list), "\r\n")
		o.Mapping = mapping(strings.Split(head, ","))
	}
	res, err := svc.Run(w.t.Context(), system, bytes.NewReader(list), o, nil)
	w.must(err)
	return res
}

// columns of a list that an import reads back.
var readBack = []string{
	"email", "given_name", "family_name", "phone", "street", "city", "region", "postal_area", "country", "locale", "tags", "subscription_status", "field_shirt", "field_meeting", "field_visits",
}

// standings is every person of a world as an import of their list leaves them, in the order of addresses.
func (w *world) standings(columns []string) []string {
	w.t.Helper()
	var out []string
	for _, m := range w.people(system, exports.Input{Columns: columns}) {
		if tags, ok := m["tags"].([]any); ok {
			slices.SortFunc(tags, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		if s, _ := m["subscription_status"].(string); s == "bounced" || s == "complained" {
			m["subscription_status"] = "unsubscribed" // gets no mail: why is not taken over
		}
		out = append(out, string(must(json.Marshal(m))))
	}
	slices.Sort(out)
	return out
}

// What came in from every source, with every trouble, comes out as a list that another Kithline reads, and as everything:
// the same people, consents, suppressions, tags and fields, on the other kind of database and under another key.
func TestRoundTrip(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *world) {
		var troubles bytes.Buffer
		told, err := importstest.Troubles(&troubles, *people)
		from.must(err)
		res := from.take(troubles.Bytes(), nil)
		if res.New != told.New || res.Consents != told.Consents || res.Suppressed != told.Suppressed {
			t.Errorf("%+v was taken of %+v", res.Counts, told)
		}
		for _, list := range [][]byte{importstest.ActionNetwork(), importstest.NationBuilder(), importstest.Mailchimp(), importstest.Listmonk(), importstest.EFF()} {
			from.take(list, nil)
		}
		worlds := []*world{from, to}
		fields := make([][]*models.CustomField, 2)
		for i, w := range worlds {
			fields[i] = []*models.CustomField{
				w.field("shirt", models.FieldText, false, "coordinator"), w.field("meeting", models.FieldText, true, "organizer"), w.field("visits", models.FieldNumber, false, "organizer"),
			}
		}
		from.add(somebody{
			given: "=1+1", family: "'quoted'", street: "1 Elm St, \"rear\"", city: "Durham, NC", emails: []string{"fields@example.org"}, tags: []string{"one, two", `so "called" tags`, "plain"},
			fields: map[*models.CustomField]string{fields[0][0]: "-M", fields[0][1]: "@ noon", fields[0][2]: "-3.5"},
		})
		want := from.standings(readBack)
		if len(want) < told.New {
			t.Fatalf("%d people of %d", len(want), told.New)
		}

		// As a list.
		list := from.write(system, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: readBack})
		back := to.take(list, func(columns []string) imports.Mapping {
			m := imports.Map(columns)
			for i, f := range []string{"field_shirt", "field_meeting", "field_visits"} {
				m[slices.Index(columns, f)] = imports.CustomField(fields[1][i].ID)
			}
			return m
		})
		if back.Skipped > 0 {
			t.Errorf("%d rows of our own list were not taken: %+v", back.Skipped, back.Bad)
		}
		// Whoever gets no mail comes over as that: an address that nothing may be sent to, without a record of the person.
		stopped := func(line string) bool { return strings.Contains(line, `"subscription_status":"unsubscribed"`) }
		for _, line := range want {
			var m struct{ Email string }
			from.must(json.Unmarshal([]byte(line), &m))
			var n int64
			to.must(to.db.Model(&models.Mailbox{}).Where("address_hash = ? AND suppressed_at IS NOT NULL", to.vault.AddressHash(m.Email)).Count(&n).Error)
			if stopped(line) != (n == 1) {
				t.Errorf("%s: %d suppressions came over", line, n)
			}
		}
		mailing := slices.DeleteFunc(slices.Clone(want), stopped)
		if len(mailing) == len(want) {
			t.Error("nobody left: nothing is shown")
		}
		same(t, "list", mailing, slices.DeleteFunc(to.standings(readBack), stopped))

		// As everything.
		b, _ := from.everything()
		empty := newWorld(t, testdb.SQLite(t))
		if !from.db.Postgres() {
			empty = newWorld(t, testdb.Postgres(t))
		}
		if _, err := empty.svc.TakeOver(context.WithoutCancel(t.Context()), system, unzip(t, b), nil); err != nil {
			t.Fatal(err)
		}
		all := append(slices.Clone(exports.Columns), "field_shirt", "field_meeting", "field_visits")
		same(t, "everything", from.standings(all), empty.standings(all))
		for _, query := range []string{
			"SELECT count(*) FROM consents WHERE withdrawn_at IS NULL", "SELECT count(*) FROM consents WHERE withdrawn_at IS NOT NULL", "SELECT count(*) FROM mailable",
			"SELECT count(*) FROM mailboxes WHERE suppressed_at IS NOT NULL", "SELECT count(*) FROM taggings", "SELECT count(*) FROM field_values", "SELECT count(*) FROM notes",
			"SELECT count(*) FROM consents c JOIN consent_texts t ON t.id = c.text_id WHERE t.body = 'Yes, send me the newsletter.'",
		} {
			var a, b int64
			from.must(from.db.Raw(query).Scan(&a).Error)
			empty.must(empty.db.Raw(query).Scan(&b).Error)
			if a != b {
				t.Errorf("%s: %d became %d", query, a, b)
			}
		}
	})
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d people became %d", what, len(want), len(got))
	}
	shown := 0
	for i := 0; i < min(len(want), len(got)) && shown < 3; i++ {
		if want[i] != got[i] {
			t.Errorf("%s:\n%s\nbecame\n%s", what, want[i], got[i])
			shown++
		}
	}
}
