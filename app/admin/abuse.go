package admin

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type abusePages struct {
	web       *web.Web
	abuse     *abuse.Service
	petitions *petitions.Service
	clk       clock.Clock
}

// MountAbuse puts the pages in place by which organizers look after what signatures are worth: /admin/abuse with the rules, and
// /admin/petitions/:id/trust with what is suspect, windows, and taking signatures out of the count.
func MountAbuse(r fiber.Router, w *web.Web, s *abuse.Service, p *petitions.Service, clk clock.Clock) {
	h := &abusePages{w, s, p, clk}
	r.Get("/admin/abuse", w.Signed, h.rules)
	r.Post("/admin/abuse", w.Signed, h.addRule)
	r.Post("/admin/abuse/:rule/end", w.Signed, h.endRule)
	const trust = "/admin/petitions/:id/trust"
	r.Get(trust, w.Signed, h.trust)
	r.Post(trust+"/suspect", w.Signed, h.suspect)
	r.Post(trust+"/windows", w.Signed, h.openWindow)
	r.Post(trust+"/windows/:window/close", w.Signed, h.closeWindow)
	r.Post(trust+"/breaker", w.Signed, h.closeBreaker)
	r.Get(trust+"/out", w.Signed, h.choose)
	r.Post(trust+"/out", w.Signed, h.takeOut)
	r.Get(trust+"/out/:work", w.Signed, h.work)
	r.Post(trust+"/out/:work/revert", w.Signed, h.revert)
}

type ruleForm struct {
	Effect  string `form:"effect,max=20"`
	Subject string `form:"subject,max=20"`
	Value   string `form:"value,max=300"`
	Note    string `form:"note,max=300"`
}

type rulesPage struct {
	web.Page
	Form ruleForm
	Rows paging.Page[abuse.Rule]
}

func (h *abusePages) rules(c *fiber.Ctx) error {
	p := rulesPage{Page: h.web.Page(c, "abuse.rules_title", "abuse")}
	p.Form.Effect, p.Form.Subject = abuse.EffectBlock, abuse.SubjectDomain
	return h.renderRules(c, fiber.StatusOK, &p)
}

func (h *abusePages) renderRules(c *fiber.Ctx, status int, p *rulesPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	if p.Rows, err = h.abuse.Rules(c.UserContext(), h.web.Actor(c), after); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/abuse/rules", p)
}

