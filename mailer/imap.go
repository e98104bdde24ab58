package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
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
	client, uidNext, validity, end, err := openFolder(ctx, c)
	if err != nil {
		return err
	}
	defer end()
	fail := func(err error) error { return imapFailure(err, IMAPRefused) }
	place := from
	if place.Validity != validity {
		place = FolderPlace{Validity: validity}
	}
	if uidNext != 0 && uidNext <= place.Last+1 {
		return told(place)
	}
	var since imap.UIDSet
	since.AddRange(imap.UID(place.Last)+1, 0) // 0 stands for the last
	found, err := client.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{since}}, nil).Wait()
	if err != nil {
		return fail(err)
	}
	uids := slices.DeleteFunc(found.AllUIDs(), func(u imap.UID) bool { return uint32(u) <= place.Last }) // "n:*" always names the last
	slices.Sort(uids)
	whole := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: maxReturned}}
	for part := range slices.Chunk(uids, mailsAtOnce) {
		if ctx.Err() != nil {
			return nil
		}
		mails, err := client.Fetch(imap.UIDSetNum(part...), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
		if err != nil {
			return fail(err)
		}
		slices.SortFunc(mails, func(a, b *imapclient.FetchMessageBuffer) int { return int(int64(a.UID) - int64(b.UID)) })
		var done []imap.UID
		for _, m := range mails {
			var raw []byte
			for _, b := range m.BodySection {
				raw = b.Bytes
			}
			understood, err := take(raw)
			if err != nil {
				return err
			}
			if understood {
				done = append(done, m.UID)
			}
		}
		if err := putAway(client, c, done); err != nil {
			return err
		}
		place.Last = uint32(part[len(part)-1])
		if err := told(place); err != nil {
			return err
		}
	}
	return nil
}

// TestFolder connects, signs in, opens the folder and leaves again. It returns how many mails are in it. The error is a *Failure.
func TestFolder(ctx context.Context, c IMAPConfig) (mails int, err error) {
	client, _, _, end, err := openFolder(ctx, c)
	if err != nil {
		return 0, err
	}
	defer end()
	if c.After == MoveAway {
		st, err := client.Status(c.MoveTo, &imap.StatusOptions{NumMessages: true}).Wait()
		if err != nil || st == nil {
			return 0, imapFailure(err, IMAPNoFolder)
		}
	}
	return int(client.Mailbox().NumMessages), nil
}

// putAway does with mails what is to be done after they were understood.
func putAway(client *imapclient.Client, c IMAPConfig, uids []imap.UID) error {
	if len(uids) == 0 {
		return nil
	}
	set := imap.UIDSetNum(uids...)
	flag := func(f ...imap.Flag) error {
		return client.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: f}, nil).Close()
	}
	switch c.After {
	case MoveAway:
		if _, err := client.Move(set, c.MoveTo).Wait(); err != nil {
			return imapFailure(err, IMAPNoFolder)
		}
	case DeleteOne:
		if err := flag(imap.FlagDeleted, imap.FlagSeen); err != nil {
			return imapFailure(err, IMAPRefused)
		}
		if client.Caps().Has(imap.CapUIDPlus) || client.Caps().Has(imap.CapIMAP4rev2) { // else other people's deleted mail would go too
			if err := client.UIDExpunge(set).Close(); err != nil {
				return imapFailure(err, IMAPRefused)
			}
		}
	default:
		if err := flag(imap.FlagSeen); err != nil {
			return imapFailure(err, IMAPRefused)
		}
	}
	return nil
}

// openFolder connects, signs in and selects the folder. Call end once.
func openFolder(ctx context.Context, c IMAPConfig) (client *imapclient.Client, next, validity uint32, end func(), err error) {
	none := func(err error, kind string) (*imapclient.Client, uint32, uint32, func(), error) {
		return nil, 0, 0, nil, imapFailure(err, kind)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.TLS == NoTLS && !loopback(c.Host) {
		return none(errors.New("a password is not sent in the clear to another machine"), IMAPBadTLS)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSConfig != nil {
		conf = c.TLSConfig.Clone()
	}
	conf.ServerName = c.Host
	dialer := net.Dialer{Timeout: c.Timeout}
	raw, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return none(err, IMAPUnreachable)
	}
	conn := net.Conn(&answering{raw, c.Timeout})
	cut := context.AfterFunc(ctx, func() { time.AfterFunc(c.Timeout, func() { _ = raw.Close() }) })
	opts := &imapclient.Options{TLSConfig: conf}
	switch c.TLS {
	case StartTLS:
		client, err = imapclient.NewStartTLS(conn, opts)
	case TLS:
		t := tls.Client(conn, conf)
		if err = t.HandshakeContext(ctx); err == nil {
			client = imapclient.New(t, opts)
		}
	default:
		client = imapclient.New(conn, opts)
	}
	if err != nil {
		cut()
		_ = raw.Close()
		return none(err, IMAPBadTLS)
	}
	end = func() {
		cut()
		_ = client.Logout().Wait()
		_ = client.Close()
	}
	if err := client.WaitGreeting(); err != nil {
		end()
		return none(err, IMAPUnreachable)
	}
	if err := client.Login(c.Username, c.Password).Wait(); err != nil {
		end()
		var said *imap.Error
		if errors.As(err, &said) {
			return none(err, IMAPBadAuth)
		}
		return none(err, IMAPUnreachable)
	}
	folder := c.Folder
	if folder == "" {
		folder = "INBOX"
	}
	sel, err := client.Select(folder, nil).Wait()
	if err != nil {
		end()
		return none(err, IMAPNoFolder)
	}
	return client, uint32(sel.UIDNext), sel.UIDValidity, end, nil
}

// imapFailure is an error as it is told: by its kind, and the server's words without addresses.
func imapFailure(err error, kind string) error {
	f := &Failure{Kind: kind, cause: err}
	var said *imap.Error
	switch {
	case errors.As(err, &said):
		f.Reply = Scrub(said.Text)
	case err != nil && kind != IMAPBadTLS:
		f.Kind = IMAPUnreachable
	}
	return f
}

// answering gives each answer of a server its own time.
type answering struct {
	net.Conn
	timeout time.Duration
}

// Read is part of net.Conn.
func (a *answering) Read(p []byte) (int, error) {
	if err := a.SetReadDeadline(time.Now().Add(a.timeout)); err != nil {
		return 0, err
	}
	return a.Conn.Read(p)
}

// Write is part of net.Conn.
func (a *answering) Write(p []byte) (int, error) {
	if err := a.SetWriteDeadline(time.Now().Add(a.timeout)); err != nil {
		return 0, err
	}
	return a.Conn.Write(p)
}
