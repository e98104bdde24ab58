package inbound

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// MailboxInput says which mailbox is read, and what becomes of a mail that was understood.
type MailboxInput struct {
	Address    string // that it takes mail for, before a plus sign: "bounces@example.org", at most 12 characters before the @; may be empty
	Host       string // "": none is read
	Port       int    // 0: 993 for tls, 143 for the others
	TLS        string // tls, starttls, or none for a server on this machine
	Username   string
	Password   string
	Folder     string // INBOX where empty
	Afterwards string // seen, move, delete
	MoveTo     string // a folder, for move
}

// String is the settings without user and password.
func (in MailboxInput) String() string { return "imap " + in.Host }

// GoString is String: %#v shows no secret either.
func (in MailboxInput) GoString() string { return in.String() }

// Afterwards lists what may become of a mail that was understood.
var Afterwards = []string{mailer.MarkSeen, mailer.MoveAway, mailer.DeleteOne}

// longestLocal is how long an address may be before its @, so that a plus sign and a mark behind it make at most 64 characters (RFC
// 5321, section 4.5.3.1.1).
const longestLocal = 64 - 1 - tokens.Length

// check returns the settings as they are kept, or an Invalid fault with the fields address, host, port, tls, username, password,
// folder, afterwards and move_to.
func (in MailboxInput) check() (MailboxInput, error) {
	var f fault.Fields
	text := func(field string, s *string, limit int) {
		*s = strings.TrimSpace(*s)
		switch {
		case !utf8.ValidString(*s) || strings.ContainsFunc(*s, func(r rune) bool { return r < ' ' || r == 0x7f }):
			f.Add(field, "error.text_unreadable")
		case utf8.RuneCountInString(*s) > limit:
			f.Add(field, "error.text_too_long", "Max", limit, "Over", utf8.RuneCountInString(*s)-limit)
		}
	}
	text("host", &in.Host, 253)
	if in.Address = strings.TrimSpace(in.Address); in.Address != "" {
		canonical, _, err := address.CanonicalAddress(in.Address)
		if err != nil {
			f.Add("address", address.Key(err))
		} else if local, _, _ := strings.Cut(canonical, "@"); len(local) > longestLocal || strings.Contains(local, "+") {
			f.Add("address", "error.inbound_address", "Max", longestLocal)
		} else {
			in.Address = canonical
		}
	}
	text("username", &in.Username, 254)
	text("folder", &in.Folder, 200)
	text("move_to", &in.MoveTo, 200)
	if in.Host == "" {
		return MailboxInput{TLS: mailer.TLS, Afterwards: mailer.MarkSeen}, f.Err()
	}
	in.Host = strings.ToLower(in.Host)
	if strings.ContainsAny(in.Host, " /@:?#") && net.ParseIP(in.Host) == nil && !f.Has("host") {
		f.Add("host", "error.smtp_host")
	}
	ports := map[string]int{mailer.TLS: 993, mailer.StartTLS: 143, mailer.NoTLS: 143}
	if ports[in.TLS] == 0 {
		f.Add("tls", "error.value_unknown")
	}
	if in.Port == 0 {
		in.Port = ports[in.TLS]
	}
	if in.Port < 0 || in.Port > 65535 {
		f.Add("port", "error.smtp_port")
	}
	if ip := net.ParseIP(in.Host); in.TLS == mailer.NoTLS && in.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		f.Add("tls", "error.smtp_clear")
	}
	if in.Username == "" {
		f.Add("username", "error.inbound_username")
	}
	if in.Folder == "" {
		in.Folder = "INBOX"
	}
	if !contains(Afterwards, in.Afterwards) {
		f.Add("afterwards", "error.value_unknown")
	}
	switch {
	case in.Afterwards != mailer.MoveAway:
		in.MoveTo = ""
	case in.MoveTo == "":
		f.Add("move_to", "error.inbound_move_to")
	case in.MoveTo == in.Folder:
		f.Add("move_to", "error.inbound_move_same")
	}
	return in, f.Err()
}

