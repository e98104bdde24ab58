package packs

import (
	"cmp"
	"slices"
	"strings"

	"kithline/campaigns/markdown"
	"kithline/campaigns/print"
)

// pdf sets what is handed over to be read.
func (s *Service) pdf(k *pack) *print.Document {
	p, lang, n := k.petition, k.petition.Locale, k.manifest.Counts
	t := func(key string, args ...any) string { return s.Words.Text(lang, "pack."+key, args...) }
	number := func(i int) string { return s.Words.Number(lang, int64(i)) }
	d := print.NewDocument(print.A4, print.Meta{
		Title: p.Title, Organisation: k.org.Name, Lang: lang, At: k.at,
		Page: func(page, of int) string { return t("page", "Page", page, "Of", of) },
	})
	d.Small(t("to", "Decider", p.Decider))
	d.Title(p.Title)
	d.Lead(t("ask", "Count", n.Total, "Decider", p.Decider))
	d.Paragraph(p.Summary)
	facts := []print.Fact{{Name: t("decider"), Value: p.Decider}, {Name: t("total"), Value: number(n.Total)}}
	if n.Paper > 0 {
		facts = append(facts, print.Fact{Name: t("confirmed"), Value: number(n.Confirmed)}, print.Fact{Name: t("paper"), Value: number(n.Paper)})
	}
	if n.Legacy > 0 {
		facts = append(facts, print.Fact{Name: t("elsewhere"), Value: t("elsewhere_value", "Number", number(n.Legacy), "Source", n.LegacySource)})
	}
	facts = append(facts, print.Fact{Name: t("date"), Value: s.Words.Date(lang, k.at.In(k.zone))}, print.Fact{Name: t("by"), Value: k.org.Name}, print.Fact{Name: t("url"), Value: k.manifest.Petition.URL})
	d.Facts(facts...)
	d.Small(t("how"))

	d.Heading(t("why"))
	for block := range strings.SplitSeq(markdown.Text(p.Body), "\n\n") {
		d.Paragraph(block)
	}
	d.Facts(print.Fact{Name: t("why_now"), Value: p.WhyNow}, print.Fact{Name: t("system_change"), Value: p.SystemChange})

	d.Heading(t("districts"))
	if rows := slices.Clone(k.manifest.Districts.Rows); len(rows) > 0 {
		slices.SortStableFunc(rows, func(a, b districtCount) int { return cmp.Compare(b.Count, a.Count) })
		table := d.Table(print.Column{Title: t("district"), Width: 4}, print.Column{Title: t("signed"), Width: 1.2, Right: true}, print.Column{Width: 3, Bar: true})
		for _, r := range rows {
			table.Share(float64(r.Count)/float64(rows[0].Count), r.Name, number(r.Count))
		}
		if n := k.manifest.Districts.NotShown; n > 0 {
			table.Share(-1, t("not_shown"), number(n))
		}
		d.Small(t("least", "Least", k.manifest.Districts.Least))
	} else {
		d.Paragraph(t("no_districts"))
	}

	d.Heading(t("timeline"))
	var steps []print.Fact
	step := func(day, what string) { steps = append(steps, print.Fact{Name: day, Value: what}) }
	if p.PublishedAt != nil {
		step(s.Words.Date(lang, p.PublishedAt.In(k.zone)), t("opened"))
	}
	if p.ClosedAt != nil {
		step(s.Words.Date(lang, p.ClosedAt.In(k.zone)), t("closed"))
	}
	for _, h := range k.over {
		step(s.Words.Date(lang, h.HandedAt.In(k.zone)), t("handed", "Name", h.Recipient, "Number", number(h.SignatureCount+h.PaperCount)))
	}
	step(s.Words.Date(lang, k.at.In(k.zone)), t("made", "Number", number(n.Total)))
	d.Facts(steps...)

	if len(k.comments) > 0 {
		d.Heading(t("comments"))
		for _, g := range k.comments {
			by := g.DisplayName
			if by == "" {
				by = t("supporter")
			}
			if k.places[g.PostalArea] {
				by += ", " + g.PostalArea
			}
			d.Quote(g.CommentShown, by)
		}
		d.Small(t("comments_note"))
	}

	d.PageBreak()
	d.Heading(t("list"))
	d.Small(t("list_note", "ByName", number(n.ByName), "ByInitials", number(n.ByInitials), "Anonymous", number(n.Anonymous)))
	table := d.Table(print.Column{Title: t("number"), Width: 1, Right: true}, print.Column{Title: t("name"), Width: 5}, print.Column{Title: t("place"), Width: 1.6}, print.Column{Title: t("day"), Width: 1.6})
	for _, l := range k.list {
		table.Row(l.number, l.name, l.place, l.at.Format("2006-01-02"))
	}
	if n.Confirmed > len(k.list) {
		d.Small(t("list_more", "Number", number(n.Confirmed-len(k.list)), "File", csvName))
	}
	return d
}
