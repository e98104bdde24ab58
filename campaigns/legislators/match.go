package legislators

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/divisions"
	"kithline/models"
)

// Place is what is known about where somebody lives. All of it may be empty.
type Place struct {
	Country    string      // ISO 3166-1 alpha-2
	PostalCode string      // as people write it
	Region     string      // the state, as the person says it; then it counts more than the postal code
	Divisions  []uuid.UUID // that the person says, or an organizer
	Lat, Lon   *float64    // degrees (WGS 84); never kept
	Statewide  bool        // they cannot say which of several districts is theirs: what is open stays so, and is not asked
}

// Seats are those of a chamber that a place elects, and who sits in them.
type Seats struct {
	Chamber      models.Chamber
	Jurisdiction models.Jurisdiction
	DivisionID   uuid.UUID // uuid.Nil where the division is known by its Open Civic Data id alone
	OCDID        string
	Place        string // the name of the division
	Region       string // that it lies in
	Members      []Member
	Vacant       int // seats with nobody in them, as far as that is known
}

// KindState is the kind of a choice between states. Its candidates are answered by Place.Country and Place.Region.
const KindState models.DivisionKind = "state"

// Choice is a question that only the person can answer: in which of several divisions they live.
type Choice struct {
	Kind      models.DivisionKind
	Divisions []Candidate
}

// Candidate is a division that somebody may live in, and who sits for it.
type Candidate struct {
	Division models.Division // a state may have no row: its ID is uuid.Nil then
	Members  []Member
}

// Match says who represents a place, and what has to be asked first.
type Match struct {
	Country, Region string            // where the place lies, as far as that is known
	Divisions       []models.Division // that it lies in: of each kind one
	Seats           []Seats           // that it elects beyond doubt
	Choices         []Choice          // open questions: nothing in them may be taken for an answer
	Problem         string            // locale key of a plain sentence; "" where something was found
}

// The problems of a Match.
const (
	ProblemUnknown = "represent.problem_unknown" // the postal code is not known here, or none was given
	ProblemNowhere = "represent.problem_nowhere" // the point lies in no boundary
	ProblemForeign = "represent.problem_foreign" // nobody of that country is known here
	ProblemNobody  = "represent.problem_nobody"  // the place is known, and nobody who represents it
)

// Find says who represents somebody who lives at a place, on the day of now. A division that the person says, or that has the point
// in it, comes before what the postal code says; a state that the person says comes before that too. Where the candidates lie in
// several states, the state is the only question. Any caller, in tx.
func Find(ctx context.Context, tx *gorm.DB, p Place, now time.Time) (Match, error) {
	tx = tx.WithContext(ctx)
	at, err := locate(ctx, tx, p, now)
	if err != nil {
		return Match{}, err
	}
	b, err := bodiesOf(tx, at)
	if err != nil {
		return Match{}, err
	}
	terms, err := termsAt(tx, at, now)
	if err != nil {
		return Match{}, err
	}
	sitting, err := members(ctx, tx, terms)
	if err != nil {
		return Match{}, err
	}
	slices.SortStableFunc(sitting, compareMembers)
	m := Match{Country: at.country, Region: at.region, Divisions: at.known, Choices: at.choices(sitting)}
	if m.Seats, err = seatsOf(tx, at, b, sitting, now); err != nil {
		return Match{}, err
	}
	switch {
	case len(m.Choices) > 0 || len(m.Seats) > 0:
	case p.Country != "" && !b.inCountry:
		m.Problem = ProblemForeign
	case at.region == "" && p.Lat != nil && p.PostalCode == "":
		m.Problem = ProblemNowhere
	case at.region == "":
		m.Problem = ProblemUnknown
	default:
		m.Problem = ProblemNobody
	}
	return m, nil
}

