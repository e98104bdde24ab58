package mailer

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mail in other charsets than UTF-8
	"github.com/emersion/go-message/mail"
	"golang.org/x/net/html"
)

// Captured is one mail read back from its bytes, as /outbox/messages.json gives it.
type Captured struct {
	ID        string              `json:"id"`
	To        string              `json:"to"`         // the address
	From      string              `json:"from"`       // the address; the name is in Headers
	Subject   string              `json:"subject"`    // decoded
	MessageID string              `json:"message_id"` // without <>
	CreatedAt time.Time           `json:"created_at"`
	Headers   map[string][]string `json:"headers"` // by name as sent, values unfolded and decoded
	Text      string              `json:"text"`
	HTML      string              `json:"html"`
	Links     []string            `json:"links"` // http and https, of the text and then of the HTML part, each once
}

// ReadCaptured reads a mail from its bytes with another library than the one that wrote it. What cannot be read stays empty.
func ReadCaptured(raw []byte) Captured {
	c := Captured{Headers: map[string][]string{}, Links: []string{}}
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil || err != nil && !message.IsUnknownCharset(err) {
		return c
	}
	for f := e.Header.Fields(); f.Next(); {
		v, err := f.Text()
		if err != nil {
			v = f.Value()
		}
		name := f.Key()
		if raw, err := f.Raw(); err == nil {
			before, _, _ := bytes.Cut(raw, []byte(":"))
			name = string(bytes.TrimSpace(before))
		}
		c.Headers[name] = append(c.Headers[name], v)
	}
	h := mail.Header{Header: e.Header}
	c.To, c.From = firstAddress(h, "To"), firstAddress(h, "From")
	c.Subject, _ = h.Subject()
	c.MessageID, _ = h.MessageID()
	c.CreatedAt, _ = h.Date()
	c.CreatedAt = c.CreatedAt.UTC()
	_ = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if part == nil || err != nil && !message.IsUnknownCharset(err) {
			return nil
		}
		kind, _, _ := part.Header.ContentType()
		switch {
		case kind == "text/plain" && c.Text == "":
			c.Text = body(part)
		case kind == "text/html" && c.HTML == "":
			c.HTML = body(part)
		}
		return nil
	})
	c.Links = links(c.Text, c.HTML)
	return c
}

func firstAddress(h mail.Header, name string) string {
	list, err := h.AddressList(name)
	if err != nil || len(list) == 0 {
		return h.Get(name)
	}
	return list[0].Address
}

func body(e *message.Entity) string {
	b, _ := io.ReadAll(e.Body)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

var webLink = regexp.MustCompile(`https?://[^\s<>"]+`)

// links lists the web addresses in the text and behind the links of the HTML part, each once, in order.
func links(text, page string) []string {
	found := []string{}
	add := func(u string) {
		if (strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://")) && !slices.Contains(found, u) {
			found = append(found, u)
		}
	}
	for _, u := range webLink.FindAllString(text, -1) {
		add(strings.TrimRight(u, `.,;:!?)]}'”’»`))
	}
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			for more := true; more; {
				var k, v []byte
				k, v, more = z.TagAttr()
				if string(k) == "href" {
					add(strings.TrimSpace(string(v)))
				}
			}
		}
	}
}
