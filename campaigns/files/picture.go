package files

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// What pictures may be when they come, and are when they are served.
const (
	PictureMaxUpload = 10 << 20   // bytes that are read at most
	PictureMaxPixels = 40_000_000 // that are decoded at most, at 8 bits a channel
	PictureMaxSide   = 1600       // pixels of the longer side, as served
	PictureMaxSize   = 80_000     // bytes, as served
)

// PutPicture is Put for a picture: WritePicture, then Insert. tx may be nil.
func (s *Service) PutPicture(ctx context.Context, tx *gorm.DB, in PutInput, r io.Reader) (models.File, error) {
	f, err := s.WritePicture(ctx, in, r)
	if err != nil {
		return models.File{}, err
	}
	if tx == nil {
		tx = s.db.WithContext(ctx)
	}
	return f, s.Insert(ctx, tx, f)
}

// WritePicture makes a picture fit to be served, stores it and returns the row for Insert. Its kind is picture where in
// names none. Next to those of Write the faults are Invalid: error.picture_type (no PNG, JPEG, GIF or WebP),
// error.picture_large (more than PictureMaxUpload or PictureMaxPixels), error.picture_broken.
func (s *Service) WritePicture(ctx context.Context, in PutInput, r io.Reader) (models.File, error) {
	raw, err := io.ReadAll(io.LimitReader(r, PictureMaxUpload+1))
	if err != nil {
		return models.File{}, err
	}
	if len(raw) > PictureMaxUpload {
		return models.File{}, tooLarge()
	}
	select { // a picture may take some 300 MB while it is worked on
	case s.large <- struct{}{}:
	case <-ctx.Done():
		return models.File{}, ctx.Err()
	}
	b, contentType, err := Picture(raw)
	<-s.large
	if err != nil {
		return models.File{}, err
	}
	in.ContentType = contentType
	if in.Kind == "" {
		in.Kind = models.FilePicture
	}
	return s.Write(ctx, in, bytes.NewReader(b))
}

func tooLarge() error {
	return fault.New(fault.Invalid, "error.picture_large", "Megabytes", PictureMaxUpload>>20, "Megapixels", PictureMaxPixels/1_000_000)
}

// Picture decodes a picture by what its first bytes say it is, turns it the way the camera was held, fits it into
// PictureMaxSide and encodes it anew in at most PictureMaxSize bytes. Nothing of the file but its pixels is left: no place
// where it was taken, no camera, no name. The errors are the Invalid faults of WritePicture.
func Picture(raw []byte) (b []byte, contentType string, err error) {
	f := sniff(raw)
	if f == nil {
		return nil, "", fault.New(fault.Invalid, "error.picture_type")
	}
	broken := func(cause error) error { return fault.Because(cause, fault.Invalid, "error.picture_broken") }
	cfg, err := f.config(bytes.NewReader(raw))
	if err != nil {
		return nil, "", broken(err)
	}
	pixels := int64(cfg.Width) * int64(cfg.Height)
	switch cfg.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		pixels *= 2 // 16 bits a channel
	}
	if pixels > PictureMaxPixels {
		return nil, "", tooLarge()
	}
	img, err := f.decode(bytes.NewReader(raw))
	if err != nil {
		return nil, "", broken(err)
	}
	if img.Bounds().Empty() {
		return nil, "", broken(errors.New("no pixels"))
	}
	fitted := fit(img, PictureMaxSide)
	if f.orientation != nil {
		fitted = turn(fitted, f.orientation(raw))
	}
	if f.flat {
		if b, err := flat(fitted); err != nil || len(b) <= PictureMaxSize {
			return b, "image/png", err
		}
	}
	b, err = photo(fitted)
	return b, "image/jpeg", err
}

// format is a form in which pictures come.
type format struct {
	config      func(io.Reader) (image.Config, error)
	decode      func(io.Reader) (image.Image, error)
	orientation func([]byte) int
	flat        bool // often a drawing or a logo: may stay without loss
}

// sniff tells the format by the first bytes, nil for anything else.
func sniff(b []byte) *format {
	has := func(at int, s string) bool { return len(b) >= at+len(s) && string(b[at:at+len(s)]) == s }
	switch {
	case has(0, "\xff\xd8\xff"):
		return &format{config: jpeg.DecodeConfig, decode: jpeg.Decode, orientation: orientation}
	case has(0, "\x89PNG\r\n\x1a\n"):
		return &format{config: png.DecodeConfig, decode: png.Decode, flat: true}
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return &format{config: gif.DecodeConfig, decode: gif.Decode, flat: true} // Decode gives the first frame
	case has(0, "RIFF") && has(8, "WEBP"):
		return &format{config: webp.DecodeConfig, decode: webp.Decode}
	}
	return nil
}

