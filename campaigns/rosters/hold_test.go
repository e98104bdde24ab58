package rosters

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/pacing"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

func TestLettingGo(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) {
			s.JoinSealed = w.Vault.Seal("shifts", "join_sealed", s.ID, "https://call.example.org/7")
			s.Handover = "Bring water."
		})
		w.box("june@example.org")
		w.box("cal@example.org")
		a := w.took(sh, "june@example.org", func(in *TakeInput) { in.FamilyName, in.TimeZone = "Okafor", "Europe/Berlin" })
		token := w.CantToken(a)
		before, err := w.Holding(w.ctx, token, "en")
		w.must(err)
		if before.GivenName != "June" || before.Gone || before.Begun || before.Asked || before.Join != "https://call.example.org/7" || !strings.Contains(before.Own, "15:00") {
			t.Errorf("%+v", before)
		}
		if w.count(&models.Assignment{}, "1 = 1") != 1 {
			t.Fatal("looking at it let it go")
		}
		if _, err := w.Holding(w.ctx, "x"+token[1:], "en"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a made up link: %v", err)
		}
		h, err := w.LetGo(w.ctx, token, "en", false)
		w.must(err)
		if h.GivenName != "June" || h.Gone || w.count(&models.Assignment{}, "1 = 1") != 0 || w.count(&models.Delivery{}, "kind LIKE 'roster%'") != 0 || w.count(&models.Cover{}, "shift_id = ?", sh.ID) != 1 {
			t.Errorf("%+v", h)
		}
		for range 2 { // pressing again is kind, and so is looking
			h, err := w.LetGo(w.ctx, token, "en", true)
			w.must(err)
			if !h.Gone || h.GivenName != "" || h.Role != "" {
				t.Errorf("%+v", h)
			}
		}
		if h, err := w.Holding(w.ctx, token, "en"); err != nil || !h.Gone {
			t.Errorf("%+v, %v", h, err)
		}
		again := w.took(sh, "june@example.org")
		if again.ID == a.ID {
			t.Error("the old link is good for the new place")
		}
		if n := w.count(&models.ShiftEvent{}, "kind = ?", models.PlaceReleased); n != 1 {
			t.Errorf("%d places came free", n)
		}
		standby := w.took(sh, "cal@example.org", func(in *TakeInput) { in.As, in.AskBy, in.AskFrom = models.AsStandby, models.AskByMail, "07:30" })
		if standby.State != models.AssignmentHeld || *standby.AskFrom != 450 {
			t.Errorf("%+v", standby)
		}
		if h, err := w.Holding(w.ctx, w.CantToken(again), "en"); err != nil || !h.Asked {
			t.Errorf("%+v, %v", h, err)
		}
		if h, err := w.LetGo(w.ctx, w.CantToken(standby), "en", true); err != nil || !h.Stands() || h.Join != "" {
			t.Errorf("%+v, %v", h, err)
		}
		if n := w.count(&models.Assignment{}, "as_what = ?", models.AsStandby); n != 0 {
			t.Error("still stands by")
		}
		w.clk.Set(*sh.StartsAt)
		if h, err := w.LetGo(w.ctx, w.CantToken(again), "en", false); err != nil || !h.Begun || w.count(&models.Assignment{}, "1 = 1") != 1 {
			t.Errorf("%+v, %v", h, err)
		}
		if err := w.TakeBack(w.ctx, []uuid.UUID{again.MailboxID}, again.ID); !fault.Is(err, fault.Gone) {
			t.Error(err)
		}
		if err := w.TakeBack(w.ctx, []uuid.UUID{standby.MailboxID}, again.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

// What was let go of is had again by one press, as it was, as long as nothing came between.
func TestHoldingAgain(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		ada, bo, cal := h.person("ada"), h.person("bo"), h.person("cal")
		sh := h.shift("Leader", "13:00", "13:45")
		a := h.puts(sh, ada, models.AsPlace, func(a *models.Assignment) { a.TimeZone = "Europe/Berlin" })
		b := h.puts(sh, bo, models.AsStandby, askFrom(7*60))
		row := func(id uuid.UUID) string {
			var rows []models.Assignment
			h.must(h.DB.Where("id = ?", id).Find(&rows).Error)
			for i := range rows {
				rows[i].UpdatedAt = time.Time{}
			}
			b, err := json.Marshal(rows)
			h.must(err)
			return string(b)
		}
		token, before := h.CantToken(a), row(a.ID)
		h.goes("06:30")
		let, err := h.LetGo(h.ctx, token, "en", false)
		h.must(err)
		if let.Again == "" || h.holders(sh) != "" {
			t.Fatalf("%+v", let)
		}
		for range 2 { // pressing twice does nothing more
			v, err := h.HoldAgain(h.ctx, token, let.Again, "en")
			if err != nil || v.ID != sh.ID || row(a.ID) != before {
				t.Fatalf("%v: %+v\n%s\n%s", err, v, row(a.ID), before)
			}
		}
		if v, err := h.Holding(h.ctx, token, "en"); err != nil || v.Gone || v.GivenName != "ada" || v.Again != "" {
			t.Errorf("%+v, %v", v, err)
		}
		h.looks()
		if _, ok := h.cover(sh); ok {
			t.Error("somebody is still looked for")
		}
		for name, x := range map[string][2]string{
			"nothing kept": {token, ""}, "made up": {token, "AAAA" + let.Again[4:]}, "another's link": {h.CantToken(b), let.Again}, "no link": {"x" + token[1:], let.Again},
		} {
			if _, err := h.HoldAgain(h.ctx, x[0], x[1], "en"); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}

		let, err = h.LetGo(h.ctx, token, "en", false)
		h.must(err)
		h.came()
		h.goes("07:00") // the mail to bo leaves
		h.cameIs("bo asked")
		v, err := h.HoldAgain(h.ctx, token, let.Again, "en")
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "error.again_asked") || v.Role != "Leader" || h.holders(sh) != "" {
			t.Errorf("somebody was asked: %+v, %v", v, err)
		}
		h.must(h.Decline(h.ctx, h.token(bo)))
		_, err = h.HoldAgain(h.ctx, token, let.Again, "en")
		if err != nil || h.holders(sh) != "ada" {
			t.Errorf("%v: %q", err, h.holders(sh))
		}
		let, err = h.LetGo(h.ctx, token, "en", false)
		h.must(err)
		h.puts(sh, cal, models.AsPlace)
		if _, err = h.HoldAgain(h.ctx, token, let.Again, "en"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "error.again_taken") || h.holders(sh) != "cal" {
			t.Errorf("somebody has it: %v", err)
		}
		stands := row(b.ID)
		gone, err := h.LetGo(h.ctx, h.CantToken(b), "en", false)
		h.must(err)
		if _, err = h.HoldAgain(h.ctx, h.CantToken(b), gone.Again, "en"); err != nil || row(b.ID) != stands {
			t.Errorf("to stand by again: %v\n%s\n%s", err, row(b.ID), stands)
		}
		h.goes("13:00")
		if _, err = h.HoldAgain(h.ctx, token, let.Again, "en"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "error.roster_closed") {
			t.Errorf("it has begun: %v", err)
		}
		h.clk.Set(h.at("07:00").Add(24 * time.Hour))
		if _, err = h.HoldAgain(h.ctx, token, let.Again, "en"); !fault.Is(err, fault.Gone) {
			t.Errorf("a day later: %v", err)
		}
	})
}

