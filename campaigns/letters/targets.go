package letters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Rules lists the rules of targets in the order of the form.
var Rules = []models.TargetRule{models.TargetRepresents, models.TargetCommittee, models.TargetPerson, models.TargetFallback}

// TargetInput is a target as it was typed over the revision that the page showed. Of the ids only that of its rule counts.
type TargetInput struct {
	Rule         models.TargetRule
	Name         string // of the group, as writers read it; "" takes that of the chamber, committee or person
	ChamberID    uuid.UUID
	CommitteeID  uuid.UUID
	LegislatorID uuid.UUID
	OnlyMine     bool // committee: only a member who represents the writer
	Revision     int
}

func errTarget() error { return fault.New(fault.NotFound, "error.letters_target_unknown") }

// AddTarget adds a rule that says who is written to, behind the others. It is for whom Save is; the faults are those of Save with the
// fields rule, group, chamber, committee and legislator.
func (s *Service) AddTarget(ctx context.Context, a actor.Actor, id uuid.UUID, in TargetInput) (Campaign, error) {
	in.Name = strings.TrimSpace(in.Name)
	return s.change(ctx, a, id, in.Revision, "letters.target", func(ctx context.Context, tx *gorm.DB, c Campaign, now time.Time) error {
		t := models.LetterTarget{ID: models.NewID(), LetterCampaignID: id, Position: 1, Rule: in.Rule, Name: in.Name}
		for _, o := range c.Targets {
			t.Position = max(t.Position, o.Position+1)
		}
		var bad fault.Fields
		planLine(&bad, "group", in.Name, GroupMax)
		if len(c.Targets) >= TargetsMost {
			bad.Add("rule", "error.letters_targets_many", "Count", TargetsMost)
		}
		name, err := aim(ctx, tx, &t, in, &bad, now)
		if err != nil {
			return err
		}
		if t.Name == "" {
			t.Name = shortened(name, GroupMax)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		return tx.Create(&t).Error
	})
}

// aim puts the id of the rule into a target, and returns what it is called.
func aim(ctx context.Context, tx *gorm.DB, t *models.LetterTarget, in TargetInput, bad *fault.Fields, now time.Time) (string, error) {
	name, found := "", false
	switch in.Rule {
	case models.TargetRepresents:
		var row models.Chamber
		if err := tx.Where("id = ?", in.ChamberID).Limit(1).Find(&row).Error; err != nil {
			return "", err
		}
		if name, found, t.ChamberID = row.Name, row.ID != uuid.Nil, &row.ID; !found {
			bad.Add("chamber", "error.letters_chamber_missing")
		}
	case models.TargetCommittee:
		var row models.Committee
		if err := tx.Where("id = ? AND removed_at IS NULL", in.CommitteeID).Limit(1).Find(&row).Error; err != nil {
			return "", err
		}
		t.OnlyMine = in.OnlyMine
		if name, found, t.CommitteeID = row.Name, row.ID != uuid.Nil, &row.ID; !found {
			bad.Add("committee", "error.letters_committee_missing")
		}
	case models.TargetPerson, models.TargetFallback:
		m, err := legislators.Sitting(ctx, tx, in.LegislatorID, now)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return "", err
		}
		if name, t.LegislatorID = m.Name, &m.ID; err != nil {
			bad.Add("legislator", "error.letters_legislator_missing")
		}
	default:
		bad.Add("rule", "error.letters_rule_missing")
	}
	return name, nil
}

// shortened cuts a name at a number of characters.
func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// RemoveTarget takes a rule away, and the points that were for it alone. It is for whom Save is. The faults are those of Save;
// NotFound, error.letters_target_unknown.
func (s *Service) RemoveTarget(ctx context.Context, a actor.Actor, id, target uuid.UUID, revision int) (Campaign, error) {
	return s.change(ctx, a, id, revision, "letters.target", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		if !slices.ContainsFunc(c.Targets, func(t models.LetterTarget) bool { return t.ID == target }) {
			return errTarget()
		}
		if c.Public() && len(c.Targets) == 1 {
			return fault.New(fault.Conflict, "error.letters_target_last")
		}
		if err := tx.Where("letter_campaign_id = ? AND target_id = ?", id, target).Delete(&models.LetterPoint{}).Error; err != nil {
			return err
		}
		return tx.Where("letter_campaign_id = ? AND id = ?", id, target).Delete(&models.LetterTarget{}).Error
	})
}

// change makes a change of what belongs to a letter campaign, counts it as a revision and writes it down. The faults are those of Save
// and of do. What is stored comes back beside a fault.
func (s *Service) change(ctx context.Context, a actor.Actor, id uuid.UUID, revision int, action string, do func(ctx context.Context, tx *gorm.DB, c Campaign, now time.Time) error) (Campaign, error) {
	now := s.Clock.Now()
	var c Campaign
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if c, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := touch(ctx, tx, a, c, revision, now, nil); err != nil {
			return err
		}
		if err := do(ctx, tx, c, now); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, action, "letter_campaigns", id, map[string]any{"revision": revision + 1}); err != nil {
			return err
		}
		c, err = load(ctx, tx, id)
		return err
	})
	return c, err
}

