package mailings

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kithline/models"
)

// Blocks are the parts of a mail that Markdown has no words for. A block stands on lines of its own:
//
//	::: button
//	words: Sign the petition
//	link: /petitions/twenty-visits
//	:::
//
// Each line is a name and what it says; a line that begins with two spaces goes on with the one before. The names may be written
// in Spanish too. Merge fields may stand in what a block says, and in a link as in any other one: see compile.go.

// blockKind is what one kind of block is made of.
type blockKind struct {
	name  string
	also  string   // the name in Spanish
	needs []string // the names of what it must say
	may   []string
}

var blockKinds = []blockKind{
	{"button", "boton", []string{"words", "link"}, nil},
	{"picture", "imagen", []string{"file", "alt"}, []string{"link"}},
	{"quote", "cita", []string{"words"}, []string{"who"}},
	{"action", "accion", []string{"title", "link", "minutes", "energy"}, []string{"needs", "words"}},
	{"event", "evento", []string{"title", "when", "where"}, []string{"until", "access", "link", "words"}},
}

// BlockKinds lists the names of the blocks, in the order that the page explains them.
func BlockKinds() []string {
	var out []string
	for _, k := range blockKinds {
		out = append(out, k.name)
	}
	return out
}

// inSpanish are the names of what a block says, as they may be written besides.
var inSpanish = map[string]string{
	"texto": "words", "enlace": "link", "archivo": "file", "descripcion": "alt", "quien": "who", "titulo": "title", "minutos": "minutes", //nolint:misspell // Spanish
	"energia": "energy", "requiere": "needs", "cuando": "when", "hasta": "until", "donde": "where", "acceso": "access",
}

// Demands lists what an action may ask of a body, as the effort label says it. The words are the locale keys "mailings.demand_NAME".
var Demands = []string{"sitting", "standing", "driving", "speaking", "typing", "screen", "light", "noise"}

var demandsInSpanish = map[string]string{
	"sentarse": "sitting", "de pie": "standing", "conducir": "driving", "hablar": "speaking", "escribir": "typing", "pantalla": "screen", "luz": "light",
	"luz fuerte": "light", "ruido": "noise", "bright light": "light",
}

// block is one of them as it was written.
type block struct {
	kind   string
	line   int // where it begins, from 1
	values map[string]string
	lines  map[string]int
}

var (
	blockOpen  = regexp.MustCompile(`^:::[ \t]*([^\s:]+)[ \t]*$`)
	blockClose = regexp.MustCompile(`^:::[ \t]*$`)
	blockLine  = regexp.MustCompile(`^([\pL]+):[ \t]*(.*)$`)
	codeFence  = regexp.MustCompile("^ {0,3}(```+|~~~+)")
)

// plainName is a word in lower case without accents.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// cutBlocks takes the blocks out of a text and puts what place says in their stead. What is wrong with one is told by its line,
// and it stays in the text as it was written.
func cutBlocks(src string, place func(n int) string) (text string, blocks []block, bad []MergeProblem) {
	wrong := func(key, name string, line int) { bad = append(bad, MergeProblem{"body", key, short(name), line}) }
	lines := strings.Split(src, "\n")
	var out []string
	fence := ""
	for i := 0; i < len(lines); i++ {
		l := strings.TrimRight(lines[i], "\r")
		if f := codeFence.FindStringSubmatch(l); f != nil {
			switch {
			case fence == "":
				fence = f[1][:3]
			case strings.HasPrefix(f[1], fence):
				fence = ""
			}
		}
		open := blockOpen.FindStringSubmatch(l)
		if fence != "" || open == nil {
			if fence == "" && strings.HasPrefix(l, ":::") {
				wrong("error.block_stray", l, i+1)
			}
			out = append(out, lines[i])
			continue
		}
		end := i + 1
		for end < len(lines) && !strings.HasPrefix(lines[end], ":::") {
			end++
		}
		if end == len(lines) || !blockClose.MatchString(strings.TrimRight(lines[end], "\r")) {
			wrong("error.block_open", open[1], i+1)
			out = append(out, lines[i])
			continue
		}
		b, problems := readBlock(open[1], lines[i+1:end], i+1)
		if bad = append(bad, problems...); len(problems) > 0 {
			out = append(out, lines[i:end+1]...)
		} else {
			out = append(out, "", place(len(blocks)), "")
			blocks = append(blocks, b)
		}
		i = end
	}
	return strings.Join(out, "\n"), blocks, bad
}

