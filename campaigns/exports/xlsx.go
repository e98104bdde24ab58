package exports

import (
	"archive/zip"
	"io"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
)

// sheetLimit is how many rows a worksheet has (ECMA-376 as Excel reads it), the header among them, and cellLimit how many
// characters a cell takes.
const (
	sheetLimit = 1_048_576
	cellLimit  = 32_767
)

// sheetRows is the rows of a worksheet. Every cell is an inline text, which no program takes for a formula. The workbook is
// written as it is read, by ourselves: a library would keep rows in a file of its own, in clear.
type sheetRows struct{}

func (sheetRows) head(b []byte, columns []column) []byte {
	b = append(b, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+
		`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0">`+
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData><row>`...)
	for _, c := range columns {
		b = appendSheetCell(b, []byte(c.name))
	}
	return append(b, "</row>"...)
}

func (sheetRows) row(b []byte, columns []column, cells [][][]byte) []byte {
	b = append(b, "<row>"...)
	for i, values := range cells {
		switch {
		case len(values) == 0:
			b = append(b, "<c/>"...)
		case len(values) == 1 && !columns[i].many:
			b = appendSheetCell(b, values[0])
		default:
			b = appendSheetCell(b, appendItems(nil, values))
		}
	}
	return append(b, "</row>"...)
}

// appendSheetCell writes a text. What XML cannot hold, control characters, is left out; what is too long for a cell is cut.
func appendSheetCell(b, v []byte) []byte {
	b = append(b, `<c t="inlineStr"><is><t xml:space="preserve">`...)
	units := 0
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRune(v[i:])
		if units++; r > 0xFFFF {
			units++
		}
		if units > cellLimit {
			break
		}
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '\r':
			b = append(b, "&#13;"...)
		case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
		default:
			b = utf8.AppendRune(b, r)
		}
		i += n
	}
	return append(b, "</t></is></c>"...)
}

// workbook is what stands around the one sheet.
var workbook = []struct{ name, text string }{
	{"[Content_Types].xml", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`},
	{"_rels/.rels", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Kithline" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`},
}

// newZIP is a ZIP that is written as it comes, packed quickly rather than tightly.
func newZIP(w io.Writer) *zip.Writer {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return z
}

// asWorkbook calls write with the place for the rows of sheetRows and puts a workbook around them.
func asWorkbook(w io.Writer, write func(io.Writer) error) error {
	z := newZIP(w)
	for _, part := range workbook {
		f, err := z.Create(part.name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, part.text); err != nil {
			return err
		}
	}
	f, err := z.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return err
	}
	if _, err := io.WriteString(f, "</sheetData></worksheet>"); err != nil {
		return err
	}
	return z.Close()
}
