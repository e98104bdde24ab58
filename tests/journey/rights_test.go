package journey

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/consents"
	"kithline/campaigns/events"
	"kithline/campaigns/exports"
	"kithline/campaigns/imports"
	"kithline/campaigns/letters"
	"kithline/campaigns/mailings"
	"kithline/campaigns/meetings"
	"kithline/campaigns/petitions"
	news "kithline/campaigns/posts"
	"kithline/campaigns/rosters"
	"kithline/campaigns/segments"
	"kithline/campaigns/series"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/users"
	"kithline/campaigns/volunteers"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// What a POST asks for, apart from a right.
const (
	anybody actor.Right = "anybody" // a form of the public pages, or a page that a secret link opens
	signed  actor.Right = "signed"  // any account, on itself
	starter actor.Right = "starter" // no account: the browser in which the petition was begun or its address proved
)

// posts says what each route that takes a POST needs. A route that is not here fails the test: say who may use it.
var posts = map[string]actor.Right{
	"/display":                     anybody,
	"/petitions/:slug/sign":        anybody,
	"/petitions/:slug/sent":        anybody,
	"/petitions/:slug/mine/:token": anybody, "/petitions/:slug/mine/:token/unsay": anybody, "/petitions/:slug/mine/:token/withdraw": anybody, "/petitions/:slug/mine/:token/restore": anybody,
	"/confirm":               anybody,
	"/confirm/:token":        anybody,
	"/confirm/:token/delete": anybody,
	"/u/:token":              anybody,
	"/u/:token/undo":         anybody,
	"/u/:token/preferences":  anybody, "/u/:token/leave": anybody, "/u/:token/rest": anybody,
	"/join": anybody, "/join/sent": anybody, "/forms/:slug": anybody, "/forms/:slug/sent": anybody,
	"/rosters/sent": anybody, "/shifts/:id": anybody, "/cant/:token": anybody, "/cant/:token/never": anybody, "/cant/:token/again": anybody,
	"/me": anybody, "/me/forget": anybody, "/me/download/:token": anybody, "/me/erase/:token": anybody,
	"/me/:token/details": anybody, "/me/:token/districts": anybody, "/me/:token/undo": anybody, "/me/:token/stop": anybody, "/me/:token/again": anybody, "/me/:token/topics": anybody,
	"/me/:token/pause": anybody, "/me/:token/resume": anybody, "/me/:token/use": anybody, "/me/:token/download": anybody, "/me/:token/erase": anybody,
	"/petitions/new": anybody, "/petitions/resume": anybody, "/petitions/draft/:token": anybody, "/petitions/draft/:token/refuse": anybody, "/petitions/mine/leave": anybody,
	"/petitions/mine/:id/edit": starter, "/petitions/mine/:id/draft": starter, "/petitions/mine/:id/submit": starter, "/petitions/mine/:id/withdraw": starter,
	"/petitions/mine/:id/texts": starter, "/petitions/mine/:id/texts/:locale": starter, "/petitions/mine/:id/starters": starter,
	"/petitions/mine/:id/starters/:starter/remove": starter, "/petitions/mine/:id/name": starter, "/petitions/mine/:id/update": starter, "/petitions/mine/:id/words": starter,
	"/admin/petitions/:id/texts": actor.DraftPetition, "/admin/petitions/:id/texts/:locale": actor.DraftPetition,
	"/admin/setup/:token":       anybody,
	"/admin/setup/:token/mail":  anybody,
	"/admin/setup/:token/texts": anybody,
	"/admin/setup/:token/you":   anybody,
	"/admin/login":              anybody,
	"/admin/login/link":         anybody,
	"/admin/login/:token":       anybody,
	"/admin/logout":             anybody,
	"/admin/invitation/:token":  anybody,
	"/admin/account":            signed,
	"/admin/account/password":   signed,
	"/admin/account/sessions":   signed,
	"/admin/login/code":         anybody,
	"/admin/account/two-step":   signed, "/admin/account/two-step/begin": signed, "/admin/account/two-step/codes": signed, "/admin/account/two-step/end": signed,
	"/admin/users/:id/two-step": actor.ManageUsers,
	"/admin/chapters":           actor.ManageUsers, "/admin/chapters/:id": actor.ManageUsers, "/admin/chapters/:id/close": actor.ManageUsers, "/admin/chapters/assign": actor.ManageUsers,
	"/admin/petitions":           actor.DraftPetition,
	"/admin/petitions/:id/edit":  actor.ModeratePetition, // or one's own: here it is the owner's
	"/admin/petitions/:id/draft": actor.ModeratePetition, "/admin/petitions/:id/picture": actor.ModeratePetition,
	"/admin/petitions/:id/submit": actor.ModeratePetition, "/admin/petitions/:id/publish": actor.ModeratePetition,
	"/admin/petitions/:id/return": actor.ModeratePetition, "/admin/petitions/:id/steer": actor.ModeratePetition,
	"/admin/petitions/:id/handover": actor.ModeratePetition, "/admin/petitions/:id/handovers/:handover/delete": actor.ModeratePetition,
	"/admin/petitions/:id/packs": actor.Export, "/admin/petitions/:id/packs/:pack/file": actor.Export,
	"/admin/petitions/:id/digests": actor.ModeratePetition, "/admin/petitions/:id/digests/:digest/delete": actor.ModeratePetition,
	"/admin/petitions/:id/outcome": actor.ModeratePetition, "/admin/petitions/:id/outcome/tell": actor.Send, "/admin/petitions/:id/response": actor.ModeratePetition,
	"/admin/petitions/:id/updates/:update": actor.ModeratePetition, "/admin/petitions/:id/updates/:update/delete": actor.ModeratePetition,
	"/admin/petitions/:id/updates/:update/mail": actor.ModeratePetition, // a yes or no: actor.Send
	"/admin/petitions/:id/update":               actor.ModeratePetition, "/admin/petitions/:id/comments/:comment": actor.ModeratePetition,
	"/admin/abuse": actor.ModeratePetition, "/admin/abuse/:rule/end": actor.ModeratePetition,
	"/admin/petitions/:id/trust/suspect": actor.ModeratePetition, "/admin/petitions/:id/trust/windows": actor.ModeratePetition,
	"/admin/petitions/:id/trust/windows/:window/close": actor.ModeratePetition, "/admin/petitions/:id/trust/breaker": actor.ModeratePetition,
	"/admin/petitions/:id/trust/out": actor.ModeratePetition, "/admin/petitions/:id/trust/out/:work/revert": actor.ModeratePetition,
	"/admin/petitions/:id/claim": actor.ModeratePetition, "/admin/petitions/:id/reopen": actor.ModeratePetition, "/admin/petitions/comments": actor.ModeratePetition,
	"/admin/petitions/:id/words":    actor.ModeratePetition, // or one's own, as /edit
	"/admin/petitions/:id/settings": actor.ModeratePetition, "/admin/petitions/:id/thresholds": actor.ModeratePetition, "/admin/petitions/:id/paper": actor.ModeratePetition,
	"/admin/account/away": signed, "/admin/settings/review": actor.Administer,
	"/admin/mailings": actor.WriteMailing, "/admin/mailings/:id": actor.WriteMailing, "/admin/mailings/:id/draft": actor.WriteMailing,
	"/admin/mailings/:id/send": actor.Send, "/admin/mailings/:id/pause": actor.Send, "/admin/mailings/:id/resume": actor.Send,
	"/admin/mailings/:id/stop": actor.Send, "/admin/mailings/:id/unknown": actor.Send,
	"/admin/series": actor.WriteMailing, "/admin/series/:id/edit": actor.WriteMailing, "/admin/series/:id/steps": actor.WriteMailing,
	"/admin/series/:id/steps/:step": actor.WriteMailing, "/admin/series/:id/steps/:step/move": actor.WriteMailing, "/admin/series/:id/steps/:step/remove": actor.WriteMailing,
	"/admin/series/:id/start": actor.Send, "/admin/series/:id/pause": actor.Send, "/admin/series/:id/resume": actor.Send, "/admin/series/:id/end": actor.Send,
	"/admin/series/:id/unknown":                  actor.Send,
	"/admin/mailings/templates/:template/delete": actor.WriteMailing, "/admin/mailings/pictures": actor.WriteMailing, "/admin/mailings/:id/template": actor.WriteMailing,
	"/admin/mailings/:id/html": actor.WriteMailing, "/admin/mailings/:id/revisions/:revision": actor.WriteMailing, "/admin/mailings/:id/approval": actor.WriteMailing,
	"/admin/mailings/:id/approve": actor.Send, "/admin/mailings/:id/public": actor.Send, "/admin/settings/words": actor.Administer,
	"/admin/mailings/often": actor.Administer, "/admin/mailings/:id/audience": actor.WriteMailing, "/admin/mailings/:id/unschedule": actor.Send,
	"/admin/mailings/:id/choose": actor.Send, "/admin/mailings/:id/later": actor.Send,
	"/admin/supporters/:id/districts/set": actor.EditSupporters, "/admin/supporters/:id/districts/unset": actor.EditSupporters, "/admin/supporters/:id/districts/point": actor.EditSupporters,
	"/admin/duplicates/:id/merge": actor.EditSupporters, "/admin/duplicates/:id/different": actor.EditSupporters, "/admin/duplicates/merges/:id/undo": actor.EditSupporters,
	"/admin/forms": actor.EditSupporters, "/admin/forms/:id/edit": actor.EditSupporters, "/admin/forms/:id/draft": actor.EditSupporters,
	"/admin/forms/:id/state": actor.EditSupporters, "/admin/topics": actor.Arrange, "/admin/topics/:id": actor.Arrange,
	"/admin/topics/:id/move": actor.Arrange, "/admin/partners": actor.Arrange, "/admin/partners/:id": actor.Arrange,
	"/admin/consents/:name": actor.Arrange,
	"/admin/segments/new":   actor.EditSupporters, "/admin/segments/count": actor.EditSupporters, "/admin/segments/:id": actor.EditSupporters,
	"/admin/segments/:id/copy": actor.EditSupporters, "/admin/segments/:id/archive": actor.EditSupporters, "/admin/segments/:id/unarchive": actor.EditSupporters,
	"/admin/segments/:id/freeze": actor.EditSupporters, "/admin/segments/:id/thaw": actor.EditSupporters,
	"/admin/supporters/find": actor.SeeSupporters, "/admin/supporters/new": actor.EditSupporters, "/admin/supporters/:id/edit": actor.EditSupporters,
	"/admin/supporters/:id/tags": actor.EditSupporters, "/admin/supporters/:id/tags/:tag/remove": actor.EditSupporters,
	"/admin/supporters/:id/notes": actor.EditSupporters, "/admin/supporters/:id/notes/:note/delete": actor.EditSupporters,
	"/admin/supporters/:id/mailboxes/:mailbox": actor.EditSupporters, "/admin/supporters/:id/consents": actor.EditSupporters,
	"/admin/supporters/:id/consents/:consent/withdraw": actor.EditSupporters,
	"/admin/fields/new": actor.Arrange, "/admin/fields/:id": actor.Arrange, "/admin/fields/:id/move": actor.Arrange, "/admin/fields/:id/archive": actor.Arrange,
	"/admin/tags/:id/rename": actor.Arrange, "/admin/tags/:id/merge": actor.Arrange, "/admin/tags/:id/delete": actor.Arrange,
	"/admin/imports": actor.Import, "/admin/imports/:id/check": actor.Import, "/admin/imports/:id/start": actor.Import,
	"/admin/imports/:id/resume": actor.Import, "/admin/imports/:id/count": actor.Import,
	"/admin/exports": actor.Export, "/admin/exports/signatures": actor.Export, "/admin/exports/everything": actor.Administer, "/admin/exports/:id/file": actor.Export,
	"/admin/users/invite": actor.ManageUsers, "/admin/users/invitations/:id/revoke": actor.ManageUsers,
	"/admin/users/:id/role": actor.ManageUsers, "/admin/users/:id/disable": actor.ManageUsers,
	"/admin/deliverability/check": actor.Administer, "/admin/deliverability/keys": actor.Administer, "/admin/deliverability/keys/:id/remove": actor.Administer,
	"/admin/deliverability/sends-from": actor.Administer, "/admin/settings/limits": actor.Administer,
	"/letters/:slug/write": anybody, "/letters/:slug/draft": anybody, "/letters/:slug/sent": anybody, "/letters/resume": anybody, "/letters/draft/:token": anybody, "/representatives/here": anybody,
	"/offers/:token/yes": anybody, "/offers/:token/no": anybody, "/offers/:token/stop": anybody,
	"/by-hand/:token/keep": anybody, "/by-hand/:token/delete": anybody, "/by-hand/:token/:part/done": anybody, "/by-hand/:token/:part/remind": anybody, "/by-hand/:token/:part/another": anybody,
	"/by-hand/:token/:part/decline": anybody, "/by-hand/:token/:part/answer": anybody, "/by-hand/:token/:part/withdraw": anybody, "/by-hand/:token/:part/successor": anybody,
	"/admin/letters":             actor.DraftPetition,
	"/admin/letters/:id/edit":    actor.ManageLetters, // or one's own: here it is the owner's
	"/admin/letters/:id/targets": actor.ManageLetters, "/admin/letters/:id/targets/:target/remove": actor.ManageLetters,
	"/admin/letters/:id/points": actor.ManageLetters, "/admin/letters/:id/points/:point": actor.ManageLetters, "/admin/letters/:id/points/:point/remove": actor.ManageLetters,
	"/admin/letters/:id/points/:point/move": actor.ManageLetters,
	"/admin/letters/:id/texts/:locale":      actor.ManageLetters, "/admin/letters/:id/texts/:locale/remove": actor.ManageLetters,
	"/admin/letters/:id/submit": actor.ManageLetters, "/admin/letters/:id/return": actor.ManageLetters, "/admin/letters/:id/publish": actor.ManageLetters, "/admin/letters/:id/steer": actor.ManageLetters,
	"/admin/letters/:id/positions": actor.ManageLetters, "/admin/letters/held": actor.ManageLetters, "/admin/letters/held/:id/reject": actor.ManageLetters,
	"/admin/letters/:id/offices/:office/carried": actor.ManageLetters, "/admin/letters/:id/offices/:office/print": actor.ManageLetters, "/admin/letters/:id/offices/:office/unknown": actor.ManageLetters,
	"/meetings/:token/notes": anybody, "/admin/meetings/:id/plan": actor.ManageRosters, "/admin/meetings/:id/build": actor.ManageRosters, "/admin/meetings/:id/import": actor.ManageRosters,
	"/admin/meetings/:id/new": actor.ManageRosters, "/admin/meetings/:id/log": actor.ManageLetters, "/admin/meetings/:id/send": actor.ManageRosters, "/admin/meetings/:id/packs": actor.ManageRosters,
	"/admin/meetings/:id/at/:meeting/edit": actor.ManageRosters, "/admin/meetings/:id/at/:meeting/cancel": actor.ManageRosters, "/admin/meetings/:id/at/:meeting/late": actor.ManageRosters,
	"/admin/meetings/:id/at/:meeting/notes": actor.ManageRosters, "/admin/meetings/:id/at/:meeting/thanked": actor.ManageRosters, "/admin/meetings/:id/at/:meeting/followed": actor.ManageRosters,
	"/admin/meetings/:id/at/:meeting/pack": actor.ManageRosters, "/admin/meetings/:id/at/:meeting/host": actor.ManageRosters,
	"/admin/rosters": actor.ManageRosters, "/admin/rosters/:id/edit": actor.ManageRosters, "/admin/rosters/:id/state": actor.ManageRosters, "/admin/rosters/:id/copy": actor.ManageRosters,
	"/admin/rosters/:id/teams": actor.ManageRosters, "/admin/rosters/:id/teams/:team": actor.ManageRosters, "/admin/rosters/:id/teams/:team/delete": actor.ManageRosters,
	"/admin/rosters/:id/shifts": actor.ManageRosters, "/admin/rosters/:id/shifts/:shift/edit": actor.ManageRosters, "/admin/rosters/:id/shifts/:shift/cancel": actor.ManageRosters,
	"/admin/rosters/:id/shifts/:shift/delete": actor.ManageRosters, "/admin/rosters/:id/shifts/:shift/heads": actor.ManageRosters, "/admin/rosters/:id/shifts/:shift/seat": actor.ManageRosters,
	"/admin/rosters/:id/shifts/:shift/find": actor.ManageRosters, "/admin/rosters/:id/shifts/:shift/release/:assignment": actor.ManageRosters,
	"/admin/rosters/:id/phones/:shift/:mailbox": actor.ManageRosters, "/admin/rosters/:id/answers/:offer": actor.ManageRosters, "/admin/rosters/:id/message": actor.ManageRosters,
	"/admin/advocacy": actor.ManageLetters, "/admin/advocacy/:id/strike": actor.ManageLetters,
	"/admin/legislators": actor.ManageLetters, "/admin/legislators/:id/channels": actor.ManageLetters, "/admin/legislators/:id/channels/:channel": actor.ManageLetters,
	"/admin/legislators/:id/salutation": actor.ManageLetters, "/admin/legislators/:id/terms/:term/end": actor.ManageLetters, "/admin/legislators/imports/new/congress": actor.ManageLetters, "/admin/legislators/imports/new/csv": actor.ManageLetters, "/admin/legislators/imports/new/openstates": actor.ManageLetters, "/admin/exports/letters": actor.Export,
	"/admin/legislators/imports/:id/apply": actor.ManageLetters, "/admin/legislators/imports/:id/drop": actor.ManageLetters,
	"/events/:slug": anybody, "/events/:slug/sent": anybody, "/coming/:token/cant": anybody, "/coming/:token/accept": anybody, "/coming/:token/needs": anybody,
	"/admin/events": actor.ManageRosters, "/admin/events/:id/edit": actor.ManageRosters, "/admin/events/:id/state": actor.ManageRosters, "/admin/events/:id/dates": actor.ManageRosters,
	"/admin/events/:id/dates/:date": actor.ManageRosters, "/admin/events/:id/message": actor.ManageRosters,
	"/admin/settings": actor.Administer, "/admin/settings/mail": actor.Administer, "/admin/settings/texts": actor.Administer,
	"/admin/recovery/sheet": actor.Administer, "/admin/recovery/kept": actor.Administer,
	"/admin/erasures": actor.Delete, "/admin/erasures/list": actor.Delete, "/admin/erasures/supporter/:id": actor.Delete,
	"/admin/suppressions/find": actor.SeeSupporters, "/admin/suppressions/add": actor.EditSupporters, "/admin/suppressions/export": actor.Export,
	"/admin/suppressions/:id/lift": actor.EditSupporters,
	"/admin/inbound/held":          actor.Administer, "/admin/inbound/troubles/:id/end": actor.Administer,
	"/admin/settings/inbound": actor.Administer, "/admin/settings/inbound/ses": actor.Administer, "/admin/settings/inbound/postmark": actor.Administer,
	"/callbacks/ses/:secret": anybody, "/callbacks/postmark/:secret": anybody, // who proves to be the provider
	"/admin/retention": actor.Delete, "/admin/retention/:id": actor.Delete,
	"/volunteer": anybody, "/volunteer/sent": anybody, "/me/:token/volunteer": anybody, "/me/:token/volunteer/pause": anybody, "/me/:token/volunteer/resume": anybody, "/me/:token/volunteer/stop": anybody,
	"/me/:token/plan": anybody, "/me/:token/plan/bad": anybody, "/me/:token/plan/better": anybody, "/me/:token/certificates": anybody, "/me/:token/certificates/:certificate/drop": anybody,
	"/admin/volunteers/export": actor.Export, "/admin/volunteers/new": actor.ManageRosters, "/admin/volunteers/steps": actor.ManageRosters, "/admin/volunteers/steps/:step": actor.ManageRosters,
	"/admin/volunteers/certificates/:certificate": actor.ManageRosters, "/admin/volunteers/:id/trainings": actor.ManageRosters, "/admin/volunteers/:id/remark": actor.ManageRosters,
	"/admin/volunteers/:id/welcome": actor.ManageRosters, "/admin/volunteers/:id/steps/:step": actor.ManageRosters,
	"/admin/jobs/:id/retry": actor.Administer, "/admin/jobs/:id/cancel": actor.Administer,
}

