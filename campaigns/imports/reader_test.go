package imports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"kithline/campaigns/fault"
)

// told is a file as the reader tells it: one line of text for each row.
func toldOf(t *testing.T, file string) (columns, rows []string) {
	t.Helper()
	d, err := NewReader(strings.NewReader(file))
	if err != nil {
		t.Fatalf("%.60q: %v", file, err)
	}
	return d.Columns(), drain(t, d)
}

func drain(t *testing.T, d *Reader) (rows []string) {
	t.Helper()
	for {
		r, err := d.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		s := fmt.Sprintf("%d:%s", r.Line, strings.Join(r.Cells, "|"))
		if r.Bad != nil {
			s = fmt.Sprintf("%d!%s", r.Line, strings.TrimPrefix(r.Bad.Key, "error.import_"))
		}
		rows = append(rows, s)
	}
}

func TestReaderReadsWhatProgramsWrite(t *testing.T) {
	utf16 := func(e unicode.Endianness, p unicode.BOMPolicy, s string) string {
		b, err := unicode.UTF16(e, p).NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain := "email,name\r\nann@example.org,Zoë\r\n"
	for name, c := range map[string]struct {
		file    string
		columns string
		rows    []string
	}{
		"comma":                {plain, "email|name", []string{"2:ann@example.org|Zoë"}},
		"mark":                 {"\xef\xbb\xbf" + plain, "email|name", []string{"2:ann@example.org|Zoë"}},
		"semicolon":            {"email;name\nann@example.org;Lee, Ann\n", "email|name", []string{"2:ann@example.org|Lee, Ann"}},
		"tab":                  {"email\tname\nann@example.org\tAnn \"A\" Lee\n", "email|name", []string{"2:ann@example.org|Ann \"A\" Lee"}},
		"bar":                  {"email|name\nann@example.org|Ann\n", "email|name", []string{"2:ann@example.org|Ann"}},
		"sep":                  {"sep=;\r\nemail;name\r\na@example.org;A\r\n", "email|name", []string{"3:a@example.org|A"}},
		"commas in a header":   {"email;\"city, state, zip\"\na@example.org;x\n", "email|city, state, zip", []string{"2:a@example.org|x"}},
		"old line ends":        {"email,name\ra@example.org,A\rb@example.org,B\r", "email|name", []string{"2:a@example.org|A", "3:b@example.org|B"}},
		"no end of line":       {"email,name\na@example.org,A", "email|name", []string{"2:a@example.org|A"}},
		"Windows-1252":         {"email,name\na@example.org,Jos\xe9 \x93M\x94\n", "email|name", []string{"2:a@example.org|José “M”"}},
		"both in one file":     {"email,name\na@example.org,Jos\xe9\nb@example.org,José\n", "email|name", []string{"2:a@example.org|José", "3:b@example.org|José"}},
		"UTF-16LE":             {utf16(unicode.LittleEndian, unicode.UseBOM, plain), "email|name", []string{"2:ann@example.org|Zoë"}},
		"UTF-16BE":             {utf16(unicode.BigEndian, unicode.UseBOM, plain), "email|name", []string{"2:ann@example.org|Zoë"}},
		"UTF-16LE, no mark":    {utf16(unicode.LittleEndian, unicode.IgnoreBOM, plain), "email|name", []string{"2:ann@example.org|Zoë"}},
		"UTF-16BE, no mark":    {utf16(unicode.BigEndian, unicode.IgnoreBOM, plain), "email|name", []string{"2:ann@example.org|Zoë"}},
		"one column":           {"Email\na@example.org\n\nb@example.org\n", "Email", []string{"2:a@example.org", "4:b@example.org"}},
		"no headers":           {"a@example.org\nb@example.org\n", "1", []string{"1:a@example.org", "2:b@example.org"}},
		"no headers, two":      {"Ann,a@example.org\nBob,b@example.org\n", "1|2", []string{"1:Ann|a@example.org", "2:Bob|b@example.org"}},
		"quotes":               {"email,name\na@example.org,\"Lee, \"\"Ann\"\"\"\nb@example.org, \"B\" \n", "email|name", []string{"2:a@example.org|Lee, \"Ann\"", "3:b@example.org|B"}},
		"lines in a cell":      {"email,note\na@example.org,\"one\ntwo\"\nb@example.org,x\n", "email|note", []string{"2:a@example.org|one\ntwo", "4:b@example.org|x"}},
		"headers over lines":   {"email,\"the\nnote\"\na@example.org,x\n", "email|the note", []string{"3:a@example.org|x"}},
		"empty cells at ends":  {"email,name,,\na@example.org,A,,\nb@example.org,B,,,,\n", "email|name", []string{"2:a@example.org|A", "3:b@example.org|B"}},
		"ragged":               {"email,name\na@example.org\nb@example.org,B,x\nc@example.org,C\n", "email|name", []string{"2!columns", "3!columns", "4:c@example.org|C"}},
		"never closed":         {"email,name\na@example.org,\"A\nb@example.org,B\nc@example.org,C\n", "email|name", []string{"2!quote", "3:b@example.org|B", "4:c@example.org|C"}},
		"closed by the next":   {"email,name\na@example.org,\"A\nb@example.org,\"B\"\nc@example.org,C\n", "email|name", []string{"2!quote", "3:b@example.org|B", "4:c@example.org|C"}},
		"swallowed rows":       {"email,name\na@example.org,\"A\nb@example.org,\"\nc@example.org,C\n", "email|name", []string{"2:a@example.org|A\nb@example.org,", "4:c@example.org|C"}},
		"swallowed and ragged": {"email,name,x\na@example.org,\"A\nb@example.org,\"\nc@example.org,C,y\n", "email|name|x", []string{"2!quote", "3!quote", "4:c@example.org|C|y"}},
		"text behind a quote":  {"email,name\na@example.org,\"A\" B\nc@example.org,C\n", "email|name", []string{"2!quote", "3:c@example.org|C"}},
		"NUL":                  {"email,name\na@example.org,A\x00B\nc@example.org,C\n", "email|name", []string{"2!nul", "3:c@example.org|C"}},
		"headers twice":        {"email,Email\na@example.org,b@example.org\n", "email|Email", []string{"2:a@example.org|b@example.org"}},
		"only headers":         {"email,name\n", "email|name", nil},
	} {
		columns, rows := toldOf(t, c.file)
		if strings.Join(columns, "|") != c.columns || !slices.Equal(rows, c.rows) {
			t.Errorf("%s: columns %q, rows %q; want %q, %q", name, columns, rows, c.columns, c.rows)
		}
	}
	for name, c := range map[string]struct{ file, key string }{
		"nothing":       {"", "error.import_empty"},
		"a mark only":   {"\xef\xbb\xbf\r\n\r\n", "error.import_empty"},
		"a workbook":    {"PK\x03\x04rest", "error.import_binary"},
		"an old one":    {"\xd0\xcf\x11\xe0rest", "error.import_binary"},
		"an open quote": {"email,\"name\nrest", "error.import_header"},
		"columns":       {strings.Repeat("x,", 1000) + "y\n", "error.import_columns_many"},
	} {
		_, err := NewReader(strings.NewReader(c.file))
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Key != c.key {
			t.Errorf("%s: %v, want %s", name, err, c.key)
		}
	}
}

// Rows beyond the limits cost themselves, whatever their size, and memory stays what it is.
func TestReaderKeepsItsLimits(t *testing.T) {
	for name, row := range map[string]string{
		"a long cell":        "a@example.org," + strings.Repeat("x", maxCell+1),
		"a long quoted cell": "a@example.org,\"" + strings.Repeat("x", maxCell+1) + "\"",
		"a long line":        strings.Repeat(strings.Repeat("x", 1000)+",", 5000),
		"five megabytes":     "a@example.org," + strings.Repeat("x", 5<<20),
	} {
		d, err := NewReader(strings.NewReader("email,name\n" + row + "\nb@example.org,B\n"))
		if err != nil {
			t.Fatal(err)
		}
		rows := drain(t, d)
		if len(rows) != 2 || rows[0][:2] != "2!" || rows[1] != "3:b@example.org|B" {
			t.Errorf("%s: %.200q", name, rows)
		}
		if cap(d.buf) > maxRecord+1 {
			t.Errorf("%s: the buffer has %d bytes", name, cap(d.buf))
		}
	}
	wide := "email" + strings.Repeat(",x", 299) + "\na@example.org" + strings.Repeat(",y", 299) + "\n"
	if columns, rows := toldOf(t, wide); len(columns) != 300 || len(rows) != 1 || strings.Contains(rows[0], "!") {
		t.Errorf("300 columns: %d, %.100q", len(columns), rows)
	}
}

// What a reader of another pace gives is the same, and an error of the source is told, never taken for the end.
func TestReaderTakesAnySource(t *testing.T) {
	file := "email,note\r\na@example.org,\"one\r\ntwo \"\"x\"\"\"\r\nb@example.org,\"open\r\nc@example.org,C\r\n" + strings.Repeat("d@example.org,\"D\"\r\n", 5000)
	_, want := toldOf(t, file)
	d, err := NewReader(iotest.OneByteReader(strings.NewReader(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, d); !slices.Equal(got, want) {
		t.Errorf("byte by byte: %.300q\nwant %.300q", got, want)
	}
	broken := errors.New("the line broke")
	d, err = NewReader(io.MultiReader(strings.NewReader(file), iotest.ErrReader(broken)))
	for err == nil {
		_, err = d.Next()
	}
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestHeadersAreFoundByMeaning(t *testing.T) {
	for _, c := range []struct {
		headers string
		want    Mapping
	}{
		{
			"uuid,first_name,last_name,email,zip_code,can2_phone,can2_user_address,can2_user_tags,can2_subscription_status",
			Mapping{1: GivenName, 2: FamilyName, 3: Email, 4: PostalArea, 5: Phone, 6: Street, 7: Tags, 8: Status},
		},
		{
			"nationbuilder_id,prefix,first_name,middle_name,last_name,email,email_opt_in,phone_number,mobile_number,language,primary_zip,primary_country,billing_zip",
			Mapping{2: GivenName, 4: FamilyName, 5: Email, 6: OptedIn, 7: Phone, 8: Phone, 9: Locale, 10: PostalArea, 11: Country},
		},
		{
			"Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,TIMEZONE,CC,REGION,UNSUB_TIME,UNSUB_REASON,TAGS",
			Mapping{0: Email, 1: GivenName, 2: FamilyName, 4: OptedIn, 7: TimeZone, 8: Country, 9: Region, 10: OptedOut, 12: Tags},
		},
		{"email,name,attributes,status", Mapping{0: Email, 1: Name, 3: Status}},
		{"first_name,last_name,email,zipcode,country_code,created_at", Mapping{0: GivenName, 1: FamilyName, 2: Email, 3: PostalArea, 4: Country, 5: Created}},
		{
			"Correo electrónico;Nombre;Apellidos;Teléfono;Código postal;País;Idioma",
			Mapping{0: Email, 1: GivenName, 2: FamilyName, 3: Phone, 4: PostalArea, 5: Country, 6: Locale},
		},
		{
			"given_name,family_name,email,phone,postal_area,country,locale",
			Mapping{0: GivenName, 1: FamilyName, 2: Email, 3: Phone, 4: PostalArea, 5: Country, 6: Locale},
		},
		{"mail,E-Mail,Favourite colour", Mapping{1: Email}},
	} {
		columns, _ := toldOf(t, c.headers+"\n")
		got := Map(columns)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n%v, want\n%v", c.headers, got, c.want)
		}
	}
}

func TestValuesAreBroughtIntoOneForm(t *testing.T) {
	for in, want := range map[string][2]string{
		"Ann Lee": {"Ann", "Lee"}, "Lee, Ann": {"Ann", "Lee"}, "Ann": {"Ann", ""}, "Ann Mary Lee": {"Ann Mary", "Lee"},
		"Ludwig van der Berg": {"Ludwig", "van der Berg"}, "": {"", ""},
	} {
		if g, f := splitName(in); g != want[0] || f != want[1] {
			t.Errorf("%q: %q, %q", in, g, f)
		}
	}
	for in, want := range map[string]string{"USA": "US", "us": "US", "United States": "US", "España": "ES", "gb": "GB", "Atlantis": "", "419": "", "": ""} {
		if got := countryCode(in); got != want {
			t.Errorf("country %q: %q", in, got)
		}
	}
	for in, want := range map[string]string{"English": "en", "es-MX": "es-MX", "español": "es", "klingonish": "", "": ""} {
		if got := localeTag(in); got != want {
			t.Errorf("language %q: %q", in, got)
		}
	}
	for in, want := range map[string]standing{
		"": unsaid, "Subscribed": yes, "unsubscribed": left, "Spam Complaint": left, "cleaned": left, "BOUNCED": left, "pending": doubt, "previous bounce": doubt, "blocklisted": left,
	} {
		if got := standingOf(in); got != want {
			t.Errorf("status %q: %d", in, got)
		}
	}
	for in, want := range map[string]string{
		"2026-04-30 10:15:00": "2026-04-30T10:15:00Z", "2026-04-30": "2026-04-30T00:00:00Z", "2026-04-30T10:15:00-04:00": "2026-04-30T14:15:00Z",
		"30 April 2026": "2026-04-30T00:00:00Z", "04/05/2026": "0001-01-01T00:00:00Z", "yes": "0001-01-01T00:00:00Z",
	} {
		if got := date(in).Format("2006-01-02T15:04:05Z"); got != want {
			t.Errorf("date %q: %s", in, got)
		}
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1 555": "'+1 555", "-x": "'-x", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "x=1": "x=1", "": ""} {
		if got := inert(in); got != want || bare(got) != in {
			t.Errorf("%q becomes %q and %q again", in, got, bare(got))
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"email,name\na@example.org,\"A\"\n", "sep=;\r\nemail;x\r\na@example.org;\"o\r\n", "\xff\xfea\x00,\x00b\x00\n\x00", "a@example.org\rb@example.org\r",
		"email\tname\n\"\"\"\t\"\n\x00\xe9\n", "\"a\nb\",c\nd,\"e\nf\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		d, err := NewReader(bytes.NewReader(file))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		line, rows := 0, 0
		for {
			row, err := d.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Line <= line && rows > 0 {
				t.Fatalf("line %d after line %d", row.Line, line)
			}
			line = row.Line
			if rows++; rows > len(file)+1 {
				t.Fatal("more rows than bytes")
			}
			if row.Bad == nil && len(row.Cells) != len(d.Columns()) {
				t.Fatalf("line %d: %d cells, %d columns", line, len(row.Cells), len(d.Columns()))
			}
			for _, c := range row.Cells {
				if !utf8.ValidString(c) || strings.Contains(c, "\x00") {
					t.Fatalf("line %d: %q", line, c)
				}
			}
		}
		if want := bytes.Count(file, []byte{'\n'}) + bytes.Count(file, []byte{'\r'}) + 1; line > want {
			t.Fatalf("line %d of %d", line, want)
		}
	})
}
