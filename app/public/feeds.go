package public

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/markdown"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Atom, RFC 4287, as far as our feeds use it.
type (
	atomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		Lang    string      `xml:"xml:lang,attr,omitempty"`
		ID      string      `xml:"id"`
		Title   string      `xml:"title"`
		Sub     string      `xml:"subtitle,omitempty"`
		Updated string      `xml:"updated"`
		Author  atomAuthor  `xml:"author"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomAuthor struct {
		Name string `xml:"name"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr,omitempty"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		Lang      string    `xml:"xml:lang,attr,omitempty"`
		ID        string    `xml:"id"`
		Title     string    `xml:"title"`
		Published string    `xml:"published"`
		Updated   string    `xml:"updated"`
		Link      atomLink  `xml:"link"`
		Summary   string    `xml:"summary,omitempty"`
		Content   *atomText `xml:"content,omitempty"`
	}
	atomText struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
)

// RSS 2.0.
type (
	rssFeed struct {
		XMLName xml.Name   `xml:"rss"`
		Version string     `xml:"version,attr"`
		Atom    string     `xml:"xmlns:atom,attr"`
		Channel rssChannel `xml:"channel"`
	}
	rssChannel struct {
		Title       string    `xml:"title"`
		Link        string    `xml:"link"`
		Description string    `xml:"description"`
		Language    string    `xml:"language"`
		Built       string    `xml:"lastBuildDate"`
		Self        rssSelf   `xml:"atom:link"`
		Items       []rssItem `xml:"item"`
	}
	rssSelf struct {
		Href string `xml:"href,attr"`
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
	}
	rssItem struct {
		Title       string  `xml:"title"`
		Link        string  `xml:"link"`
		GUID        rssGUID `xml:"guid"`
		Date        string  `xml:"pubDate"`
		Description string  `xml:"description,omitempty"`
	}
	rssGUID struct {
		Permanent bool   `xml:"isPermaLink,attr"`
		ID        string `xml:",chardata"`
	}
)

const (
	atomType = "application/atom+xml; charset=utf-8"
	rssType  = "application/rss+xml; charset=utf-8"
)

func xmlOf(v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	err := e.Encode(v)
	b.WriteByte('\n')
	return b.Bytes(), err
}

func jsonOf(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

// story is a piece of news in words.
type story struct {
	petitions.News
	id, title, html string
}

// stories are the news of a petition in its own language, as far as ours reach.
func (h *reachPages) stories(ctx context.Context, slug string) (models.Petition, []story, error) {
	p, news, err := h.petitions.News(ctx, slug)
	if err != nil {
		return p, nil, err
	}
	lang := web.Spoken(p.Locale)
	out := make([]story, len(news))
	for i, n := range news {
		s := story{News: n, id: "urn:uuid:" + n.ID.String(), html: string(markdown.HTML(n.Body))}
		if n.ID == p.ID { // several things are about the petition itself
			s.id = h.web.URL("/petitions/" + p.Slug + "#" + string(n.Kind))
		}
		switch n.Kind {
		case petitions.NewsUpdate:
			s.title = n.Title
		case petitions.NewsReached:
			s.title = h.web.Text(lang, "reach.news_reached", "Count", n.Count)
		case petitions.NewsAnswered:
			s.title = h.web.Text(lang, "reach.news_"+string(n.Outcome))
		case petitions.NewsOpened:
			s.title, s.html = h.web.Text(lang, "reach.news_opened", "Title", p.Title), string(markdown.HTML(p.Summary))
		default:
			s.title = h.web.Text(lang, "reach.news_"+string(n.Kind), "Name", n.By)
		}
		out[i] = s
	}
	return p, out, nil
}

func (h *reachPages) atom(c *fiber.Ctx) error {
	slug, self := c.Params("slug"), h.web.URL(c.Path())
	web.ForOtherSites(c)
	return h.web.KeptContent(c, atomType, func(ctx context.Context) ([]byte, error) {
		p, all, err := h.stories(ctx, slug)
		if err != nil {
			return nil, err
		}
		f := h.feed(ctx, self, h.link(p, sourceFeed), p.Title, p.Summary, p.Locale)
		f.Updated = stamp(p.CreatedAt)
		for i, s := range all {
			if changed := stamp(s.Changed); i == 0 || changed > f.Updated {
				f.Updated = changed
			}
			e := atomEntry{ID: s.id, Title: s.title, Published: stamp(s.At), Updated: stamp(s.Changed), Link: atomLink{Rel: "alternate", Type: "text/html", Href: h.link(p, sourceFeed)}}
			if s.html != "" {
				e.Content = &atomText{"html", s.html}
			}
			f.Entries = append(f.Entries, e)
		}
		return xmlOf(f)
	})
}

func (h *reachPages) feed(ctx context.Context, self, page, title, sub, locale string) atomFeed {
	return atomFeed{
		Lang: locale, ID: self, Title: title, Sub: sub, Author: atomAuthor{h.web.Blank(ctx, web.Spoken(locale), "/").Site.Name},
		Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: self}, {Rel: "alternate", Type: "text/html", Href: page}},
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (h *reachPages) rss(c *fiber.Ctx) error {
	slug, self := c.Params("slug"), h.web.URL(c.Path())
	web.ForOtherSites(c)
	return h.web.KeptContent(c, rssType, func(ctx context.Context) ([]byte, error) {
		p, all, err := h.stories(ctx, slug)
		if err != nil {
			return nil, err
		}
		f := rssFeed{Version: "2.0", Atom: "http://www.w3.org/2005/Atom", Channel: rssChannel{
			Title: p.Title, Link: h.link(p, sourceFeed), Description: p.Summary, Language: p.Locale, Self: rssSelf{self, "self", "application/rss+xml"},
		}}
		built := p.CreatedAt
		for _, s := range all {
			if s.Changed.After(built) {
				built = s.Changed
			}
			f.Channel.Items = append(f.Channel.Items, rssItem{
				Title: s.title, Link: h.link(p, sourceFeed), GUID: rssGUID{ID: s.id}, Date: s.At.UTC().Format(time.RFC1123Z), Description: s.html,
			})
		}
		f.Channel.Built = built.UTC().Format(time.RFC1123Z)
		return xmlOf(f)
	})
}

// openedAtom is the feed of new petitions.
func (h *reachPages) openedAtom(c *fiber.Ctx) error {
	self := h.web.URL(c.Path())
	web.ForOtherSites(c)
	return h.web.KeptContent(c, atomType, func(ctx context.Context) ([]byte, error) {
		rows, err := h.petitions.Opened(ctx)
		if err != nil {
			return nil, err
		}
		lang := locales.Languages[0]
		if site := h.web.Blank(ctx, lang, "/").Site; len(site.Languages) > 0 {
			lang = web.Spoken(site.Languages[0])
		}
		f := h.feed(ctx, self, h.web.URL("/petitions"), h.web.Text(lang, "reach.list_title"), "", lang)
		f.Updated = stamp(time.Unix(0, 0))
		for i, p := range rows {
			at := stamp(*p.PublishedAt)
			if i == 0 {
				f.Updated = at
			}
			f.Entries = append(f.Entries, atomEntry{
				Lang: p.Locale, ID: "urn:uuid:" + p.ID.String(), Title: p.Title, Published: at, Updated: at, Summary: p.Summary,
				Link: atomLink{Rel: "alternate", Type: "text/html", Href: h.link(p, sourceFeed)},
			})
		}
		return xmlOf(f)
	})
}
