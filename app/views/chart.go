package views

import (
	"math"
	"strconv"
)

// Bars is a chart of upright bars with words around it and a table behind it. The picture is hidden from screen readers:
// Say carries its message, the table its figures. For the template "bars".
type Bars struct {
	ID        string   // unique on the page
	Title     string   // translated
	Say       string   // what the picture shows, in one sentence
	RowHead   string   // heading of the table's first column, such as "Day"
	Series    []string // heading of each value's column; one or two
	Rows      []BarRow
	TableName string             // words of the summary that opens the table, such as "Show the days as a table"
	Marks     int                // how many labels stand under the bars; 4 where 0
	Level3    bool               // the title is an h3, not an h2
	Format    func(int64) string // writes a number in the reader's way: Page.Digits
}

// BarRow is one bar; the second value stands on top of the first.
type BarRow struct {
	Label  string
	Mark   string // stands under the bar instead of Label, where that is too long for it
	Values []int64
}

// Rect is one rectangle of a chart.
type Rect struct{ Class, X, Y, Width, Height string }

// Top is the highest value of the axis: the next 1, 2, 3, 4, 5, 6 or 8 times a power of ten, or of it times four so that
// four equal parts are whole numbers where they can be.
func (b Bars) Top() int64 {
	var top int64 = 4
	for _, r := range b.Rows {
		var sum int64
		for _, v := range r.Values {
			sum += v
		}
		top = max(top, sum)
	}
	unit := int64(math.Pow10(len(strconv.FormatInt(top, 10)) - 1))
	for _, m := range []int64{1, 2, 3, 4, 5, 6, 8, 10} {
		if m*unit >= top {
			top = m * unit
			break
		}
	}
	if top%4 != 0 {
		top += 4 - top%4
	}
	return top
}

// Axis lists the words beside the picture, from the top down.
func (b Bars) Axis() []string {
	t := b.Top()
	return []string{b.show(t), b.show(t * 3 / 4), b.show(t / 2), b.show(t / 4), b.show(0)}
}

func (b Bars) show(n int64) string {
	if b.Format == nil {
		return strconv.FormatInt(n, 10)
	}
	return b.Format(n)
}

// Grid lists the heights of the lines behind the bars.
func (b Bars) Grid() []string { return []string{"0", "25", "50", "75"} }

// ViewBox is the SVG's.
func (b Bars) ViewBox() string { return "0 0 " + strconv.Itoa(max(len(b.Rows), 1)*10) + " 100" }

// Width is the SVG's width in its own units.
func (b Bars) Width() int { return max(len(b.Rows), 1) * 10 }

// Rects draws the bars.
func (b Bars) Rects() []Rect {
	top := float64(b.Top())
	var out []Rect
	for i, r := range b.Rows {
		base := 100.0
		for j, v := range r.Values {
			h := float64(max(v, 0)) / top * 100
			if h == 0 {
				continue
			}
			base -= h
			class := "bar"
			if j > 0 {
				class = "bar2"
			}
			out = append(out, Rect{class, num(float64(i)*10 + 1.5), num(base), "7", num(h)})
		}
	}
	return out
}

// Labels picks the words under the picture: the first, the last, and some evenly between.
func (b Bars) Labels() []string {
	n, want := len(b.Rows), b.Marks
	if want == 0 {
		want = 4
	}
	if n <= want {
		want = n
	}
	var out []string
	for i := range want {
		at := 0
		if want > 1 {
			at = i * (n - 1) / (want - 1)
		}
		mark := b.Rows[at].Mark
		if mark == "" {
			mark = b.Rows[at].Label
		}
		out = append(out, mark)
	}
	return out
}

// Cells writes a row's values for the table, one for each series.
func (b Bars) Cells(r BarRow) []string {
	out := make([]string, len(b.Series))
	for i := range out {
		if i < len(r.Values) {
			out[i] = b.show(r.Values[i])
		} else {
			out[i] = b.show(0)
		}
	}
	return out
}

func num(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// hbar value max: one lying bar of a table's row. For the template "hbar".
func hbar(value, maximum any) (string, error) {
	v, err := whole(value)
	if err != nil {
		return "", err
	}
	m, err := whole(maximum)
	return num(math.Min(100, float64(max(v, 0))/float64(max(m, 1))*100)), err
}
