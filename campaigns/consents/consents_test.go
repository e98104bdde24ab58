package consents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

type world struct {
	*Service
	t     *testing.T
	ctx   context.Context
	clk   *clock.Fixed
	vault *vault.Vault
	owner actor.Actor
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v, clk := vault.New(vault.NewKey()), clock.NewFixed(start)
		org := organisation.New(db, v, clk)
		if _, err := org.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		fn(t, &world{Service: New(db, clk, tokens.New(v), org), t: t, ctx: t.Context(), clk: clk, vault: v, owner: actor.TheSystem()})
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// person makes a record with one confirmed address.
func (w *world) person(name string) (mailbox, supporter uuid.UUID) {
	w.t.Helper()
	m, err := mailboxes.Ensure(w.ctx, w.db.DB, w.vault, name+"@example.org", start)
	w.must(err)
	s := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
	w.must(w.db.Create(&s).Error)
	w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", m.ID).Updates(map[string]any{"supporter_id": s.ID, "verified_at": start}).Error)
	return m.ID, s.ID
}

func (w *world) give(box uuid.UUID, a Ask, how models.ConsentHow) {
	w.t.Helper()
	text, err := Text(w.ctx, w.db.DB, a.Purpose, "en", "Words of "+a.String(), start)
	w.must(err)
	w.must(Give(w.ctx, w.db.DB, Given{MailboxID: box, Purpose: a.Purpose, ScopeID: a.ScopeID, TextID: text.ID, Locale: "en", ShownAt: start, Source: "test", How: how}, w.clk.Now()))
}

// list is who stands on a list that is no mail, such as one to call.
func (w *world) list(a Ask) []uuid.UUID {
	w.t.Helper()
	sql, args := InForce(a.Purpose, a.ScopeID)
	out := []uuid.UUID{}
	w.must(w.db.Raw(sql, args...).Scan(&out).Error)
	return out
}

func (w *world) mailed(a Ask) []uuid.UUID {
	w.t.Helper()
	out := []uuid.UUID{}
	w.must(w.db.Raw("SELECT mailbox_id FROM mailable WHERE purpose = ? AND scope_id = ?", a.Purpose, a.ScopeID).Scan(&out).Error)
	return out
}

// refused tries every way there is to put a mailbox into a mail's audience.
func (w *world) refused(box uuid.UUID, a Ask, why string) {
	w.t.Helper()
	n := deliveries.New{
		Kind: "test", MailboxID: box, SubjectID: uuid.New(), Purpose: a.Purpose, ScopeID: a.ScopeID, OnUnknown: models.Park, DedupeKey: uuid.NewString(),
	}
	if _, err := deliveries.Insert(w.ctx, w.db.DB, n, start); !fault.Is(err, fault.Forbidden) {
		w.t.Errorf("%s, %s: queued: %v", a.Purpose, why, err)
	}
	row := n.Row(start)
	if err := w.db.Create(&row).Error; !database.NoConsent(err) {
		w.t.Errorf("%s, %s: a row of its own: %v", a.Purpose, why, err)
	}
	many := []models.Delivery{n.Row(start), n.Row(start)}
	many[1].DedupeKey = uuid.NewString()
	if err := database.InsertAll(w.db.DB, many, ""); !database.NoConsent(err) {
		w.t.Errorf("%s, %s: many rows: %v", a.Purpose, why, err)
	}
	// As a receipt, and then turned into something else.
	receipt := n
	receipt.Purpose, receipt.DedupeKey = models.PurposeReceipt, uuid.NewString()
	row = receipt.Row(start)
	w.must(w.db.Create(&row).Error)
	if err := w.db.Model(&models.Delivery{}).Where("id = ?", row.ID).Updates(map[string]any{"purpose": a.Purpose, "scope_id": a.ScopeID}).Error; err == nil {
		w.t.Errorf("%s, %s: a receipt became one", a.Purpose, why)
	}
}

// Nobody without a consent gets into an audience of any purpose: mail, phone list, partner's list, whoever asks.
func TestNobodyWithoutConsentIsInAnAudience(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i, purpose := range models.Purposes {
			a, other := Ask{Purpose: purpose}, Ask{Purpose: purpose, ScopeID: uuid.New()}
			if purpose.Scope() != "" {
				a.ScopeID = uuid.New()
			}
			name := func(s string) string { return fmt.Sprint(s, i) }
			in, inPerson := w.person(name("in"))
			w.give(in, a, models.ConsentByMail)
			if got := w.list(a); !slices.Equal(got, []uuid.UUID{inPerson}) {
				t.Errorf("%s: who agreed is not listed: %v", purpose, got)
			}

			never, _ := w.person(name("never"))
			elsewhere, _ := w.person(name("elsewhere"))
			w.give(elsewhere, other, models.ConsentByMail)
			for _, p := range models.Purposes {
				if p != purpose {
					w.give(elsewhere, Ask{p, a.ScopeID}, models.ConsentByMail)
				}
			}
			left, _ := w.person(name("left"))
			w.give(left, a, models.ConsentByMail)
			w.must(End(w.ctx, w.db.DB, left, a.Purpose, a.ScopeID, ByPage, w.clk.Now()))
			if err := w.db.Exec("UPDATE consents SET withdrawn_at = NULL WHERE mailbox_id = ?", left).Error; err == nil {
				t.Errorf("%s: a consent that was withdrawn came back", purpose)
			}
			for why, box := range map[string]uuid.UUID{"never agreed": never, "agreed to something else": elsewhere, "left": left} {
				w.refused(box, a, why)
			}
			// An address that nobody confirmed: a form's yes counts for no list, a recorded one does.
			form, _ := w.person(name("form"))
			paper, paperPerson := w.person(name("paper"))
			w.must(w.db.Exec("UPDATE mailboxes SET verified_at = NULL WHERE id IN ?", []uuid.UUID{form, paper}).Error)
			w.give(form, a, models.ConsentByMail)
			w.give(paper, a, models.ConsentByHand)
			if got := w.list(a); len(got) != 2 || !slices.Contains(got, inPerson) || !slices.Contains(got, paperPerson) {
				t.Errorf("%s: %v are listed, not %v and %v", purpose, got, inPerson, paperPerson)
			}
			if got := w.mailed(a); slices.Contains(got, never) || slices.Contains(got, elsewhere) || slices.Contains(got, left) || !slices.Contains(got, in) {
				t.Errorf("%s: %v get mail", purpose, got)
			}
			w.must(EndAll(w.ctx, w.db.DB, in, ByPage, w.clk.Now()))
			if got := w.list(a); slices.Contains(got, inPerson) {
				t.Errorf("%s: who left everything is listed", purpose)
			}
			w.refused(in, a, "left everything")
			w.must(EndAll(w.ctx, w.db.DB, elsewhere, ByPage, w.clk.Now())) // the next purpose has the same scope
		}
	})
}

