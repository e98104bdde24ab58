package users

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// SetupPath is the page that sets this server up, with the token that only its terminal shows; "" once it is set up. The
// link is good until then.
func (s *Service) SetupPath(ctx context.Context) (string, error) {
	done, err := s.setUp(ctx)
	if err != nil || done {
		return "", err
	}
	return "/admin/setup/" + s.tokens.MakeForever(tokens.Setup, organisation.ID), nil
}

// setUp asks the database itself: another node may have finished the setup a moment ago.
func (s *Service) setUp(ctx context.Context) (bool, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&models.Organisation{}).Where("id = ? AND setup_at IS NOT NULL", organisation.ID).Count(&n).Error
	return n > 0, err
}

// SetupActor is who holds the setup link: somebody who can read the server's own terminal, so the system itself. The
// faults are NotFound, error.link_unknown, and Gone, error.setup_done, once the server is set up.
func (s *Service) SetupActor(ctx context.Context, token, requestID string) (actor.Actor, error) {
	id, err := s.tokens.Read(tokens.Setup, token, s.clock.Now())
	if err != nil {
		return actor.Actor{}, err
	}
	if id != organisation.ID {
		return actor.Actor{}, fault.New(fault.NotFound, "error.link_unknown")
	}
	done, err := s.setUp(ctx)
	if err != nil {
		return actor.Actor{}, err
	}
	if done {
		return actor.Actor{}, fault.New(fault.Gone, "error.setup_done")
	}
	a := actor.TheSystem()
	a.RequestID = requestID
	return a, nil
}

// Person is who an account is for.
type Person struct {
	Name     string
	Email    string
	Password string
	Locale   string // where the organisation does not speak it, its default
}

// ready checks who an account is for, brings what they typed to the form that is stored, and returns the password's hash. The
// fault is Invalid with the fields name, email, password.
func (s *Service) ready(ctx context.Context, in *Person) (hash string, err error) {
	o, err := s.org.Current(ctx)
	if err != nil {
		return "", err
	}
	var f fault.Fields
	in.Name, in.Email, in.Locale = checkName(&f, in.Name), checkEmail(&f, in.Email), organisation.Language(o, in.Locale)
	checkPassword(&f, "password", in.Password, in.Email, o)
	if err := f.Err(); err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, in.Password)
}

// CreateOwner makes the first owner, ends the setup and signs them in. Of several that try at once one succeeds; the others
// get a Gone fault, error.setup_done. It needs the right actor.ManageUsers, which SetupActor gives, and returns an Invalid
// fault with the fields name, email, password.
func (s *Service) CreateOwner(ctx context.Context, a actor.Actor, v Visit, in Person) (Session, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return Session{}, err
	}
	hash, err := s.ready(ctx, &in)
	if err != nil {
		return Session{}, err
	}
	now := s.clock.Now()
	var out Session
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		first, err := organisation.FinishSetup(ctx, tx, now)
		if err != nil {
			return err
		}
		if !first {
			return fault.New(fault.Gone, "error.setup_done")
		}
		m, err := mailboxes.Ensure(ctx, tx, s.vault, in.Email, now)
		if err != nil {
			return err
		}
		u, err := s.insert(ctx, tx, m, in.Name, actor.Owner, nil, in.Locale, hash, now)
		if err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "user.create", "users", u.ID, map[string]any{"role": u.Role}); err != nil {
			return err
		}
		out, err = s.open(ctx, tx, u, v, "setup", now)
		return err
	})
	if err == nil {
		s.org.Drop()
	}
	return out, err
}

// NewUser is an account made without an invitation.
type NewUser struct {
	Name, Email string
	Role        actor.Role
	ChapterID   uuid.UUID // uuid.Nil: the whole organisation
	Locale      string
}

// Add makes an account without a password: for the server's own terminal and for sample worlds. Its user signs in by a
// mailed link, or by one from LoginLinkFor. An owner made this way ends the setup. It needs the right actor.ManageUsers and
// returns an Invalid fault with the fields name, email, role, chapter.
func (s *Service) Add(ctx context.Context, a actor.Actor, in NewUser) (uuid.UUID, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return uuid.Nil, err
	}
	var f fault.Fields
	in.Name = checkName(&f, in.Name)
	email := checkEmail(&f, in.Email)
	checkRole(&f, in.Role)
	if err := checkChapter(ctx, s.db.DB, &f, in.Role, in.ChapterID); err != nil {
		return uuid.Nil, err
	}
	if err := f.Err(); err != nil {
		return uuid.Nil, err
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	now := s.clock.Now()
	var id uuid.UUID
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if in.Role == actor.Owner {
			if _, err := organisation.FinishSetup(ctx, tx, now); err != nil {
				return err
			}
		}
		m, err := mailboxes.Ensure(ctx, tx, s.vault, email, now)
		if err != nil {
			return err
		}
		u, err := s.insert(ctx, tx, m, in.Name, in.Role, orNil(in.ChapterID), organisation.Language(o, in.Locale), "", now)
		if err != nil {
			return err
		}
		id = u.ID
		return audit.Write(ctx, tx, a, now, "user.create", "users", u.ID, map[string]any{"role": u.Role})
	})
	if err == nil {
		s.org.Drop()
	}
	return id, err
}
