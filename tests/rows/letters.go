package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Lettered is what the rows around a letter campaign point to and are made of.
type Lettered struct {
	Campaign, Mailbox, User, Division, Delivery, ConsentText uuid.UUID
	At, Later                                                time.Time
	Word                                                     func(string) string // makes a text hard to store
	Seal                                                     func(table, column string, id uuid.UUID, plain string) []byte
}

// Legislating makes a body with a legislator and a committee, and a row for each table around them, with a value in every column. The
// first is the body's jurisdiction; legislator and term are the ids of the others that letters point to.
func Legislating(p Lettered) (list []any, chamber, committee, legislator, term uuid.UUID) {
	in := models.NewID()
	chamber, committee, legislator, term = models.NewID(), models.NewID(), models.NewID(), models.NewID()
	office, parent, read, degrees := models.NewID(), models.NewID(), models.NewID(), 35.25
	list = []any{
		&models.Jurisdiction{ID: in, Code: "us-wn", Name: p.Word("Wennick"), Country: "US", Region: "WN", CreatedAt: p.At, UpdatedAt: p.Later},
		&models.Chamber{
			ID: chamber, JurisdictionID: in, Code: "lower", Name: p.Word("House"), MemberTitle: "Representative", DivisionKind: models.DivisionLower, CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.Legislator{
			ID: legislator, Source: string(models.SourceCSV), ExternalID: "wn-7", Name: p.Word("Ada Quill"), GivenName: "Ada", FamilyName: "Quill", Suffix: "Jr.", Salutation: "Dear Ms. Quill",
			CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.Term{
			ID: term, LegislatorID: legislator, ChamberID: chamber, OCDID: "ocd-division/country:us/state:wn/sldl:7", DivisionID: &p.Division, District: "7", Title: "Representative",
			Party: p.Word("Harbour"), SeatRank: "senior", ValidFrom: "2027-01-01", ValidThrough: "2028-12-31", EndedAt: &p.Later, EndedByHand: true, Version: "x",
			CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.Office{
			ID: office, LegislatorID: legislator, SourceKey: "capitol", Kind: "capitol", Name: p.Word("Capitol"), Street: "1 Main Street", City: "Wennick", Region: "WN", PostalCode: "00011",
			Country: "US", Phone: "+1 202 555 0142", Fax: "+1 202 555 0143", Hours: "9 to 5", Latitude: &degrees, Longitude: &degrees, Version: "x", CreatedAt: p.At, UpdatedAt: p.At, RemovedAt: &p.Later,
		},
		&models.Channel{
			ID: models.NewID(), LegislatorID: legislator, OfficeID: &office, Kind: models.ChannelWebForm, Value: "https://example.org/write", Position: 1, Source: "csv", BouncedAt: &p.At,
			CreatedAt: p.At, UpdatedAt: p.At, RemovedAt: &p.Later,
		},
		&models.Committee{ID: parent, JurisdictionID: in, ExternalID: "c", Name: "Health", CreatedAt: p.At, UpdatedAt: p.At},
		&models.Committee{
			ID: committee, JurisdictionID: in, ChamberID: &chamber, ParentID: &parent, ExternalID: "c1", Name: p.Word("Insurance"), CreatedAt: p.At, UpdatedAt: p.At, RemovedAt: &p.Later,
		},
		&models.CommitteeMember{ID: models.NewID(), CommitteeID: committee, LegislatorID: legislator, Title: "Chair", Rank: 1, CreatedAt: p.At, EndedAt: &p.Later},
		&models.LegislatorImport{
			ID: read, Kind: models.SourceCSV, Name: p.Word("wn.csv"), Version: "x", Checksum: "x", State: models.ImportApplied, AllowLeaving: true, Summary: "{}", Report: "{}", Message: p.Word("x"),
			CreatedBy: &p.User, CreatedAt: p.At, UpdatedAt: p.Later, FinishedAt: &p.Later,
		},
		&models.LegislatorChange{
			ID: models.NewID(), ImportID: &read, LegislatorID: legislator, Kind: "moved", BeforeText: "6", AfterText: p.Word("7"), CreatedBy: &p.User, CreatedAt: p.At,
		},
	}
	return list, chamber, committee, legislator, term
}

// AroundLetters makes Legislating and a row for each table of letters, with a value in every column, for tests that carry whole tables.
func AroundLetters(p Lettered) []any {
	list, chamber, committee, legislator, term := Legislating(p)
	id, target, letter, dispatch, reply := models.NewID(), models.NewID(), models.NewID(), models.NewID(), models.NewID()
	office, way := models.NewID(), models.NewID()
	return append(
		list,
		&models.LetterCampaign{
			ID: id, CampaignID: p.Campaign, Slug: "hb412", State: models.LettersPaused, Title: p.Word("Cover them"), Summary: "x", Body: p.Word("Why"), Ask: "Vote yes", Bill: "HB 412",
			Position: models.StanceSupport, Subject: "x", Prompt: "x", Opening: "x", Closing: "With respect", MinOwnWords: 20, Locale: "en", OpensAt: &p.At, ClosesAt: &p.Later, MaxLetters: 500,
			MaxRecipients: 3, HourlyCap: 20, Digest: true, AskAnswers: true, Positions: true, Minutes: 5, Energy: 2, Demands: "typing", AuthorID: &p.User, Revision: 4, LetterCount: 1, ReturnText: p.Word("x"),
			SubmittedAt: &p.At, PublishedAt: &p.At, ClosedAt: &p.Later, ReviewedBy: &p.User, CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.LetterText{
			ID: models.NewID(), LetterCampaignID: id, Locale: "es", Title: p.Word("Cubran"), Summary: "x", Body: "x", Ask: "x", Subject: "x", Prompt: "x", Opening: "x", Closing: "x", CreatedAt: p.At,
			UpdatedAt: p.Later,
		},
		&models.LetterTarget{
			ID: target, LetterCampaignID: id, Position: 1, Rule: models.TargetCommittee, Name: p.Word("The committee"), ChamberID: &chamber, CommitteeID: &committee, OnlyMine: true, LegislatorID: &legislator,
		},
		&models.LetterPoint{
			ID: models.NewID(), LetterCampaignID: id, TargetID: &target, Party: "Harbour", Locale: "en", Position: 1, Body: p.Word("It helps"), SourceTitle: "x", SourceURL: "https://example.org/",
		},
		&models.Letter{
			ID: letter, LetterCampaignID: id, MailboxID: p.Mailbox, State: models.LetterHeld, Locale: "en", GivenNameSealed: p.Seal("letters", "given_name_sealed", letter, "June"),
			FamilyNameSealed: p.Seal("letters", "family_name_sealed", letter, "Okafor"), StreetSealed: p.Seal("letters", "street_sealed", letter, "1 Main Street"),
			CitySealed: p.Seal("letters", "city_sealed", letter, "Quillby"), PhoneSealed: p.Seal("letters", "phone_sealed", letter, "+1 202 555 0142"), PostalArea: "00011", Region: "WN", Country: "US",
			Divisions: "[]", Points: "[]", SubjectSealed: p.Seal("letters", "subject_sealed", letter, "HB 412"), OwnWordsSealed: p.Seal("letters", "own_words_sealed", letter, p.Word("My father")),
			Chosen: "[]", ConfirmedDigest: []byte{0, 1, 255}, OwnShare: 60, OwnWords: 120, WantsCopy: true, Keeps: true, ConsentTextID: &p.ConsentText, Consents: "[]", HeldReason: "similar",
			HeldLike: &letter, HeldAt: &p.At, HoldToldAt: &p.Later, ReviewedBy: &p.User, Source: "qr", ClientHash: []byte{7}, CodeTries: 1, ResumeTries: 2, Number: 1, Minutes: 6, CreatedAt: p.At,
			UpdatedAt: p.At, ConfirmedAt: &p.At, ReleasedAt: &p.Later, ClosedAt: &p.Later, ExpiresAt: p.Later,
		},
		&models.LetterSketch{LetterCampaignID: id, Band: 1, Hash: -42, LetterID: letter},
		&models.Dispatch{
			ID: dispatch, LetterID: letter, LetterCampaignID: id, MailboxID: p.Mailbox, LegislatorID: legislator, TermID: term, State: models.DispatchAnswered, Channel: models.ByCall, ChannelID: &way,
			OfficeID: &office, SubjectSealed: p.Seal("dispatches", "subject_sealed", dispatch, "HB 412"), TextSealed: p.Seal("dispatches", "text_sealed", dispatch, p.Word("Dear")),
			DeliveryID: &p.Delivery, DueAt: p.At, HandedAt: &p.At, DoneAt: &p.At, DoneHow: "reached", RemindAt: &p.At, AskedAt: &p.At, AskedAgainAt: &p.At, AnsweredAt: &p.Later, Answer: "yes",
			ClosedAt: &p.Later, ClosedReason: "done", Tried: `["` + way.String() + `"]`, CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.LetterReply{
			ID: reply, DispatchID: dispatch, MailboxID: p.Mailbox, BodySealed: p.Seal("letter_replies", "body_sealed", reply, p.Word("Thank you")), Kind: "reply", Kept: true, ReceivedAt: p.At,
			ForwardedAt: &p.Later, Digest: []byte("heard once"),
		},
		&models.LetterPace{LegislatorID: legislator, NextAt: &p.Later, UpdatedAt: p.At},
		&models.Position{
			ID: models.NewID(), LegislatorID: legislator, LetterCampaignID: id, Stance: "undecided", SourceTitle: p.Word("Hearing"), SourceURL: "https://example.org/", Note: "x", SaidOn: "2027-02-01",
			CreatedBy: &p.User, CreatedAt: p.At,
		},
		&models.AdvocacyEntry{
			ID: models.NewID(), CampaignID: &p.Campaign, LetterCampaignID: &id, Kind: "meetings", Amount: 3, Minutes: 45, Note: p.Word("x"), HappenedOn: "2027-02-01", CreatedBy: &p.User, CreatedAt: p.At,
			RemovedAt: &p.Later,
		},
	)
}
