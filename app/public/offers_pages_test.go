package public

import (
	"testing"
	"time"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/pacing"
	"kithline/campaigns/rosters"
	"kithline/models"
)

// Everything that an offer can be has words in every language.
func TestPagesOfOffers(t *testing.T) {
	at, until := webtest.Time, webtest.Time.Add(time.Hour)
	swap := models.Shift{Role: "Storyteller <House 31>", Kind: models.ShiftFixed, StartsAt: &at, EndsAt: &until}
	base := rosters.Offered{
		GivenName: "June <x>", Roster: models.Roster{Title: "Day <one>", ContactName: "Ilse <x>", ContactPhone: "555-0142"}, Zone: time.UTC, Home: time.FixedZone("Europe/Madrid", 3600), StandsBy: true,
		Shift: models.Shift{Role: "Meeting leader <x>", Kind: models.ShiftFixed, StartsAt: &at, EndsAt: &until, Place: "Room <2>", Minutes: 45, Energy: 3, Demands: "speaking,screen"},
	}
	for _, is := range []rosters.OfferIs{rosters.OfferFree, rosters.OfferNo, rosters.OfferYours, rosters.OfferTaken, rosters.OfferClosed, rosters.OfferClash, rosters.OfferShort} {
		v := base
		v.Is = is
		if is == rosters.OfferClash || is == rosters.OfferShort {
			v.Swap = &swap
		}
		offerPageTest(t, v, "")
	}
	for _, plan := range []pacing.Verdict{pacing.Over, pacing.TooMuch, pacing.Demand, pacing.Resting, pacing.Flaring} {
		v := base
		v.Is, v.Plan, v.Swap, v.AnswerBy = rosters.OfferFree, plan, &swap, until
		offerPageTest(t, v, "Somebody was a little quicker.")
	}
}

func offerPageTest(t *testing.T, v rosters.Offered, refused string) {
	t.Helper()
	webtest.All(t, "public/offers/", func(_ *web.Web, p web.Page) map[string]any {
		p.Title = p.T("offers.title")
		page := &offerPage{Page: p, Token: "abc", Offer: v, When: "Tuesday 9 March 2027, 10:00", There: "Tuesday 9 March 2027, 16:00", SwapAt: "Tuesday 9 March 2027, 10:00", Refused: refused}
		return map[string]any{"public/offers/offer": page}
	})
}
