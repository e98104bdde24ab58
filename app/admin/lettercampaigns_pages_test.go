package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/divisions"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Every page of letter campaigns runs in every language: in each state, full and empty, right and wrong.
func TestLetterCampaignPages(t *testing.T) {
	now := webtest.Time
	target, other := uuid.New(), uuid.New()
	member := legislators.Member{
		Legislator: models.Legislator{ID: uuid.New(), Name: "Ada <Quill>"}, Chamber: models.Chamber{Name: "House", MemberTitle: "Representative"},
		Term: models.Term{ID: uuid.New(), District: "7", Party: "Harbour"},
	}
	states := []models.LetterCampaignState{models.LettersDraft, models.LettersSubmitted, models.LettersReturned, models.LettersPublished, models.LettersPaused, models.LettersClosed}
	for i, state := range states {
		for _, full := range []bool{true, false} {
			row := models.LetterCampaign{ID: uuid.New(), Slug: "hb412", State: state, Title: "Twenty <visits>", Locale: "en", Position: models.StanceSupport, Revision: 3, HourlyCap: 20, CreatedAt: now, UpdatedAt: now}
			c := letters.Campaign{LetterCampaign: row, OwnLocale: "en"}
			if full {
				c.Summary, c.Ask, c.Bill, c.MinOwnWords, c.OpensAt, c.ClosesAt, c.Minutes, c.Energy, c.Demands = "A <summary>.", "Vote yes.", "HB 412", 20, &now, &now, 8, 2, "typing,speaking,screen,home"
				c.PublishedAt, c.ClosedAt, c.ReturnText, c.Positions, c.LetterCount, c.Body = &now, &now, "Which <bill>?", true, 12, "Why"
				c.Targets = []models.LetterTarget{{ID: target, Name: "My <senator>", Rule: models.TargetRepresents}, {ID: other, Name: "Committee", Rule: models.TargetCommittee, OnlyMine: true}}
				c.Points = []models.LetterPoint{
					{ID: uuid.New(), Locale: "en", Body: "It <helps>.", SourceTitle: "A study", SourceURL: "https://example.org/a?b=1&c=2", TargetID: &target, Party: "Harbour"},
					{ID: uuid.New(), Locale: "es", Body: "Ayuda.", SourceURL: "https://example.org/"},
					{ID: uuid.New(), Locale: "en", Body: "Plain."},
				}
				c.Texts = []models.LetterText{{Locale: "es", Title: "Veinte", Summary: "s", Ask: "a", Subject: "s", Closing: "c"}}
			}
			webtest.All(t, "admin/lettercampaigns/", func(_ *web.Web, p web.Page) map[string]any {
				wrong := func(fields ...string) web.Page {
					q := p
					for _, f := range fields {
						if full {
							q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
						}
					}
					return q
				}
				at := func(q web.Page) letterPage { return letterPage{Page: q, Campaign: c} }
				said := []string{"title", "summary_text", "ask", "body", "subject", "opening", "prompt", "closing"}
				plan := letters.PlanOf(c.LetterCampaign)
				edit := letterEdit{letterPage: at(wrong(append(said, "bill", "position", "minutes", "energy", "demands", "min_own_words", "opens", "closes", "max_letters", "max_recipients", "hourly_cap", "locale", "")...)), Said: saidFormOf(plan.Said, 3), Form: letterFormOf(plan, time.UTC)}
				targets := letterTargets{letterPage: at(wrong("rule", "chamber", "committee", "legislator", "group")), Form: targetForm{Rule: "represents"}}
				points := letterPoints{letterPage: at(wrong("point", "source_title", "source_url", "target", "party")), Form: letterPointForm{Locale: "en"}}
				point := points
				check := letterCheck{letterPage: at(p), Can: letters.Can(p.Actor, c.LetterCampaign)}
				report := letterReport{letterPage: at(p), Report: letters.Report{Campaign: c}, Can: check.Can}
				positions := letterPositions{letterPage: at(p), Near: i%2 == 0}
				held, reject := heldPage{Page: p}, rejectPage{Page: wrong("reason"), Row: letters.HeldLetter{ID: uuid.New(), Words: []letters.Piece{{Text: "My <own> words"}}, Locale: "en"}}
				log := advocacyPage{Page: wrong("kind", "amount", "minutes", "happened_on", "note", "campaign"), Log: letters.AdvocacyLog{From: "2027-01-01", Until: "2027-12-31", Sums: map[string]int{}}}
				list := letterList{Page: p}
				if full {
					edit.Stored = &c
					reached := []letters.Reached{{LetterTarget: c.Targets[0], What: "Senate, Wennick", Count: 20}, {LetterTarget: c.Targets[1], What: "Insurance"}}
					targets.Reached, targets.Form.Find, targets.Choices = reached, "qu", letters.TargetChoices{Chambers: []letters.Named{{ID: uuid.New(), Name: "House", Place: "Wennick"}}, People: []legislators.Member{member}}
					point.Row = &c.Points[0]
					check.Reached, check.Sample, check.Election = reached, []letters.SampleLetter{{Group: "G", To: "Representative Ada <Quill>", Subject: "HB 412", Text: "Dear\n\n<you>"}}, []string{"vote for"}
					if check.Does("publish") {
						check.Page = wrong("decision")
					}
					if i%2 == 0 {
						check.Missing = []web.FieldError{{Name: "ask", Text: "Say it."}, {Name: "targets", Text: "Nobody."}, {Name: "points", Text: "https"}}
						check.Page = p
					} else if check.Does("return") {
						check.Page = wrong("decision", "reason")
					}
					for _, s := range []models.LetterState{models.LetterDraft, models.LetterAwaiting, models.LetterConfirmed, models.LetterHeld, models.LetterReleased, models.LetterClosed, models.LetterAnonymised, models.LetterRejected, models.LetterExpired} {
						report.Report.States = append(report.Report.States, letters.StateCount{State: s, N: 3})
					}
					report.Report.Confirmed, report.Report.OwnShare, report.Report.OwnWords, report.Report.More = 42, [5]int{1, 2, 3, 4, 5}, 57, i
					for d := range 30 {
						report.Report.Days = append(report.Report.Days, letters.DayCount{At: now.AddDate(0, 0, d-30), Confirmed: d % 7})
					}
					report.Report.Regions = []letters.RegionCount{{Region: "WN", N: 40}, {Region: "", Hidden: true}}
					report.Report.Districts = letters.Covered{Rows: []divisions.Count{{Division: models.Division{Name: "House <7>"}, N: 12}}, Rest: 30}
					report.Report.Offices = []letters.OfficeCount{
						{Member: member, Letters: 30, Waiting: 5, Handed: 20, ByHand: 3, Done: 1, Missed: 2, LastHour: 4, NextAt: &now, Answers: 12, Yes: 3, Told: true},
						{Member: member, Hidden: true},
						{Member: legislators.Member{Legislator: models.Legislator{Name: "Gone"}}, LeftGroup: true},
					}
					for _, s := range []models.DispatchState{models.DispatchBounced, models.DispatchFailed, models.DispatchRetarget, models.DispatchByHand} {
						report.Report.Open = append(report.Report.Open, letters.OpenCount{State: s, N: 2})
					}
					for _, r := range append(append([]string{"strange"}, closedWhy...), letters.RejectReasons...) {
						report.Report.Open = append(report.Report.Open, letters.OpenCount{State: models.DispatchClosed, Reason: r, N: 1})
					}
					positions.Rows = []letters.Stood{{Member: member}}
					for _, s := range letters.PositionStances {
						positions.Rows[0].Said = append(positions.Rows[0].Said, legislators.Said{Position: models.Position{Stance: s, SaidOn: "2027-02-01", SourceTitle: "Hearing <1>", SourceURL: "https://example.org/", Note: "n"}})
					}
					for _, s := range []string{"yes", "maybe", "no", "unclear"} {
						id := uuid.New()
						positions.Rows[0].Said = append(positions.Rows[0].Said, legislators.Said{Position: models.Position{Stance: s, SaidOn: "2027-02-01", Note: "Vote <yes>?", MeetingID: &id}, RosterID: &id})
					}
					positions.Form.Find, positions.People = "qu", targets.People()
					positions.Page = wrong("legislator", "stance", "said_on", "source_title", "source_url", "note")
					held.Rows = paging.Page[letters.HeldLetter]{Next: "abc", Rows: []letters.HeldLetter{
						{ID: uuid.New(), Campaign: c.LetterCampaign, HeldAt: now, Reason: "similar", ToldAt: &now, Words: []letters.Piece{{Text: "My "}, {Text: "<own> ", Own: true}}, Like: []letters.Piece{{Text: "My "}}, LikeSent: true, Locale: "en"},
						{ID: uuid.New(), Campaign: c.LetterCampaign, HeldAt: now, Reason: "similar", Words: []letters.Piece{{Text: "x"}}, Like: []letters.Piece{{Text: "x"}}, Locale: "es"},
						{ID: uuid.New(), Campaign: c.LetterCampaign, HeldAt: now, Reason: "limit", Words: []letters.Piece{{Text: "x"}}, Locale: "es"},
					}}
					log.Log.LetterCampaigns, log.Log.Minutes = []models.LetterCampaign{row}, 75
					for n, k := range letters.AdvocacyKinds {
						log.Log.Lines = append(log.Log.Lines, letters.AdvocacyLine{AdvocacyEntry: models.AdvocacyEntry{ID: uuid.New(), Kind: k, Amount: 3, Minutes: 45 * n, Note: "<n>", HappenedOn: "2027-02-01"}, Title: "T", Automatic: n%2 == 0})
					}
					for _, s := range states {
						x := row
						x.State, x.PublishedAt = s, &now
						list.Rows.Rows = append(list.Rows.Rows, x)
					}
					list.Rows.Next = "abc"
				} else {
					targets.Form.Find, positions.Form.Find = "nobody", "nobody"
					positions.Campaign.Positions = i%2 == 0
				}
				report.draw()
				return map[string]any{
					"admin/lettercampaigns/list": &list, "admin/lettercampaigns/new": &letterStart{Page: wrong("title", "locale"), Campaigns: []web.Option{{Label: "A new one"}}},
					"admin/lettercampaigns/edit": &edit, "admin/lettercampaigns/text": &letterText{letterPage: at(wrong(said...)), Said: edit.Said, In: "es"},
					"admin/lettercampaigns/targets": &targets, "admin/lettercampaigns/points": &points, "admin/lettercampaigns/point": &point, "admin/lettercampaigns/check": &check,
					"admin/lettercampaigns/steer": &letterSteer{letterPage: at(p), Do: steered[i%len(steered)]}, "admin/lettercampaigns/report": &report, "admin/lettercampaigns/positions": &positions,
					"admin/lettercampaigns/held": &held, "admin/lettercampaigns/reject": &reject, "admin/lettercampaigns/advocacy": &log,
				}
			})
		}
	}
}
