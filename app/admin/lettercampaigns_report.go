package admin

import (
	"bufio"
	"context"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/letters"
	"kithline/models"
)

type letterReport struct {
	letterPage
	Report letters.Report
	Can    []letters.Action
	Days   web.Bars
	Shares web.Bars
	Worst  int // the most letters to one office, for the bars beside them
}

// Steers lists what can be done on a page of its own.
func (p letterReport) Steers() []letters.Action {
	var out []letters.Action
	for _, do := range p.Can {
		switch do {
		case letters.Pause, letters.Resume, letters.Close:
			out = append(out, do)
		}
	}
	return out
}

// About says who an office is of.
func (p letterReport) About(o letters.OfficeCount) string {
	if o.LeftGroup {
		return p.T("lettercampaigns.left_office")
	}
	return memberHint(p.Page, o.Member.Title(), o.Member.Chamber.Name, o.Member.Term.District, o.Member.Term.Party)
}

// Why says why a dispatch was closed before it went.
func (p letterReport) Why(code string) string {
	if !slices.Contains(closedWhy, code) && !slices.Contains(letters.RejectReasons, code) {
		code = "other"
	}
	return p.T("lettercampaigns.why_" + code)
}

// closedWhy are the reasons of dispatches that went nowhere which have words of their own.
var closedWhy = []string{"withdrawn", "declined", "unreachable", "nobody", "erased", "changed", "time"}

// Draws reports whether there is anything to show.
func (p letterReport) Draws() bool { return p.Report.Confirmed > 0 }

func (h *letterAdmin) report(c *fiber.Ctx) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	page := h.web.Page(c, "lettercampaigns.title", "letters")
	r, err := h.letters.Report(ctx, a, id, zoneOf(page))
	if err != nil {
		return err
	}
	if !r.Campaign.Public() {
		if letters.Editable(a, r.Campaign.LetterCampaign) && r.Campaign.State != models.LettersSubmitted {
			return web.SeeOther(c, letterPath(id)+"/edit")
		}
		return web.SeeOther(c, letterPath(id)+"/check")
	}
	page.Title = r.Campaign.Title
	p := letterReport{letterPage: letterPage{Page: page, Campaign: r.Campaign}, Report: r, Can: letters.Can(a, r.Campaign.LetterCampaign)}
	p.draw()
	return h.web.Render(c, "admin/lettercampaigns/report", &p)
}

// draw makes the charts.
func (p *letterReport) draw() {
	sum := 0
	p.Days = web.Bars{
		ID: "days", Title: p.T("lettercampaigns.days"), RowHead: p.T("petition.day"), Series: []string{p.T("lettercampaigns.days_confirmed")}, TableName: p.T("lettercampaigns.days_table"),
		Format: p.Digits,
	}
	for _, d := range p.Report.Days {
		sum += d.Confirmed
		p.Days.Rows = append(p.Days.Rows, web.BarRow{Label: p.Date(d.At), Values: []int64{int64(d.Confirmed)}})
	}
	p.Days.Say = p.T("lettercampaigns.days_say", "Count", sum)
	p.Shares = web.Bars{
		ID: "shares", Title: p.T("lettercampaigns.shares"), Say: p.T("lettercampaigns.shares_say", "Count", p.Report.OwnWords), RowHead: p.T("lettercampaigns.share"),
		Series: []string{p.T("lettercampaigns.letters")}, TableName: p.T("lettercampaigns.shares_table"), Marks: 5, Format: p.Digits,
	}
	for i, n := range p.Report.OwnShare {
		p.Shares.Rows = append(p.Shares.Rows, web.BarRow{Label: p.T("lettercampaigns.share_" + strconv.Itoa(i)), Values: []int64{int64(n)}})
	}
	for _, o := range p.Report.Offices {
		p.Worst = max(p.Worst, o.Letters)
	}
}

