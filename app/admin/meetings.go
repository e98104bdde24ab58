package admin

import (
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/meetings"
	"kithline/models"
)

type meetingAdmin struct {
	web      *web.Web
	meetings *meetings.Service
}

// MountMeetings puts the organizer's side of meetings with offices in place: /admin/meetings and below. The id is the roster's.
func MountMeetings(r fiber.Router, w *web.Web, s *meetings.Service) {
	h := &meetingAdmin{w, s}
	r.Get("/admin/meetings", w.Signed, h.days)
	r.Get("/admin/meetings/:id", w.Signed, h.list)
	r.Get("/admin/meetings/:id/plan", w.Signed, h.plan)
	r.Post("/admin/meetings/:id/plan", w.Signed, h.savePlan)
	r.Get("/admin/meetings/:id/build", w.Signed, h.buildForm)
	r.Post("/admin/meetings/:id/build", w.Signed, h.build)
	r.Get("/admin/meetings/:id/import", w.Signed, h.importForm)
	w.AllowStream("/admin/meetings/:id/import", meetings.MaxImport+1<<16) // the form around the file
	r.Post("/admin/meetings/:id/import", w.Signed, h.importList)
	r.Get("/admin/meetings/:id/new", w.Signed, h.newForm)
	r.Post("/admin/meetings/:id/new", w.Signed, h.add)
	r.Get("/admin/meetings/:id/people", w.Signed, h.people)
	r.Get("/admin/meetings/:id/board", w.Signed, h.board)
	r.Get("/admin/meetings/:id/report", w.Signed, h.report)
	r.Post("/admin/meetings/:id/log", w.Signed, h.log)
	r.Post("/admin/meetings/:id/send", w.Signed, h.send)
	r.Post("/admin/meetings/:id/packs", w.Signed, h.packs)
	r.Get("/admin/meetings/:id/at/:meeting", w.Signed, h.show)
	r.Get("/admin/meetings/:id/at/:meeting/edit", w.Signed, h.edit)
	r.Post("/admin/meetings/:id/at/:meeting/edit", w.Signed, h.save)
	r.Post("/admin/meetings/:id/at/:meeting/cancel", w.Signed, h.cancel)
	r.Post("/admin/meetings/:id/at/:meeting/late", w.Signed, h.late)
	r.Post("/admin/meetings/:id/at/:meeting/notes", w.Signed, h.note)
	r.Post("/admin/meetings/:id/at/:meeting/thanked", w.Signed, h.thanked)
	r.Post("/admin/meetings/:id/at/:meeting/followed", w.Signed, h.followed)
	r.Post("/admin/meetings/:id/at/:meeting/pack", w.Signed, h.pack)
	r.Post("/admin/meetings/:id/at/:meeting/host", w.Signed, h.host)
}

func meetingsPath(roster uuid.UUID) string { return "/admin/meetings/" + roster.String() }

// meetingBase is what the pages of a roster's meetings have in common.
type meetingBase struct {
	web.Page
	Roster models.Roster
}

// Base is the address of the roster's meetings.
func (p meetingBase) Base() string { return meetingsPath(p.Roster.ID) }

// RoleName is what a role of a team is called; a role that no meeting has by itself goes by its own name.
func (p meetingBase) RoleName(k models.RoleKind, own string) string {
	if slices.Contains(meetings.TeamRoles, k) {
		return p.T("meetings.role_" + string(k))
	}
	return own
}

// At is the address of one of them.
func (p meetingBase) At(id uuid.UUID) string { return p.Base() + "/at/" + id.String() }

// Moment words a time in the roster's zone.
func (p meetingBase) Moment(t time.Time) string {
	t = t.In(meetings.Zone(p.Roster))
	return web.Weekday(p.Lang, t) + ", " + t.Format("15:04")
}

// Clock is the time of day in the roster's zone.
func (p meetingBase) Clock(t time.Time) string {
	return t.In(meetings.Zone(p.Roster)).Format("15:04")
}