// reading names a folder, so that a place in one is never taken for a place in another.
func (in MailboxInput) reading() string {
	sum := sha256.Sum256([]byte(in.Host + "\x00" + in.Username + "\x00" + in.Folder))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (in MailboxInput) config() mailer.IMAPConfig {
	return mailer.IMAPConfig{
		Host: in.Host, Port: in.Port, TLS: in.TLS, Username: in.Username, Password: in.Password, Folder: in.Folder, After: in.Afterwards, MoveTo: in.MoveTo,
		Timeout: answerFor,
	}
}

// Sources are the settings of everything that is read, for their page.
type Sources struct {
	Mailbox     models.InboundSource // Host is "" where none is read
	Fixed       bool                 // the server's environment names the mailbox
	HasPassword bool
	SES         models.InboundSource // Topic is "" where Amazon does not call
	SESSecret   string               // of the address that it calls
	Postmark    bool
	PostSecret  string
}

// Sources returns the settings. It needs the right actor.Administer.
func (s *Service) Sources(ctx context.Context, a actor.Actor) (Sources, error) {
	var out Sources
	if err := a.Need(actor.Administer); err != nil {
		return out, err
	}
	var list []models.InboundSource
	if err := s.DB.WithContext(ctx).Find(&list).Error; err != nil {
		return out, err
	}
	out.Fixed = s.Mailbox != nil
	for _, m := range list {
		secret, err := s.Vault.Open("inbound_sources", "secret_sealed", m.ID, m.SecretSealed)
		if err != nil {
			return out, err
		}
		switch m.Kind {
		case models.SourceIMAP:
			out.Mailbox, out.HasPassword = m, len(m.PasswordSealed) > 0
		case models.SourceSES:
			out.SES, out.SESSecret = m, secret
		case models.SourcePostmark:
			out.Postmark, out.PostSecret = secret != "", secret
		}
	}
	if in := s.Mailbox; in != nil {
		was := out.Mailbox
		out.Mailbox = row(*in)
		out.Mailbox.CheckedAt, out.Mailbox.FailedAt, out.Mailbox.Failure = was.CheckedAt, was.FailedAt, was.Failure
	}
	return out, nil
}

func row(in MailboxInput) models.InboundSource {
	return models.InboundSource{
		Kind: models.SourceIMAP, Address: in.Address, Host: in.Host, Port: in.Port, TLS: in.TLS, Username: in.Username, Folder: in.Folder, Afterwards: in.Afterwards, MoveTo: in.MoveTo,
	}
}

// ensure returns the row of a source, made where there is none, and holds it until tx ends.
func (s *Service) ensure(ctx context.Context, tx *gorm.DB, kind string) (models.InboundSource, error) {
	now := s.Clock.Now()
	fresh := models.InboundSource{ID: models.NewID(), Kind: kind, CreatedAt: now, UpdatedAt: now}
	if _, err := database.InsertNew(tx.WithContext(ctx), []models.InboundSource{fresh}, "ON CONFLICT (kind) DO NOTHING"); err != nil {
		return fresh, err
	}
	var m models.InboundSource
	return m, tx.WithContext(ctx).Clauses(locking).Take(&m, "kind = ?", kind).Error
}

// SetMailbox changes the mailbox that is read; an empty host means none. An empty password keeps the one there is, as long as host and
// user stay the same. It needs the right actor.Administer; the fault is Invalid with the fields address, host, port, tls,
// username, password, folder, afterwards and move_to.
func (s *Service) SetMailbox(ctx context.Context, a actor.Actor, in MailboxInput) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	if s.Mailbox != nil {
		return fault.New(fault.Conflict, "error.inbound_fixed")
	}
	in, err := in.check()
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.ensure(ctx, tx, models.SourceIMAP)
		if err != nil {
			return err
		}
		sealed := s.Vault.Seal("inbound_sources", "password_sealed", m.ID, in.Password)
		if in.Host != "" && in.Password == "" {
			if in.Host != m.Host || in.Username != m.Username || len(m.PasswordSealed) == 0 {
				var f fault.Fields
				f.Add("password", "error.smtp_password")
				return f.Err()
			}
			sealed = m.PasswordSealed
		}
		now := s.Clock.Now()
		set := map[string]any{
			"address": in.Address, "host": in.Host, "port": in.Port, "tls": in.TLS, "username": in.Username, "password_sealed": sealed, "folder": in.Folder, "afterwards": in.Afterwards,
			"move_to": in.MoveTo, "failed_at": nil, "failure": "", "updated_at": now,
		}
		if err := tx.Model(&models.InboundSource{}).Where("id = ?", m.ID).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "inbound.mailbox", "inbound_sources", m.ID, nil)
	})
}