// fit draws a picture so that its longer side has at most side pixels. It is never made larger.
func fit(src image.Image, side int) *image.RGBA {
	b := src.Bounds()
	long := max(b.Dx(), b.Dy())
	if long <= side {
		dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(dst, dst.Rect, src, b.Min, draw.Src)
		return dst
	}
	return shrink(src, max(1, (b.Dx()*side+long/2)/long), max(1, (b.Dy()*side+long/2)/long))
}

// shrink makes each pixel the mean of the area that it stands for. It holds a row of the source at a time, so that a large
// photograph takes little more memory than it does decoded. w and h are at most those of the source.
func shrink(src image.Image, w, h int) *image.RGBA {
	b := src.Bounds()
	sw, sh := b.Dx(), b.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	row := image.NewRGBA(image.Rect(0, 0, sw, 1))
	line, sum := make([]uint64, 4*w), make([]uint64, 4*w) // sums are at most 255 times the source's pixels
	area := uint64(sw) * uint64(sh)
	for y := range sh {
		draw.Draw(row, row.Rect, src, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
		// Along a row a source pixel is w units wide and one of the result sw: it falls into one or two of them.
		clear(line)
		for x := range sw {
			at := x * w / sw
			here := min((x+1)*w, (at+1)*sw) - x*w
			for c := range 4 {
				v := uint64(row.Pix[4*x+c])
				line[4*at+c] += v * uint64(here)
				if here < w {
					line[4*at+4+c] += v * uint64(w-here)
				}
			}
		}
		// The same down the column.
		at := y * h / sh
		here := min((y+1)*h, (at+1)*sh) - y*h
		for i, v := range line {
			sum[i] += v * uint64(here)
		}
		if (y+1)*h >= (at+1)*sh { // this row of the result is complete
			for i, v := range sum {
				dst.Pix[at*dst.Stride+i] = uint8((v + area/2) / area)
				sum[i] = line[i] * uint64(h-here)
			}
		}
	}
	return dst
}

// flat encodes without loss: with a palette where 256 colours are enough.
func flat(img *image.RGBA) ([]byte, error) {
	var out image.Image = img
	if p := palette(img); p != nil {
		out = p
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}

// palette gives the picture with a palette, nil where it has more than 256 colours.
func palette(img *image.RGBA) *image.Paletted {
	seen := make(map[color.RGBA]uint8, 256)
	p := image.NewPaletted(img.Rect, nil)
	for i := 0; i < len(img.Pix); i += 4 {
		c := color.RGBA{img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3]}
		n, ok := seen[c]
		if !ok {
			if len(p.Palette) == 256 {
				return nil
			}
			n = uint8(len(p.Palette))
			seen[c] = n
			p.Palette = append(p.Palette, c)
		}
		p.Pix[i/4] = n
	}
	return p
}

// The steps by which a photograph is brought below PictureMaxSize: smaller rather than worse than qualityLow, as good as
// fits within a size.
const (
	qualityHigh = 85
	qualityLow  = 50
	qualityLast = 10 // of the last, smallest size only
)

var photoSides = []int{PictureMaxSide, 1280, 1024, 800, 640, 480, 320}

// photo encodes as JPEG. What is transparent becomes white.
func photo(img *image.RGBA) ([]byte, error) {
	ground := image.NewRGBA(img.Rect)
	draw.Draw(ground, ground.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(ground, ground.Rect, img, image.Point{}, draw.Over)
	long := max(img.Rect.Dx(), img.Rect.Dy())
	for i, side := range photoSides {
		low, last := qualityLow, i == len(photoSides)-1
		if last {
			low = qualityLast
		} else if photoSides[i+1] >= long {
			continue // the next side leaves the picture as it is too
		}
		small := ground
		if long > side {
			small = fit(ground, side)
		}
		best, err := encode(small, low)
		if err != nil {
			return nil, err
		}
		if len(best) > PictureMaxSize {
			continue
		}
		for low, high := low+1, qualityHigh; low <= high; {
			q := (low + high) / 2
			b, err := encode(small, q)
			if err != nil {
				return nil, err
			}
			if len(b) <= PictureMaxSize {
				best, low = b, q+1
			} else {
				high = q - 1
			}
		}
		return best, nil
	}
	return nil, tooLarge() // 320 pixels of the worst quality always fit
}

func encode(img image.Image, quality int) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}