func TestNotTooSoon(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := Ask{Purpose: models.PurposeNewsletter}
		mailing := models.Mailing{ID: models.NewID(), Purpose: a.Purpose, State: models.MailingSending, CreatedAt: start, UpdatedAt: start}
		w.must(w.db.Create(&mailing).Error)
		people := map[string]uuid.UUID{}
		for _, f := range append(slices.Clone(Frequencies), "failed") {
			box, id := w.person("x" + string(f))
			people[string(f)] = id
			frequency := f
			state := models.DeliverySent
			if f == "failed" {
				frequency, state = models.Monthly, models.DeliveryFailed
			}
			w.must(w.db.Model(&models.Supporter{}).Where("id = ?", id).Update("frequency", frequency).Error)
			w.give(box, a, models.ConsentByMail)
			d := deliveries.New{Kind: "mailing", MailboxID: box, SubjectID: mailing.ID, MailingID: &mailing.ID, Purpose: a.Purpose, OnUnknown: models.Park, DedupeKey: string(f)}.Row(start)
			d.State = state
			w.must(w.db.Create(&d).Error)
		}
		for _, c := range []struct {
			after time.Duration
			want  []string
		}{
			{time.Hour, []string{"", "failed"}},
			{6 * 24 * time.Hour, []string{"", "failed"}},
			{7*24*time.Hour - time.Hour, []string{"", "failed", "weekly"}},
			{29 * 24 * time.Hour, []string{"", "failed", "weekly"}},
			{30 * 24 * time.Hour, []string{"", "failed", "monthly", "weekly"}},
		} {
			sql, args := NotTooSoon("s", start.Add(c.after))
			var ids []uuid.UUID
			w.must(w.db.Raw("SELECT s.id FROM supporters s WHERE "+sql, args...).Scan(&ids).Error)
			var got []string
			for name, id := range people {
				if slices.Contains(ids, id) {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("after %v: %q, want %q", c.after, got, c.want)
			}
		}
	})
}

