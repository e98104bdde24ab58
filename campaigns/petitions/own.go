package petitions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// ownFor is how long the link to one's own signature works. Then /me does.
const ownFor = 30 * day

// Held is a signature as the one who signed reads and changes it.
type Held struct {
	OwnSignature
	GivenName, FamilyName string // "" once it was taken back for good
	PostalArea            string
	Display               models.Display
	Role                  models.Role
	Comment               string
	CommentState          models.CommentState
	Updates               bool // mails about it are agreed to
	SignedAt              time.Time
}

// OwnLink is the path of the page of one signature, which its owner gets by mail.
func (s *Service) OwnLink(slug string, id uuid.UUID, now time.Time) string {
	return "/petitions/" + slug + "/mine/" + s.signer.Make(tokens.Signature, id, now.Add(ownFor))
}

// Holder returns the signature that a link is about, and the mailbox it was signed from: for the operations on it. The faults are
// those of tokens.Signer.Read, and NotFound, error.signature_unknown, where nobody's name stands behind it any more.
func (s *Service) Holder(ctx context.Context, token string) (boxes []uuid.UUID, id uuid.UUID, err error) {
	if id, err = s.signer.Read(tokens.Signature, token, s.clk.Now()); err != nil {
		return nil, uuid.Nil, err
	}
	err = s.db.WithContext(ctx).Model(&models.Signature{}).Where("id = ? AND mailbox_id IS NOT NULL AND "+seenBy, id).Pluck("mailbox_id", &boxes).Error
	if err == nil && len(boxes) == 0 {
		err = fault.New(fault.NotFound, "error.signature_unknown")
	}
	return boxes, id, err
}

// HeldBy reads a signature of one of the mailboxes. It checks no rights: whoever calls it has made sure whose the mailboxes are. The
// fault is NotFound, error.signature_unknown.
func (s *Service) HeldBy(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) (Held, error) {
	var rows []models.Signature
	err := s.db.WithContext(ctx).Where("id = ? AND mailbox_id IN ? AND "+seenBy, id, boxes).Find(&rows).Error
	if err != nil {
		return Held{}, err
	}
	if len(rows) == 0 {
		return Held{}, fault.New(fault.NotFound, "error.signature_unknown")
	}
	sig := rows[0]
	p, err := take(ctx, s.db.DB, sig.PetitionID)
	if err != nil {
		return Held{}, err
	}
	h := Held{OwnSignature: ownOf(sig, p, s.clk.Now()), PostalArea: sig.PostalArea, Display: sig.Display, CommentState: sig.CommentState, SignedAt: sig.CreatedAt}
	if h.GivenName, h.FamilyName, err = s.names(sig); err != nil {
		return h, err
	}
	h.ShownName = shown(sig.Display, h.GivenName, h.FamilyName)
	if h.Role, err = s.role(sig); err != nil {
		return h, err
	}
	if h.Comment, err = s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed); err != nil {
		return h, err
	}
	h.Updates, err = agreed(s.db.WithContext(ctx), sig.MailboxID, p.CampaignID)
	return h, err
}

// agreed reports whether mails about a campaign's petitions are agreed to.
func agreed(tx *gorm.DB, box, campaign uuid.UUID) (bool, error) {
	var n int64
	err := tx.Model(&models.Consent{}).Where("mailbox_id = ? AND purpose = ? AND scope_id = ? AND withdrawn_at IS NULL", box, models.PurposeUpdates, campaign).Count(&n).Error
	return n > 0, err
}

// ChangeInput is the form on the page of one's own signature.
type ChangeInput struct {
	Display     string // display: name, initials, anonymous
	Role        string // role: pain, family, care; "" says nothing
	Comment     string // comment; "" takes it away
	Updates     bool   // updates
	Locale      string // of the page
	ConsentText string // the words beside the box, exactly as they were shown
}

// Change changes what a signature of one of the mailboxes shows and says. A comment that is new or other waits to be read again; one
// that is taken away is off the page with the same commit, as is a name. It returns the petition's slug. It checks no rights, as HeldBy.
// The faults are NotFound, error.signature_unknown; Conflict, error.signature_withdrawn for one that was taken back; Invalid with
// fields.
func (s *Service) Change(ctx context.Context, boxes []uuid.UUID, id uuid.UUID, in ChangeInput) (slug string, err error) {
	var bad fault.Fields
	comment := commentOf(&bad, in.Comment)
	display, role := models.Display(in.Display), models.Role(in.Role)
	if !slices.Contains([]models.Display{models.DisplayName, models.DisplayInitials, models.DisplayAnonymous}, display) {
		bad.Add("display", "error.value_unknown")
	}
	if role != models.RoleNone && !slices.Contains(models.Roles, role) {
		bad.Add("role", "error.value_unknown")
	}
	if err := bad.Err(); err != nil {
		return "", err
	}
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		sig, p, err := s.hold(ctx, tx, boxes, id)
		if err != nil {
			return err
		}
		slug = p.Slug
		if sig.State == models.SignatureWithdrawn {
			return fault.New(fault.Conflict, "error.signature_withdrawn")
		}
		given, family, err := s.names(sig)
		if err != nil {
			return err
		}
		set := map[string]any{"display": display, "wants_updates": in.Updates, "edited_at": now}
		counts := sig.State == models.SignatureConfirmed
		if counts {
			set["display_name"] = shown(display, given, family)
		}
		if err := s.reword(sig, comment, set); err != nil {
			return err
		}
		if err := s.turnRole(ctx, tx, sig, role, set); err != nil {
			return err
		}
		if err := s.agree(ctx, tx, sig, p, in, now); err != nil {
			return err
		}
		Changed(tx, p.Slug)
		return tx.Model(&models.Signature{}).Where("id = ?", id).Updates(set).Error
	})
	return slug, err
}

