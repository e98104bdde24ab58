package admin

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type moderation struct {
	web       *web.Web
	petitions *petitions.Service
	org       *organisation.Service
}

// MountModeration puts the moderators' side of petitions in place: the review queue and who has what in hand, changes of public
// petitions, thresholds, paper, what becomes of comments together, and the hours of a review. Mount it before MountPetitions: its
// fixed paths stand beside /admin/petitions/:id.
func MountModeration(r fiber.Router, w *web.Web, s *petitions.Service, org *organisation.Service) {
	h := &moderation{w, s, org}
	g := r.Group("/admin/petitions", w.Signed)
	g.Get("/review", h.queue)
	g.Get("/reopen", h.fallen)
	g.Post("/comments", h.judgeAll)
	g.Post("/:id/claim", h.claim)
	g.Post("/:id/reopen", h.reopen)
	g.Get("/:id/steer", h.askSteer)
	g.Get("/:id/words", h.words)
	g.Post("/:id/words", h.saveWords)
	g.Get("/:id/settings", h.settings)
	g.Post("/:id/settings", h.saveSettings)
	g.Post("/:id/thresholds", h.thresholds)
	g.Get("/:id/paper", h.paper)
	g.Post("/:id/paper", h.savePaper)
	r.Post("/admin/account/away", w.Signed, h.away)
	r.Get("/admin/settings/review", w.Signed, h.hours)
	r.Post("/admin/settings/review", w.Signed, h.saveHours)
}

type queuePage struct {
	web.Page
	Show      string
	Filters   []string
	Rows      paging.Page[petitions.Waiting]
	Near, Due int               // hours
	Asked     []models.Petition // public ones of which a change waits
}

// Here is the page's own address, to come back to.
func (p queuePage) Here() string { return p.With("show", p.Show) }

