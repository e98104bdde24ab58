package volunteers

import (
	"slices"

	"kithline/campaigns/segments"
	"kithline/models"
)

// Condition is the one of segments that holds for whoever offers time.
func Condition() segments.Kind {
	options := func(prefix string, codes []string) []segments.Option {
		out := make([]segments.Option, len(codes))
		for i, c := range codes {
			out[i] = segments.Option{Value: c, Key: "volunteers." + prefix + c}
		}
		return out
	}
	return segments.Kind{
		Name: "volunteer", Topic: "did",
		Fields: []segments.Field{
			{Name: "likes", Type: segments.Choice, Optional: true, Empty: "segments.any_likes", Options: options("like_", Likes())},
			{Name: "spoken", Type: segments.Choice, Optional: true, Empty: "segments.any_spoken", Options: options("lang_", Languages)},
			{Name: "helps", Type: segments.Choice, Options: []segments.Option{{Value: "active", Key: "segments.volunteer_active"}, {Value: "all", Key: "segments.volunteer_all"}}},
		},
		Compile: func(_ *segments.Compiler, v segments.Values) (segments.Part, error) {
			p := segments.Part{
				Set:  "SELECT m.supporter_id FROM volunteers v JOIN mailboxes m ON m.id = v.mailbox_id WHERE m.supporter_id IS NOT NULL AND v.state <> ?",
				Args: []any{models.VolunteerPending},
			}
			if v["helps"] == "active" {
				p.Set += " AND v.state = ?"
				p.Args = append(p.Args, models.VolunteerActive)
			}
			for _, x := range []struct {
				column, code string
				of           []string
			}{{"likes", v["likes"], Likes()}, {"languages", v["spoken"], Languages}} {
				if x.code == "" {
					continue
				}
				if !slices.Contains(x.of, x.code) {
					return segments.Part{Row: "1 = 0"}, nil
				}
				p.Set += " AND ',' || v." + x.column + " || ',' LIKE ?"
				p.Args = append(p.Args, "%,"+x.code+",%")
			}
			return p, nil
		},
		Say: func(v segments.Values) string {
			out := ""
			if v["likes"] != "" {
				out += "_likes"
			}
			if v["spoken"] != "" {
				out += "_spoken"
			}
			return out
		},
	}
}
