package petitions

import (
	"context"
	"errors"
	"strings"

	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// StartMail is the data of the templates petition_start and petition_costart. Nothing that was typed about the petition stands
// here: the form may have been filled in by somebody else. Inviter is the name of a confirmed starter, for petition_costart.
type StartMail struct {
	Inviter    string
	URL        string
	ResumeHost string // the address of the page for the code as one types it: act.example.org/petitions/resume
	Code       string
	Confirmed  bool // the button was pressed before: it is kept for longer
	Days       int  // until a draft goes whose button nobody pressed
	LinkDays   int  // that the link works
}

func (s *Service) startMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var st models.PetitionStarter
	err := s.db.WithContext(ctx).Where("id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID).Take(&st).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	host := s.opt.BaseURL
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	m := StartMail{
		URL: s.starterURL(st), ResumeHost: host + "/petitions/resume", Code: s.signer.Code(tokens.Starter, st.ID), Confirmed: st.ConfirmedAt != nil,
		Days: int(unconfirmedFor.Hours() / 24), LinkDays: int(StarterFor.Hours() / 24),
	}
	if d.Kind == KindCostart && st.InvitedBy != nil {
		var by models.PetitionStarter
		if err := s.db.WithContext(ctx).Where("id = ?", *st.InvitedBy).Limit(1).Find(&by).Error; err != nil {
			return deliveries.Content{}, err
		}
		if m.Inviter, err = s.starterName(by); err != nil {
			return deliveries.Content{}, err
		}
	}
	return deliveries.Content{Template: d.Kind, Lang: st.Locale, Data: m}, nil
}

// starterURL is the link that goes on with a petition that was begun without an account.
func (s *Service) starterURL(st models.PetitionStarter) string {
	return s.opt.BaseURL + s.starterPath(st)
}

func (s *Service) starterPath(st models.PetitionStarter) string {
	return "/petitions/draft/" + s.signer.Make(tokens.Starter, st.ID, s.clk.Now().Add(StarterFor))
}

// told says in which language a mail about a petition goes to its author or to one of its starters, and where their page of it
// and the page to change it are. Gone where they have nothing to do with it any more.
func (s *Service) told(ctx context.Context, p models.Petition, d models.Delivery) (lang, own, edit string, err error) {
	db := s.db.WithContext(ctx)
	if p.AuthorID != nil {
		var author models.User
		if err := db.Where("id = ?", *p.AuthorID).Take(&author).Error; err != nil {
			return "", "", "", err
		}
		own = s.opt.BaseURL + "/admin/petitions/" + p.ID.String()
		if lang = author.Locale; lang == "" {
			lang = p.Locale
		}
		return lang, own, own + "/edit", nil
	}
	var st models.PetitionStarter
	err = db.Where("petition_id = ? AND mailbox_id = ? AND confirmed_at IS NOT NULL", p.ID, d.MailboxID).Take(&st).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = gone()
	}
	if err != nil {
		return "", "", "", err
	}
	own = s.starterURL(st)
	return st.Locale, own, own, nil
}
