package backups

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/tables"
	"kithline/tests/rows"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 123456000, time.UTC)

// world is one server's data: a database, a store, a key and a clock that stands still.
type world struct {
	*Service
	t      *testing.T
	vault  *vault.Vault
	clk    *clock.Fixed
	folder *files.Folder
	store  *files.Service
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	d, err := files.NewFolder(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, vault: vault.New(vault.NewKey()), clk: clock.NewFixed(start), folder: d}
	w.Service = New(db, d, w.clk, "1.2.3")
	w.store = files.New(db, w.vault, w.clk, d)
	return w
}

// kinds of databases: each is made empty.
var databases = map[string]func(testing.TB) *database.DB{"sqlite": testdb.SQLite, "postgres": testdb.Postgres}

// pairs runs fn over every way from one database to another.
func pairs(t *testing.T, fn func(t *testing.T, from, to *world)) {
	for a, from := range databases {
		for b, to := range databases {
			t.Run(a+" to "+b, func(t *testing.T) {
				t.Parallel()
				fn(t, newWorld(t, from(t)), newWorld(t, to(t)))
			})
		}
	}
}

func (w *world) create(rows ...any) {
	w.t.Helper()
	for _, r := range rows {
		if err := w.db.Create(r).Error; err != nil {
			w.t.Fatalf("%T: %v", r, err)
		}
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.db.Exec(query, args...).Error; err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.db.Raw(query, args...).Scan(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) backup() ([]byte, Contents) {
	w.t.Helper()
	var b bytes.Buffer
	c, err := w.Backup(w.t.Context(), actor.TheSystem(), &b, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes(), c
}

func (w *world) restore(b []byte) Restored {
	w.t.Helper()
	done, err := w.Restore(w.t.Context(), actor.TheSystem(), bytes.NewReader(b), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// text has what is hard to write: marks of JSON and CSV, other scripts, an emoji of several parts, line ends.
const text = "Núria \"O'Öztürk\" \\ <b>&amp;</b>\r\n\t\u0001\u007f 日本 עברית 👩‍🦽 \u2028 \u0000end"

func words(s string) string { return s + " " + text }

func ptr[T any](v T) *T { return &v }

func bits(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	b[0], b[n-1] = 0, 255
	return b
}

// people holds the ids that other rows of a full world point to.
type people struct {
	mailbox, campaign, petition, user, text uuid.UUID
	scope                                   uuid.UUID
	address                                 string
	stored                                  []models.File
}

// fill puts two rows or more into every table: one with a value in every column, one with NULL wherever it may be. Nothing in
// it is changed by a restore.
func (w *world) fill(zero bool) people {
	w.t.Helper()
	hard := words
	if !zero { // PostgreSQL keeps no zero byte
		hard = func(s string) string { return s + " " + text[:len(text)-4] }
	}
	at, later := start.Add(-48*time.Hour), start.Add(-47*time.Hour-time.Microsecond)
	p := people{mailbox: models.NewID(), campaign: models.NewID(), petition: models.NewID(), user: models.NewID(), text: models.NewID(), address: "june.okafor@example.org"}
	p.scope = p.campaign
	v := w.vault

	w.create(
		&models.Organisation{
			ID: models.NewID(), Name: hard("World Chronic Pain Coalition"), ShortName: "WCPC", LegalName: "x", PostalAddress: "1 Road\n2 Town", Phone: "+1", FromName: "x",
			FromAddress: "x", ReplyTo: "x", TimeZone: "Europe/Madrid", Languages: "en,es", Accent: "#123456", CrisisLine: "x", MinimumAge: "x", SMTPHost: "x", SMTPPort: 587,
			SMTPTLS: "starttls", SMTPUsername: "x", SMTPPasswordSealed: bits(40), SetupAt: &later, CreatedAt: at, UpdatedAt: later,
		},
		&models.SiteText{ID: models.NewID(), Name: "privacy", Locale: "en", Body: hard("# Privacy"), UpdatedBy: ptr(models.NewID()), UpdatedAt: at},
		&models.SiteText{ID: models.NewID(), Name: "privacy", Locale: "es", UpdatedAt: at},
		&models.SealingKey{KeyID: "0badcafe", CheckValue: bits(20), State: models.SealingCurrent, SealedCount: 7, CreatedAt: at, BegunAt: &at, DoneAt: &later},
		&models.VaultCheck{ID: 1, KeyID: v.KeyID(), CheckValue: v.CheckValue(), CreatedAt: at},
		&models.AuditEntry{ID: models.NewID(), At: at, ActorKind: "user", ActorID: &p.user, Action: "petition.publish", Object: "petitions", ObjectID: &p.petition, Details: `{"n":1}`, RequestID: "r"},
		&models.AuditEntry{ID: models.NewID(), At: later, Details: "{}"},
	)
	full := models.Supporter{ID: models.NewID(), GivenNameSealed: v.Seal("supporters", "given_name_sealed", p.mailbox, "June"), FamilyNameSealed: bits(33), PhoneSealed: bits(50), PostalArea: "28", Country: "ES", Locale: "es", Source: hard("petition"), CreatedAt: at, UpdatedAt: later}
	bare := models.Supporter{ID: models.NewID(), CreatedAt: at, UpdatedAt: at}
	hash := v.AddressHash(p.address)
	w.create(&full, &bare,
		&models.Mailbox{ID: p.mailbox, AddressHash: hash, AddressSealed: v.SealBytes("mailboxes", "address_sealed", hash, []byte(p.address)), Domain: "example.org", VerifiedAt: &at, SupporterID: &full.ID, CreatedAt: at, UpdatedAt: later},
		&models.Mailbox{ID: models.NewID(), AddressHash: bits(32), SuppressedAt: &later, SuppressedReason: models.SuppressedByHand, CreatedAt: at, UpdatedAt: at},
		&models.ConsentText{ID: p.text, Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: hard("Write to me"), CreatedAt: at},
		&models.Consent{ID: models.NewID(), MailboxID: p.mailbox, Purpose: models.PurposeUpdates, ScopeID: p.scope, TextID: p.text, Locale: "en", ShownAt: at, GivenAt: later, Source: "/p", How: models.ConsentByMail, EvidenceID: ptr(models.NewID())},
		&models.Consent{ID: models.NewID(), MailboxID: p.mailbox, Purpose: models.PurposeNewsletter, TextID: p.text, ShownAt: at, GivenAt: at},
		&models.User{ID: p.user, MailboxID: p.mailbox, NameSealed: bits(30), Role: "owner", PasswordHash: "$argon2id$x", Locale: "en", PasswordChangedAt: &at, DisabledAt: &at, LastLoginAt: &later, CreatedAt: at, UpdatedAt: at},
	)
	other := models.Mailbox{ID: models.NewID(), AddressHash: bits(32), AddressSealed: bits(60), Domain: "example.net", CreatedAt: at, UpdatedAt: at}
	w.create(&other,
		&models.User{ID: models.NewID(), MailboxID: other.ID, Role: "viewer", CreatedAt: at, UpdatedAt: at},
		&models.Session{ID: models.NewID(), TokenHash: bits(32), UserID: p.user, CreatedAt: at, SeenAt: at, ExpiresAt: start.Add(time.Hour)},
		&models.Invitation{ID: models.NewID(), MailboxID: other.ID, Role: "viewer", InvitedBy: &p.user, CreatedAt: at, ExpiresAt: later, AcceptedAt: &later, RevokedAt: &later},
		&models.Invitation{ID: models.NewID(), MailboxID: other.ID, CreatedAt: at, ExpiresAt: later},
		&models.LoginLink{ID: models.NewID(), UserID: p.user, CreatedAt: at, ExpiresAt: start.Add(time.Hour)},
		&models.LoginFailure{ID: models.NewID(), KeyHash: bits(32), At: at},
		&models.Campaign{ID: p.campaign, Slug: "lidocaine", Title: hard("Cover it"), Ask: "x", Decider: "x", WhyNow: "x", SystemChange: "x", Deadline: &later, State: models.CampaignPublished, CreatedBy: &p.user, CreatedAt: at, UpdatedAt: at},
		&models.Campaign{ID: models.NewID(), Slug: "bare", State: models.CampaignDraft, CreatedAt: at, UpdatedAt: at},
	)
	for i, b := range [][]byte{bits(100_000), nil, bits(2 << 20)} {
		in := files.PutInput{Kind: models.FilePicture, Name: "Núria.pdf", ContentType: "image/webp", Public: true, By: &p.user, ExpiresAt: ptr(start.Add(time.Hour))}
		if i == 1 {
			in = files.PutInput{Kind: models.FileImport, ContentType: "text/csv"}
		}
		f, err := w.store.Put(w.t.Context(), nil, in, bytes.NewReader(b))
		if err != nil {
			w.t.Fatal(err)
		}
		p.stored = append(p.stored, f)
	}
	gone := p.stored[2]
	gone.ID, gone.StoreKey, gone.State = models.NewID(), hex.EncodeToString(bits(16)), models.FileExpired
	w.create(&gone,
		&models.Petition{
			ID: p.petition, CampaignID: p.campaign, Slug: "lidocaine", State: models.PetitionPublished, Title: hard("Cover lidocaine"), Summary: "x", Body: hard("body"), Decider: "x", WhyNow: "x", SystemChange: "x", Place: "x",
			Goal: 1000, Locale: "en", PictureID: &p.stored[0].ID, AuthorID: &p.user, Revision: 3, PendingCount: 1, SignatureCount: 2147483647, SubmittedAt: &at, PublishedAt: &at, PausedAt: &at, ReturnedAt: &at, ReturnReason: "x", ReturnText: "x",
			ReviewedBy: &p.user, DeadlineAt: &later, ClosedAt: &later, CreatedAt: at, UpdatedAt: later,
		},
		&models.Petition{ID: models.NewID(), CampaignID: p.campaign, Slug: "bare", State: models.PetitionDraft, CreatedAt: at, UpdatedAt: at},
		&models.Signature{
			ID: models.NewID(), PetitionID: p.petition, MailboxID: p.mailbox, State: models.SignatureConfirmed, GivenNameSealed: bits(40), FamilyNameSealed: bits(40), PostalArea: "28", Display: models.DisplayName, DisplayName: hard("June O."),
			CommentSealed: bits(90), CommentState: models.CommentShown, CommentShown: hard("It hurts"), WantsUpdates: true, ConsentTextID: &p.text, Locale: "es", Source: "x", CodeTries: 2, Number: 1, CreatedAt: at, ConfirmedAt: &later, WithdrawnAt: &later, ExpiresAt: later,
		},
		&models.Signature{ID: models.NewID(), PetitionID: p.petition, MailboxID: other.ID, State: models.SignaturePending, Display: models.DisplayAnonymous, CreatedAt: at, ExpiresAt: later},
		&models.Post{ID: models.NewID(), CampaignID: p.campaign, PetitionID: &p.petition, Kind: "update", Title: hard("News"), Body: hard("body"), Locale: "en", AuthorID: &p.user, PublishedAt: &later, CreatedAt: at, UpdatedAt: at},
		&models.Post{ID: models.NewID(), CampaignID: p.campaign, CreatedAt: at, UpdatedAt: at},
	)
	sent := models.Mailing{
		ID: models.NewID(), CampaignID: &p.campaign, PetitionID: &p.petition, Purpose: models.PurposeUpdates, ScopeID: p.scope, Subject: hard("Good news"), Preheader: "x", Body: hard("Hello {{given_name}}"), Locale: "en", State: models.MailingFinished,
		Revision: 2, AudienceCount: 1, CreatedBy: &p.user, CreatedAt: at, UpdatedAt: later, FrozenAt: &at, FinishedAt: &later, PausedAt: &at, PausedReason: "mailings.paused_by_hand",
		Variants: `[{"subject":"Other"}]`, Format: models.FormatHTML, Plain: hard("Hello"), NamesCause: true, Public: true, Slug: "good-news", EditedBy: &p.user, ApprovalAskedAt: &at,
		ApprovedAt: &later, ApprovedBy: &p.user, ApprovedRevision: 2,
		Important: true, SendAt: &at, LocalHour: true, FreezeAt: &at, ExpiresAt: &later, TestPercent: 20, TestMinutes: 240, TestByHand: true, DecideAt: &at, DecidedAt: &later, DecidedBy: &p.user,
		Winner: 1, TrackClicks: true, Audience: `{"all":1,"people":1}`, LaterAt: &later,
	}
	delivery := models.NewID()
	w.create(&sent,
		&models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: models.MailingDraft, CreatedAt: at, UpdatedAt: at},
		&models.Delivery{
			ID: delivery, Kind: "mailing", MailboxID: p.mailbox, SubjectID: sent.ID, MailingID: &sent.ID, Purpose: models.PurposeUpdates, ScopeID: p.scope, DedupeKey: hard("mailing/1"), Priority: 50, State: models.DeliverySent, OnUnknown: models.Park,
			Attempt: 1, Deferrals: 2, NotBefore: at, LeaseUntil: &later, Node: "n", ExpiresAt: &later, ReplyCode: 250, Reply: "2.0.0 ok", CreatedAt: at, UpdatedAt: at, SentAt: &later,
		},
		&models.Delivery{ID: models.NewID(), Kind: "receipt", MailboxID: other.ID, SubjectID: other.ID, Purpose: models.PurposeReceipt, DedupeKey: "r/1", State: models.DeliveryQueued, OnUnknown: models.Resend, NotBefore: at, CreatedAt: start.Add(-time.Hour), UpdatedAt: at},
		&models.Import{
			ID: models.NewID(), FileID: &p.stored[1].ID, Run: 1, State: models.ImportFinished, DryRun: true, Mapping: `{"email":0}`, BasisPurpose: "updates", BasisScopeID: p.scope, BasisText: hard("x"), BasisSource: "x", BasisTextID: &p.text, Locale: "en",
			RowsTotal: 9, RowsDone: 9, NewCount: 1, UpdatedCount: 2, UnchangedCount: 3, SuppressedCount: 1, SkippedCount: 2, ConsentCount: 3, HeldCount: 1, ErrorFileID: &p.stored[2].ID, Message: "x", CreatedBy: &p.user, CreatedAt: at, UpdatedAt: at, FinishedAt: &later,
		},
		&models.Import{ID: models.NewID(), State: models.ImportUploaded, CreatedAt: at, UpdatedAt: at},
	)
	w.fillRecords(p, at, later, hard)
	around := rows.Petitioned{
		Petition: p.petition, Mailbox: p.mailbox, User: p.user, Picture: p.stored[0].ID, File: p.stored[1].ID, At: at, Later: later, Word: hard,
		Seal: func(string, string, uuid.UUID, string) []byte { return bits(40) },
	}
	w.create(rows.AroundPetition(around)...)
	w.create(rows.Sending(around)...)
	w.create(rows.AroundMailing(rows.Mailed{Mailing: sent.ID, User: p.user, File: p.stored[0].ID, At: at, Later: later, Word: hard})...)
	w.create(rows.SendingOf(sent.ID, at, hard)...)
	w.create(rows.AroundDelivery(delivery, around)...)
	place := &models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:7", Name: "House 7", Country: "US", Region: "WN", Kind: "sldl", CreatedAt: at, UpdatedAt: at}
	w.create(place)
	w.create(rows.AroundLetters(rows.Lettered{
		Campaign: p.campaign, Mailbox: p.mailbox, User: p.user, Division: place.ID, Delivery: delivery, ConsentText: p.text, At: at, Later: later, Word: hard, Seal: around.Seal,
	})...)
	var chapter models.Chapter
	if err := w.db.Take(&chapter).Error; err != nil {
		w.t.Fatal(err)
	}
	w.create(rows.AroundRosters(rows.Volunteered{
		Campaign: p.campaign, Chapter: chapter.ID, Mailbox: p.mailbox, User: p.user, ConsentText: p.text, At: at, Later: later, Word: hard, Seal: around.Seal,
	})...)
	w.create(rows.AroundMeetings(rows.Volunteered{
		Campaign: p.campaign, Chapter: chapter.ID, Mailbox: p.mailbox, User: p.user, ConsentText: p.text, At: at, Later: later, Word: hard, Seal: around.Seal,
	})...)
	// What the delivery needed when it went was withdrawn since.
	w.exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'mail' WHERE purpose = 'updates'", later)
	return p
}

// fillRecords puts rows into the tables of supporters' records.
func (w *world) fillRecords(p people, at, later time.Time, hard func(string) string) {
	w.t.Helper()
	one := &models.Supporter{ID: models.NewID(), Region: "NC", TimeZone: "America/New_York", Frequency: models.Weekly, CreatedAt: at, UpdatedAt: at}
	two := &models.Supporter{ID: models.NewID(), CreatedAt: at, UpdatedAt: at}
	chapter := &models.Chapter{ID: models.NewID(), Slug: "north", Name: hard("North"), PostalAreas: "275*\n20009", ClosedAt: &later, CreatedAt: at, UpdatedAt: at}
	one.ChapterID = &chapter.ID
	w.create(chapter, one, two)
	tag := &models.Tag{ID: models.NewID(), Name: hard("Tag"), NameKey: hard("tag"), CreatedAt: at}
	number, text := &models.CustomField{ID: models.NewID(), Name: "visits", Kind: models.FieldNumber, SeenBy: "coordinator", CreatedAt: at, UpdatedAt: at},
		&models.CustomField{ID: models.NewID(), Name: "notes", Label: hard("Notes"), Kind: models.FieldText, Private: true, SeenBy: "owner", CreatedAt: at, UpdatedAt: at}
	half := 1.0 / 3
	division := &models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:nc", Name: hard("NC"), Country: "US", Region: "NC", Kind: "state", CreatedAt: at, UpdatedAt: at}
	a, b := one, two
	if bytes.Compare(a.ID[:], b.ID[:]) > 0 {
		a, b = b, a
	}
	form := &models.Form{ID: models.NewID(), Slug: "join-us", Title: hard("Join"), Locale: "en", State: models.FormOpen, Questions: "[]", Consents: "[]", Tags: "[]", CreatedAt: at, UpdatedAt: at}
	segment := &models.Segment{ID: models.NewID(), Name: hard("Some"), Rule: "{}", FrozenAt: &later, FrozenCount: 1, Revision: 1, CreatedBy: &p.user, CreatedAt: at, UpdatedAt: at}
	w.create(tag, number, text, division, form, segment)
	w.create(
		&models.Phone{ID: models.NewID(), SupporterID: one.ID, NumberSealed: w.vault.Seal("phones", "number_sealed", one.ID, "+19195550100"), NumberHash: []byte{1}, Valid: true, CreatedAt: at},
		&models.Tagging{SupporterID: one.ID, TagID: tag.ID, CreatedAt: at},
		&models.FieldValue{SupporterID: one.ID, FieldID: number.ID, NumberValue: &half, UpdatedAt: at},
		&models.FieldValue{SupporterID: two.ID, FieldID: number.ID, TextValue: "-1.5e300", NumberValue: ptr(-1.5e300), UpdatedAt: at},
		&models.FieldValue{SupporterID: one.ID, FieldID: text.ID, ValueSealed: w.vault.Seal("field_values", "value_sealed", one.ID, hard("x")), UpdatedAt: at},
		&models.Note{ID: models.NewID(), SupporterID: one.ID, BodySealed: w.vault.Seal("notes", "body_sealed", one.ID, hard("x")), AuthorID: &p.user, CreatedAt: at},
		&models.PostalDivision{Country: "US", PostalArea: "27514", DivisionID: division.ID, Kind: "state", Version: "x"},
		&models.Boundary{ID: models.NewID(), DivisionID: division.ID, Shape: []byte{0, 255, 1}, West: -84.321869, South: 33.8, East: -75.4, North: 36.588117, Version: "x", UpdatedAt: at},
		&models.SupporterDivision{SupporterID: one.ID, Kind: "state", DivisionID: division.ID, How: models.ByPostal, Version: "x", UpdatedAt: at},
		&models.Duplicate{ID: models.NewID(), AID: a.ID, BID: b.ID, Rules: "name,phone", State: models.DuplicateOpen, CreatedAt: at, UpdatedAt: at},
		&models.Merge{ID: models.NewID(), SupporterID: one.ID, GoneID: models.NewID(), BeforeSealed: []byte{1, 2}, MergedBy: &p.user, CreatedAt: at, UndoUntil: later, UndoneAt: &later},
		&models.Topic{ID: models.NewID(), Slug: "research", Name: hard("Research"), CreatedAt: at, UpdatedAt: at},
		&models.Partner{ID: models.NewID(), Name: hard("Partner"), Website: "https://partner.example.org", CreatedAt: at, UpdatedAt: at},
		&models.Submission{ID: models.NewID(), FormID: &form.ID, MailboxID: p.mailbox, State: models.SubmissionPending, AnswersSealed: []byte{9}, Consents: "[]", CreatedAt: at, ExpiresAt: later},
		&models.SegmentMember{SegmentID: segment.ID, SupporterID: one.ID},
		&models.Export{ID: models.NewID(), Kind: "supporters", Format: "csv", SegmentID: &segment.ID, Columns: "[]", State: models.ExportFinished, RowsDone: 1, CreatedBy: &p.user, CreatedAt: at, UpdatedAt: at},
		&models.Erasure{ID: models.NewID(), AddressHash: []byte{7}, How: "person", CreatedAt: at},
		&models.RecoveryCode{ID: models.NewID(), UserID: p.user, CodeHash: []byte{8}, CreatedAt: at},
	)
	w.create(rows.InSeries(rows.Walked{Petition: p.petition, Supporter: one.ID, Tag: tag.ID, User: p.user, At: at, Later: later, Word: hard})...)
}

// dump is every row of every table as the rows' own types read it, by table.
func (w *world) dump() map[string][]string {
	w.t.Helper()
	names, err := tables.Own()
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string][]string{}
	for i, m := range models.All() {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(m).Elem()))
		if err := w.db.Find(rows.Interface()).Error; err != nil {
			w.t.Fatal(err)
		}
		for j := range rows.Elem().Len() {
			b, err := json.Marshal(rows.Elem().Index(j).Interface())
			if err != nil {
				w.t.Fatal(err)
			}
			out[names[i]] = append(out[names[i]], string(b))
		}
		slices.Sort(out[names[i]])
	}
	return out
}

// keys lists what is in the store.
func (w *world) keys() (keys []string) {
	w.t.Helper()
	if err := w.folder.List(w.t.Context(), func(b files.Blob) error { keys = append(keys, b.Key); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// empty fails where the world holds anything.
func (w *world) empty() {
	w.t.Helper()
	for table, rows := range w.dump() {
		w.t.Errorf("%s has %d rows", table, len(rows))
	}
	if n := w.count("SELECT count(*) FROM river_job"); n > 0 {
		w.t.Errorf("%d jobs", n)
	}
	if keys := w.keys(); len(keys) > 0 {
		w.t.Errorf("the store has %v", keys)
	}
}

func isFault(t *testing.T, err error, k fault.Kind, key string) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != k || f.Key != key {
		t.Fatalf("error %v, want %v %s", err, k, key)
	}
	return f
}

// member is a member of a backup with its content.
type member struct {
	name string
	data []byte
}

// unpack takes a backup apart.
func unpack(t *testing.T, b []byte) (out []member) {
	t.Helper()
	zr, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer zr.Close()
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{h.Name, data})
	}
}

// pack puts members together. With sums the manifest gets the right sums and sizes, as somebody would who knows how.
func pack(t *testing.T, members []member, sums bool) []byte {
	t.Helper()
	var b bytes.Buffer
	zw, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(zw)
	var list []Member
	for _, m := range members {
		if m.name == "manifest.json" && sums {
			var c Manifest
			if err := json.Unmarshal(m.data, &c); err != nil {
				t.Fatal(err)
			}
			c.Members = list
			if m.data, err = json.Marshal(c); err != nil {
				t.Fatal(err)
			}
		}
		sum := sha256.Sum256(m.data)
		list = append(list, Member{m.name, int64(len(m.data)), hex.EncodeToString(sum[:])})
		if err := errors.Join(tw.WriteHeader(&tar.Header{Name: m.name, Size: int64(len(m.data)), Typeflag: tar.TypeReg, Mode: 0o600})); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
