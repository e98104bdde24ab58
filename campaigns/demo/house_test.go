package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/forms"
	"kithline/campaigns/paging"
	"kithline/models"
)

// inChapters looks who belongs to which chapter: those who live in its postal areas, and nobody else.
func inChapters(t *testing.T, m made, w World) {
	ctx := context.Background()
	list, err := m.Chapters.List(ctx, actor.TheSystem())
	if err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	for i, c := range list {
		in := w.story.Chapters[i]
		here := m.count(t, &models.Supporter{}, "postal_area BETWEEN ? AND ?", in.From, in.To)
		if c.Name != in.Name || int(c.Supporters) != here || here < 300 {
			t.Errorf("%s has %d people, %d live there", c.Name, c.Supporters, here)
		}
		if n := m.count(t, &models.Supporter{}, "chapter_id = ? AND postal_area NOT BETWEEN ? AND ?", c.ID, in.From, in.To); n != 0 {
			t.Errorf("%d of %s live elsewhere", n, c.Name)
		}
	}
	var teo models.User
	if err := m.DB.Where("chapter_id IS NOT NULL").Take(&teo).Error; err != nil {
		t.Fatal(err)
	}
	a := actor.Actor{Kind: actor.User, UserID: teo.ID, Role: actor.Role(teo.Role), ChapterID: *teo.ChapterID}
	if n, err := m.Supporters.Count(ctx, a); err != nil || n != list[1].Supporters || list[1].Name != "Tamarack Valley" {
		t.Errorf("the organizer of Tamarack Valley sees %d people, of %d: %v", n, list[1].Supporters, err)
	}
	if list[1].Users != 1 || list[0].Users+list[2].Users != 0 {
		t.Errorf("accounts: %d, %d, %d", list[0].Users, list[1].Users, list[2].Users)
	}
}

// inDistricts compares where people of the story live with what their postal codes say.
func inDistricts(t *testing.T, m made) {
	ctx := context.Background()
	b, err := sample.ReadFile("world/coalition.json")
	if err != nil {
		t.Fatal(err)
	}
	var story struct {
		People []struct {
			Post          string
			House, Senate int
		}
	}
	if err := json.Unmarshal(b, &story); err != nil || len(story.People) < 10 {
		t.Fatal(len(story.People), err)
	}
	name := func(chamber string, n int) string { return fmt.Sprintf("%s District %d", chamber, n) }
	for _, p := range story.People {
		choices, err := divisions.Candidates(ctx, m.DB.DB, "", p.Post, end)
		if err != nil || len(choices) != 2 || len(choices[0].Divisions) != 1 || len(choices[1].Divisions) != 1 {
			t.Errorf("%s: %+v, %v", p.Post, choices, err)
			continue
		}
		if s, h := choices[0].Divisions[0].Name, choices[1].Divisions[0].Name; s != name("Senate", p.Senate) || h != name("House", p.House) {
			t.Errorf("%s lies in %s and %s, not in %d and %d", p.Post, s, h, p.Senate, p.House)
		}
	}
	for kind, want := range map[models.DivisionKind]int{models.DivisionLower: houses, models.DivisionUpper: senates} {
		var peopled int64
		if err := m.DB.Model(&models.SupporterDivision{}).Where("kind = ?", kind).Distinct("division_id").Count(&peopled).Error; err != nil || int(peopled) != want {
			t.Errorf("people live in %d of %d divisions of the kind %s: %v", peopled, want, kind, err)
		}
	}
	const spans = "postal_area IN ('00017', '00123', '00206', '00213')"
	open := m.count(t, &models.Supporter{}, spans+" AND id NOT IN (SELECT supporter_id FROM supporter_divisions WHERE kind = ?)", models.DivisionLower)
	chosen := m.count(t, &models.SupporterDivision{}, "how = ? AND kind = ?", models.ByPerson, models.DivisionLower)
	if all := m.count(t, &models.Supporter{}, spans); open+chosen != all || chosen != 1 || open < 50 {
		t.Errorf("of %d people whose postal code spans two districts, %d are open and %d chose", all, open, chosen)
	}
}

