package divisions

import (
	"regexp"
	"strings"

	"kithline/models"
)

// states are the parts of the United States that elect somebody, by their FIPS code (FIPS 5-2, as the Census Bureau uses it).
var states = map[string]string{
	"01": "AL", "02": "AK", "04": "AZ", "05": "AR", "06": "CA", "08": "CO", "09": "CT", "10": "DE", "11": "DC", "12": "FL", "13": "GA",
	"15": "HI", "16": "ID", "17": "IL", "18": "IN", "19": "IA", "20": "KS", "21": "KY", "22": "LA", "23": "ME", "24": "MD", "25": "MA",
	"26": "MI", "27": "MN", "28": "MS", "29": "MO", "30": "MT", "31": "NE", "32": "NV", "33": "NH", "34": "NJ", "35": "NM", "36": "NY",
	"37": "NC", "38": "ND", "39": "OH", "40": "OK", "41": "OR", "42": "PA", "44": "RI", "45": "SC", "46": "SD", "47": "TN", "48": "TX",
	"49": "UT", "50": "VT", "51": "VA", "53": "WA", "54": "WV", "55": "WI", "56": "WY", "60": "AS", "66": "GU", "69": "MP", "72": "PR", "78": "VI",
}

var isState = func() map[string]bool {
	m := map[string]bool{}
	for _, s := range states {
		m[s] = true
	}
	return m
}()

// root is the id of a state: DC is a district, the islands are territories.
func root(state string) string {
	kind := "state"
	switch state {
	case "DC":
		kind = "district"
	case "AS", "GU", "MP", "PR", "VI":
		kind = "territory"
	}
	return "ocd-division/country:us/" + kind + ":" + strings.ToLower(state)
}

// StateID is the Open Civic Data id of a state, or of what has its place: country and region as the rows of divisions have them.
func StateID(country, region string) string {
	if country == "US" {
		return root(region)
	}
	kind := "/state:"
	switch country {
	case "CA":
		kind = "/province:"
	case "GB":
		kind = "/part:"
	case "FR", "IT", "NZ":
		kind = "/region:"
	}
	return "ocd-division/country:" + strings.ToLower(country) + kind + strings.ToLower(region)
}

// State is the id of a state, a territory or the District of Columbia, by its two letters, as a whole. ok is false for others.
func State(state string) (id string, ok bool) {
	state = strings.ToUpper(strings.TrimSpace(state))
	return root(state), isState[state]
}

// Chamber is the kind of division that elects a chamber, as lists of legislators call it: upper, lower, or legislature where
// there is one alone. "" for any other word.
func Chamber(name string) models.DivisionKind {
	switch name {
	case "upper", "legislature":
		return models.DivisionUpper
	case "lower":
		return models.DivisionLower
	}
	return ""
}

// slugs are the districts whose id is not the plain slug of their name.
var slugs = map[string]string{
	"VT sldu chittenden_central":               "chittenden-central",
	"VT sldu chittenden_north":                 "chittenden-north",
	"VT sldu chittenden_southeast":             "chittenden-southeast",
	"VI sldu st_thomas/st_john":                "st_thomas-st_john",
	"VI sldu st_thomas_and_st_john":            "st_thomas-st_john",
	"AS sldl swains":                           "swains_island",
	"ME sldl passamaquoddy_tribe":              "",
	"ME sldl passamaquoddy":                    "",
	"ME sldl penobscot_nation":                 "",
	"ME sldl penobscot":                        "",
	"ME sldl houlton_band_of_maliseet":         "",
	"ME sldl houlton_band_of_maliseet_indians": "",
	"ME sldl maliseet":                         "",
}

// ordinals are the words that Massachusetts numbers its districts by; the ids have figures.
var ordinals = func() map[string]string {
	words := strings.Fields("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth")
	figures := func(n int) string {
		end := "th"
		if n/10 != 1 {
			switch n % 10 {
			case 1:
				end = "st"
			case 2:
				end = "nd"
			case 3:
				end = "rd"
			}
		}
		return itoa(n) + end
	}
	m := map[string]string{}
	for i, w := range words {
		m[w] = figures(i + 1)
	}
	for i, ten := range []string{"twent", "thirt", "fort"} {
		m[ten+"ieth"] = figures(20 + 10*i)
		for j := range 9 {
			m[ten+"y-"+words[j]] = figures(20 + 10*i + j + 1)
		}
	}
	return m
}()

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return string([]byte{byte('0' + n/10), byte('0' + n%10)})
}

