package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/packs"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type handoverPages struct {
	web       *web.Web
	petitions *petitions.Service
	packs     *packs.Service
}

// MountHandover puts the end of a petition in place, below /admin/petitions/:id: handover (packs, to whom it was given, mails to the
// office) and outcome (the answer, what became of it, the mail to every signer). A pack is fetched by a POST: each time is written
// down.
func MountHandover(r fiber.Router, w *web.Web, s *petitions.Service, k *packs.Service) {
	h := &handoverPages{w, s, k}
	w.AllowBody("/admin/petitions/:id/handover", files.PictureMaxUpload+1<<20)
	g := r.Group("/admin/petitions/:id", w.Signed)
	g.Get("/handover", h.show)
	g.Post("/handover", h.record)
	g.Post("/handovers/:handover/delete", h.remove)
	g.Post("/packs", h.make)
	g.Get("/packs/progress", h.progress)
	g.Post("/packs/:pack/file", h.file)
	g.Post("/digests", h.addDigest)
	g.Post("/digests/:digest/delete", h.removeDigest)
	g.Get("/outcome", h.outcome)
	g.Post("/outcome", h.recordOutcome)
	g.Post("/outcome/tell", h.tell)
	g.Post("/response", h.respond)
}

type handoverForm struct {
	At         string   `form:"at,max=20"`
	Recipient  string   `form:"recipient,max=200"`
	HandedBy   string   `form:"handed_by,max=200"`
	Note       string   `form:"note,max=2000,lines"`
	PictureAlt string   `form:"picture_alt,max=300"`
	Comments   []string `form:"comments,max=40"`
	Email      string   `form:"email,max=254"`
	Every      int      `form:"every"`
	EveryTyped string   `form:"every,max=40"`
}

type handoverPage struct {
	web.Page
	Petition  models.Petition
	Form      handoverForm
	Packs     []packs.Pack
	Comments  []web.Option
	Exports   bool // may make packs
	Handovers []models.Handover
	Digests   []petitions.Digest
}

// Making is the pack that is made just now, nil where none is.
func (p handoverPage) Making() *packs.Pack {
	for _, k := range p.Packs {
		if k.Running() {
			return &k
		}
	}
	return nil
}

// PackState is the locale key of where a pack is.
func (handoverPage) PackState(k packs.Pack) string {
	if k.State == "done" && !k.Ready() {
		return "handover.pack_gone"
	}
	return "handover.pack_" + k.State
}

// dayOf reads the field of a day, the zero time where it is empty.
func dayOf(name, v string, zone *time.Location) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, v, zone)
	if err != nil {
		return day, fault.Fields{{Name: name, Key: "error.handover_day"}}.Err()
	}
	return day.Add(12 * time.Hour), nil // the same day wherever it is read
}

func (h *handoverPages) petition(c *fiber.Ctx) (models.Petition, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return models.Petition{}, err
	}
	a := h.web.Actor(c)
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	p, err := h.petitions.Get(c.UserContext(), a, id)
	if err == nil && !p.State.Public() {
		err = fault.New(fault.Conflict, "error.petition_not_public")
	}
	return p, err
}

func (h *handoverPages) page(c *fiber.Ctx) (*handoverPage, error) {
	row, err := h.petition(c)
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := &handoverPage{Page: h.web.Page(c, "handover.title", "petitions"), Petition: row, Exports: a.May(actor.Export)}
	p.Path = handoverPath(row.ID)
	p.Form.EveryTyped = "1000"
	if p.Handovers, err = h.petitions.Handovers(ctx, row.ID); err != nil {
		return nil, err
	}
	if p.Digests, err = h.petitions.Digests(ctx, a, row.ID); err != nil || !p.Exports {
		return p, err
	}
	if p.Packs, err = h.packs.List(ctx, a, row.ID); err != nil {
		return nil, err
	}
	comments, err := h.packs.Comments(ctx, a, row.ID)
	for _, k := range comments {
		name := k.Name
		if name == "" {
			name = p.T("petition.somebody")
		}
		p.Comments = append(p.Comments, web.Option{Value: k.ID.String(), Label: k.Text, Hint: name})
	}
	return p, err
}

