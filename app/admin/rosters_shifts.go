package admin

import (
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/rosters"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// shiftForm is a shift as its page lets an organizer write it.
type shiftForm struct {
	Team        string   `form:"team,max=40"`
	Role        string   `form:"role,max=80"`
	RoleKind    string   `form:"role_kind,max=20"`
	Kind        string   `form:"kind,max=20"`
	StartsDay   string   `form:"starts_day,max=10"`
	StartsClock string   `form:"starts,max=8"`
	StartsTwice string   `form:"starts_twice,max=10"`
	EndsDay     string   `form:"ends_day,max=10"`
	EndsClock   string   `form:"ends,max=8"`
	EndsTwice   string   `form:"ends_twice,max=10"`
	Minutes     string   `form:"minutes,max=6"`
	Mode        string   `form:"mode,max=20"`
	Place       string   `form:"place,max=200"`
	Join        string   `form:"join,max=500"`
	Minimum     string   `form:"minimum,max=5"`
	Places      string   `form:"places,max=5"`
	Standbys    string   `form:"standbys,max=5"`
	Energy      string   `form:"energy,max=2"`
	Demands     []string `form:"demands,max=20"`
	Languages   string   `form:"languages,max=200"`
	Training    string   `form:"training,max=40"`
	Area        string   `form:"area,max=300"`
	Handover    string   `form:"handover,max=4000,lines"`
	OpensDay    string   `form:"opens_day,max=10"`
	OpensClock  string   `form:"opens,max=8"`
	OpensTwice  string   `form:"opens_twice,max=10"`
	Position    string   `form:"position,max=5"`
	Repeat      string   `form:"repeat,max=5"`
	Every       string   `form:"every,max=6"`
	Revision    int      `form:"revision"`
}

func shiftFormOf(in rosters.ShiftInput) shiftForm {
	f := shiftForm{
		Role: in.Role, RoleKind: string(in.RoleKind), Kind: string(in.Kind), StartsDay: in.Starts.Day, StartsClock: in.Starts.Clock, StartsTwice: in.Starts.Twice, EndsDay: in.Ends.Day,
		EndsClock: in.Ends.Clock, EndsTwice: in.Ends.Twice, Minutes: unset(in.Minutes), Mode: string(in.Mode), Place: in.Place, Join: in.Join, Minimum: strconv.Itoa(in.Minimum),
		Places: strconv.Itoa(in.Places), Standbys: strconv.Itoa(in.Standbys), Energy: unset(in.Energy), Demands: in.Demands, Languages: in.Languages, Training: in.Training, Area: in.Area,
		Handover: in.Handover, OpensDay: in.Opens.Day, OpensClock: in.Opens.Clock, OpensTwice: in.Opens.Twice, Position: unset(in.Position), Revision: in.Revision,
	}
	if in.TeamID != nil {
		f.Team = in.TeamID.String()
	}
	return f
}

func (f shiftForm) input() (rosters.ShiftInput, error) {
	in := rosters.ShiftInput{
		Role: f.Role, RoleKind: models.RoleKind(f.RoleKind), Kind: models.ShiftKind(f.Kind), Starts: rosters.Local{Day: f.StartsDay, Clock: clockOf(f.StartsClock), Twice: f.StartsTwice},
		Ends: rosters.Local{Day: f.EndsDay, Clock: clockOf(f.EndsClock), Twice: f.EndsTwice}, Minutes: typedNumber(f.Minutes), Mode: models.ShiftMode(f.Mode), Place: f.Place, Join: f.Join,
		Minimum: typedNumber(f.Minimum), Places: typedNumber(f.Places), Standbys: typedNumber(f.Standbys), Energy: typedNumber(f.Energy), Demands: f.Demands, Languages: f.Languages,
		Training: f.Training, Area: f.Area, Handover: f.Handover, Opens: rosters.Local{Day: f.OpensDay, Clock: clockOf(f.OpensClock), Twice: f.OpensTwice}, Position: typedNumber(f.Position),
		Repeat: typedNumber(f.Repeat), Every: typedNumber(f.Every), Revision: f.Revision,
	}
	if in.Ends.Day == "" && in.Ends.Clock != "" { // the same day, as most are
		in.Ends.Day = in.Starts.Day
	}
	var bad fault.Fields
	in.TeamID = chosenID(f.Team, "team", &bad)
	return in, bad.Err()
}

type shiftEdit struct {
	rosterPage
	Shift models.Shift // the zero value: a new one
	Form  shiftForm
	Teams []web.Option
}

// New reports whether the shift is not made yet.
func (p shiftEdit) New() bool { return p.Shift.ID == uuid.Nil }

// Action is where the form goes.
func (p shiftEdit) Action() string {
	if p.New() {
		return p.Base() + "/shifts"
	}
	return p.Base() + "/shifts/" + p.Shift.ID.String() + "/edit"
}

// Kinds are the kinds of roles.
func (p shiftEdit) Kinds() []web.Option {
	out := []web.Option{{Label: p.T("rosterdesk.role_")}}
	for _, k := range models.RoleKinds {
		out = append(out, web.Option{Value: string(k), Label: p.RoleKind(k)})
	}
	return out
}

// Energies are the choices of how much energy a shift takes.
func (p shiftEdit) Energies() []web.Option {
	out := []web.Option{{Label: p.T("rosterdesk.energy_choose")}}
	for n := 1; n <= 5; n++ {
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T("lettercampaigns.energy_" + strconv.Itoa(n))})
	}
	return out
}

