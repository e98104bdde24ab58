package divisions

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"gorm.io/gorm"

	"kithline/models"
)

// decoded keeps the boundaries that were used last, by id and time of change, so that it serves whatever store a process has open.
var decoded shapes

// shapes keeps boundaries decoded: at most maxShapes bytes of them as they are stored.
type shapes struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *shape, the last used in front
	by    map[uuid.UUID]*list.Element
}

const maxShapes = 32 << 20

type shape struct {
	id   uuid.UUID // of the boundary
	at   time.Time // its time of change
	form orb.MultiPolygon
	size int
}

func (s *shapes) get(id uuid.UUID, at time.Time) (orb.MultiPolygon, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.by[id]
	if !ok || !e.Value.(*shape).at.Equal(at) {
		return nil, false
	}
	s.order.MoveToFront(e)
	return e.Value.(*shape).form, true
}

func (s *shapes) put(x *shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by, s.order = map[uuid.UUID]*list.Element{}, list.New()
	}
	if e, ok := s.by[x.id]; ok {
		s.drop(e)
	}
	s.by[x.id] = s.order.PushFront(x)
	for s.size += x.size; s.size > maxShapes && s.order.Len() > 1; {
		s.drop(s.order.Back())
	}
}

func (s *shapes) drop(e *list.Element) {
	x := e.Value.(*shape)
	s.order.Remove(e)
	delete(s.by, x.id)
	s.size -= x.size
}

// Point is At for organizers and for other features, on the day of today.
func (s *Service) Point(ctx context.Context, lat, lon float64) ([]models.Division, error) {
	return At(ctx, s.db.DB, lat, lon, s.clock.Now())
}

// At lists the divisions, valid on the day of now, whose boundary contains a point: latitude and longitude in degrees (WGS 84). A point
// on a border that two share belongs to the first of them in the order of lists, always; one on an outer border is inside. Several of
// a kind come back only where the boundaries themselves overlap. Any caller, in tx; it keeps nothing.
func At(ctx context.Context, tx *gorm.DB, lat, lon float64, now time.Time) ([]models.Division, error) {
	if !onEarth(lat, lon) {
		return nil, nil
	}
	tx = tx.WithContext(ctx)
	var near []models.Boundary
	// The index boundaries_by_box alone answers this: the rows are as long as the shapes in them. Which are valid is asked of the few.
	err := tx.Select("id", "division_id", "updated_at").Where("south <= ? AND north >= ? AND west <= ? AND east >= ?", lat, lat, lon, lon).Find(&near).Error
	if err != nil || len(near) == 0 {
		return nil, err
	}
	ids, how := []uuid.UUID{}, map[uuid.UUID]where{}
	for _, b := range near {
		form, ok := decoded.get(b.ID, b.UpdatedAt)
		if !ok {
			var whole models.Boundary
			if err := tx.Where("id = ?", b.ID).Take(&whole).Error; err != nil {
				return nil, err
			}
			if form, err = decode(whole.Shape); err != nil {
				return nil, err
			}
			decoded.put(&shape{id: whole.ID, at: whole.UpdatedAt, form: form, size: len(whole.Shape)})
		}
		if w := inShape(form, orb.Point{lon, lat}); w != outside {
			ids, how[b.DivisionID] = append(ids, b.DivisionID), w
		}
	}
	var found []models.Division
	for part := range slices.Chunk(ids, chunk) {
		var rows []models.Division
		if err := tx.Where("id IN ?", part).Find(&rows).Error; err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(rows, func(d models.Division) bool { return !Valid(d, now) })...)
	}
	slices.SortFunc(found, compare)
	var out []models.Division
	for i := 0; i < len(found); {
		j := i
		var in []models.Division
		for ; j < len(found) && found[j].Kind == found[i].Kind; j++ {
			if how[found[j].ID] == inside {
				in = append(in, found[j])
			}
		}
		if len(in) == 0 {
			in = found[i : i+1]
		}
		out, i = append(out, in...), j
	}
	return out, nil
}
