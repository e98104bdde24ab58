package admin

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/meetings"
	"kithline/models"
)

// byLines puts each text on a line of its own, and linesOf takes them apart.
func byLines(list []string) string { return strings.Join(list, "\n") }

func linesOf(s string) []string { return strings.Split(s, "\n") }

// meetingPage is one meeting.
type meetingPage struct {
	meetingBase
	Details meetings.Details
	Notes   web.MeetingNotes
	Late    string
}

// Here is the address of the meeting.
func (p meetingPage) Here() string { return p.At(p.Details.ID()) }

// Lates are the choices of how late it runs.
func (p meetingPage) Lates() []web.Option {
	out := []web.Option{{Value: "0", Label: p.T("meetings.late_not")}}
	for _, n := range []int{5, 10, 15, 20, 30, 45, 60, 90} {
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T("meetings.late_by", "Count", n)})
	}
	return out
}

// NotesForm is what came of it, as it was typed.
func (p *meetingPage) NotesForm() *web.MeetingNotes { return &p.Notes }

// Planned reports whether it is still to be held.
func (p meetingPage) Planned() bool { return p.Details.State == models.MeetingPlanned }

// Writes reports whether what came of it can be written down.
func (p meetingPage) Writes() bool {
	return p.Details.Began && p.Details.State != models.MeetingCancelled
}

