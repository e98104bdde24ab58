package users

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The kinds of mail that this package sends. All are receipts.
const (
	KindLoginLink       = "user_login_link"
	KindInvitation      = "user_invitation"
	KindPasswordChanged = "user_password_changed"
	KindTwoStep         = "user_two_step"
)

// Words is what the mails need of the pages' world.
type Words struct {
	URL      func(path string) string                   // a full address
	Text     func(lang, key string, args ...any) string // a locale key's words
	DateTime func(lang string, t time.Time) string      // written out in the zone of t
}

// Renderers returns what makes the mails, by kind: for deliveries.Handle.
func (s *Service) Renderers(w Words) map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{
		KindLoginLink: func(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
			return s.loginLinkMail(ctx, w, d)
		},
		KindInvitation: func(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
			return s.invitationMail(ctx, w, d)
		},
		KindPasswordChanged: func(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
			return s.passwordMail(ctx, w, d)
		},
		KindTwoStep: func(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
			return s.twoStepMail(ctx, w, d)
		},
	}
}

// gone says that a mail is no longer wanted.
func gone() error { return fault.New(fault.Gone, "error.link_expired") }

// goneIfMissing turns a row that is not there into gone.
func goneIfMissing(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) || fault.Is(err, fault.NotFound) {
		return gone()
	}
	return err
}

// to is the language and name of the account that a mail goes to.
func (s *Service) to(ctx context.Context, u models.User) (lang, name string, err error) {
	o, err := s.org.Current(ctx)
	if err != nil {
		return "", "", err
	}
	name, err = s.name(u)
	return organisation.Language(o, u.Locale), name, err
}

func (s *Service) loginLinkMail(ctx context.Context, w Words, d models.Delivery) (deliveries.Content, error) {
	var l models.LoginLink
	if err := s.db.WithContext(ctx).Where("id = ?", d.SubjectID).Take(&l).Error; err != nil {
		return deliveries.Content{}, goneIfMissing(err)
	}
	now := s.clock.Now()
	u, _, err := find(ctx, s.db.DB, l.UserID)
	if err != nil {
		return deliveries.Content{}, goneIfMissing(err)
	}
	if l.UsedAt != nil || !now.Before(l.ExpiresAt) || u.DisabledAt != nil {
		return deliveries.Content{}, gone()
	}
	lang, name, err := s.to(ctx, u)
	return deliveries.Content{
		Template: KindLoginLink, Lang: lang, ToName: name,
		Data: struct {
			URL     string
			Minutes int
		}{w.URL(LoginPath(s.tokens.Make(tokens.Login, l.ID, l.ExpiresAt))), int(l.ExpiresAt.Sub(l.CreatedAt) / time.Minute)},
	}, err
}

func (s *Service) invitationMail(ctx context.Context, w Words, d models.Delivery) (deliveries.Content, error) {
	var r models.Invitation
	if err := s.db.WithContext(ctx).Where("id = ?", d.SubjectID).Take(&r).Error; err != nil {
		return deliveries.Content{}, goneIfMissing(err)
	}
	now := s.clock.Now()
	if r.AcceptedAt != nil || r.RevokedAt != nil || !now.Before(r.ExpiresAt) {
		return deliveries.Content{}, gone()
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return deliveries.Content{}, err
	}
	inviter := ""
	if r.InvitedBy != nil {
		u, _, err := find(ctx, s.db.DB, *r.InvitedBy)
		if err == nil {
			inviter, err = s.name(u)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return deliveries.Content{}, err
		}
	}
	lang := organisation.Language(o, "")
	return deliveries.Content{
		Template: KindInvitation, Lang: lang,
		Data: struct {
			Inviter, OrgName, RoleName, URL string
			Days                            int
		}{
			inviter, o.Name, w.Text(lang, "role."+r.Role), w.URL("/admin/invitation/" + s.tokens.Make(tokens.Invite, r.ID, r.ExpiresAt)),
			int(r.ExpiresAt.Sub(r.CreatedAt) / (24 * time.Hour)),
		},
	}, nil
}

func (s *Service) passwordMail(ctx context.Context, w Words, d models.Delivery) (deliveries.Content, error) {
	u, when, err := s.changed(ctx, w, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	lang, name, err := s.to(ctx, u)
	return deliveries.Content{Template: KindPasswordChanged, Lang: lang, ToName: name, Data: struct{ When string }{when}}, err
}

func (s *Service) twoStepMail(ctx context.Context, w Words, d models.Delivery) (deliveries.Content, error) {
	u, when, err := s.changed(ctx, w, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	lang, name, err := s.to(ctx, u)
	return deliveries.Content{
		Template: KindTwoStep, Lang: lang, ToName: name, Data: struct {
			When string
			On   bool
		}{when, u.TOTPSince != nil},
	}, err
}

// changed is the account that a mail tells of a change of, and when that was, written out in the account's language.
func (s *Service) changed(ctx context.Context, w Words, d models.Delivery) (u models.User, when string, err error) {
	if u, _, err = find(ctx, s.db.DB, d.SubjectID); err != nil {
		return u, "", goneIfMissing(err)
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return u, "", err
	}
	at := d.CreatedAt.In(organisation.Zone(o))
	zone, _ := at.Zone()
	return u, w.DateTime(organisation.Language(o, u.Locale), at) + " (" + zone + ")", nil
}
