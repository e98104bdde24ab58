package meetings

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// TeamPage is a meeting for somebody of its team: behind the link of their place. Of themselves it has the first name alone, since a link may
// be passed on. Who stands by reads neither who comes nor how to join.
type TeamPage struct {
	Pack
	GivenName, Zone string
	Shift           models.Shift // their role
	As              models.PlaceAs
	Stands          bool
	OwnRep          bool // the office is that of their own representative
	Began           bool // so that what came of it can be written down
	Notes           Notes
}

// link reads the assignment of a link to a place. The faults: NotFound, error.link_unknown; Gone, error.meetings_gone, where nobody holds it
// any more, or it never was of a meeting.
func (s *Service) link(ctx context.Context, tx *gorm.DB, token string) (models.Assignment, error) {
	var a models.Assignment
	gone := fault.New(fault.Gone, "error.meetings_gone")
	id, err := s.Signer.Read(tokens.Cant, token, s.Clock.Now())
	if fault.Is(err, fault.Gone) {
		return a, gone
	}
	if err != nil {
		return a, err
	}
	err = tx.WithContext(ctx).Where("id = ? AND state <> ?", id, models.AssignmentPending).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, gone
	}
	return a, err
}

// Team reads the page of a meeting's team behind the link of a place, and changes nothing. lang is the reader's language. Whoever has the link
// may read it. The faults: NotFound, error.link_unknown; Gone, error.meetings_gone.
func (s *Service) Team(ctx context.Context, token, lang string) (TeamPage, error) {
	a, err := s.link(ctx, s.DB.DB, token)
	if err != nil {
		return TeamPage{}, err
	}
	a.Locale = lang
	return s.teamOf(ctx, a)
}

// teamOf reads the meeting that an assignment is of, in the language of the assignment.
func (s *Service) teamOf(ctx context.Context, a models.Assignment) (TeamPage, error) {
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	t := TeamPage{As: a.AsWhat, Stands: a.Standby(), Zone: a.TimeZone}
	gone := fault.New(fault.Gone, "error.meetings_gone")
	if err := db.Where("id = ?", a.ShiftID).Take(&t.Shift).Error; err != nil {
		return t, err
	}
	if t.Shift.TeamID == nil {
		return t, gone
	}
	var m models.Meeting
	err := db.Where("team_id = ?", *t.Shift.TeamID).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return t, gone
	}
	if err != nil {
		return t, err
	}
	var r models.Roster
	if err := db.Where("id = ?", m.RosterID).Take(&r).Error; err != nil {
		return t, err
	}
	packs, err := s.packs(ctx, s.DB.DB, r, []models.Meeting{m}, a.Locale)
	if err != nil {
		return t, err
	}
	t.Pack = packs[0]
	if t.GivenName, err = s.Vault.Open("assignments", "given_name_sealed", a.ID, a.GivenNameSealed); err != nil {
		return t, err
	}
	if t.OwnRep, err = s.represents(ctx, s.DB.DB, a.MailboxID, m.LegislatorID); err != nil {
		return t, err
	}
	if t.Stands {
		t.Join, t.Access = "", ""
		for i := range t.Crew {
			t.Crew[i].Names = nil
		}
		t.Crew = slices.DeleteFunc(t.Crew, func(c Crew) bool { return c.RoleKind != t.Shift.RoleKind })
		return t, nil
	}
	if t.Began = !m.StartsAt.After(now) && m.State != models.MeetingCancelled; t.Began {
		t.Notes, err = s.notesOf(m, t.Asks)
	}
	return t, err
}

// represents reports whether a legislator represents, beyond doubt, the person of a mailbox: by their record, or by what they said when they
// offered time.
func (s *Service) represents(ctx context.Context, tx *gorm.DB, box, legislator uuid.UUID) (bool, error) {
	homes, err := s.homes(ctx, tx, []uuid.UUID{box})
	if err != nil {
		return false, err
	}
	p, known := homes[box]
	if !known {
		return false, nil
	}
	found, err := legislators.Find(ctx, tx, p, s.Clock.Now())
	if err != nil {
		return false, err
	}
	return slices.Contains(represented(found), legislator), nil
}

// represented are the legislators of a match.
func represented(m legislators.Match) (out []uuid.UUID) {
	for _, seat := range m.Seats {
		for _, x := range seat.Members {
			out = append(out, x.ID)
		}
	}
	return out
}

// TeamPDF writes the page of a team as a PDF. It is for whom Team is; the faults are those of Team, and Conflict, error.meetings_stands_by, for
// somebody who stands by.
func (s *Service) TeamPDF(ctx context.Context, token, lang string, to io.Writer) error {
	t, err := s.Team(ctx, token, lang)
	if err != nil {
		return err
	}
	if t.Stands {
		return fault.New(fault.Conflict, "error.meetings_stands_by")
	}
	d, err := s.document(ctx, lang, t.Roster.Title, t.Room.Country)
	if err != nil {
		return err
	}
	s.set(d, lang, t.Pack, t.Zone)
	return d.Write(to)
}