func TestCannot(t *testing.T) {
	for text, want := range map[string]bool{
		"I can't today": true, "can’t today": true, "Cannot today.": true, "Hi Rosa,\n\nI can't make it today, sorry!": true, "Sorry, I can't come": true, "CANT": true, "Can't.\n\nJune": true,
		"i cannot make it because my head hurts": true, "Not today": true, "Sorry. I can't today.\n\nOn Mon, Rosa wrote:\n> This is coming up": true,
		"hoy no puedo": true, "Hola Rosa:\nLo siento, no puedo ir hoy.": true, "Hoy no": true, "No podré ir.": true, "Hola, hoy no puedo": true,
		"": false, "I can't wait to see you": false, "Can't I come later?": false, "I can't today?": false, "I can": false, "Thanks!": false, "> can't today": false,
		"Thank you.\nOn Mon, Rosa wrote:\n> answer with can't today": false, "I can't find the room. Which floor?": false, "I can't make it, can I come at ten?": false,
		"Yes. I can't complain": false, "No puedo esperar": false, "Ich kann heute nicht": false, "I can't today unless somebody drives me": false, "Out of office: I can't today": false, "> x\ncan't today": false,
		strings.Repeat("a ", 100000): false,
	} {
		if got := Cannot(text); got != want {
			t.Errorf("%.60q: %t", text, got)
		}
	}
}

