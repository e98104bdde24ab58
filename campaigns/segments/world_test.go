package segments_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/models"
	"kithline/models/database"
)

var now = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

// world is a small one with everything in it that a rule can ask about, in memory as in the database.
type world struct {
	db *database.DB

	people    []models.Supporter
	boxes     []models.Mailbox
	tags      []models.Tag
	taggings  []models.Tagging
	fields    []models.CustomField
	values    []models.FieldValue
	phones    []models.Phone
	chapters  []models.Chapter
	divisions []models.Division
	lives     []models.SupporterDivision
	campaigns []models.Campaign
	petitions []models.Petition
	signed    []models.Signature
	forms     []models.Form
	filled    []models.Submission
	topics    []models.Topic
	partners  []models.Partner
	consents  []models.Consent
	mailings  []models.Mailing
	sent      []models.Delivery
	imports   []models.Import
	segments  []models.Segment
	members   []models.SegmentMember
}

// pick chooses one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func one[T any](r *rand.Rand, list []T) *T { return &list[r.IntN(len(list))] }

// moment is when something happened: some lie right at the borders of windows.
func moment(r *rand.Rand) time.Time {
	switch r.IntN(4) {
	case 0:
		return now.AddDate(0, 0, -pick(r, []int{1, 7, 30, 90, 400}))
	case 1:
		day := time.Date(2027, time.January, 1+r.IntN(31), 0, 0, 0, 0, boston)
		return day.Add(pick(r, []time.Duration{-time.Microsecond, 0, time.Hour})).UTC()
	}
	return now.Add(-time.Duration(r.Int64N(int64(500*24*time.Hour)/int64(time.Microsecond))) * time.Microsecond)
}

var boston = func() *time.Location {
	z, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return z
}()