// DayOf is the day in the roster's zone.
func (p meetingBase) DayOf(t time.Time) string {
	return web.Weekday(p.Lang, t.In(meetings.Zone(p.Roster)))
}

// Tone is the colour of a meeting's state.
func (meetingBase) Tone(s models.MeetingState) string {
	switch s {
	case models.MeetingHeld:
		return "on"
	case models.MeetingCancelled:
		return "warn"
	}
	return ""
}

// Modes are the ways to meet.
func (p meetingBase) Modes() []web.Option {
	var out []web.Option
	for _, m := range meetings.Modes {
		out = append(out, web.Option{Value: string(m), Label: p.T("meetings.mode_" + string(m))})
	}
	return out
}

func rosterID(c *fiber.Ctx) (uuid.UUID, error) {
	return paramID(c, "id", "error.meetings_roster_unknown")
}

type meetingDays struct {
	web.Page
	Rows []meetings.Day
}

// Path is where a roster's meetings are.
func (meetingDays) Path(d meetings.Day) string { return meetingsPath(d.ID) }

// DayOf is the first day of a roster's meetings, in its zone.
func (p meetingDays) DayOf(d meetings.Day) string {
	if d.FirstAt == nil {
		return ""
	}
	return web.Weekday(p.Lang, d.FirstAt.In(meetings.Zone(d.Roster)))
}

