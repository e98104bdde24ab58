package files

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"

	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

func noise(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(img.Pix); i += 4 {
		binary.LittleEndian.PutUint32(img.Pix[i:], r.Uint32()|0xff000000)
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// served makes a picture and looks at what comes out.
func served(t *testing.T, raw []byte, contentType string) image.Image {
	t.Helper()
	b, ct, err := Picture(raw)
	if err != nil {
		t.Fatal(err)
	}
	if ct != contentType || len(b) > PictureMaxSize {
		t.Fatalf("%s of %d bytes, want %s of at most %d", ct, len(b), contentType, PictureMaxSize)
	}
	decode := jpeg.Decode
	if ct == "image/png" {
		decode = png.Decode
	}
	img, err := decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if max(img.Bounds().Dx(), img.Bounds().Dy()) > PictureMaxSide {
		t.Fatalf("%v is too large", img.Bounds())
	}
	t.Logf("%s %v, %d bytes", ct, img.Bounds().Max, len(b))
	return img
}

func TestPictureSize(t *testing.T) {
	// Noise is the worst there is: nothing of it can be left out.
	img := served(t, asJPEG(t, noise(3000, 2400)), "image/jpeg")
	if b := img.Bounds(); b.Dx() < 320 || b.Dx()*4 != b.Dy()*5 {
		t.Errorf("noise of 3000x2400 became %v", b.Max)
	}
	served(t, asPNG(t, noise(700, 700)), "image/jpeg")
	served(t, asPNG(t, noise(500, 500)), "image/jpeg")
	served(t, asJPEG(t, noise(9000, 3)), "image/jpeg")
	if b := served(t, asJPEG(t, noise(3, 9000)), "image/jpeg").Bounds(); b.Dx() != 1 || b.Dy() != PictureMaxSide {
		t.Errorf("a line became %v", b.Max)
	}
	if b := served(t, asPNG(t, noise(1, 1)), "image/png").Bounds(); b.Dx() != 1 || b.Dy() != 1 {
		t.Errorf("a dot became %v", b.Max)
	}

	// What photographs are like keeps its size.
	soft := image.NewRGBA(image.Rect(0, 0, 2400, 1600))
	for y := range 1600 {
		for x := range 2400 {
			soft.SetRGBA(x, y, color.RGBA{uint8(x * 255 / 2400), uint8(y * 255 / 1600), uint8((x ^ y) >> 6), 255})
		}
	}
	if b := served(t, asJPEG(t, soft), "image/jpeg").Bounds(); b.Dx() != PictureMaxSide {
		t.Errorf("a soft picture became %v", b.Max)
	}
	// A small one is not blown up.
	if b := served(t, asJPEG(t, soft.SubImage(image.Rect(100, 100, 300, 200))), "image/jpeg").Bounds(); b.Dx() != 200 || b.Dy() != 100 {
		t.Errorf("a small picture became %v", b.Max)
	}
}

func TestShrink(t *testing.T) {
	// 3 pixels of 10, 40, 100 on 2: each takes one and a half.
	src := image.NewGray(image.Rect(5, 7, 8, 9))
	for y := 7; y < 9; y++ {
		for i, v := range []uint8{10, 40, 100} {
			src.SetGray(5+i, y, color.Gray{v})
		}
	}
	dst := shrink(src, 2, 1)
	for x, want := range []uint8{20, 80} {
		if got := dst.RGBAAt(x, 0); got != (color.RGBA{want, want, want, 255}) {
			t.Errorf("pixel %d is %v, want %d", x, got, want)
		}
	}
	// The mean of the whole stays what it was, whatever the sizes.
	img := noise(37, 53)
	var mean [4]int
	for i, v := range img.Pix {
		mean[i%4] += int(v)
	}
	for _, c := range []image.Point{{1, 1}, {36, 52}, {37, 53}, {20, 1}, {1, 50}, {7, 11}} {
		small := shrink(img, c.X, c.Y)
		var sum [4]int
		for i, v := range small.Pix {
			sum[i%4] += int(v)
		}
		for i := range sum {
			got, want := float64(sum[i])/float64(c.X*c.Y), float64(mean[i])/float64(37*53)
			if got-want > 0.6 || want-got > 0.6 {
				t.Errorf("%v: channel %d has mean %.2f, want %.2f", c, i, got, want)
			}
		}
	}
	if !bytes.Equal(shrink(img, 37, 53).Pix, img.Pix) {
		t.Error("the same size changes pixels")
	}
}

func TestPictureFlat(t *testing.T) {
	logo := image.NewNRGBA(image.Rect(0, 0, 900, 300))
	for y := range 300 {
		for x := range 900 {
			switch {
			case (x/90)%2 == 0:
				logo.SetNRGBA(x, y, color.NRGBA{20, 90, 160, 255})
			case y < 150:
				logo.SetNRGBA(x, y, color.NRGBA{240, 240, 240, 128})
			}
		}
	}
	img := served(t, asPNG(t, logo), "image/png")
	if _, ok := img.(*image.Paletted); !ok {
		t.Errorf("three colours became %T", img)
	}
	near(t, img, 10, 10, color.NRGBA{20, 90, 160, 255})
	near(t, img, 100, 10, color.NRGBA{240, 240, 240, 128})
	near(t, img, 100, 200, color.NRGBA{})

	// What is transparent turns white where the picture cannot stay without loss.
	holes := image.NewNRGBA(image.Rect(0, 0, 800, 800))
	copy(holes.Pix, noise(800, 800).Pix)
	for y := range 200 {
		for x := range 200 {
			holes.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 0})
		}
	}
	near(t, served(t, asPNG(t, holes), "image/jpeg"), 20, 20, color.NRGBA{255, 255, 255, 255})
}