// The canaries: what only those may see who may see people.
const (
	canaryGiven   = "Canarina"
	canaryFamily  = "Zyxwoldt"
	canaryEmail   = "quokka@hidden.example"
	canaryComment = "The word is numbatisland."
	canaryDraft   = "Tamandua under review"
	canaryInvited = "invited@hidden.example"
	canaryImport  = "listed@hidden.example"
	canaryNote    = "Quollberg called."
	canaryStaff   = "staff.hidden.example" // the mail domain of all accounts
)

var canaries = []string{canaryGiven, canaryFamily, canaryEmail, "numbatisland", canaryDraft, canaryInvited, canaryImport, "Quollberg", "@" + canaryStaff}

// world has one of everything that a route can lead to.
type world struct {
	*testapp.App
	ids     map[string][]string // by the beginning of a pattern: what stands for :id, :slug, :comment
	clients map[string]*testapp.Client
}

var everybody = []string{"nobody", "viewer", "coordinator", "advocate", "organizer", "owner"}

func newWorld(t *testing.T, a *testapp.App) *world {
	t.Helper()
	ctx, owner := context.Background(), factory.Owner(t, a)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &world{App: a, ids: map[string][]string{}, clients: map[string]*testapp.Client{"nobody": a.Client(t)}}
	var user uuid.UUID
	for _, role := range actor.Roles {
		id, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "A colleague", Email: string(role) + "@" + canaryStaff, Role: role})
		must(err)
		w.clients[string(role)] = signIn(t, a, id)
		user = id
	}
	p := factory.Petition(t, a, "Twenty visits")
	_, err := a.Petitions.Sign(ctx, petitions.SignInput{
		Slug: p.Slug, GivenName: canaryGiven, FamilyName: canaryFamily, Email: canaryEmail, PostalCode: "00209", Display: "anonymous", Comment: canaryComment, Updates: true, Locale: "en", ConsentText: "Write to me",
	})
	must(err)
	a.WaitMail(t, canaryEmail, 1)
	var sig models.Signature
	must(a.DB.Take(&sig).Error)
	_, err = a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, sig.MailboxID, a.Clock.Now().AddDate(0, 0, 7)), nil)
	must(err)
	draft, err := a.Petitions.Create(ctx, owner, petitions.CreateInput{Draft: petitions.Draft{Title: canaryDraft, Locale: "en"}})
	must(err)
	m, err := a.Mailings.Create(ctx, owner, p.ID)
	must(err)
	_, err = a.Mailings.Save(ctx, owner, m, mailings.Draft{Revision: 1, PetitionID: p.ID, Subject: "Tuesday", Body: "Hello {{given_name|friend}}."})
	must(err)
	file, err := a.Imports.Upload(ctx, owner, imports.UploadInput{Name: "list.csv", Content: strings.NewReader("email,given_name\n" + canaryImport + ",Ann\n"), Locale: "en"})
	must(err)
	list, err := a.Exports.Create(ctx, owner, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV})
	must(err)
	for made := false; !made; pause(t) {
		e, err := a.Exports.Get(ctx, owner, list)
		must(err)
		made = e.Ready()
	}
	invitation, err := a.Users.Invite(ctx, owner, canaryInvited, actor.Viewer, uuid.Nil)
	must(err)
	var supporter models.Supporter
	must(a.DB.Take(&supporter).Error)
	helper, err := a.Volunteers.Add(ctx, owner, volunteers.HandInput{
		Said: volunteers.Said{GivenName: canaryGiven, FamilyName: canaryFamily}, Email: canaryEmail, Locale: "en", Where: "On the telephone", On: a.Clock.Now().Format(time.DateOnly),
	})
	must(err)
	begun, err := a.Volunteers.SaveStep(ctx, owner, uuid.Nil, volunteers.StepInput{Name: "A call"})
	must(err)
	must(a.Volunteers.Ask(ctx, []uuid.UUID{sig.MailboxID}, volunteers.AskInput{Name: canaryGiven + " " + canaryFamily, Role: "Stall", On: a.Clock.Now().AddDate(0, 0, -1).Format(time.DateOnly), Minutes: 90}))
	for range 2 { // one person twice
		row := supporters.NewRow(a.Vault, models.NewID(), supporters.Facts{GivenName: canaryGiven, FamilyName: "Twice", PostalArea: "00301", Source: supporters.SourceForm}, a.Clock.Now())
		must(a.DB.Create(&row).Error)
	}
	must(a.Duplicates.Scan(ctx))
	var pair models.Duplicate
	must(a.DB.Take(&pair).Error)
	var c models.Campaign
	must(a.DB.Take(&c, "id = ?", p.CampaignID).Error)
	a.WaitMail(t, canaryInvited, 1)
	settled(t, a)

	w.ids["/petitions/:slug"] = []string{p.Slug, draft.Slug}
	w.ids["/campaigns/:slug"] = []string{c.Slug}
	topic, err := a.Consents.SaveTopic(ctx, owner, uuid.Nil, consents.TopicInput{Name: "Research"})
	must(err)
	partner, err := a.Consents.SavePartner(ctx, owner, uuid.Nil, consents.PartnerInput{Name: "Harrow Bay Clinic"})
	must(err)
	joining, err := a.Forms.Create(ctx, owner, "Lend a hand", "en")
	must(err)
	joining, err = a.Forms.SetState(ctx, owner, joining.ID, models.FormOpen)
	must(err)
	w.ids["/forms/:slug"] = []string{joining.Slug}
	w.ids["/admin/forms/:id"] = []string{joining.ID.String()}
	w.ids["/admin/deliverability/keys/:id"] = []string{uuid.NewString()}
	w.ids["/admin/topics/:id"] = []string{topic.String()}
	w.ids["/admin/partners/:id"] = []string{partner.String()}
	w.ids["/admin/consents/:name"] = []string{"phone", "nothing"}
	w.ids["/admin/petitions/:id"] = []string{p.ID.String(), draft.ID.String()}
	w.ids["/petitions/mine/:id"] = w.ids["/admin/petitions/:id"]
	w.ids[":locale"], w.ids[":starter"] = []string{"es", "xx"}, []string{uuid.NewString()}
	w.ids["/admin/mailings/:id"] = []string{m.String()}
	course, err := a.Series.Create(ctx, owner, "Welcome", mailings.To{Newsletter: true}, series.Welcome)
	must(err)
	steps, err := a.Series.Steps(ctx, owner, course)
	must(err)
	must(a.DB.Create(&models.SeriesPerson{
		ID: models.NewID(), SeriesID: course, SupporterID: supporter.ID, State: models.SeriesActive, Round: 1, DueAt: a.Clock.Now(), EnteredAt: a.Clock.Now(), UpdatedAt: a.Clock.Now(),
	}).Error)
	w.ids["/admin/series/:id"], w.ids[":step"] = []string{course.String()}, []string{steps[0].ID.String(), steps[1].ID.String()}
	template, err := a.Mailings.SaveTemplate(ctx, owner, m, "Monthly")
	must(err)
	var dot bytes.Buffer
	must(png.Encode(&dot, image.NewGray(image.Rect(0, 0, 4, 4))))
	shown, err := a.Mailings.AddPicture(ctx, owner, "harbour.png", &dot)
	must(err)
	w.ids[":template"], w.ids[":revision"], w.ids[":picture"] = []string{template.String()}, []string{"2"}, []string{shown.FileID.String()}
	w.ids[":mail"] = []string{a.Signer.MakeForever(tokens.WebCopy, m), "nothing"}
	chosen, err := a.Segments.Create(ctx, owner, segments.Input{Name: "Everybody", Rule: segments.Everybody()})
	must(err)
	w.ids["/admin/segments/:id"] = []string{chosen.String()}
	w.ids["/admin/imports/:id"] = []string{file.String()}
	w.ids["/admin/exports/:id"] = []string{list.String()}
	w.ids["/admin/duplicates/:id"] = []string{pair.ID.String()}
	w.ids["/admin/duplicates/merges/:id"] = []string{uuid.NewString()}
	w.ids["/admin/supporters/:id"] = []string{supporter.ID.String()}
	must(a.Supporters.AddTag(ctx, owner, supporter.ID, "drives"))
	must(a.Supporters.AddNote(ctx, owner, supporter.ID, canaryNote))
	record, err := a.Supporters.Show(ctx, owner, supporter.ID)
	must(err)
	field, err := a.Supporters.AddField(ctx, owner, supporters.FieldInput{Label: "Preferred name", Kind: models.FieldText, SeenBy: actor.Coordinator})
	must(err)
	w.ids[":tag"], w.ids[":note"] = []string{record.Tags[0].ID.String()}, []string{record.Notes[0].ID.String()}
	w.ids[":mailbox"], w.ids[":consent"] = []string{record.Mailboxes[0].ID.String()}, []string{record.Consents[0].ID.String()}
	w.ids["/admin/tags/:id"], w.ids["/admin/fields/:id"] = w.ids[":tag"], []string{field.ID.String()}
	rule, err := a.Abuse.AddRule(ctx, owner, abuse.RuleInput{Effect: abuse.EffectFlag, Subject: abuse.SubjectDomain, Value: "odd.example", Note: "A test"})
	must(err)
	window, err := a.Abuse.OpenWindow(ctx, owner, abuse.WindowInput{PetitionID: p.ID, Note: "A stand", From: a.Clock.Now(), Until: a.Clock.Now().Add(time.Hour)})
	must(err)
	w.ids[":rule"], w.ids[":window"], w.ids[":work"] = []string{rule.ID.String()}, []string{window.ID.String()}, []string{uuid.NewString()}
	w.ids["/admin/suppressions/:id"], w.ids["/admin/inbound/troubles/:id"], w.ids[":secret"] = w.ids[":mailbox"], []string{uuid.NewString()}, []string{"x"}
	var paper models.Certificate
	must(a.DB.Take(&paper).Error)
	w.ids["/admin/volunteers/:id"], w.ids["/admin/volunteers/steps/:step"], w.ids[":certificate"] = []string{helper.String()}, []string{begun.String()}, []string{paper.ID.String()}
	w.ids["/admin/erasures/supporter/:id"] = []string{supporter.ID.String()}
	w.ids["/admin/erasures/:id"] = []string{uuid.NewString()}
	w.ids["/admin/retention/:id"] = []string{p.CampaignID.String()}
	w.ids["/admin/users/invitations/:id"] = []string{invitation.String()}
	chapter, err := a.Chapters.Save(ctx, owner, uuid.Nil, chapters.Input{Name: "Harbor"})
	must(err)
	w.ids["/admin/chapters/:id"] = []string{chapter.String()}
	w.ids["/admin/users/:id"] = []string{user.String()}
	w.ids["/admin/jobs/:id"] = []string{"1"}
	w.ids["/outbox/:id"] = []string{"00000001-abc"}
	w.ids[":comment"] = []string{sig.ID.String()}
	update, err := a.Posts.PostUpdate(ctx, owner, p.ID, news.UpdateInput{Title: "A date", Body: "On Tuesday."})
	must(err)
	w.ids[":update"], w.ids[":handover"], w.ids[":digest"], w.ids[":pack"] = []string{update.ID.String()}, []string{uuid.NewString()}, []string{uuid.NewString()}, []string{uuid.NewString()}
	writing, err := a.Letters.Create(ctx, owner, letters.CreateInput{CampaignID: p.CampaignID, Plan: letters.Plan{Said: letters.Said{Title: "Write about twenty visits", Locale: "en"}}})
	must(err)
	body := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	chamber := models.Chamber{ID: models.NewID(), JurisdictionID: body.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	senator := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "x", Name: "Ada Vale", FamilyName: "Vale", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	term := models.Term{ID: models.NewID(), LegislatorID: senator.ID, ChamberID: chamber.ID, CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	for _, row := range []any{&body, &chamber, &senator, &term} {
		must(a.DB.Create(row).Error)
	}
	w.ids["/letters/:slug"], w.ids["/admin/letters/:id"], w.ids["/admin/letters/held/:id"] = []string{writing.Slug}, []string{writing.ID.String()}, []string{uuid.NewString()}
	w.ids["/admin/advocacy/:id"], w.ids["/admin/legislators/:id"], w.ids["/admin/legislators/imports/:id"] = []string{uuid.NewString()}, []string{senator.ID.String()}, []string{uuid.NewString()}
	w.ids[":point"], w.ids[":target"], w.ids[":channel"], w.ids[":term"], w.ids[":part"] = []string{uuid.NewString()}, []string{uuid.NewString()}, []string{uuid.NewString()}, []string{term.ID.String()}, []string{uuid.NewString()}
	w.ids[":office"] = []string{senator.ID.String()}
	visits := models.Roster{ID: models.NewID(), Slug: "a-day-of-meetings", State: models.RosterDraft, Title: "A day of meetings", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	must(a.DB.Create(&visits).Error)
	met, err := a.Meetings.Add(ctx, owner, visits.ID, meetings.Input{
		LegislatorID: senator.ID, Day: a.Clock.Now().AddDate(0, 1, 0).Format(time.DateOnly), Hour: "10:00", Minutes: 15, Mode: models.MeetingVideo, Asks: []string{"Will you vote yes?"},
	})
	must(err)
	w.ids["/admin/meetings/:id"], w.ids[":meeting"] = []string{visits.ID.String()}, []string{met.ID.String()}
	rota, err := a.Rosters.Create(ctx, owner, rosters.Draft{Title: "Pain Day", Locale: "en", Zone: "America/New_York"})
	must(err)
	side, err := a.Rosters.AddTeam(ctx, owner, rota.ID, rosters.TeamInput{Name: "House 31"})
	must(err)
	month := a.Clock.Now().AddDate(0, 0, 30).Format(time.DateOnly) // nobody is looked for by itself yet
	made, err := a.Rosters.AddShifts(ctx, owner, rota.ID, rosters.ShiftInput{
		Role: "Notes", Kind: models.ShiftFixed, Mode: models.ShiftHome, TeamID: &side.ID, Minimum: 1, Places: 2, Standbys: 1, Energy: 2,
		Starts: rosters.Local{Day: month, Clock: "10:00"}, Ends: rosters.Local{Day: month, Clock: "10:45"},
	})
	must(err)
	_, err = a.Rosters.SetState(ctx, owner, rota.ID, models.RosterPublished)
	must(err)
	place, err := a.Rosters.Seat(ctx, owner, made[0].ID, rosters.SeatInput{SupporterID: supporter.ID, As: models.AsStandby, AskBy: models.AskByPhone, SaidYes: true})
	must(err)
	ring, err := a.Rosters.StartCall(ctx, owner, made[0].ID, place.MailboxID)
	must(err)
	settled(t, a)
	w.ids["/admin/rosters/:id"], w.ids[":team"], w.ids[":shift"] = []string{rota.ID.String()}, []string{side.ID.String()}, []string{made[0].ID.String()}
	w.ids[":assignment"], w.ids[":offer"] = []string{place.ID.String()}, []string{ring.ID.String()}
	help := models.Roster{ID: models.NewID(), Slug: "help", State: models.RosterPublished, Title: "Help", Locale: "en", TimeZone: "UTC", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	must(a.DB.Create(&help).Error)
	task := models.Shift{ID: models.NewID(), RosterID: help.ID, Role: "Notes", Kind: models.ShiftTask, Minutes: 5, Mode: models.ShiftHome, Minimum: 1, Places: 2, Energy: 1, CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
	must(a.DB.Create(&task).Error)
	w.ids["/rosters/:slug"], w.ids["/shifts/:id"] = []string{help.Slug}, []string{task.ID.String()}
	group, err := a.Events.Create(t.Context(), actor.TheSystem(), events.Draft{
		Title: "First Tuesday", Summary: "An hour.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: "America/New_York", StartsOn: "2027-03-02T18:30", Minutes: 60, Venue: models.VenueOnline,
		Join: "https://meet.example.org/room", Looked: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if group, err = a.Events.Publish(t.Context(), actor.TheSystem(), group.ID); err != nil {
		t.Fatal(err)
	}
	w.ids["/admin/events/:id"], w.ids["/events/:slug"], w.ids[":date"] = []string{group.ID.String(), uuid.NewString()}, []string{group.Slug, "no-such"}, []string{"20270302T233000Z", "x"}
	w.ids[":chapter"] = []string{"no-such"}
	// Links that say nothing, of another kind, and too old.
	soon, past := a.Clock.Now().AddDate(0, 0, 1), a.Clock.Now().AddDate(0, 0, -1)
	w.ids[":token"] = []string{"nonsense", a.Signer.Make(tokens.Browser, sig.ID, soon), a.Signer.Make(tokens.Confirm, sig.ID, past), a.Signer.Make(tokens.Login, uuid.New(), soon)}
	return w
}

// settled returns once no mail is on its way any more.
func settled(t *testing.T, a *testapp.App) {
	t.Helper()
	for {
		var n int64
		if err := a.DB.Model(&models.Delivery{}).Where("state IN ('queued', 'sending')").Count(&n).Error; err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		pause(t)
	}
}

// pause lets the program go on for a moment. The test's own deadline ends a wait for what never comes.
func pause(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal("the test is over")
	case <-time.After(5 * time.Millisecond):
	}
}

// signIn returns a browser in which a user is signed in by a link.
func signIn(t *testing.T, a *testapp.App, id uuid.UUID) *testapp.Client {
	t.Helper()
	token, err := a.Users.LoginLinkFor(context.Background(), actor.TheSystem(), id)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Client(t)
	c.Get(users.LoginPath(token)).Want(200).Submit("main form button", nil).Want(200)
	return c
}

// paths are the addresses that a pattern is tried with.
func (w *world) paths(t *testing.T, pattern string) []string {
	t.Helper()
	out := []string{""}
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		var with []string
		name, suffix, _ := strings.Cut(part, ".")
		switch {
		case strings.HasSuffix(part, "*"):
			with = []string{"x.css"}
		case !strings.HasPrefix(part, ":"):
			with = []string{part}
		default:
			if suffix != "" {
				suffix = "." + suffix
			}
			known := w.ids[name]
			for begin, ids := range w.ids {
				if strings.HasPrefix(begin, "/") && (strings.HasPrefix(pattern+"/", begin+"/") || strings.HasPrefix(pattern, begin+".")) && begin[strings.LastIndex(begin, "/")+1:] == name {
					known = ids
				}
			}
			if len(known) == 0 {
				t.Fatalf("%s: nothing stands for %s: add it to newWorld", pattern, part)
			}
			for _, id := range known {
				with = append(with, id+suffix)
			}
		}
		var next []string
		for _, o := range out {
			for _, p := range with {
				next = append(next, o+"/"+p)
			}
		}
		out = next
	}
	return out
}

// rows is what the tables hold, row by row; River's own tables are left out, since its housekeeping goes on. It is one statement, for it is
// asked after each form that is tried.
func rows(t *testing.T, a *testapp.App) map[string][]string {
	t.Helper()
	const between = "\x1e"
	var parts []string
	for name, columns := range tablesOf(t, a) {
		if strings.HasPrefix(name, "river") || strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "goose") {
			continue
		}
		whole := "SELECT group_concat(r, char(30)) FROM (SELECT quote(" + strings.Join(columns, ") || quote(") + ") AS r FROM " + name + " ORDER BY 1)"
		if a.DB.Postgres() {
			whole = "SELECT string_agg(md5(r::text), chr(30) ORDER BY r::text) FROM " + name + " r"
		}
		parts = append(parts, "SELECT '"+name+"' AS name, COALESCE(("+whole+"), '') AS held")
	}
	var all []struct{ Name, Held string }
	if err := a.DB.Raw(strings.Join(parts, " UNION ALL ")).Scan(&all).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, r := range all {
		if out[r.Name] = nil; r.Held != "" {
			out[r.Name] = strings.Split(r.Held, between)
		}
	}
	if len(out["signatures"]) == 0 || len(out["users"]) == 0 {
		t.Fatalf("the tables were not read: %v", all)
	}
	return out
}

func unchanged(t *testing.T, a *testapp.App, before map[string][]string, after string) {
	t.Helper()
	for name, now := range rows(t, a) {
		if !slices.Equal(before[name], now) {
			t.Errorf("%s changed after %s: %d rows, then %d", name, after, len(before[name]), len(now))
			before[name] = now // tell once
		}
	}
}

func routes(t *testing.T, a *testapp.App, method string) []string {
	t.Helper()
	var out []string
	for _, r := range a.Routes() {
		if path := strings.TrimSuffix(r.Path, "/"); r.Method == method && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d routes for %s: the router was not read", len(out), method)
	}
	return out
}

// form has what any of the forms asks for, so that a route is not spared by a missing field.
var form = url.Values{
	"do": {"show"}, "role": {"viewer"}, "email": {"new@hidden.example"}, "name": {"A name"}, "title": {"A title"}, "revision": {"1"}, "disabled": {"yes"},
	"subject": {"A subject"}, "body": {"A body"}, "reason": {"other"}, "text": {"Because"}, "basis": {"none"}, "password": {"another calm afternoon"},
}

func TestRights(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		w := newWorld(t, a)
		for _, r := range a.Routes() {
			if r.Method != http.MethodGet && r.Method != http.MethodPost {
				t.Errorf("%s %s: nobody tries this method", r.Method, r.Path)
			}
		}
		before := rows(t, a)

		// Whoever looks changes nothing, and sees nobody they have no right to see.
		seen := map[string]map[string]bool{}
		for _, who := range everybody {
			seen[who] = map[string]bool{}
			for _, route := range routes(t, a, http.MethodGet) {
				for _, path := range w.paths(t, route) {
					p := w.clients[who].Get(path)
					if p.Status >= 500 {
						t.Errorf("%s: GET %s answered %d", who, path, p.Status)
					}
					for _, c := range canaries {
						if !strings.Contains(string(p.Body), c) || c == "@"+canaryStaff && route == "/admin/account" {
							continue
						}
						seen[who][c] = true
						if who == "nobody" || who == "viewer" || who == "advocate" {
							t.Errorf("%s: GET %s shows %q", who, path, c)
						}
					}
				}
			}
			unchanged(t, a, before, "every GET of the "+who)
		}
		for _, c := range canaries {
			if !seen["owner"][c] {
				t.Errorf("the owner never sees %q: it is no canary", c)
			}
		}
		for _, c := range []string{canaryDraft, "numbatisland", canaryInvited, canaryImport, "Quollberg", "@" + canaryStaff} {
			if seen["coordinator"][c] {
				t.Errorf("the coordinator sees %q", c)
			}
		}

		// A form from another site is refused, whoever's browser sends it.
		for _, route := range routes(t, a, http.MethodPost) {
			if route == "/u/:token" { // RFC 8058
				continue
			}
			for _, path := range w.paths(t, route) {
				for _, h := range []map[string]string{
					{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
					{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
					{"Sec-Fetch-Site": "cross-site"},
					{"Origin": "https://evil.example"},
				} {
					if p := post(t, w, "owner", path, h); p.Status != http.StatusForbidden {
						t.Errorf("POST %s with %v answered %d", path, h, p.Status)
					}
				}
			}
		}
		unchanged(t, a, before, "forms of another site")

		// A form without the right to it changes nothing.
		for _, route := range routes(t, a, http.MethodPost) {
			need, ok := posts[route]
			if !ok {
				t.Errorf("POST %s is new: say in posts who may use it", route)
				continue
			}
			for _, who := range everybody {
				as := actor.Actor{Kind: actor.User, Role: actor.Role(who)}
				if need == anybody || who != "nobody" && (need == signed || as.May(need)) {
					continue
				}
				for _, path := range w.paths(t, route) {
					p := post(t, w, who, path, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": a.URL})
					if !slices.Contains([]int{401, 403, 404}, p.Status) {
						t.Errorf("%s: POST %s answered %d", who, path, p.Status)
					}
					for _, c := range canaries {
						if strings.Contains(string(p.Body), c) {
							t.Errorf("%s: POST %s shows %q", who, path, c)
						}
					}
				}
			}
			unchanged(t, a, before, "POST "+route+" by all who may not")
		}
		for route := range posts {
			if !slices.Contains(routes(t, a, http.MethodPost), route) {
				t.Errorf("POST %s is gone: take it out of posts", route)
			}
		}

		// Old, foreign and broken links are explained.
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for _, route := range routes(t, a, method) {
				if !strings.Contains(route, ":token") {
					continue
				}
				for _, path := range w.paths(t, route) {
					p := w.clients["nobody"].Get(path)
					if method == http.MethodPost {
						p = w.clients["nobody"].Post(path, form)
					}
					if p.Status != 404 && p.Status != 410 {
						t.Errorf("%s %s answered %d", method, path, p.Status)
					}
					if p.Doc == nil && method+route == "POST/u/:token" { // a mail program's: a line of text
						continue
					}
					if len(p.Text("main")) < 40 {
						t.Errorf("%s %s explains nothing: %s", method, path, p.Text("main"))
					}
				}
			}
		}
		unchanged(t, a, before, "links that are no good")
	})
}

func post(t *testing.T, w *world, who, path string, headers map[string]string) *testapp.Page {
	t.Helper()
	fields := maps.Clone(form)
	if strings.HasSuffix(path, "/unknown") {
		fields.Set("do", "leave")
	}
	req, err := http.NewRequest(http.MethodPost, w.URL+path, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	return w.clients[who].Do(req)
}