// reword puts another comment into set.
func (s *Service) reword(sig models.Signature, comment string, set map[string]any) error {
	before, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
	if err != nil || before == comment {
		return err
	}
	set["comment_sealed"], set["comment_shown"], set["comment_state"] = s.vault.Seal("signatures", "comment_sealed", sig.ID, comment), "", models.CommentNone
	if comment != "" && sig.State == models.SignatureConfirmed {
		set["comment_state"] = models.CommentWaiting
	}
	return nil
}

// turnRole puts another role into set, and moves its tally.
func (s *Service) turnRole(ctx context.Context, tx *gorm.DB, sig models.Signature, role models.Role, set map[string]any) error {
	before, err := s.role(sig)
	if err != nil || before == role {
		return err
	}
	set["role_sealed"] = sealedRole(s, sig.ID, role)
	if sig.State != models.SignatureConfirmed {
		return nil
	}
	if err := moveNumbers(ctx, tx, map[uuid.UUID]moved{sig.PetitionID: {}}); err != nil { // holds the petition, as everybody does before its tallies
		return err
	}
	var moves []tallyMove
	for r, n := range map[models.Role]int{before: -1, role: 1} {
		if r != models.RoleNone {
			moves = append(moves, tallyMove{sig.PetitionID, models.TallyRole, string(r), 0, n})
		}
	}
	return tally(ctx, tx, moves)
}

// sealedRole is a role as a signature keeps it.
func sealedRole(s *Service, id uuid.UUID, role models.Role) []byte {
	if role == models.RoleNone {
		return nil
	}
	return s.vault.Seal("signatures", "role_sealed", id, string(role))
}

// agree gives or ends the consent to mails about the petition, where it is not what it was.
func (s *Service) agree(ctx context.Context, tx *gorm.DB, sig models.Signature, p models.Petition, in ChangeInput, now time.Time) error {
	was, err := agreed(tx, sig.MailboxID, p.CampaignID)
	if err != nil || was == in.Updates {
		return err
	}
	if !in.Updates {
		return consents.End(ctx, tx, sig.MailboxID, models.PurposeUpdates, p.CampaignID, "page", now)
	}
	lang := in.Locale
	if !localeForm.MatchString(lang) {
		lang = p.Locale
	}
	words, err := consents.Text(ctx, tx, models.PurposeUpdates, lang, in.ConsentText, now)
	if err != nil {
		return err
	}
	return consents.Give(ctx, tx, consents.Given{
		MailboxID: sig.MailboxID, Purpose: models.PurposeUpdates, ScopeID: p.CampaignID, TextID: words.ID, Locale: lang, ShownAt: now,
		Source: "/petitions/" + p.Slug, How: models.ConsentByPerson, EvidenceID: &sig.ID,
	}, now)
}

// Unsay takes the comment of a signature away: it is off the page with the same commit. Done twice it takes it once. It returns the
// petition's slug. It checks no rights, as HeldBy. The fault is NotFound, error.signature_unknown.
func (s *Service) Unsay(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) (slug string, err error) {
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		sig, p, err := s.hold(ctx, tx, boxes, id)
		if err != nil {
			return err
		}
		slug = p.Slug
		if sig.CommentSealed == nil {
			return nil
		}
		Changed(tx, p.Slug)
		return tx.Model(&models.Signature{}).Where("id = ?", id).
			Updates(map[string]any{"comment_sealed": nil, "comment_shown": "", "comment_state": models.CommentNone, "edited_at": now}).Error
	})
	return slug, err
}

// commentOf checks a comment and returns it as it is kept.
func commentOf(bad *fault.Fields, v string) string {
	v = strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(v, "\r\n", "\n")))
	text(bad, "comment", v, CommentMax)
	if !bad.Has("comment") && overloaded(v) {
		bad.Add("comment", "error.text_unreadable")
	}
	return v
}