// The evening before, where the person lives, over both changes of the clock; not at night, not in hours of their own, and not where the
// receipt came later.
func TestReminders(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		w.box("ann@example.org")
		for i, c := range []struct {
			begins, zone string // by the clock of New York
			at           string // the first look that reminds, by the clock of the person
		}{
			{"2027-03-09 09:00", "", "2027-03-08 18:00"},
			{"2027-03-14 09:00", "", "2027-03-13 18:00"}, // the night in which the clock goes ahead
			{"2027-11-07 09:00", "", "2027-11-06 18:00"}, // and back
			{"2027-03-28 09:00", "Europe/Berlin", "2027-03-27 18:00"},
			{"2027-06-01 00:30", "", "2027-05-31 18:00"},
			{"2027-06-08 20:00", "Asia/Tokyo", "2027-06-08 18:00"}, // the morning of the 9th there
		} {
			email := fmt.Sprintf("p%d@example.org", i)
			w.box(email)
			zone := takeZone(c.zone, takeZone("America/New_York", time.UTC))
			want, err := time.ParseInLocation("2006-01-02 15:04", c.at, zone)
			w.must(err)
			w.clk.Set(want.Add(-72 * time.Hour))
			sh := w.shift(c.begins, 60)
			a := w.took(sh, email, func(in *TakeInput) { in.TimeZone = c.zone })
			for now := want.Add(-70 * time.Hour); now.Before(want); now = now.Add(5 * time.Hour) {
				w.clk.Set(now)
				if n, err := w.Remind(w.ctx); err != nil || n != 0 {
					t.Fatalf("%s: %d at %s, %v", c.begins, n, now.In(zone), err)
				}
			}
			w.clk.Set(want)
			if n, err := w.Remind(w.ctx); err != nil || n != 1 {
				t.Errorf("%s: %d, %v", c.begins, n, err)
			}
			if n, err := w.Remind(w.ctx); err != nil || n != 0 {
				t.Errorf("%s: %d once more, %v", c.begins, n, err)
			}
			var d models.Delivery
			w.must(w.DB.Take(&d, "kind = ? AND subject_id = ?", KindReminder, a.ID).Error)
			content, err := w.TakingMails()[KindReminder](w.ctx, d)
			w.must(err)
			if m := content.Data.(PlaceMail); !strings.Contains(m.CantURL, "/cant/") || (m.Own != "") != (c.zone != "") {
				t.Errorf("%s: %+v", c.begins, m)
			}
		}
		// Taken on the evening itself: the receipt is enough. Missed in the evening: in the morning, not at night.
		w.clk.Set(w.at("2027-07-05 18:30"))
		w.box("late@example.org")
		w.took(w.shift("2027-07-06 14:00", 30), "late@example.org")
		w.clk.Set(w.at("2027-07-05 19:00"))
		if n, err := w.Remind(w.ctx); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		w.clk.Set(w.at("2027-07-10 12:00"))
		w.took(w.shift("2027-07-12 14:00", 30), "ann@example.org")
		for at, want := range map[string]int{"2027-07-11 20:00": 0, "2027-07-11 23:59": 0, "2027-07-12 08:59": 0} {
			w.clk.Set(w.at(at))
			if n, err := w.Remind(w.ctx); err != nil || n != want {
				t.Errorf("%s: %d, %v", at, n, err)
			}
		}
		w.clk.Set(w.at("2027-07-12 09:00"))
		if n, err := w.Remind(w.ctx); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
	})
	plan := pacing.Plan{QuietFrom: 17 * 60, QuietUntil: 10 * 60}
	begins := time.Date(2027, 3, 9, 14, 0, 0, 0, time.UTC)
	if remindNow(begins, begins.Add(-20*time.Hour), time.UTC, plan) || !remindNow(begins, begins.Add(-20*time.Hour), time.UTC, pacing.Plan{}) || !remindNow(begins, begins.Add(-3*time.Hour), time.UTC, plan) {
		t.Error("hours of their own are not kept")
	}
}

