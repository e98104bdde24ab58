package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/erasures"
	"kithline/campaigns/me"
	"kithline/models"
)

// Every page of somebody's own runs in every language: with everything on it, and with nothing.
func TestOwnPages(t *testing.T) {
	at, told := webtest.Time, models.PausedUntilTold
	one := uuid.MustParse("0190b0a0-0000-7000-8000-000000000001")
	field := func(kind models.FieldKind, value string) me.Answer {
		return me.Answer{Field: models.CustomField{ID: uuid.New(), Label: "A <question>", Kind: kind, Choices: "red\nblue"}, Value: value}
	}
	details := me.Details{
		GivenName: "June", FamilyName: "O'Kafor <b>", Locale: "es", TimeZone: "America/Los_Angeles", Frequency: "weekly", Phones: []string{"+12025550142", "call <me>"},
		Street: "1 Long Street", City: "Harrow Bay", Region: "CA", PostalCode: "00209", Country: "US",
		Fields: []me.Answer{field(models.FieldText, "<i>"), field(models.FieldNumber, "3"), field(models.FieldDate, "2027-01-02"), field(models.FieldChoice, "red"), field(models.FieldYesNo, "yes"), field(models.FieldText, "")},
	}
	yes := func(p models.Purpose, about string, how models.ConsentHow, undo bool) me.Consent {
		c := me.Consent{ID: one, Purpose: p, About: about, Words: "Write <to> me", Lang: "en", GivenAt: at, Source: "/petitions/x", How: how, Undo: undo, Address: "j…@example.org"}
		if undo || how == models.ConsentByImport {
			c.WithdrawnAt = &at
		}
		return c
	}
	full := me.View{
		Address: "june@example.org", Others: []string{"o…@example.org"}, Record: true, GivenName: "June", PausedUntil: &at,
		Due: []me.Item{{Kind: "shift", ID: one, At: at, Key: "me.did_form", Title: "A shift", Note: "me.did_on"}},
		Did: []me.Item{
			{Kind: "signature", ID: one, At: at, Key: "me.did_signed", Title: "Visits <for> all", Note: "me.did_signed_named", Name: "June O.", URL: "/petitions/x", Undo: "me.take_back"},
			{Kind: "signature", ID: one, At: at, Key: "me.did_signed", Title: "Other visits", Note: "me.did_taken_back", Redo: "me.put_back"},
			{Kind: "signature", ID: one, At: at, Key: "me.did_signed", Title: "More visits", Note: "me.did_taken_back", More: []me.More{{Key: "me.own_signature", URL: "/petitions/y/mine/x"}, {Key: "me.sign_again", URL: "/petitions/y#sign"}}},
		},
		Waiting: []confirmations.Item{{ID: one, Kind: "petition", Title: "Waits", At: at}, {ID: one, Kind: "join", At: at}}, Confirm: "token",
		Agreed: []me.Consent{
			yes(models.PurposeUpdates, "Visits", models.ConsentByMail, false), yes(models.PurposeNewsletter, "", models.ConsentByPerson, false), yes(models.PurposeShare, "A partner", models.ConsentByHand, false),
			yes(models.PurposePhone, "", models.ConsentByHand, false), yes(models.PurposeVolunteering, "", models.ConsentByMail, false), yes(models.PurposePublish, "", models.ConsentByMail, false),
		},
		Ended:   []me.Consent{yes(models.PurposeUpdates, "", models.ConsentByMail, true), yes(models.PurposePublish, "Visits", models.ConsentByImport, false), yes(models.PurposeNewsletter, "Law", models.ConsentByImport, false)},
		Offered: []consents.Box{{Words: "Mail about <law>\nWhen there is news", Value: "a"}, {Words: "Mail about groups", Value: "b"}},
		Sent:    []me.Sent{{At: at, Kind: "mailing", Subject: "The <hearing>"}, {At: at, Kind: "petition_confirm"}, {At: at, Kind: "something_new"}, {At: at, Kind: me.KindErase}},
		Details: details,
		Districts: []me.District{
			{Kind: models.DivisionCongress, Options: []models.Division{{ID: one, Name: "NC-1"}, {ID: uuid.New(), Name: "NC-2"}}},
			{Kind: models.DivisionUpper, Options: []models.Division{{ID: one, Name: "Senate 1"}, {ID: uuid.New(), Name: "Senate 2"}}, Chosen: one, Fixed: true},
			{Kind: "council", Options: []models.Division{{ID: one, Name: "Ward 1"}, {ID: uuid.New(), Name: "Ward 2"}}, Chosen: one},
		},
	}
	forever := full
	forever.PausedUntil, forever.UntilTold, forever.GivenName = &told, true, ""
	for _, v := range []me.View{full, forever, {Address: "a@b.example"}} {
		webtest.All(t, "public/me/", func(_ *web.Web, p web.Page) map[string]any {
			show := mePage{Page: p, Token: "token", View: v, Until: "week", Chosen: []string{"a"}, DeviceOn: v.UntilTold}
			form := detailsPage{Page: p, Token: "token", Record: v.Record, Fields: (&mePages{}).fields(p, v.Details.Fields), Form: detailsForm{
				GivenName: "June", Phones: v.Details.Phones, TimeZone: "America/Boise", Frequency: v.Details.Frequency, Country: v.Details.Country, Locale: "en",
			}}
			over := overPage{Page: p, Text: "Because."}
			if v.Record {
				over.Token = "token"
			}
			file := filePage{Page: p, Token: "token", Address: "june@example.org", Others: v.Others}
			receipt := receiptPage{Page: p, Receipt: erasures.Receipt{ID: one, At: at, Addresses: 2, Signatures: 1, Account: v.Record}}
			ask := askPage{Page: p, Form: askForm{Email: "june@"}}
			return map[string]any{
				"public/me/show": &show, "public/me/details": &form, "public/me/over": &over, "public/me/download": &file, "public/me/erase": &file, "public/me/erased": &receipt,
				"public/me/ask": &ask, "public/me/sent": &ask,
			}
		})
	}
}
