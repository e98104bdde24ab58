package mailer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Send hands one message over (RFC 5321, section 3.3). Where the server offers it the commands before the message go in one
// write (RFC 2920); the message itself goes only after the server's 354. Where the server's answers leave no doubt about the
// connection, it can be used again.
func (c *smtpConn) Send(ctx context.Context, m Message) Outcome { return c.send(ctx, m, nil) }

// SendBefore is Send, with the commands of next in one write with the message where the server offers PIPELINING: "the actual transfer of
// message content is explicitly allowed to be the first 'command' in a group" (RFC 2920, section 3.1).
func (c *smtpConn) SendBefore(ctx context.Context, m, next Message) Outcome {
	if !c.pipelines || next.raw == nil || c.cannot(next) {
		return c.send(ctx, m, nil)
	}
	return c.send(ctx, m, &next)
}

func (c *smtpConn) send(ctx context.Context, m Message, next *Message) Outcome {
	if err := m.Encode(); err != nil {
		return Outcome{State: Rejected, Phase: PhaseBuild, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return Outcome{State: NotSent, Phase: PhaseMail, Err: err}
	}
	if c.wire.broken.Load() {
		return Outcome{State: NotSent, Phase: PhaseMail, Err: errors.New("mailer: connection lost")}
	}
	if c.cannot(m) {
		return Outcome{State: Rejected, Phase: PhaseBuild, Err: wrong("the server does not take addresses with letters beyond ASCII (RFC 6531)")}
	}
	if c.announced != "" && c.announced != m.MessageID {
		return c.lost(NotSent, PhaseMail, errors.New("the server waits for another message"), m)
	}
	defer c.cutWith(ctx)()
	o := c.transact(m, next)
	c.wire.wait(c.cfg.Timeout)
	if o.Err != nil && o.Code == 0 && ctx.Err() != nil {
		o.Err = fmt.Errorf("%w: %w", o.Err, context.Cause(ctx))
	}
	return o
}

// international reports whether a message needs SMTPUTF8: asked for without need, it binds every server on the way to it.
func international(m Message) bool {
	return !ascii(m.To) || !ascii(m.FromAddress) || !ascii(m.EnvelopeFrom) || !ascii(m.ReplyTo) || !ascii(m.AlsoReplyTo)
}

// cannot reports whether the server does not take the addresses of a message.
func (c *smtpConn) cannot(m Message) bool { return !c.international && international(m) }

// The commands of a message, each with the class of answers that lets the next one come, or with the one answer.
var dialogue = []struct {
	phase       string
	least, most int
}{{PhaseMail, 250, 250}, {PhaseRcpt, 250, 259}, {PhaseData, 354, 354}}

func (c *smtpConn) transact(m Message, next *Message) Outcome {
	written, ends := 0, [3]int{}
	if c.announced != "" { // they went with the message before this one
		c.announced, written = "", len(dialogue)
		c.wire.anew()
	} else {
		c.out, ends = c.commands(c.out[:0], m)
	}
	for step, d := range dialogue {
		if written <= step {
			from, to := 0, ends[2]
			if !c.pipelines {
				if step > 0 {
					from = ends[step-1]
				}
				to = ends[step]
			}
			if _, err := c.smtp.Text.W.Write(c.out[from:to]); err != nil {
				return c.lost(NotSent, d.phase, err, m)
			}
			if err := c.smtp.Text.W.Flush(); err != nil {
				return c.lost(NotSent, d.phase, err, m)
			}
			if written = step + 1; c.pipelines {
				written = len(dialogue)
			}
		}
		r, err := c.reply()
		if err != nil {
			return c.lost(NotSent, d.phase, err, m)
		}
		if r.code < d.least || r.code > d.most {
			o := c.answered(d.phase, r, NotSent, m)
			c.settle(o, r.code, step, written)
			return o
		}
	}
	return c.body(m, next)
}

// commands appends the three commands of a message to b and returns where each ends.
func (c *smtpConn) commands(b []byte, m Message) (_ []byte, ends [3]int) {
	from := m.EnvelopeFrom
	if from == "" {
		from = m.FromAddress
	}
	b = append(b, "MAIL FROM:<"...)
	b = append(append(b, from...), '>')
	if international(m) {
		if c.eightBit {
			b = append(b, " BODY=8BITMIME"...)
		}
		b = append(b, " SMTPUTF8"...)
	}
	b = append(b, "\r\n"...)
	ends[0] = len(b)
	b = append(append(append(b, "RCPT TO:<"...), m.To...), ">\r\n"...)
	ends[1] = len(b)
	b = append(b, "DATA\r\n"...)
	ends[2] = len(b)
	return b, ends
}

// body writes the message, and the commands of the next one where there is one, and waits for the answer to it. Until all of it is
// written, its last line among it, no server has taken it.
func (c *smtpConn) body(m Message, next *Message) Outcome {
	c.wire.wait(c.cfg.DotTimeout)
	c.out = stuffed(c.out[:0], m.raw)
	if next != nil {
		c.out, _ = c.commands(c.out, *next)
	}
	if _, err := c.smtp.Text.W.Write(c.out); err != nil {
		return c.lost(NotSent, PhaseData, err, m)
	}
	if err := c.smtp.Text.W.Flush(); err != nil {
		return c.lost(NotSent, PhaseData, err, m)
	}
	if next != nil {
		c.announced = next.MessageID
	}
	r, err := c.reply()
	switch {
	case err != nil:
		return c.lost(Unknown, PhaseDot, err, m)
	case r.code == 250:
		return Outcome{State: Accepted, Code: 250, Enhanced: enhanced(r.words, 250), Reply: c.scrub(r.words, m)}
	}
	o := c.answered(PhaseDot, r, Unknown, m)
	c.settle(o, r.code, len(dialogue), len(dialogue))
	return o
}

// stuffed appends a message as it goes over the wire (RFC 5321, section 4.5.2): a line that begins with a dot gets a second one,
// and a line of one dot ends it.
func stuffed(b, raw []byte) []byte {
	if len(raw) > 0 && raw[0] == '.' {
		b = append(b, '.')
	}
	for {
		i := bytes.Index(raw, []byte("\r\n."))
		if i < 0 {
			break
		}
		b = append(append(b, raw[:i+3]...), '.')
		raw = raw[i+3:]
	}
	b = append(b, raw...)
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b, "\r\n"...)
	}
	return append(b, ".\r\n"...)
}

