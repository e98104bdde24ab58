package legislators

import (
	"strings"

	"kithline/campaigns/divisions"
	"kithline/models"
)

// stateNames are the parts of the United States that have a legislature or send somebody to Congress.
var stateNames = map[string]string{
	"AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware",
	"DC": "District of Columbia", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
	"KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
	"MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York",
	"NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
	"SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
	"WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands", "PR": "Puerto Rico",
	"VI": "U.S. Virgin Islands",
}

var stateCodes = func() map[string]string {
	m := map[string]string{}
	for code, name := range stateNames {
		m[strings.ToLower(name)] = code
	}
	return m
}()

// lowerHouses are the lower chambers that are not called House of Representatives.
var lowerHouses = map[string][2]string{
	"CA": {"State Assembly", "Assembly Member"}, "NV": {"Assembly", "Assembly Member"}, "NY": {"State Assembly", "Assembly Member"}, "WI": {"State Assembly", "Representative"},
	"NJ": {"General Assembly", "Assembly Member"}, "MD": {"House of Delegates", "Delegate"}, "VA": {"House of Delegates", "Delegate"}, "WV": {"House of Delegates", "Delegate"},
}

// jurisdictionOf is the United States ("") or one of its states and territories.
func jurisdictionOf(state string) models.Jurisdiction {
	if state == "" {
		return models.Jurisdiction{Code: "us", Name: "United States", Country: "US"}
	}
	return models.Jurisdiction{Code: "us-" + strings.ToLower(state), Name: stateNames[state], Country: "US", Region: state}
}

// chamberOf is a chamber of one of them by the word that lists of legislators have for it: upper, lower, or legislature where there is one
// alone. ok is false for another word.
func chamberOf(state, word string) (c models.Chamber, ok bool) {
	c = models.Chamber{Code: word, DivisionKind: divisions.Chamber(word)}
	of := stateNames[state] + " "
	switch {
	case state == "" && word == "upper":
		c.Name, c.MemberTitle, c.DivisionKind = "United States Senate", "Senator", "state"
	case state == "" && word == "lower":
		c.Name, c.MemberTitle, c.DivisionKind = "United States House of Representatives", "Representative", models.DivisionCongress
	case state == "":
		return c, false
	case state == "DC" && (word == "legislature" || word == "upper"):
		c.Name, c.MemberTitle, c.DivisionKind = "Council of the District of Columbia", "Councilmember", "ward"
	case word == "upper":
		c.Name, c.MemberTitle = of+"Senate", "Senator"
	case word == "lower":
		name := [2]string{"House of Representatives", "Representative"}
		if other, has := lowerHouses[state]; has {
			name = other
		}
		c.Name, c.MemberTitle = of+name[0], name[1]
	case word == "legislature":
		c.Name, c.MemberTitle = of+"Legislature", "Senator"
		if state != "NE" {
			c.MemberTitle = "Member"
		}
	default:
		return c, false
	}
	return c, true
}

// add notes a chamber with its jurisdiction.
func (r *reading) add(state, word string) (body, bool) {
	j := jurisdictionOf(state)
	in := body{j.Code, word}
	if _, has := r.chambers[in]; has {
		return in, true
	}
	c, ok := chamberOf(state, word)
	if !ok {
		return body{}, false
	}
	r.jurisdictions[j.Code], r.chambers[in] = j, c
	return in, true
}
