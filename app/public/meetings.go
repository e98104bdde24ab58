package public

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/meetings"
	"kithline/models"
)

type meetingPages struct {
	web      *web.Web
	meetings *meetings.Service
}

// MountMeetings puts the page of a meeting's team in place, behind the link of a place: only a button changes anything.
func MountMeetings(r fiber.Router, w *web.Web, s *meetings.Service) {
	h := &meetingPages{w, s}
	r.Get("/meetings/:token", h.team)
	r.Get("/meetings/:token/pack.pdf", h.pack)
	r.Post("/meetings/:token/notes", h.note)
}

// teamPage is a meeting for somebody of its team.
type teamPage struct {
	web.Page
	Token     string
	Team      meetings.TeamPage
	When, Own string
	Notes     web.MeetingNotes
}

// Here is the address of the page.
func (p *teamPage) Here() string { return "/meetings/" + p.Token }

// NotesForm is what came of the meeting, as it was typed.
func (p *teamPage) NotesForm() *web.MeetingNotes { return &p.Notes }

// RoleName is what a role is called.
func (p *teamPage) RoleName(k models.RoleKind) string {
	for _, r := range meetings.TeamRoles {
		if r == k {
			return p.T("meetings.role_" + string(k))
		}
	}
	return p.T("meetings.role_other")
}

// JoinLink reports whether the way to join is a link.
func (p *teamPage) JoinLink() bool { return strings.HasPrefix(p.Team.Join, "https://") }

// Handover is what to know about the reader's role.
func (p *teamPage) Handover() string { return p.Team.Shift.Handover }

func (h *meetingPages) page(c *fiber.Ctx) (*teamPage, error) {
	private(c)
	p := &teamPage{Page: h.web.Page(c, "", "me"), Token: c.Params("token")}
	var err error
	if p.Team, err = h.meetings.Team(c.UserContext(), p.Token, p.Lang); err != nil {
		return nil, err
	}
	p.Title, p.Path = p.Team.Who(), p.Here()
	p.When, p.Own = h.meetings.WhenFor(p.Lang, p.Team.Pack, p.Team.Zone)
	p.Notes = web.MeetingNotesOf(p.Team.Notes)
	return p, nil
}

func (h *meetingPages) team(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/meetings/team", p)
}

func (h *meetingPages) pack(c *fiber.Ctx) error {
	var b bytes.Buffer
	if err := h.meetings.TeamPDF(c.UserContext(), c.Params("token"), h.web.Page(c, "", "me").Lang, &b); err != nil {
		return h.over(c, err)
	}
	private(c)
	c.Set(fiber.HeaderContentType, "application/pdf")
	c.Set(fiber.HeaderContentDisposition, `inline; filename="team.pdf"`)
	return c.Send(b.Bytes())
}

func (h *meetingPages) note(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return h.over(c, err)
	}
	stored := p.Notes.Revision
	p.Notes = web.MeetingNotes{}
	if err = web.Bind(c, &p.Notes); err == nil {
		err = h.meetings.NoteFromTeam(c.UserContext(), p.Token, p.Notes.Input())
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/meetings/team", p)
	case fault.Is(err, fault.Conflict) && p.Team.Began: // what was typed stays; saving again keeps it
		p.Notes.Revision = stored
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/meetings/team", p)
	case err != nil:
		return h.over(c, err)
	}
	h.web.Flash(c, "good", "meetings.noted")
	return web.SeeOther(c, p.Here())
}

// over says why a link or a button does nothing.
func (h *meetingPages) over(c *fiber.Ctx, err error) error {
	return (&byHandPages{web: h.web}).over(c, err)
}
