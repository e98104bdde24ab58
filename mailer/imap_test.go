package mailer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// imapWorld is a real IMAP server on loopback with one user.
type imapWorld struct {
	t    *testing.T
	user *imapmemserver.User
	conf IMAPConfig
}

func newIMAP(t *testing.T, mode string) *imapWorld {
	t.Helper()
	mem := imapmemserver.New()
	user := imapmemserver.NewUser("bounces@act.example.org", "a \"calm\" ñandú")
	mem.AddUser(user)
	for _, name := range []string{"INBOX", "Done"} {
		if err := user.Create(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	roots, cert := ca(t, "localhost")
	conf := &tls.Config{Certificates: []tls.Certificate{*cert}}
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapMove: {}}, TLSConfig: conf, InsecureAuth: mode == NoTLS,
		Logger: silent{},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if mode == TLS {
		l = tls.NewListener(l, conf)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return &imapWorld{t: t, user: user, conf: IMAPConfig{
		Host: "localhost", Port: port, TLS: mode, Username: "bounces@act.example.org", Password: "a \"calm\" ñandú", After: MarkSeen, Timeout: 5 * time.Second,
		TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
}

func (w *imapWorld) put(folder, text string) {
	w.t.Helper()
	raw := "Subject: " + text + "\r\n\r\n" + text + "\r\n"
	if _, err := w.user.Append(folder, literal{bytes.NewReader([]byte(raw)), int64(len(raw))}, &imap.AppendOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// silent is a log that nobody reads: what clients do wrong is what is tested.
type silent struct{}

func (silent) Printf(string, ...any) {}

type literal struct {
	io.Reader
	size int64
}

func (l literal) Size() int64 { return l.size }

// read reads the folder and returns the subjects in their order, and where it ended.
func (w *imapWorld) read(from FolderPlace, understood func(i int) bool) (got []string, end FolderPlace) {
	w.t.Helper()
	err := ReadFolder(context.Background(), w.conf, from, func(raw []byte) (bool, error) {
		first, _, _ := bytes.Cut(raw, []byte("\r\n"))
		got = append(got, string(bytes.TrimPrefix(first, []byte("Subject: "))))
		return understood(len(got)), nil
	}, func(p FolderPlace) error { end = p; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return got, end
}

// count tells how many mails a folder has, and how many of them are unseen.
func (w *imapWorld) count(folder string) (all, unseen int) {
	w.t.Helper()
	st, err := w.user.Status(folder, &imap.StatusOptions{NumMessages: true, NumUnseen: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return int(*st.NumMessages), int(*st.NumUnseen)
}

func TestAFolderIsReadOnce(t *testing.T) {
	for _, mode := range []string{TLS, StartTLS, NoTLS} {
		t.Run(mode, func(t *testing.T) {
			w := newIMAP(t, mode)
			for i := range mailsAtOnce + 3 {
				w.put("INBOX", fmt.Sprint("m", i))
			}
			got, place := w.read(FolderPlace{}, func(i int) bool { return i != 2 })
			if len(got) != mailsAtOnce+3 || got[0] != "m0" || got[22] != "m22" {
				t.Fatalf("read %v", got)
			}
			if all, unseen := w.count("INBOX"); all != mailsAtOnce+3 || unseen != 1 {
				t.Errorf("%d mails, %d unseen: what was not understood stays unseen, all else is seen", all, unseen)
			}
			if got, next := w.read(place, func(int) bool { return true }); len(got) != 0 || next != place {
				t.Errorf("read again: %v, %v", got, next)
			}
			w.put("INBOX", "late")
			if got, _ := w.read(place, func(int) bool { return true }); !slices.Equal(got, []string{"late"}) {
				t.Errorf("read %v", got)
			}
			old := place
			old.Validity++
			if got, _ := w.read(old, func(int) bool { return true }); len(got) != mailsAtOnce+4 {
				t.Errorf("a folder that was made anew is read from its beginning: %d", len(got))
			}
			if n, err := TestFolder(context.Background(), w.conf); err != nil || n != mailsAtOnce+4 {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

func TestMailIsPutAway(t *testing.T) {
	w := newIMAP(t, TLS)
	w.put("INBOX", "one")
	w.put("INBOX", "two")
	w.conf.After, w.conf.MoveTo = MoveAway, "Done"
	_, place := w.read(FolderPlace{}, func(i int) bool { return i == 1 })
	if all, _ := w.count("INBOX"); all != 1 {
		t.Errorf("%d stay", all)
	}
	if all, _ := w.count("Done"); all != 1 {
		t.Errorf("%d were moved", all)
	}
	w.put("INBOX", "three")
	w.conf.After = DeleteOne
	if got, _ := w.read(place, func(int) bool { return true }); !slices.Equal(got, []string{"three"}) {
		t.Errorf("read %v", got)
	}
	if all, unseen := w.count("INBOX"); all != 1 || unseen != 1 {
		t.Errorf("%d stay, %d unseen", all, unseen)
	}
}

func TestReadingStopsWhereItIsTold(t *testing.T) {
	w := newIMAP(t, TLS)
	for i := range mailsAtOnce + 5 {
		w.put("INBOX", fmt.Sprint("m", i))
	}
	stop := errors.New("the database is away")
	told := 0
	err := ReadFolder(context.Background(), w.conf, FolderPlace{}, func(raw []byte) (bool, error) {
		if bytes.HasPrefix(raw, []byte("Subject: m"+strconv.Itoa(mailsAtOnce+1))) {
			return false, stop
		}
		return true, nil
	}, func(FolderPlace) error { told++; return nil })
	if !errors.Is(err, stop) || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
}

func TestWhyAFolderCannotBeRead(t *testing.T) {
	w := newIMAP(t, TLS)
	plain := newIMAP(t, NoTLS)
	for _, c := range []struct {
		name string
		of   func(IMAPConfig) IMAPConfig
		want string
	}{
		{"a wrong password", func(c IMAPConfig) IMAPConfig { c.Password = "x"; return c }, IMAPBadAuth},
		{"an unknown folder", func(c IMAPConfig) IMAPConfig { c.Folder = "Nowhere"; return c }, IMAPNoFolder},
		{"a folder to move to that is not there", func(c IMAPConfig) IMAPConfig { c.After, c.MoveTo = MoveAway, "Nowhere"; return c }, IMAPNoFolder},
		{"a strange certificate", func(c IMAPConfig) IMAPConfig { c.TLSConfig = nil; return c }, IMAPBadTLS},
		{"nobody there", func(c IMAPConfig) IMAPConfig { c.Port = 1; return c }, IMAPUnreachable},
		{"in the clear to another machine", func(c IMAPConfig) IMAPConfig { c.Host, c.TLS = "mail.example.org", NoTLS; return c }, IMAPBadTLS},
		{"TLS where there is none", func(IMAPConfig) IMAPConfig {
			c := plain.conf
			c.TLS = TLS
			return c
		}, IMAPBadTLS},
	} {
		_, err := TestFolder(context.Background(), c.of(w.conf))
		var f *Failure
		if !errors.As(err, &f) || f.Kind != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMarkHeaders(t *testing.T) {
	id := "d." + fixtureMark + "@act.example.org"
	for host, want := range map[string][]Header{
		"smtp.postmarkapp.com":                    {{"X-PM-KeepID", "true"}, {"X-PM-Metadata-kithline", fixtureMark}},
		"email-smtp.eu-west-1.amazonaws.com":      {{"X-SES-MESSAGE-TAGS", "kithline=" + fixtureMark}},
		"email-smtp.example.org":                  nil,
		"mail.example.org":                        nil,
		"smtp.postmarkapp.com.example.org":        nil,
		"email-smtp.amazonaws.com.evil.example":   nil,
		"EMAIL-SMTP.us-gov-west-1.AMAZONAWS.com":  {{"X-SES-MESSAGE-TAGS", "kithline=" + fixtureMark}},
		"smtp-broadcasts.postmarkapp.com":         {{"X-PM-KeepID", "true"}, {"X-PM-Metadata-kithline", fixtureMark}},
		"email-smtp.cn-north-1.amazonaws.com.cn.": nil,
	} {
		if got := MarkHeaders(host, id); !slices.Equal(got, want) {
			t.Errorf("%s: %v", host, got)
		}
	}
	if got := MarkHeaders("smtp.postmarkapp.com", "0123@act.example.org"); got != nil {
		t.Errorf("a mail without a mark: %v", got)
	}
}

func TestFolderNames(t *testing.T) {
	for name, want := range map[string]string{ // the second is from RFC 3501, section 5.1.3
		"INBOX": "INBOX", "~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "A & B": "A &- B", "Años": "A&APE-os", "🙂": "&2D3eQg-",
	} {
		if got := folderName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// scripted is a server that says what it was told to, after each line that it hears.
func scripted(t *testing.T, greeting string, answers ...string) IMAPConfig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		r := bufio.NewReader(c)
		_, _ = io.WriteString(c, greeting)
		for _, a := range answers {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			tag, _, _ := strings.Cut(line, " ")
			_, _ = io.WriteString(c, strings.ReplaceAll(a, "TAG", tag))
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return IMAPConfig{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: NoTLS, Username: "u", Password: "p", Timeout: 2 * time.Second}
}

// What other servers say: literals and quoted texts in any order, what nobody asked for, and what is no IMAP.
func TestAnswersOfServers(t *testing.T) {
	in, caps, sel := "TAG OK in\r\n", "* CAPABILITY IMAP4rev1 uidplus\r\nTAG OK\r\n", "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK [READ-WRITE] open\r\n"
	var got []string
	read := func(c IMAPConfig) error {
		got = nil
		return ReadFolder(context.Background(), c, FolderPlace{}, func(raw []byte) (bool, error) { got = append(got, string(raw)); return false, nil }, func(FolderPlace) error { return nil })
	}
	err := read(scripted(t, "* OK hello\r\n", in, caps, sel, "* 3 EXISTS\r\n* SEARCH 4 9\r\nTAG OK\r\n",
		"* 2 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (BODY[]<0> {5}\r\na\r\nb) UID 4)\r\n* 2 FETCH (UID 9 BODY[]<0> \"c \\\"d\\\"\")\r\nTAG OK\r\n", "TAG OK\r\n"))
	if err != nil || !slices.Equal(got, []string{"a\r\nb)", `c "d"`}) {
		t.Errorf("%v, %q", err, got)
	}
	for name, c := range map[string]struct {
		conf IMAPConfig
		want string
	}{
		"goodbye at once":       {scripted(t, "* BYE too many\r\n"), IMAPRefused},
		"no login":              {scripted(t, "* OK\r\n", "TAG NO [AUTHENTICATIONFAILED] u@example.org may not\r\n"), IMAPBadAuth},
		"hangs up":              {scripted(t, "* OK\r\n", ""), IMAPUnreachable},
		"a literal too long":    {scripted(t, "* OK\r\n", "* X {999999999}\r\n"), IMAPRefused},
		"a line without an end": {scripted(t, "* OK\r\n", strings.Repeat("x", longestLine+100<<10)), IMAPRefused},
		"no such folder":        {scripted(t, "* OK\r\n", in, caps, "TAG NO nowhere\r\n"), IMAPNoFolder},
		"a search that is none": {scripted(t, "* OK\r\n", in, caps, sel, "* SEARCH x\r\nTAG OK\r\n"), IMAPRefused},
	} {
		err := read(c.conf)
		var f *Failure
		if !errors.As(err, &f) || f.Kind != c.want || strings.Contains(err.Error(), "example.org") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was said in the clear before TLS began is not taken for said in it.
	conf := scripted(t, "* OK\r\n", "TAG OK begin\r\n* 1 EXISTS\r\n")
	conf.TLS = StartTLS
	var f *Failure
	if _, err := TestFolder(context.Background(), conf); !errors.As(err, &f) || f.Kind != IMAPRefused {
		t.Errorf("said ahead: %v", err)
	}
}

// heard is a connection on which a server said something, and that takes whatever is answered.
type heard struct {
	net.Conn
	r io.Reader
}

func (h heard) Read(p []byte) (int, error)  { return h.r.Read(p) }
func (h heard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzAnswersOfServers(f *testing.F) {
	f.Add([]byte("* OK hello\r\nk1 OK in\r\n* CAPABILITY MOVE\r\nk2 OK\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nk3 OK\r\n* SEARCH 4 9\r\nk4 OK\r\n* 1 FETCH (UID 4 BODY[]<0> {3}\r\na\r\n)\r\nk5 OK\r\nk6 OK\r\n"))
	f.Add([]byte("* OK\r\nk1 NO {5}\r\nhello\r\n"))
	f.Add([]byte("* BYE\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		w := newIMAPWire(heard{r: bytes.NewReader(said)})
		if w.greet() != nil || w.signIn("u", "ñ") != nil {
			return
		}
		if _, err := w.open("INBOX"); err != nil {
			return
		}
		uids, err := w.since(1)
		if err != nil {
			return
		}
		mails, _ := w.fetch(uids)
		for _, raw := range mails {
			if len(raw) > longestLiteral {
				t.Errorf("a mail of %d bytes", len(raw))
			}
		}
		_ = w.move(uids, "Done")
	})
}
