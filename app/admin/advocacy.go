package admin

import (
	"bufio"
	"context"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/letters"
)

// entryForm is a line of the advocacy log.
type entryForm struct {
	Kind       string `form:"kind,max=20"`
	Amount     string `form:"amount,max=10"`
	Minutes    string `form:"minutes,max=10"`
	Note       string `form:"note,max=300"`
	HappenedOn string `form:"happened_on,max=20"`
	Campaign   string `form:"campaign,max=40"`
}

type advocacyPage struct {
	web.Page
	Log  letters.AdvocacyLog
	Form entryForm
}

// Kinds are what an organisation writes down.
func (p advocacyPage) Kinds() []web.Option {
	var out []web.Option
	for _, k := range letters.AdvocacyKinds {
		out = append(out, web.Option{Value: k, Label: p.T("lettercampaigns.log_" + k)})
	}
	return out
}

// Campaigns are those that a line can belong to.
func (p advocacyPage) Campaigns() []web.Option {
	out := []web.Option{{Label: p.T("lettercampaigns.choose_none")}}
	for _, c := range p.Log.LetterCampaigns {
		out = append(out, web.Option{Value: c.ID.String(), Label: c.Title})
	}
	return out
}

// Hours writes minutes as hours.
func (p advocacyPage) Hours(minutes int) string {
	if minutes == 0 {
		return ""
	}
	return p.T("lettercampaigns.hours", "Hours", strconv.Itoa(minutes/60), "Minutes", strconv.Itoa(minutes%60))
}

// CanWrite reports whether the reader writes the log.
func (p advocacyPage) CanWrite() bool { return p.May(string(actor.ManageLetters)) }

func (h *letterAdmin) advocacy(c *fiber.Ctx) error {
	p := advocacyPage{Page: h.web.Page(c, "lettercampaigns.log", "advocacy"), Form: entryForm{Kind: "meetings"}}
	return h.renderAdvocacy(c, fiber.StatusOK, &p)
}

func (h *letterAdmin) renderAdvocacy(c *fiber.Ctx, status int, p *advocacyPage) error {
	var err error
	if p.Log, err = h.letters.Advocacy(c.UserContext(), h.web.Actor(c), c.Query("from"), c.Query("until")); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/lettercampaigns/advocacy", p)
}

func (h *letterAdmin) logEntry(c *fiber.Ctx) error {
	p := advocacyPage{Page: h.web.Page(c, "lettercampaigns.log", "advocacy")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		f := p.Form
		in := letters.EntryInput{Kind: f.Kind, Amount: typedNumber(f.Amount), Minutes: typedNumber(f.Minutes), Note: f.Note, HappenedOn: f.HappenedOn}
		if f.Campaign != "" {
			in.CampaignID = choiceID(f.Campaign)
		}
		err = h.letters.LogEntry(c.UserContext(), h.web.Actor(c), in)
	}
	if p.Failed(err) {
		return h.renderAdvocacy(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.log_written")
	return web.SeeOther(c, "/admin/advocacy")
}

func (h *letterAdmin) strikeEntry(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		id = uuid.Nil // is no line's
	}
	if err := h.letters.StrikeEntry(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.log_struck")
	return web.SeeOther(c, "/admin/advocacy")
}

// advocacyCSV hands out the log of a period. It holds no personal data.
func (h *letterAdmin) advocacyCSV(c *fiber.Ctx) error {
	l, err := h.letters.Advocacy(c.UserContext(), h.web.Actor(c), c.Query("from"), c.Query("until"))
	if err != nil {
		return err
	}
	p := h.web.Page(c, "", "advocacy")
	head := []string{"day", "what", "amount", "minutes", "campaign", "note", "counted"}
	for i, k := range head {
		head[i] = p.T("lettercampaigns.logcsv_" + k)
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="advocacy-`+l.From+"-"+l.Until+`.csv"`)
	return h.web.Stream(c, "text/csv; charset=utf-8", func(_ context.Context, out *bufio.Writer) error {
		_, _ = out.WriteString("\ufeff")
		if err := web.CSVRow(out, head...); err != nil {
			return err
		}
		for _, x := range l.Lines {
			how := p.T("lettercampaigns.log_by_hand")
			if x.Automatic {
				how = p.T("lettercampaigns.log_automatic")
			}
			if err := web.CSVRow(out, x.HappenedOn, p.T("lettercampaigns.log_"+x.Kind), strconv.Itoa(x.Amount), unset(x.Minutes), x.Title, x.Note, how); err != nil {
				return err
			}
		}
		return nil
	})
}