// answered is the outcome of an answer that is not the one hoped for. open is what an answer means that says neither yes, later
// nor never.
func (c *smtpConn) answered(phase string, r reply, open OutcomeState, m Message) Outcome {
	o := Outcome{Phase: phase, Code: r.code}
	switch {
	case r.code >= 400 && r.code < 500:
		o.State = Deferred
	case r.code >= 500 && r.code < 600:
		o.State = Rejected
	default:
		return c.lost(open, phase, fmt.Errorf("an answer that does not belong here: %d %s", r.code, r.words), m)
	}
	o.Enhanced, o.Reply = enhanced(r.words, r.code), c.scrub(r.words, m)
	o.Err = fmt.Errorf("mailer: %s: %d %s", phase, r.code, o.Reply)
	return o
}

// settle brings the connection to where the next message can begin, after the answer to the step-th command ended this one while
// written commands were on their way. What cannot be brought there is closed.
func (c *smtpConn) settle(o Outcome, code, step, written int) {
	if code == 421 {
		_ = c.wire.Close()
	}
	if o.State != Deferred && o.State != Rejected || c.Broken() {
		return
	}
	for range written - step - 1 { // the answers to what went in the same write
		r, err := c.reply()
		if err != nil || r.code == 421 {
			_ = c.wire.Close()
			return
		}
		if r.code == 354 { // it wants a message all the same: an empty one ends that, and nobody gets it (RFC 2920, section 3.1)
			if _, err := c.smtp.Text.W.WriteString(".\r\n"); err != nil || c.smtp.Text.W.Flush() != nil {
				_ = c.wire.Close()
				return
			}
			if r, err = c.reply(); err != nil || r.code == 421 || r.code < 400 {
				_ = c.wire.Close()
				return
			}
		}
	}
	if step > 0 && step < len(dialogue) { // the sender was taken: the transaction is open
		if err := c.smtp.Reset(); err != nil {
			_ = c.wire.Close()
		}
	}
}

// lost is the outcome where no answer came, or none that can be understood. The connection is cut, without QUIT: any further
// command would end an unfinished message as if it were whole.
func (c *smtpConn) lost(state OutcomeState, phase string, err error, m Message) Outcome {
	_ = c.wire.Close()
	return Outcome{State: state, Phase: phase, Err: errors.New("mailer: " + phase + ": " + c.scrub(err.Error(), m))}
}

func (c *smtpConn) scrub(words string, m Message) string {
	return Scrub(words, m.To, m.EnvelopeFrom, m.FromAddress, m.ReplyTo, m.AlsoReplyTo)
}

// reply is an answer of the server: one code, and the words of all its lines.
type reply struct {
	code  int
	words string
}

var errNoReply = errors.New("the server's answer is none")

// reply reads one answer (RFC 5321, section 4.2). A line may have as many bytes as the buffer holds, 4,096; section 4.5.3.1.5 asks
// for 512.
func (c *smtpConn) reply() (reply, error) {
	var r reply
	for more := true; more; {
		line, err := c.smtp.Text.R.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return r, errTalksTooMuch
		case err != nil:
			return r, err
		}
		line = bytes.TrimRight(line, "\r\n")
		code := 0
		if len(line) >= 3 {
			for _, d := range line[:3] {
				if d < '0' || d > '9' {
					return r, errNoReply
				}
				code = 10*code + int(d-'0')
			}
		}
		if code < 100 || r.code != 0 && code != r.code || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return r, errNoReply
		}
		more = len(line) > 3 && line[3] == '-'
		if r.code != 0 {
			r.words += "\n"
		}
		r.code = code
		if len(line) > 4 {
			r.words += string(line[4:])
		}
		if len(r.words) > maxAnswer {
			return r, errTalksTooMuch
		}
	}
	return r, nil
}
