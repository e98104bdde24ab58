package web

import (
	"bufio"
	"strings"
)

// CSVRow writes a row of a CSV file (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe before it.
func CSVRow(out *bufio.Writer, cells ...string) error {
	for i, c := range cells {
		if i > 0 {
			_ = out.WriteByte(',') // the last write tells of all errors
		}
		c = strings.ReplaceAll(c, "\x00", "")
		if c != "" && strings.IndexByte("=+-@\t\r", c[0]) >= 0 {
			c = "'" + c
		}
		if strings.ContainsAny(c, "\",\r\n") || strings.HasPrefix(c, " ") {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		_, _ = out.WriteString(c)
	}
	_, err := out.WriteString("\r\n")
	return err
}
