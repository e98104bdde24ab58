package rosters

import (
	"context"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/inbound"
	"kithline/models"
)

// Replied is what follows, in tx, when somebody answers a receipt or a reminder (an inbound.Reader): where their own first words say that
// they cannot come, and nothing else, it is let go of, and a mail says so. Whatever else they write is the organizer's to read.
func (s *Service) Replied(ctx context.Context, tx *gorm.DB, d models.Delivery, a inbound.Answer) (passed bool, err error) {
	if a.Automatic || !Cannot(a.Text) {
		return false, nil
	}
	now := s.Clock.Now()
	var rows []models.Assignment
	if err := tx.WithContext(ctx).Where("id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID).Find(&rows).Error; err != nil {
		return false, err
	}
	if len(rows) == 0 { // they let go before
		return true, nil
	}
	done, err := s.takeRelease(ctx, tx, rows[0].ID, now)
	if err != nil || !done {
		return false, err
	}
	ends := now.Add(24 * time.Hour)
	_, err = deliveries.Insert(ctx, tx, deliveries.New{
		Kind: KindLetGo, MailboxID: d.MailboxID, SubjectID: rows[0].ShiftID, Purpose: models.PurposeReceipt, DedupeKey: KindLetGo + "/" + models.NewID().String(), Priority: models.PriorityReceipt,
		OnUnknown: models.Resend, ExpiresAt: &ends,
	}, now)
	return true, err
}

var (
	// takeQuoted begins what is not the writer's own.
	takeQuoted   = regexp.MustCompile(`(?i)^(>|-{2,}|_{5,}|from:|de:|enviado|sent from|on .*wrote:|el .*escribi|begin forwarded|mensaje original)`)
	takeGreeting = regexp.MustCompile(`^(hi|hello|hey|dear|good (morning|evening|afternoon)|hola|buen[oa]s( dias| tardes| noches)?|estimad[oa]s?)( [a-z]+){0,2}$`)
	takeCannot   = regexp.MustCompile(`^(sorry |so sorry |i am sorry |i m sorry |im sorry |lo siento |perdon |disculpen? )?(` +
		`(i )?(cant|can t|cannot|can not)( (today|tomorrow|make it|make it today|make it tomorrow|come|come today|come tomorrow|do it|do it today|do this|do this today|be there))?( sorry)?( (because|since) .*)?` +
		`|not today( sorry)?|hoy no( puedo( ir| venir)?| podre( ir)?)?( lo siento)?( porque .*)?` +
		`|no (puedo|podre)( (hoy|manana|ir|venir|ir hoy|venir hoy|ir manana|hacerlo|hacerlo hoy|asistir|asistir hoy))?( lo siento)?( porque .*)?)$`)
)

// takeUnaccent makes the letters of the languages that are read plain.
var takeUnaccent = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ü", "u", "ñ", "n")

// Cannot reports whether a mail's own first words say that its writer cannot come, in English or Spanish, beyond doubt.
func Cannot(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if takeQuoted.MatchString(line) {
			return false
		}
		// To the end of the first sentence; a question says nothing.
		for line != "" {
			end := strings.IndexAny(line, ".!?,;:…")
			part, mark := line, ""
			if end >= 0 {
				part, mark, line = line[:end], line[end:end+1], strings.TrimLeft(line[end:], ".!?,;:… ")
			} else {
				line = ""
			}
			words := takePlain(part)
			switch {
			case words == "" || takeGreeting.MatchString(words) || words == "sorry" || words == "lo siento":
				continue
			case mark == "?" || mark == ",":
				return mark == "," && takeCannot.MatchString(words) && !strings.Contains(line, "?")
			}
			return takeCannot.MatchString(words)
		}
	}
	return false
}

// takePlain is text in small letters without marks.
func takePlain(text string) string {
	text = takeUnaccent.Replace(strings.ToLower(text))
	text = strings.NewReplacer("'", "", "’", "", "‘", "", "´", "", "`", "").Replace(text)
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), " ")
}