func TestTheCalendar(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		from, until := w.at("2027-03-13 09:00"), w.at("2027-03-15 17:00")
		fixed := w.shift("2027-03-14 01:30", 60, func(s *models.Shift) { s.Role, s.Place = "Welcome; table,\r\nATTENDEE:evil", "Lobby" }) // the clock goes ahead in it
		window := w.shift("", 30, func(s *models.Shift) { s.Kind, s.StartsAt, s.EndsAt = models.ShiftWindow, &from, &until })
		task := w.shift("", 30, func(s *models.Shift) { s.Kind = models.ShiftTask })
		stands := w.shift("2027-03-20 09:00", 60)
		box := w.box("june@example.org")
		a := w.took(fixed, "june@example.org")
		w.took(window, "june@example.org")
		w.took(task, "june@example.org")
		w.took(stands, "june@example.org", func(in *TakeInput) { in.As, in.AskBy = models.AsStandby, models.AskByMail })
		token := strings.TrimSuffix(strings.TrimPrefix(w.FeedURL(box.ID), w.BaseURL+"/feeds/"), ".ics")
		text, err := w.Feed(w.ctx, token, "en")
		w.must(err)
		c, err := ics.ParseCalendar(strings.NewReader(text))
		w.must(err)
		if events := c.Events(); len(events) != 2 || strings.Contains(text, "\nATTENDEE") {
			t.Fatalf("%d events\n%s", len(events), text)
		}
		e := c.Events()[0]
		if e.Id() != a.ID.String()+"@act.example.org" {
			e = c.Events()[1]
		}
		begin, err := e.GetStartAt()
		w.must(err)
		end, err := e.GetEndAt()
		w.must(err)
		if !begin.Equal(time.Date(2027, 3, 14, 6, 30, 0, 0, time.UTC)) || !end.Equal(time.Date(2027, 3, 14, 7, 30, 0, 0, time.UTC)) || !strings.Contains(text, "METHOD:PUBLISH") || !strings.Contains(text, "DTSTART;VALUE=DATE:20270313") {
			t.Errorf("%s to %s\n%s", begin, end, text)
		}
		for _, d := range w.mails(KindReceipt) {
			content, err := w.TakingMails()[KindReceipt](w.ctx, d)
			w.must(err)
			if content.Answers || content.Data.(PlaceMail).Answers {
				t.Error("it asks for an answer that nobody reads")
			}
			w.Answers = func(context.Context) (string, error) { return "bounces@example.org", nil }
			if heard, err := w.TakingMails()[KindReceipt](w.ctx, d); err != nil || !heard.Answers || !heard.Data.(PlaceMail).Answers {
				t.Errorf("it does not say that an answer does: %+v, %v", heard, err)
			}
			w.Answers = nil
			want := d.SubjectID == a.ID || len(content.Attachments) == 1
			if m := content.Data.(PlaceMail); m.Calendar != (len(content.Attachments) == 1) || d.SubjectID == a.ID && !want {
				t.Errorf("%+v", m)
			}
		}
		if _, err := w.LetGo(w.ctx, w.CantToken(a), "en", false); err != nil {
			t.Fatal(err)
		}
		text, err = w.Feed(w.ctx, token, "en")
		w.must(err)
		if c, err := ics.ParseCalendar(strings.NewReader(text)); err != nil || len(c.Events()) != 1 {
			t.Errorf("%v\n%s", err, text)
		}
		if _, err := w.Feed(w.ctx, w.FeedURL(uuid.New())[len(w.BaseURL+"/feeds/"):], "en"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		if mine, err := w.MineOf(w.ctx, []uuid.UUID{box.ID}, "es"); err != nil || len(mine) != 3 {
			t.Errorf("%+v, %v", mine, err)
		}
	})
}

func TestSettleAt(t *testing.T) {
	zone := takeZone("America/New_York", time.UTC)
	for end, want := range map[string]string{
		"2027-03-09 10:30": "2027-03-15 00:00", "2027-03-14 23:30": "2027-03-15 00:00", "2027-03-15 00:00": "2027-03-22 00:00", "2027-11-06 12:00": "2027-11-08 00:00",
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", end, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := settleAt(at, zone).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s is settled at %s", end, got)
		}
	}
}

