package petitions

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"kithline/campaigns/print"
	"kithline/models"
)

// picturesKept is how many pictures a node remembers.
const picturesKept = 200

// pictures are those that other sites show beside a link, made when they are first asked for. One is made at a time: it is work.
type pictures struct {
	mu sync.Mutex
	of map[string]madePicture // by slug
}

type madePicture struct {
	of  string // what it shows
	png []byte
}

// PictureWords are the words of a picture in one language.
type PictureWords struct {
	Organisation string
	Accent       [3]uint8
	Number       func(n int) string
	Caption      func(n int) string // beside the number, such as "have signed"
}

// LinkPicture is a PNG of 1200 by 630 points with a petition's ask and its count, for other sites to show beside a link. It is made
// anew when the words changed or the count went up by a step (models.Petition.Step); until then it shows the count of when it was
// made. The faults are those of Public.
func (s *Service) LinkPicture(ctx context.Context, slug string, words func(p models.Petition) PictureWords) ([]byte, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return nil, err
	}
	w := words(p)
	shows := fmt.Sprintf("%q %q %d %d %v %s", p.Title, w.Organisation, p.Step(), p.Goal, w.Accent, p.Locale)
	s.pictures.mu.Lock()
	defer s.pictures.mu.Unlock()
	if m, ok := s.pictures.of[slug]; ok && m.of == shows {
		return m.png, nil
	}
	share := -1.0
	if p.Goal > 0 {
		share = float64(p.Total()) / float64(p.Goal)
	}
	var b bytes.Buffer
	err = print.Picture{
		Organisation: w.Organisation, Title: p.Title, Number: w.Number(p.Total()), Caption: w.Caption(p.Total()), Share: share, Lang: p.Locale, Accent: w.Accent,
	}.Write(&b)
	if err != nil {
		return nil, err
	}
	if s.pictures.of == nil || len(s.pictures.of) >= picturesKept {
		s.pictures.of = map[string]madePicture{} // all are made again within seconds of use
	}
	s.pictures.of[slug] = madePicture{shows, b.Bytes()}
	return b.Bytes(), nil
}