func handoverPath(id uuid.UUID) string { return showPath(id) + "/handover" }
func outcomePath(id uuid.UUID) string  { return showPath(id) + "/outcome" }

func (h *handoverPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/handover/handover", p)
}

// bound reads the page's form; what was typed stays in it.
func (h *handoverPages) bound(c *fiber.Ctx) (*handoverPage, error, error) {
	p, err := h.page(c)
	if err != nil {
		return nil, nil, err
	}
	p.Form = handoverForm{}
	return p, web.Bind(c, &p.Form), nil
}

// again answers a form: with itself where something is wrong, else with the page and a word.
func (h *handoverPages) again(c *fiber.Ctx, p *handoverPage, err error, said string) error {
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/handover/handover", p)
	}
	if err != nil {
		return err
	}
	h.changed(p.Petition)
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, handoverPath(p.Petition.ID))
}

// changed makes what visitors see follow at once.
func (h *handoverPages) changed(p models.Petition) { h.web.Drop("/petitions/" + p.Slug) }

func (h *handoverPages) record(c *fiber.Ctx) error {
	p, wrong, err := h.bound(c)
	if err != nil {
		return err
	}
	in := petitions.HandoverInput{Recipient: p.Form.Recipient, HandedBy: p.Form.HandedBy, Note: p.Form.Note, PictureAlt: p.Form.PictureAlt}
	if wrong == nil {
		in.At, wrong = dayOf("at", p.Form.At, zoneOf(p.Page))
	}
	if f, e := c.FormFile("picture"); wrong == nil && e == nil && f.Size > 0 {
		var content []byte
		if in.PictureName, content, wrong = web.Upload(c, "picture", files.PictureMaxUpload); wrong == nil {
			in.Picture = bytes.NewReader(content)
		}
	}
	if wrong == nil {
		_, _, wrong = h.petitions.RecordHandover(c.UserContext(), h.web.Actor(c), p.Petition.ID, in)
	}
	return h.again(c, p, wrong, "handover.recorded")
}

func (h *handoverPages) remove(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	id, err := paramID(c, "handover", "error.handover_unknown")
	if err == nil {
		_, err = h.petitions.RemoveHandover(c.UserContext(), h.web.Actor(c), p.Petition.ID, id)
	}
	return h.again(c, p, err, "handover.removed")
}

func (h *handoverPages) make(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.Export); err != nil {
		return err
	}
	p, wrong, err := h.bound(c)
	if err != nil {
		return err
	}
	if wrong == nil {
		_, wrong = h.packs.Ask(c.UserContext(), h.web.Actor(c), p.Petition.ID, parsed(p.Form.Comments))
	}
	return h.again(c, p, wrong, "handover.pack_asked")
}

// parsed are the ids among what a form said.
func parsed(list []string) []uuid.UUID {
	var out []uuid.UUID
	for _, v := range list {
		if id, err := uuid.Parse(v); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// progress is the part of the page that changes while a pack is made. Once that is over, htmx loads the whole page.
func (h *handoverPages) progress(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, p.Path)
	}
	if p.Making() == nil {
		c.Set("HX-Refresh", "true")
	}
	return h.web.RenderPart(c, "admin/handover/handover", "making", p)
}

// file hands a pack out.
func (h *handoverPages) file(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	pack, err := paramID(c, "pack", "error.pack_unknown")
	if err != nil {
		return err
	}
	rc, k, err := h.packs.Open(c.UserContext(), h.web.Actor(c), id, pack)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+k.Name()+`"`)
	return h.web.Stream(c, "application/zip", func(_ context.Context, out *bufio.Writer) error {
		_, err := io.Copy(out, rc)
		return errors.Join(err, rc.Close())
	})
}

func (h *handoverPages) addDigest(c *fiber.Ctx) error {
	p, wrong, err := h.bound(c)
	if err != nil {
		return err
	}
	if wrong == nil {
		wrong = h.petitions.AddDigest(c.UserContext(), h.web.Actor(c), p.Petition.ID, petitions.DigestInput{Email: p.Form.Email, Every: p.Form.Every})
	}
	return h.again(c, p, wrong, "handover.digest_asked")
}