// Reached is a target with whom it finds.
type Reached struct {
	models.LetterTarget
	What  string // the chamber, committee or person, with its jurisdiction
	Count int    // who sit there now
}

// Reach says whom the targets of a letter campaign find now, in all and not only for one writer. It is for whom Draft is.
func (s *Service) Reach(ctx context.Context, a actor.Actor, id uuid.UUID) ([]Reached, error) {
	c, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return nil, err
	}
	return reach(ctx, s.DB.DB, c, s.Clock.Now())
}

func reach(ctx context.Context, tx *gorm.DB, c Campaign, now time.Time) ([]Reached, error) {
	var out []Reached
	for _, t := range c.Targets {
		ids, what, err := aimedAt(ctx, tx, t)
		if err != nil {
			return nil, err
		}
		n, err := sitting(ctx, tx, ids, now)
		if err != nil {
			return nil, err
		}
		out = append(out, Reached{t, what, n})
	}
	return out, nil
}

// aimedAt selects the ids of whom a target can mean, and says what it is.
func aimedAt(ctx context.Context, tx *gorm.DB, t models.LetterTarget) (ids *gorm.DB, what string, err error) {
	db := tx.WithContext(ctx)
	var row struct{ Name, Place string }
	switch {
	case t.ChamberID != nil:
		err = db.Raw("SELECT c.name AS name, j.name AS place FROM chambers c JOIN jurisdictions j ON j.id = c.jurisdiction_id WHERE c.id = ?", *t.ChamberID).Scan(&row).Error
		ids = db.Model(&models.Term{}).Where("chamber_id = ?", *t.ChamberID).Select("legislator_id")
	case t.CommitteeID != nil:
		err = db.Raw("SELECT c.name AS name, j.name AS place FROM committees c JOIN jurisdictions j ON j.id = c.jurisdiction_id WHERE c.id = ?", *t.CommitteeID).Scan(&row).Error
		ids = db.Model(&models.CommitteeMember{}).Where("committee_id = ? AND ended_at IS NULL", *t.CommitteeID).Select("legislator_id")
	case t.LegislatorID != nil:
		err = db.Raw("SELECT name FROM legislators WHERE id = ?", *t.LegislatorID).Scan(&row).Error
		ids = db.Model(&models.Legislator{}).Where("id = ?", *t.LegislatorID).Select("id")
	}
	if what = row.Name; row.Place != "" {
		what += ", " + row.Place
	}
	return ids, what, err
}

// sitting counts those of some legislators who are in a seat on the day of now, as legislators.InForce says.
func sitting(ctx context.Context, tx *gorm.DB, ids *gorm.DB, now time.Time) (int, error) {
	if ids == nil {
		return 0, nil
	}
	today := now.UTC().Format(time.DateOnly)
	var n int64
	err := tx.WithContext(ctx).Model(&models.Term{}).
		Where("ended_at IS NULL AND (valid_from = '' OR valid_from <= ?) AND (valid_through = '' OR valid_through >= ?) AND legislator_id IN (?)", today, today, ids).
		Distinct("legislator_id").Count(&n).Error
	return int(n), err
}

// TargetChoices is what a target can mean.
type TargetChoices struct {
	Chambers, Committees []Named
	People               []legislators.Member // found by name, at most foundMost
}

// Named is a body to choose, with the jurisdiction that it belongs to.
type Named struct {
	ID          uuid.UUID
	Name, Place string
}

// foundMost is how many legislators a search by name shows.
const foundMost = 30

// Targeting lists what a target can mean: every chamber, the committees, and those in a seat whose name holds find, none for "". It needs
// actor.DraftPetition.
func (s *Service) Targeting(ctx context.Context, a actor.Actor, find string) (TargetChoices, error) {
	var out TargetChoices
	if err := a.Need(actor.DraftPetition); err != nil {
		return out, err
	}
	db := s.DB.WithContext(ctx)
	err := db.Raw("SELECT c.id AS id, c.name AS name, j.name AS place FROM chambers c JOIN jurisdictions j ON j.id = c.jurisdiction_id ORDER BY j.name, c.name, c.id").Scan(&out.Chambers).Error
	if err != nil {
		return out, err
	}
	err = db.Raw("SELECT c.id AS id, c.name AS name, j.name AS place FROM committees c JOIN jurisdictions j ON j.id = c.jurisdiction_id WHERE c.removed_at IS NULL ORDER BY j.name, c.name, c.id").Scan(&out.Committees).Error
	find = strings.ToLower(strings.TrimSpace(find))
	if err != nil || find == "" {
		return out, err
	}
	var ids []uuid.UUID
	like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(find) + "%"
	if err := db.Model(&models.Legislator{}).Where(`LOWER(name) LIKE ? ESCAPE '\'`, like).Order("family_name, name, id").Limit(4*foundMost).Pluck("id", &ids).Error; err != nil || len(ids) == 0 {
		return out, err
	}
	out.People, err = legislators.Members(ctx, s.DB.DB, ids, s.Clock.Now())
	out.People = out.People[:min(len(out.People), foundMost)]
	return out, err
}
