package public

import (
	"context"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"kithline/app/locales"
	"kithline/app/static"
	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type reachPages struct {
	web       *web.Web
	petitions *petitions.Service
	door      *confirmations.Service
}

// MountReach puts in place what passes a petition on: the list of all, the page to share one with its poster and card, the frame, the
// badge and the picture for other sites, the open figures, and the feeds (feeds.go).
func MountReach(r fiber.Router, w *web.Web, s *petitions.Service, door *confirmations.Service) {
	h := &reachPages{w, s, door}
	r.Get("/petitions", h.list)
	r.Get("/petitions.atom", h.openedAtom)
	r.Get("/embed.js", h.script)
	r.Get("/embed.css", h.embedCSS)
	r.Get("/petitions/:slug.json", h.figures)
	r.Get("/petitions/:slug/districts.json", h.districts)
	r.Get("/petitions/:slug/feed.atom", h.atom)
	r.Get("/petitions/:slug/feed.rss", h.rss)
	r.Get("/petitions/:slug/thanks", h.thanks)
	r.Get("/petitions/:slug/share", h.share)
	r.Get("/petitions/:slug/spread", h.spread)
	r.Get("/petitions/:slug/poster", h.poster)
	r.Get("/petitions/:slug/card", h.card)
	r.Get("/petitions/:slug/qr.svg", h.qr)
	r.Get("/petitions/:slug/embed", h.embed)
	r.Get("/petitions/:slug/badge.svg", h.badge)
	r.Get("/petitions/:slug/og.png", h.picture)
}

// Sources that links of ours have: the words of each are the locale key "reach.source_" and the code.
const (
	sourceCopied = "share"
	sourcePasted = "paste"
	sourceMail   = "mail"
	sourceQR     = "qr"
	sourcePoster = "poster"
	sourceCard   = "card"
	sourceEmbed  = "embed"
	sourceBadge  = "badge"
	sourceFeed   = "feed"
	sourceSigner = "signer"
)

type petitionsPage struct {
	web.Page
	List        petitions.PublicList
	Find, Which string
	Sort        string
	Found       int // all that there is; 0 where there is more than a page, or nothing was looked for
}

// WhichOptions are the choices of the form.
func (p *petitionsPage) WhichOptions() []web.Option {
	return []web.Option{
		{Value: string(petitions.Signable), Label: p.T("reach.list_which_open")},
		{Value: string(petitions.Over), Label: p.T("reach.list_which_over")},
		{Value: string(petitions.Every), Label: p.T("reach.list_which_all")},
	}
}

// findMax is how many characters of what is looked for count.
const findMax = 100

func (h *reachPages) list(c *fiber.Ctx) error {
	build := func(ctx context.Context, p web.Page) (any, error) {
		p.Title = p.T("reach.list_title")
		page := &petitionsPage{Page: p, Find: strings.TrimSpace(p.Query("q")), Which: p.Query("which"), Sort: string(petitions.Newest)}
		if r := []rune(page.Find); len(r) > findMax {
			page.Find = string(r[:findMax])
		}
		if page.Which != string(petitions.Over) && page.Which != string(petitions.Every) {
			page.Which = string(petitions.Signable)
		}
		if p.Query("sort") == string(petitions.MostSigned) {
			page.Sort = string(petitions.MostSigned)
		}
		in := petitions.Listing{Query: page.Find, Which: petitions.Which(page.Which), Order: petitions.Sort(page.Sort), After: p.Query("after")}
		var err error
		if page.List, err = h.petitions.PublicList(ctx, in); page.Find != "" && in.After == "" && page.List.Next == "" {
			page.Found = len(page.List.Rows)
		}
		return page, err
	}
	if c.Query("q") != "" { // words are anybody's own: no place among what is kept for all
		page, err := build(c.UserContext(), h.web.Page(c, "", "petitions"))
		if err != nil {
			return err
		}
		return h.web.Render(c, "public/petitions/list", page)
	}
	return h.web.Cached(c, "public/petitions/list", "petitions", build, "which", "sort", "after")
}

// sharePage is how to pass a petition on; after a confirmation also the thanks for it.
type sharePage struct {
	web.Page
	Petition models.Petition
	Signed   bool // comes from the confirmation, not from a link to pass on
	ShareURL string
	OwnURL   string // the link by which who signed recruits; "" where it is not known who did
	MineURL  string // of the page of the signature that this browser confirmed; "" for none
	Paste    string
	MailURL  string
}

func (h *reachPages) sharePage(c *fiber.Ctx, signed bool) (*sharePage, error) {
	petition, err := h.petitions.Current(c.UserContext(), c.Params("slug"))
	if err != nil {
		return nil, err
	}
	p := &sharePage{Page: h.web.Page(c, "petition.share_title", "petitions"), Petition: petition, Signed: signed}
	p.ShareURL = h.link(petition, sourceCopied)
	p.Paste = p.T("reach.paste", "Title", petition.Title, "Summary", petition.Summary, "URL", h.link(petition, sourcePasted))
	body := p.T("petition.share_mail", "Title", petition.Title, "URL", h.link(petition, sourceMail))
	p.MailURL = "mailto:?subject=" + url.PathEscape(petition.Title) + "&body=" + url.PathEscape(body)
	return p, nil
}

// link is a petition's address, whose visitors count under a source.
func (h *reachPages) link(p models.Petition, source string) string {
	return h.web.URL("/petitions/" + p.Slug + "?source=" + source)
}

func (h *reachPages) share(c *fiber.Ctx) error {
	p, err := h.sharePage(c, false)
	if err != nil {
		return err
	}
	if by := c.Query("by"); h.petitions.Recruiter(by) { // a signer's own page leads here
		p.OwnURL = h.link(p.Petition, sourceSigner) + "&by=" + by
		private(c)
	}
	return h.web.Render(c, "public/petitions/share", p)
}

func (h *reachPages) thanks(c *fiber.Ctx) error {
	p, err := h.sharePage(c, true)
	if err != nil {
		return err
	}
	p.Title = p.T("petition.thanks_title")
	if own := h.web.Cookie(c, ownCookie); strings.HasPrefix(own, p.Petition.Slug+"/mine/") {
		p.MineURL = "/petitions/" + own
		private(c)
	}
	code, err := h.petitions.ShareCode(c.UserContext(), p.Petition.Slug, h.door.Marked(h.web.Cookie(c, signedCookie)))
	if err != nil {
		return err
	}
	if code != "" {
		p.OwnURL = h.link(p.Petition, sourceSigner) + "&by=" + code
	}
	return h.web.Render(c, "public/petitions/thanks", p)
}

// spreadPage is for people with a site of their own: the frame, the badge, the feeds and the figures, with what to paste.
type spreadPage struct {
	web.Page
	Petition      models.Petition
	Script, Frame string
	Badge         string
	FrameURL      string
}

func (h *reachPages) spread(c *fiber.Ctx) error {
	slug := c.Params("slug")
	return h.web.Cached(c, "public/petitions/spread", "petitions", func(ctx context.Context, p web.Page) (any, error) {
		petition, err := h.petitions.Current(ctx, slug)
		p.Title = p.T("reach.spread_title")
		page := spreadPage{Page: p, Petition: petition, FrameURL: "/petitions/" + petition.Slug + "/embed"}
		title := template.HTMLEscapeString(petition.Title)
		at := h.web.URL("/petitions/" + petition.Slug)
		page.Script = fmt.Sprintf(`<script async src="%s" data-petition="%s"></script>`, h.web.URL("/embed.js"), petition.Slug)
		page.Frame = fmt.Sprintf(`<iframe src="%s/embed" title="%s" width="100%%" height="380" frameborder="0" loading="lazy"></iframe>`, at, title)
		page.Badge = fmt.Sprintf(`<a href="%s?source=%s"><img src="%s/badge.svg" alt="%s" height="28"></a>`, at, sourceBadge, at, title)
		return page, err
	})
}

// sheetPage is a sheet of paper: a poster or a card.
type sheetPage struct {
	web.Page
	Petition models.Petition
	Address  []string // as people type it, in the parts between which a line may break
	Source   string
	Big      bool // the ask is so short that it can stand larger
}

func (h *reachPages) sheet(c *fiber.Ctx, name, source, title string) error {
	slug := c.Params("slug")
	return h.web.Cached(c, name, "petitions", func(ctx context.Context, p web.Page) (any, error) {
		petition, err := h.petitions.Current(ctx, slug)
		p.Title = p.T(title, "Title", petition.Title)
		p.Back = &web.Link{URL: "/petitions/" + slug + "/share", Label: p.T("reach.back_share")}
		_, address, _ := strings.Cut(h.web.URL("/petitions/"+petition.Slug), "://")
		return sheetPage{Page: p, Petition: petition, Address: strings.SplitAfter(address, "/"), Source: source, Big: utf8.RuneCountInString(petition.Title) <= 40}, err
	})
}

func (h *reachPages) poster(c *fiber.Ctx) error {
	return h.sheet(c, "public/petitions/poster", sourcePoster, "reach.poster_title")
}

func (h *reachPages) card(c *fiber.Ctx) error {
	return h.sheet(c, "public/petitions/card", sourceCard, "reach.card_title")
}

func (h *reachPages) qr(c *fiber.Ctx) error {
	site := h.web.Lang(c, web.Site{})
	source := sourceQR
	if s := c.Query("source"); s == sourcePoster || s == sourceCard {
		source = s
	}
	svg, err := h.petitions.QR(c.UserContext(), c.Params("slug"), h.web.Text(site, "petition.qr_alt"), source)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/svg+xml")
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	return c.Send(svg)
}

// embedPage is a petition in a frame of another site: no script, no form, no cookie.
type embedPage struct {
	web.Page
	Petition models.Petition
	Open     bool
	Source   string
}

func (h *reachPages) embed(c *fiber.Ctx) error {
	web.FramedByAnybody(c)
	slug := c.Params("slug")
	return h.web.CachedFrame(c, "public/petitions/embed", hostColours(c).link(), func(ctx context.Context, p web.Page) (any, error) {
		v, err := h.petitions.Brief(ctx, slug)
		p.Title = v.Petition.Title
		return embedPage{Page: p, Petition: v.Petition, Open: v.Open, Source: sourceEmbed}, err
	})
}

// colours are those that a host asks for, as "1c5c4d"; "" for none.
type colours struct{ accent, background, text string }

func hostColours(c *fiber.Ctx) colours {
	one := func(name string) string {
		v, err := web.ParseColour("#" + strings.TrimPrefix(c.Query(name), "#"))
		if err != nil {
			return ""
		}
		return v.String()[1:]
	}
	return colours{one("accent"), one("background"), one("text")}
}

// link is the address of the style that has the colours; "" for none.
func (x colours) link() string {
	q := url.Values{}
	for name, v := range map[string]string{"accent": x.accent, "background": x.background, "text": x.text} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "/embed.css?" + q.Encode()
}

// embedCSS is the style of a frame that follows its host's colours, as far as they can be read.
func (h *reachPages) embedCSS(c *fiber.Ctx) error {
	x := hostColours(c)
	c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	web.ForOtherSites(c)
	return c.SendString(web.HostCSS(x.accent, x.background, x.text))
}

// script is the one tag for other sites, under a name that stays.
func (h *reachPages) script(c *fiber.Ctx) error {
	address, err := static.URL("js/embed.js")
	if err != nil {
		return err
	}
	a := static.Find(address)
	web.ForOtherSites(c)
	return h.web.KeptContent(c, a.Type, func(context.Context) ([]byte, error) { return a.Plain, nil })
}

func (h *reachPages) badge(c *fiber.Ctx) error {
	slug, dark := c.Params("slug"), c.Query("theme") == "dark"
	lang := ""
	if l := c.Query("lang"); slices.Contains(locales.Languages, l) {
		lang = l
	}
	web.ForOtherSites(c)
	return h.web.KeptContent(c, "image/svg+xml", func(ctx context.Context) ([]byte, error) {
		p, err := h.petitions.Current(ctx, slug)
		if err != nil {
			return nil, err
		}
		in := lang
		if in == "" {
			in = web.Spoken(p.Locale)
		}
		n := web.Number(in, int64(p.Total()))
		return badge(in, h.web.Text(in, "reach.badge_signed", "Count", p.Total()), n, h.web.Text(in, "reach.badge_alt", "Count", p.Total(), "Title", p.Title), dark), nil
	}, lang, strconv.FormatBool(dark))
}

// badge draws a count: a number on the accent, and words beside it. Each text is set to a width, so that it fits in any font.
func badge(lang, words, number, title string, dark bool) []byte {
	paper, ink, accent, on := "#fffdf8", "#26231e", "#1c5c4d", "#fffdf8"
	if dark {
		paper, ink, accent, on = "#1c1a17", "#e6e0d5", "#93cdb7", "#0f1f19"
	}
	wide := func(s string) int { return 7*utf8.RuneCountInString(s) + 2 }
	a, b := wide(number)+2, wide(words)
	left, all := a+18, a+18+b+16
	var out strings.Builder
	esc := template.HTMLEscapeString
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="28" viewBox="0 0 %d 28" role="img" lang="%s" aria-label="%s"><title>%s</title>`, all, all, lang, esc(title), esc(title))
	fmt.Fprintf(&out, `<rect width="%d" height="28" rx="5" fill="%s"/><rect x=".5" y=".5" width="%d" height="27" rx="4.5" fill="none" stroke="%s"/>`, all, paper, all-1, accent)
	fmt.Fprintf(&out, `<path d="M5 0h%dv28H5a5 5 0 0 1-5-5V5a5 5 0 0 1 5-5z" fill="%s"/>`, left-5, accent)
	fmt.Fprintf(&out, `<g font-family="system-ui,Segoe UI,Roboto,Noto Sans,sans-serif" font-size="13"><text x="9" y="18.5" font-weight="600" fill="%s" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`, on, a, esc(number))
	fmt.Fprintf(&out, `<text x="%d" y="18.5" fill="%s" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text></g></svg>`, left+8, ink, b, esc(words))
	return []byte(out.String())
}

// zone is the organisation's.
func (h *reachPages) zone(ctx context.Context) *time.Location {
	if z := h.web.Blank(ctx, locales.Languages[0], "/").Site.Zone; z != nil {
		return z
	}
	return time.UTC
}

func (h *reachPages) figures(c *fiber.Ctx) error {
	slug := c.Params("slug")
	return h.open(c, func(ctx context.Context) (any, error) { return h.petitions.Figures(ctx, slug, h.zone(ctx)) })
}

func (h *reachPages) districts(c *fiber.Ctx) error {
	slug := c.Params("slug")
	return h.open(c, func(ctx context.Context) (any, error) { return h.petitions.DistrictFigures(ctx, slug) })
}

// open answers with figures that anybody may use, also scripts of other sites.
func (h *reachPages) open(c *fiber.Ctx, read func(ctx context.Context) (any, error)) error {
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	web.ForOtherSites(c)
	return h.web.KeptContent(c, fiber.MIMEApplicationJSONCharsetUTF8, func(ctx context.Context) ([]byte, error) {
		v, err := read(ctx)
		if err != nil {
			return nil, err
		}
		return jsonOf(v)
	})
}

// picture is what other sites show beside a link.
func (h *reachPages) picture(c *fiber.Ctx) error {
	slug := c.Params("slug")
	web.ForOtherSites(c)
	return h.web.KeptContent(c, "image/png", func(ctx context.Context) ([]byte, error) {
		return h.petitions.LinkPicture(ctx, slug, func(p models.Petition) petitions.PictureWords {
			lang := web.Spoken(p.Locale)
			site := h.web.Blank(ctx, lang, "/").Site
			w := petitions.PictureWords{
				Organisation: site.Name,
				Number:       func(n int) string { return web.Number(lang, int64(n)) },
				Caption:      func(n int) string { return h.web.Text(lang, "reach.have_signed", "Count", n) },
			}
			if a, err := web.NewAccent(site.Accent); err == nil {
				w.Accent = [3]uint8{a.Light.R, a.Light.G, a.Light.B}
			}
			return w
		})
	})
}