var seat = regexp.MustCompile(`^([0-9]+)[ab]$`)

// OCD is the Open Civic Data id of a district of the United States as lists of postal codes and of legislators name it: state by
// its two letters, the kind of division, the district's number or name. District 0 of Congress is the state at large. ok is false
// where nothing on a map belongs to the name: an unknown state, an empty name, or a seat that is not elected by a place, as those
// of the tribes in Maine's House. Whether there is such a division only the table knows.
//
// The rules beside the plain slug (lower case, a space is an underscore): DC is a district with wards, the islands are
// territories; Nebraska has one chamber, whose districts are upper ones; Idaho's seats 10A and 10B are both elected by district
// 10; Massachusetts counts in words; the names that fit no rule stand in a table.
func OCD(state string, kind models.DivisionKind, district string) (id string, ok bool) {
	state = strings.ToUpper(strings.TrimSpace(state))
	name := strings.ToLower(strings.Join(strings.Fields(district), " "))
	if !isState[state] || kind == "" {
		return "", false
	}
	at := root(state)
	if kind == models.DivisionCongress {
		switch n := strings.TrimLeft(name, "0"); {
		case name == "":
			return "", false
		case n == "" || name == "at-large" || name == "at large":
			return at + "/cd:at-large", true
		case strings.Trim(n, "0123456789") == "":
			return at + "/cd:" + n, true
		}
		return "", false
	}
	if name == "" {
		return "", false
	}
	if state == "DC" && (kind == models.DivisionUpper || kind == models.DivisionLower) {
		ward := strings.TrimLeft(strings.TrimPrefix(name, "ward "), "0")
		if len(ward) == 1 && ward >= "1" && ward <= "8" {
			return at + "/ward:" + ward, true
		}
		return at, name == "at-large" || name == "at large" || name == "chairman" || name == "chair"
	}
	if state == "NE" {
		kind = models.DivisionUpper
	}
	if state == "PR" && (name == "at-large" || name == "at large") {
		return at, true
	}
	slug := strings.NewReplacer(",", "", ".", "", " & ", "_and_", " ", "_").Replace(name)
	switch state {
	case "ID":
		if m := seat.FindStringSubmatch(slug); m != nil {
			slug = m[1]
		}
	case "MA":
		if first, rest, found := strings.Cut(slug, "_"); found && ordinals[first] != "" {
			slug = ordinals[first] + "_" + rest
		}
	}
	if s, found := slugs[state+" "+string(kind)+" "+slug]; found {
		slug = s
	}
	if n := strings.TrimLeft(slug, "0"); n != "" && isDigit(slug[0]) {
		slug = n
	}
	if slug == "" {
		return "", false
	}
	return at + "/" + string(kind) + ":" + slug, true
}

// ocdID is the form of an id: a country of two letters, then pairs of type and name.
var ocdID = regexp.MustCompile(`^ocd-division/country:[a-z]{2}(/[a-z_]+:[^/:\s]+)*$`)

// IsOCD reports whether a text has the form of an id.
func IsOCD(id string) bool { _, _, _, ok := parse(id); return ok }

// maxID is the longest id that is taken, in bytes.
const maxID = 300

// parse reads country, region and kind from an id; ok is false for what is none.
func parse(id string) (country, region string, kind models.DivisionKind, ok bool) {
	if len(id) > maxID || !ocdID.MatchString(id) {
		return "", "", "", false
	}
	parts := strings.Split(id, "/")[1:]
	_, country, _ = strings.Cut(parts[0], ":")
	if len(parts) > 1 {
		_, region, _ = strings.Cut(parts[1], ":")
	}
	last, _, _ := strings.Cut(parts[len(parts)-1], ":")
	return strings.ToUpper(country), strings.ToUpper(region), models.DivisionKind(last), true
}