func near(t *testing.T, img image.Image, x, y int, want color.NRGBA) {
	t.Helper()
	got := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
	for i, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B), int(got.A) - int(want.A)} {
		if d < -12 || d > 12 {
			t.Fatalf("pixel %d,%d is %v, want %v (channel %d)", x, y, got, want, i)
		}
	}
}

func TestPictureFormats(t *testing.T) {
	red, blue := color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 200, 255}
	frame := func(c color.Color) *image.Paletted {
		p := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{c})
		return p
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame(red), frame(blue)}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	img := served(t, b.Bytes(), "image/png")
	near(t, img, 20, 20, color.NRGBA{200, 0, 0, 255})

	for _, s := range []string{ // one pixel, without and with loss
		"UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
		"UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
	} {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if b := served(t, raw, "image/jpeg").Bounds(); b.Dx() != 1 {
			t.Errorf("%v", b)
		}
	}
	served(t, asPNG(t, image.NewGray16(image.Rect(0, 0, 30, 30))), "image/png")
	served(t, asJPEG(t, image.NewGray(image.Rect(0, 0, 30, 30))), "image/jpeg")
}

// header is the beginning of a PNG file that says how large the picture is.
func header(w, h uint32, depth byte) []byte {
	ihdr := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	ihdr = append(ihdr, depth, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(b, ihdr...), crc32.ChecksumIEEE(ihdr))
}

func TestPictureRefused(t *testing.T) {
	good := asJPEG(t, noise(64, 64))
	for name, c := range map[string]struct {
		raw []byte
		key string
	}{
		"nothing":          {nil, "error.picture_type"},
		"text":             {[]byte("hello"), "error.picture_type"},
		"SVG":              {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "error.picture_type"},
		"BMP":              {[]byte("BM\x00\x00\x00\x00"), "error.picture_type"},
		"RIFF, but sound":  {[]byte("RIFF\x00\x00\x00\x00WAVEfmt "), "error.picture_type"},
		"PNG behind HTML":  {append([]byte("<html>"), asPNG(t, noise(2, 2))...), "error.picture_type"},
		"half a JPEG":      {good[:len(good)/2], "error.picture_broken"},
		"JPEG's beginning": {good[:3], "error.picture_broken"},
		"half a PNG":       {asPNG(t, noise(64, 64))[:2000], "error.picture_broken"},
		"a bomb":           {header(50_000, 50_000, 8), "error.picture_large"},
		"a line of a bomb": {header(1, 1<<31-1, 8), "error.picture_large"},
		"41 megapixels":    {header(8200, 5000, 8), "error.picture_large"},
		"16 bits":          {header(5000, 5000, 16), "error.picture_large"},
		"a GIF bomb":       {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), "error.picture_large"},
		"no pixels":        {header(0, 0, 8), "error.picture_broken"},
	} {
		b, _, err := Picture(c.raw)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Key != c.key || b != nil {
			t.Errorf("%s: %v, want %s", name, err, c.key)
		}
	}
	// However a file is cut, the answer is a fault and no panic.
	for _, raw := range [][]byte{good, asPNG(t, noise(16, 16)), withExif(good, 6, binary.LittleEndian)} {
		for n := 0; n < len(raw); n += 1 + len(raw)/200 {
			if _, _, err := Picture(raw[:n]); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Fatalf("cut to %d: %v", n, err)
			}
		}
	}
}

