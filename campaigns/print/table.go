package print

// Column is a column of a table.
type Column struct {
	Title string
	Width float64 // its share of the width, beside the others'
	Right bool    // set to the right: numbers
	Bar   bool    // holds the bar of a row, and no text
}

// Table is a table that is filled row by row; any other part of the document ends it.
type Table struct {
	doc     *Document
	columns []Column
}

// Table begins a table. Its header stands again at the top of every page that it reaches.
func (d *Document) Table(columns ...Column) *Table {
	d.table = nil
	return &Table{d, columns}
}

const (
	cellGap   = 8.0 // between columns
	cellPad   = 3.0 // above and below a text
	cellLines = 24  // more lines of a cell are left out
)

// Row adds a row. Cells beyond the columns are left out, and so is the text for a column of bars.
func (t *Table) Row(cells ...string) { t.Share(-1, cells...) }

// Share adds a row with a bar of a length from 0 to 1; less than 0 is none.
func (t *Table) Share(share float64, cells ...string) {
	d := t.doc
	texts, height := t.set(cells, cellStyle)
	if d.table != t {
		d.block(height + t.headerHeight())
		d.table = t
		t.header()
	}
	d.need(height)
	t.draw(texts, cellStyle)
	t.eachColumn(func(i int, x, width float64) {
		if t.columns[i].Bar && share >= 0 {
			d.page.box(x, d.y+cellPad+cellStyle.leading()/2-4, max(width*min(share, 1), 0.5), 8, d.meta.Accent)
		}
	})
	d.y += height
	d.page.box(margin, d.y-0.2, d.width(), 0.4, rule)
}

func (t *Table) titles() []string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = c.Title
	}
	return out
}

func (t *Table) headerHeight() float64 {
	_, height := t.set(t.titles(), columnStyle)
	return height
}

func (t *Table) header() {
	texts, height := t.set(t.titles(), columnStyle)
	t.draw(texts, columnStyle)
	t.doc.y += height
	t.doc.page.box(margin, t.doc.y-0.5, t.doc.width(), 1, ink)
}

// set breaks the texts of a row, and says how high it gets.
func (t *Table) set(cells []string, st style) (texts [][]line, height float64) {
	most := 1
	t.eachColumn(func(i int, _, width float64) {
		var lines []line
		if i < len(cells) && (!t.columns[i].Bar || st == columnStyle) {
			lines = t.doc.setter.shorten(cells[i], st, width, cellLines)
		}
		texts = append(texts, lines)
		most = max(most, len(lines))
	})
	return texts, float64(most)*st.leading() + 2*cellPad
}

func (t *Table) draw(texts [][]line, st style) {
	d := t.doc
	t.eachColumn(func(i int, x, width float64) {
		for n, l := range texts[i] {
			l.right = t.columns[i].Right // a name stands where its column begins, in every script
			d.place(l, st, x, d.y+cellPad+float64(n)*st.leading(), width)
		}
	})
}

// eachColumn calls fn with the place of each column.
func (t *Table) eachColumn(fn func(i int, x, width float64)) {
	sum := 0.0
	for _, c := range t.columns {
		sum += max(c.Width, 0.01)
	}
	room := t.doc.width() - cellGap*float64(len(t.columns)-1)
	x := float64(margin)
	for i, c := range t.columns {
		width := max(c.Width, 0.01) / sum * room
		fn(i, x, width)
		x += width + cellGap
	}
}