// TestMailbox looks into the mailbox that is set and returns how many mails are in its folder. It needs the right actor.Administer.
// Whatever is wrong is an Invalid fault, imap.unreachable and so on, with Host and Reply.
func (s *Service) TestMailbox(ctx context.Context, a actor.Actor) (int, error) {
	if err := a.Need(actor.Administer); err != nil {
		return 0, err
	}
	in, err := s.mailbox(ctx)
	if err != nil {
		return 0, err
	}
	if in.Host == "" {
		var f fault.Fields
		f.Add("host", "error.smtp_host_missing")
		return 0, f.Err()
	}
	n, err := mailer.TestFolder(ctx, in.config())
	var failed *mailer.Failure
	if errors.As(err, &failed) {
		return 0, fault.Because(err, fault.Invalid, failed.Kind, "Host", in.Host, "Reply", failed.Reply)
	}
	return n, err
}

// mailbox is the one that is read, its password opened; the host is "" for none.
func (s *Service) mailbox(ctx context.Context) (MailboxInput, error) {
	if s.Mailbox != nil {
		return *s.Mailbox, nil
	}
	var list []models.InboundSource
	if err := s.DB.WithContext(ctx).Where("kind = ?", models.SourceIMAP).Find(&list).Error; err != nil || len(list) == 0 {
		return MailboxInput{}, err
	}
	m := list[0]
	password, err := s.Vault.Open("inbound_sources", "password_sealed", m.ID, m.PasswordSealed)
	return MailboxInput{
		Address: m.Address, Host: m.Host, Port: m.Port, TLS: m.TLS, Username: m.Username, Password: password, Folder: m.Folder, Afterwards: m.Afterwards, MoveTo: m.MoveTo,
	}, err
}

// BounceAddress is where mail is to come back to: the address of the mailbox that is read, "" where none is read or it has none. The
// outbox puts a plus sign and the delivery's mark behind its local part.
func (s *Service) BounceAddress(ctx context.Context) (string, error) {
	if s.Mailbox != nil {
		return s.Mailbox.Address, nil
	}
	var list []string
	err := s.DB.WithContext(ctx).Model(&models.InboundSource{}).Where("kind = ? AND host <> ''", models.SourceIMAP).Pluck("address", &list).Error
	return strings.Join(list, ""), err
}

// SetSES says which topic Amazon's notifications come by; "" ends it. The address that Amazon calls is made anew where there was none.
// It needs the right actor.Administer; the fault is Invalid on the field topic.
func (s *Service) SetSES(ctx context.Context, a actor.Actor, topic string) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	topic = strings.TrimSpace(topic)
	if topic != "" && !topicARN.MatchString(topic) {
		var f fault.Fields
		f.Add("topic", "error.inbound_topic")
		return f.Err()
	}
	return s.setHook(ctx, a, models.SourceSES, topic != "", map[string]any{"topic": topic})
}

// SetPostmark says whether Postmark may call. The address that it calls is made anew each time it is switched on. It needs the right
// actor.Administer.
func (s *Service) SetPostmark(ctx context.Context, a actor.Actor, on bool) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	return s.setHook(ctx, a, models.SourcePostmark, on, map[string]any{})
}

func (s *Service) setHook(ctx context.Context, a actor.Actor, kind string, on bool, set map[string]any) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.ensure(ctx, tx, kind)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		set["updated_at"] = now
		switch {
		case !on:
			set["secret_sealed"] = nil
		case len(m.SecretSealed) == 0:
			b := make([]byte, 24)
			_, _ = rand.Read(b) // never fails
			set["secret_sealed"] = s.Vault.Seal("inbound_sources", "secret_sealed", m.ID, base64.RawURLEncoding.EncodeToString(b))
		}
		if err := tx.Model(&models.InboundSource{}).Where("id = ?", m.ID).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "inbound."+kind, "inbound_sources", m.ID, map[string]any{"on": on})
	})
}

// hook returns the row of a provider that may call by a secret; else a NotFound fault, whatever was wrong.
func (s *Service) hook(ctx context.Context, kind, secret string) (models.InboundSource, error) {
	unknown := fault.New(fault.NotFound, "error.not_found")
	var list []models.InboundSource
	if err := s.DB.WithContext(ctx).Where("kind = ?", kind).Find(&list).Error; err != nil {
		return models.InboundSource{}, err
	}
	if len(list) == 0 {
		return models.InboundSource{}, unknown
	}
	want, err := s.Vault.Open("inbound_sources", "secret_sealed", list[0].ID, list[0].SecretSealed)
	if err != nil {
		return models.InboundSource{}, err
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return models.InboundSource{}, unknown
	}
	return list[0], nil
}

// heard notes when a provider called.
func (s *Service) heard(ctx context.Context, id uuid.UUID) error {
	return s.DB.WithContext(ctx).Model(&models.InboundSource{}).Where("id = ?", id).Updates(map[string]any{"checked_at": s.Clock.Now()}).Error
}
