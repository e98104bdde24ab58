package public

import (
	"html/template"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/letters"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// ownSample is the page of one's own signature: with everything, or taken back.
func ownSample(p web.Page, on models.Petition, full bool) *ownPage {
	h := petitions.Held{GivenName: "June", FamilyName: "O<k>afor", PostalArea: "00012", Display: models.DisplayInitials, Comment: "It was <not> the same.", CommentState: models.CommentWaiting, SignedAt: webtest.Time}
	h.OwnSignature = petitions.OwnSignature{Slug: "x", Title: on.Title, TitleLocale: "en", ShownName: "June O.", State: models.SignatureConfirmed, At: webtest.Time, Public: true}
	out := &ownPage{Page: p, Token: "abc", Held: h, Form: ownForm{Display: "initials", Role: "pain", Comment: h.Comment, Updates: true}}
	switch {
	case full:
		out.Errors = append(out.Errors, web.FieldError{Name: "comment", Text: "Wrong."}, web.FieldError{Name: "display", Text: "Wrong."}, web.FieldError{Name: "role", Text: "Wrong."})
	case on.State == models.PetitionPublished:
		out.Held = petitions.Held{OwnSignature: h.OwnSignature, SignedAt: webtest.Time}
		out.Held.State, out.Held.Undo = models.SignatureWithdrawn, on.PausedAt == nil
	case on.State == models.PetitionClosed:
		out.Held.State, out.Write = models.SignatureInvalidated, "hello@example.org"
	default:
		out.Held.CommentState, out.Held.ShownName, out.Held.Public = models.CommentHidden, "", false
	}
	return out
}

// Every page of petitions runs in every language, with and without what may be missing.
func TestPagesOfPetitions(t *testing.T) {
	now := webtest.Time
	picture := uuid.New()
	row := models.Petition{
		Slug: "twenty-visits", State: models.PetitionPublished, Title: "Twenty <visits>", Summary: "Pass HB 412.", Decider: "The Committee", WhyNow: "The hearing.",
		SystemChange: "Twenty visits.", Goal: 5000, Locale: "en", PublishedAt: &now,
	}
	rich := row
	rich.Place, rich.DeadlineAt, rich.PictureID, rich.SignatureCount = "Wennick", &now, &picture, 3184
	closed, paused := rich, row
	closed.State, closed.ClosedAt = models.PetitionClosed, &now
	paused.PausedAt = &now
	posts := []models.Post{{Title: "The hearing", Body: "On *16 March*.", Locale: "es", PublishedAt: &now}}
	view := petitions.View{
		Petition: rich, CampaignSlug: "twenty-visits", Open: true,
		Signers:  []petitions.Signer{{Place: "00012", At: now}, {Name: "June O.", Place: "00012", At: now}, {Name: "Cal <W>", At: now.Add(-time.Hour)}},
		Comments: []petitions.Comment{{ID: uuid.New(), Text: "It was \"not\" <the> same.", Locale: "en", Name: "June O.", Place: "00012", At: now}, {ID: uuid.New(), Text: "Sí", Locale: "es", At: now}},
		Updates:  posts,
		Said: petitions.Said{
			Claims:   []petitions.Claim{{Claim: "A <fact>", SourceTitle: "A study", SourceURL: "https://example.org/a?b=1&c=2"}, {Claim: "x", SourceTitle: "y", SourceURL: "ftp://example.org"}},
			Texts:    []petitions.Text{{Locale: "es", Title: "Veinte", Summary: "s", Body: "b", Decider: "d", WhyNow: "w", SystemChange: "c"}},
			Starters: []string{"June <O>", "Cal"},
		},
		Roles: []petitions.RoleCount{{Role: models.RolePain, N: 12}, {Role: models.RoleFamily, N: 1}, {Role: models.RoleHealthCare, N: 11}},
	}
	form := signForm{GivenName: "June", FamilyName: "Okafor", Email: "june.example.org", Comment: "a\n<b>", Display: "anonymous", Role: "care", By: "abc", Updates: true, Source: "poster"}
	bad := func(p web.Page, fields ...string) web.Page {
		for _, f := range fields {
			p.Errors = append(p.Errors, web.FieldError{Name: f, Text: "Wrong."})
		}
		return p
	}
	option := func() web.Option {
		return web.Option{Value: uuid.NewString(), Label: "Twenty visits", Hint: "As June O."}
	}
	waiting := func(open bool) confirmations.Item {
		return confirmations.Item{
			ID: uuid.New(), Kind: "petition", Path: "/petitions/x", Title: "Twenty visits", TitleLocale: "en", Person: "June Okafor", ShownName: "June O.", At: now, Open: open,
			Says: []confirmations.Said{{Key: "confirm.said_comment", Text: "It was <not> the same."}},
		}
	}
	joining := confirmations.Item{ID: uuid.New(), Kind: "join", At: now, Open: true, Says: []confirmations.Said{{Label: "Your <name>", Text: "June"}, {Key: "form.q_frequency", Value: "form.often_weekly"}}}
	filled := confirmations.Item{ID: uuid.New(), Kind: "form", Title: "Tell <us>", TitleLocale: "es", Path: "/forms/x", At: now, Open: true}
	counted := []confirmations.Item{{Kind: "petition", Path: "/petitions/x", Title: "Twenty visits", TitleLocale: "en", Number: 3}, {Kind: "join", Path: "/join"}}
	two := []web.Option{option(), option()}
	petitionPages := func(view petitions.View, full bool) func(p web.Page) map[string]any {
		return func(p web.Page) map[string]any {
			show := petitionPage{Page: p, View: view, Body: template.HTML("<p>Text</p>"), Form: signForm{Display: "initials"}}
			sign := petitionPage{Page: p, View: view, Form: form}
			sent := sentPage{Page: p, Petition: view.Petition}
			if full {
				show.Letters = []letters.Campaign{
					{LetterCampaign: models.LetterCampaign{Slug: "x", Title: "Write <to> them", Summary: "It is <short>.", Locale: "es", Minutes: 8, Energy: 2, Demands: "typing"}},
					{LetterCampaign: models.LetterCampaign{Slug: "y", Title: "And them", Summary: "Short.", Locale: "en", Minutes: 8, Energy: 2}},
				}
				show.By, show.Versions = byline(p, view.Starters), versionsOf(p, &show.View)
				show.Updates, show.PictureURL, show.MinimumAge, sign.MinimumAge = updatesOf(posts), pictureURL(view.Petition), "You must be 16.", "You must be 16."
				sign.Page, sent.Page = bad(p, "given_name", "family_name", "email", "postal_code", "comment", "display", "updates", ""), bad(p, "code")
			}
			share := sharePage{Page: p, Petition: view.Petition, Signed: full, ShareURL: "https://act.example.org/petitions/x", Paste: "Twenty <visits>\n\nhttps://act.example.org", MailURL: "mailto:?subject=a&body=b"}
			plain := share
			spread := spreadPage{Page: p, Petition: view.Petition, Script: `<script src="x"></script>`, Frame: "<iframe></iframe>", Badge: "<a><img></a>", FrameURL: "/petitions/x/embed"}
			sheet := sheetPage{Page: p, Petition: view.Petition, Address: []string{"act.example.org/", "petitions/", "x"}, Source: "poster", Big: full}
			sheet.Back = &web.Link{URL: "/petitions/x/share", Label: "Back"}
			list := petitionsPage{Page: p, Sort: "newest"}
			if full {
				share.MineURL = "/petitions/x/mine/abc"
				share.OwnURL, list.Sort = "https://act.example.org/petitions/x?source=signer&by=x", "signed"
				list.Find, list.Which, list.Found = "<visits>", "all", 2
				list.List = petitions.PublicList{Rows: []petitions.Listed{{Petition: view.Petition, Signable: view.Open}, {Petition: row, Signable: true}, {Petition: closed}, {Petition: paused}}, Next: "1.x"}
			}
			return map[string]any{
				"public/petitions/show": &show, "public/petitions/sign": &sign, "public/petitions/sent": &sent,
				"public/petitions/own":    ownSample(p, view.Petition, full),
				"public/petitions/thanks": &share, "public/petitions/share": &plain, "public/petitions/spread": &spread, "public/petitions/embed": &embedPage{Page: p, Petition: view.Petition, Open: view.Open, Source: "embed"},
				"public/petitions/poster": &sheet, "public/petitions/card": &sheet, "public/petitions/list": &list,
			}
		}
	}
	bare := petitions.View{Petition: row, Open: true}
	for _, v := range []petitions.View{view, bare, {Petition: closed}, {Petition: paused}} {
		webtest.All(t, "public/petitions/", func(_ *web.Web, p web.Page) map[string]any { return petitionPages(v, len(v.Signers) > 0)(p) })
	}
	for _, v := range []confirmPage{
		{Token: "abc", Choices: two[:1], Chosen: []string{two[0].Value}, Open: []confirmations.Item{waiting(true)}, Waiting: confirmations.Waiting{Items: []confirmations.Item{waiting(false), waiting(true)}}},
		{Token: "abc", Choices: two[:1], Chosen: []string{two[0].Value}, Open: []confirmations.Item{joining}, Waiting: confirmations.Waiting{Items: []confirmations.Item{joining}}},
		{Token: "abc", Choices: two[:1], Chosen: []string{two[0].Value}, Open: []confirmations.Item{filled}, Waiting: confirmations.Waiting{Items: []confirmations.Item{filled}}},
		{Token: "abc", Choices: two, Chosen: []string{two[0].Value}, Open: []confirmations.Item{waiting(true), joining}, Waiting: confirmations.Waiting{Items: []confirmations.Item{waiting(true), joining}, Done: counted}},
		{Token: "abc", Waiting: confirmations.Waiting{Done: counted}},
		{Token: "abc"},
	} {
		webtest.All(t, "public/confirm/", func(_ *web.Web, p web.Page) map[string]any {
			v.Page = p
			code := p
			if len(v.Choices) > 1 {
				v.Page, code = bad(p, "item"), bad(p, "code")
			}
			return map[string]any{
				"public/confirm/show": &v, "public/confirm/code": &codePage{Page: code, Form: codeForm{Code: "333"}},
				"public/confirm/old": &oldPage{Page: p, Text: "Old."}, "public/confirm/deleted": &oldPage{Page: p},
			}
		})
	}
	openLetters := []letters.Campaign{
		{LetterCampaign: models.LetterCampaign{Slug: "hb412", Title: "Write <them>", Summary: "In your own words.", Locale: "en", Minutes: 8, Energy: 2, Demands: "typing,speaking", ClosesAt: &now}},
		{LetterCampaign: models.LetterCampaign{Slug: "thanks", Title: "Say thank you", Locale: "es", Minutes: 1, Energy: 1}},
	}
	for _, list := range [][]letters.Campaign{openLetters, nil} {
		webtest.All(t, "public/lettercampaigns/", func(_ *web.Web, p web.Page) map[string]any {
			return map[string]any{"public/lettercampaigns/list": &letterListPage{Page: p, Campaigns: list}}
		})
	}
	for _, rows := range [][]models.Petition{{rich, row, closed, paused}, nil} {
		webtest.All(t, "public/home/", func(_ *web.Web, p web.Page) map[string]any {
			return map[string]any{"public/home/home": &homePage{Page: p, Petitions: rows, Represent: len(rows) > 0}}
		})
		webtest.All(t, "public/campaigns/", func(_ *web.Web, p web.Page) map[string]any {
			c := campaignPage{Page: p, Petitions: rows, Campaign: models.Campaign{Title: "Twenty visits"}}
			if rows != nil {
				c.Campaign = models.Campaign{Title: "Twenty visits", Ask: "Pass it", Decider: "x", WhyNow: "y", SystemChange: "z", Deadline: &now}
				c.Updates = updatesOf(posts)
				c.Letters = openLetters
			}
			return map[string]any{"public/campaigns/show": &c}
		})
	}
}