// DemandOptions are what a shift can ask of somebody.
func (p shiftEdit) DemandOptions() []web.Option {
	var out []web.Option
	for _, d := range models.Demands {
		out = append(out, web.Option{Value: d, Label: p.T("rosterdesk.demand_" + d)})
	}
	return out
}

// AskTwice reports whether the form asks which of two same times is meant.
func (p shiftEdit) AskTwice(field, said string) bool { return said != "" || p.Error(field) != "" }

func (h *rosterAdmin) teamOptions(c *fiber.Ctx, p *shiftEdit) error {
	cover, err := h.rosters.Coverage(c.UserContext(), h.web.Actor(c), p.Roster.ID, rosters.CoverageFilter{})
	p.Teams = []web.Option{{Label: p.T("rosterdesk.no_team")}}
	for _, t := range cover.Teams {
		p.Teams = append(p.Teams, web.Option{Value: t.ID.String(), Label: t.Name})
	}
	return err
}

func (h *rosterAdmin) newShiftPage(c *fiber.Ctx) (*shiftEdit, error) {
	base, err := h.changing(c, "rosterdesk.shift_new")
	if err != nil {
		return nil, err
	}
	p := &shiftEdit{rosterPage: base, Form: shiftForm{Kind: string(models.ShiftWindow), Mode: string(models.ShiftHome), Minimum: "1", Places: "1", Standbys: "1"}}
	return p, h.teamOptions(c, p)
}

func (h *rosterAdmin) newShift(c *fiber.Ctx) error {
	p, err := h.newShiftPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/shift", p)
}

