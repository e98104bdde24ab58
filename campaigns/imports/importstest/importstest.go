// Package importstest makes lists as other programs hand them out, small ones and large ones with every trouble in them, for
// tests. Nobody in them is real.
package importstest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// Named is one file of a ZIP.
type Named struct {
	Name    string
	Content []byte
}

// ZIP packs files.
func ZIP(files ...Named) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.Name)
		if err == nil {
			_, err = w.Write(f.Content)
		}
		must(err)
	}
	must(z.Close())
	return b.Bytes()
}

// must ends a test whose memory cannot be written to.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Workbook writes an XLSX of one sheet, every cell a text of its own in the sheet, as programs that stream do.
func Workbook(rows ...[]string) []byte {
	var b strings.Builder
	b.WriteString(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
	for i, row := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, c := range row {
			if c != "" {
				fmt.Fprintf(&b, `<c r="%s%d" t="inlineStr"><is><t>%s</t></is></c>`, column(j), i+1, escape(c))
			}
		}
		b.WriteString(`</row>`)
	}
	b.WriteString(`</sheetData></worksheet>`)
	return Sheet(b.String())
}

func column(n int) string {
	s := ""
	for n++; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Sheet packs the XML of a sheet, and of further parts by their paths, as an XLSX.
func Sheet(sheet string, more ...Named) []byte {
	return ZIP(append([]Named{
		{"[Content_Types].xml", []byte(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`)},
		{"xl/workbook.xml", []byte(`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>`)},
		{"xl/_rels/workbook.xml.rels", []byte(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>`)},
		{"xl/worksheets/sheet1.xml", []byte(sheet)},
	}, more...)...)
}

// The people of the small lists: June is subscribed everywhere, Sam left, and one row has no address that can be.
const (
	June = "june.okafor@example.org"
	Sam  = "sam.lee@example.org"
)

// ActionNetwork is a report of Action Network.
func ActionNetwork() []byte {
	return []byte("uuid,first_name,last_name,email,zip_code,can2_phone,can2_user_address,can2_user_city,can2_user_state,can2_user_tags,can2_subscription_status,can2_sms_status,Shirt size\n" +
		"8f6a1f1e-1,June,Okafor," + June + ",02139-4307,6175550101,12 Ferry Street,Cambridge,MA,\"volunteer, spring fair\",subscribed,unsubscribed,38\n" +
		"8f6a1f1e-2,Sam,Lee," + Sam + ",10001,,,,NY,,unsubscribed,unsubscribed,\n" +
		"8f6a1f1e-3,No,Body,not an address,,,,,,,subscribed,,\n")
}

// NationBuilder is an export of people of NationBuilder.
func NationBuilder() []byte {
	return []byte("nationbuilder_id,external_id,prefix,first_name,middle_name,last_name,suffix,email,email_opt_in,phone_number,mobile_number,is_volunteer,support_level,tag_list,note,language," +
		"employer,occupation,created_at,primary_address1,primary_address2,primary_city,primary_state,primary_zip,primary_country,billing_address1,billing_city,billing_zip,email_is_bad\n" +
		"11,,Ms,June,Q,Okafor,,Jun" + June[3:] + ",true,(617) 555-0101,617-555-0199,true,2,\"volunteer, spring fair\",\"Met at the fair.\nKnows the law.\",en,,,2019-03-04T10:00:00-05:00," +
		"12 Ferry Street,Apt 4,Cambridge,Massachusetts,2139,US,1 Bill Road,Boston,02101,false\n" +
		"12,,,Sam,,Lee,," + Sam + ",true,,,false,,,,en,,,2020-01-01T00:00:00Z,,,,,,,,,,true\n" +
		"13,,,No,,Body,,,true,,,false,,,,en,,,2020-01-01T00:00:00Z,,,,,,,,,,false\n")
}

// Mailchimp is the ZIP that Mailchimp hands out. Sam stands among the subscribers too, and left.
func Mailchimp() []byte {
	head := "Email Address,First Name,Last Name,Phone Number,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
	return ZIP(
		Named{"subscribed_email_audience_export_1a2b3c.csv", []byte(head + "\n" +
			June + ",June,Okafor,617-555-0101,4,2026-04-30 10:15:00,203.0.113.9,2026-04-30 10:16:00,203.0.113.9,,,America/New_York,US,MA,2026-05-01 08:00:00,1,a,Met at the fair,\"\"\"volunteer\"\",\"\"spring, fair\"\"\"\n" +
			Sam + ",Sam,Lee,,2,2026-04-30 10:15:00,,2026-04-30 10:16:00,,,,,US,,2026-05-01 08:00:00,2,b,,\n" +
			"nobody,No,Body,,2,2026-04-30 10:15:00,,,,,,,,,,3,c,,\n")},
		Named{"unsubscribed_email_audience_export_1a2b3c.csv", []byte(head + ",UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,UNSUB_REASON_OTHER\n" +
			Sam + ",Sam,Lee,,2,2026-04-30 10:15:00,,2026-04-30 10:16:00,,,,,US,,2026-06-01 08:00:00,2,b,,,2026-06-01 08:00:00,Spring,NORMAL,\n")},
		Named{"cleaned_email_audience_export_1a2b3c.csv", []byte(head + ",CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID\n" +
			"gone@example.org,Gone,Away,,1,2026-04-30 10:15:00,,,,,,,US,,2026-06-01 08:00:00,4,d,,,2026-06-02 08:00:00,Spring,9\n")},
	)
}

// Listmonk is an export of listmonk: what is known beside the name is JSON.
func Listmonk() []byte {
	return table(
		[]string{"uuid", "email", "name", "attributes", "status", "created_at", "updated_at"},
		[]string{"8f6a", June, "June Okafor", `{"city": "Cambridge", "shirt": 38, "tags": ["volunteer", "spring, fair"], "nested": {"a": 1}}`, "enabled", "2019-03-04 10:00:00", "2026-01-01 00:00:00"},
		[]string{"8f6b", Sam, "Sam Lee", `{}`, "blocklisted", "2020-01-01 00:00:00", "2026-01-01 00:00:00"},
		[]string{"8f6c", "third@example.org", "No Body", `{"city": `, "enabled", "2020-01-01 00:00:00", "2026-01-01 00:00:00"},
	)
}

// Change is a file of signatures of Change.org: names and places, no address.
func Change() []byte {
	return []byte("Name,City,State,Postal Code,Country,Signed On\nJune Okafor,Cambridge,MA,02139,US,2026-04-30\nSam Lee,New York,NY,10001,US,2026-05-01\nThird Person,,,,,2026-05-02\n")
}

// EFF is an export of EFF's Action Center.
func EFF() []byte {
	return []byte("first_name,last_name,email,zipcode,country_code,created_at\nJune,Okafor," + June + ",2139,US,2026-04-30 10:15:00 UTC\nSam,Lee," + Sam + ",,GB,2026-04-30 10:15:00 UTC\nNo,Body,nobody@,,US,2026-04-30 10:15:00 UTC\n")
}

func table(rows ...[]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	must(w.WriteAll(rows))
	return b.Bytes()
}

// Told is what an import of Troubles makes of its rows, into an empty instance with a consent asked for.
type Told struct {
	Rows, New, Unchanged, Suppressed, Skipped, Consents, Held int
}

// Address is the address of the i-th row of Troubles, of rows that have one.
func Address(i int) string { return fmt.Sprintf("person.%d@mail%d.example.org", i, i%30) }

// Troubles writes n rows, n a multiple of 100, in the shape of a report of Action Network with every trouble in them: bytes of
// two encodings, quotes that never close, rows too short and too long, addresses with spaces and without an at sign, formulas,
// cells of several lines, people who left, people who stand there twice, names beyond any length, NULs, headers that stand
// twice, empty rows.
func Troubles(w io.Writer, n int) (Told, error) {
	b := bufio.NewWriterSize(w, 1<<20)
	_, _ = b.WriteString("\xef\xbb\xbfuuid,first_name,last_name,email,zip_code,can2_phone,can2_user_city,can2_user_state,can2_user_tags,can2_subscription_status,Notes,Shirt size,Shirt size\r\n")
	var t Told
	for i := range n {
		given, family, email, zip, phone, city := fmt.Sprintf("June%d", i), fmt.Sprintf("Okafor%d", i%977), Address(i), fmt.Sprintf("%05d", 501+i%90000), fmt.Sprintf("(617) 555-%04d", i%10000), "Cambridge"
		tags, status, note := "spring fair", "subscribed", ""
		t.Rows++
		kind := i % 100
		switch kind {
		case 0:
			email = fmt.Sprintf("person %d at example", i)
		case 1:
			email = ""
		case 2: // too short
			_, _ = fmt.Fprintf(b, "%d,%s,%s\r\n", i, given, family)
		case 3: // a quote that never closes
			_, _ = fmt.Fprintf(b, "%d,\"%s,%s,%s,,,,,,subscribed,,,\r\n", i, given, family, email)
		case 4:
			status = "unsubscribed"
		case 5:
			status = "bouncing"
		case 6: // stands there a second time, with what is known already
			given, family, email, zip, phone = fmt.Sprintf("June%d", i+50), fmt.Sprintf("Okafor%d", (i+50)%977), Address(i+50), fmt.Sprintf("%05d", 501+(i+50)%90000), fmt.Sprintf("(617) 555-%04d", (i+50)%10000)
		case 7:
			given, city = "Jos\xe9", "M\xe1laga" // Windows-1252 among UTF-8
		case 8:
			given, family = "=1+1", "@SUM(A1)"
		case 9:
			email = "  " + strings.ToUpper(email[:1]) + email[1:] + " "
		case 10:
			note = "\"first line\r\nsecond, with a comma and a \"\"quote\"\"\""
		case 11:
			given = strings.Repeat("J", 101)
		case 12:
			family = "Ok\x00afor"
		case 13:
			given, family, city = "Zoë", "Łukasz", "København"
		case 14:
			status = "pending"
		case 15: // an empty row before it
			_, _ = b.WriteString(",,,,,,,,,,,,\r\n\r\n")
		case 16:
			tags = "\"spring fair, volunteer\""
		case 17: // too long
			_, _ = fmt.Fprintf(b, "%d,%s,%s,%s,,,,,,subscribed,,,,one more\r\n", i, given, family, email)
		}
		switch kind {
		case 0, 1, 2, 3, 11, 12, 17:
			t.Skipped++
		case 4, 5:
			t.Suppressed++
		case 6:
			t.New++ // its other row, further down, changes nothing
			t.Consents++
		case 14:
			t.New++
			t.Held++
		case 56:
			t.Unchanged++
		default:
			t.New++
			t.Consents++
		}
		if kind == 2 || kind == 3 || kind == 17 {
			continue
		}
		_, _ = fmt.Fprintf(b, "%d,%s,%s,%s,%s,%s,%s,MA,%s,%s,%s,,\r\n", i, given, family, email, zip, phone, city, tags, status, note)
	}
	return t, b.Flush() // an error of the writing before is told here
}