func (h *abusePages) addRule(c *fiber.Ctx) error {
	p := rulesPage{Page: h.web.Page(c, "abuse.rules_title", "abuse")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		_, err = h.abuse.AddRule(c.UserContext(), h.web.Actor(c), abuse.RuleInput{Effect: p.Form.Effect, Subject: p.Form.Subject, Value: p.Form.Value, Note: p.Form.Note})
	}
	if p.Failed(err) {
		return h.renderRules(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "abuse.rule_added")
	return web.SeeOther(c, "/admin/abuse")
}

func (h *abusePages) endRule(c *fiber.Ctx) error {
	id, err := paramID(c, "rule", "error.not_found")
	if err != nil {
		return err
	}
	if err := h.abuse.EndRule(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "abuse.rule_ended")
	return web.SeeOther(c, "/admin/abuse")
}

func trustPath(id uuid.UUID) string { return showPath(id) + "/trust" }

type windowForm struct {
	Note  string `form:"note,max=300"`
	From  string `form:"from,max=20"`
	Until string `form:"until,max=20"`
	All   bool   `form:"all"`
}

// localTime is how a browser's field for date and time writes one.
const localTime = "2006-01-02T15:04"

// moment reads such a field; nil where it is empty, and where it cannot be read the zero time, which no form takes.
func moment(v string, zone *time.Location) *time.Time {
	if v == "" {
		return nil
	}
	t, _ := time.ParseInLocation(localTime, v, zone)
	t = t.UTC()
	return &t
}

// trustPage is what there is to see about the signatures of a petition.
type trustPage struct {
	web.Page
	Trust petitions.Trust
	Chart web.Bars
	Form  windowForm
	Base  string
}

func (h *abusePages) trust(c *fiber.Ctx) error {
	p := trustPage{Page: h.web.Page(c, "abuse.trust_title", "petitions")}
	now := h.clk.Now().In(zoneOf(p.Page))
	p.Form.From, p.Form.Until = now.Format(localTime), now.Add(4*time.Hour).Format(localTime)
	return h.renderTrust(c, fiber.StatusOK, &p)
}

func (h *abusePages) renderTrust(c *fiber.Ctx, status int, p *trustPage) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	if p.Trust, err = h.petitions.Trust(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.fill(h.clk.Now())
	return h.web.RenderStatus(c, status, "admin/abuse/trust", p)
}

// fill makes of what was read what the page shows.
func (p *trustPage) fill(now time.Time) {
	t := &p.Trust
	p.Base = trustPath(t.Petition.ID)
	t.Windows = keepIf(t.Windows, func(w models.SigningWindow) bool { return w.EndedAt == nil && now.Before(w.UntilAt) })
	p.Chart = web.Bars{
		ID: "hours", Title: p.T("abuse.hours"), RowHead: p.T("abuse.hour"), Series: []string{p.T("abuse.usual"), p.T("abuse.suspect")}, TableName: p.T("abuse.hours_table"), Format: p.Digits, Marks: 2,
	}
	signed, confirmed, suspect := 0, 0, 0
	for _, hour := range t.Hours {
		signed, confirmed, suspect = signed+hour.Signed, confirmed+hour.Confirmed, suspect+hour.Suspect
		s := min(hour.Suspect, hour.Signed)
		p.Chart.Rows = append(p.Chart.Rows, web.BarRow{Label: p.DateTime(hour.Hour), Mark: p.Date(hour.Hour), Values: []int64{int64(hour.Signed - s), int64(s)}})
	}
	p.Chart.Say = p.T("abuse.hours_say", "Signed", p.Number(signed), "Confirmed", p.Number(confirmed), "Suspect", p.Number(suspect))
}

func keepIf[T any](rows []T, keep func(T) bool) []T {
	var out []T
	for _, r := range rows {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out
}

// suspect lets all suspect signatures of a reason in, or takes them out.
func (h *abusePages) suspect(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f struct {
		Do     string `form:"do,max=10"`
		Reason string `form:"reason,max=40"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if err := h.web.Actor(c).Need(actor.ModeratePetition); err != nil { // before what was sent is looked at
		return err
	}
	if f.Do != "let" && f.Do != "out" || f.Reason == "" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	p := h.web.Page(c, "abuse.trust_title", "petitions")
	cond := petitions.Condition{Reason: f.Reason, Let: f.Do == "let"}
	work, err := h.petitions.Invalidate(c.UserContext(), h.web.Actor(c), id, cond, p.T("abuse.why_"+f.Do))
	if err != nil {
		return err
	}
	return web.SeeOther(c, trustPath(id)+"/out/"+work.String())
}

func (h *abusePages) openWindow(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	p := trustPage{Page: h.web.Page(c, "abuse.trust_title", "petitions")}
	err = web.Bind(c, &p.Form)
	if err == nil {
		in := abuse.WindowInput{PetitionID: id, Note: p.Form.Note}
		if p.Form.All {
			in.PetitionID = uuid.Nil
		}
		for _, t := range []struct {
			to *time.Time
			v  string
		}{{&in.From, p.Form.From}, {&in.Until, p.Form.Until}} {
			if at := moment(t.v, zoneOf(p.Page)); at != nil {
				*t.to = *at
			}
		}
		_, err = h.abuse.OpenWindow(c.UserContext(), h.web.Actor(c), in)
	}
	if p.Failed(err) {
		return h.renderTrust(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "abuse.window_opened")
	return web.SeeOther(c, trustPath(id)+"#windows")
}

func (h *abusePages) closeWindow(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	window, err := paramID(c, "window", "error.not_found")
	if err != nil {
		return err
	}
	if err := h.abuse.CloseWindow(c.UserContext(), h.web.Actor(c), window); err != nil {
		return err
	}
	h.web.Flash(c, "good", "abuse.window_closed")
	return web.SeeOther(c, trustPath(id)+"#windows")
}

func (h *abusePages) closeBreaker(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	if err := h.petitions.CloseBreaker(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "abuse.breaker_closed")
	return web.SeeOther(c, trustPath(id))
}

type outForm struct {
	From   string `form:"from,max=20"`
	Until  string `form:"until,max=20"`
	Domain string `form:"domain,max=300"`
	Source string `form:"source,max=100"`
	Reason string `form:"reason,max=40"`
	Flag   string `form:"flag,max=40"`
	Device string `form:"device,max=64"`
	Why    string `form:"why,max=500,lines"`
}

func (f outForm) condition(zone *time.Location) petitions.Condition {
	return petitions.Condition{
		From: moment(f.From, zone), Until: moment(f.Until, zone), Domain: f.Domain, Source: f.Source, Reason: f.Reason, Flag: f.Flag, Device: f.Device,
	}
}

// outPage is where signatures are picked by a condition; with Counted it says how many those are, and asks whether they go.
type outPage struct {
	web.Page
	Petition models.Petition
	Base     string
	Form     outForm
	Sources  []web.Option
	Reasons  []web.Option
	Flags    []web.Option
	Counted  bool
	Matches  petitions.Matches
	Chart    web.Bars
}

// All is how many signatures the condition changes.
func (p outPage) All() int { return p.Matches.Count + p.Matches.Waiting }

func (h *abusePages) choose(c *fiber.Ctx) error {
	p := outPage{Page: h.web.Page(c, "abuse.out_title", "petitions")}
	p.Form = outForm{
		From: c.Query("from"), Until: c.Query("until"), Domain: c.Query("domain"), Source: c.Query("source"), Reason: c.Query("reason"), Flag: c.Query("flag"), Device: c.Query("device"),
	}
	return h.renderOut(c, fiber.StatusOK, &p, c.Query("do") == "count" || p.Form.Device != "" && c.Query("do") == "")
}

// renderOut shows the form, and what its condition picks where count says so.
func (h *abusePages) renderOut(c *fiber.Ctx, status int, p *outPage, count bool) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	sources, err := h.petitions.TrustSources(ctx, a, id)
	if err != nil {
		return err
	}
	if p.Petition, err = h.petitions.Get(ctx, a, id); err != nil {
		return err
	}
	p.fill(sources)
	if count {
		p.Matches, err = h.petitions.Match(ctx, a, id, p.Form.condition(zoneOf(p.Page)))
		switch {
		case p.Failed(err):
			if status == fiber.StatusOK {
				status = fiber.StatusUnprocessableEntity
			}
		case err != nil:
			return err
		default:
			p.counted()
		}
	}
	return h.web.RenderStatus(c, status, "admin/abuse/out", p)
}

func (p *outPage) fill(sources []string) {
	p.Base = trustPath(p.Petition.ID)
	anything := web.Option{Value: "", Label: p.T("abuse.any")}
	p.Sources, p.Reasons, p.Flags = []web.Option{anything, {Value: petitions.SourceDirect, Label: p.T("petition.source_direct")}}, []web.Option{anything}, []web.Option{anything}
	for _, s := range sources {
		p.Sources = append(p.Sources, web.Option{Value: s, Label: s})
	}
	for _, r := range petitions.SuspectReasons {
		p.Reasons = append(p.Reasons, web.Option{Value: r, Label: p.T("abuse.reason_" + r)})
	}
	for _, f := range abuse.Flags {
		p.Flags = append(p.Flags, web.Option{Value: f, Label: p.T("abuse.flag_" + f)})
	}
}

func (p *outPage) counted() {
	p.Counted = true
	p.Chart = web.Bars{ID: "matched", Title: p.T("abuse.matched_hours"), RowHead: p.T("abuse.hour"), Series: []string{p.T("abuse.signed")}, TableName: p.T("abuse.hours_table"), Format: p.Digits}
	mark := p.Time
	if len(p.Matches.Hours) > 24 { // a time of day says nothing any more
		mark, p.Chart.Marks = p.Date, 2
	}
	for _, m := range p.Matches.Hours {
		p.Chart.Rows = append(p.Chart.Rows, web.BarRow{Label: p.DateTime(m.Hour), Mark: mark(m.Hour), Values: []int64{int64(m.Count)}})
	}
}

func (h *abusePages) takeOut(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	p := outPage{Page: h.web.Page(c, "abuse.out_title", "petitions")}
	var work uuid.UUID
	if err = web.Bind(c, &p.Form); err == nil {
		work, err = h.petitions.Invalidate(c.UserContext(), h.web.Actor(c), id, p.Form.condition(zoneOf(p.Page)), p.Form.Why)
	}
	switch {
	case p.Failed(err):
		return h.renderOut(c, fiber.StatusUnprocessableEntity, &p, !p.wrongCondition())
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.renderOut(c, fiber.StatusConflict, &p, true)
	case err != nil:
		return err
	}
	return web.SeeOther(c, trustPath(id)+"/out/"+work.String())
}

// wrongCondition reports whether something else is wrong than the reason.
func (p *outPage) wrongCondition() bool {
	for _, e := range p.Errors {
		if e.Name != "why" {
			return true
		}
	}
	return false
}

// workPage follows an invalidation on its way.
type workPage struct {
	web.Page
	Petition  models.Petition
	Base      string
	Work      models.Invalidation
	Condition []conditionLine
	Let       bool
	Moving    bool
	Undoable  bool
	Done, Of  int
}

// conditionLine is a part of a condition in words.
type conditionLine struct{ Label, Value string }

func (h *abusePages) work(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	work, err := paramID(c, "work", "error.not_found")
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := workPage{Page: h.web.Page(c, "abuse.work_title", "petitions")}
	row, cond, err := h.petitions.Invalidation(ctx, a, id, work)
	if err != nil {
		return err
	}
	if p.Petition, err = h.petitions.Get(ctx, a, id); err != nil {
		return err
	}
	p.fill(row, cond)
	return h.web.Render(c, "admin/abuse/work", &p)
}

func (p *workPage) fill(row models.Invalidation, c petitions.Condition) {
	p.Work, p.Let, p.Base = row, c.Let, trustPath(row.PetitionID)
	if c.Let {
		p.Title = p.T("abuse.work_let_title")
	}
	p.Moving = row.State == petitions.InvalidationWaiting || row.State == petitions.InvalidationRunning || row.State == petitions.InvalidationReverting
	p.Undoable = row.State != petitions.InvalidationReverting && row.State != petitions.InvalidationReverted
	p.Done, p.Of = row.DoneCount, max(row.Matched, row.DoneCount)
	if !p.Undoable {
		p.Done, p.Of = row.RevertedCount, max(row.DoneCount, row.RevertedCount)
	}
	add := func(key, value string) {
		p.Condition = append(p.Condition, conditionLine{p.T(key), value})
	}
	if c.From != nil {
		add("abuse.from", p.DateTime(*c.From))
	}
	if c.Until != nil {
		add("abuse.until", p.DateTime(*c.Until))
	}
	if c.Domain != "" {
		add("abuse.domain", c.Domain)
	}
	switch c.Source {
	case "":
	case petitions.SourceDirect:
		add("abuse.source", p.T("petition.source_direct"))
	default:
		add("abuse.source", c.Source)
	}
	if c.Reason != "" {
		add("abuse.reason", p.T("abuse.reason_"+c.Reason))
	}
	if c.Flag != "" {
		add("abuse.flag", p.T("abuse.flag_"+c.Flag))
	}
	if c.Device != "" {
		add("abuse.device", c.Device[:8])
	}
}

func (h *abusePages) revert(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	work, err := paramID(c, "work", "error.not_found")
	if err != nil {
		return err
	}
	if err := h.petitions.Revert(c.UserContext(), h.web.Actor(c), id, work); err != nil {
		return err
	}
	return web.SeeOther(c, trustPath(id)+"/out/"+work.String())
}