// withExif puts an Exif block with an orientation, and a place, into a JPEG file.
func withExif(jpeg []byte, o uint16, order binary.AppendByteOrder) []byte {
	tiff := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		tiff = []byte("II*\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range []struct {
		tag, kind, value uint16
	}{{0x0100, 3, 7}, {0x0112, 3, o}} {
		tiff = order.AppendUint16(order.AppendUint16(tiff, e.tag), e.kind)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(order.AppendUint16(tiff, e.value), 0)
	}
	tiff = append(tiff, "\x00\x00\x00\x00GPS 40.4168 N 3.7038 W"...)
	body := append([]byte("Exif\x00\x00"), tiff...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	comment := append([]byte{0xff, 0xfe, 0, 22}, "taken by Ana Ruiz..."...)
	out := append(bytes.Clone(jpeg[:2]), comment...)
	return append(append(append(out, segment...), body...), jpeg[2:]...)
}

// The standard says for each orientation which visible corner the first and the last pixel of the first stored row are.
func TestPictureOrientation(t *testing.T) {
	const w, h = 160, 80
	stored := image.NewRGBA(image.Rect(0, 0, w, h))
	first, last := color.RGBA{220, 0, 0, 255}, color.RGBA{0, 0, 220, 255}
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 255, 255, 255}
			if y < 32 && x < 32 {
				c = first
			} else if y < 32 && x >= w-32 {
				c = last
			}
			stored.SetRGBA(x, y, c)
		}
	}
	raw := asJPEG(t, stored)
	type corner struct{ right, bottom bool }
	tl, tr, bl, br := corner{}, corner{right: true}, corner{bottom: true}, corner{true, true}
	for o, want := range map[uint16][2]corner{
		1: {tl, tr}, 2: {tr, tl}, 3: {br, bl}, 4: {bl, br}, 5: {tl, bl}, 6: {tr, br}, 7: {br, tr}, 8: {bl, tl},
		0: {tl, tr}, 9: {tl, tr},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			t.Run(fmt.Sprint(o, order), func(t *testing.T) {
				in := withExif(raw, o, order)
				img := served(t, in, "image/jpeg")
				b := img.Bounds()
				if turned := o >= 5 && o <= 8; turned != (b.Dx() == h) || turned != (b.Dy() == w) {
					t.Fatalf("the picture is %v", b.Max)
				}
				at := func(c corner) (int, int) {
					x, y := 8, 8
					if c.right {
						x = b.Dx() - 8
					}
					if c.bottom {
						y = b.Dy() - 8
					}
					return x, y
				}
				x, y := at(want[0])
				near(t, img, x, y, color.NRGBA(first))
				x, y = at(want[1])
				near(t, img, x, y, color.NRGBA(last))

				out, _, err := Picture(in)
				if err != nil {
					t.Fatal(err)
				}
				for _, trace := range []string{"GPS", "Exif", "Ana Ruiz"} {
					if !bytes.Contains(in, []byte(trace)) || bytes.Contains(out, []byte(trace)) {
						t.Errorf("%s is in the picture", trace)
					}
				}
			})
		}
	}
}

func FuzzOrientation(f *testing.F) {
	img := asJPEG(f, image.NewGray(image.Rect(0, 0, 1, 1)))
	f.Add(withExif(img, 6, binary.BigEndian)[:120])
	f.Add(withExif(img, 3, binary.LittleEndian)[:120])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := orientation(b); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}

func TestPutPicture(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := folderWorld(t, db)
		f, err := w.PutPicture(t.Context(), nil, PutInput{Name: "me.jpg", ContentType: "text/html", Public: true}, bytes.NewReader(asJPEG(t, noise(100, 50))))
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind != models.FilePicture || f.ContentType != "image/jpeg" || !f.Public {
			t.Fatalf("%+v", f)
		}
		r, _, err := w.OpenPublic(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || int64(len(b)) != f.Size {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if img, err := jpeg.Decode(bytes.NewReader(b)); err != nil || img.Bounds().Dx() != 100 {
			t.Fatalf("%v", err)
		}
		if raw := w.raw(f.StoreKey); bytes.Contains(raw, []byte("\xff\xd8\xff")) && bytes.Contains(raw, b[:50]) {
			t.Fatal("the picture lies open in the store")
		}
		_, err = w.PutPicture(t.Context(), nil, PutInput{}, bytes.NewReader(make([]byte, PictureMaxUpload+1)))
		isFault(t, err, fault.Invalid, "error.picture_large")
		_, err = w.PutPicture(t.Context(), nil, PutInput{}, bytes.NewReader([]byte("no picture")))
		isFault(t, err, fault.Invalid, "error.picture_type")
		if keys := w.keys(); len(keys) != 1 {
			t.Fatalf("stored: %v", keys)
		}
	})
}

func BenchmarkPicture(b *testing.B) {
	soft := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range soft.Pix {
		soft.Pix[i] = byte(i/9000) + byte(r.Uint32()&15)
	}
	raw := asJPEG(b, soft)
	b.ReportAllocs()
	for b.Loop() {
		out, _, err := Picture(raw)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(out)), "bytes")
	}
}
