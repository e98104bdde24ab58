package web

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Bodies. One route alone reads its body as it comes, since it may be hundreds of megabytes: see AllowStream. The server
// below can only stream all bodies or none, and when it streams, it calls the handler for a body of any size. So every body
// is looked at here first: too long by its own word, and it is refused before a byte of it is read; all others are read
// whole, below their limit and within their time, before a handler sees the request.

// What a body that is read as it comes may take.
const (
	streamTimeout = 2 * time.Hour // altogether
	streamRate    = 32 << 10      // bytes a second that a sender must keep up, after the time that every body has
)

// AllowStream is AllowBody for a route whose handler reads the body with UploadStream, while it arrives and without keeping
// it. Whoever sends slower than 32 KiB a second is cut off. Call it before the server listens.
func (w *Web) AllowStream(pattern string, bytes int) {
	w.bodies = append(w.bodies, bodyLimit{pattern: pattern, bytes: bytes, time: streamTimeout, stream: true})
}

// allowance is the limit of a request's body.
func (w *Web) allowance(h *fasthttp.RequestHeader) bodyLimit {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	for _, b := range w.bodies {
		if !matches(b.pattern, path) || b.stream && !h.IsPost() {
			continue
		}
		if b.holds != nil && b.holds(string(h.Cookie(w.hostName(b.cookie)))) || b.holds == nil && w.holdsSession(string(h.Cookie(w.sessionCookie()))) {
			return b
		}
	}
	return bodyLimit{bytes: bodyMax, time: w.bodyTime}
}

// holdsSession reports whether a cookie is somebody's session, before there is a request to ask.
func (w *Web) holdsSession(cookie string) bool {
	if cookie == "" || w.opt.Authenticate == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(w.live, requestTimeout)
	defer cancel()
	_, _, err := w.opt.Authenticate(ctx, cookie)
	return err == nil
}

// bodyVerdict carries what was decided by a request's headers to where the request is served. A request that brings it
// itself has it taken away.
const bodyVerdict = "X-Kithline-Body"

type streamKey struct{}

// guardBodies puts the limits of bodies around everything that the server does.
func (w *Web) guardBodies(s *fasthttp.Server) {
	s.StreamRequestBody = true
	s.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		h.Del(bodyVerdict)
		b := w.allowance(h)
		c := fasthttp.RequestConfig{MaxRequestBodySize: b.bytes, ReadTimeout: b.time}
		switch {
		case h.ContentLength() > b.bytes:
			// Not a byte of it is read, and no "100 Continue" asks for one.
			h.Set(bodyVerdict, "refused")
			h.Del(fasthttp.HeaderExpect)
			h.SetContentLength(0)
			h.SetConnectionClose()
		case b.stream:
			h.Set(bodyVerdict, "stream "+strconv.Itoa(b.bytes))
			c.ReadTimeout = w.bodyTime // for its beginning; see bodyStream
		case b.bytes != bodyMax:
			h.Set(bodyVerdict, "whole "+strconv.Itoa(b.bytes))
		}
		return c
	}
	serve := s.Handler
	s.Handler = func(ctx *fasthttp.RequestCtx) {
		verdict, most, _ := strings.Cut(string(ctx.Request.Header.Peek(bodyVerdict)), " ")
		ctx.Request.Header.Del(bodyVerdict)
		limit, err := strconv.Atoi(most)
		if err != nil {
			limit = bodyMax
		}
		if verdict == "refused" {
			s.ErrorHandler(ctx, fasthttp.ErrBodyTooLarge)
			ctx.SetConnectionClose()
			return
		}
		if !ctx.Request.IsBodyStream() {
			serve(ctx)
			return
		}
		if verdict == "stream" {
			b := &bodyStream{r: ctx.RequestBodyStream(), conn: ctx.Conn(), began: time.Now(), time: w.bodyTime, left: int64(limit)}
			ctx.SetUserValue(streamKey{}, b)
			serve(ctx)
			b.finish(ctx)
			return
		}
		body, err := readBody(ctx.RequestBodyStream(), ctx.Request.Header.ContentLength(), limit)
		if err != nil {
			s.ErrorHandler(ctx, err)
			ctx.SetConnectionClose()
			return
		}
		ctx.Request.SetBodyRaw(body)
		serve(ctx)
	}
}

// readBody reads a body of size bytes, -1 for one that comes in chunks, of at most limit.
func readBody(r io.Reader, size, limit int) ([]byte, error) {
	if size >= 0 {
		body := make([]byte, size)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = fasthttp.ErrBodyTooLarge
	}
	return body, err
}

// errBodyLong is a body in chunks that went beyond its limit.
var errBodyLong = errors.New("web: the body is longer than allowed")

// bodyStream is a body that its handler reads as it comes. The more has arrived, the longer it may go on.
type bodyStream struct {
	r     io.Reader
	conn  net.Conn
	left  int64
	read  int64
	ended bool
	began time.Time
	time  time.Duration
}

func (b *bodyStream) Read(p []byte) (int, error) {
	until := b.began.Add(min(b.time+time.Duration(b.read)*time.Second/streamRate, streamTimeout))
	if err := b.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBodyLong
	}
	if err == io.EOF {
		b.ended = true
	}
	return n, err
}

// finish reads what the handler left, within the same limits, so that the sender gets the answer rather than a broken line.
// The connection is not used again.
func (b *bodyStream) finish(ctx *fasthttp.RequestCtx) {
	if !b.ended {
		_, _ = io.Copy(io.Discard, b) // the answer is made already, whatever is wrong with the rest
	}
	ctx.SetConnectionClose()
}