func (h *handoverPages) removeDigest(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	id, err := paramID(c, "digest", "error.handover_digest_unknown")
	if err == nil {
		err = h.petitions.RemoveDigest(c.UserContext(), h.web.Actor(c), p.Petition.ID, id)
	}
	return h.again(c, p, err, "handover.digest_removed")
}

type outcomeForm struct {
	From    string `form:"from,max=200"`
	Text    string `form:"text,max=10000,lines"`
	At      string `form:"at,max=20"`
	Outcome string `form:"outcome,max=20"`
	Words   string `form:"outcome_text,max=2000,lines"`
}

type outcomePage struct {
	web.Page
	Petition models.Petition
	Form     outcomeForm
	Send     bool // may tell the signers
}

// Telling reports whether the mails are made just now.
func (p outcomePage) Telling() bool {
	return p.Petition.OutcomeToldAt != nil && p.Petition.OutcomeToldDoneAt == nil
}

func (h *handoverPages) outcomePage(c *fiber.Ctx) (*outcomePage, error) {
	row, err := h.petition(c)
	if err != nil {
		return nil, err
	}
	a := h.web.Actor(c)
	p := &outcomePage{Page: h.web.Page(c, "outcome.title", "petitions"), Petition: row, Send: a.May(actor.Send) && a.Chapter() == nil}
	p.Path = outcomePath(row.ID)
	p.Form = outcomeForm{From: row.ResponseFrom, Text: row.ResponseText, Outcome: string(row.Outcome), Words: row.OutcomeText}
	if p.Form.From == "" {
		p.Form.From = row.Decider
	}
	if row.RespondedAt != nil {
		p.Form.At = row.RespondedAt.In(zoneOf(p.Page)).Format(time.DateOnly)
	}
	return p, nil
}

func (h *handoverPages) outcome(c *fiber.Ctx) error {
	p, err := h.outcomePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/handover/outcome", p)
}

func (h *handoverPages) outcomeAgain(c *fiber.Ctx, p *outcomePage, err error, said string) error {
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/handover/outcome", p)
	}
	if err != nil {
		return err
	}
	h.changed(p.Petition)
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, outcomePath(p.Petition.ID))
}

func (h *handoverPages) respond(c *fiber.Ctx) error {
	p, err := h.outcomePage(c)
	if err != nil {
		return err
	}
	outcome, words := p.Form.Outcome, p.Form.Words
	p.Form = outcomeForm{}
	err = web.Bind(c, &p.Form)
	p.Form.Outcome, p.Form.Words = outcome, words
	in := petitions.Response{From: p.Form.From, Text: p.Form.Text}
	if err == nil {
		in.At, err = dayOf("at", p.Form.At, zoneOf(p.Page))
	}
	if string(c.Request().PostArgs().Peek("do")) == "remove" {
		in, err = petitions.Response{}, nil
	}
	if err == nil {
		_, err = h.petitions.RecordResponse(c.UserContext(), h.web.Actor(c), p.Petition.ID, in)
	}
	return h.outcomeAgain(c, p, err, "outcome.response_recorded")
}

func (h *handoverPages) recordOutcome(c *fiber.Ctx) error {
	p, err := h.outcomePage(c)
	if err != nil {
		return err
	}
	was := p.Form
	p.Form = outcomeForm{}
	err = web.Bind(c, &p.Form)
	p.Form.From, p.Form.Text, p.Form.At = was.From, was.Text, was.At
	if err == nil {
		_, err = h.petitions.RecordOutcome(c.UserContext(), h.web.Actor(c), p.Petition.ID, petitions.OutcomeInput{Outcome: models.Outcome(p.Form.Outcome), Text: p.Form.Words})
	}
	return h.outcomeAgain(c, p, err, "outcome.recorded")
}

func (h *handoverPages) tell(c *fiber.Ctx) error {
	p, err := h.outcomePage(c)
	if err != nil {
		return err
	}
	_, err = h.petitions.TellOutcome(c.UserContext(), h.web.Actor(c), p.Petition.ID)
	return h.outcomeAgain(c, p, err, "outcome.telling")
}