// joined looks what became of those who joined.
func joined(t *testing.T, m made, w World) {
	ctx := context.Background()
	byForm, byJoin := 0, 1 // and who joined once more
	for _, j := range w.joining.People {
		switch {
		case j.Form && !j.Waits:
			byForm++
		case !j.Form:
			byJoin++
		}
	}
	page, err := m.Forms.List(ctx, actor.TheSystem(), paging.Cursor{})
	if err != nil || len(page.Rows) != 1 {
		t.Fatal(len(page.Rows), err)
	}
	f := page.Rows[0]
	v, err := m.Forms.Public(ctx, f.Slug, "en")
	if err != nil || !v.Open || f.Slug != "lend-a-hand" || len(v.Questions) != len(w.joining.Form.Questions) || len(v.Boxes) != 3 || f.SubmissionCount != byForm {
		t.Errorf("the form: %+v, %v", v, err)
	}
	if n := m.count(t, &models.Submission{}, "form_id = ? AND state = 'pending' AND expires_at > ?", f.ID, end); n != 1 {
		t.Errorf("%d wait", n)
	}
	if n := m.count(t, &models.Submission{}, "form_id IS NULL AND state = 'confirmed'"); n != byJoin {
		t.Errorf("%d joined by the page", n)
	}
	if n := m.count(t, &models.Consent{}, "purpose = 'volunteering' AND how = 'mail' AND source = ?", "/forms/"+f.Slug); n != byForm {
		t.Errorf("%d agreed to be asked for help", n)
	}
	if n := m.count(t, &models.Tagging{}, "tag_id IN ?", forms.TagsOf(f)); n != byForm {
		t.Errorf("%d have the tag of the form", n)
	}
	if n := m.count(t, &models.FieldValue{}, "value_sealed IS NOT NULL"); n != 2 {
		t.Errorf("%d private answers", n)
	}
	if n := m.count(t, &models.Consent{}, "purpose = 'share'"); n != 1 {
		t.Errorf("%d agreed to be shared", n)
	}
	if n := m.count(t, &models.Note{}, "1 = 1"); n != len(w.joining.Records) {
		t.Errorf("%d notes", n)
	}
	if n := m.count(t, &models.Phone{}, "NOT valid"); n != 0 {
		t.Errorf("%d telephone numbers cannot be called", n)
	}
}

// segmentsCount compares the segments with the rows.
func segmentsCount(t *testing.T, m made) {
	ctx, system := context.Background(), actor.TheSystem()
	const (
		signed = "id IN (SELECT b.supporter_id FROM signatures s JOIN mailboxes b ON b.id = s.mailbox_id WHERE s.state = 'confirmed')"
		reads  = "id IN (SELECT b.supporter_id FROM consents c JOIN mailboxes b ON b.id = c.mailbox_id WHERE c.purpose = 'newsletter' AND c.withdrawn_at IS NULL)"
	)
	want := map[string]int{
		"Signed, in Harrow Bay":             m.count(t, &models.Supporter{}, signed+" AND postal_area BETWEEN '00011' AND '00024'"),
		"Read the newsletter, never signed": m.count(t, &models.Supporter{}, reads+" AND NOT "+signed),
	}
	page, err := m.Segments.List(ctx, system, false, paging.Cursor{})
	if err != nil || len(page.Rows) != len(want) {
		t.Fatal(len(page.Rows), err)
	}
	ids := []uuid.UUID{}
	for _, s := range page.Rows {
		ids = append(ids, s.ID)
		if c, err := m.Segments.Count(ctx, system, s.ID); err != nil || c.People != want[s.Name] || c.People < 10 {
			t.Errorf("%s: %d people, want %d: %v", s.Name, c.People, want[s.Name], err)
		}
	}
	var draft models.Mailing
	if err := m.DB.Where("segment_id IS NOT NULL").Take(&draft).Error; err != nil || !slices.Contains(ids, *draft.SegmentID) {
		t.Errorf("no mailing to a segment: %v", err)
	}
}
