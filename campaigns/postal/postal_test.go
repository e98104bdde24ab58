package postal

import "testing"

func TestAreaNamesNoHouse(t *testing.T) {
	for _, x := range [][3]string{
		{"", "02139-4307", "02139"}, {"US", "021394307", "02139"}, {"US", " 02139 4307", "02139"}, {"", "02139–4307", "02139"}, {"US", "2139", "02139"}, {"", "2139", "2139"}, {"GB", " sw1a  1aa ", "SW1A 1AA"}, {"US", "501", "00501"}, {"", "", ""},
	} {
		if got := Area(x[0], x[1]); got != x[2] {
			t.Errorf("%q in %q: %q, want %q", x[1], x[0], got, x[2])
		}
	}
}
