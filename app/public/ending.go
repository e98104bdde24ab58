package public

import (
	"context"
	"html/template"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/markdown"
	"kithline/models"
)

// endingView is how a petition went on after signing, ready to show.
type endingView struct {
	Outcome, Response template.HTML
	Handovers         []handoverView
}

type handoverView struct {
	models.Handover
	Note       template.HTML
	PictureURL string
}

// ending reads what was recorded of a petition's end.
func (h *petitionPages) ending(ctx context.Context, p models.Petition) (endingView, error) {
	v := endingView{Outcome: markdown.HTML(p.OutcomeText), Response: markdown.HTML(p.ResponseText)}
	rows, err := h.petitions.Handovers(ctx, p.ID)
	for _, r := range rows {
		x := handoverView{Handover: r, Note: markdown.HTML(r.Note)}
		if r.PictureID != nil {
			x.PictureURL = "/petitions/" + p.Slug + "/handovers/" + r.ID.String() + "/picture"
		}
		v.Handovers = append(v.Handovers, x)
	}
	return v, err
}

func (h *petitionPages) handoverPicture(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("handover"))
	if err != nil {
		return fault.New(fault.NotFound, "error.handover_unknown")
	}
	rc, f, err := h.petitions.HandoverPicture(c.UserContext(), c.Params("slug"), id)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	return sendPicture(c, rc, f)
}
