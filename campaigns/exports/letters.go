package exports

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// letterColumns are what a list of letters holds: who wrote, where they live, what they said in their own words, to whom it went and
// what became of it there.
var letterColumns = []column{
	{name: "number"},
	{name: "confirmed_on"},
	{name: "state"},
	{name: "given_name"},
	{name: "family_name"},
	{name: "email"},
	{name: "street"},
	{name: "city"},
	{name: "region"},
	{name: "postal_area"},
	{name: "country"},
	{name: "subject"},
	{name: "own_words"},
	{name: "recipients"},
}

// lettered are the states of letters that a list holds: those that somebody confirmed and that still have a name.
var lettered = []models.LetterState{models.LetterConfirmed, models.LetterHeld, models.LetterReleased, models.LetterClosed, models.LetterRejected}

// letterPage is how many letters are read at once.
const letterPage = 500

// letters writes the confirmed letters of a letter campaign in the order in which they were confirmed. Those whose time is over have
// no names, and are left out.
func (s *Service) letters(ctx context.Context, m models.Export, w io.Writer, told func(int)) (rows int, opened int64, err error) {
	f := formatOf(m.Format)
	if _, err := w.Write(f.head(nil, letterColumns)); err != nil {
		return 0, 0, err
	}
	var at time.Time
	var id uuid.UUID
	var b []byte
	for {
		var page []models.Letter
		q := s.DB.WithContext(ctx).Where("letter_campaign_id = ? AND state IN ? AND confirmed_at IS NOT NULL AND mailbox_id IS NOT NULL", m.ScopeID, lettered).
			Order("confirmed_at, id").Limit(letterPage)
		if id != uuid.Nil {
			q = q.Where("(confirmed_at, id) > (?, ?)", at, id)
		}
		if err := q.Find(&page).Error; err != nil {
			return rows, opened, err
		}
		to, err := s.recipientsOf(ctx, page)
		if err != nil {
			return rows, opened, err
		}
		addresses, err := s.addressesOf(ctx, page)
		if err != nil {
			return rows, opened, err
		}
		opened += int64(len(addresses))
		b = b[:0]
		for _, l := range page {
			at, id = *l.ConfirmedAt, l.ID
			values := []string{strconv.Itoa(l.Number), at.UTC().Format(time.DateOnly), string(l.State)}
			plain := map[string]string{}
			for column, sealed := range map[string][]byte{
				"given_name": l.GivenNameSealed, "family_name": l.FamilyNameSealed, "street": l.StreetSealed, "city": l.CitySealed, "subject": l.SubjectSealed, "own_words": l.OwnWordsSealed,
			} {
				if plain[column], err = s.Vault.Open("letters", column+"_sealed", l.ID, sealed); err != nil {
					return rows, opened, err
				}
				if len(sealed) > 0 {
					opened++
				}
			}
			values = append(values, plain["given_name"], plain["family_name"], addresses[l.MailboxID], plain["street"], plain["city"], l.Region, l.PostalArea, l.Country, plain["subject"], plain["own_words"], to[l.ID])
			cells := make([][][]byte, 0, len(letterColumns))
			for _, v := range values {
				var cell [][]byte
				if v != "" {
					cell = [][]byte{[]byte(v)}
				}
				cells = append(cells, cell)
			}
			b = f.row(b, letterColumns, cells)
		}
		if _, err := w.Write(b); err != nil {
			return rows, opened, err
		}
		rows += len(page)
		told(rows)
		if len(page) < letterPage {
			return rows, opened, nil
		}
	}
}

// recipientsOf says to whom letters went and what became of them there, by letter.
func (s *Service) recipientsOf(ctx context.Context, page []models.Letter) (map[uuid.UUID]string, error) {
	ids := make([]uuid.UUID, len(page))
	for i, l := range page {
		ids[i] = l.ID
	}
	var rows []struct {
		LetterID    uuid.UUID
		Name, State string
	}
	err := s.DB.WithContext(ctx).Raw("SELECT d.letter_id, g.name AS name, d.state AS state FROM dispatches d JOIN legislators g ON g.id = d.legislator_id WHERE d.letter_id IN ? ORDER BY d.created_at, d.id", ids).Scan(&rows).Error
	out := map[uuid.UUID]string{}
	for _, r := range rows {
		out[r.LetterID] = strings.TrimPrefix(out[r.LetterID]+"; "+r.Name+" ("+r.State+")", "; ")
	}
	return out, err
}

// addressesOf opens the addresses of writers, by mailbox.
func (s *Service) addressesOf(ctx context.Context, page []models.Letter) (map[uuid.UUID]string, error) {
	ids := make([]uuid.UUID, len(page))
	for i, l := range page {
		ids[i] = l.MailboxID
	}
	var boxes []models.Mailbox
	if err := s.DB.WithContext(ctx).Select("id", "address_hash", "address_sealed").Where("id IN ?", ids).Find(&boxes).Error; err != nil {
		return nil, err
	}
	out := map[uuid.UUID]string{}
	for _, box := range boxes {
		address, err := s.Vault.OpenBytes("mailboxes", "address_sealed", box.AddressHash, box.AddressSealed)
		if err != nil {
			return nil, err
		}
		out[box.ID] = string(address)
	}
	return out, nil
}

// LetterCampaigns lists the letter campaigns whose letters can be handed out, the newest first; none for who does not manage letters. It
// needs the right actor.Export.
func (s *Service) LetterCampaigns(ctx context.Context, a actor.Actor) ([]Choice, error) {
	if err := a.Need(actor.Export); err != nil || !a.May(actor.ManageLetters) {
		return nil, err
	}
	var list []models.LetterCampaign
	err := s.DB.WithContext(ctx).Select("id", "title").Where("published_at IS NOT NULL").Order("created_at DESC, id DESC").Limit(choicesMost).Find(&list).Error
	out := make([]Choice, len(list))
	for i, c := range list {
		out[i] = Choice{Value: c.ID.String(), Label: c.Title}
	}
	return out, err
}
