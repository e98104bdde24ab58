package phones

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	library "github.com/nyaruka/phonenumbers"
)

var update = flag.Bool("update", false, "write plans.txt.br anew from the library in go.mod")

// lines writes the library's tables in the form that plans.go reads.
func lines(t *testing.T) string {
	t.Helper()
	all, err := library.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	join := func(ns []int32) string {
		s := []string{}
		for _, n := range ns {
			s = append(s, strconv.Itoa(int(n)))
		}
		return strings.Join(s, ",")
	}
	var b strings.Builder
	codes := []int{}
	for c := range library.GetSupportedCallingCodes() {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	for _, c := range codes {
		fmt.Fprintf(&b, "C\t%d\t%s\n", c, strings.Join(library.GetRegionCodesForCountryCode(c), ","))
	}
	for _, m := range all.GetMetadata() {
		word := m.GetPreferredExtnPrefix()
		if word == "" {
			word = library.DEFAULT_EXTN_PREFIX
		}
		g := m.GetGeneralDesc()
		fmt.Fprintf(&b, "R\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.GetId(), m.GetCountryCode(), m.GetInternationalPrefix(), m.GetNationalPrefixForParsing(),
			m.GetNationalPrefixTransformRule(), m.GetLeadingDigits(), word, join(g.GetPossibleLength()), join(g.GetPossibleLengthLocalOnly()), g.GetNationalNumberPattern())
		seen := map[string]bool{}
		for _, d := range []*library.PhoneNumberDesc{
			m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
		} {
			if l := fmt.Sprintf("K\t%s\t%s\n", join(d.GetPossibleLength()), d.GetNationalNumberPattern()); d.GetNationalNumberPattern() != "" && !seen[l] {
				seen[l] = true
				b.WriteString(l)
			}
		}
		formats := m.GetIntlNumberFormat()
		if len(formats) == 0 {
			formats = m.GetNumberFormat()
		}
		for _, f := range formats {
			leading := ""
			if l := f.GetLeadingDigitsPattern(); len(l) > 0 {
				leading = l[len(l)-1]
			}
			fmt.Fprintf(&b, "F\t%s\t%s\t%s\n", f.GetPattern(), leading, f.GetFormat())
		}
	}
	return b.String()
}

// TestPlansAreTheLibrarys: an update of the library in go.mod is followed by go test ./campaigns/phones -update.
func TestPlansAreTheLibrarys(t *testing.T) {
	want := lines(t)
	if *update {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 20})
		if _, err := io.WriteString(w, want); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("plans.txt.br", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("plans.txt.br is not what the library in go.mod says: go test ./campaigns/phones -update")
	}
}
