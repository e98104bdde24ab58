package segments_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// inWindow is the reference for windows of time.
func inWindow(v map[string]string, t *time.Time) bool {
	switch v["when"] {
	case "last":
		n, _ := strconv.Atoi(v["days"])
		return t != nil && !t.Before(now.AddDate(0, 0, -n))
	case "between":
		if t == nil {
			return false
		}
		day := t.In(boston).Format(time.DateOnly)
		return (v["from"] == "" || day >= v["from"]) && (v["until"] == "" || day <= v["until"])
	}
	return true
}

// meets is the reference for one condition.
func (w *world) meets(p models.Supporter, kind string, v map[string]string) bool {
	is := func(id uuid.UUID, value string) bool { return id.String() == value }
	maybe := func(id *uuid.UUID, value string) bool {
		return value == "" || id != nil && id.String() == value
	}
	switch kind {
	case "tag":
		return some(w.taggings, func(x models.Tagging) bool { return x.SupporterID == p.ID && is(x.TagID, v["tag"]) })
	case "phone":
		return some(w.phones, func(x models.Phone) bool { return x.SupporterID == p.ID })
	case "language":
		return p.Locale == v["language"] || strings.HasPrefix(p.Locale, v["language"]+"-")
	case "source":
		return p.Source == v["source"]
	case "joined":
		return inWindow(v, &p.CreatedAt)
	case "chapter":
		return p.ChapterID == nil && v["chapter"] == "none" || p.ChapterID != nil && is(*p.ChapterID, v["chapter"])
	case "division":
		return some(w.lives, func(x models.SupporterDivision) bool {
			return x.SupporterID == p.ID && some(w.divisions, func(d models.Division) bool { return d.ID == x.DivisionID && d.OCDID == v["division"] })
		})
	case "postal":
		return p.PostalArea != "" && strings.HasPrefix(p.PostalArea, v["begins"]) && (v["country"] == "" || p.Country == v["country"])
	case "country":
		return p.Country == v["country"]
	case "signed", "campaign":
		return w.owned(p, func(b models.Mailbox) bool {
			return some(w.signed, func(s models.Signature) bool {
				in := kind == "signed" && (v["petition"] == "" || is(s.PetitionID, v["petition"])) ||
					kind == "campaign" && some(w.petitions, func(x models.Petition) bool { return x.ID == s.PetitionID && is(x.CampaignID, v["campaign"]) })
				return s.MailboxID == b.ID && s.State == models.SignatureConfirmed && in && inWindow(v, s.ConfirmedAt)
			})
		})
	case "form":
		return w.owned(p, func(b models.Mailbox) bool {
			return some(w.filled, func(s models.Submission) bool {
				return s.MailboxID == b.ID && s.State == models.SubmissionConfirmed && maybe(s.FormID, v["form"]) && inWindow(v, s.ConfirmedAt)
			})
		})
	case "consent":
		return w.owned(p, func(b models.Mailbox) bool {
			return some(w.consents, func(c models.Consent) bool {
				return c.MailboxID == b.ID && c.WithdrawnAt == nil && (string(c.Purpose)+"/any" == v["to"] || string(c.Purpose)+"/"+c.ScopeID.String() == v["to"]) && inWindow(v, &c.GivenAt)
			})
		})
	case "mailed":
		return w.owned(p, func(b models.Mailbox) bool {
			return some(w.sent, func(d models.Delivery) bool {
				return d.MailboxID == b.ID && d.State == models.DeliverySent && d.MailingID != nil && maybe(d.MailingID, v["mailing"]) && inWindow(v, d.SentAt)
			})
		})
	case "address":
		mailable := func(b models.Mailbox) bool {
			return b.SuppressedAt == nil && (b.PausedUntil == nil || !b.PausedUntil.After(now))
		}
		switch v["state"] {
		case "mailable":
			return w.owned(p, mailable)
		case "paused":
			return w.owned(p, func(b models.Mailbox) bool { return b.PausedUntil != nil && b.PausedUntil.After(now) })
		}
		return w.owned(p, func(b models.Mailbox) bool { return b.SuppressedAt != nil }) && !w.owned(p, func(b models.Mailbox) bool { return b.SuppressedAt == nil })
	case "import":
		return w.owned(p, func(b models.Mailbox) bool {
			return some(w.consents, func(c models.Consent) bool {
				return c.MailboxID == b.ID && c.EvidenceID != nil && is(*c.EvidenceID, v["import"])
			})
		}) || some(w.imports, func(m models.Import) bool {
			return is(m.ID, v["import"]) && m.TagID != nil && w.meets(p, "tag", map[string]string{"tag": m.TagID.String()})
		})
	case "segment":
		for _, s := range w.segments {
			if is(s.ID, v["segment"]) {
				if s.FrozenAt != nil {
					return (s.ChapterID == nil || p.ChapterID != nil && *p.ChapterID == *s.ChapterID) && some(w.members, func(m models.SegmentMember) bool { return m.SegmentID == s.ID && m.SupporterID == p.ID })
				}
				return slices.Contains(w.holds(ruleOf(s), s.ChapterID), p.ID)
			}
		}
		return false
	case "field":
		return w.fieldMeets(p, v)
	}
	panic("no reference for " + kind)
}