func (h *moderation) queue(c *fiber.Ctx) error {
	p := queuePage{Page: h.web.Page(c, "moderate.queue_title", "petitions"), Filters: petitions.ReviewFilters}
	after, err := paging.Parse(p.Query("after"))
	if err != nil {
		return err
	}
	if s := p.Query("show"); slices.Contains(petitions.ReviewFilters, s) {
		p.Show = s
	}
	if p.Rows, err = h.petitions.ReviewQueue(c.UserContext(), h.web.Actor(c), p.Show, after); err != nil {
		return err
	}
	if p.Asked, err = h.petitions.Proposals(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	o, err := h.org.Current(c.UserContext())
	if err != nil {
		return err
	}
	p.Near, p.Due = o.ReviewNearHours, o.ReviewDueHours
	return h.web.Render(c, "admin/petitions/queue", &p)
}

func (h *moderation) claim(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f struct {
		Do   string    `form:"do,max=20"`
		To   uuid.UUID `form:"to"`
		Next string    `form:"next,max=200"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if err := a.Need(actor.ModeratePetition); err != nil { // before what was sent is looked at
		return err
	}
	did := "moderate.did_" + f.Do
	switch f.Do {
	case "claim":
		err = h.petitions.Claim(ctx, a, id)
	case "take":
		did, err = "moderate.did_claim", h.petitions.HandTo(ctx, a, id, a.UserID)
	case "release":
		err = h.petitions.Release(ctx, a, id)
	case "hand":
		err = h.petitions.HandTo(ctx, a, id, f.To)
	default:
		err = fault.New(fault.Invalid, "error.value_unknown")
	}
	next := "/admin/petitions/review"
	if strings.HasPrefix(f.Next, "/admin/petitions/") {
		next = f.Next
	}
	switch e, invalid := web.Invalid(err); {
	case invalid && len(e.Fields) > 0:
		h.web.Flash(c, "warn", e.Fields[0].Key)
	case fault.Is(err, fault.Conflict): // somebody was faster: the page shows who
		key := "error.review_claimed"
		var f *fault.Error
		if errors.As(err, &f) && (f.Key == "error.review_away" || f.Key == "error.petition_state") {
			key = f.Key
		}
		h.web.Flash(c, "warn", key)
	case err != nil:
		return err
	default:
		h.web.Flash(c, "good", did)
	}
	return web.SeeOther(c, next)
}

type reopenPage struct {
	web.Page
	Rows []models.Petition
}

func (h *moderation) fallen(c *fiber.Ctx) error {
	p := reopenPage{Page: h.web.Page(c, "moderate.reopen_title", "petitions")}
	var err error
	if p.Rows, err = h.petitions.Fallen(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/reopen", &p)
}

func (h *moderation) reopen(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if err := h.web.Actor(c).Need(actor.ModeratePetition); err != nil { // before what was sent is looked at
		return err
	}
	switch f.Do {
	case "reopen":
		_, err = h.petitions.Reopen(c.UserContext(), h.web.Actor(c), id)
	case "leave":
		_, err = h.petitions.LeaveClosed(c.UserContext(), h.web.Actor(c), id)
	default:
		err = fault.New(fault.Invalid, "error.value_unknown")
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "moderate.did_"+f.Do)
	return web.SeeOther(c, showPath(id))
}

// steerPage asks once more before something is done to a petition.
type steerPage struct {
	web.Page
	Petition models.Petition
	Do       petitions.Action
	Form     steerForm
	Reasons  []web.Option
}

type steerForm struct {
	Do     string `form:"do,max=20"`
	Reason string `form:"reason,max=40"`
	Text   string `form:"text,max=500,lines"`
}

// steering are the actions that have a page of their own to confirm them.
var steering = []petitions.Action{petitions.Pause, petitions.Resume, petitions.Close, petitions.Hide, petitions.Show, petitions.Withdraw}

// newSteerPage is the page that confirms an action, with the petition as the actor may see it. What cannot be done with it now, or
// by this actor, is a fault.
func newSteerPage(c *fiber.Ctx, w *web.Web, s *petitions.Service, id uuid.UUID, do petitions.Action) (*steerPage, error) {
	a := w.Actor(c)
	row, err := s.Draft(c.UserContext(), a, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(steering, do) {
		return nil, fault.New(fault.Invalid, "error.value_unknown")
	}
	if !slices.Contains(petitions.Can(a, row), do) {
		return nil, fault.New(fault.Conflict, "error.petition_state")
	}
	p := &steerPage{Page: w.Page(c, "moderate.steer_"+string(do), "petitions"), Petition: row, Do: do}
	codes := map[petitions.Action][]string{petitions.Pause: petitions.PauseReasons, petitions.Hide: petitions.HideReasons}[do]
	for _, r := range codes {
		p.Reasons = append(p.Reasons, web.Option{Value: r, Label: p.T("moderate." + string(do) + "_" + r)})
	}
	return p, nil
}

func (h *moderation) askSteer(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	p, err := newSteerPage(c, h.web, h.petitions, id, petitions.Action(c.Query("do")))
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/steer", p)
}

// wordsPage changes what a public petition says.
type wordsPage struct {
	web.Page
	Petition models.Petition
	Form     wordsForm
	Goal     string
	Guarded  bool
	Others   string // the languages of its other versions
	Stored   *models.Petition
	Words    string                  // its own address
	Takes    int64                   // the mark of the change that waits, 0 for none
	Asked    []petitions.EditedField // what it says now of the words that would change with it
	Answer   string
}

type wordsForm struct {
	web.PetitionForm
	Reason string
}

func (h *moderation) wordsPage(c *fiber.Ctx) (*wordsPage, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return nil, err
	}
	a := h.web.Actor(c)
	row, err := h.petitions.Draft(c.UserContext(), a, id)
	switch {
	case err != nil:
		return nil, err
	case row.State != models.PetitionPublished:
		return nil, fault.New(fault.Conflict, "error.petition_state")
	case !petitions.MayEdit(a, row):
		return nil, fault.New(fault.Forbidden, "error.edit_moderator")
	}
	p := &wordsPage{Page: h.web.Page(c, "moderate.edit_title", "petitions"), Petition: row, Guarded: petitions.NeedsReason(row), Words: showPath(id) + "/words"}
	form := wordsForm{PetitionForm: web.PetitionFormOf(row, nil, zoneOf(p.Page))}
	if row.ProposedAt != nil && a.May(actor.ModeratePetition) {
		wanted, old := petitions.Proposal(row)
		p.Takes, p.Asked = petitions.ProposalMark(row), old
		form = wordsForm{PetitionForm: web.PetitionFormOf(wanted.With(row), nil, zoneOf(p.Page)), Reason: wanted.Reason}
	}
	p.fill(form)
	_, said, err := h.petitions.Said(c.UserContext(), a, id)
	var others []string
	for _, l := range petitions.Spoken(row, said.Texts)[1:] {
		others = append(others, web.LanguageName(l))
	}
	p.Others = strings.Join(others, ", ")
	return p, err
}

func (p *wordsPage) fill(f wordsForm) {
	p.Form, p.Goal = f, ""
	if f.Goal != 0 {
		p.Goal = p.Digits(int64(f.Goal))
	}
}

func (h *moderation) words(c *fiber.Ctx) error {
	p, err := h.wordsPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/words", p)
}

func (h *moderation) saveWords(c *fiber.Ctx) error {
	p, err := h.wordsPage(c)
	if err != nil {
		return err
	}
	var why struct {
		Reason string `form:"reason,max=500,lines"`
		Answer string `form:"answer,max=2000,lines"`
		Takes  int64  `form:"takes"`
		Do     string `form:"do,max=20"`
	}
	err = web.Bind(c, &why)
	if why.Do == "decline" {
		if err == nil {
			err = h.petitions.Decline(c.UserContext(), h.web.Actor(c), p.Petition.ID, why.Takes, why.Answer)
		}
		p.Answer = why.Answer
		if p.Failed(err) {
			return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/words", p)
		} else if err != nil {
			return err
		}
		h.web.Flash(c, "good", "moderate.declined")
		return web.SeeOther(c, showPath(p.Petition.ID))
	}
	f, d, wrong := web.BindPetition(c, zoneOf(p.Page))
	if err == nil {
		err = wrong
	}
	var stored models.Petition
	if err == nil {
		stored, err = h.petitions.Edit(c.UserContext(), h.web.Actor(c), p.Petition.ID, petitions.EditInput{Draft: d, Reason: why.Reason, Revision: f.Revision, Takes: why.Takes})
	}
	p.fill(wordsForm{PetitionForm: f, Reason: why.Reason})
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/words", p)
	case fault.Is(err, fault.Conflict) && stored.State == models.PetitionPublished: // saving again keeps these words
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/petitions/words", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "moderate.edit_saved")
	return web.SeeOther(c, showPath(p.Petition.ID))
}

// settingsPage is what happens to a petition by itself, and how it is counted.
type petitionSettings struct {
	web.Page
	Petition        models.Petition
	Thresholds      []models.PetitionThreshold
	Settable        bool
	Raises          bool
	Next, AfterNext int
	Suggest         int
	Form            thresholdForm
	Kinds           []web.Option
	DistrictKind    string
}

type thresholdForm struct {
	Do        string    `form:"do,max=20"`
	ID        uuid.UUID `form:"id"`
	Count     int       `form:"count"`
	Typed     string    `form:"count,max=40"`
	Effect    string    `form:"effect,max=20"`
	NextGoal  int       `form:"next_goal"`
	NextTyped string    `form:"next_goal,max=40"`
}

func (h *moderation) settingsPage(c *fiber.Ctx) (*petitionSettings, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	kinds, err := h.petitions.DistrictKinds(ctx, a) // asks for the right
	if err != nil {
		return nil, err
	}
	row, err := h.petitions.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	p := &petitionSettings{Page: h.web.Page(c, "moderate.petition_settings_title", "petitions"), Petition: row, Settable: petitions.Settable(row), DistrictKind: string(row.DistrictKind)}
	if p.Thresholds, err = h.petitions.Thresholds(ctx, a, id); err != nil {
		return nil, err
	}
	p.Raises = petitions.RaisesByItself(row, p.Thresholds)
	p.Next = petitions.NextGoal(row.Goal)
	p.AfterNext = petitions.NextGoal(p.Next)
	p.Suggest = max(petitions.NextGoal(max(row.Goal, row.Total())), row.Goal)
	p.Form.Effect = string(models.EffectTell)
	if len(kinds) > 0 {
		p.Kinds = []web.Option{{Value: "", Label: p.T("moderate.district_none")}}
	}
	for _, k := range kinds {
		p.Kinds = append(p.Kinds, web.Option{Value: string(k), Label: p.T("divisions.kind_" + string(k))})
	}
	return p, nil
}

func (h *moderation) settings(c *fiber.Ctx) error {
	p, err := h.settingsPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/settings", p)
}

func (h *moderation) saveSettings(c *fiber.Ctx) error {
	p, err := h.settingsPage(c)
	if err != nil {
		return err
	}
	var f struct {
		Kind string `form:"district_kind,max=20"`
	}
	if err = web.Bind(c, &f); err == nil {
		err = h.petitions.SetDistrictKind(c.UserContext(), h.web.Actor(c), p.Petition.ID, models.DivisionKind(f.Kind))
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/settings", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "moderate.saved")
	return web.SeeOther(c, showPath(p.Petition.ID)+"/settings")
}

func (h *moderation) thresholds(c *fiber.Ctx) error {
	p, err := h.settingsPage(c)
	if err != nil {
		return err
	}
	ctx, a, id := c.UserContext(), h.web.Actor(c), p.Petition.ID
	err = web.Bind(c, &p.Form)
	did := "moderate.saved"
	switch {
	case err != nil:
	case p.Form.Do == "add":
		did = "moderate.threshold_added"
		err = h.petitions.AddThreshold(ctx, a, id, petitions.ThresholdInput{Count: p.Form.Count, Effect: models.ThresholdEffect(p.Form.Effect), NextGoal: p.Form.NextGoal})
	case p.Form.Do == "remove":
		did, err = "moderate.threshold_removed", h.petitions.RemoveThreshold(ctx, a, id, p.Form.ID)
	case p.Form.Do == "raise_on":
		did, err = "moderate.raise_did_on", h.petitions.RaiseByItself(ctx, a, id, true)
	case p.Form.Do == "raise_off":
		did, err = "moderate.raise_did_off", h.petitions.RaiseByItself(ctx, a, id, false)
	default:
		err = fault.New(fault.Invalid, "error.value_unknown")
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/settings", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", did)
	return web.SeeOther(c, showPath(id)+"/settings")
}

// paperPage is what was counted on paper.
type paperPage struct {
	web.Page
	Petition  models.Petition
	Rows      paging.Page[petitions.PaperRow]
	Districts []web.Option
	Form      paperForm
}

type paperForm struct {
	Do        string    `form:"do,max=20"`
	ID        uuid.UUID `form:"id"`
	Count     int       `form:"count"`
	Typed     string    `form:"count,max=40"`
	Division  string    `form:"division,max=40"`
	Collected string    `form:"collected,max=20"`
	Note      string    `form:"note,max=200"`
}

func (h *moderation) paperPage(c *fiber.Ctx) (*paperPage, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return nil, err
	}
	rows, err := h.petitions.Paper(ctx, a, id, after)
	if err != nil {
		return nil, err
	}
	row, err := h.petitions.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	list, err := h.petitions.Districts(ctx, a, row.DistrictKind)
	if err != nil {
		return nil, err
	}
	p := &paperPage{Page: h.web.Page(c, "moderate.paper", "petitions"), Petition: row, Rows: rows}
	if len(list) > 0 {
		p.Districts = []web.Option{{Value: "", Label: p.T("moderate.paper_district_none")}}
	}
	for _, d := range list {
		p.Districts = append(p.Districts, web.Option{Value: d.ID.String(), Label: d.Name})
	}
	return p, nil
}

func (h *moderation) paper(c *fiber.Ctx) error {
	p, err := h.paperPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/paper", p)
}

func (h *moderation) savePaper(c *fiber.Ctx) error {
	p, err := h.paperPage(c)
	if err != nil {
		return err
	}
	ctx, a, id := c.UserContext(), h.web.Actor(c), p.Petition.ID
	err = web.Bind(c, &p.Form)
	switch {
	case err != nil:
	case p.Form.Do == "add":
		in := petitions.PaperInput{Count: p.Form.Count, Note: p.Form.Note}
		if p.Form.Division != "" {
			if in.Division, err = uuid.Parse(p.Form.Division); err != nil {
				err = fault.Fields{{Name: "division", Key: "error.value_unknown"}}.Err()
				break
			}
		}
		if day, wrong := time.ParseInLocation(time.DateOnly, p.Form.Collected, zoneOf(p.Page)); wrong == nil {
			in.CollectedAt = day
		}
		if _, err = h.petitions.AddPaper(ctx, a, id, in); err == nil {
			h.web.Flash(c, "good", "moderate.paper_added", "Count", in.Count)
		}
	case p.Form.Do == "remove", p.Form.Do == "restore":
		if p.Form.Do == "remove" {
			_, err = h.petitions.RemovePaper(ctx, a, id, p.Form.ID)
		} else {
			_, err = h.petitions.RestorePaper(ctx, a, id, p.Form.ID)
		}
		if err == nil {
			h.web.Flash(c, "good", "moderate.paper_did_"+p.Form.Do)
		}
	default:
		err = fault.New(fault.Invalid, "error.value_unknown")
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/paper", p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, showPath(id)+"/paper")
}

// commentParts is what the partials about comments need.
type commentParts struct {
	Queue   []petitions.QueuedComment
	Waiting int
	Undo    []string // ids of those that were judged a moment ago
	Hid     bool     // kept hidden, else shown
}

// Ordinary are the comments of the page without words of self-harm: those can be shown together.
func (p commentParts) Ordinary() []petitions.QueuedComment {
	var out []petitions.QueuedComment
	for _, q := range p.Queue {
		if !q.Crisis {
			out = append(out, q)
		}
	}
	return out
}

// readUndo takes from the address what can be undone, as packUndo put it there. What cannot be read is not there.
func (p *commentParts) readUndo(packed string) {
	list, hid := strings.CutPrefix(packed, "h.")
	b, err := base64.RawURLEncoding.DecodeString(list)
	if err != nil || len(b)%16 != 0 || len(b) > 50*16 {
		return
	}
	for part := range slices.Chunk(b, 16) {
		p.Undo = append(p.Undo, uuid.UUID(part).String())
	}
	p.Hid = hid && len(p.Undo) > 0
}

func packUndo(hid bool, ids ...uuid.UUID) string {
	var b []byte
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	out := base64.RawURLEncoding.EncodeToString(b)
	if hid {
		out = "h." + out
	}
	return out
}

// commentsPath is where one goes back to after judging comments: a page of this part of the site.
func commentsPath(next, undo string) string {
	to, _, _ := strings.Cut(next, "?")
	to, _, _ = strings.Cut(to, "#")
	if to == "" || !strings.HasPrefix(to, "/admin/petitions/") {
		to = "/admin/petitions/comments"
	}
	if undo != "" {
		to += "?undo=" + undo
	}
	return to + "#comments"
}

func (h *moderation) judgeAll(c *fiber.Ctx) error {
	var f struct {
		Do       string   `form:"do,max=10"`
		Next     string   `form:"next,max=200"`
		Comments []string `form:"comment,max=60"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	var read []petitions.Read
	for _, x := range f.Comments {
		id, mark, _ := strings.Cut(x, ".")
		parsed, err := uuid.Parse(id)
		if err != nil {
			return fault.New(fault.Invalid, "error.value_unknown")
		}
		read = append(read, petitions.Read{ID: parsed, Mark: mark})
	}
	done, err := h.petitions.DecideComments(c.UserContext(), h.web.Actor(c), read, petitions.CommentVerdict(f.Do))
	if err != nil {
		return err
	}
	undo := ""
	switch {
	case len(done) == 0:
		h.web.Flash(c, "warn", "moderate.comments_none_done")
	case f.Do == string(petitions.WaitComment):
		h.web.Flash(c, "good", "moderate.undone")
	default:
		var ids []uuid.UUID
		for _, q := range done {
			ids = append(ids, q.ID)
		}
		undo = packUndo(false, ids...)
	}
	return web.SeeOther(c, commentsPath(f.Next, undo))
}

func (h *moderation) away(c *fiber.Ctx) error {
	var f struct {
		Do    string `form:"do,max=10"`
		Until string `form:"until,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if f.Do == "here" {
		if err := h.petitions.SetAway(ctx, a, nil); err != nil {
			return err
		}
		h.web.Flash(c, "good", "moderate.away_ended")
		return web.SeeOther(c, "/admin/account#part-away")
	}
	until, err := time.ParseInLocation(time.DateOnly, f.Until, zoneOf(h.web.Blank(ctx, "", c.Path())))
	if err != nil {
		until = time.Time{} // which is over
	}
	err = h.petitions.SetAway(ctx, a, &until)
	if _, invalid := web.Invalid(err); invalid {
		h.web.Flash(c, "warn", "error.review_away_until")
		return web.SeeOther(c, "/admin/account#part-away")
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "moderate.away_did")
	return web.SeeOther(c, "/admin/account#part-away")
}

type hoursPage struct {
	web.Page
	Near, Due string
}

func (h *moderation) hours(c *fiber.Ctx) error {
	near, due, err := h.org.ReviewHours(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	p := hoursPage{Page: h.web.Page(c, "settings.title", "settings")}
	p.Near, p.Due = p.Digits(int64(near)), p.Digits(int64(due))
	return h.web.Render(c, "admin/settings/review", &p)
}

func (h *moderation) saveHours(c *fiber.Ctx) error {
	if _, _, err := h.org.ReviewHours(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	p := hoursPage{Page: h.web.Page(c, "settings.title", "settings")}
	var f struct {
		Near int `form:"near"`
		Due  int `form:"due"`
	}
	err := web.Bind(c, &f)
	if err == nil {
		err = h.org.SetReviewHours(c.UserContext(), h.web.Actor(c), f.Near, f.Due)
	}
	if p.Failed(err) {
		p.Near, p.Due = p.Digits(int64(f.Near)), p.Digits(int64(f.Due))
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/settings/review", &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings/review")
}
