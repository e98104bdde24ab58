package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/consents"
	"kithline/campaigns/forms"
	"kithline/models"
)

// Every page to join by runs in every language, with every kind of question, with and without errors.
func TestPagesOfForms(t *testing.T) {
	var questions []forms.Asked
	values := map[string]string{}
	for i, key := range forms.RecordKeys {
		questions = append(questions, forms.Asked{Question: forms.Question{Key: key, Required: i%2 == 0}})
		values[key] = "a <b> \"c\""
	}
	for _, kind := range []models.FieldKind{models.FieldText, models.FieldNumber, models.FieldDate, models.FieldChoice, models.FieldYesNo} {
		f := models.CustomField{ID: uuid.New(), Label: "What <helps>?", Kind: kind, Choices: "Rest\nWalking"}
		questions = append(questions, forms.Asked{Question: forms.Question{Key: forms.FieldKey(f.ID)}, Field: &f})
	}
	boxes := []consents.Box{{Words: "Mail about <trials>.\nOne press ends it.", Value: "newsletter:1:a"}, {Words: "A call", Value: "phone:0:b"}}
	form := models.Form{ID: uuid.New(), Slug: "tell-us", Title: "Tell <us>", Intro: "Two *minutes*.", Thanks: "Thank **you**.", Locale: "es", State: models.FormOpen}
	districts := forms.Districts{{Divisions: []models.Division{{ID: uuid.New(), Name: "District <4>"}, {ID: uuid.New(), Name: "District 6"}}}}
	for _, full := range []bool{false, true} {
		pages := func(p web.Page) (join, show, embed FormPage, after formSent) {
			join, show = NewFormPage(p, forms.View{Open: true, Questions: questions[:2], Boxes: boxes[:1]}), NewFormPage(p, forms.View{Form: form})
			after = formSent{Page: p, Action: "/join"}
			if full {
				show = NewFormPage(p, forms.View{Form: form, Open: true, Questions: questions, Boxes: boxes})
				show.Values, show.Ticked, show.Source, show.Districts, show.Email = values, []string{boxes[0].Value}, "poster", districts, "june.example.org"
				for _, name := range append([]string{"", "email", "consent", "locale"}, forms.RecordKeys...) {
					show.Errors = append(show.Errors, web.FieldError{Name: name, Text: "Wrong."})
				}
				after.Thanks, after.Form, after.Action = "<p>Thank you</p>", form, "/forms/tell-us"
			}
			embed = show
			embed.Framed = true
			return join, show, embed, after
		}
		webtest.All(t, "public/join/", func(_ *web.Web, p web.Page) map[string]any {
			join, _, _, _ := pages(p)
			return map[string]any{"public/join/join": &join}
		})
		webtest.All(t, "public/forms/", func(_ *web.Web, p web.Page) map[string]any {
			_, show, embed, after := pages(p)
			preview := show
			preview.Preview = true
			return map[string]any{"public/forms/show": &show, "public/forms/embed": &embed, "public/forms/preview": &preview, "public/forms/sent": &after, "public/forms/thanks": &after}
		})
	}
	if n := len(countries("es")); n < 190 || n > 270 {
		t.Errorf("%d countries", n)
	}
}
