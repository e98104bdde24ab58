package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Elected is what the rows of legislators point to and are made of. The first six ids are for the rows that point to them.
type Elected struct {
	Legislator, Chamber, Term, Channel, Office, Committee uuid.UUID
	Division, User, File                                  uuid.UUID // there already
	At, Later                                             time.Time
	Word                                                  func(string) string // makes a text hard to store
}

// Legislators makes a row or two for each table of who decides, with a value in every column, for tests that carry whole tables.
func Legislators(e Elected) []any {
	place, read := models.NewID(), models.NewID()
	half, east := 44.4759, -73.2121
	return []any{
		&models.Jurisdiction{ID: place, Code: "us-vt", Name: e.Word("Vermont"), Country: "US", Region: "VT", CreatedAt: e.At, UpdatedAt: e.Later},
		&models.Chamber{
			ID: e.Chamber, JurisdictionID: place, Code: "upper", Name: e.Word("Senate"), MemberTitle: e.Word("Senator"), DivisionKind: models.DivisionUpper, CreatedAt: e.At, UpdatedAt: e.Later,
		},
		&models.Legislator{
			ID: e.Legislator, Source: string(models.SourceOpenStates), ExternalID: "ocd-person/" + e.Word("1"), Name: e.Word("Núria Okafor"), GivenName: e.Word("Núria"), FamilyName: e.Word("Okafor"),
			Suffix: "Jr.", Salutation: e.Word("Dear Senator Okafor"), CreatedAt: e.At, UpdatedAt: e.Later,
		},
		&models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "x", Name: "x", CreatedAt: e.At, UpdatedAt: e.At},
		&models.Term{
			ID: e.Term, LegislatorID: e.Legislator, ChamberID: e.Chamber, OCDID: "ocd-division/country:us/state:vt/sldu:x", DivisionID: &e.Division, District: e.Word("Chittenden Central"),
			Title: e.Word("Senator"), Party: e.Word("Independent"), SeatRank: "junior", ValidFrom: "2025-01-03", ValidThrough: "2027-01-03", EndedAt: &e.Later, EndedByHand: true, Version: "v1",
			CreatedAt: e.At, UpdatedAt: e.Later,
		},
		&models.Term{ID: models.NewID(), LegislatorID: e.Legislator, ChamberID: e.Chamber, CreatedAt: e.At, UpdatedAt: e.At},
		&models.Office{
			ID: e.Office, LegislatorID: e.Legislator, SourceKey: e.Word("x"), Kind: "district", Name: e.Word("x"), Street: e.Word("1 Road"), City: e.Word("Burlington"), Region: "VT", PostalCode: "05401",
			Country: "US", Phone: "+1 802 555 0100", Fax: "x", Hours: e.Word("9 to 5"), Latitude: &half, Longitude: &east, Version: "v1", CreatedAt: e.At, UpdatedAt: e.Later, RemovedAt: &e.Later,
		},
		&models.Channel{
			ID: e.Channel, LegislatorID: e.Legislator, OfficeID: &e.Office, Kind: models.ChannelEmail, Value: e.Word("okafor@example.org"), Position: 1, Source: "openstates", BouncedAt: &e.At,
			CreatedAt: e.At, UpdatedAt: e.Later, RemovedAt: &e.Later,
		},
		&models.Channel{ID: models.NewID(), LegislatorID: e.Legislator, Kind: models.ChannelPost, CreatedAt: e.At, UpdatedAt: e.At},
		&models.Committee{
			ID: e.Committee, JurisdictionID: place, ChamberID: &e.Chamber, ParentID: &place, ExternalID: e.Word("SSHR"), Name: e.Word("Health"), CreatedAt: e.At, UpdatedAt: e.Later, RemovedAt: &e.Later,
		},
		&models.CommitteeMember{ID: models.NewID(), CommitteeID: e.Committee, LegislatorID: e.Legislator, Title: e.Word("Chair"), Rank: 1, CreatedAt: e.At, EndedAt: &e.Later},
		&models.LegislatorImport{
			ID: read, Kind: models.SourceOpenStates, Name: e.Word("vt.zip"), Version: "v1", Checksum: "x", State: models.ImportApplied, FileID: &e.File, AllowLeaving: true, Summary: `{"joined":1}`,
			Report: `{"changes":[]}`, Message: e.Word("x"), CreatedBy: &e.User, CreatedAt: e.At, UpdatedAt: e.Later, FinishedAt: &e.Later,
		},
		&models.LegislatorImport{ID: models.NewID(), Kind: models.SourceCSV, State: models.ImportChecked, CreatedAt: e.At, UpdatedAt: e.At},
		&models.LegislatorChange{
			ID: models.NewID(), ImportID: &read, LegislatorID: e.Legislator, Kind: "party", BeforeText: e.Word("a"), AfterText: e.Word("b"), CreatedBy: &e.User, CreatedAt: e.At,
		},
	}
}

// NewElected makes ids for the rows of Legislators.
func NewElected() Elected {
	return Elected{Legislator: models.NewID(), Chamber: models.NewID(), Term: models.NewID(), Channel: models.NewID(), Office: models.NewID(), Committee: models.NewID()}
}