// readBlock reads the lines of one block; at is the line it begins on.
func readBlock(name string, lines []string, at int) (block, []MergeProblem) {
	b := block{line: at, values: map[string]string{}, lines: map[string]int{}}
	var bad []MergeProblem
	wrong := func(key, name string, line int) { bad = append(bad, MergeProblem{"body", key, short(name), line}) }
	k := slices.IndexFunc(blockKinds, func(k blockKind) bool { return k.name == plainName(name) || k.also == plainName(name) })
	if k < 0 {
		wrong("error.block_unknown", name, at)
		return b, bad
	}
	kind := blockKinds[k]
	b.kind = kind.name
	last := ""
	for i, l := range lines {
		n := at + 1 + i
		trimmed := strings.TrimSpace(l)
		if trimmed == "" {
			continue
		}
		m := blockLine.FindStringSubmatch(strings.TrimRight(l, " \t\r"))
		if m == nil || strings.HasPrefix(l, "  ") {
			if last == "" {
				wrong("error.block_line", trimmed, n)
				continue
			}
			b.values[last] = strings.TrimSpace(b.values[last] + " " + trimmed)
			continue
		}
		key := plainName(m[1])
		if en := inSpanish[key]; en != "" {
			key = en
		}
		switch {
		case !slices.Contains(kind.needs, key) && !slices.Contains(kind.may, key):
			wrong("error.block_name", m[1], n)
			last = ""
			continue
		case b.lines[key] != 0:
			wrong("error.block_twice", m[1], n)
		}
		last, b.values[key], b.lines[key] = key, strings.TrimSpace(m[2]), n
	}
	for name, v := range b.values {
		b.values[name] = strings.ReplaceAll(v, `\{{`, "{{")
	}
	for _, need := range kind.needs {
		if b.values[need] == "" && len(bad) == 0 {
			wrong("error.block_lacks_"+need, name, at)
		}
	}
	if len(bad) == 0 {
		bad = b.check()
	}
	return b, bad
}

// check looks at what a block says.
func (b block) check() (bad []MergeProblem) {
	wrong := func(key, of string) {
		bad = append(bad, MergeProblem{"body", key, short(b.values[of]), b.lines[of]})
	}
	number := func(of, key string, low, high int) {
		if v, there := b.values[of]; there {
			if n, err := strconv.Atoi(v); err != nil || n < low || n > high {
				wrong(key, of)
			}
		}
	}
	number("minutes", "error.block_minutes", 1, 24*60)
	number("energy", "error.block_energy", 1, 5)
	for _, of := range []string{"when", "until"} {
		if v, there := b.values[of]; there {
			if _, _, ok := readWhen(v); !ok {
				wrong("error.block_when", of)
			}
		}
	}
	if v, there := b.values["link"]; there && !goodLink(v) {
		wrong("error.block_link", "link")
	}
	if v, there := b.values["needs"]; there {
		if _, ok := readDemands(v); !ok {
			wrong("error.block_needs", "needs")
		}
	}
	return bad
}

// goodLink reports whether a link can be written in a mail: an address of the web or of mail, or a path of this site. A merge field
// at its beginning is looked at by compile.
func goodLink(s string) bool {
	if strings.ContainsAny(s, " <>\"'\\") || s == "" {
		return false
	}
	if strings.HasPrefix(s, "{{") || markedLink.MatchString(s) {
		return true
	}
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.Hostname() != ""
	case "mailto":
		return strings.Contains(u.Opaque, "@")
	case "":
		return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//")
	}
	return false
}

// markedLink is a link that begins with a merge field, on its way through compile.
var markedLink = regexp.MustCompile(`^mk[0-9a-f]{16}y[0-9]+x`)

// readWhen reads a day, or a day and a time of the clock, as they are typed: 2027-03-16 9:00.
func readWhen(s string) (at time.Time, timed, ok bool) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, strings.Join(strings.Fields(s), " ")); err == nil {
			return at, true, true
		}
	}
	at, err := time.Parse(time.DateOnly, s)
	return at, false, err == nil
}

func readDemands(s string) (out []string, ok bool) {
	for d := range strings.SplitSeq(s, ",") {
		d = plainName(strings.TrimSpace(d))
		if en := demandsInSpanish[d]; en != "" {
			d = en
		}
		if !slices.Contains(Demands, d) {
			return nil, false
		}
		out = append(out, d)
	}
	return out, true
}

// pictured are the pictures that a text names, by their name.
type pictured map[string]models.MailPicture

// pictureNames are the pictures that a text asks for.
func pictureNames(src string) []string {
	_, blocks, _ := cutBlocks(src, func(int) string { return "" })
	var out []string
	for _, b := range blocks {
		if b.kind == "picture" {
			out = append(out, pictureName(b.values["file"]))
		}
	}
	return out
}

// pictureName is the name of a picture as a text may write it.
func pictureName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// mailWidth is how wide the text of a mail is on a large screen, in pixels: a picture is not shown wider.
const mailWidth = 512

// say is what a block needs to be put into words.
type say struct {
	lang     string
	words    Words
	base     string
	pictures pictured
	onPage   bool // of the site, in its own classes: not a mail
}

func (s say) t(key string, args ...any) string { return s.words.Text(s.lang, key, args...) }