// PlaceOf is where a supporter lives, by their record: the divisions that the person, a point or an organizer gave, and the postal
// code for the rest. Their state counts where the postal code is in none that is known. Any caller, in tx.
func PlaceOf(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, now time.Time) (Place, error) {
	tx = tx.WithContext(ctx)
	var s models.Supporter
	if err := tx.Select("id", "country", "postal_area", "region").Where("id = ?", supporter).Take(&s).Error; err != nil {
		return Place{}, err
	}
	p := Place{Country: s.Country, PostalCode: s.PostalArea}
	err := tx.Model(&models.SupporterDivision{}).Where("supporter_id = ? AND how <> ?", supporter, models.ByPostal).Order("kind").Pluck("division_id", &p.Divisions).Error
	if err != nil {
		return Place{}, err
	}
	list, err := divisions.Candidates(ctx, tx, s.Country, s.PostalArea, now)
	if len(list) == 0 {
		p.Region = s.Region
	}
	return p, err
}

// Committee returns the members of a committee who sit on the day of now, the chair first. Any caller, in tx.
func Committee(ctx context.Context, tx *gorm.DB, committee uuid.UUID, now time.Time) ([]Member, error) {
	var rows []models.CommitteeMember
	err := tx.WithContext(ctx).Where("committee_id = ? AND ended_at IS NULL", committee).Order("rank, id").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.LegislatorID
	}
	return Members(ctx, tx, ids, now)
}

// bodies are the chambers of a place's country and state.
type bodies struct {
	chambers      map[uuid.UUID]models.Chamber
	jurisdictions map[uuid.UUID]models.Jurisdiction
	inCountry     bool // some jurisdiction is of the country
}

func bodiesOf(tx *gorm.DB, at located) (bodies, error) {
	b := bodies{chambers: map[uuid.UUID]models.Chamber{}, jurisdictions: map[uuid.UUID]models.Jurisdiction{}}
	var list []models.Jurisdiction
	if err := tx.Where("country = ?", at.country).Find(&list).Error; err != nil {
		return b, err
	}
	var ids []uuid.UUID
	for _, j := range list {
		b.inCountry = true
		if j.Region == "" || j.Region == at.region {
			b.jurisdictions[j.ID] = j
			ids = append(ids, j.ID)
		}
	}
	var chambers []models.Chamber
	if err := tx.Where("jurisdiction_id IN ?", ids).Find(&chambers).Error; err != nil {
		return b, err
	}
	for _, c := range chambers {
		b.chambers[c.ID] = c
	}
	return b, nil
}

// termsAt are the terms in force of everything that the place elects or may elect.
func termsAt(tx *gorm.DB, at located, now time.Time) ([]models.Term, error) {
	names, ids := at.elects(), []uuid.UUID{}
	for _, d := range at.every() {
		ids = append(ids, d.ID)
	}
	if len(names) == 0 && len(ids) == 0 {
		return nil, nil
	}
	var terms []models.Term
	today := day(now)
	err := tx.Table("terms AS t").Where(inForce, today, today).Where("t.ocd_id IN ? OR t.division_id IN ?", names, ids).Find(&terms).Error
	return terms, err
}

// seatsOf groups the members of what the place elects beyond doubt, and says which seats have nobody in them.
func seatsOf(tx *gorm.DB, at located, b bodies, sitting []Member, now time.Time) ([]Seats, error) {
	type key struct {
		chamber uuid.UUID
		place   string
	}
	by := map[key]*Seats{}
	var order []*Seats
	seat := func(c models.Chamber, e elector) *Seats {
		k := key{c.ID, e.id}
		if by[k] == nil {
			by[k] = &Seats{Chamber: c, Jurisdiction: b.jurisdictions[c.JurisdictionID], DivisionID: e.division.ID, OCDID: e.id, Place: e.name(b), Region: at.region}
			order = append(order, by[k])
		}
		return by[k]
	}
	for _, m := range sitting {
		if e, ok := at.electorOf(m.Term); ok {
			s := seat(m.Chamber, e)
			s.Members = append(s.Members, m)
		}
	}
	for _, e := range at.electors {
		for _, c := range b.chambers {
			n := seatsBy(c, b.jurisdictions[c.JurisdictionID], e)
			if n == 0 {
				continue
			}
			if s := by[key{c.ID, e.id}]; s != nil {
				s.Vacant = max(0, n-len(s.Members))
				continue
			}
			whole, err := complete(tx, c.ID, now)
			if err != nil {
				return nil, err
			}
			if whole {
				seat(c, e).Vacant = n
			}
		}
	}
	var missing []uuid.UUID
	for _, s := range order {
		if s.Jurisdiction.ID == uuid.Nil {
			missing = append(missing, s.Chamber.JurisdictionID)
		}
	}
	if len(missing) > 0 { // a body that people wrote down without its country
		var list []models.Jurisdiction
		if err := tx.Where("id IN ?", missing).Find(&list).Error; err != nil {
			return nil, err
		}
		for _, s := range order {
			for _, j := range list {
				if j.ID == s.Chamber.JurisdictionID {
					s.Jurisdiction = j
				}
			}
		}
	}
	out := make([]Seats, len(order))
	for i, s := range order {
		out[i] = *s
	}
	slices.SortStableFunc(out, compareSeats)
	return out, nil
}

