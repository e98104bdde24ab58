package print

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	_ "image/png" // so that image.Decode knows it
)

// ErrPicture says that a picture cannot be read, or is larger than 40 million points.
var ErrPicture = errors.New("print: no JPEG or PNG that can be used")

const maxPoints = 40_000_000

// pdfImage is a picture as the document holds it.
type pdfImage struct {
	width, height int
	data          []byte
}

func (im pdfImage) write(w *pdfWriter) int {
	return w.raw(fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode", im.width, im.height), im.data)
}

// Image draws a JPEG or PNG picture, at most so high in points and never wider than the text. It is encoded anew, so nothing
// that a camera wrote beside the picture gets into the document. The error is ErrPicture.
func (d *Document) Image(file []byte, height float64) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil || config.Width <= 0 || config.Height <= 0 || config.Width > maxPoints/config.Height {
		return ErrPicture
	}
	src, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return ErrPicture
	}
	flat := image.NewRGBA(image.Rect(0, 0, config.Width, config.Height))
	draw.Draw(flat, flat.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), src, src.Bounds().Min, draw.Over)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, flat, &jpeg.Options{Quality: 88}); err != nil {
		return ErrPicture
	}
	height = min(height, d.floor()-top-10)
	width := height * float64(config.Width) / float64(config.Height)
	if width > d.width() {
		width, height = d.width(), d.width()*float64(config.Height)/float64(config.Width)
	}
	d.block(height)
	d.page.WriteString("q ")
	d.page.num(width, 0, 0, height, margin, d.size.Height-d.y-height)
	fmt.Fprintf(d.page, "cm /I%d Do Q\n", len(d.images))
	d.images = append(d.images, pdfImage{config.Width, config.Height, out.Bytes()})
	d.y += height + 8
	return nil
}

// QR draws a code (see campaigns/qr), side points wide, and texts beside it, the first of them strong.
func (d *Document) QR(modules [][]bool, side float64, beside ...string) {
	const gap = 16
	d.block(side)
	unit := side / float64(max(len(modules), 1))
	for y, row := range modules {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				d.page.box(margin+float64(from)*unit, d.y+float64(y)*unit, float64(x-from)*unit, unit, ink)
			}
		}
	}
	left := side + gap
	from, end := d.y, d.y+side
	st := style{13, true, ink}
	d.y += 6
	for _, text := range beside {
		for _, l := range d.setter.shorten(text, st, d.width()-left, 4) {
			if d.y+st.leading() > max(end, from+st.leading()) {
				break
			}
			d.place(l, st, margin+left, d.y, d.width()-left)
			d.y += st.leading()
		}
		st = bodyStyle
		d.y += 3
	}
	d.y = end + 8
}
