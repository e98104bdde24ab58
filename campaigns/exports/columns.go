package exports

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Columns lists what a list of supporters can hold, in order, but for the custom fields, which follow as "field_" and their
// name. The names are those by which an import knows them.
var Columns = []string{
	"id", "email", "other_emails", "given_name", "family_name", "phone", "other_phones", "street", "city", "region", "postal_area", "country", "locale", "time_zone",
	"chapter", "districts", "tags", "consents", "subscription_status", "source", "created_at",
}

// Usual are the columns that are chosen where nobody says which.
var Usual = []string{
	"email", "given_name", "family_name", "phone", "street", "city", "region", "postal_area", "country", "locale", "tags", "subscription_status", "created_at",
}

// Shared are the only columns of a list for a partner.
var Shared = []string{"email", "given_name", "family_name", "phone", "street", "city", "region", "postal_area", "country", "locale"}

// fieldPrefix begins the column of a custom field.
const fieldPrefix = "field_"

// seenBy says which roles see the fields of which SeenBy.
var seenBy = map[actor.Role][]string{
	actor.Owner:       {"owner", "organizer", "coordinator"},
	actor.Organizer:   {"organizer", "coordinator"},
	actor.Coordinator: {"coordinator"},
}

func seesField(a actor.Actor, f models.CustomField) bool {
	return a.Kind == actor.System || slices.Contains(seenBy[a.Role], f.SeenBy)
}

// Fields lists the custom fields that an actor may export. It needs the right actor.Export.
func (s *Service) Fields(ctx context.Context, a actor.Actor) ([]models.CustomField, error) {
	if err := a.Need(actor.Export); err != nil {
		return nil, err
	}
	return fieldsOf(ctx, s.DB.DB, a)
}

func fieldsOf(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]models.CustomField, error) {
	var all []models.CustomField
	if err := tx.WithContext(ctx).Where("archived_at IS NULL").Order("position, name").Find(&all).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f models.CustomField) bool { return !seesField(a, f) }), nil
}

// hidden are the columns of the custom fields that an actor may not see.
func (s *Service) hidden(ctx context.Context, a actor.Actor) (map[string]bool, error) {
	var all []models.CustomField
	if err := s.DB.WithContext(ctx).Select("name", "seen_by").Find(&all).Error; err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, f := range all {
		if !seesField(a, f) {
			out[fieldPrefix+f.Name] = true
		}
	}
	return out, nil
}

// Number of a person's own columns in the query that the export follows.
const (
	atID = iota
	atGiven
	atFamily
	atStreet
	atCity
	atRegion
	atPostal
	atCountry
	atLocale
	atZone
	atSource
	atCreated
	atChapter
	ownColumns
)

// own names them. One that no column asks for is read as NULL.
var own = [ownColumns]string{
	"id", "given_name_sealed", "family_name_sealed", "street_sealed", "city_sealed", "region", "postal_area", "country", "locale", "time_zone", "source", "created_at",
	"chapter_id",
}

// person is one supporter of a chunk as it was read.
type person struct {
	id       uuid.UUID
	own      [ownColumns][]byte
	boxes    []box
	phones   []phone
	tags     []uuid.UUID
	fields   []value
	places   []place
	consents []consent
}

type box struct {
	hash, sealed, reason []byte
	suppressed           bool
}

type phone struct {
	id     uuid.UUID
	sealed []byte
}

type value struct {
	field        uuid.UUID
	text, sealed []byte
}

type place struct{ kind, ocd []byte }

type consent struct {
	purpose []byte
	scope   uuid.UUID
	at      time.Time
	mail    bool
}

// column is one column of a list: need says what has to be read for it, and put puts the person's values.
type column struct {
	name string
	many bool // a list where the format has lists
	own  []int
	need need
	put  func(x *opener, p *person) error
}

// need is what a column has to look up beside the person's own row.
type need int

const (
	nothing need = 0
	boxes   need = 1 << (iota - 1)
	phones
	tags
	fields
	places
	agreed
)

// opener opens what is sealed and collects the values of one cell after the other. Each worker has one.
type opener struct {
	plan   *plan
	chunk  *chunk
	buf    []byte
	values [][]byte // of the cell
	numbers
}

// numbers counts what was opened, for the measurement of its share.
type numbers struct{ opened int64 }

func (x *opener) put(b []byte) {
	if len(b) > 0 {
		x.values = append(x.values, b)
	}
}

func (x *opener) str(s string) { x.put([]byte(s)) }

// open appends a sealed value in clear.
func (x *opener) open(table, column string, key, sealed []byte) error {
	if len(sealed) == 0 {
		return nil
	}
	x.opened++
	at := len(x.buf)
	var err error
	if x.buf, err = x.plan.vault.AppendOpened(x.buf, table, column, key, sealed); err != nil {
		return err
	}
	x.put(x.buf[at:len(x.buf):len(x.buf)])
	return nil
}

func sealedColumn(name string, at int) column {
	return column{name: name, own: []int{at}, put: func(x *opener, p *person) error {
		return x.open("supporters", own[at], p.id[:], p.own[at])
	}}
}