// Worlds that differ in what one person let go of alone: right away nothing that leads to the person tells it, and once it is over nothing
// tells whether they held it to the end.
func TestNothingTellsWhoLetGo(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			world := func(t *testing.T, name string) (after, settled map[string][]string) {
				t.Run(name, func(t *testing.T) {
					db := testdb.SQLite(t)
					if kind == "postgres" {
						db = testdb.Postgres(t)
					}
					after, settled = releaseWorld(t, db, name)
				})
				return after, settled
			}
			afterNever, settledNever := world(t, "never")
			afterLet, settledLet := world(t, "let go")
			_, settledKept := world(t, "kept")
			if t.Failed() || afterNever == nil || afterLet == nil {
				return
			}
			same(t, "right after", afterNever, afterLet)
			same(t, "once it is over, let go", settledNever, settledLet)
			same(t, "once it is over, kept", settledNever, settledKept)
			if len(afterNever["assignments"]) == 0 || len(settledNever["mailboxes"]) == 0 {
				t.Error("nothing was looked at")
			}
		})
	}
}

func same(t *testing.T, when string, a, b map[string][]string) {
	t.Helper()
	for _, table := range slices.Sorted(maps.Keys(a)) {
		if !slices.Equal(a[table], b[table]) {
			t.Errorf("%s: %s\n%v\n%v", when, table, a[table], b[table])
		}
	}
}

func releaseWorld(t *testing.T, db *database.DB, kind string) (after, settled map[string][]string) {
	w := newTaking(t, db)
	box := w.box("june@example.org")
	one, two := w.shift("2027-03-09 09:00", 60), w.shift("2027-03-10 09:00", 60)
	w.took(one, "june@example.org")
	if kind != "never" {
		a := w.took(two, "june@example.org")
		w.must(w.DB.Model(&models.Delivery{}).Where("subject_id = ?", a.ID).Updates(map[string]any{"state": models.DeliverySent, "sent_at": takeStart}).Error)
		if kind == "let go" {
			_, err := w.LetGo(w.ctx, w.CantToken(a), "en", false)
			w.must(err)
		}
	}
	after = w.leadsTo(box.ID)
	w.clk.Set(w.at("2027-03-14 23:59"))
	if n, err := w.Settle(w.ctx); err != nil || n != 0 {
		t.Fatalf("%d in the week itself, %v", n, err)
	}
	w.clk.Set(w.at("2027-03-15 00:00"))
	if n, err := w.Settle(w.ctx); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := w.Settle(w.ctx); err != nil || n != 0 {
		t.Fatalf("%d again, %v", n, err)
	}
	var sh models.Shift
	w.must(w.DB.Take(&sh, "id = ?", one.ID).Error)
	if sh.Filled != 1 || sh.SettledAt == nil {
		t.Errorf("%+v", sh)
	}
	for _, row := range []any{&models.Assignment{}, &models.Offer{}, &models.ShiftMark{}, &models.Cover{}, &models.Delivery{}} {
		if n := w.count(row, "1 = 1"); n != 0 {
			t.Errorf("%d of %T stay", n, row)
		}
	}
	return after, w.leadsTo(box.ID)
}

// leadsTo lists by table all rows in which the person's mailbox or record stands, without ids and what is sealed, which differ by chance.
func (w *taking) leadsTo(box uuid.UUID) map[string][]string {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.DB.Take(&m, "id = ?", box).Error)
	out := map[string][]string{}
	var tables []string
	if w.DB.Postgres() {
		w.must(w.DB.Raw("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").Scan(&tables).Error)
	} else {
		w.must(w.DB.Raw("SELECT name FROM sqlite_master WHERE type = 'table'").Scan(&tables).Error)
	}
	for _, table := range tables {
		if strings.HasPrefix(table, "river") || strings.HasPrefix(table, "sqlite") {
			continue
		}
		var rows []map[string]any
		w.must(w.DB.Table(table).Find(&rows).Error)
		for _, r := range rows {
			leads, kept := false, map[string]string{}
			for column, v := range r {
				text := fmt.Sprint(v)
				if id, ok := v.([]byte); ok {
					text = string(id)
				}
				leads = leads || text == box.String() || m.SupporterID != nil && text == m.SupporterID.String()
				if _, err := uuid.Parse(text); err != nil && !strings.HasSuffix(column, "_sealed") && !strings.HasSuffix(column, "_hash") && column != "dedupe_key" {
					kept[column] = text
				}
			}
			if leads {
				b, err := json.Marshal(kept)
				w.must(err)
				out[table] = append(out[table], string(b))
			}
		}
		slices.Sort(out[table])
	}
	return out
}
