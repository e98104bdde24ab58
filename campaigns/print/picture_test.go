package print

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"
)

func draws(t *testing.T, p Picture) (img image.Image, size int) {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	size = b.Len()
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img, size
}

// has counts the points of a colour in a part of a picture.
func has(img image.Image, in image.Rectangle, c Color) (n int) {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>8 == uint32(c[0]) && g>>8 == uint32(c[1]) && b>>8 == uint32(c[2]) {
				n++
			}
		}
	}
	return n
}

func TestPicture(t *testing.T) {
	titleInk := Color{0x26, 0x23, 0x1e}
	upper, lower, bar := image.Rect(72, 150, 1128, 420), image.Rect(72, 430, 1128, 545), image.Rect(72, 552, 1128, 564)
	for _, title := range []string{
		"Pain does not stop after six visits", "الألم لا يتوقف بعد ست زيارات", "在大多数健康计划中，物理治疗在六次就诊后就停止付费", strings.Repeat("words without an end ", 80),
	} {
		img, size := draws(t, Picture{Organisation: "Liên minh", Title: title, Number: "3,184", Caption: "have signed", Share: 0.25})
		if img.Bounds() != image.Rect(0, 0, 1200, 630) || size > 60_000 {
			t.Errorf("%v, %d bytes", img.Bounds(), size)
		}
		if has(img, upper, titleInk) < 2000 {
			t.Errorf("%.20s: no title", title)
		}
		if n := has(img, lower, pine); n < 2000 {
			t.Errorf("no number: %d", n)
		}
		if n := has(img, bar, pine); n != 264*12 {
			t.Errorf("the bar has %d points", n)
		}
		for _, edge := range []image.Rectangle{image.Rect(0, 0, 60, 630), image.Rect(1140, 0, 1200, 630), image.Rect(0, 566, 1200, 630), image.Rect(0, 0, 1200, 50)} {
			if n := has(img, edge, paper); n != edge.Dx()*edge.Dy() {
				t.Errorf("%.20s: something stands in the margin %v", title, edge)
			}
		}
	}
}

func TestPictureWithoutFigures(t *testing.T) {
	accent := Color{0x80, 0x20, 0x60}
	img, _ := draws(t, Picture{Title: "x", Share: -1, Accent: accent})
	if n := has(img, image.Rect(0, 430, 1200, 630), paper); n != 1200*200 {
		t.Error("something stands where the figures would be")
	}
	if n := has(img, image.Rect(72, 120, 192, 126), accent); n != 120*6 {
		t.Errorf("the line has %d points of the accent", n)
	}
}

// BenchmarkPicture measures a picture whose fonts are unpacked.
func BenchmarkPicture(b *testing.B) {
	p := Picture{Organisation: "Wennick Chronic Pain Coalition", Title: "Pain does not stop after six visits: cover twenty", Number: "3,184", Caption: "have signed", Share: 0.64}
	for b.Loop() {
		if err := p.Write(discard{}); err != nil {
			b.Fatal(err)
		}
	}
}
