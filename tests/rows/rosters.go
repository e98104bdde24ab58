package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Volunteered is what the rows around events and rosters point to and are made of.
type Volunteered struct {
	Campaign, Chapter, Mailbox, User, ConsentText uuid.UUID
	At, Later                                     time.Time
	Word                                          func(string) string // makes a text hard to store
	Seal                                          func(table, column string, id uuid.UUID, plain string) []byte
}

// AroundRosters makes a row for each table of events, volunteers and rosters, with a value in every column, for tests that carry whole tables.
func AroundRosters(p Volunteered) []any {
	event, roster, team, shift, step, volunteer := models.NewID(), models.NewID(), models.NewID(), models.NewID(), models.NewID(), models.NewID()
	assignment, registration, certificate, chapter, seven, degrees := models.NewID(), models.NewID(), models.NewID(), p.Chapter, 7, 35.25
	return []any{
		&models.Event{
			ID: event, CampaignID: &p.Campaign, ChapterID: &chapter, Slug: p.Word("x"), State: "draft", Kind: "advocacy_day", Title: p.Word("x"), Summary: p.Word("x"), Body: p.Word("x"),
			Locale: "es", TimeZone: "America/New_York", StartsOn: "2027-01-05T18:30", Minutes: 7, Recurrence: p.Word("x"), EndsAt: &p.Later, Venue: "onsite", PlaceName: p.Word("x"),
			Street: p.Word("x"), City: p.Word("x"), Region: "WN", PostalCode: p.Word("x"), Country: "US", Latitude: &degrees, Longitude: &degrees,
			JoinSealed: p.Seal("events", "join_sealed", event, "x"), DialSealed: p.Seal("events", "dial_sealed", event, "x"), NoRemoteWhy: p.Word("x"), Capacity: 7, WaitingList: true,
			Access: p.Word("x"), AccessContactID: &p.User, Types: p.Word("x"), CoLeaderWanted: true, ContactName: p.Word("x"), ContactEmail: p.Word("x"), ContactPhone: p.Word("x"),
			CreatedBy: &p.User, Revision: 7, PublishedAt: &p.Later, CancelledAt: &p.Later, CancelNote: p.Word("x"), CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.EventDate{
			ID: models.NewID(), EventID: event, OriginalAt: p.At, StartsAt: &p.Later, Extra: true, CancelledAt: &p.Later, Note: p.Word("x"), CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Registration{
			ID: registration, EventID: event, OccursAt: p.At, MailboxID: p.Mailbox, State: "pending", Attends: "onsite",
			GivenNameSealed: p.Seal("registrations", "given_name_sealed", registration, "x"), FamilyNameSealed: p.Seal("registrations", "family_name_sealed", registration, "x"),
			NeedsSealed: p.Seal("registrations", "needs_sealed", registration, "x"), ShareNeeds: true, Series: true, Locale: "es", TimeZone: "America/New_York",
			ConsentTextID: &p.ConsentText, Source: p.Word("x"), ClientHash: []byte{0, 1, 255}, CodeTries: 7, RemindedAt: &p.Later, OfferedUntil: &p.Later, CreatedAt: p.At,
			ConfirmedAt: &p.Later, UpdatedAt: p.At, ExpiresAt: &p.Later,
		},
		&models.EventMessage{
			ID: models.NewID(), EventID: event, OccursAt: &p.Later, Body: p.Word("x"), Recipients: 7, CreatedBy: &p.User, CreatedAt: p.At,
		},
		&models.Volunteer{
			ID: volunteer, MailboxID: p.Mailbox, State: "pending", GivenNameSealed: p.Seal("volunteers", "given_name_sealed", volunteer, "x"),
			FamilyNameSealed: p.Seal("volunteers", "family_name_sealed", volunteer, "x"), PhoneSealed: p.Seal("volunteers", "phone_sealed", volunteer, "x"),
			NoteSealed: p.Seal("volunteers", "note_sealed", volunteer, "x"), RemarkSealed: p.Seal("volunteers", "remark_sealed", volunteer, "x"), Likes: p.Word("x"), Skills: p.Word("x"), Languages: p.Word("x"), Trainings: p.Word("x"), Hours: p.Word("x"),
			Modes: p.Word("x"), PostalArea: p.Word("x"), Region: "WN", Country: "US", Locale: "es", TimeZone: "America/New_York", AskBy: "mail", AskFrom: 7, AskUntil: 7, AskedAt: &p.Later,
			PausedUntil: &p.Later, ConsentTextID: &p.ConsentText, PhoneTextID: &p.ConsentText, Source: p.Word("x"), ClientHash: []byte{0, 1, 255}, CodeTries: 7, WelcomedAt: &p.Later, CreatedAt: p.At, ConfirmedAt: &p.Later, UpdatedAt: p.At,
			ExpiresAt: &p.Later,
		},
		&models.OnboardingStep{
			ID: step, Name: p.Word("x"), About: p.Word("x"), Position: 7, ArchivedAt: &p.Later, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.OnboardingMark{
			MailboxID: p.Mailbox, StepID: step, DoneAt: p.At, DoneBy: &p.User,
		},
		&models.Pacing{
			MailboxID: p.Mailbox, SettingsSealed: p.Seal("pacings", "settings_sealed", p.Mailbox, "x"), UpdatedAt: p.At,
		},
		&models.Roster{
			ID: roster, CampaignID: &p.Campaign, ChapterID: &chapter, EventID: &event, Slug: p.Word("x"), State: "draft", Template: true, CopiedFrom: &assignment, Title: p.Word("x"),
			Summary: p.Word("x"), Body: p.Word("x"), Locale: "es", TimeZone: "America/New_York", ContactName: p.Word("x"), ContactPhone: p.Word("x"), OpensAt: &p.Later, CreatedBy: &p.User,
			Revision: 7, PublishedAt: &p.Later, ClosedAt: &p.Later, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Team{
			ID: team, RosterID: roster, Name: p.Word("x"), Place: p.Word("x"), Position: 7, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Shift{
			ID: shift, RosterID: roster, TeamID: &team, Role: p.Word("x"), RoleKind: "leader", Kind: "fixed", StartsAt: &p.Later, EndsAt: &p.Later, Minutes: 7, Mode: "onsite",
			Place: p.Word("x"), JoinSealed: p.Seal("shifts", "join_sealed", shift, "x"), Minimum: 7, Places: 7, Standbys: 7, Energy: 7, Demands: p.Word("x"), Languages: p.Word("x"),
			Training: p.Word("x"), Area: p.Word("x"), Handover: p.Word("x"), OpensAt: &p.Later, Position: 7, CancelledAt: &p.Later, SettledAt: &p.Later, Filled: 7, HeadCount: &seven,
			Revision: 7, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Assignment{
			ID: assignment, ShiftID: shift, MailboxID: p.Mailbox, AsWhat: "place", State: "pending", GivenNameSealed: p.Seal("assignments", "given_name_sealed", assignment, "x"),
			FamilyNameSealed: p.Seal("assignments", "family_name_sealed", assignment, "x"), PhoneSealed: p.Seal("assignments", "phone_sealed", assignment, "x"), Locale: "es",
			TimeZone: "America/New_York", StartsAt: &p.Later, AskBy: "mail", AskFrom: &seven, ByHand: &p.User, ConsentTextID: &p.ConsentText, Source: p.Word("x"),
			ClientHash: []byte{0, 1, 255}, CodeTries: 7, RemindedAt: &p.Later, CreatedAt: p.At, ConfirmedAt: &p.Later, UpdatedAt: p.At, ExpiresAt: &p.Later,
		},
		&models.Offer{
			ID: models.NewID(), ShiftID: shift, MailboxID: p.Mailbox, AssignmentID: &assignment, SwapID: &assignment, State: "open", ByWhat: "mail", Wave: 7, SentAt: &p.Later,
			ExpiresAt: p.At, CreatedAt: p.At, ClosedAt: &p.Later,
		},
		&models.Cover{
			ShiftID: shift, OpenedAt: p.At, NextAt: &p.Later, Wave: 7, PhoneAt: &p.Later, UpdatedAt: p.At,
		},
		&models.ShiftEvent{
			ID: models.NewID(), ShiftID: shift, Kind: "taken", At: p.At,
		},
		&models.ShiftMark{
			ShiftID: shift, Mark: []byte{0, 1, 255},
		},
		&models.RosterMessage{
			ID: models.NewID(), RosterID: roster, ShiftID: &shift, TeamID: &team, Day: "2027-03-09", Subject: p.Word("x"), Body: p.Word("x"), Recipients: 7, CreatedBy: &p.User, CreatedAt: p.At,
		},
		&models.Certificate{
			ID: certificate, MailboxID: p.Mailbox, RosterID: &roster, Role: p.Word("x"), DoneOn: "2027-03-09", Minutes: 7,
			NameSealed: p.Seal("certificates", "name_sealed", certificate, "x"), State: "asked", GivenBy: &p.User, GivenAt: &p.Later, CreatedAt: p.At,
		},
	}
}
