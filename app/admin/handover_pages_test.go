package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/mailings"
	"kithline/campaigns/packs"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Every page of a petition's end and of its updates runs in every language and in every state.
func TestPagesOfTheEnd(t *testing.T) {
	now, until, file := webtest.Time, webtest.Time.Add(7*24*time.Hour), uuid.New()
	row := models.Petition{
		ID: uuid.New(), Slug: "twenty-visits", State: models.PetitionClosed, Title: "Twenty <visits>", Decider: "The Committee", Locale: "en", SignatureCount: 3184, PaperCount: 12,
		PublishedAt: &now, CreatedAt: now,
	}
	pack := func(state string) packs.Pack {
		k := packs.Pack{PetitionPack: models.PetitionPack{ID: uuid.New(), State: state, SignatureCount: 3184, CreatedAt: now}}
		if state == "done" {
			k.FileID, k.Size, k.Until = &file, 1<<20, &until
		}
		return k
	}
	broken, gone := pack("failed"), pack("done")
	broken.Message, gone.Gone = "error.pack_stopped", true
	post := func(state string) models.Post {
		return models.Post{ID: uuid.New(), PetitionID: &row.ID, Title: "A <date>", Body: "On *Tuesday*.", Locale: "es", MailState: state, PublishedAt: &now, CreatedAt: now, UpdatedAt: now}
	}
	for i := range 3 {
		pages := func(p web.Page) map[string]any {
			wrong := func(fields ...string) web.Page {
				q := p
				for _, f := range fields {
					if i == 1 {
						q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
					}
				}
				return q
			}
			r := row
			over := &handoverPage{Page: wrong("at", "recipient", "handed_by", "note", "picture", "picture_alt", "email", "every"), Petition: r, Form: handoverForm{EveryTyped: "1000"}, Exports: i > 0}
			end := &outcomePage{Page: wrong("from", "text", "at", "outcome", "outcome_text"), Petition: r, Send: i == 1}
			list := &updatesPage{Page: p, Petition: r, May: i > 0}
			asked := &askedPage{Page: p}
			update := &updatePage{Page: wrong("title", "body"), Petition: r, Reach: mailings.Reach{People: 12, More: i == 2}, Send: i == 1}
			if i > 0 {
				over.Packs = []packs.Pack{pack("running"), pack("done"), broken, gone}
				over.Comments = []web.Option{{Value: "x", Label: "It <was> so.", Hint: "June O."}}
				over.Handovers = []models.Handover{{ID: uuid.New(), HandedAt: now, Recipient: "The <Chair>", HandedBy: "Maren", PictureID: &file, PictureAlt: "A box"}}
				over.Digests = []petitions.Digest{
					{PetitionDigest: models.PetitionDigest{ID: uuid.New(), Every: 1000}, Address: "office@house.example", State: "waiting"},
					{PetitionDigest: models.PetitionDigest{ID: uuid.New(), Every: 1000}, Address: "b@house.example", State: "running"},
					{PetitionDigest: models.PetitionDigest{ID: uuid.New(), Every: 1000}, Address: "c@house.example", State: "stopped"},
				}
				e := &end.Petition
				e.State, e.Outcome, e.OutcomeText, e.AnsweredAt, e.ResponseFrom, e.ResponseText, e.RespondedAt = models.PetitionAnswered, models.OutcomeWon, "Yes.", &now, "The Chair", "Yes.", &now
				if i == 2 {
					e.OutcomeToldAt = &now
				} else {
					e.OutcomeToldAt, e.OutcomeToldDoneAt, e.OutcomeToldCount = &now, &now, 3100
				}
				list.Rows = []models.Post{post(""), post("asked"), post("sent"), post("declined")}
				list.Mails = map[uuid.UUID]mailings.UpdateMail{list.Rows[2].ID: {People: 12, Frozen: i == 1}}
				asked.Rows = []askedRow{{mailings.AskedUpdate{Post: post("asked"), Petition: "Twenty visits"}, mailings.Reach{People: 12}}, {mailings.AskedUpdate{Post: post("asked"), Petition: "Thirty visits"}, mailings.Reach{People: 10000, More: true}}}
				if i == 2 {
					update.Update = &list.Rows[2]
				}
			}
			return map[string]any{
				"admin/handover/handover": over, "admin/handover/outcome": end, "admin/updates/list": list, "admin/updates/asked": asked, "admin/updates/update": update,
			}
		}
		for _, folder := range []string{"admin/handover/", "admin/updates/"} {
			webtest.All(t, folder, func(_ *web.Web, p web.Page) map[string]any {
				out := pages(p)
				for name := range out {
					if !strings.HasPrefix(name, folder) {
						delete(out, name)
					}
				}
				return out
			})
		}
	}
}