func clearColumn(name string, at int) column {
	return column{name: name, own: []int{at}, put: func(x *opener, p *person) error { x.put(p.own[at]); return nil }}
}

// best is the address to write to: the first that gets mail, else the first.
func best(p *person) int {
	for i := range p.boxes {
		if !p.boxes[i].suppressed {
			return i
		}
	}
	return 0
}

func (x *opener) address(b box) error {
	return x.open("mailboxes", "address_sealed", b.hash, b.sealed)
}

// listed are the columns that are not custom fields, by name.
var listed = func() map[string]column {
	out := map[string]column{}
	for _, c := range []column{
		{name: "id", put: func(x *opener, p *person) error { x.str(p.id.String()); return nil }},
		{name: "email", need: boxes, put: func(x *opener, p *person) error {
			if len(p.boxes) == 0 {
				return nil
			}
			return x.address(p.boxes[best(p)])
		}},
		{name: "other_emails", need: boxes, many: true, put: func(x *opener, p *person) error {
			for i, first := 0, best(p); i < len(p.boxes); i++ {
				if i == first {
					continue
				}
				if err := x.address(p.boxes[i]); err != nil {
					return err
				}
			}
			return nil
		}},
		sealedColumn("given_name", atGiven), sealedColumn("family_name", atFamily),
		{name: "phone", need: phones, put: func(x *opener, p *person) error {
			if len(p.phones) == 0 {
				return nil
			}
			return x.open("phones", "number_sealed", p.phones[0].id[:], p.phones[0].sealed)
		}},
		{name: "other_phones", need: phones, many: true, put: func(x *opener, p *person) error {
			for i := 1; i < len(p.phones); i++ {
				if err := x.open("phones", "number_sealed", p.phones[i].id[:], p.phones[i].sealed); err != nil {
					return err
				}
			}
			return nil
		}},
		sealedColumn("street", atStreet), sealedColumn("city", atCity), clearColumn("region", atRegion), clearColumn("postal_area", atPostal),
		clearColumn("country", atCountry), clearColumn("locale", atLocale), clearColumn("time_zone", atZone),
		{name: "chapter", own: []int{atChapter}, put: func(x *opener, p *person) error {
			if v := p.own[atChapter]; v != nil {
				x.str(x.plan.chapters[x.plan.snap.id(v)])
			}
			return nil
		}},
		{name: "districts", need: places, many: true, put: func(x *opener, p *person) error {
			for _, d := range p.places {
				x.put(d.ocd)
			}
			return nil
		}},
		{name: "tags", need: tags, many: true, put: func(x *opener, p *person) error {
			for _, t := range p.tags {
				x.str(x.plan.tags[t])
			}
			return nil
		}},
		{name: "consents", need: agreed, many: true, put: func(x *opener, p *person) error {
			for _, c := range p.consents {
				at := len(x.buf)
				x.buf = append(x.buf, c.purpose...)
				if name := x.plan.scopes[c.scope]; name != "" {
					x.buf = append(append(x.buf, ':'), name...)
				}
				x.buf = c.at.AppendFormat(append(x.buf, ' '), time.DateOnly)
				x.put(x.buf[at:len(x.buf):len(x.buf)])
			}
			return nil
		}},
		{name: "subscription_status", need: boxes | agreed, put: func(x *opener, p *person) error { x.str(standing(p)); return nil }},
		clearColumn("source", atSource),
		{name: "created_at", own: []int{atCreated}, put: func(x *opener, p *person) error {
			at := len(x.buf)
			x.buf = x.plan.snap.at(p.own[atCreated]).AppendFormat(x.buf, "2006-01-02T15:04:05Z")
			x.put(x.buf[at:len(x.buf):len(x.buf)])
			return nil
		}},
	} {
		out[c.name] = c
	}
	return out
}()

// standing is how a person stands with mail, in words that an import reads: what is suppressed here is suppressed there,
// and nobody is subscribed who agreed to nothing.
func standing(p *person) string {
	if len(p.boxes) == 0 {
		return "none"
	}
	if b := p.boxes[best(p)]; b.suppressed {
		switch string(b.reason) {
		case models.SuppressedBounce:
			return "bounced"
		case models.SuppressedComplaint:
			return "complained"
		}
		return "unsubscribed"
	}
	for _, c := range p.consents {
		if c.mail {
			return "subscribed"
		}
	}
	return "none"
}

// fieldColumn is the column of a custom field.
func fieldColumn(f models.CustomField) column {
	return column{name: fieldPrefix + f.Name, need: fields, put: func(x *opener, p *person) error {
		for _, v := range p.fields {
			if v.field != f.ID {
				continue
			}
			if !f.Private {
				x.put(v.text)
				return nil
			}
			key := append(append(make([]byte, 0, 32), p.id[:]...), f.ID[:]...)
			return x.open("field_values", "value_sealed", key, v.sealed)
		}
		return nil
	}}
}
