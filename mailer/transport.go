package mailer

import (
	"context"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Transport hands messages over. It is safe for concurrent use; each connection of it serves one goroutine at a time.
type Transport interface {
	// Open makes a connection. The error is a *Failure where the transport is SMTP.
	Open(ctx context.Context) (Conn, error)
	// Name is "smtp", "capture" or "memory".
	Name() string
}

// Conn is one connection of a Transport.
type Conn interface {
	// Send hands one message over and says what became of it. When ctx ends the connection is cut, and the outcome is
	// whatever is true then: Unknown once the whole message was written.
	Send(ctx context.Context, m Message) Outcome
	// Close says goodbye and frees the connection. It may be called twice.
	Close() error
}

// Pipelined is a Conn that can hand a message over together with the beginning of the next one, which spares a way to the server and back.
type Pipelined interface {
	Conn
	// SendBefore is Send for a message after which next is to go over this connection: by Send or SendBefore, with nothing in between, or
	// not at all. In that case the connection must be closed, which Pool.Put does. Nothing of next's text goes before its own Send.
	SendBefore(ctx context.Context, m, next Message) Outcome
}

// OutcomeState is what became of one attempt.
type OutcomeState string

// The states. The zero value is not one of them.
const (
	Accepted OutcomeState = "accepted" // the server answered for it
	Deferred OutcomeState = "deferred" // the server said: later (4xx)
	Rejected OutcomeState = "rejected" // the server said: never (5xx); or the message itself cannot be sent, then Code is 0
	Unknown  OutcomeState = "unknown"  // written whole, but the answer did not come: it may have been accepted
	NotSent  OutcomeState = "not_sent" // the server surely has not taken it: to be tried again
)

// The phases in which an attempt ended.
const (
	PhaseBuild = "build" // before the first byte: the message is at fault
	PhaseMail  = "mail"  // the server objects to the sender or to us, never to the recipient
	PhaseRcpt  = "rcpt"
	PhaseData  = "data" // before or while the message was written
	PhaseDot   = "dot"  // the answer to the whole message
)

// Outcome is what became of one attempt. It holds no address and may be stored and logged.
type Outcome struct {
	State    OutcomeState
	Phase    string // empty when accepted
	Code     int    // the server's reply code (RFC 5321), 0 where it gave none
	Enhanced string // the enhanced status code (RFC 3463), "5.1.1"; empty where there is none
	Reply    string // the server's words, addresses taken out, at most 300 characters
	Err      error  // nil when accepted; addresses taken out
}

// Healthy reports whether the connection can be used again after this outcome.
func (o Outcome) Healthy() bool {
	switch o.State {
	case Accepted, Deferred:
		return o.Code != 421 // the server is closing (RFC 5321, section 3.8)
	case Rejected:
		return true
	}
	return false
}

// maxReply is how much of a server's reply is kept, in characters.
const maxReply = 300

var addressLike = regexp.MustCompile(`[^\s<>()\[\],;:"']+@[^\s<>()\[\],;:"']+`)

// Scrub takes what looks like an address, and each of the given addresses whole or without its domain, out of a server's
// words, makes it one line and cuts it at 300 characters.
func Scrub(s string, addresses ...string) string {
	s = clean(s)
	if strings.IndexByte(s, '@') >= 0 {
		s = addressLike.ReplaceAllString(s, "<address>")
	}
	folded := strings.ToLower(s)
	for _, a := range addresses {
		if at := strings.IndexByte(a, '@'); a == "" || !strings.Contains(folded, strings.ToLower(a[:max(at, 0)])) {
			continue // the usual answer to a mail that was taken
		}
		local, domain, _ := strings.Cut(a, "@")
		s = replaceWord(s, a, "<address>")
		s = replaceWord(s, local+"="+domain, "<address>") // as it stands in a bounce address
		s = replaceWord(s, local, "<address>")
	}
	if r := []rune(s); len(r) > maxReply {
		s = string(r[:maxReply-1]) + "…"
	}
	return s
}

// replaceWord replaces word in s, in any case, where no letter or digit stands beside it.
func replaceWord(s, word, with string) string {
	if word == "" {
		return s
	}
	re, err := regexp.Compile(`(?i)` + regexp.QuoteMeta(word))
	if err != nil {
		return s
	}
	beside := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	var b strings.Builder
	last := 0
	for _, at := range re.FindAllStringIndex(s, -1) {
		before, _ := utf8.DecodeLastRuneInString(s[:at[0]])
		after, _ := utf8.DecodeRuneInString(s[at[1]:])
		if beside(before) || beside(after) {
			continue
		}
		b.WriteString(s[last:at[0]] + with)
		last = at[1]
	}
	return b.String() + s[last:]
}
