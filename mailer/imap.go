package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"
)

// The kinds of a Failure of a mailbox that is read. They are keys of the locale files.
const (
	IMAPUnreachable = "imap.unreachable" // no connection, or it broke off
	IMAPBadTLS      = "imap.tls"         // no STARTTLS, or a certificate that does not fit
	IMAPBadAuth     = "imap.auth"        // user name or password refused
	IMAPNoFolder    = "imap.folder"      // the folder, or the one to move to, is not there
	IMAPRefused     = "imap.refused"     // the server answered something else than it should
)

// What becomes of a mail in the folder that was understood.
const (
	MarkSeen  = "seen"
	MoveAway  = "move"
	DeleteOne = "delete"
)

// IMAPConfig says how a mailbox is read.
type IMAPConfig struct {
	Host     string
	Port     int
	TLS      string // StartTLS, TLS, or NoTLS to this machine
	Username string
	Password string
	Folder   string // INBOX where empty
	After    string // MarkSeen, MoveAway or DeleteOne
	MoveTo   string // a folder, MoveAway only

	Timeout   time.Duration // for each answer; 0: 30 s
	TLSConfig *tls.Config   // nil: the host's name and the machine's roots
}

// FolderPlace is up to where a folder was read.
type FolderPlace struct {
	Validity uint32 // UIDVALIDITY (RFC 9051, section 2.3.1.1); when it changes, the folder is read from its beginning
	Last     uint32 // the highest UID that was read
}

// mailsAtOnce is how many mails are fetched together, and how much of each is read.
const mailsAtOnce = 20

// ReadFolder reads the mails of a folder that came since a place, oldest first, until there are no more or ctx ends. take is handed
// each; where it reports true, the mail is then seen, moved or deleted as After says; where not, it is left as it was, unseen. Read
// on from the place that told gets: it is told after each few mails, when they are done. An error of take or told ends it and comes
// back as it is; every other error is a *Failure.
func ReadFolder(ctx context.Context, c IMAPConfig, from FolderPlace, take func(raw []byte) (bool, error), told func(FolderPlace) error) error {
	w, f, end, err := openFolder(ctx, c)
	if err != nil {
		return err
	}
	defer end()
	place := from
	if place.Validity != f.validity {
		place = FolderPlace{Validity: f.validity}
	}
	if f.next != 0 && f.next <= place.Last+1 {
		return told(place)
	}
	uids, err := w.since(place.Last + 1)
	if err != nil {
		return imapFailure(err, IMAPRefused)
	}
	slices.Sort(uids)
	for part := range slices.Chunk(uids, mailsAtOnce) {
		if ctx.Err() != nil {
			return nil
		}
		mails, err := w.fetch(part)
		if err != nil {
			return imapFailure(err, IMAPRefused)
		}
		var done []uint32
		for _, uid := range part {
			raw, there := mails[uid]
			if !there { // taken away meanwhile
				continue
			}
			understood, err := take(raw)
			if err != nil {
				return err
			}
			if understood {
				done = append(done, uid)
			}
		}
		if err := putAway(w, c, done); err != nil {
			return err
		}
		place.Last = part[len(part)-1]
		if err := told(place); err != nil {
			return err
		}
	}
	return nil
}

// TestFolder connects, signs in, opens the folder and leaves again. It returns how many mails are in it. The error is a *Failure.
func TestFolder(ctx context.Context, c IMAPConfig) (mails int, err error) {
	w, f, end, err := openFolder(ctx, c)
	if err != nil {
		return 0, err
	}
	defer end()
	if c.After == MoveAway {
		if there, err := w.has(c.MoveTo); err != nil || !there {
			return 0, imapFailure(err, IMAPNoFolder)
		}
	}
	return int(f.mails), nil
}

// putAway does with mails what is to be done after they were understood.
func putAway(w *imapWire, c IMAPConfig, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	var err error
	switch c.After {
	case MoveAway:
		if err = w.move(uids, c.MoveTo); err != nil {
			return imapFailure(err, IMAPNoFolder)
		}
	case DeleteOne:
		err = w.remove(uids)
	default:
		err = w.flag(uids, `\Seen`)
	}
	if err != nil {
		return imapFailure(err, IMAPRefused)
	}
	return nil
}

// openFolder connects, signs in and selects the folder. Call end once.
func openFolder(ctx context.Context, c IMAPConfig) (w *imapWire, f folder, end func(), err error) {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.TLS == NoTLS && !loopback(c.Host) {
		return nil, f, nil, imapFailure(errors.New("a password is not sent in the clear to another machine"), IMAPBadTLS)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSConfig != nil {
		conf = c.TLSConfig.Clone()
	}
	conf.ServerName = c.Host
	dialer := net.Dialer{Timeout: c.Timeout}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return nil, f, nil, imapFailure(err, IMAPUnreachable)
	}
	cut := context.AfterFunc(ctx, func() { time.AfterFunc(c.Timeout, func() { _ = raw.Close() }) }) // a few mails may still be finished
	failed := func(err error, kind string) (*imapWire, folder, func(), error) {
		cut()
		_ = raw.Close()
		return nil, folder{}, nil, imapFailure(err, kind)
	}
	conn := net.Conn(&answering{raw, c.Timeout})
	if c.TLS == TLS {
		t := tls.Client(conn, conf)
		if err := t.HandshakeContext(ctx); err != nil {
			return failed(err, IMAPBadTLS)
		}
		conn = t
	}
	w = newIMAPWire(conn)
	if err := w.greet(); err != nil {
		return failed(err, IMAPRefused)
	}
	if c.TLS == StartTLS {
		if err := w.startTLS(ctx, conf); err != nil {
			return failed(err, IMAPBadTLS)
		}
	}
	if err := w.signIn(c.Username, c.Password); err != nil {
		return failed(err, IMAPBadAuth)
	}
	name := c.Folder
	if name == "" {
		name = "INBOX"
	}
	if f, err = w.open(name); err != nil {
		return failed(err, IMAPNoFolder)
	}
	return w, f, func() {
		cut()
		_, _ = w.do("LOGOUT")
		_ = raw.Close()
	}, nil
}

// imapFailure is an error as it is told: by its kind, and the server's words without addresses. What is no word of the server's is a
// connection that broke, but where TLS was about to begin.
func imapFailure(err error, kind string) error {
	f := &Failure{Kind: kind, cause: err}
	var said *imapNo
	switch {
	case errors.As(err, &said):
		f.Reply = Scrub(said.said)
	case errors.Is(err, errIMAP):
		f.Kind = IMAPRefused
	case err != nil && kind != IMAPBadTLS:
		f.Kind = IMAPUnreachable
	}
	return f
}