func (h *rosterAdmin) addShifts(c *fiber.Ctx) error {
	p, err := h.newShiftPage(c)
	if err != nil {
		return err
	}
	p.Form = shiftForm{}
	n := 0
	if err = web.Bind(c, &p.Form); err == nil {
		var in rosters.ShiftInput
		if in, err = p.Form.input(); err == nil {
			var made []models.Shift
			made, err = h.rosters.AddShifts(c.UserContext(), h.web.Actor(c), p.Roster.ID, in)
			n = len(made)
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/shift", p)
	} else if err != nil {
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.shifts_made", "Count", n)
	return web.SeeOther(c, p.Base())
}

// shiftAt reads the shift that the address names, for who may change its roster.
func (h *rosterAdmin) shiftAt(c *fiber.Ctx, title string) (rosterPage, models.Shift, string, error) {
	id, err := paramID(c, "shift", "error.rosterdesk_shift_unknown")
	if err != nil {
		return rosterPage{}, models.Shift{}, "", err
	}
	r, sh, join, err := h.rosters.Shift(c.UserContext(), h.web.Actor(c), id)
	switch {
	case err != nil:
		return rosterPage{}, sh, "", err
	case r.ID.String() != c.Params("id"):
		return rosterPage{}, sh, "", fault.New(fault.NotFound, "error.rosterdesk_shift_unknown")
	case !rosters.Changes(h.web.Actor(c), r):
		return rosterPage{}, sh, "", fault.New(fault.Forbidden, "error.rosterdesk_whole")
	}
	return h.pageOf(c, r, title), sh, join, nil
}

func shiftPath(sh models.Shift) string {
	return rosterPath(sh.RosterID) + "/shifts/" + sh.ID.String()
}

func (h *rosterAdmin) editShiftPage(c *fiber.Ctx) (*shiftEdit, error) {
	base, sh, join, err := h.shiftAt(c, "rosterdesk.shift_edit")
	if err != nil {
		return nil, err
	}
	p := &shiftEdit{rosterPage: base, Shift: sh, Form: shiftFormOf(rosters.ShiftInputOf(base.Roster, sh, join))}
	return p, h.teamOptions(c, p)
}

func (h *rosterAdmin) editShift(c *fiber.Ctx) error {
	p, err := h.editShiftPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/shift", p)
}

func (h *rosterAdmin) saveShift(c *fiber.Ctx) error {
	p, err := h.editShiftPage(c)
	if err != nil {
		return err
	}
	p.Form = shiftForm{}
	told := 0
	var stored models.Shift
	if err = web.Bind(c, &p.Form); err == nil {
		var in rosters.ShiftInput
		if in, err = p.Form.input(); err == nil {
			stored, told, err = h.rosters.SaveShift(c.UserContext(), h.web.Actor(c), p.Shift.ID, in)
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/shift", p)
	case fault.Is(err, fault.Conflict): // what was typed stays; saving again keeps this one
		p.Form.Revision = stored.Revision
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/rosters/shift", p)
	case err != nil:
		return err
	}
	h.web.Drop("/rosters")
	if told > 0 {
		h.web.Flash(c, "good", "rosterdesk.saved_told", "Count", told)
	} else {
		h.web.Flash(c, "good", "rosterdesk.saved")
	}
	return web.SeeOther(c, shiftPath(stored))
}

type shiftCrew struct {
	rosterPage
	Crew  rosters.Crew
	Heads string
}

// Here is the address of the shift's pages.
func (p shiftCrew) Here() string { return shiftPath(p.Crew.Line.Shift) }

// Free reports whether nobody is on it, and it can be removed.
func (p shiftCrew) Free() bool { return len(p.Crew.Line.Holders) == 0 && p.Crew.Line.Is.Asking == 0 }

// AskedHow says how a standby may be asked, and from when.
func (p shiftCrew) AskedHow(x rosters.Holder) string {
	how := p.T("rosterdesk.ask_" + string(x.AskBy))
	if x.AskFrom != nil {
		how += ", " + p.T("rosterdesk.ask_from", "Time", minuteOfDay(*x.AskFrom))
	}
	return how
}

// Needs lists what a shift asks for.
func (p shiftCrew) Needs() []string {
	var out []string
	sh := p.Crew.Line.Shift
	if sh.Languages != "" {
		out = append(out, p.T("rosterdesk.needs_language", "Need", sh.Languages))
	}
	if sh.Training != "" {
		out = append(out, p.T("rosterdesk.needs_training", "Need", sh.Training))
	}
	if sh.Area != "" {
		out = append(out, p.T("rosterdesk.needs_area", "Need", sh.Area))
	}
	return out
}

func (h *rosterAdmin) crewPage(c *fiber.Ctx) (*shiftCrew, error) {
	base, sh, _, err := h.shiftAt(c, "")
	if err != nil {
		return nil, err
	}
	p := &shiftCrew{rosterPage: base}
	p.Title = sh.Role
	if p.Crew, err = h.rosters.Crew(c.UserContext(), h.web.Actor(c), sh.ID); err != nil {
		return nil, err
	}
	if sh.HeadCount != nil {
		p.Heads = strconv.Itoa(*sh.HeadCount)
	}
	return p, nil
}

func (h *rosterAdmin) crew(c *fiber.Ctx) error {
	p, err := h.crewPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/crew", p)
}

func (h *rosterAdmin) heads(c *fiber.Ctx) error {
	p, err := h.crewPage(c)
	if err != nil {
		return err
	}
	var form struct {
		Heads string `form:"heads,max=6"`
	}
	if err = web.Bind(c, &form); err == nil {
		p.Heads = form.Heads
		var heads *int
		if form.Heads != "" {
			n := typedNumber(form.Heads)
			heads = &n
		}
		_, err = h.rosters.CountHeads(c.UserContext(), h.web.Actor(c), p.Crew.Line.ID, heads)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/crew", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "rosterdesk.saved")
	return web.SeeOther(c, p.Here())
}

type shiftCancel struct {
	rosterPage
	Line rosters.Line
}

// Here is the address of the shift's pages.
func (p shiftCancel) Here() string { return shiftPath(p.Line.Shift) }

func (h *rosterAdmin) beforeCancel(c *fiber.Ctx) error {
	p, err := h.crewPage(c)
	if err != nil {
		return err
	}
	p.Title = p.T("rosterdesk.cancel")
	return h.web.Render(c, "admin/rosters/cancel", &shiftCancel{rosterPage: p.rosterPage, Line: p.Crew.Line})
}

func (h *rosterAdmin) cancelShift(c *fiber.Ctx) error {
	_, sh, _, err := h.shiftAt(c, "")
	if err != nil {
		return err
	}
	_, told, err := h.rosters.CancelShift(c.UserContext(), h.web.Actor(c), sh.ID)
	if err != nil {
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.cancelled", "Count", told)
	return web.SeeOther(c, rosterPath(sh.RosterID))
}

func (h *rosterAdmin) deleteShift(c *fiber.Ctx) error {
	_, sh, _, err := h.shiftAt(c, "")
	if err != nil {
		return err
	}
	if err := h.rosters.DeleteShift(c.UserContext(), h.web.Actor(c), sh.ID); err != nil {
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.deleted")
	return web.SeeOther(c, rosterPath(sh.RosterID))
}

// seatForm puts somebody on a shift.
type seatForm struct {
	Supporter  string `form:"supporter,max=40"`
	Email      string `form:"email,max=254"`
	GivenName  string `form:"given_name,max=80"`
	FamilyName string `form:"family_name,max=80"`
	Phone      string `form:"phone,max=40"`
	As         string `form:"as,max=20"`
	AskBy      string `form:"ask_by,max=10"`
	AskFrom    string `form:"ask_from,max=8"`
	SaidYes    bool   `form:"said_yes"`
}

func (f seatForm) input() (rosters.SeatInput, error) {
	in := rosters.SeatInput{
		Email: f.Email, GivenName: f.GivenName, FamilyName: f.FamilyName, Phone: f.Phone, As: models.PlaceAs(f.As), AskBy: models.AskBy(f.AskBy), SaidYes: f.SaidYes,
	}
	var bad fault.Fields
	if id := chosenID(f.Supporter, "supporter", &bad); id != nil {
		in.SupporterID = *id
	}
	if f.AskFrom != "" {
		t, err := timeOfDay(f.AskFrom)
		if err != nil {
			bad.Add("ask_from", "error.rosterdesk_time")
		}
		in.AskFrom = &t
	}
	return in, bad.Err()
}

type shiftSeat struct {
	rosterPage
	Line  rosters.Line
	Form  seatForm
	Find  string
	Found supporters.Found
	Who   string // the name of the supporter who was chosen
}

// Here is the address of the shift's pages.
func (p shiftSeat) Here() string { return shiftPath(p.Line.Shift) }

// As are the ways to be on a shift.
func (p shiftSeat) As() []web.Option {
	var out []web.Option
	for _, as := range []models.PlaceAs{models.AsPlace, models.AsStandby, models.AsUnderstudy, models.AsBuddy} {
		out = append(out, web.Option{Value: string(as), Label: p.T("rosterdesk.as_" + string(as)), Hint: p.T("rosterdesk.as_" + string(as) + "_hint")})
	}
	return out
}

func (h *rosterAdmin) seatPage(c *fiber.Ctx) (*shiftSeat, error) {
	base, err := h.crewPage(c)
	if err != nil {
		return nil, err
	}
	p := &shiftSeat{rosterPage: base.rosterPage, Line: base.Crew.Line, Form: seatForm{As: string(models.AsPlace), AskBy: string(models.AskByPhone)}}
	p.Title = p.T("rosterdesk.seat")
	return p, nil
}

// chosen reads the name of a supporter whom the form is about.
func (h *rosterAdmin) chosen(c *fiber.Ctx, p *shiftSeat) error {
	id, err := uuid.Parse(p.Form.Supporter)
	if err != nil {
		return nil
	}
	v, err := h.supporters.Show(c.UserContext(), h.web.Actor(c), id)
	p.Who = v.GivenName + " " + v.FamilyName
	return err
}

func (h *rosterAdmin) beforeSeat(c *fiber.Ctx) error {
	p, err := h.seatPage(c)
	if err != nil {
		return err
	}
	p.Form.Supporter = p.Query("supporter")
	if err := h.chosen(c, p); err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/seat", p)
}

// find looks for a person; what is typed stands in no address.
func (h *rosterAdmin) find(c *fiber.Ctx) error {
	p, err := h.seatPage(c)
	if err != nil {
		return err
	}
	var form struct {
		Q string `form:"q,max=254"`
	}
	if err = web.Bind(c, &form); err == nil {
		p.Find = form.Q
		p.Found, err = h.supporters.Find(c.UserContext(), h.web.Actor(c), form.Q)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/seat", p)
	} else if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/seat", p)
}

func (h *rosterAdmin) seat(c *fiber.Ctx) error {
	p, err := h.seatPage(c)
	if err != nil {
		return err
	}
	p.Form = seatForm{}
	bound := web.Bind(c, &p.Form)
	if err := h.chosen(c, p); err != nil {
		return err
	}
	if err = bound; err == nil {
		var in rosters.SeatInput
		if in, err = p.Form.input(); err == nil {
			_, err = h.rosters.Seat(c.UserContext(), h.web.Actor(c), p.Line.ID, in)
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/seat", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/rosters/seat", p)
	case err != nil:
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.seated")
	return web.SeeOther(c, p.Here())
}

type shiftRelease struct {
	rosterPage
	Line   rosters.Line
	Holder rosters.Holder
}

// Here is the address of the shift's pages.
func (p shiftRelease) Here() string { return shiftPath(p.Line.Shift) }

func (h *rosterAdmin) releasePage(c *fiber.Ctx) (*shiftRelease, error) {
	base, err := h.crewPage(c)
	if err != nil {
		return nil, err
	}
	p := &shiftRelease{rosterPage: base.rosterPage, Line: base.Crew.Line}
	p.Title = p.T("rosterdesk.release")
	for _, x := range p.Line.Holders {
		if x.ID.String() == c.Params("assignment") {
			p.Holder = x
			return p, nil
		}
	}
	return nil, fault.New(fault.Gone, "error.rosterdesk_not_there")
}

func (h *rosterAdmin) beforeRelease(c *fiber.Ctx) error {
	p, err := h.releasePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/release", p)
}

func (h *rosterAdmin) release(c *fiber.Ctx) error {
	p, err := h.releasePage(c)
	if err != nil {
		return err
	}
	var form struct {
		SaidYes bool `form:"said_yes"`
	}
	if err = web.Bind(c, &form); err == nil {
		err = h.rosters.Release(c.UserContext(), h.web.Actor(c), p.Line.ID, p.Holder.ID, form.SaidYes)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/release", p)
	} else if err != nil {
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.released")
	return web.SeeOther(c, p.Here())
}
