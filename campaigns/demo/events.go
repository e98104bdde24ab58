package demo

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/events"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// supportGroup is one of the support groups in world/coalition.json. Start has its hour; its first day is found by its rule.
type supportGroup struct {
	Slug      string   `json:"slug"`
	Name      string   `json:"name"`
	Chapter   string   `json:"chapter"`
	Rule      string   `json:"rrule"`
	Start     string   `json:"start"`
	Minutes   int      `json:"minutes"`
	Venue     string   `json:"venue"`
	CoLeaders []string `json:"co_leaders"`
	Types     []string `json:"types"`
}

// advocacyDay is the advocacy day in world/coalition.json.
type advocacyDay struct {
	Name   string `json:"name"`
	Access struct {
		Captions       string `json:"captions"`
		CameraOptional bool   `json:"camera_optional"`
		Block          int    `json:"max_block_minutes"`
		Break          int    `json:"break_minutes"`
		DialIn         string `json:"dial_in"`
		QuietRoom      string `json:"quiet_room"`
		StepFree       bool   `json:"step_free"`
		ScentFree      bool   `json:"fragrance_free"`
		Meters         int    `json:"distance_from_drop_off_m"`
		LeaveAnyTime   bool   `json:"leave_any_time"`
		Recording      string `json:"recording"`
	} `json:"access"`
}

// eventsDay is the day on which the events are put on the site.
const eventsDay = 6

func (b *builder) planEvents() {
	b.note(b.day(eventsDay, 11, 10), "support groups and an advocacy day", b.makeEvents)
	b.note(b.day(eventsDay+1, 16, 20), "registering for a group", b.registerFor)
}

func known(is bool, text string) events.Point {
	p := events.Point{Is: events.No, Text: text}
	if is {
		p.Is = events.Yes
	}
	return p
}

// firstDay is the first day from one on that fits a rule, at an hour such as 18:30.
func (b *builder) firstDay(from time.Time, hour, rule string) string {
	for d := range 62 {
		at := from.AddDate(0, 0, d).Format(time.DateOnly) + "T" + hour
		if _, err := events.Rule(rule, at, b.zone.String()); err == nil {
			return at
		}
	}
	return ""
}

func (b *builder) makeEvents(ctx context.Context) error {
	who := b.actors[ilse]
	var all []events.Draft
	for _, g := range b.w.story.SupportGroups {
		_, hour, _ := strings.Cut(g.Start, "T")
		chapter := b.chapters[g.Chapter]
		d := events.Draft{
			Title: g.Name, Summary: "Come to talk, or only to listen. You can leave at any time.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: b.zone.String(), Recurrence: g.Rule,
			StartsOn: b.firstDay(b.day(eventsDay+2, 0, 0), hour, g.Rule), Minutes: g.Minutes, Venue: models.EventVenue(g.Venue), ChapterID: &chapter, Looked: true, AccessContactID: who.Account(),
			CoLeaderWanted: len(g.CoLeaders) == 0, Join: "https://meet.example.org/" + g.Slug, Access: events.Access{LeaveAnyTime: known(true, ""), CameraOptional: known(true, "")},
		}
		for _, t := range g.Types {
			switch t {
			case "es":
				d.Locale, d.Summary = "es", "Venga a hablar, o solo a escuchar. Puede irse cuando quiera."
			case "captions":
				d.Access.Captions = known(true, "")
			case "wheelchair":
				d.Access.StepFree = known(true, "")
			}
		}
		switch g.Venue {
		case "virtual":
			d.Venue = models.VenueOnline
		case "phone":
			d.Join, d.Dial = "", b.w.story.AdvocacyDay.Access.DialIn
		case "hybrid":
			d.PlaceName, d.City = "Community room, public library", "Harrow Bay"
		}
		if strings.Contains(g.Name, "class") {
			d.Kind = models.EventClass
		}
		d.Types = g.Types
		all = append(all, d)
	}
	day := b.w.story.AdvocacyDay
	all = append(all, events.Draft{
		Title: day.Name, Summary: "Short meetings with those who decide, in the Statehouse or from home.", Kind: models.EventAdvocacyDay, Locale: "en", TimeZone: b.zone.String(),
		StartsOn: b.advocacyDay().Format(time.DateOnly) + "T09:00", Minutes: 180, Venue: models.VenueHybrid, PlaceName: "Statehouse", City: "Wennick City", Capacity: 60, WaitingList: true,
		Join: "https://meet.example.org/statehouse", Dial: day.Access.DialIn, Looked: true, AccessContactID: who.Account(),
		Access: events.Access{
			StepFree: known(day.Access.StepFree, ""), DropOff: known(true, ""), Meters: day.Access.Meters, QuietRoom: known(true, day.Access.QuietRoom), Scent: known(day.Access.ScentFree, ""),
			Captions: known(true, day.Access.Captions), CameraOptional: known(day.Access.CameraOptional, ""), DialIn: known(true, ""), BlockMinutes: day.Access.Block, BreakMinutes: day.Access.Break,
			LeaveAnyTime: known(day.Access.LeaveAnyTime, ""), Recording: events.Point{Is: events.InWords, Text: day.Access.Recording},
		},
	})
	for _, d := range all {
		e, err := b.Events.Create(ctx, who, d)
		if err != nil {
			return err
		}
		if _, err := b.Events.Publish(ctx, who, e.ID); err != nil {
			return err
		}
	}
	return nil
}

// registerFor has somebody who is known register for the first group, for all its dates, and press the button behind the mailed link.
func (b *builder) registerFor(ctx context.Context) error {
	list, err := b.Events.Upcoming(ctx, events.Filter{Kind: models.EventSupportGroup, Way: "place"}, 1)
	if err != nil || len(list) == 0 {
		return err
	}
	w := b.w.letters.Written[0]
	id, err := b.Events.Register(ctx, events.RegisterInput{
		Slug: list[0].Slug, GivenName: w.GivenName, FamilyName: w.FamilyName, Email: strings.ToLower(w.GivenName+"."+w.FamilyName) + "@example.org", Attends: models.AttendsOnline, Series: true,
		Locale: "en", Lang: "en", ClientIP: "192.0.2.1",
	})
	if err != nil {
		return err
	}
	if err := b.deliver(ctx); err != nil {
		return err
	}
	var r models.Registration
	if err := b.DB.WithContext(ctx).Where("id = ?", id).Take(&r).Error; err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(3 * time.Minute))
	if _, err := b.Waiting.Confirm(ctx, b.Signer.Make(tokens.Confirm, r.MailboxID, b.clk.Now().Add(time.Hour)), []uuid.UUID{id}); err != nil {
		return err
	}
	return b.deliver(ctx)
}