// seatsBy is how many seats of a chamber a division elects, as far as that is known without asking who sits there: in the Senate of the
// United States a state has two, and elsewhere a division of the chamber's kind has one at least. It is 0 where the division elects nobody
// there, and where nobody knows whether there is such a division: a state at large is one only if it is in the list.
func seatsBy(c models.Chamber, j models.Jurisdiction, e elector) int {
	federal := j.Country == "US" && j.Region == ""
	switch {
	case federal && c.Code == "upper":
		if e.kind == KindState {
			return 2
		}
		return 0
	case c.DivisionKind == "" || c.DivisionKind != e.kind || e.division.ID == uuid.Nil:
		return 0
	}
	return 1
}

// complete reports whether a chamber was read from a list of all its members, so that a division without one has a vacant seat. A list of
// targets, from a file or by hand, leaves out whom nobody writes to: it is one of all where nine in ten divisions have somebody.
func complete(tx *gorm.DB, chamber uuid.UUID, now time.Time) (bool, error) {
	var one []int
	err := tx.Raw(`SELECT 1 FROM terms t JOIN legislators l ON l.id = t.legislator_id WHERE t.chamber_id = ? AND t.ended_at IS NULL AND l.source IN ? LIMIT 1`,
		chamber, []models.LegislatorSource{models.SourceCongress, models.SourceOpenStates}).Scan(&one).Error
	if err != nil || len(one) > 0 {
		return len(one) > 0, err
	}
	var n struct{ Covered, Total int }
	today := day(now)
	err = tx.Raw(`SELECT COUNT(*) AS total, COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM terms t WHERE t.division_id = d.id AND t.chamber_id = c.id AND `+inForce+`) THEN 1 ELSE 0 END), 0) AS covered
		FROM chambers c JOIN jurisdictions j ON j.id = c.jurisdiction_id JOIN divisions d ON d.kind = c.division_kind AND d.country = j.country AND (j.region = '' OR j.region = d.region) AND `+validDivision+`
		WHERE c.id = ? AND c.division_kind <> ''`, today, today, today, today, chamber).Scan(&n).Error
	return n.Covered*10 >= n.Total*9 && n.Covered > 0, err
}

// codes orders the chambers of a jurisdiction.
var codes = []string{"upper", "lower", "legislature"}

// compareSeats puts the whole country first, then the state, the upper house before the lower.
func compareSeats(a, b Seats) int {
	rank := func(s Seats) int {
		if i := slices.Index(codes, s.Chamber.Code); i >= 0 {
			return i
		}
		return len(codes)
	}
	return cmp.Or(strings.Compare(a.Jurisdiction.Region, b.Jurisdiction.Region), strings.Compare(a.Jurisdiction.Name, b.Jurisdiction.Name),
		cmp.Compare(rank(a), rank(b)), strings.Compare(a.Chamber.Name, b.Chamber.Name), strings.Compare(a.OCDID, b.OCDID))
}

// compareMembers puts the senior of two senators first, and others by name.
func compareMembers(a, b Member) int {
	return cmp.Or(strings.Compare(b.Term.SeatRank, a.Term.SeatRank), strings.Compare(a.FamilyName, b.FamilyName), strings.Compare(a.Name, b.Name))
}

// locateAtPoint lists the divisions of a point, if there is one.
func locateAtPoint(ctx context.Context, tx *gorm.DB, p Place, now time.Time) ([]models.Division, error) {
	if p.Lat == nil || p.Lon == nil {
		return nil, nil
	}
	return divisions.At(ctx, tx, *p.Lat, *p.Lon, now)
}