func (h *meetingAdmin) days(c *fiber.Ctx) error {
	p := meetingDays{Page: h.web.Page(c, "meetings.title", "meetings")}
	var err error
	if p.Rows, err = h.meetings.Days(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/days", &p)
}

type meetingList struct {
	meetingBase
	Rows []meetings.View
	Plan meetings.Plan
}

// Planned reports whether there is a meeting that can be prepared.
func (p meetingList) Planned() bool {
	return slices.ContainsFunc(p.Rows, func(v meetings.View) bool { return v.State == models.MeetingPlanned })
}

func (h *meetingAdmin) list(c *fiber.Ctx) error {
	id, err := rosterID(c)
	if err != nil {
		return err
	}
	p := meetingList{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.title", "meetings")}}
	if p.Roster, p.Rows, err = h.meetings.List(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if _, p.Plan, err = h.meetings.Plan(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.Title = p.T("meetings.of", "Roster", p.Roster.Title)
	return h.web.Render(c, "admin/meetings/list", &p)
}

// meetingPlanForm is what the meetings of a roster have in common.
type meetingPlanForm struct {
	LetterCampaign     string `form:"letter_campaign,max=40"`
	Asks               string `form:"asks,max=2000,lines"`
	Point1             string `form:"point_1,max=400"`
	SourceTitle1       string `form:"source_title_1,max=200"`
	SourceURL1         string `form:"source_url_1,max=500"`
	Point2             string `form:"point_2,max=400"`
	SourceTitle2       string `form:"source_title_2,max=200"`
	SourceURL2         string `form:"source_url_2,max=500"`
	Point3             string `form:"point_3,max=400"`
	SourceTitle3       string `form:"source_title_3,max=200"`
	SourceURL3         string `form:"source_url_3,max=500"`
	Point4             string `form:"point_4,max=400"`
	SourceTitle4       string `form:"source_title_4,max=200"`
	SourceURL4         string `form:"source_url_4,max=500"`
	Point5             string `form:"point_5,max=400"`
	SourceTitle5       string `form:"source_title_5,max=200"`
	SourceURL5         string `form:"source_url_5,max=500"`
	Leader             string `form:"leader,max=5"`
	LeaderMinimum      string `form:"leader_minimum,max=5"`
	Storyteller        string `form:"storyteller,max=5"`
	StorytellerMinimum string `form:"storyteller_minimum,max=5"`
	Asker              string `form:"asker,max=5"`
	AskerMinimum       string `form:"asker_minimum,max=5"`
	Notes              string `form:"notes,max=5"`
	NotesMinimum       string `form:"notes_minimum,max=5"`
	Minutes            string `form:"minutes,max=5"`
	BlockMinutes       string `form:"block_minutes,max=5"`
	BreakMinutes       string `form:"break_minutes,max=5"`
	Revision           int    `form:"revision"`
}

func (f *meetingPlanForm) points() []*[3]*string {
	return []*[3]*string{
		{&f.Point1, &f.SourceTitle1, &f.SourceURL1},
		{&f.Point2, &f.SourceTitle2, &f.SourceURL2},
		{&f.Point3, &f.SourceTitle3, &f.SourceURL3},
		{&f.Point4, &f.SourceTitle4, &f.SourceURL4},
		{&f.Point5, &f.SourceTitle5, &f.SourceURL5},
	}
}

// roles are the fields of a role: its places, and its minimum.
func (f *meetingPlanForm) roles() map[models.RoleKind][2]*string {
	return map[models.RoleKind][2]*string{
		models.RoleLeader: {&f.Leader, &f.LeaderMinimum}, models.RoleStoryteller: {&f.Storyteller, &f.StorytellerMinimum}, models.RoleAsker: {&f.Asker, &f.AskerMinimum},
		models.RoleNotes: {&f.Notes, &f.NotesMinimum},
	}
}

func meetingPlanFormOf(p meetings.Plan) meetingPlanForm {
	f := meetingPlanForm{Asks: byLines(p.Asks), Minutes: strconv.Itoa(p.Minutes), BlockMinutes: strconv.Itoa(p.BlockMinutes), BreakMinutes: strconv.Itoa(p.BreakMinutes), Revision: p.Revision}
	if p.LetterCampaignID != nil {
		f.LetterCampaign = p.LetterCampaignID.String()
	}
	points := f.points()
	for i, x := range p.Points[:min(len(p.Points), len(points))] {
		*points[i][0], *points[i][1], *points[i][2] = x.Body, x.SourceTitle, x.SourceURL
	}
	for k, at := range f.roles() {
		*at[0], *at[1] = strconv.Itoa(p.Roles[k].Places), strconv.Itoa(p.Roles[k].Minimum)
	}
	return f
}

func (f *meetingPlanForm) plan() meetings.Plan {
	p := meetings.Plan{
		Asks: linesOf(f.Asks), Roles: map[models.RoleKind]meetings.Count{}, Minutes: typedNumber(f.Minutes), BlockMinutes: typedNumber(f.BlockMinutes),
		BreakMinutes: typedNumber(f.BreakMinutes), Revision: f.Revision,
	}
	if f.LetterCampaign != "" {
		id := choiceID(f.LetterCampaign)
		p.LetterCampaignID = &id
	}
	for _, at := range f.points() {
		p.Points = append(p.Points, meetings.Point{Body: *at[0], SourceTitle: *at[1], SourceURL: *at[2]})
	}
	for k, at := range f.roles() {
		p.Roles[k] = meetings.Count{Places: typedNumber(*at[0]), Minimum: typedNumber(*at[1])}
	}
	return p
}

type meetingPlanPage struct {
	meetingBase
	Form      meetingPlanForm
	Campaigns []web.Option
}

// PointField is a point with its source, as the form has it.
type PointField struct {
	N                int
	Body, Title, URL string
}

// Points are the fields of the points.
func (p *meetingPlanPage) Points() []PointField {
	var out []PointField
	for i, at := range p.Form.points() {
		out = append(out, PointField{N: i + 1, Body: *at[0], Title: *at[1], URL: *at[2]})
	}
	return out
}

// RoleField is a role with how many it has.
type RoleField struct {
	Kind            models.RoleKind
	Name            string
	Places, Minimum string
}

// Roles are the fields of the roles.
func (p *meetingPlanPage) Roles() []RoleField {
	var out []RoleField
	at := p.Form.roles()
	for _, k := range meetings.TeamRoles {
		out = append(out, RoleField{k, p.T("meetings.role_" + string(k)), *at[k][0], *at[k][1]})
	}
	return out
}

func (h *meetingAdmin) planPage(c *fiber.Ctx) (*meetingPlanPage, error) {
	id, err := rosterID(c)
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := &meetingPlanPage{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.plan", "meetings")}}
	var plan meetings.Plan
	if p.Roster, plan, err = h.meetings.Plan(ctx, a, id); err != nil {
		return nil, err
	}
	p.Form = meetingPlanFormOf(plan)
	list, err := h.meetings.LetterCampaigns(ctx, a)
	if err != nil {
		return nil, err
	}
	p.Campaigns = []web.Option{{Label: p.T("meetings.no_letters")}}
	for _, x := range list {
		p.Campaigns = append(p.Campaigns, web.Option{Value: x.ID.String(), Label: x.Title})
	}
	return p, nil
}

func (h *meetingAdmin) plan(c *fiber.Ctx) error {
	p, err := h.planPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/plan", p)
}

func (h *meetingAdmin) savePlan(c *fiber.Ctx) error {
	p, err := h.planPage(c)
	if err != nil {
		return err
	}
	stored := p.Form.Revision
	p.Form = meetingPlanForm{}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.meetings.SavePlan(c.UserContext(), h.web.Actor(c), p.Roster.ID, p.Form.plan())
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/meetings/plan", p)
	case fault.Is(err, fault.Conflict): // what was typed stays; saving again keeps it
		p.Form.Revision = stored
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/plan", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "meetings.saved")
	return web.SeeOther(c, p.Base())
}

// meetingBuildForm says which offices are met.
type meetingBuildForm struct {
	Chambers []string `form:"chambers,max=40"`
	Day      string   `form:"day,max=20"`
	From     string   `form:"from,max=10"`
	Until    string   `form:"until,max=10"`
	Mode     string   `form:"mode,max=20"`
	Do       string   `form:"do,max=10"`
}

func (f meetingBuildForm) input() meetings.BuildInput {
	in := meetings.BuildInput{Day: f.Day, From: f.From, Until: f.Until, Mode: models.MeetingMode(f.Mode)}
	for _, x := range f.Chambers {
		in.Chambers = append(in.Chambers, choiceID(x))
	}
	return in
}

type meetingBuild struct {
	meetingBase
	Form      meetingBuildForm
	Plan      meetings.Plan
	Bodies    []legislators.ChamberChoice
	Proposals []meetings.Proposal
}

// Chambers are the bodies to choose from.
func (p meetingBuild) Chambers() []web.Option {
	var out []web.Option
	for _, b := range p.Bodies {
		out = append(out, web.Option{Value: b.ID.String(), Label: b.Jurisdiction + ": " + b.Name})
	}
	return out
}

func (h *meetingAdmin) buildPage(c *fiber.Ctx) (*meetingBuild, error) {
	id, err := rosterID(c)
	if err != nil {
		return nil, err
	}
	p := &meetingBuild{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.build", "meetings")}, Form: meetingBuildForm{From: "09:00", Until: "17:00", Mode: string(models.MeetingVideo)}}
	if p.Roster, p.Plan, err = h.meetings.Plan(c.UserContext(), h.web.Actor(c), id); err != nil {
		return nil, err
	}
	p.Bodies, err = h.meetings.Chambers(c.UserContext(), h.web.Actor(c))
	return p, err
}

func (h *meetingAdmin) buildForm(c *fiber.Ctx) error {
	p, err := h.buildPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/build", p)
}

// build shows what would be made, or makes it.
func (h *meetingAdmin) build(c *fiber.Ctx) error {
	p, err := h.buildPage(c)
	if err != nil {
		return err
	}
	p.Form = meetingBuildForm{}
	n := 0
	if err = web.Bind(c, &p.Form); err == nil {
		if p.Form.Do == "make" {
			n, err = h.meetings.Build(c.UserContext(), h.web.Actor(c), p.Roster.ID, p.Form.input())
		} else {
			p.Proposals, err = h.meetings.Propose(c.UserContext(), h.web.Actor(c), p.Roster.ID, p.Form.input())
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/meetings/build", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/build", p)
	case err != nil:
		return err
	case p.Form.Do != "make":
		return h.web.Render(c, "admin/meetings/build", p)
	}
	h.web.Flash(c, "good", "meetings.made", "Count", n)
	return web.SeeOther(c, p.Base())
}

type meetingImport struct {
	meetingBase
	Bad []meetings.BadLine
}

// Columns are those of the list.
func (meetingImport) Columns() (out []string) {
	for _, c := range meetings.Columns {
		out = append(out, c.Name)
	}
	return out
}

// Why is what is wrong with a line.
func (p meetingImport) Why(b meetings.BadLine) string { return p.T(b.Key, b.Args...) }

func (h *meetingAdmin) importPage(c *fiber.Ctx) (*meetingImport, error) {
	id, err := rosterID(c)
	if err != nil {
		return nil, err
	}
	p := &meetingImport{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.import", "meetings")}}
	p.Roster, _, err = h.meetings.Plan(c.UserContext(), h.web.Actor(c), id)
	return p, err
}

func (h *meetingAdmin) importForm(c *fiber.Ctx) error {
	p, err := h.importPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/import", p)
}

func (h *meetingAdmin) importList(c *fiber.Ctx) error {
	p, err := h.importPage(c)
	if err != nil { // before the body is looked at
		return err
	}
	_, content, err := web.UploadStream(c, "file")
	n := 0
	if err == nil {
		n, p.Bad, err = h.meetings.Import(c.UserContext(), h.web.Actor(c), p.Roster.ID, content)
		err = web.UploadBroke("file", err)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/meetings/import", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/import", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "meetings.made", "Count", n)
	return web.SeeOther(c, p.Base())
}

// meetingForm is one meeting.
type meetingForm struct {
	Legislator string `form:"legislator,max=40"`
	Office     string `form:"office,max=40"`
	Day        string `form:"day,max=20"`
	Hour       string `form:"hour,max=10"`
	Minutes    string `form:"minutes,max=5"`
	Mode       string `form:"mode,max=20"`
	Place      string `form:"place,max=200"`
	Join       string `form:"join,max=500"`
	Access     string `form:"access,max=1000,lines"`
	Asks       string `form:"asks,max=2000,lines"`
	Revision   int    `form:"revision"`
}

func meetingFormOf(in meetings.Input) meetingForm {
	f := meetingForm{
		Legislator: in.LegislatorID.String(), Day: in.Day, Hour: in.Hour, Minutes: strconv.Itoa(in.Minutes), Mode: string(in.Mode), Place: in.Place, Join: in.Join, Access: in.Access,
		Asks: byLines(in.Asks), Revision: in.Revision,
	}
	if in.OfficeID != nil {
		f.Office = in.OfficeID.String()
	}
	return f
}

func (f meetingForm) input() meetings.Input {
	in := meetings.Input{
		LegislatorID: choiceID(f.Legislator), Day: f.Day, Hour: f.Hour, Minutes: typedNumber(f.Minutes), Mode: models.MeetingMode(f.Mode), Place: f.Place, Join: f.Join, Access: f.Access,
		Asks: linesOf(f.Asks), Revision: f.Revision,
	}
	if f.Office != "" {
		id := choiceID(f.Office)
		in.OfficeID = &id
	}
	return in
}

type meetingEdit struct {
	meetingBase
	Form   meetingForm
	Whom   meetings.Office
	Found  []meetings.Office // a search for somebody to meet
	Search string
	Here   string // where the form goes
	New    bool
}

// Rooms are the offices of whom is met.
func (p meetingEdit) Rooms() []web.Option {
	out := []web.Option{{Label: p.T("meetings.office_first")}}
	for _, o := range p.Whom.Offices {
		label := o.Name
		if label == "" {
			label = o.Street
		}
		out = append(out, web.Option{Value: o.ID.String(), Label: label + ", " + o.City})
	}
	return out
}

// newForm asks whom to meet first, and then when and how.
func (h *meetingAdmin) newForm(c *fiber.Ctx) error {
	p, err := h.newPage(c, c.Query("legislator"))
	if err != nil {
		return err
	}
	p.Search = c.Query("find")
	if p.Found, err = h.meetings.Find(c.UserContext(), h.web.Actor(c), p.Search); err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/edit", p)
}

func (h *meetingAdmin) newPage(c *fiber.Ctx, legislator string) (*meetingEdit, error) {
	id, err := rosterID(c)
	if err != nil {
		return nil, err
	}
	p := &meetingEdit{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.new", "meetings")}, New: true}
	var plan meetings.Plan
	if p.Roster, plan, err = h.meetings.Plan(c.UserContext(), h.web.Actor(c), id); err != nil {
		return nil, err
	}
	p.Here = p.Base() + "/new"
	p.Form = meetingFormOf(meetings.Input{Mode: models.MeetingVideo, Minutes: plan.Minutes, Asks: plan.Asks})
	if p.Form.Legislator = legislator; legislator != "" {
		p.Whom, err = h.meetings.Choose(c.UserContext(), h.web.Actor(c), choiceID(legislator))
	}
	return p, err
}

func (h *meetingAdmin) add(c *fiber.Ctx) error {
	var f meetingForm
	bound := web.Bind(c, &f)
	p, err := h.newPage(c, f.Legislator)
	if err != nil {
		return err
	}
	p.Form = f
	var m models.Meeting
	if err = bound; err == nil {
		m, err = h.meetings.Add(c.UserContext(), h.web.Actor(c), p.Roster.ID, f.input())
	}
	return h.saved(c, p, err, func() string { return p.At(m.ID) })
}

// saved answers the form of a meeting.
func (h *meetingAdmin) saved(c *fiber.Ctx, p *meetingEdit, err error, to func() string) error {
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/meetings/edit", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/edit", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "meetings.saved")
	return web.SeeOther(c, to())
}

func (h *meetingAdmin) editPage(c *fiber.Ctx) (*meetingEdit, meetings.Details, error) {
	d, err := h.details(c)
	if err != nil {
		return nil, d, err
	}
	p := &meetingEdit{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.edit", "meetings"), Roster: d.Roster}, Form: meetingFormOf(d.Input()), Whom: d.Office}
	p.Here = p.At(d.ID()) + "/edit"
	return p, d, nil
}

func (h *meetingAdmin) edit(c *fiber.Ctx) error {
	p, d, err := h.editPage(c)
	if err != nil {
		return err
	}
	if d.State != models.MeetingPlanned {
		return web.SeeOther(c, p.At(d.ID()))
	}
	return h.web.Render(c, "admin/meetings/edit", p)
}

func (h *meetingAdmin) save(c *fiber.Ctx) error {
	p, d, err := h.editPage(c)
	if err != nil {
		return err
	}
	p.Form = meetingForm{}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.meetings.Save(c.UserContext(), h.web.Actor(c), p.Roster.ID, d.ID(), p.Form.input())
	}
	if fault.Is(err, fault.Conflict) && d.State == models.MeetingPlanned { // what was typed stays; saving again keeps it
		p.Form.Revision = d.Revision
	}
	return h.saved(c, p, err, func() string { return p.At(d.ID()) })
}

func (h *meetingAdmin) details(c *fiber.Ctx) (meetings.Details, error) {
	roster, err := rosterID(c)
	if err != nil {
		return meetings.Details{}, err
	}
	id, err := paramID(c, "meeting", "error.meetings_unknown")
	if err != nil {
		return meetings.Details{}, err
	}
	return h.meetings.Get(c.UserContext(), h.web.Actor(c), roster, id)
}
