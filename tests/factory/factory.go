// Package factory makes the things that many tests need, by the same operations as the pages.
package factory

import (
	"context"
	"fmt"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/testapp"
)

// Owner is the actor behind the owner's account of a program that is set up.
func Owner(t testing.TB, a *testapp.App) actor.Actor {
	t.Helper()
	var u models.User
	if err := a.DB.Take(&u, "role = 'owner'").Error; err != nil {
		t.Fatal(err)
	}
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Owner}
}

// Petition publishes a petition.
func Petition(t testing.TB, a *testapp.App, title string) models.Petition {
	t.Helper()
	ctx, owner := context.Background(), Owner(t, a)
	p, err := a.Petitions.Create(ctx, owner, petitions.CreateInput{Draft: petitions.Draft{
		Title: title, Summary: "We ask the House Health Committee to pass HB 412.", Body: "Most plans stop paying after six visits.\n\nPlease bring **HB 412** to a vote.",
		Decider: "Chair, House Health Committee", WhyNow: "The hearing is on 16 March.", SystemChange: "Plans cover twenty visits.", Place: "Wennick", Goal: 5000, Locale: "en",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = a.Petitions.Submit(ctx, owner, p.ID, p.Revision); err != nil {
		t.Fatal(err)
	}
	if p, err = a.Petitions.Publish(ctx, owner, p.ID, p.Revision); err != nil {
		t.Fatal(err)
	}
	return p
}

// Person is one signer.
type Person struct {
	Given, Family, Email string
	Updates              bool
}

// People makes n signers with different addresses, all of whom want updates.
func People(n int) []Person {
	out := make([]Person, n)
	for i := range out {
		out[i] = Person{Given: "June", Family: fmt.Sprintf("Okafor%c", 'a'+i%26), Email: fmt.Sprintf("june%d@example.org", i), Updates: true}
	}
	return out
}

// Signed lets people sign a petition and confirm it by the link of their mail.
func Signed(t testing.TB, a *testapp.App, p models.Petition, people ...Person) {
	t.Helper()
	ctx := context.Background()
	for _, x := range people {
		_, err := a.Petitions.Sign(ctx, petitions.SignInput{
			Slug: p.Slug, GivenName: x.Given, FamilyName: x.Family, Email: x.Email, PostalCode: "00209", Display: "name", Updates: x.Updates, Locale: "en", ConsentText: "Write to me about this petition",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var boxes []models.Mailbox
	if err := a.DB.Where("id IN (SELECT mailbox_id FROM signatures WHERE petition_id = ? AND state = 'pending')", p.ID).Find(&boxes).Error; err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		if _, err := a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, b.ID, a.Clock.Now().AddDate(0, 0, 7)), nil); err != nil {
			t.Fatal(err)
		}
	}
}
