package mailer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCapture(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	c := NewCapture(dir)
	if list, err := c.List(); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	conn, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := bulk()
	m.Subject, m.FromName = "Réponse — une étape", "Küste"
	m.Text = "Hello\n\nhttps://act.example.org/confirm/abc?x=1&y=2.\n(see http://act.example.org/help) ftp://no.example https://act.example.org/confirm/abc?x=1&y=2\n"
	m.HTML = `<p><a href="https://act.example.org/confirm/abc?x=1&amp;y=2">go</a> <a href='https://act.example.org/me'>me</a> <a href="mailto:x@example.org">m</a> <!-- <a href="https://no.example/"> --></p>`
	if o := conn.Send(t.Context(), m); o.State != Accepted || !o.Healthy() {
		t.Fatalf("%+v", o)
	}
	second := sample()
	second.MessageID = "d.second@example.org"
	if o := conn.Send(t.Context(), second); o.State != Accepted {
		t.Fatalf("%+v", o)
	}
	check := func(c *Capture) {
		t.Helper()
		list, err := c.List()
		if err != nil || len(list) != 2 {
			t.Fatalf("%d, %v", len(list), err)
		}
		if list[0].MessageID != second.MessageID {
			t.Errorf("not the newest first: %s", list[0].MessageID)
		}
		got := list[1]
		if got.To != m.To || got.From != m.FromAddress || got.Subject != m.Subject || got.MessageID != m.MessageID || !got.CreatedAt.Equal(m.Date) {
			t.Errorf("%+v", got)
		}
		if got.Text != m.Text || got.HTML != m.HTML {
			t.Errorf("%q, %q", got.Text, got.HTML)
		}
		if want := []string{"https://act.example.org/confirm/abc?x=1&y=2", "http://act.example.org/help", "https://act.example.org/me"}; !slices.Equal(got.Links, want) {
			t.Errorf("links %v", got.Links)
		}
		if h := got.Headers; !slices.Equal(h["List-Unsubscribe-Post"], []string{"List-Unsubscribe=One-Click"}) || !slices.Equal(h["Message-ID"], []string{"<" + m.MessageID + ">"}) || !strings.HasPrefix(h["From"][0], "Küste <") && !strings.HasPrefix(h["From"][0], `"Küste" <`) {
			t.Errorf("headers %v", h)
		}
		if one, err := c.Get(got.ID); err != nil || !reflect.DeepEqual(one, got) {
			t.Errorf("Get: %v, %v", one, err)
		}
		raw, err := c.Raw(got.ID)
		if want, _ := Bytes(m); err != nil || string(raw) != string(want) {
			t.Errorf("Raw: %v\n%s", err, raw)
		}
		for _, id := range []string{"", "0", "x", "../" + got.ID, got.ID + "x", "00000009-0", strings.TrimLeft(got.ID, "0")} {
			if _, err := c.Get(id); !errors.Is(err, ErrNoMail) {
				t.Errorf("Get(%q): %v", id, err)
			}
			if _, err := c.Raw(id); !errors.Is(err, ErrNoMail) {
				t.Errorf("Raw(%q): %v", id, err)
			}
		}
	}
	check(c)
	// After a restart, beside files of others and what a crash left.
	for _, f := range []string{"README.eml", "notes.txt", "00000003-x.part", "3-0.eml"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := NewCapture(dir)
	check(again)
	conn, _ = again.Open(t.Context())
	third := sample()
	third.MessageID = "d.third@example.org"
	conn.Send(t.Context(), third)
	list, err := again.List()
	if err != nil || len(list) != 3 || list[0].MessageID != third.MessageID || list[0].ID <= list[1].ID {
		t.Errorf("%v, %v", list, err)
	}
	if err := os.Remove(filepath.Join(dir, list[1].ID+".eml")); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Raw(list[1].ID); !errors.Is(err, ErrNoMail) {
		t.Errorf("a file that somebody removed: %v", err)
	}
}

func TestCapturedJSON(t *testing.T) {
	b, err := Bytes(sample())
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(ReadCaptured(b))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(j, &m); err != nil {
		t.Fatal(err)
	}
	want := []string{"created_at", "from", "headers", "html", "id", "links", "message_id", "subject", "text", "to"}
	var got []string
	for k := range m {
		got = append(got, k)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("keys %v", got)
	}
	if !strings.Contains(string(j), `"links":[]`) || m["created_at"] != "2027-03-09T14:05:00Z" {
		t.Errorf("%s", j)
	}
	for _, bad := range []string{"", "x", "Content-Type: multipart/mixed\r\n\r\n", "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n???", "To: @@@\r\nSubject: =?x?q?=ff?=\r\n\r\nhi"} {
		if c := ReadCaptured([]byte(bad)); c.Headers == nil || c.Links == nil {
			t.Errorf("%q: %+v", bad, c)
		}
	}
}

func TestCaptureKeepsTheNewest(t *testing.T) {
	c := NewCapture(t.TempDir())
	c.keep = 5
	conn, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m := sample()
			m.MessageID = fmt.Sprintf("d.%d@example.org", i)
			if o := conn.Send(context.Background(), m); o.State != Accepted {
				t.Errorf("%+v", o)
			}
			if _, err := c.List(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	files, _ := os.ReadDir(c.dir)
	list, err := c.List()
	if err != nil || len(list) != 5 || len(files) != 5 || !strings.HasPrefix(list[0].ID, "00000020-") || !strings.HasPrefix(list[4].ID, "00000016-") {
		t.Errorf("%d files, %d listed, %v", len(files), len(list), err)
	}
}

func TestCaptureSaysWhatFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCapture(filepath.Join(file, "x")).Open(t.Context()); err == nil {
		t.Error("a folder inside a file")
	}
	c := NewCapture(filepath.Join(t.TempDir(), "outbox"))
	conn, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := sample()
	m.To = "nobody"
	if o := conn.Send(t.Context(), m); o.State != Rejected || o.Phase != PhaseBuild {
		t.Errorf("%+v", o)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if o := conn.Send(t.Context(), sample()); o.State != NotSent || o.Err == nil {
		t.Errorf("%+v", o)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if o := conn.Send(ended, sample()); o.State != NotSent {
		t.Errorf("%+v", o)
	}
}

func TestMemory(t *testing.T) {
	m := NewMemory()
	c, err := m.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Answer(Outcome{State: Deferred, Code: 451}, Outcome{State: Unknown})
	m.AnswerWith(func(x Message) Outcome { return Outcome{State: Rejected, Code: 550, Reply: x.Subject} })
	done := make(chan []Sent)
	go func() {
		s, _ := m.Wait(context.Background(), 3)
		done <- s
	}()
	for _, want := range []OutcomeState{Deferred, Unknown, Rejected} {
		if o := c.Send(t.Context(), sample()); o.State != want {
			t.Errorf("%+v, want %s", o, want)
		}
	}
	if s := <-done; len(s) != 3 || s[2].Outcome.Reply != sample().Subject || len(s[0].Raw) == 0 {
		t.Errorf("%v", s)
	}
	if n := len(m.Messages()); n != 1 {
		t.Errorf("%d messages may have been accepted", n)
	}
	m.Reset()
	if o := c.Send(t.Context(), sample()); o.State != Accepted || len(m.All()) != 1 {
		t.Errorf("%+v", o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s, err := m.Wait(ctx, 2); !errors.Is(err, context.DeadlineExceeded) || len(s) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	m.Refuse(ErrNoMail)
	if _, err := m.Open(t.Context()); !errors.Is(err, ErrNoMail) {
		t.Error(err)
	}
	_, _ = c.Close(), c.Close()
	if ever, now := m.Opened(); ever != 1 || now != 0 {
		t.Errorf("%d, %d", ever, now)
	}
}

// The folder must keep up with the sample world: some thousand mails within the seconds that the demo takes to start.
func BenchmarkCapture(b *testing.B) {
	c := NewCapture(b.TempDir())
	conn, err := c.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	m := sample()
	for b.Loop() {
		if o := conn.Send(b.Context(), m); o.State != Accepted {
			b.Fatal(o)
		}
	}
}
