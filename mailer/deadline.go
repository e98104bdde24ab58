package mailer

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// maxAnswer is how much a server may say, in bytes, between two of our writes: a TLS handshake fits, an endless line not.
const maxAnswer = 256 << 10

var errTalksTooMuch = errors.New("mailer: the server's answer is too long")

// deadlineConn is a connection with a time limit for each answer rather than for a whole conversation. The limit runs from
// our last write, so that a server that drips one byte at a time gains nothing, and the answer to the whole message may
// have its own. The limits that the layers above set are ignored.
type deadlineConn struct {
	net.Conn
	write  time.Duration
	answer atomic.Int64 // a time.Duration
	heard  atomic.Int64 // bytes since the last write
	broken atomic.Bool  // a read or write failed: what was said and heard no longer match
}

func newDeadlineConn(c net.Conn, timeout time.Duration) *deadlineConn {
	d := &deadlineConn{Conn: c, write: timeout}
	d.wait(timeout)
	_ = c.SetReadDeadline(time.Now().Add(timeout)) // for the greeting, which follows no write
	return d
}

// wait sets the limit for the answers to the writes that follow.
func (d *deadlineConn) wait(t time.Duration) { d.answer.Store(int64(t)) }

// anew lets the limit run from now, for an answer to what was written before.
func (d *deadlineConn) anew() {
	_ = d.Conn.SetReadDeadline(time.Now().Add(time.Duration(d.answer.Load()))) // an error comes back from the next read
}

func (d *deadlineConn) Write(p []byte) (int, error) {
	now := time.Now()
	d.heard.Store(0)
	if err := d.Conn.SetWriteDeadline(now.Add(d.write)); err != nil {
		d.broken.Store(true)
		return 0, err
	}
	n, err := d.Conn.Write(p)
	if err != nil || d.Conn.SetReadDeadline(time.Now().Add(time.Duration(d.answer.Load()))) != nil {
		d.broken.Store(true) // what was written is written all the same: the next read says what is wrong
	}
	return n, err
}

func (d *deadlineConn) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if d.heard.Add(int64(n)) > maxAnswer {
		n, err = 0, errTalksTooMuch
	}
	if err != nil {
		d.broken.Store(true)
	}
	return n, err
}

func (d *deadlineConn) Close() error {
	d.broken.Store(true)
	return d.Conn.Close()
}

func (d *deadlineConn) SetDeadline(time.Time) error      { return nil }
func (d *deadlineConn) SetReadDeadline(time.Time) error  { return nil }
func (d *deadlineConn) SetWriteDeadline(time.Time) error { return nil }
