package admin

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/supporters"
	"kithline/models"
)

func TestSupporterPages(t *testing.T) {
	now, id, other := webtest.Time, uuid.MustParse("0190a000-0000-7000-8000-000000000011"), uuid.MustParse("0190a000-0000-7000-8000-000000000012")
	for _, x := range []struct {
		full bool
		role actor.Role
	}{{true, actor.Owner}, {false, actor.Owner}, {true, actor.Coordinator}, {false, actor.Coordinator}} {
		webtest.All(t, "admin/supporters/", func(_ *web.Web, page web.Page) map[string]any {
			page.Actor.Role = x.role
			p := peoplePage{page}
			v := supporters.View{ID: id, Source: "import", CreatedAt: now}
			list := &supportersPage{peoplePage: p, Count: 1, Tags: []web.Option{{Label: "All"}}, Chapters: []web.Option{{Label: "All"}}, Sources: []web.Option{{Label: "All"}}}
			show := &supporterPage{peoplePage: p, Choices: []web.Option{{Label: "-"}, {Value: "newsletter", Label: "N"}}, Stop: []web.Option{{Value: "asked", Label: "Asked"}}, Start: []web.Option{{Value: "asked", Label: "Asked"}}}
			edit := &editPersonPage{peoplePage: p, ID: id, Languages: p.LanguageOptions(), Zones: zones}
			if x.full {
				v.GivenName, v.FamilyName, v.Street, v.City, v.Region, v.PostalArea, v.Country, v.Locale, v.TimeZone, v.Chapter = "June <J>", "Okafor", "1 <b>Road", "Boston", "MA", "02139", "US", "en", "America/New_York", "Harbor & Bay"
				v.Phones = []supporters.Phone{{Number: "+1 617-555-0123", Valid: true}, {Number: "<555>"}}
				v.Mailboxes = []supporters.Mailbox{{ID: id, Address: "june@example.org", VerifiedAt: &now, PausedUntil: &now}}
				for i, why := range []string{models.SuppressedBounce, models.SuppressedComplaint, models.SuppressedImport, models.SuppressedByHand} {
					v.Mailboxes = append(v.Mailboxes, supporters.Mailbox{ID: uuid.UUID{byte(i + 1)}, Address: "x@example.org", SuppressedAt: &now, SuppressedReason: why})
				}
				for _, how := range []models.DivisionHow{models.ByPostal, models.ByPoint, models.ByPerson, models.ByHand} {
					v.Districts = append(v.Districts, divisions.Home{Division: models.Division{Name: "MA 7 <x>"}, How: how, Ended: how == models.ByPoint, Doubt: how == models.ByHand})
				}
				v.Tags = []models.Tag{{ID: id, Name: "can <drive>"}}
				show.Tags = v.Tags
				for i, k := range supporters.FieldKinds {
					f := models.CustomField{ID: uuid.UUID{byte(i + 1)}, Label: "Field <" + string(k), Kind: k, Private: i%2 == 0, Choices: "red\nblue"}
					value := map[models.FieldKind]string{models.FieldYesNo: "yes", models.FieldDate: "2027-01-02", models.FieldNumber: "3", models.FieldChoice: "green"}[k]
					v.Answers = append(v.Answers, supporters.Answer{Field: f, Value: value})
					edit.Questions = append(edit.Questions, p.questions([]models.CustomField{f}, map[uuid.UUID]string{f.ID: value})...)
				}
				v.Notes = []supporters.Note{{ID: id, Body: "<Called>\nback", Author: "Ilse", At: now}, {ID: other, Body: "x", At: now.AddDate(0, 0, 1)}}
				for i, how := range []models.ConsentHow{models.ConsentByMail, models.ConsentByImport, models.ConsentByHand, models.ConsentByPerson} {
					purpose := models.Purposes[i]
					v.Consents = append(v.Consents, supporters.Consent{ID: uuid.UUID{byte(i + 1)}, Purpose: purpose, Scope: strings.Repeat("x", i), Words: "<Yes>", Version: 2, Locale: "en", GivenAt: now, Source: "s", How: how, Address: "june@example.org"})
				}
				for i, how := range []string{"one_click", "page", "complaint", "organizer"} {
					v.Consents = append(v.Consents, supporters.Consent{ID: uuid.UUID{byte(i + 9)}, Purpose: models.PurposeShare, Scope: "P", Words: "W", Version: 1, Locale: "es", GivenAt: now, How: models.ConsentByMail, WithdrawnAt: &now, WithdrawnHow: how})
				}
				v.Timeline = []supporters.Event{
					{Key: "supporter.signed", At: now, What: "Twenty visits"},
					{Key: "supporter.sent", At: now, What: "News"},
					{Key: "supporter.sent_receipt", At: now},
					{Key: "supporter.filled_in", At: now, What: "Form"},
					{Key: "supporter.merged", At: now},
					{Key: "supporter.said_yes", At: now, What: "Twenty visits", Purpose: models.PurposeUpdates},
				}
				row := supporters.Row{ID: id, Source: "petition", CreatedAt: now, GivenName: "June", Address: "june@example.org", More: 2, PostalArea: "02139", Agreed: []supporters.Agreement{{Purpose: models.PurposeUpdates, Scope: "Twenty visits"}, {Purpose: models.PurposeNewsletter}}}
				list.Rows, list.Next = []supporters.Row{row, {ID: other, Source: "hand", Suppressed: true, CreatedAt: now}, {ID: other, Source: "form", CreatedAt: now}}, "abc"
				list.Tags, list.Chapters = append(list.Tags, web.Option{Value: "t", Label: "T"}), append(list.Chapters, web.Option{Value: "c", Label: "C"})
				list.Narrowed = true
				show.Boxes = []web.Option{{Value: "a", Label: "a@example.org"}}
				show.Box, show.Yes.Mailbox = id.String(), id.String()
				if x.role == actor.Owner {
					show.Errors = []web.FieldError{{Name: "reason", Text: "Choose."}, {Name: "tag", Text: "Write."}, {Name: "note", Text: "Write."}, {Name: "purpose", Text: "Choose."}, {Name: "on", Text: "When?"}}
				}
				edit.Chapters = []web.Option{{Label: "-"}, {Value: "c", Label: "C"}}
				edit.Now = []changedLine{{"City", "Boston"}, {"Street", ""}}
				edit.Errors = []web.FieldError{{Name: "country", Text: "Two letters."}, {Name: edit.Questions[1].Name, Text: "Number."}}
			} else {
				v.Mailboxes = nil
				edit.New = true
				list.By, list.Typed = supporters.ByName, "<june>"
				list.Rows = []supporters.Row{{ID: id, Source: "import", CreatedAt: now}}
				list.More = true
				list.Errors = []web.FieldError{{Name: "q", Text: "Nobody."}}
			}
			show.Person = v
			return map[string]any{"admin/supporters/list": list, "admin/supporters/show": show, "admin/supporters/edit": edit}
		})
	}
}