// figures hands out the numbers of a letter campaign, without anything about a person.
func (h *letterAdmin) figures(c *fiber.Ctx) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	a, p := h.web.Actor(c), h.web.Page(c, "", "letters")
	var rows []letters.FigureRow
	err = h.letters.Figures(c.UserContext(), a, id, func(r letters.FigureRow) error { rows = append(rows, r); return nil })
	if err != nil {
		return err
	}
	head := []string{"day", "legislator", "seat", "chamber", "district", "party", "letters", "waiting", "handed", "by_hand", "done", "missed", "answered", "unanswered"}
	for i, k := range head {
		head[i] = p.T("lettercampaigns.csv_" + k)
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="letters.csv"`)
	return h.web.Stream(c, "text/csv; charset=utf-8", func(_ context.Context, out *bufio.Writer) error {
		_, _ = out.WriteString("\ufeff")
		if err := web.CSVRow(out, head...); err != nil {
			return err
		}
		for _, r := range rows {
			cells := []string{r.Day, r.Legislator, r.Title, r.Chamber, r.District, r.Party}
			for _, n := range []int{r.Letters, r.Waiting, r.Handed, r.ByHand, r.Done, r.Missed, r.AnswerYes, r.AnswerOpen} {
				cells = append(cells, strconv.Itoa(n))
			}
			if err := web.CSVRow(out, cells...); err != nil {
				return err
			}
		}
		return nil
	})
}

// positionForm is what a legislator said.
type positionForm struct {
	Find        string `form:"find,max=100"`
	Legislator  string `form:"legislator,max=40"`
	Stance      string `form:"stance,max=20"`
	SaidOn      string `form:"said_on,max=20"`
	SourceTitle string `form:"source_title,max=200"`
	SourceURL   string `form:"source_url,max=500"`
	Note        string `form:"note,max=300,lines"`
}

type letterPositions struct {
	letterPage
	Rows   []letters.Stood
	Form   positionForm
	People []web.Option
	Near   bool // an election is near
}

// Stances are what can have been said.
func (p letterPositions) Stances() []web.Option {
	var out []web.Option
	for _, s := range letters.PositionStances {
		out = append(out, web.Option{Value: s, Label: p.T("lettercampaigns.said_" + s)})
	}
	return out
}

func (h *letterAdmin) renderPositions(c *fiber.Ctx, status int, p *letterPositions) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if p.Campaign, p.Rows, err = h.letters.PositionsOf(ctx, a, id); err != nil {
		return err
	}
	choices, err := h.letters.Targeting(ctx, a, p.Form.Find)
	if err != nil {
		return err
	}
	p.People = letterTargets{letterPage: p.letterPage, Choices: choices}.People()
	p.Near = letters.ElectionNear(h.letters.Clock.Now())
	return h.web.RenderStatus(c, status, "admin/lettercampaigns/positions", p)
}

func (h *letterAdmin) positions(c *fiber.Ctx) error {
	p := letterPositions{letterPage: letterPage{Page: h.web.Page(c, "lettercampaigns.positions", "letters")}, Form: positionForm{Find: c.Query("find")}}
	return h.renderPositions(c, fiber.StatusOK, &p)
}

func (h *letterAdmin) addPosition(c *fiber.Ctx) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	p := letterPositions{letterPage: letterPage{Page: h.web.Page(c, "lettercampaigns.positions", "letters")}}
	if err = web.Bind(c, &p.Form); err == nil {
		f := p.Form
		err = h.letters.AddPosition(c.UserContext(), h.web.Actor(c), id, letters.PositionInput{
			LegislatorID: choiceID(f.Legislator), Stance: f.Stance, SaidOn: f.SaidOn, SourceTitle: f.SourceTitle, SourceURL: f.SourceURL, Note: f.Note,
		})
	}
	if p.Failed(err) {
		return h.renderPositions(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.position_added")
	return web.SeeOther(c, letterPath(id)+"/positions")
}
