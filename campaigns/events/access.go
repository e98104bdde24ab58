package events

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Known says what is known of one point of access. The zero value is: not known, which pages say.
type Known string

// What can be known.
const (
	NotKnown Known = ""
	Yes      Known = "yes"
	No       Known = "no"
	InWords  Known = "text" // only Point.Text says it
)

// Point is one point of access: what is known of it, and more of it in words.
type Point struct {
	Is   Known  `json:"is,omitempty"`
	Text string `json:"text,omitempty"`
}

// Access is the access sheet of an event. Its points stand in AccessPoints, whose names are those of the form's fields.
type Access struct {
	StepFree       Point `json:"step_free,omitzero"`
	DropOff        Point `json:"drop_off,omitzero"` // how far from where a car stops: Meters
	Meters         int   `json:"meters,omitempty"`
	Seating        Point `json:"seating,omitzero"`
	LyingDown      Point `json:"lying_down,omitzero"`
	QuietRoom      Point `json:"quiet_room,omitzero"`
	Lighting       Point `json:"lighting,omitzero"` // it can be dimmed
	Scent          Point `json:"scent,omitzero"`    // free of it
	Captions       Point `json:"captions,omitzero"`
	CameraOptional Point `json:"camera_optional,omitzero"`
	DialIn         Point `json:"dial_in,omitzero"`
	Breaks         Point `json:"breaks,omitzero"`
	BlockMinutes   int   `json:"block_minutes,omitempty"` // at most so long without a break; 0 = not known
	BreakMinutes   int   `json:"break_minutes,omitempty"`
	Recording      Point `json:"recording,omitzero"` // it is recorded
	LeaveAnyTime   Point `json:"leave_any_time,omitzero"`
}

// AccessPoint is one point by its name: events.access_NAME and its answers events.access_NAME_yes, _no.
type AccessPoint struct {
	Name string
	*Point
	Onsite, Remote bool // where it matters
}

// Points lists the points of a sheet in their order; changing one changes the sheet.
func (a *Access) Points() []AccessPoint {
	return []AccessPoint{
		{"step_free", &a.StepFree, true, false},
		{"drop_off", &a.DropOff, true, false},
		{"seating", &a.Seating, true, false},
		{"lying_down", &a.LyingDown, true, true},
		{"quiet_room", &a.QuietRoom, true, false},
		{"lighting", &a.Lighting, true, false},
		{"scent", &a.Scent, true, false},
		{"captions", &a.Captions, true, true},
		{"camera_optional", &a.CameraOptional, false, true},
		{"dial_in", &a.DialIn, false, true},
		{"breaks", &a.Breaks, true, true},
		{"recording", &a.Recording, true, true},
		{"leave_any_time", &a.LeaveAnyTime, true, true},
	}
}

// For lists the points that matter at a venue.
func (a *Access) For(v models.EventVenue) []AccessPoint {
	onsite, remote := v == models.VenueOnsite || v == models.VenueHybrid, v != models.VenueOnsite
	return slices.DeleteFunc(a.Points(), func(p AccessPoint) bool { return (!onsite || !p.Onsite) && (!remote || !p.Remote) })
}

// ReadAccess reads the sheet of an event; looked is false where nobody looked at it yet.
func ReadAccess(e models.Event) (a Access, looked bool) {
	if e.Access == "" || json.Unmarshal([]byte(e.Access), &a) != nil {
		return Access{}, false
	}
	return a, true
}

const pointMax = 200 // characters

// check trims a sheet and notes what is wrong with it.
func (a *Access) check(bad *fault.Fields) {
	for _, p := range a.Points() {
		p.Text = strings.Join(strings.Fields(p.Text), " ")
		if n := utf8.RuneCountInString(p.Text); n > pointMax {
			bad.Add("access_"+p.Name, "error.text_too_long", "Max", pointMax, "Over", n-pointMax)
		}
		switch p.Is {
		case NotKnown:
			if p.Text != "" {
				p.Is = InWords
			}
		case InWords:
			if p.Text == "" {
				p.Is = NotKnown
			}
		case Yes, No:
		default:
			bad.Add("access_"+p.Name, "error.value_unknown")
		}
	}
	for _, n := range []struct {
		name string
		is   int
		most int
	}{{"meters", a.Meters, 100000}, {"block_minutes", a.BlockMinutes, MinutesMax}, {"break_minutes", a.BreakMinutes, 600}} {
		if n.is < 0 || n.is > n.most {
			bad.Add("access_"+n.name, "error.event_number", "Max", n.most)
		}
	}
}

func (a Access) json() string {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // it holds strings and numbers
	}
	return string(b)
}
