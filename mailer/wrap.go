package mailer

import (
	"strings"
	"unicode/utf8"
)

// Columns is the width that running text of a text part is wrapped at.
const Columns = 72

// wrapText wraps each line that is longer than Columns at its spaces. A word is never broken, so no link is. What follows a
// list mark ("* ", "- ") or an indent stands under its first word. More than one empty line becomes one; spaces at line ends
// go.
func wrapText(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/40)
	empty := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		line = strings.TrimRight(line, " \t")
		if line == "" {
			empty++
			continue
		}
		if empty > 0 && b.Len() > 0 {
			b.WriteByte('\n')
		}
		empty = 0
		wrapLine(&b, line)
	}
	return b.String()
}

func wrapLine(b *strings.Builder, line string) {
	if utf8.RuneCountInString(line) <= Columns {
		b.WriteString(line)
		b.WriteByte('\n')
		return
	}
	rest := strings.TrimLeft(line, " ")
	indent := len(line) - len(rest)
	b.WriteString(line[:indent])
	if strings.HasPrefix(rest, "* ") || strings.HasPrefix(rest, "- ") {
		b.WriteString(rest[:2])
		rest, indent = rest[2:], indent+2
	}
	col, first := indent, true
	for word := range strings.FieldsSeq(rest) {
		n := utf8.RuneCountInString(word)
		switch {
		case first:
		case col+1+n > Columns:
			b.WriteByte('\n')
			for range indent {
				b.WriteByte(' ')
			}
			col = indent
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
		first = false
	}
	b.WriteByte('\n')
}
