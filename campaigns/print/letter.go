package print

// Sheet is one letter on paper. The recipient stands where the window of an envelope is: on A4 that of DIN 5008, form B; on US Letter that
// of a number 10 envelope, for a sheet folded in three.
type Sheet struct {
	From, To            []string // lines of an address
	Date, Subject, Body string
}

// window is where the recipient's address begins, and how far down nothing else may stand.
func window(size Size) (x, y, below float64) {
	if size == Letter {
		return 65, 150, 250
	}
	return 71, 178, 283
}

// letterStyle is the text of a letter: as a typewriter would have it.
var letterStyle = style{11, false, ink}

// Letter writes a letter, on pages of its own. Documents of letters are made with Meta.Plain.
func (d *Document) Letter(l Sheet) {
	d.PageBreak()
	d.open()
	x, y, below := window(d.size)
	d.y = margin
	d.at(l.From, margin)
	d.y = y
	d.at(l.To, x)
	d.y = below
	if l.Date != "" {
		line := d.setter.one(l.Date, letterStyle)
		d.page.text(margin+d.width()-line.width, d.y+letterStyle.leading()*0.74, line, letterStyle)
		d.y += letterStyle.leading() * 1.5
	}
	if l.Subject != "" {
		bold := letterStyle
		bold.bold = true
		d.text(l.Subject, bold, letterStyle.leading()*0.7)
	}
	d.text(l.Body, letterStyle, 0)
}

// at writes lines from x on, each cut where it is too long for an envelope.
func (d *Document) at(lines []string, x float64) {
	for _, text := range lines {
		for _, l := range d.setter.shorten(text, letterStyle, d.size.Width/2-20, 1) {
			d.place(l, letterStyle, x, d.y, d.size.Width/2-20)
			d.y += letterStyle.leading()
		}
	}
}