func (h *meetingAdmin) meeting(c *fiber.Ctx) (*meetingPage, error) {
	d, err := h.details(c)
	if err != nil {
		return nil, err
	}
	p := &meetingPage{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.title", "meetings"), Roster: d.Roster}, Details: d, Late: strconv.Itoa(d.LateMinutes)}
	p.Title, p.Notes = d.Who(), web.MeetingNotesOf(d.Notes)
	return p, nil
}

func (h *meetingAdmin) show(c *fiber.Ctx) error {
	p, err := h.meeting(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/show", p)
}

// do runs an operation on a meeting, and shows it again.
func (h *meetingAdmin) do(c *fiber.Ctx, done string, op func(ctx context.Context, p *meetingPage, a actor.Actor, roster, id uuid.UUID) error) error {
	p, err := h.meeting(c)
	if err != nil {
		return err
	}
	err = op(c.UserContext(), p, h.web.Actor(c), p.Roster.ID, p.Details.ID())
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/meetings/show", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/show", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, p.Here())
}

func (h *meetingAdmin) cancel(c *fiber.Ctx) error {
	return h.do(c, "meetings.cancelled_done", func(ctx context.Context, _ *meetingPage, a actor.Actor, roster, id uuid.UUID) error {
		return h.meetings.Cancel(ctx, a, roster, id)
	})
}

func (h *meetingAdmin) late(c *fiber.Ctx) error {
	return h.do(c, "meetings.saved", func(ctx context.Context, p *meetingPage, a actor.Actor, roster, id uuid.UUID) error {
		var f struct {
			Late string `form:"late,max=5"`
		}
		if err := web.Bind(c, &f); err != nil {
			return err
		}
		p.Late = f.Late
		return h.meetings.SetLate(ctx, a, roster, id, typedNumber(f.Late))
	})
}

func (h *meetingAdmin) note(c *fiber.Ctx) error {
	return h.do(c, "meetings.noted", func(ctx context.Context, p *meetingPage, a actor.Actor, roster, id uuid.UUID) error {
		var f web.MeetingNotes
		err := web.Bind(c, &f)
		if err == nil {
			err = h.meetings.Note(ctx, a, roster, id, f.Input())
		}
		if fault.Is(err, fault.Conflict) { // what was typed stays; saving again keeps it
			f.Revision = p.Notes.Revision
		}
		p.Notes = f
		return err
	})
}

func (h *meetingAdmin) thanked(c *fiber.Ctx) error {
	return h.do(c, "meetings.saved", func(ctx context.Context, _ *meetingPage, a actor.Actor, roster, id uuid.UUID) error {
		return h.meetings.Thank(ctx, a, roster, id)
	})
}

func (h *meetingAdmin) followed(c *fiber.Ctx) error {
	return h.do(c, "meetings.saved", func(ctx context.Context, _ *meetingPage, a actor.Actor, roster, id uuid.UUID) error {
		return h.meetings.FollowedUp(ctx, a, roster, id)
	})
}

// file answers with a file that an operation writes.
func (h *meetingAdmin) file(c *fiber.Ctx, kind, name string, write func(ctx context.Context, a actor.Actor, roster uuid.UUID, to io.Writer) error) error {
	roster, err := rosterID(c)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := write(c.UserContext(), h.web.Actor(c), roster, &b); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Send(b.Bytes())
}

func (h *meetingAdmin) packs(c *fiber.Ctx) error {
	var f struct {
		As string `form:"as,max=5"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.As == "zip" {
		return h.file(c, "application/zip", "packs.zip", h.meetings.ZipPacks)
	}
	return h.file(c, "application/pdf", "packs.pdf", h.meetings.AllPacks)
}

func (h *meetingAdmin) pack(c *fiber.Ctx) error {
	id, err := paramID(c, "meeting", "error.meetings_unknown")
	if err != nil {
		return err
	}
	return h.file(c, "application/pdf", "pack.pdf", func(ctx context.Context, a actor.Actor, roster uuid.UUID, to io.Writer) error {
		return h.meetings.PackOf(ctx, a, roster, id, to)
	})
}

func (h *meetingAdmin) host(c *fiber.Ctx) error {
	id, err := paramID(c, "meeting", "error.meetings_unknown")
	if err != nil {
		return err
	}
	return h.file(c, "application/pdf", "access.pdf", func(ctx context.Context, a actor.Actor, roster uuid.UUID, to io.Writer) error {
		return h.meetings.HostSheet(ctx, a, roster, id, to)
	})
}

type meetingPeople struct {
	meetingBase
	Rows []meetings.Suggestion
}

// Hours are those in which somebody may be asked.
func (meetingPeople) Hours(s meetings.Somebody) string {
	clock := func(n int) string {
		return strconv.Itoa(n/600) + strconv.Itoa(n/60%10) + ":" + strconv.Itoa(n%60/10) + strconv.Itoa(n%10)
	}
	return clock(s.AskFrom) + "–" + clock(s.AskUntil)
}

func (h *meetingAdmin) people(c *fiber.Ctx) error {
	id, err := rosterID(c)
	if err != nil {
		return err
	}
	p := meetingPeople{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.people", "meetings")}}
	if p.Roster, p.Rows, err = h.meetings.Suggest(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/people", &p)
}

type meetingBoard struct {
	meetingBase
	Board meetings.Board
}

// board shows how the meetings stand. htmx asks for the part that changes alone.
func (h *meetingAdmin) board(c *fiber.Ctx) error {
	id, err := rosterID(c)
	if err != nil {
		return err
	}
	p := meetingBoard{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.board", "meetings")}}
	if p.Board, err = h.meetings.Board(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.Roster = p.Board.Roster
	if web.HTMX(c) {
		return h.web.RenderPart(c, "admin/meetings/board", "tiles", &p)
	}
	return h.web.Render(c, "admin/meetings/board", &p)
}

type meetingReport struct {
	meetingBase
	Report meetings.Report
}

// Answers are those that can be counted, in order.
func (meetingReport) Answers() []models.AskOutcome { return meetings.Outcomes }

// Hours writes minutes as hours.
func (p meetingReport) Hours(minutes int) string {
	return p.T("lettercampaigns.hours", "Hours", strconv.Itoa(minutes/60), "Minutes", strconv.Itoa(minutes%60))
}

func (h *meetingAdmin) reportPage(c *fiber.Ctx) (*meetingReport, error) {
	id, err := rosterID(c)
	if err != nil {
		return nil, err
	}
	p := &meetingReport{meetingBase: meetingBase{Page: h.web.Page(c, "meetings.report", "meetings")}}
	p.Report, err = h.meetings.Report(c.UserContext(), h.web.Actor(c), id)
	p.Roster = p.Report.Roster
	return p, err
}

func (h *meetingAdmin) report(c *fiber.Ctx) error {
	p, err := h.reportPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/meetings/report", p)
}

func (h *meetingAdmin) log(c *fiber.Ctx) error {
	p, err := h.reportPage(c)
	if err != nil {
		return err
	}
	err = h.meetings.Log(c.UserContext(), h.web.Actor(c), p.Roster.ID)
	if fault.Is(err, fault.Conflict) {
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/meetings/report", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "meetings.log_written")
	return web.SeeOther(c, p.Base()+"/report")
}

func (h *meetingAdmin) send(c *fiber.Ctx) error {
	id, err := rosterID(c)
	if err != nil {
		return err
	}
	n, err := h.meetings.Send(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "meetings.sent", "Count", n)
	return web.SeeOther(c, meetingsPath(id))
}