func newWorld(t *testing.T, db *database.DB, r *rand.Rand, size int) *world {
	t.Helper()
	db.NowFunc = func() time.Time { return now }
	w := &world{db: db}
	id := models.NewID
	maybe := func(n int) bool { return r.IntN(n) == 0 }
	ptr := func(t time.Time) *time.Time { return &t }

	org := models.Organisation{ID: id(), TimeZone: "America/New_York", CreatedAt: now, UpdatedAt: now}
	for i := range 3 {
		n := fmt.Sprint(i)
		w.tags = append(w.tags, models.Tag{ID: id(), Name: "Tag " + n, NameKey: "tag " + n, CreatedAt: now})
		w.chapters = append(w.chapters, models.Chapter{ID: id(), Slug: "c" + n, Name: "Chapter " + n, CreatedAt: now, UpdatedAt: now})
		w.divisions = append(w.divisions, models.Division{ID: id(), OCDID: "ocd-division/country:us/state:nc/cd:" + n, Name: "NC-" + n, Country: "US", Region: "NC", Kind: "cd", CreatedAt: now, UpdatedAt: now})
		w.campaigns = append(w.campaigns, models.Campaign{ID: id(), Slug: "k" + n, Title: "Campaign " + n, State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now})
		w.forms = append(w.forms, models.Form{ID: id(), Slug: "f" + n, Title: "Form " + n, State: models.FormOpen, Questions: "[]", Consents: "[]", Tags: "[]", CreatedAt: now, UpdatedAt: now})
		w.topics = append(w.topics, models.Topic{ID: id(), Slug: "t" + n, Name: "Topic " + n, CreatedAt: now, UpdatedAt: now})
		w.partners = append(w.partners, models.Partner{ID: id(), Name: "Partner " + n, CreatedAt: now, UpdatedAt: now})
	}
	for i := range 5 {
		n := fmt.Sprint(i)
		w.petitions = append(w.petitions, models.Petition{ID: id(), CampaignID: w.campaigns[i%3].ID, Slug: "p" + n, State: models.PetitionPublished, Title: "Petition " + n, Locale: "en", CreatedAt: now, UpdatedAt: now})
		w.mailings = append(w.mailings, models.Mailing{ID: id(), Purpose: models.PurposeUpdates, ScopeID: w.campaigns[i%3].ID, Subject: "Mail " + n, State: models.MailingFinished, FrozenAt: ptr(now), CreatedAt: now, UpdatedAt: now})
	}
	for i, k := range []models.FieldKind{models.FieldText, models.FieldNumber, models.FieldDate, models.FieldChoice, models.FieldYesNo} {
		w.fields = append(w.fields, models.CustomField{ID: id(), Name: fmt.Sprint("f", i), Label: fmt.Sprint("Field ", k), Kind: k, Choices: "north\nsouth", SeenBy: "coordinator", CreatedAt: now, UpdatedAt: now})
	}
	w.fields = append(w.fields, models.CustomField{ID: id(), Name: "secret", Label: "Secret", Kind: models.FieldText, Private: true, SeenBy: "owner", CreatedAt: now, UpdatedAt: now})
	text := models.ConsentText{ID: id(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: "Write to me", CreatedAt: now}
	for i := range 2 {
		m := models.Import{ID: id(), State: models.ImportFinished, RowsDone: 9, BasisSource: "fair", CreatedAt: now, UpdatedAt: now, Mapping: "{}"}
		if i == 1 {
			m.TagID = &w.tags[2].ID
		}
		w.imports = append(w.imports, m)
	}

	for range size {
		p := models.Supporter{ID: id(), PostalArea: pick(r, []string{"", "02139", "02140", "27514", "SW1A 1AA", "É1"}), Country: pick(r, []string{"", "US", "GB"}), Locale: pick(r, []string{"", "en", "es", "es-MX", "esx"}), Source: pick(r, []string{"petition", "import", "form"}), CreatedAt: moment(r), UpdatedAt: now}
		if maybe(2) {
			p.ChapterID = &one(r, w.chapters).ID
		}
		w.people = append(w.people, p)
		for _, g := range w.tags {
			if maybe(3) {
				w.taggings = append(w.taggings, models.Tagging{SupporterID: p.ID, TagID: g.ID, CreatedAt: now})
			}
		}
		for _, f := range w.fields {
			if maybe(3) {
				continue
			}
			v := models.FieldValue{SupporterID: p.ID, FieldID: f.ID, UpdatedAt: now}
			switch f.Kind {
			case models.FieldNumber:
				if !maybe(6) {
					n := pick(r, []float64{-1, 0, 2.5, 10, 1e9})
					v.NumberValue = &n
				}
			case models.FieldDate:
				v.TextValue = pick(r, []string{"", "2026-12-31", "2027-01-01", "1999-05-05"})
			case models.FieldChoice:
				v.TextValue = pick(r, []string{"", "north", "south"})
			case models.FieldYesNo:
				v.TextValue = pick(r, []string{"", "yes", "no"})
			default:
				v.TextValue = pick(r, []string{"", "Choir", "choir practice", "100%_'\\", "É", "é"})
				if f.Private {
					v.TextValue, v.ValueSealed = "", []byte{1}
				}
			}
			w.values = append(w.values, v)
		}
		if maybe(3) {
			w.phones = append(w.phones, models.Phone{ID: id(), SupporterID: p.ID, NumberSealed: []byte{1}, NumberHash: []byte{byte(r.Int())}, CreatedAt: now})
		}
		if maybe(2) {
			w.lives = append(w.lives, models.SupporterDivision{SupporterID: p.ID, Kind: "cd", DivisionID: pick(r, w.divisions).ID, How: models.ByPostal, UpdatedAt: now})
		}
		for range r.IntN(3) {
			p := p.ID
			b := models.Mailbox{ID: id(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte{1}, SupporterID: &p, CreatedAt: moment(r), UpdatedAt: now}
			if maybe(4) {
				b.SuppressedAt, b.SuppressedReason = ptr(now), models.SuppressedBounce
			}
			if maybe(4) {
				b.PausedUntil = ptr(pick(r, []time.Time{now, now.Add(-time.Hour), now.Add(time.Hour)}))
			}
			w.boxes = append(w.boxes, b)
		}
	}
	// A signature whose address was erased, and an address that is nobody's.
	w.boxes = append(w.boxes, models.Mailbox{ID: id(), AddressHash: []byte("stray"), AddressSealed: []byte{1}, CreatedAt: now, UpdatedAt: now})
	for i := range w.boxes {
		b := w.boxes[i]
		for _, p := range w.petitions {
			if !maybe(3) {
				continue
			}
			s := models.Signature{ID: id(), PetitionID: p.ID, MailboxID: b.ID, State: pick(r, []models.SignatureState{models.SignatureConfirmed, models.SignatureConfirmed, models.SignaturePending, models.SignatureWithdrawn}), Display: "name", CreatedAt: now, ExpiresAt: now}
			if s.State != models.SignaturePending {
				s.ConfirmedAt = ptr(moment(r))
			}
			w.signed = append(w.signed, s)
		}
		for range r.IntN(3) {
			s := models.Submission{ID: id(), MailboxID: b.ID, State: models.SubmissionConfirmed, ConfirmedAt: ptr(moment(r)), Consents: "[]", CreatedAt: now, ExpiresAt: now}
			if !maybe(4) {
				s.FormID = &one(r, w.forms).ID
			}
			if maybe(4) {
				s.State, s.ConfirmedAt = models.SubmissionPending, nil
			}
			w.filled = append(w.filled, s)
		}
		seen := map[string]bool{}
		for range r.IntN(5) {
			purpose := pick(r, models.Purposes)
			scope := uuid.Nil
			switch purpose.Scope() {
			case "campaigns":
				scope = pick(r, w.campaigns).ID
			case "topics":
				scope = pick(r, []uuid.UUID{uuid.Nil, w.topics[0].ID, w.topics[1].ID})
			case "partners":
				scope = pick(r, w.partners).ID
			}
			c := models.Consent{ID: id(), MailboxID: b.ID, Purpose: purpose, ScopeID: scope, TextID: text.ID, ShownAt: now, GivenAt: moment(r), How: models.ConsentByMail}
			if maybe(3) {
				c.How, c.EvidenceID = models.ConsentByImport, &one(r, w.imports).ID
			}
			if key := string(purpose) + scope.String(); maybe(3) || seen[key] {
				c.WithdrawnAt = ptr(now)
			} else {
				seen[key] = true
			}
			w.consents = append(w.consents, c)
		}
		for range r.IntN(3) {
			m := pick(r, w.mailings)
			d := models.Delivery{ID: id(), Kind: "mailing", MailboxID: b.ID, SubjectID: m.ID, MailingID: &m.ID, Purpose: models.PurposeReceipt, DedupeKey: uuid.NewString(), State: models.DeliverySent, OnUnknown: models.Park, NotBefore: now, SentAt: ptr(moment(r)), CreatedAt: now, UpdatedAt: now}
			if maybe(4) {
				d.State, d.SentAt = models.DeliveryFailed, nil
			}
			if maybe(5) {
				d.MailingID = nil
			}
			w.sent = append(w.sent, d)
		}
	}

	create(t, db, &org, &text)
	many(t, db, w.chapters)
	many(t, db, w.people)
	many(t, db, w.boxes)
	many(t, db, w.tags)
	many(t, db, w.taggings)
	many(t, db, w.fields)
	many(t, db, w.values)
	many(t, db, w.phones)
	many(t, db, w.divisions)
	many(t, db, w.lives)
	many(t, db, w.campaigns)
	many(t, db, w.petitions)
	many(t, db, w.signed)
	many(t, db, w.forms)
	many(t, db, w.filled)
	many(t, db, w.topics)
	many(t, db, w.partners)
	many(t, db, w.consents)
	many(t, db, w.mailings)
	many(t, db, w.sent)
	many(t, db, w.imports)
	return w
}

func create(t *testing.T, db *database.DB, rows ...any) {
	t.Helper()
	for _, r := range rows {
		if err := db.WithContext(context.Background()).Create(r).Error; err != nil {
			t.Fatalf("%T: %v", r, err)
		}
	}
}

func many[T any](t *testing.T, db *database.DB, rows []T) {
	t.Helper()
	if len(rows) > 0 {
		if err := db.CreateInBatches(rows, 100).Error; err != nil {
			t.Fatalf("%T: %v", rows, err)
		}
	}
}

// owned calls fn with the addresses of a person until it returns true.
func (w *world) owned(p models.Supporter, fn func(models.Mailbox) bool) bool {
	for _, b := range w.boxes {
		if b.SupporterID != nil && *b.SupporterID == p.ID && fn(b) {
			return true
		}
	}
	return false
}

func some[T any](list []T, fn func(T) bool) bool {
	for _, x := range list {
		if fn(x) {
			return true
		}
	}
	return false
}

// small is what is the same for letters of both cases, A to Z only.
func small(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 {
			return []rune(strings.ToLower(string(r)))[0]
		}
		return r
	}, s)
}
