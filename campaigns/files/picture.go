package files

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"
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
func fit(src image.Image, side int) *image.NRGBA {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	if long := max(w, h); long > side {
		w, h = max(1, (w*side+long/2)/long), max(1, (h*side+long/2)/long)
	}
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	if w == src.Bounds().Dx() && h == src.Bounds().Dy() {
		draw.Copy(dst, image.Point{}, src, src.Bounds(), draw.Src, nil)
	} else {
		draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	}
	return dst
}

// flat encodes without loss: with a palette where 256 colours are enough.
func flat(img *image.NRGBA) ([]byte, error) {
	var out image.Image = img
	if p := palette(img); p != nil {
		out = p
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}

// palette gives the picture with a palette, nil where it has more than 256 colours.
func palette(img *image.NRGBA) *image.Paletted {
	seen := make(map[color.NRGBA]uint8, 256)
	p := image.NewPaletted(img.Rect, nil)
	for i := 0; i < len(img.Pix); i += 4 {
		c := color.NRGBA{img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3]}
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
func photo(img *image.NRGBA) ([]byte, error) {
	var best []byte
	for i, side := range photoSides {
		if side >= 2*max(img.Rect.Dx(), img.Rect.Dy()) && i+1 < len(photoSides) {
			continue // the next side leaves the picture as it is too
		}
		ground := image.NewRGBA(img.Rect)
		draw.Draw(ground, ground.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(ground, ground.Rect, img, image.Point{}, draw.Over)
		var small image.Image = ground
		if max(img.Rect.Dx(), img.Rect.Dy()) > side {
			small = fit(ground, side)
		}
		low, high := qualityLow, qualityHigh
		if i == len(photoSides)-1 {
			low = qualityLast
		}
		for low <= high { // the first try is the worst quality: where that is too large, no other fits
			q := (low + high) / 2
			if best == nil {
				q = low
			}
			var b bytes.Buffer
			if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: q}); err != nil {
				return nil, err
			}
			switch {
			case b.Len() <= PictureMaxSize:
				best, low = b.Bytes(), q+1
			case best == nil:
				high = low - 1
			default:
				high = q - 1
			}
		}
		if best != nil {
			return best, nil
		}
	}
	return nil, fault.New(fault.Invalid, "error.picture_large", "Megabytes", PictureMaxUpload>>20, "Megapixels", math.Round(PictureMaxPixels/1e6))
}
