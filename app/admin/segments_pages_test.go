package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/segments"
	"kithline/models"
)

// Every page of segments runs in every language: with groups in groups, every type of field, errors and no count.
func TestSegmentPages(t *testing.T) {
	now, later := webtest.Time, webtest.Time.Add(time.Minute)
	for _, full := range []bool{true, false} {
		webtest.All(t, "admin/segments/", func(_ *web.Web, p web.Page) map[string]any {
			m := models.Segment{Name: "North <1>", Revision: 3, CreatedAt: now, UpdatedAt: now}
			list := segmentsPage{Page: p, Archived: !full}
			edit := &segmentPage{Page: p, Segment: m, Rule: segments.Everybody()}
			edit.Tree = edit.node(segments.Shown{Path: "r", Depth: 1, Kind: segments.Group, Match: segments.All})
			if full {
				frozen := m
				frozen.FrozenAt, frozen.ArchivedAt, frozen.FrozenCount = &later, &later, 12
				list.Rows, list.Next = []models.Segment{m, frozen}, "abc"
				edit.Segment.ID, edit.Focus, edit.Ready, edit.Words = uuid.New(), "r.0", true, "Everybody who <signed>."
				edit.Rule.Pick = segments.Pick{Percent: 12.5, Seed: segments.NewSeed()}
				edit.Offers = []offerGroup{{Label: "The person", Options: []web.Option{{Value: "tag", Label: "Tag"}}}}
				edit.Counted = segments.Counted{People: 3, Sample: []segments.Person{{ID: uuid.New(), GivenName: "June"}, {ID: uuid.New(), PostalArea: "02139"}}}
				field := func(path, name, kind string) segments.ShownField {
					return segments.ShownField{Field: segments.Field{Name: name, Type: kind}, Full: segments.FieldName(path, name), Values: segments.Values{name: "x"}}
				}
				edit.Tree = edit.node(segments.Shown{Path: "r", Depth: 1, Kind: segments.Group, Match: segments.All, Items: []segments.Shown{
					{Path: "r.0", Kind: "signed", Key: "segments.kind_signed", Exclude: true, Fields: []segments.ShownField{field("r.0", "petition", segments.Choice), field("r.0", "when", segments.When)}},
					{Path: "r.1", Depth: 2, Kind: segments.Group, Match: segments.Any, Items: []segments.Shown{
						{Path: "r.1.0", Kind: "division", Key: "segments.kind_division", Fields: []segments.ShownField{field("r.1.0", "division", segments.Search)}},
						{Path: "r.1.1", Kind: "field:1", Label: "Shoe size", Fields: []segments.ShownField{field("r.1.1", "value", segments.Number)}},
						{Path: "r.1.2", Kind: "field:2", Label: "Born", Fields: []segments.ShownField{field("r.1.2", "value", segments.Date)}},
						{Path: "r.1.3", Kind: "postal", Key: "segments.kind_postal", Fields: []segments.ShownField{field("r.1.3", "begins", segments.Text)}},
						{Path: "r.1.4", Kind: "nothing", Label: "Gone", Gone: true},
					}},
				}})
				edit.Errors = []web.FieldError{{Name: "name", Text: "Wrong."}, {Name: "r.0-petition", Text: "Wrong."}, {Name: "r.1.0-division", Text: "Wrong."}, {Name: "r.1.4-kind", Text: "Gone."}, {Text: "Wrong."}}
			}
			show := *edit
			show.Errors = nil
			if full {
				show.Segment.FrozenAt = &later
			} else {
				show.Segment.ArchivedAt = &later
			}
			return map[string]any{"admin/segments/list": &list, "admin/segments/edit": edit, "admin/segments/show": &show}
		})
	}
}
