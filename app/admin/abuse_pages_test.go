package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/abuse"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Every page about trust runs in every language, empty and full, right and wrong.
func TestPagesOfAbuse(t *testing.T) {
	now := webtest.Time
	id := uuid.New()
	for _, full := range []bool{false, true} {
		webtest.All(t, "admin/abuse/", func(_ *web.Web, p web.Page) map[string]any {
			petition := models.Petition{ID: id, Title: "Twenty <visits>", Locale: "en", State: models.PetitionPublished, SignatureCount: 3184}
			wrong := func(fields ...string) web.Page {
				q := p
				for _, f := range fields {
					if full {
						q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
					}
				}
				return q
			}
			rules := rulesPage{Page: wrong("effect", "subject", "value", "note")}
			trust := trustPage{Page: wrong("note", "from", "until"), Trust: petitions.Trust{Petition: petition, Hours: make([]petitions.TrustHour, 48)}}
			out := outPage{Page: wrong("from", "until", "domain", "source", "reason", "flag", "device", "condition"), Petition: petition}
			counted := petitions.Matches{Count: 5, Waiting: 2, Counting: 4, Hours: []petitions.MatchedHour{{Hour: now, Count: 7}}}
			work := workPage{Page: p, Petition: petition}
			row := models.Invalidation{ID: uuid.New(), PetitionID: id, Reason: "A <wave>", State: petitions.InvalidationDone, Matched: 9, DoneCount: 9, CreatedAt: now}
			cond := petitions.Condition{Reason: abuse.ReasonLimit, Let: true}
			if full {
				petition.BreakerAt = &now
				for _, e := range abuse.Effects {
					for _, s := range abuse.Subjects {
						r := abuse.Rule{AbuseRule: models.AbuseRule{ID: uuid.New(), Effect: e, Subject: s, Value: "example.org", Note: "A <note>", CreatedAt: now}, By: "Ilse <H>"}
						ended := r
						ended.EndedAt, ended.By = &now, ""
						rules.Rows.Rows = append(rules.Rows.Rows, r, ended)
					}
				}
				rules.Rows = paging.Page[abuse.Rule]{Rows: rules.Rows.Rows, Next: "abc"}
				trust.Trust.Petition, trust.Trust.Pressed, trust.Trust.HeldMails = petition, true, 12
				for i, r := range petitions.SuspectReasons {
					trust.Trust.Suspects = append(trust.Trust.Suspects, petitions.SuspectRow{
						Reason: r, Held: i, Waiting: 1 - i%2, First: now, Last: now,
						Sample: []petitions.SuspectSample{{Name: "June <O>.", Domain: "example.org", Place: "00012", At: now}, {Domain: "example.org", At: now}},
					})
				}
				trust.Trust.Domains = []petitions.DomainRow{{Domain: "example.org", Count: 1200, Suspect: 3, Flags: 2, Disposable: true}, {Domain: "example.net", Count: 1}}
				trust.Trust.Looked, trust.Trust.Flagged = 1201, 2
				trust.Trust.Devices = []petitions.DeviceRow{{Device: strings.Repeat("0a", 32), Count: 40, First: now, Last: now}}
				trust.Trust.Windows = []models.SigningWindow{{ID: uuid.New(), Note: "Market <stand>", FromAt: now, UntilAt: now.Add(time.Hour)}, {ID: uuid.New(), PetitionID: &id, Note: "x", FromAt: now, UntilAt: now.Add(time.Hour)}}
				trust.Trust.Hours[3] = petitions.TrustHour{Hour: now, Signed: 20, Confirmed: 4, Suspect: 7}
				for _, s := range []string{petitions.InvalidationWaiting, petitions.InvalidationRunning, petitions.InvalidationDone, petitions.InvalidationReverting, petitions.InvalidationReverted} {
					r := row
					r.State = s
					trust.Trust.Invalidations = append(trust.Trust.Invalidations, r)
				}
				out.Matches = counted
				row.State = petitions.InvalidationReverting
				cond = petitions.Condition{From: &now, Until: &now, Domain: "example.org", Source: "poster", Reason: abuse.ReasonTrap, Flag: abuse.FlagRule, Device: strings.Repeat("0a", 32)}
			}
			trust.fill(now)
			out.fill([]string{"poster", "mail"})
			if full {
				out.Errors = append(out.Errors, web.FieldError{Name: "why", Text: "Wrong."})
				out.counted()
			}
			work.fill(row, cond)
			return map[string]any{"admin/abuse/rules": &rules, "admin/abuse/trust": &trust, "admin/abuse/out": &out, "admin/abuse/work": &work}
		})
	}
}
