package models

import (
	"time"

	"github.com/google/uuid"
)

// Jurisdiction decides for a place: a country, a state, a city, or an organisation that people write to.
type Jurisdiction struct {
	ID        uuid.UUID
	Code      string // unique: us, us-nc, or a word of the importer's own
	Name      string
	Country   string // ISO 3166-1 alpha-2, capitals; "" for none
	Region    string // state or territory, capitals; "" for the whole country
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Chamber is a body of a jurisdiction: a house, a senate, a council, a board.
type Chamber struct {
	ID             uuid.UUID
	JurisdictionID uuid.UUID
	Code           string // within its jurisdiction: upper, lower, legislature, or a word of the importer's own
	Name           string
	MemberTitle    string       // Senator
	DivisionKind   DivisionKind // of the places that elect its members; "" where it has none
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Legislator is somebody who decides, and is written to. Whoever got a letter is never deleted.
type Legislator struct {
	ID         uuid.UUID
	Source     string // LegislatorSource: which kind of file keeps it; hand
	ExternalID string // the source's own id: a bioguide id, ocd-person/..., a word of a CSV
	Name       string // as it is shown
	GivenName  string
	FamilyName string
	Suffix     string
	Salutation string // how a letter begins, where the data says so; "" makes it from title and family name
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Term is a legislator's time in a seat.
type Term struct {
	ID           uuid.UUID
	LegislatorID uuid.UUID
	ChamberID    uuid.UUID
	OCDID        string     `gorm:"column:ocd_id"` // the Open Civic Data id of the division that elects; "" for none
	DivisionID   *uuid.UUID // the same, where that division is known here
	District     string     // as the source names it: 12, 0 for at large, Chittenden-17
	Title        string     // Senator; "" takes the chamber's
	Party        string
	SeatRank     string     // senior, junior, or ""
	ValidFrom    string     // 2006-01-02, "" = open
	ValidThrough string     // 2006-01-02, the last day; "" = open
	EndedAt      *time.Time // when an import found that it is over, or an organizer said so
	EndedByHand  bool       // an organizer said so: no import begins it again
	Version      string     // of the data: file and day
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Office is where a legislator is reached. Homes are never kept.
type Office struct {
	ID           uuid.UUID
	LegislatorID uuid.UUID
	SourceKey    string // tells it from the legislator's others in an import
	Kind         string // capitol, district
	Name         string
	Street       string
	City         string
	Region       string
	PostalCode   string
	Country      string
	Phone        string
	Fax          string
	Hours        string // as people read them; "" for not known
	Latitude     *float64
	Longitude    *float64
	Version      string
	CreatedAt    time.Time
	UpdatedAt    time.Time
	RemovedAt    *time.Time
}

// Channel is a way to a legislator.
type Channel struct {
	ID           uuid.UUID
	LegislatorID uuid.UUID
	OfficeID     *uuid.UUID
	Kind         ChannelKind
	Value        string     // an address, a link, a telephone number; "" for post: the office has the address
	Position     int        // the lowest is the first choice
	Source       string     // of the import, or hand
	BouncedAt    *time.Time // since when mail to it comes back
	CreatedAt    time.Time
	UpdatedAt    time.Time
	RemovedAt    *time.Time
}

// Committee is a part of a chamber that looks at bills first.
type Committee struct {
	ID             uuid.UUID
	JurisdictionID uuid.UUID
	ChamberID      *uuid.UUID // nil for a joint one
	ParentID       *uuid.UUID // of a subcommittee
	ExternalID     string
	Name           string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	RemovedAt      *time.Time
}

// CommitteeMember is a legislator on a committee.
type CommitteeMember struct {
	ID           uuid.UUID
	CommitteeID  uuid.UUID
	LegislatorID uuid.UUID
	Title        string // Chair; "" for a member
	Rank         int
	CreatedAt    time.Time
	EndedAt      *time.Time
}

// LegislatorImport is one file that was read, and what it changed, or would.
type LegislatorImport struct {
	ID           uuid.UUID
	Kind         LegislatorSource
	Name         string // of the file, without its folder
	Version      string // of the data
	Checksum     string // SHA-256, hex
	State        LegislatorImportState
	FileID       *uuid.UUID // what was uploaded, as long as it is kept
	AllowLeaving bool       // more may leave than the share that stops an import
	Summary      string     // JSON: counts
	Report       string     // JSON: who would join, leave and move, until it is applied; "" for none
	Message      string     // why it failed, as it is shown
	CreatedBy    *uuid.UUID
	CreatedAt    time.Time
	UpdatedAt    time.Time
	FinishedAt   *time.Time
}

// LegislatorChange is what an import or an organizer changed about one legislator.
type LegislatorChange struct {
	ID           uuid.UUID
	ImportID     *uuid.UUID
	LegislatorID uuid.UUID
	Kind         string // joined, left, moved, term, party, name, office, channel, committee
	BeforeText   string
	AfterText    string
	CreatedBy    *uuid.UUID
	CreatedAt    time.Time
}

// LegislatorSource is a kind of file that legislators are read from.
type LegislatorSource string

// The sources.
const (
	SourceCongress   LegislatorSource = "congress"   // unitedstates/congress-legislators
	SourceOpenStates LegislatorSource = "openstates" // openstates/people
	SourceCSV        LegislatorSource = "csv"        // any targets
	SourceHand       LegislatorSource = "hand"       // written by an organizer
)

// ChannelKind is a kind of way to a legislator.
type ChannelKind string

// The kinds.
const (
	ChannelEmail   ChannelKind = "email"
	ChannelWebForm ChannelKind = "webform"
	ChannelPost    ChannelKind = "post"
	ChannelPhone   ChannelKind = "phone"
)

// LegislatorImportState is where an import is on its way.
type LegislatorImportState string

// The states of an import. One of the command line is applied, or was never written.
const (
	ImportChecking LegislatorImportState = "checking" // the file is read, and nothing is changed
	ImportChecked  LegislatorImportState = "checked"  // waits for somebody to apply or drop it
	ImportApplying LegislatorImportState = "applying"
	ImportApplied  LegislatorImportState = "applied"
	ImportRefused  LegislatorImportState = "failed"
	ImportDropped  LegislatorImportState = "dropped"
)