func (w *world) fieldMeets(p models.Supporter, v map[string]string) bool {
	i := slices.IndexFunc(w.fields, func(f models.CustomField) bool { return f.ID.String() == v["of"] })
	f := w.fields[i]
	var has *models.FieldValue
	for _, x := range w.values {
		if x.SupporterID == p.ID && x.FieldID == f.ID {
			has = &x
		}
	}
	c, known := 0, false
	want, _ := strconv.ParseFloat(v["value"], 64)
	switch {
	case has == nil:
	case f.Kind == models.FieldNumber:
		if known = has.NumberValue != nil; known {
			c = cmp.Compare(*has.NumberValue, want)
		}
	case f.Kind == models.FieldText:
		c, known = strings.Compare(small(has.TextValue), small(v["value"])), has.TextValue != ""
	default:
		c, known = strings.Compare(has.TextValue, v["value"]), has.TextValue != ""
	}
	switch v["op"] {
	case "is":
		return known && c == 0
	case "is_not":
		return !known || c != 0
	case "contains":
		return known && strings.Contains(small(has.TextValue), small(v["value"]))
	case "greater", "after":
		return known && c > 0
	case "less", "before":
		return known && c < 0
	case "filled":
		return known
	}
	return !known // empty
}

// holdsFor is the reference for a node: known is false where it says nothing.
func (w *world) holdsFor(p models.Supporter, n segments.Node) (holds, known bool) {
	if n.Kind != segments.Group {
		return w.meets(p, n.Kind, n.Values), true
	}
	ins, met, out := 0, 0, false
	for _, i := range n.Items {
		h, k := w.holdsFor(p, i)
		switch {
		case !k:
			continue
		case i.Exclude:
			out = out || h
		default:
			ins++
			if h {
				met++
			}
		}
		known = true
	}
	switch {
	case !known:
		return true, false
	case out:
		return false, true
	case ins == 0:
		return true, true
	case n.Match == segments.Any:
		return met > 0, true
	}
	return met == ins, true
}

