package admin

import (
	"bufio"
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/models"
)

type mailingReportPage struct {
	web.Page
	mailings.Report
	When mailings.When
}

// Base is the address of the mailing's pages.
func (p mailingReportPage) Base() string { return mailingPath(p.Mailing.ID) }

// Tone is the colour of the mailing's state.
func (p mailingReportPage) Tone() string { return mailingTone(p.State) }

// Name is what the mailing is called.
func (p mailingReportPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Whom says whom it goes to.
func (p mailingReportPage) Whom() string {
	return toWords(p.Page, p.Mailing, p.Petition.Title, p.Topic, p.Segment)
}

// Rest is how many have not gone out.
func (p mailingReportPage) Rest() int { return p.Waiting + p.Later }

// View is the audience as it was at the freeze.
func (p mailingReportPage) View() audienceView {
	return audienceView{p.Page, p.Frozen, p.Mailing.PetitionID != nil, p.Segment != ""}
}

// LivePath is where the numbers follow.
func (p mailingReportPage) LivePath() string { return p.Base() + "/live" }

// Quiet says when no mail goes out; "" where it always does.
func (p mailingReportPage) Quiet() string { return quietWords(p.Page, p.When) }

// Due says when it goes out, of one that is scheduled.
func (p mailingReportPage) Due() string {
	m := p.Mailing
	if m.SendAt == nil {
		return ""
	}
	if m.LocalHour {
		return p.T("sending.due_local", "Time", p.DateTime(m.SendAt))
	}
	return p.T("sending.due", "Time", p.DateTime(m.SendAt))
}

// Chart shows how it fares at the largest mail domains.
func (p mailingReportPage) Chart() web.Bars {
	b := web.Bars{
		ID: "domains", Title: p.T("mailings.domains"), RowHead: p.T("mailings.domain"), Series: []string{p.T("mailings.n_sent"), p.T("sending.n_not")},
		TableName: p.T("sending.domains_table"), Marks: chartDomains, Format: p.Digits,
	}
	for i, d := range p.Domains {
		if i == chartDomains {
			break
		}
		b.Rows = append(b.Rows, web.BarRow{Label: p.domain(d), Values: []int64{int64(d.Sent), int64(d.People - d.Sent)}})
	}
	if len(p.Domains) > 0 {
		d := p.Domains[0]
		b.Say = p.T("sending.domains_say", "Domain", p.domain(d), "Sent", p.Number(d.Sent), "Count", d.People)
	}
	return b
}

// chartDomains is how many domains the chart shows.
const chartDomains = 5

func (p mailingReportPage) domain(d mailings.Domain) string {
	if d.Others > 0 {
		return p.T("mailings.others", "Count", d.Others)
	}
	return d.Name
}

// Undecided reports whether subjects are still tried against each other.
func (p mailingReportPage) Undecided() bool {
	return len(p.Test.Variants) > 0 && p.Mailing.DecidedAt == nil && (p.State == models.MailingSending || p.State == models.MailingPaused)
}

// Judged says in words how far the test can be believed.
func (p mailingReportPage) Judged() string {
	return p.T("sending.test_says_"+p.Test.Says(), "Percent", p.Percent(int(p.Test.Sure*1000), 1000), "Number", p.Test.Best+1)
}

// Decision says what became of the test.
func (p mailingReportPage) Decision() string {
	m := p.Mailing
	if m.DecidedAt == nil {
		return p.T("sending.test_until", "Time", p.DateTime(m.DecideAt), "Held", p.Number(p.Test.Held))
	}
	return p.T("sending.test_decided", "Number", m.Winner+1, "Time", p.DateTime(m.DecidedAt))
}

// Plus is a number counted from one.
func (mailingReportPage) Plus(n int) int { return n + 1 }

// After reports whether anything came of it that can be told.
func (p mailingReportPage) After() bool { return p.Sent > 0 }

// Moving are the numbers that follow by themselves, by their names in the page.
func (p mailingReportPage) Moving() map[string]string {
	return map[string]string{
		"sent": p.Number(p.Sent), "waiting": p.Number(p.Waiting), "later": p.Number(p.Later), "refused": p.Number(p.Refused), "left": p.Number(p.Left),
		"paused": p.Number(p.Paused), "expired": p.Number(p.Expired), "unknown": p.Number(p.Unknown), "of": p.T("mailings.of", "Count", p.Total),
		"say": p.T("mailings.progress", "Sent", p.Number(p.Sent), "Total", p.Number(p.Total)),
	}
}

// Stoppable reports whether there is something left to stop.
func (p mailingReportPage) Stoppable() bool {
	return p.State == models.MailingScheduled || p.State == models.MailingFreezing || p.State == models.MailingSending || p.State == models.MailingPaused || p.State == models.MailingStopped
}

func (h *mailingPages) report(c *fiber.Ctx, id uuid.UUID) error {
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	var err error
	if p.Report, err = h.svc.Report(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if p.State == models.MailingDraft {
		return fault.New(fault.NotFound, "error.mailing_unknown")
	}
	if p.State == models.MailingScheduled || p.Next != nil {
		if w, err := h.svc.When(c.UserContext(), h.web.Actor(c)); err == nil { // without the right to write, the hours are not shown
			p.When = w
		}
	}
	p.Title = p.Name()
	return h.web.Render(c, "admin/mailings/report", &p)
}

// live tells the numbers as they move (server-sent events); who does not ask for events gets them once.
func (h *mailingPages) live(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	if !strings.Contains(c.Get(fiber.HeaderAccept), "text/event-stream") {
		if p.Progress, err = h.svc.Progress(ctx, a, id); err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(p.Moving())
	}
	news, end, err := h.svc.Watch(ctx, a, id)
	if err != nil {
		return err
	}
	again := h.web.Again(c)
	return web.Live(h.web, c, a, news, end, func(now mailings.Progress) map[string]string {
		q := p
		q.Progress = now
		return q.Moving()
	}, func(ctx context.Context) bool {
		now, err := again(ctx)
		if err == nil {
			_, err = h.svc.Progress(ctx, now, id)
		}
		return fault.Is(err, fault.Forbidden) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unauthenticated)
	})
}

type problemsPage struct {
	web.Page
	Mailing models.Mailing
	Rows    []mailings.Problem
	Next    string
}

// Base is the address of the mailing's pages.
func (p problemsPage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p problemsPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Problems are the rows for the template "mailing_problems".
func (p problemsPage) Problems() []mailings.Problem { return p.Rows }

func (h *mailingPages) problems(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	p := problemsPage{Page: h.web.Page(c, "mailings.problems", "mailings")}
	m, list, err := h.svc.Problems(c.UserContext(), h.web.Actor(c), id, after)
	if err != nil {
		return err
	}
	p.Mailing, p.Rows, p.Next = m, list.Rows, list.Next
	return h.web.Render(c, "admin/mailings/problems", &p)
}

// file answers with a CSV file that is written as it is read.
func (h *mailingPages) file(c *fiber.Ctx, name string, write func(ctx context.Context, out *bufio.Writer) error) error {
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return h.web.Stream(c, "text/csv; charset=utf-8", write)
}

// problemsFile is the whole list of problems.
func (h *mailingPages) problemsFile(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	a, p := h.web.Actor(c), h.web.Page(c, "mailings.problems", "mailings")
	_, list, err := h.svc.Problems(c.UserContext(), a, id, paging.Cursor{})
	if err != nil {
		return err
	}
	return h.file(c, "mailing-problems.csv", func(ctx context.Context, out *bufio.Writer) error {
		err := web.CSVRow(out, p.T("mailings.when"), p.T("mailings.domain"), p.T("mailings.state"), p.T("sending.code"), p.T("mailings.reply"), p.T("sending.what_to_do"), p.T("sending.record"))
		for err == nil {
			for _, x := range list.Rows {
				record := ""
				if x.SupporterID != nil {
					record = x.SupporterID.String()
				}
				code := ""
				if x.Code != 0 {
					code = strconv.Itoa(x.Code)
				}
				err = web.CSVRow(out, p.ISO(x.At), x.Domain, p.T("mailings.delivery_"+string(x.State)), code, x.Reply, p.T("sending.hint_"+x.Hint()), record)
				if err != nil {
					return err
				}
			}
			if list.Next == "" {
				break
			}
			after, wrong := paging.Parse(list.Next)
			if wrong != nil {
				return wrong
			}
			_, list, err = h.svc.Problems(ctx, a, id, after)
		}
		return err
	})
}

// reportFile is the report in numbers.
func (h *mailingPages) reportFile(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	if p.Report, err = h.svc.Report(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.file(c, "mailing-report.csv", func(_ context.Context, out *bufio.Writer) error {
		var failed error
		row := func(part, name string, n int) {
			if failed == nil {
				failed = web.CSVRow(out, part, name, strconv.Itoa(n))
			}
		}
		failed = web.CSVRow(out, p.T("sending.part"), p.T("sending.what"), p.T("mailings.n_people"))
		if p.Frozen.All > 0 {
			part := p.T("sending.audience")
			row(part, p.T("sending.all"), p.Frozen.All)
			for _, x := range p.Frozen.Parts() {
				row(part, p.T("sending.part_"+x.Key), x.Count)
			}
			row(part, p.T("sending.gets"), p.Frozen.People)
		}
		part := p.T("mailings.report")
		for _, x := range []struct {
			key string
			n   int
		}{
			{"mailings.n_sent", p.Sent},
			{"mailings.n_waiting", p.Waiting},
			{"mailings.n_later", p.Later},
			{"mailings.n_refused", p.Refused},
			{"mailings.n_left", p.Left},
			{"mailings.n_paused", p.Paused},
			{"mailings.n_expired", p.Expired},
			{"mailings.n_unknown", p.Unknown},
			{"sending.unsubscribed", p.Unsubscribed},
			{"sending.complained", p.Complained},
			{"sending.acted", p.Acted},
		} {
			row(part, p.T(x.key), x.n)
		}
		for _, d := range p.Domains {
			part := p.domain(d)
			row(part, p.T("mailings.n_people"), d.People)
			row(part, p.T("mailings.n_sent"), d.Sent)
			row(part, p.T("mailings.n_later"), d.Later)
			row(part, p.T("mailings.n_refused"), d.Refused)
			row(part, p.T("mailings.n_left"), d.Left)
			row(part, p.T("mailings.n_unknown"), d.Unknown)
		}
		for _, x := range p.Actions {
			row(p.T("sending.actions"), x.Title, x.Within)
		}
		for _, x := range p.Links {
			row(p.T("sending.clicks"), x.URL, x.Clicks)
		}
		for _, v := range p.Test.Variants {
			part := p.T("sending.subject_n", "Number", v.Number+1)
			row(part, p.T("mailings.n_sent"), v.Sent)
			row(part, p.T("sending.acted"), v.Acted)
			row(part, p.T("sending.unsubscribed"), v.Left)
		}
		return failed
	})
}

type chooseForm struct {
	Variant int `form:"variant"`
}

// choose decides which subject the rest gets.
func (h *mailingPages) choose(c *fiber.Ctx) error {
	var f chooseForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	return h.change(c, func(ctx context.Context, a actor.Actor, id uuid.UUID) error {
		return h.svc.Choose(ctx, a, id, f.Variant-1)
	}, "sending.chosen")
}

// progress is the part of the report that moves.
func (h *mailingPages) progress(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, mailingPath(id))
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Active() {
		c.Set("HX-Refresh", "true") // buttons and tables change with the state
	}
	return h.web.RenderPart(c, "admin/mailings/report", "moving", &p)
}

func (h *mailingPages) pause(c *fiber.Ctx) error { return h.change(c, h.svc.Pause, "mailings.paused") }

func (h *mailingPages) resume(c *fiber.Ctx) error {
	return h.change(c, h.svc.Resume, "mailings.resumed")
}

func (h *mailingPages) stop(c *fiber.Ctx) error { return h.change(c, h.svc.Stop, "mailings.stopped") }

// change does one thing with a mailing and goes back to its page.
func (h *mailingPages) change(c *fiber.Ctx, do func(context.Context, actor.Actor, uuid.UUID) error, done string) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, mailingPath(id))
}

// beforeStop asks once more: stopping cannot be undone.
func (h *mailingPages) beforeStop(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.stop_title", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Stoppable() && p.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	return h.web.Render(c, "admin/mailings/stop", &p)
}

func (h *mailingPages) unknown(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	var f composeForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "resend" && f.Do != "leave" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	n, err := h.svc.Settle(c.UserContext(), h.web.Actor(c), id, f.Do == "resend")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.settled_"+f.Do, "Count", n)
	return web.SeeOther(c, mailingPath(id))
}
