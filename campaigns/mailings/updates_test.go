package mailings_test

import (
	"strings"
	"sync"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/posts"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

func TestAnUpdateGoesByMailOnceWhenSomebodySaysYes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(3)
		w.sign("quiet@example.org", "Quiet", models.SignatureConfirmed, false)
		news := posts.New(db, w.clk)
		author := actor.Actor{Kind: actor.User, UserID: w.user.UserID, Role: actor.Advocate}
		w.must(db.Model(&models.Petition{}).Where("id = ?", w.petition.ID).Update("author_id", author.UserID).Error)
		if n, err := w.svc.UpdateReach(ctx, author, w.petition.ID); err != nil || n != (mailings.Reach{People: 3}) {
			t.Errorf("%+v, %v", n, err)
		}
		for most, want := range map[int]mailings.Reach{2: {2, true}, 3: {3, false}} {
			if n, err := w.svc.ReachUpTo(ctx, w.petition, most); err != nil || n != want {
				t.Errorf("up to %d: %+v, %v", most, n, err)
			}
		}
		post, err := news.PostUpdate(ctx, author, w.petition.ID, posts.UpdateInput{Title: "A date", Body: "On **Tuesday**, {{not a field}}.", Mail: true})
		w.must(err)
		queues, err := w.svc.Today(ctx, w.user)
		if err != nil || len(queues) != 1 || queues[0].Count != 1 {
			t.Errorf("what waits: %+v, %v", queues, err)
		}
		if err := w.svc.SendUpdate(ctx, author, post.ID, post.UpdatedAt); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate sends: %v", err)
		}
		list, err := w.svc.AskedUpdates(ctx, w.user)
		if err != nil || len(list) != 1 || list[0].Petition != "Twenty visits" || list[0].Title != "A date" {
			t.Fatalf("%+v, %v", list, err)
		}
		seen := list[0].UpdatedAt
		w.clk.Add(1_000_000)
		w.must(news.EditUpdate(ctx, author, w.petition.ID, post.ID, posts.UpdateInput{Title: "A date", Body: "On **Wednesday**, {{not a field}}."}))
		if err := w.svc.SendUpdate(ctx, w.user, post.ID, seen); !fault.Is(err, fault.Conflict) {
			t.Errorf("words that nobody looked at: %v", err)
		}
		list, err = w.svc.AskedUpdates(ctx, w.user)
		w.must(err)
		seen = list[0].UpdatedAt
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = w.svc.SendUpdate(ctx, w.user, post.ID, seen) })
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			switch {
			case err == nil:
				good++
			case !fault.Is(err, fault.Conflict):
				t.Errorf("%+v", err)
			}
		}
		var made []models.Mailing
		w.must(db.Find(&made).Error)
		if good != 1 || len(made) != 1 {
			t.Fatalf("%d presses, %d mailings", good, len(made))
		}
		w.must(w.svc.Freeze(ctx, made[0].ID))
		w.drain()
		if got := w.to(); len(got) != 3 {
			t.Errorf("sent to %v", got)
		}
		if m := w.wire.Messages()[0]; m.Subject != "A date" || !strings.Contains(m.Text, "Wednesday") || !strings.Contains(m.Text, "{{not a field}}") || !strings.Contains(m.Text, "/petitions/twenty-visits") {
			t.Errorf("%q: %s", m.Subject, m.Text)
		}
		rows, err := news.Of(ctx, author, w.petition.ID)
		w.must(err)
		if m, err := w.svc.UpdateMails(ctx, rows); err != nil || m[post.ID].People != 3 || !m[post.ID].Frozen {
			t.Errorf("%+v, %v", m, err)
		}
		if err := news.AskMail(ctx, author, w.petition.ID, post.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("asked once more: %v", err)
		}
		other, err := news.PostUpdate(ctx, author, w.petition.ID, posts.UpdateInput{Title: "Another", Body: "x", Mail: true})
		w.must(err)
		w.must(w.svc.DeclineUpdate(ctx, w.user, other.ID))
		if err := w.svc.SendUpdate(ctx, w.user, other.ID, other.UpdatedAt); !fault.Is(err, fault.Conflict) {
			t.Errorf("sent after a no: %v", err)
		}
		w.must(news.AskMail(ctx, author, w.petition.ID, other.ID))
		w.must(news.DeleteUpdate(ctx, author, w.petition.ID, other.ID))
		w.must(news.DeleteUpdate(ctx, author, w.petition.ID, post.ID))
		var n int64
		w.must(db.Model(&models.AuditEntry{}).Where("action IN ('post.publish', 'post.edit', 'post.ask_mail', 'post.decline_mail', 'post.delete')").Count(&n).Error)
		if n != 7 {
			t.Errorf("%d entries in the log, want 7", n)
		}
	})
}
