package divisions_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"kithline/campaigns/divisions"
	"kithline/models"
)

func TestOCDOfDistricts(t *testing.T) {
	for _, x := range []struct {
		state    string
		kind     models.DivisionKind
		district string
		want     string // "" = nothing on a map
	}{
		{"NC", "cd", "4", "state:nc/cd:4"},
		{"nc", "cd", "04", "state:nc/cd:4"},
		{"VT", "cd", "0", "state:vt/cd:at-large"},
		{"WY", "cd", "00", "state:wy/cd:at-large"},
		{"DE", "cd", "At-Large", "state:de/cd:at-large"},
		{"DC", "cd", "0", "district:dc/cd:at-large"},
		{"PR", "cd", "0", "territory:pr/cd:at-large"},
		{"GU", "cd", "0", "territory:gu/cd:at-large"},
		{"NC", "cd", "", ""},
		{"NC", "cd", "four", ""},
		{"XX", "cd", "1", ""},

		{"NC", "sldl", "65", "state:nc/sldl:65"},
		{"NC", "sldu", "20", "state:nc/sldu:20"},
		{"VT", "sldl", "Chittenden-17", "state:vt/sldl:chittenden-17"},
		{"VT", "sldl", "Grand Isle-Chittenden", "state:vt/sldl:grand_isle-chittenden"},
		{"VT", "sldu", "Chittenden Central", "state:vt/sldu:chittenden-central"},
		{"VT", "sldu", "Chittenden Southeast", "state:vt/sldu:chittenden-southeast"},
		{"VT", "sldu", "Grand Isle", "state:vt/sldu:grand_isle"},
		{"NE", divisions.Chamber("legislature"), "31", "state:ne/sldu:31"},
		{"NE", "sldl", "8", "state:ne/sldu:8"},
		{"ID", "sldl", "10A", "state:id/sldl:10"},
		{"ID", "sldl", "10B", "state:id/sldl:10"},
		{"MD", "sldl", "12A", "state:md/sldl:12a"},
		{"MN", "sldl", "1B", "state:mn/sldl:1b"},
		{"AK", "sldu", "E", "state:ak/sldu:e"},
		{"MA", "sldl", "First Barnstable", "state:ma/sldl:1st_barnstable"},
		{"MA", "sldl", "Thirty-Seventh Middlesex", "state:ma/sldl:37th_middlesex"},
		{"MA", "sldl", "Twelfth Hampden", "state:ma/sldl:12th_hampden"},
		{"MA", "sldl", "Twentieth Middlesex", "state:ma/sldl:20th_middlesex"},
		{"MA", "sldl", "17th Middlesex", "state:ma/sldl:17th_middlesex"},
		{"MA", "sldl", "Barnstable, Dukes and Nantucket", "state:ma/sldl:barnstable_dukes_and_nantucket"},
		{"MA", "sldu", "Berkshire, Hampden, Franklin & Hampshire", "state:ma/sldu:berkshire_hampden_franklin_and_hampshire"},
		{"MA", "sldu", "Second Plymouth and Norfolk", "state:ma/sldu:2nd_plymouth_and_norfolk"},
		{"MA", "sldu", "Third Bristol and Plymouth", "state:ma/sldu:3rd_bristol_and_plymouth"},
		{"NH", "sldl", "Hillsborough 12", "state:nh/sldl:hillsborough_12"},
		{"ME", "sldl", "Passamaquoddy Tribe", ""},
		{"ME", "sldl", "Penobscot Nation", ""},
		{"ME", "sldl", "Houlton Band of Maliseet Indians", ""},
		{"ME", "sldl", "83", "state:me/sldl:83"},
		{"DC", divisions.Chamber("legislature"), "Ward 5", "district:dc/ward:5"},
		{"DC", "sldu", "3", "district:dc/ward:3"},
		{"DC", "sldu", "At-Large", "district:dc"},
		{"DC", "sldu", "Ward 9", ""},
		{"PR", "sldu", "At-Large", "territory:pr"},
		{"PR", "sldl", "12", "territory:pr/sldl:12"},
		{"VI", "sldu", "St. Thomas/St. John", "territory:vi/sldu:st_thomas-st_john"},
		{"VI", "sldu", "St. Croix", "territory:vi/sldu:st_croix"},
	} {
		got, ok := divisions.OCD(x.state, x.kind, x.district)
		if want := "ocd-division/country:us/" + x.want; ok != (x.want != "") || ok && got != want {
			t.Errorf("%s %s %q: %q, %v", x.state, x.kind, x.district, got, ok)
		}
	}
}

// Every id that the rules make of names in real lists stands in the real list of ids.
func TestOCDIDsAreReal(t *testing.T) {
	known := map[string]bool{}
	for _, name := range []string{"us_congressional_districts.csv", "us_sldl.csv", "us_sldu.csv", "aliases.csv"} {
		f, err := os.Open("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows[1:] {
			known[r[0]] = true
		}
	}
	for state, list := range map[string][]string{
		"VT sldu": {"Addison", "Bennington", "Caledonia", "Chittenden Central", "Chittenden North", "Chittenden Southeast", "Essex", "Franklin", "Grand Isle", "Lamoille", "Orange", "Orleans", "Rutland", "Washington", "Windham", "Windsor"},
		"VT sldl": {"Addison-Rutland", "Windsor-Orange-2", "Windham-Windsor-Bennington", "Orange-Washington-Addison", "Grand Isle-Chittenden", "Chittenden-25", "Essex-Caledonia"},
		"NE sldu": {"1", "31", "49"},
		"NC sldl": {"1", "65", "120"},
		"NC sldu": {"1", "20", "50"},
		"MA sldl": {"1st Franklin", "17th Middlesex", "Thirty-Seventh Middlesex", "First Barnstable", "Barnstable, Dukes and Nantucket"},
		"MA sldu": {"Cape and Islands", "Second Plymouth and Norfolk", "Worcester and Hampden"},
		"ID sldl": {"10A", "35B"},
		"DC sldu": {"Ward 1", "Ward 8"},
		"VI sldu": {"St. Croix", "St. Thomas/St. John"},
	} {
		s, kind, _ := strings.Cut(state, " ")
		for _, d := range list {
			if id, ok := divisions.OCD(s, models.DivisionKind(kind), d); !ok || !known[id] {
				t.Errorf("%s %s: %q is in no list", state, d, id)
			}
		}
	}
}
