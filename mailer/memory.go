package mailer

import (
	"bytes"
	"context"
	"slices"
	"sync"
)

// Sent is one message that reached a Memory, with its bytes and the answer it got.
type Sent struct {
	Message Message
	Raw     []byte
	Outcome Outcome
}

// Memory keeps messages in memory, for tests. It answers Accepted unless it was told otherwise. It is safe for concurrent
// use.
type Memory struct {
	mu      sync.Mutex
	sent    []Sent
	answers []Outcome
	answer  func(Message) Outcome
	refusal error
	opened  int
	open    int
	changed chan struct{} // closed and replaced at each message
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{changed: make(chan struct{})} }

// Name is "memory".
func (m *Memory) Name() string { return "memory" }

// Answer sets the outcomes of the next messages, in order. After the last one messages are accepted again.
func (m *Memory) Answer(outcomes ...Outcome) {
	m.mu.Lock()
	m.answers = append(m.answers, outcomes...)
	m.mu.Unlock()
}

// AnswerWith asks f for the outcome of every message that no outcome was set for; nil takes it back. f runs while the
// message is on its way: what it waits for, the sender waits for.
func (m *Memory) AnswerWith(f func(Message) Outcome) {
	m.mu.Lock()
	m.answer = f
	m.mu.Unlock()
}

// Refuse makes every Open fail with err; nil takes it back.
func (m *Memory) Refuse(err error) {
	m.mu.Lock()
	m.refusal = err
	m.mu.Unlock()
}

// Open makes a connection.
func (m *Memory) Open(ctx context.Context) (Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusal != nil {
		return nil, m.refusal
	}
	m.opened++
	m.open++
	return &memoryConn{m: m}, nil
}

// Opened is how many connections were ever made, and how many of them are not closed.
func (m *Memory) Opened() (ever, now int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened, m.open
}

// Messages is what was accepted, or may have been (Unknown), in order.
func (m *Memory) Messages() []Message {
	var out []Message
	for _, s := range m.All() {
		if s.Outcome.State == Accepted || s.Outcome.State == Unknown {
			out = append(out, s.Message)
		}
	}
	return out
}

// All is every message that was offered, in order, whatever the answer.
func (m *Memory) All() []Sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

// Reset forgets the messages and the answers set.
func (m *Memory) Reset() {
	m.mu.Lock()
	m.sent, m.answers, m.answer, m.refusal = nil, nil, nil, nil
	m.mu.Unlock()
}

// Wait returns what was offered once there are n messages, or the error of ctx with what there is by then.
func (m *Memory) Wait(ctx context.Context, n int) ([]Sent, error) {
	for {
		m.mu.Lock()
		sent, changed := slices.Clone(m.sent), m.changed
		m.mu.Unlock()
		if len(sent) >= n {
			return sent, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return sent, ctx.Err()
		}
	}
}

type memoryConn struct {
	m      *Memory
	closed bool
}

func (c *memoryConn) Close() error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.m.open--
	}
	return nil
}

func (c *memoryConn) Send(ctx context.Context, m Message) Outcome {
	raw, err := Bytes(m)
	if err != nil {
		return Outcome{State: Rejected, Phase: PhaseBuild, Err: err}
	}
	raw = bytes.Clone(raw)
	m.raw, m.lent = raw, nil
	if err := ctx.Err(); err != nil {
		return Outcome{State: NotSent, Phase: PhaseMail, Err: err}
	}
	if m.Text == "" { // a copy of a Frame is its bytes
		read := ReadCaptured(raw)
		m.Subject, m.Text, m.HTML = read.Subject, read.Text, read.HTML
	}
	o := Outcome{State: Accepted, Code: 250, Enhanced: "2.0.0", Reply: "kept"}
	c.m.mu.Lock()
	answer := c.m.answer
	if len(c.m.answers) > 0 {
		o, c.m.answers, answer = c.m.answers[0], c.m.answers[1:], nil
	}
	c.m.mu.Unlock()
	if answer != nil {
		o = answer(m)
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.sent = append(c.m.sent, Sent{Message: m, Raw: raw, Outcome: o})
	close(c.m.changed)
	c.m.changed = make(chan struct{})
	return o
}
