package journey

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"kithline/campaigns/supporters"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/smtpsink"
	"kithline/tests/testapp"
)

// An organizer builds a segment by its pages and writes to the signers who are in it: over the wire goes one mail to each of
// them, and none to who is outside, who did not agree, or who is excluded.
func TestWriteToASegment(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(5)
		people[1].Updates = false
		factory.Signed(t, a, p, people...)
		ctx := context.Background()
		tag := func(name string, who ...int) models.Tag {
			t.Helper()
			var g models.Tag
			err := a.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
				if g, err = supporters.EnsureTag(ctx, tx, name, a.Clock.Now()); err != nil {
					return err
				}
				for _, i := range who {
					found, err := a.Supporters.Find(ctx, factory.Owner(t, a), people[i].Email)
					if err != nil {
						return err
					}
					if err := tx.Create(&models.Tagging{SupporterID: found.Rows[0].ID, TagID: g.ID, CreatedAt: a.Clock.Now()}).Error; err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		yes, no := tag("Volunteers", 0, 1, 2), tag("Press", 2)

		owner := a.Owner(t)
		page := owner.Get("/admin/segments/new").Want(200)
		page = page.Submit("button[value='add:r']", map[string]string{"r-add": "tag"}).Want(200)
		page = page.Submit("button[value='add:r']", map[string]string{"r-add": "tag", "r.0-tag": yes.ID.String()}).Want(200)
		page = page.Submit("button[value='save']", map[string]string{"name": "Volunteers", "r.1-tag": no.ID.String(), "r.1-exclude": "yes"}).Want(200)
		if got := page.Text("#counted"); !strings.Contains(got, "Everybody who has the tag “Volunteers”, but not whoever has the tag “Press”.") || !strings.Contains(got, "2 people") {
			t.Fatalf("the segment: %s", got)
		}

		sink := smtpsink.New(t)
		a.Mail.AnswerWith(func(m mailer.Message) mailer.Outcome {
			conn := dial(t, sink)
			defer func() { _ = conn.Close() }()
			return conn.Send(context.Background(), m)
		})
		var s models.Segment
		if err := a.DB.Take(&s).Error; err != nil {
			t.Fatal(err)
		}
		compose := owner.Get("/admin/mailings").Want(200).Submit("form[action='/admin/mailings'] button", nil).Want(200)
		sent := compose.Submit("button[name='do'][value='next']", map[string]string{"subject": "To a few", "body": "Hello {{given_name|friend}}.", "segment": s.ID.String()}).Want(200)
		if got := sent.Text("table"); !strings.Contains(got, "In the segments2") || !strings.Contains(got, "or left the list− 1") || !strings.Contains(sent.Text(".count"), "1 person gets it") {
			t.Errorf("before sending: %s %s", sent.Text(".count"), got)
		}
		sent.Submit("form[action$='/send'] button.main", nil).Want(200)
		sink.Wait(ctx, t, 1)
		var m models.Mailing
		for m.State != models.MailingFinished {
			pause(t)
			if err := a.DB.Take(&m, "subject = ?", "To a few").Error; err != nil {
				t.Fatal(err)
			}
		}
		var went []string // receipts of signatures go out too
		for _, mail := range sink.Mails() {
			if mail.Header("Subject") == "To a few" {
				went = append(went, mail.To)
			}
		}
		if len(went) != 1 || went[0] != people[0].Email || m.AudienceCount != 1 {
			t.Errorf("it went to %d people, not to the one volunteer", len(went))
		}
	})
}
