package letters

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/legislators"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// way is how a dispatch travels.
type way struct {
	by      models.DispatchChannel
	channel models.Channel
	box     models.Mailbox // by e-mail: the office's
}

// ways are the channels of a member that can be used now, the first choice first. Those that mail comes back from are left out, and so is
// an address that takes no mail from us, and one that is none.
func (s *Service) ways(ctx context.Context, tx *gorm.DB, m legislators.Member, now time.Time) ([]way, error) {
	var out []way
	for _, c := range m.Channels {
		w := way{channel: c}
		switch c.Kind {
		case models.ChannelEmail:
			if c.BouncedAt != nil {
				continue
			}
			box, err := s.box(ctx, tx, c.Value, now)
			if err != nil {
				return nil, err
			}
			if box.ID == uuid.Nil || box.SuppressedAt != nil {
				continue
			}
			w.by, w.box = models.ByEmail, box
		case models.ChannelWebForm:
			w.by = models.ByWebForm
		case models.ChannelPost:
			if postal(m, c).Street == "" {
				continue
			}
			w.by = models.ByPrint
		case models.ChannelPhone:
			w.by = models.ByCall
		default:
			continue
		}
		out = append(out, w)
	}
	return out, nil
}

// box is the mailbox of an office, the zero value where the address is none.
func (s *Service) box(ctx context.Context, tx *gorm.DB, value string, now time.Time) (models.Mailbox, error) {
	if _, _, err := address.CanonicalAddress(value); err != nil {
		return models.Mailbox{}, nil
	}
	box, err := mailboxes.Find(ctx, tx, s.Vault, value)
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && box.AddressSealed == nil {
		return mailboxes.Ensure(ctx, tx, s.Vault, value, now)
	}
	return box, err
}

// postal is the office that a channel by post leads to: its own, else the first that has a street.
func postal(m legislators.Member, c models.Channel) models.Office {
	for _, o := range m.Offices {
		if c.OfficeID != nil && o.ID == *c.OfficeID {
			return o
		}
	}
	for _, o := range m.Offices {
		if c.OfficeID == nil && o.Street != "" {
			return o
		}
	}
	return models.Office{}
}

// choose is the first of the ways that a dispatch was not tried on, nil where none is left.
func choose(ways []way, d models.Dispatch) *way {
	tried := triedOf(d)
	for i, w := range ways {
		if !slices.Contains(tried, w.channel.ID) {
			return &ways[i]
		}
	}
	return nil
}

func triedOf(d models.Dispatch) (ids []uuid.UUID) {
	if d.Tried != "" {
		_ = json.Unmarshal([]byte(d.Tried), &ids) // written by us alone
	}
	return ids
}

// tried is the column with one channel more.
func tried(d models.Dispatch, channel uuid.UUID) string {
	b, _ := json.Marshal(append(triedOf(d), channel)) // ids can always be written
	return string(b)
}

var forUpdate = clause.Locking{Strength: "UPDATE"}

// seat tells whether a term is the seat that a letter was written to: who was elected there once more is still its writer's own.
func seat(ctx context.Context, tx *gorm.DB, d models.Dispatch, now models.Term) (bool, error) {
	if d.TermID == now.ID {
		return true, nil
	}
	var then models.Term
	if err := tx.WithContext(ctx).Where("id = ?", d.TermID).Take(&then).Error; err != nil {
		return false, err
	}
	return then.ChamberID == now.ChamberID && then.OCDID == now.OCDID && (then.OCDID != "" || then.District == now.District), nil
}
