package petitions

import (
	"context"

	"kithline/campaigns/qr"
)

// QR draws the address of a public petition as a QR code (ISO/IEC 18004, error correction M), an SVG that can be printed at
// any size. title is its name for who does not see it, in the reader's language. Who comes by it counts under source. The faults
// are those of Public.
func (s *Service) QR(ctx context.Context, slug, title, source string) ([]byte, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return nil, err
	}
	return qr.SVG(s.address(p)+"?source="+source, title)
}
