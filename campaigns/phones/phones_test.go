package phones

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	library "github.com/nyaruka/phonenumbers"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ typed, region, e164, extension string }{
		{"(617) 555-0123", "US", "+16175550123", ""},
		{"617.555.0123 ext. 5", "US", "+16175550123", "5"},
		{"+44 (0)20 8366 1177", "US", "+442083661177", ""},
		{"020 8366 1177", "GB", "+442083661177", ""},
		{"011 44 20 8366 1177 x12", "US", "+442083661177", "12"},
		{"00 49 30 901820", "FR", "+4930901820", ""},
		{"1-800-FLOWERS", "US", "+18003569377", ""},
		{"tel:+1-617-555-0123;ext=77", "", "+16175550123", "77"},
		{"02 3661 8300", "IT", "+390236618300", ""},
		{"011 15-2345-6789", "AR", "+5491123456789", ""},
		{"٠٢ ٢٣٤٥٦٧٨٩", "EG", "+20223456789", ""},
		{"०११ २३४५ ६७८९", "IN", "+911123456789", ""},
		{"+800 1234 5678", "US", "+80012345678", ""},
		{"6175550123", "", "", ""},
		{"555-0123", "US", "", ""},
		{"+999 123456", "US", "", ""},
		{"nobody", "US", "", ""},
		{"", "US", "", ""},
		{strings.Repeat("1", 300), "US", "", ""},
		{"\xff\x00+", "US", "", ""},
	} {
		n, ok := Parse(c.typed, c.region)
		if ok != (c.e164 != "") || ok && (n.E164() != c.e164 || n.Extension != c.extension) {
			t.Errorf("%q from %q: %v %+v", c.typed, c.region, ok, n)
		}
	}
}

func TestShown(t *testing.T) {
	for _, c := range []struct{ e164, extension, want string }{
		{"+16175550123", "5", "+1 617-555-0123 ext. 5"},
		{"+442083661177", "", "+44 20 8366 1177"},
		{"+442083661177", "9", "+44 20 8366 1177 x9"},
		{"+80012345678", "", "+800 1234 5678"},
		{"617", "", "617"},
	} {
		if got := Shown(c.e164, c.extension); got != c.want {
			t.Errorf("%s: %q, want %q", c.e164, got, c.want)
		}
	}
}

func TestRegions(t *testing.T) {
	want := []string{}
	for r := range library.GetSupportedRegions() {
		want = append(want, r)
	}
	slices.Sort(want)
	if !slices.Equal(Regions(), want) {
		t.Errorf("%v, want %v", Regions(), want)
	}
}

// same asks the library the same and compares.
func same(t *testing.T, typed, region string) {
	t.Helper()
	n, ok := Parse(typed, region)
	want, err := library.Parse(typed, region)
	valid := err == nil && library.IsValidNumber(want)
	if ok != valid {
		t.Errorf("%q from %q: %v %+v, the library: %v %v", typed, region, ok, n, valid, want)
		return
	}
	if !ok {
		return
	}
	if e164 := library.Format(want, library.E164); n.E164() != e164 || n.Extension != want.GetExtension() {
		t.Errorf("%q from %q: %+v, the library: %v", typed, region, n, want)
	}
	bare, err := library.Parse(n.E164(), "")
	if err != nil {
		t.Fatal(err)
	}
	if x := n.Extension; x != "" {
		bare.Extension = &x
	}
	if got, w := Shown(n.E164(), n.Extension), library.Format(bare, library.INTERNATIONAL); got != w {
		t.Errorf("%s is shown as %q, by the library as %q", n.E164(), got, w)
	}
}

// TestSameAsTheLibrary holds what is read against the library: examples of every kind of number of every region, in many ways
// to write them, from home and from abroad; and numbers by chance.
func TestSameAsTheLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tail := func() string {
		return []string{"", " ext. 12", "x345", " #7", ";ext=9", " доб 4", ",,3", " - 503#", " x1/x2"}[random.IntN(9)]
	}
	regions := Regions()
	for _, region := range regions {
		for kind := library.FIXED_LINE; kind <= library.VOICEMAIL; kind++ {
			example := library.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			e164, national := library.Format(example, library.E164), library.Format(example, library.NATIONAL)
			other := regions[random.IntN(len(regions))]
			for _, typed := range []string{
				e164, national, library.Format(example, library.INTERNATIONAL), e164[1:], "00" + e164[1:], "011 " + e164[1:], "0" + national,
				library.GetNationalSignificantNumber(example), national[:len(national)-1], national + "0", "+" + national, "1" + national,
				library.FormatOutOfCountryCallingNumber(example, other), library.Format(example, library.RFC3966),
			} {
				same(t, typed+tail(), region)
				same(t, typed, other)
				same(t, typed, "")
			}
		}
		for range 15 {
			var b strings.Builder
			if random.IntN(4) == 0 {
				b.WriteByte('+')
			}
			for range 4 + random.IntN(11) {
				b.WriteByte("0123456789"[random.IntN(10)])
				if random.IntN(5) == 0 {
					b.WriteByte(" -./()xA"[random.IntN(8)])
				}
			}
			same(t, b.String()+tail(), region)
		}
	}
}

// FuzzParse holds anything against the library.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"(617) 555-0123 x5", "+44 (0)20 8366 1177", "tel:+1-617;isub=1", "1-800-FLOWERS", "٠٢٢", "＋１６１７５５５０１２３", "+x", "++1 617 555 0123"} {
		f.Add(s, uint16(0))
	}
	f.Fuzz(func(t *testing.T, typed string, region uint16) {
		for _, r := range typed {
			if r > 0x7f && r != '＋' {
				Parse(typed, "US") // the library keeps digits of other scripts as they are, and then finds no number
				return
			}
		}
		if strings.Contains(typed, ";phone-context=") {
			return
		}
		same(t, typed, Regions()[int(region)%len(Regions())])
	})
}
