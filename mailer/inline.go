package mailer

import (
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/vanng822/go-premailer/premailer"
)

// Mail programs read styles best where they stand on each element. So the layout's classes are copied there, once per
// template, before it is parsed: the actions are hidden from the inliner and put back afterwards. The second style block,
// for dark screens, stays as it is (data-premailer="ignore").

// compose puts the body and the foot of a template file into the layout.
func compose(layout, file string) (string, error) {
	trees := map[string]*parse.Tree{}
	t := parse.New("file")
	t.Mode = parse.SkipFuncCheck // the templates are parsed whole later
	if _, err := t.Parse(file, "", "", trees); err != nil {
		return "", err
	}
	for _, part := range []string{"body", "foot"} {
		t := trees[part]
		if t == nil {
			return "", fmt.Errorf("the HTML file defines no %q", part)
		}
		call := `{{template "` + part + `" .}}`
		if strings.Count(layout, call) != 1 {
			return "", fmt.Errorf("layout.html must have %s once", call)
		}
		layout = strings.Replace(layout, call, t.Root.String(), 1)
	}
	return layout, nil
}

// The layout's words for the accent colours, and what they become.
var colourActions = strings.NewReplacer(
	"kl-accent", "{{$.Colours.Light}}", "kl-on-accent", "{{$.Colours.OnLight}}",
	"kl-dark", "{{$.Colours.Dark}}", "kl-on-dark", "{{$.Colours.OnDark}}",
	"kl-padding", padding,
)

// padding fills the line that a mail program shows beside the subject, so that the mail's first words, which may name the
// cause, do not appear on a locked screen.
var padding = strings.Repeat("\u034f\u200c\u00a0", 60)

// inline copies the styles of the first block to the elements. source is a template with the layout around it.
func inline(source string) (string, error) {
	hidden, actions := hide(source)
	out, err := transform(hidden)
	if err != nil {
		return "", err
	}
	if out, err = unhide(out, actions); err != nil {
		return "", err
	}
	if strings.Contains(out, "pr-el-id") || !strings.Contains(out, "prefers-color-scheme") {
		return "", errors.New("the inliner lost the style block for dark screens")
	}
	return colourActions.Replace(strings.Replace(out, ` data-premailer="ignore"`, "", 1)), nil
}

func transform(page string) (string, error) {
	p, err := premailer.NewPremailerFromString(page, &premailer.Options{CssToAttributes: false})
	if err != nil {
		return "", err
	}
	return p.Transform()
}

var (
	action     = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	layoutWord = regexp.MustCompile(`kl-(on-)?(accent|dark)|kl-(padding|begin|end)|kl-action-\d`)
	hiddenOne  = regexp.MustCompile(`<!--kl-action-(\d+)-->|kl-action-(\d+)-`)
)

// hide puts a comment for each action between tags, where even a table lets it stay, and a plain word for each one inside
// a tag or where HTML knows no comments.
func hide(source string) (string, []string) {
	var b strings.Builder
	var actions []string
	last := 0
	for _, at := range action.FindAllStringIndex(source, -1) {
		b.WriteString(source[last:at[0]])
		before := source[:at[0]]
		inTag := strings.LastIndexByte(before, '<') > strings.LastIndexByte(before, '>')
		inTitle := strings.LastIndex(before, "<title") > strings.LastIndex(before, "</title")
		if inTag || inTitle {
			fmt.Fprintf(&b, "kl-action-%d-", len(actions))
		} else {
			fmt.Fprintf(&b, "<!--kl-action-%d-->", len(actions))
		}
		actions = append(actions, source[at[0]:at[1]])
		last = at[1]
	}
	b.WriteString(source[last:])
	return b.String(), actions
}

// unhide puts the actions back. It returns an error unless each is there once, in its order.
func unhide(page string, actions []string) (string, error) {
	next, ok := 0, true
	page = hiddenOne.ReplaceAllStringFunc(page, func(s string) string {
		m := hiddenOne.FindStringSubmatch(s)
		n, err := strconv.Atoi(m[1] + m[2])
		if err != nil || n != next || n >= len(actions) {
			ok = false
			return ""
		}
		next++
		return actions[n]
	})
	if !ok || next != len(actions) {
		return "", errors.New("the inliner lost or moved an action")
	}
	return page, nil
}

// Style copies the layout's styles to the elements of a mailing's body, which is done once per mailing and not per mail.
// body is sanitized HTML; merge fields may stand in it in any form that is text to HTML, or as {{...}}.
func (r *Renderer) Style(body template.HTML, a Accent) (template.HTML, error) {
	const begin, end = "<!--kl-begin-->", "<!--kl-end-->"
	b, err := templateFiles.ReadFile("templates/layout.html")
	if err != nil {
		return "", err
	}
	if w := layoutWord.FindString(string(body)); w != "" {
		return "", fmt.Errorf("mailer: the body holds a word that is kept for the layout: %s", w)
	}
	layout, _ := hide(string(b))
	layout = action.ReplaceAllString(hiddenOne.ReplaceAllString(layout, ""), "")
	at := strings.Index(layout, `<div class="foot">`)
	if at < 0 {
		return "", errors.New("mailer: layout.html has no foot")
	}
	fragment, actions := hide(string(body))
	out, err := transform(layout[:at] + begin + fragment + end + layout[at:])
	if err != nil {
		return "", err
	}
	_, out, ok1 := strings.Cut(out, begin)
	out, _, ok2 := strings.Cut(out, end)
	if !ok1 || !ok2 {
		return "", errors.New("mailer: the body breaks out of the layout")
	}
	if out, err = unhide(out, actions); err != nil {
		return "", fmt.Errorf("mailer: %w", err)
	}
	a = a.orDefault()
	return template.HTML(strings.NewReplacer("kl-accent", a.Light, "kl-on-accent", a.OnLight).Replace(out)), nil
}