func TestWordings(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		topic, err := w.SaveTopic(w.ctx, w.owner, uuid.Nil, TopicInput{Name: "Research"})
		w.must(err)
		partner, err := w.SavePartner(w.ctx, w.owner, uuid.Nil, PartnerInput{Name: "Harrow Bay Clinic", Website: "https://example.org"})
		w.must(err)
		asks := []Ask{{models.PurposeNewsletter, topic}, {models.PurposeShare, partner}, {models.PurposePhone, uuid.Nil}, {models.PurposeVolunteering, uuid.Nil}, {models.PurposePublish, uuid.Nil}}
		for _, lang := range organisation.Languages {
			boxes, err := w.Boxes(w.ctx, append(slices.Clone(asks), Ask{models.PurposePhone, uuid.New()}, Ask{models.PurposeShare, uuid.New()}), lang)
			w.must(err)
			if len(boxes) != len(asks) {
				t.Fatalf("%s: %d boxes", lang, len(boxes))
			}
			for _, b := range boxes {
				if strings.ContainsAny(b.Words, "{}") || b.Hint() == "" || b.Label() == "" {
					t.Errorf("%s %s: %q", lang, b.Purpose, b.Words)
				}
			}
			if !strings.Contains(boxes[0].Words, "Research") || !strings.Contains(boxes[1].Words, "Harrow Bay Clinic") {
				t.Errorf("%+v", boxes)
			}
			chosen, changed := Ticked(boxes, []string{boxes[1].Value, boxes[1].Value})
			if changed || len(chosen) != 1 || chosen[0].Ask != asks[1] {
				t.Errorf("%+v %v", chosen, changed)
			}
			if _, changed := Ticked(boxes, []string{boxes[2].Value + "0"}); !changed {
				t.Error("other words were taken for these")
			}
		}
		for _, name := range WordingNames {
			for _, lang := range organisation.Languages {
				words, err := BuiltIn(name, lang)
				w.must(err)
				for _, place := range Places(name) {
					if !strings.Contains(words, place) {
						t.Errorf("%s %s: %q has no %s", name, lang, words, place)
					}
				}
			}
		}
		for body, want := range map[string]string{"No place at all.": "error.wording_place", strings.Repeat("x", maxWording+1): "error.text_too_long"} {
			err := w.SetWording(w.ctx, w.owner, "newsletter", "en", body)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
		}
		before, err := w.Boxes(w.ctx, asks[:1], "en")
		w.must(err)
		for _, body := range []string{"Letters on {topic}.", "Mail on {topic}.", "Mail on {topic}.", "Letters on {topic}.", ""} {
			w.must(w.SetWording(w.ctx, w.owner, "newsletter", "en", body))
		}
		one, err := w.Wording(w.ctx, w.owner, "newsletter", "en")
		w.must(err)
		if len(one.Versions) != 4 || !one.BuiltIn || one.Versions[3].Body != "Letters on {topic}." {
			t.Errorf("%+v", one)
		}
		after, err := w.Boxes(w.ctx, asks[:1], "en")
		if err != nil || after[0] != before[0] {
			t.Errorf("%+v, %v", after, err)
		}
		chapter := actor.Actor{Kind: actor.User, Role: actor.Organizer, ChapterID: uuid.New()}
		viewer := actor.Actor{Kind: actor.User, Role: actor.Viewer}
		for _, a := range []actor.Actor{chapter, viewer} {
			_, topics := w.SaveTopic(w.ctx, a, uuid.Nil, TopicInput{Name: "Mine"})
			_, partners := w.SavePartner(w.ctx, a, uuid.Nil, PartnerInput{Name: "Mine"})
			for _, err := range []error{topics, partners, w.SetWording(w.ctx, a, "phone", "en", ""), w.ArchiveTopic(w.ctx, a, topic, true), w.MoveTopic(w.ctx, a, topic, 1)} {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%v", err)
				}
			}
		}
	})
}

func TestTopics(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if asks, err := NewsletterAsks(w.ctx, w.db.DB); err != nil || len(asks) != 1 || asks[0].ScopeID != uuid.Nil {
			t.Errorf("%v %v", asks, err)
		}
		ids := map[string]uuid.UUID{}
		for _, name := range []string{"A", "B", "C"} {
			id, err := w.SaveTopic(w.ctx, w.owner, uuid.Nil, TopicInput{Name: name})
			w.must(err)
			ids[name] = id
		}
		order := func() string {
			t.Helper()
			rows, err := w.Topics(w.ctx, actor.Actor{}, false)
			w.must(err)
			out := ""
			for _, r := range rows {
				out += r.Name
			}
			return out
		}
		for _, c := range []struct {
			name string
			by   int
			want string
		}{{"C", -1, "ACB"}, {"A", -1, "ACB"}, {"A", 1, "CAB"}, {"B", 1, "CAB"}} {
			w.must(w.MoveTopic(w.ctx, w.owner, ids[c.name], c.by))
			if got := order(); got != c.want {
				t.Errorf("%s by %d: %s, want %s", c.name, c.by, got, c.want)
			}
		}
		w.must(w.ArchiveTopic(w.ctx, w.owner, ids["A"], true))
		if got := order(); got != "CB" {
			t.Errorf("after one is archived: %s", got)
		}
		if _, err := w.SaveTopic(w.ctx, w.owner, uuid.Nil, TopicInput{Name: " b "}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a second b: %v", err)
		}
		if err := w.ArchiveTopic(w.ctx, w.owner, uuid.New(), true); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	})
}