// holds is the reference for a whole rule.
func (w *world) holds(r segments.Rule, chapter *uuid.UUID) []uuid.UUID {
	type lot struct {
		id  uuid.UUID
		key int64
	}
	keys := map[uuid.UUID]int64{}
	if r.Pick != (segments.Pick{}) {
		keys = w.lots(r.Pick.Seed)
	}
	var in []lot
	for _, p := range w.people {
		if h, _ := w.holdsFor(p, r.Root); h && (chapter == nil || p.ChapterID != nil && *p.ChapterID == *chapter) {
			in = append(in, lot{p.ID, keys[p.ID]})
		}
	}
	if r.Pick.Percent > 0 {
		in = slices.DeleteFunc(in, func(l lot) bool {
			place := (float64(l.key) + (1 << 63)) / (1 << 64) // from 0 to 1
			return place >= r.Pick.Percent/100
		})
	}
	if r.Pick.Count > 0 {
		slices.SortFunc(in, func(a, b lot) int { return cmp.Compare(a.key, b.key) })
		in = in[:min(len(in), r.Pick.Count)]
	}
	ids := make([]uuid.UUID, len(in))
	for i, l := range in {
		ids[i] = l.id
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// lots are everybody's places in the order of a seed.
func (w *world) lots(seed string) map[uuid.UUID]int64 {
	n, err := strconv.ParseUint(seed, 16, 64)
	if err != nil {
		panic(err)
	}
	out := map[uuid.UUID]int64{}
	for _, p := range w.people {
		out[p.ID] = database.Shuffle(p.ID, int64(n)) //nolint:gosec // all 64 bits are meant
	}
	return out
}

func ruleOf(s models.Segment) (r segments.Rule) {
	if err := json.Unmarshal([]byte(s.Rule), &r); err != nil {
		panic(err)
	}
	return r
}

// window fills in a random one.
func window(r *rand.Rand, v map[string]string) map[string]string {
	day := func() string { return time.Date(2027, 1, 1+r.IntN(31), 0, 0, 0, 0, time.UTC).Format(time.DateOnly) }
	switch r.IntN(4) {
	case 0:
		v["when"], v["days"] = "last", strconv.Itoa(pick(r, []int{1, 7, 30, 90, 400}))
	case 1:
		v["when"], v["from"] = "between", day()
		if r.IntN(2) == 0 {
			v["until"] = day()
		}
	case 2:
		v["when"], v["until"] = "between", day()
	}
	return v
}

var allKinds = []string{
	"tag", "field", "phone", "language", "source", "joined", "chapter", "division", "postal", "country", "signed", "campaign", "form", "consent", "mailed", "address", "import", "segment",
}

func orEmpty(r *rand.Rand, id uuid.UUID) string {
	if r.IntN(4) == 0 {
		return ""
	}
	return id.String()
}

// condition makes a random one of a kind.
func (w *world) condition(r *rand.Rand, kind string) segments.Node {
	v := map[string]string{}
	switch kind {
	case "tag":
		v["tag"] = pick(r, w.tags).ID.String()
	case "field":
		f := pick(r, w.fields[:5])
		v["of"] = f.ID.String()
		ops := map[models.FieldKind]string{models.FieldText: "contains", models.FieldNumber: pick(r, []string{"greater", "less"}), models.FieldDate: pick(r, []string{"before", "after"})}
		v["op"] = pick(r, []string{"is", "is_not", "empty", "filled"})
		if o, ok := ops[f.Kind]; ok && r.IntN(2) == 0 {
			v["op"] = o
		}
		v["value"] = pick(r, map[models.FieldKind][]string{
			models.FieldText: {"choir", "CHOIR", "%", "_", "'", `\`, "é", "É"}, models.FieldNumber: {"0", "2.5", "-3"}, models.FieldDate: {"2027-01-01", "2000-01-01"},
			models.FieldChoice: {"north", "south"}, models.FieldYesNo: {"yes", "no"},
		}[f.Kind])
	case "language":
		v["language"] = pick(r, []string{"en", "es"})
	case "source":
		v["source"] = pick(r, []string{"petition", "import", "nothing"})
	case "joined":
		window(r, v)
	case "chapter":
		v["chapter"] = pick(r, []string{w.chapters[0].ID.String(), w.chapters[1].ID.String(), "none"})
	case "division":
		v["division"] = pick(r, w.divisions).OCDID
	case "postal":
		v["begins"], v["country"] = pick(r, []string{"0", "021", "27514", "SW1A", "É"}), pick(r, []string{"", "US"})
	case "country":
		v["country"] = pick(r, []string{"US", "GB"})
	case "signed":
		v["petition"] = orEmpty(r, pick(r, w.petitions).ID)
		window(r, v)
	case "campaign":
		v["campaign"] = pick(r, w.campaigns).ID.String()
		window(r, v)
	case "form":
		v["form"] = orEmpty(r, pick(r, w.forms).ID)
		window(r, v)
	case "consent":
		v["to"] = pick(r, []string{
			"updates/any", "updates/" + w.campaigns[0].ID.String(), "newsletter/any", "newsletter/" + uuid.Nil.String(), "newsletter/" + w.topics[0].ID.String(), "phone/" + uuid.Nil.String(), "share/" + w.partners[0].ID.String(),
		})
		window(r, v)
	case "mailed":
		v["mailing"] = orEmpty(r, pick(r, w.mailings).ID)
		window(r, v)
	case "address":
		v["state"] = pick(r, []string{"mailable", "suppressed", "paused"})
	case "import":
		v["import"] = pick(r, w.imports).ID.String()
	case "segment":
		v["segment"] = pick(r, w.segments).ID.String()
	}
	return segments.Node{Kind: kind, Values: v}
}

func (w *world) group(r *rand.Rand, depth int) segments.Node {
	n := segments.Node{Kind: segments.Group, Match: pick(r, []string{segments.All, segments.Any})}
	for range r.IntN(4) {
		kind := pick(r, allKinds)
		for kind == "segment" && len(w.segments) == 0 {
			kind = pick(r, allKinds)
		}
		i := w.condition(r, kind)
		if depth < segments.MaxDepth && r.IntN(3) == 0 {
			i = w.group(r, depth+1)
		}
		i.Exclude = r.IntN(3) == 0
		n.Items = append(n.Items, i)
	}
	return n
}

func (w *world) rule(r *rand.Rand) segments.Rule {
	x := segments.Rule{Root: w.group(r, 1)}
	switch r.IntN(6) {
	case 0:
		x.Pick = segments.Pick{Percent: pick(r, []float64{0.5, 10, 50, 100}), Seed: segments.NewSeed()}
	case 1:
		x.Pick = segments.Pick{Count: 1 + r.IntN(20), Seed: segments.NewSeed()}
	}
	return x
}

// add saves a segment as a row, so that others can name it.
func (w *world) add(t *testing.T, r segments.Rule, chapter *uuid.UUID, frozen bool) models.Segment {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	s := models.Segment{ID: models.NewID(), Name: fmt.Sprint("Segment ", len(w.segments)), Rule: string(b), ChapterID: chapter, Revision: 1, CreatedAt: now, UpdatedAt: now}
	if frozen {
		at := now
		s.FrozenAt = &at
	}
	create(t, w.db, &s)
	w.segments = append(w.segments, s)
	return s
}

// read runs the SELECT of a segment.
func read(t *testing.T, db *database.DB, id uuid.UUID) []uuid.UUID {
	t.Helper()
	sql, args, err := segments.Members(context.Background(), db.DB, id)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ SupporterID uuid.UUID }
	if err := db.Raw(sql, args...).Scan(&rows).Error; err != nil {
		t.Fatalf("%v: %s %v", err, sql, args)
	}
	ids := make([]uuid.UUID, len(rows))
	for i, x := range rows {
		ids[i] = x.SupporterID
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// TestRulesMeanWhatTheySay holds the SQL of random rules against a plain evaluation of the same rules in memory, person by
// person: the one promise that everything else rests on is that nobody is in who should be out.
func TestRulesMeanWhatTheySay(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		w := newWorld(t, db, r, 60)
		w.segmentsToName(t, r)
		check := func(x segments.Rule, chapter *uuid.UUID) int {
			t.Helper()
			s := w.add(t, x, chapter, false)
			w.segments = w.segments[:len(w.segments)-1]
			got, want := read(t, db, s.ID), w.holds(x, chapter)
			if !slices.Equal(got, want) {
				sql, args, _ := segments.Members(context.Background(), db.DB, s.ID)
				t.Fatalf("%d people, want %d: %s\n%s\n%v", len(got), len(want), s.Rule, sql, args)
			}
			return len(got)
		}
		// Every kind alone, included and excluded: and not always for all or for none, or the test would show nothing.
		for _, kind := range allKinds {
			between := 0
			for range 12 {
				n := w.condition(r, kind)
				for _, n.Exclude = range []bool{false, true} {
					if got := check(segments.Rule{Root: segments.Node{Kind: segments.Group, Match: segments.All, Items: []segments.Node{n}}}, nil); got > 0 && got < len(w.people) {
						between++
					}
				}
			}
			if between == 0 {
				t.Errorf("%s never told people apart", kind)
			}
		}
		for i := range 250 {
			var chapter *uuid.UUID
			if i%4 == 0 {
				chapter = &one(r, w.chapters).ID
			}
			check(w.rule(r), chapter)
		}
	})
}

// segmentsToName makes some that rules can name: live, of a chapter, a snapshot, and one that names another.
func (w *world) segmentsToName(t *testing.T, r *rand.Rand) {
	t.Helper()
	tag := segments.Rule{Root: segments.Node{Kind: segments.Group, Match: segments.All, Items: []segments.Node{w.condition(r, "tag")}}}
	first := w.add(t, tag, nil, false)
	w.add(t, tag, &w.chapters[0].ID, false)
	for _, chapter := range []*uuid.UUID{nil, &w.chapters[1].ID} {
		s := w.add(t, tag, chapter, true)
		for _, p := range w.people {
			if r.IntN(3) == 0 {
				m := models.SegmentMember{SegmentID: s.ID, SupporterID: p.ID}
				create(t, w.db, &m)
				w.members = append(w.members, m)
			}
		}
	}
	named := segments.Node{Kind: "segment", Values: map[string]string{"segment": first.ID.String()}}
	w.add(t, segments.Rule{Root: segments.Node{Kind: segments.Group, Match: segments.Any, Items: []segments.Node{named, w.condition(r, "postal")}}, Pick: segments.Pick{Count: 9, Seed: "a1"}}, nil, false)
}