// when is a time as it is read: with the day of the week where the language's way of dates has it.
func (s say) when(from, until string) string {
	at, timed, _ := readWhen(from)
	out := s.words.Date(s.lang, at)
	if timed {
		out = s.t("mailings.block_at", "Date", out, "Time", at.Format("15:04"))
	}
	end, endTimed, ok := readWhen(until)
	switch {
	case !ok:
		return out
	case endTimed && end.Format(time.DateOnly) == at.Format(time.DateOnly):
		return s.t("mailings.block_until", "From", out, "Until", end.Format("15:04"))
	case endTimed:
		return s.t("mailings.block_until", "From", out, "Until", s.t("mailings.block_at", "Date", s.words.Date(s.lang, end), "Time", end.Format("15:04")))
	}
	return s.t("mailings.block_until", "From", out, "Until", s.words.Date(s.lang, end))
}

// effort is the effort label in words.
func (s say) effort(b block) string {
	minutes, _ := strconv.Atoi(b.values["minutes"])
	level, _ := strconv.Atoi(b.values["energy"])
	parts := []string{s.t("base.effort_minutes", "Count", minutes), s.t("base.effort_energy", "Level", level)}
	needs, _ := readDemands(b.values["needs"])
	if b.values["needs"] != "" {
		var words []string
		for _, d := range needs {
			words = append(words, s.t("mailings.demand_"+d))
		}
		parts = append(parts, strings.Join(words, ", "))
	}
	return strings.Join(parts, " · ")
}

// label is what a block's button says.
func (s say) label(b block) string {
	if w := b.values["words"]; w != "" {
		return w
	}
	return s.t("mailings.block_" + b.kind + "_words")
}

func (s say) button(words, link string) string {
	if s.onPage {
		return `<p><a class="button main" href="` + html.EscapeString(link) + `">` + html.EscapeString(words) + `</a></p>`
	}
	return `<p class="act"><span class="button"><a href="` + html.EscapeString(link) + `">` + html.EscapeString(words) + `</a></span></p>`
}

// html is the block as a part of the mail. Its links and what it says are settled with the rest of the text.
func (s say) html(b block) string {
	v := func(name string) string { return html.EscapeString(b.values[name]) }
	small := "effort"
	if s.onPage {
		small = "small soft"
	}
	switch b.kind {
	case "button":
		return s.button(b.values["words"], b.values["link"])
	case "picture":
		p := s.pictures[pictureName(b.values["file"])]
		w, h := fitted(p.Width, p.Height)
		img := `<img src="` + html.EscapeString(s.base+PicturePath(p.FileID)) + `" alt="` + v("alt") + `"`
		if w > 0 {
			img += ` width="` + strconv.Itoa(w) + `" height="` + strconv.Itoa(h) + `"`
		}
		img += ">"
		if b.values["link"] != "" {
			img = `<a href="` + v("link") + `">` + img + `</a>`
		}
		return "<p>" + img + "</p>"
	case "quote":
		out := "<blockquote><p>" + v("words") + "</p>"
		if b.values["who"] != "" {
			out += `<p class="` + small + `">` + v("who") + "</p>"
		}
		return out + "</blockquote>"
	case "action":
		return `<div class="card"><h4>` + v("title") + `</h4><p class="` + small + `">` + html.EscapeString(s.effort(b)) + "</p>" + s.button(s.label(b), b.values["link"]) + "</div>"
	}
	out := `<div class="card"><h4>` + v("title") + "</h4><p><strong>" + html.EscapeString(s.when(b.values["when"], b.values["until"])) + "</strong><br>" + v("where") + "</p>"
	if b.values["access"] != "" {
		out += `<p class="` + small + `">` + html.EscapeString(s.t("mailings.block_access")) + " " + v("access") + "</p>"
	}
	if b.values["link"] != "" {
		out += s.button(s.label(b), b.values["link"])
	}
	return out + "</div>"
}

// text is the block as a part of the text.
func (s say) text(b block) string {
	link := b.values["link"]
	if strings.HasPrefix(link, "/") {
		link = s.base + link
	}
	link = strings.TrimPrefix(link, "mailto:")
	v := b.values
	switch b.kind {
	case "button":
		return v["words"] + ":\n" + link
	case "picture":
		out := "[" + s.t("mailings.block_picture_text", "Alt", v["alt"]) + "]"
		if link != "" {
			out += "\n" + link
		}
		return out
	case "quote":
		out := "> " + v["words"]
		if v["who"] != "" {
			out += "\n>\n> " + v["who"]
		}
		return out
	case "action":
		return v["title"] + "\n" + s.effort(b) + "\n" + s.label(b) + ":\n" + link
	}
	out := v["title"] + "\n" + s.when(v["when"], v["until"]) + "\n" + v["where"]
	if v["access"] != "" {
		out += "\n" + s.t("mailings.block_access") + " " + v["access"]
	}
	if link != "" {
		out += "\n" + s.label(b) + ":\n" + link
	}
	return out
}

// fitted are the width and height at which a picture is shown.
func fitted(w, h int) (int, int) {
	if w <= mailWidth || w == 0 {
		return w, h
	}
	return mailWidth, max(1, (h*mailWidth+w/2)/w)
}