func TestFieldPages(t *testing.T) {
	id := uuid.MustParse("0190a000-0000-7000-8000-000000000011")
	for _, change := range []bool{true, false} {
		webtest.All(t, "admin/fields/", func(_ *web.Web, p web.Page) map[string]any {
			list := &fieldsPage{Page: p, Change: change}
			tags := &tagsPage{Page: p, Change: change}
			edit := &fieldPage{Page: p, New: !change, Kinds: []web.Option{{Value: "text", Label: "Text"}}, Seers: []web.Option{{Value: "owner", Label: "Owners"}}}
			for i, k := range supporters.FieldKinds {
				f := models.CustomField{ID: uuid.UUID{byte(i + 1)}, Name: "f" + string(k), Label: "Field <" + string(k), Kind: k, Private: i == 0, SeenBy: string(supporters.SeersOf[i%3])}
				list.Fields, list.Archived = append(list.Fields, f), append(list.Archived, f)
				edit.Field = f
			}
			edit.Field.Kind = models.FieldChoice
			tags.Tags = []supporters.TagCount{{Tag: models.Tag{ID: id, Name: "can <drive>"}, People: 3}, {Tag: models.Tag{ID: uuid.UUID{1}, Name: "other"}}}
			tags.Open, tags.Name = id, "<new>"
			edit.Errors = []web.FieldError{{Name: "label", Text: "Write."}}
			if change {
				tags.Errors = []web.FieldError{{Name: "into", Text: "Choose."}, {Name: "name", Text: "Write."}}
			}
			return map[string]any{"admin/fields/list": list, "admin/fields/edit": edit, "admin/fields/tags": tags}
		})
	}
	webtest.All(t, "admin/fields/", func(_ *web.Web, p web.Page) map[string]any {
		return map[string]any{"admin/fields/list": &fieldsPage{Page: p, Change: true}, "admin/fields/edit": &fieldPage{Page: p, New: true}, "admin/fields/tags": &tagsPage{Page: p}}
	})
}
