package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

const streamMax = 3 << 20

// bodies is a server with a route that takes bodies as they come and one that does not, over sockets.
type bodies struct {
	t       *testing.T
	addr    string
	reached atomic.Int64
	got     atomic.Int64 // bytes that the streaming handler has read
	failed  chan error   // what the streaming handler's reading ended with
}

func newBodies(t *testing.T, wait time.Duration) *bodies {
	t.Helper()
	w, app := house(t, nil)
	w.bodyTime = wait
	w.AllowStream("/admin/imports", streamMax)
	b := &bodies{t: t, failed: make(chan error, 10)}
	app.Post("/admin/imports", func(c *fiber.Ctx) error {
		b.reached.Add(1)
		name, r, err := UploadStream(c, "file")
		if err == nil {
			buf := make([]byte, 32<<10)
			var n int
			for err == nil {
				n, err = r.Read(buf)
				b.got.Add(int64(n))
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
		}
		b.failed <- err
		if err = UploadBroke("file", err); err != nil {
			return err
		}
		return c.SendString(name)
	})
	app.Get("/admin/imports", func(c *fiber.Ctx) error { return c.SendString("list") })
	app.Post("/other", func(c *fiber.Ctx) error {
		b.reached.Add(1)
		return c.SendString(fmt.Sprint(len(c.Request().Body())))
	})
	b.addr = listen(t, app)
	return b
}

func (b *bodies) dial() net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// head begins a request.
func head(conn io.Writer, path, session string, headers ...string) {
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: act.example.org\r\nCookie: __Host-kithline=%s\r\n%s\r\n\r\n", path, session, strings.Join(headers, "\r\n"))
}

func (b *bodies) answer(conn net.Conn) (status int, closes bool, body string) {
	b.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Close, string(text)
}

// form is the beginning and the end of a form with one file.
func form(name string) (kind, begin, end string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_, _ = m.CreateFormFile("file", name)
	begin = b.String()
	_ = m.Close()
	return m.FormDataContentType(), begin, b.String()[len(begin):]
}

// Whoever says at once that too much comes is refused at once: before a byte of it, before any handler.
func TestABodyDeclaredTooLongIsRefusedUnread(t *testing.T) {
	b := newBodies(t, 20*time.Second)
	for _, c := range []struct {
		path, session string
		size          int
		extra         string
	}{
		{"/other", "owner", bodyMax + 1, ""},
		{"/other", "", bodyMax + 1, ""},
		{"/other", "owner", 2 << 30, "Expect: 100-continue"},
		{"/other", "owner", bodyMax + 1, "X-Kithline-Body: stream 99999999"},
		{"/other", "owner", bodyMax + 1, "X-Kithline-Body: whole 99999999"},
		{"/admin/imports", "", bodyMax + 1, ""},
		{"/admin/imports", "old", bodyMax + 1, ""},
		{"/admin/imports", "owner", streamMax + 1, ""},
		{"/admin/imports", "owner", 2 << 30, "Expect: 100-continue"},
		{"/admin/imports/x", "owner", bodyMax + 1, ""},
	} {
		conn := b.dial()
		began := time.Now()
		head(conn, c.path, c.session, "Content-Type: text/csv", fmt.Sprintf("Content-Length: %d", c.size), "X-Test: "+c.extra, orNothing(c.extra))
		status, closes, body := b.answer(conn)
		if status != 413 || !closes || !strings.Contains(body, "That is too much at once") || time.Since(began) > 10*time.Second {
			t.Errorf("%+v: %d after %s, closes %v", c, status, time.Since(began), closes)
		}
	}
	if n := b.reached.Load(); n != 0 {
		t.Errorf("a handler saw %d of them", n)
	}
}

func orNothing(header string) string {
	if header == "" {
		return "X-Nothing: x"
	}
	return header
}

// A body in chunks says no length: it is cut off at the limit of its route.
func TestABodyInChunksKeepsItsLimit(t *testing.T) {
	b := newBodies(t, 20*time.Second)
	chunks := func(conn net.Conn, size int, around ...string) {
		piece := bytes.Repeat([]byte("x"), 64<<10)
		write := func(p []byte) { _, _ = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(p), p) }
		if len(around) > 0 {
			write([]byte(around[0]))
		}
		for size > 0 {
			n := min(size, len(piece))
			write(piece[:n])
			size -= n
		}
		if len(around) > 0 {
			write([]byte(around[1]))
		}
		_, _ = io.WriteString(conn, "0\r\n\r\n")
	}
	for _, c := range []struct {
		path, session string
		size, status  int
		reached       int64
	}{
		{"/other", "owner", bodyMax, 200, 1},
		{"/other", "owner", bodyMax + 1, 413, 0},
		{"/other", "", bodyMax + 1, 413, 0},
		{"/admin/imports", "", bodyMax + 1, 413, 0},
		{"/other", "owner", 8 << 20, 413, 0},
	} {
		before := b.reached.Load()
		conn := b.dial()
		head(conn, c.path, c.session, "Content-Type: text/csv", "Transfer-Encoding: chunked")
		go chunks(conn, c.size)
		if status, _, _ := b.answer(conn); status != c.status || b.reached.Load()-before != c.reached {
			t.Errorf("%+v: %d, %d handlers", c, status, b.reached.Load()-before)
		}
	}
	kind, begin, end := form("people.csv")
	conn := b.dial()
	head(conn, "/admin/imports", "owner", "Content-Type: "+kind, "Transfer-Encoding: chunked")
	go chunks(conn, 2<<20, begin, end)
	if status, _, body := b.answer(conn); status != 200 || body != "people.csv" || b.got.Load() != 2<<20 {
		t.Errorf("2 MB in chunks: %d %s, %d bytes", status, body, b.got.Load())
	}
	if err := <-b.failed; err != nil {
		t.Error(err)
	}
	conn = b.dial()
	head(conn, "/admin/imports", "owner", "Content-Type: "+kind, "Transfer-Encoding: chunked")
	go chunks(conn, streamMax+1, begin, end)
	if err := <-b.failed; !errors.Is(err, errBodyLong) || !fault.Is(UploadBroke("file", err), fault.Invalid) {
		t.Errorf("more than the route takes: %v", err)
	}
}

