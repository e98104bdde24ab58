package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/consents"
	"kithline/campaigns/divisions"
	"kithline/campaigns/mailings"
	"kithline/campaigns/segments"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// planHouse notes what the coalition keeps beside its petition: where people live, what it asks them, whom it writes to.
func (b *builder) planHouse() {
	b.note(b.day(-3, 9, 30), "importing districts", b.importDivisions)
	b.note(b.day(-3, 9, 45), "importing legislators", b.importLegislature)
	b.note(b.day(-3, 10, 30), "what people are asked", b.arrange)
	for _, r := range b.w.joining.Records {
		b.note(b.day(r.Day, 15, 40), "a note", func(ctx context.Context) error { return b.writeDown(ctx, r.Email, b.actors[r.Author], r.Tags, r.Note) })
	}
	for _, s := range b.w.joining.Segments {
		b.note(b.day(s.Day, 11, 20), "a segment", func(ctx context.Context) error { return b.segment(ctx, s) })
	}
	b.note(b.day(b.w.joining.Draft.Day, 14, 30), "a mailing to a segment", b.writeToSegment)
	b.note(b.now, "looking for duplicates", b.Duplicates.Scan)
}

// makeChapters makes the chapters, each with the postal areas that it is responsible for.
func (b *builder) makeChapters(ctx context.Context) error {
	for _, c := range b.w.story.Chapters {
		var areas []string
		err := between(c.From, c.To, func(code int) { areas = append(areas, postcode(code)) })
		if err != nil {
			return err
		}
		if b.chapters[c.Slug], err = b.Chapters.Save(ctx, b.actors[ilse], uuid.Nil, chapters.Input{Name: c.Name, PostalAreas: strings.Join(areas, "\n")}); err != nil {
			return err
		}
	}
	return nil
}

// postcode writes a postal code of the invented state.
func postcode(n int) string { return fmt.Sprintf("%05d", n) }

// between goes from one postal code to another.
func between(from, to string, do func(code int)) error {
	first, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(to)
	for n := first; err == nil && n <= last; n++ {
		do(n)
	}
	return err
}

// Districts of the invented state: three House districts make one of the Senate.
const (
	houses  = 60
	senates = 20
)

// places are the files that tell the districts and which postal code lies where. Some codes lie in two districts.
func (w World) places() (districts, codes string) {
	var list, lies strings.Builder
	list.WriteString("id,name\n")
	lies.WriteString("postal_code,id\n")
	house := func(n int) string { return fmt.Sprintf("%s/%s:%d", w.joining.State, models.DivisionLower, n) }
	senate := func(n int) string { return fmt.Sprintf("%s/%s:%d", w.joining.State, models.DivisionUpper, n) }
	for n := 1; n <= houses; n++ {
		fmt.Fprintf(&list, "%s,House District %d\n", house(n), n)
	}
	for n := 1; n <= senates; n++ {
		fmt.Fprintf(&list, "%s,Senate District %d\n", senate(n), n)
	}
	for _, r := range w.joining.Houses {
		for code := r.From; code <= r.To; code++ {
			n := r.First + (code-r.From)*(r.Last-r.First+1)/(r.To-r.From+1)
			fmt.Fprintf(&lies, "%s,%s\n%s,%s\n", postcode(code), house(n), postcode(code), senate((n+2)/3))
		}
	}
	return list.String(), lies.String()
}

func (b *builder) importDivisions(ctx context.Context) error {
	districts, codes := b.w.places()
	for _, f := range []struct{ kind, content string }{{divisions.FileOCD, districts}, {divisions.FilePostal, codes}} {
		_, err := b.Divisions.Import(ctx, b.actors[ilse], strings.NewReader(f.content), divisions.Options{Kind: f.kind, Version: b.w.joining.DivisionsVersion}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// arrange makes the topics of the newsletter, the partner and the custom fields.
func (b *builder) arrange(ctx context.Context) error {
	owner := b.actors[ilse]
	for _, t := range b.w.joining.Topics {
		id, err := b.Consents.SaveTopic(ctx, owner, uuid.Nil, consents.TopicInput{Name: t.Name, About: t.About})
		if err != nil {
			return err
		}
		b.topics = append(b.topics, id)
	}
	var err error
	p := b.w.joining.Partner
	if b.partner, err = b.Consents.SavePartner(ctx, owner, uuid.Nil, consents.PartnerInput{Name: p.Name, Website: p.Website}); err != nil {
		return err
	}
	for _, f := range b.w.joining.Fields {
		made, err := b.Supporters.AddField(ctx, owner, supporters.FieldInput{
			Name: f.Name, Label: f.Label, Kind: models.FieldKind(f.Kind), Choices: strings.Join(f.Choices, "\n"), Private: f.Private, SeenBy: actor.Role(f.SeenBy),
		})
		if err != nil {
			return err
		}
		b.fields[f.Name] = made.ID
	}
	return nil
}

// writeDown puts tags on somebody's record and a note into it.
func (b *builder) writeDown(ctx context.Context, email string, who actor.Actor, tags []string, note string) error {
	found, err := b.Supporters.Find(ctx, who, email)
	if err != nil {
		return err
	}
	id := found.Rows[0].ID
	for _, t := range tags {
		if err := b.Supporters.AddTag(ctx, who, id, t); err != nil {
			return err
		}
	}
	return b.Supporters.AddNote(ctx, who, id, note)
}

// segmented is a saved segment of the story.
type segmented struct {
	Key        string `json:"key"`
	Author     string `json:"author"`
	Day        int    `json:"day"`
	Name       string `json:"name"`
	About      string `json:"about"`
	Signed     bool   `json:"signed"` // the petition; false: nothing at all
	Newsletter bool   `json:"newsletter"`
	Chapter    string `json:"chapter"`
}

func (b *builder) segment(ctx context.Context, in segmented) (err error) {
	rule := segments.Everybody()
	add := func(n segments.Node) { rule.Root.Items = append(rule.Root.Items, n) }
	if in.Newsletter {
		add(segments.Node{Kind: "consent", Values: map[string]string{"to": string(models.PurposeNewsletter) + "/any"}})
	}
	if in.Signed {
		add(segments.Node{Kind: "signed", Values: map[string]string{"petition": b.petition.ID.String()}})
	} else {
		add(segments.Node{Kind: "signed", Exclude: true})
	}
	if in.Chapter != "" {
		add(segments.Node{Kind: "chapter", Values: map[string]string{"chapter": b.chapters[in.Chapter].String()}})
	}
	b.segments[in.Key], err = b.Segments.Create(ctx, b.actors[in.Author], segments.Input{Name: in.Name, About: in.About, Rule: rule})
	return err
}

// writeToSegment drafts a mailing to those signers who are in a segment.
func (b *builder) writeToSegment(ctx context.Context) error {
	in := b.w.joining.Draft
	who, to := b.actors[in.Author], b.segments[in.Segment]
	id, err := b.Mailings.CreateTo(ctx, who, mailings.To{PetitionID: b.petition.ID, SegmentID: to})
	if err != nil {
		return err
	}
	m, err := b.Mailings.Get(ctx, who, id)
	if err != nil {
		return err
	}
	_, err = b.Mailings.Save(ctx, who, id, mailings.Draft{
		Revision: m.Revision, PetitionID: b.petition.ID, SegmentID: to, Subject: b.facts.put(in.Subject), Preheader: b.facts.put(in.Preheader), Body: b.facts.put(in.Body),
	})
	return err
}