// A handler of the one route has the beginning of a file before its end was sent, and the server never holds it whole.
func TestAnUploadIsReadAsItArrives(t *testing.T) {
	b := newBodies(t, 20*time.Second)
	kind, begin, end := form("people.csv")
	conn := b.dial()
	const size = 2 << 20
	head(conn, "/admin/imports", "owner", "Content-Type: "+kind, fmt.Sprintf("Content-Length: %d", len(begin)+size+len(end)), "Expect: 100-continue")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = io.WriteString(conn, begin+strings.Repeat("x", 1<<20))
	for until := time.Now().Add(20 * time.Second); b.got.Load() < 1<<20-64<<10; { // the form's end could begin in what came last
		if time.Now().After(until) {
			t.Fatalf("the handler has %d bytes of the first megabyte", b.got.Load())
		}
		runtime.Gosched()
	}
	_, _ = io.WriteString(conn, strings.Repeat("x", size-1<<20)+end)
	if status, closes, body := b.answer(conn); status != 200 || body != "people.csv" || !closes || b.got.Load() != size {
		t.Errorf("%d %s, closes %v, %d bytes", status, body, closes, b.got.Load())
	}
	if err := <-b.failed; err != nil {
		t.Error(err)
	}

	// What a handler does not read is not taken for the next request.
	conn = b.dial()
	next := "GET /other HTTP/1.1\r\nHost: x\r\n\r\n"
	head(conn, "/admin/imports", "owner", "Content-Type: text/csv", fmt.Sprintf("Content-Length: %d", 20<<10+len(next)))
	_, _ = io.WriteString(conn, strings.Repeat("x", 20<<10)+next)
	if status, _, _ := b.answer(conn); status != 422 {
		t.Errorf("no form: %d", status)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("more was answered: %q, %v", rest, err)
	}
}

// A sender that stops or creeps holds a connection for so long and no longer; one that hangs up is no upload.
func TestSlowAndBrokenBodies(t *testing.T) {
	b := newBodies(t, 300*time.Millisecond)
	for _, session := range []string{"", "owner"} {
		conn := b.dial()
		head(conn, "/other", session, "Content-Type: text/csv", "Content-Length: 100000")
		_, _ = io.WriteString(conn, strings.Repeat("x", 50000))
		if status, _, _ := b.answer(conn); status != 408 || b.reached.Load() != 0 {
			t.Errorf("half a body as %q: %d, %d handlers", session, status, b.reached.Load())
		}
		conn = b.dial()
		head(conn, "/other", session, "Content-Type: text/csv", "Transfer-Encoding: chunked")
		_, _ = io.WriteString(conn, "5\r\nhello\r\n")
		if status, _, _ := b.answer(conn); status != 408 || b.reached.Load() != 0 {
			t.Errorf("half a body in chunks as %q: %d, %d handlers", session, status, b.reached.Load())
		}
	}
	kind, begin, _ := form("people.csv")
	for _, how := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		conn := b.dial()
		head(conn, "/admin/imports", "owner", "Content-Type: "+kind, how)
		text := begin + strings.Repeat("x", 20<<10)
		if strings.HasPrefix(how, "T") {
			text = fmt.Sprintf("%x\r\n%s\r\n", len(text), text)
		}
		_, _ = io.WriteString(conn, text)
		err := <-b.failed
		if !fault.Is(UploadBroke("file", err), fault.Invalid) {
			t.Errorf("%s, stopped: %v", how, err)
		}
		if status, _, _ := b.answer(conn); status != 422 {
			t.Errorf("%s, stopped: %d", how, status)
		}
		conn = b.dial()
		head(conn, "/admin/imports", "owner", "Content-Type: "+kind, how)
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
		if err := <-b.failed; !fault.Is(UploadBroke("file", err), fault.Invalid) {
			t.Errorf("%s, hung up: %v", how, err)
		}
	}
}
