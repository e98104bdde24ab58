// Package rows makes rows for the tests that carry whole tables: it knows nothing but models.
package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Petitioned is what the rows around a petition point to and are made of.
type Petitioned struct {
	Petition, Mailbox, User uuid.UUID
	Picture, File           uuid.UUID // stored files
	At, Later               time.Time
	Word                    func(string) string // makes a text hard to store
	Seal                    func(table, column string, id uuid.UUID, plain string) []byte
}

// AroundPetition makes a row for each table around a petition, with a value in every column, for tests that carry whole tables.
func AroundPetition(p Petitioned) []any {
	starter := models.NewID()
	return []any{
		&models.PetitionStarter{
			ID: starter, PetitionID: p.Petition, MailboxID: p.Mailbox, Lead: true, NameSealed: p.Seal("petition_starters", "name_sealed", starter, "June"), ShownName: "A starter", Locale: "en",
			CodeTries: 1, InvitedBy: &starter, CreatedAt: p.At, ConfirmedAt: &p.Later,
		},
		&models.PetitionText{
			ID: models.NewID(), PetitionID: p.Petition, Locale: "es", Title: p.Word("Cubran"), Summary: "x", Body: "x", Decider: "x", WhyNow: "x", SystemChange: "x",
			CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.PetitionClaim{ID: models.NewID(), PetitionID: p.Petition, Position: 1, Claim: p.Word("One in five"), SourceTitle: "x", SourceURL: "https://example.org/"},
		&models.PetitionEdit{ID: models.NewID(), PetitionID: p.Petition, Before: `{"title":"x"}`, Reason: p.Word("x"), SignatureCount: 101, EditedBy: &p.User, CreatedAt: p.At},
		&models.PetitionTally{PetitionID: p.Petition, Kind: models.TallySource, Name: "qr", Signed: 3, Confirmed: 2},
		&models.PetitionThreshold{
			ID: models.NewID(), PetitionID: p.Petition, Count: 100, Effect: models.EffectGoal, NextGoal: 500, GoalBefore: 100, ReachedAt: &p.Later, CreatedAt: p.At,
		},
		&models.PaperCount{
			ID: models.NewID(), PetitionID: p.Petition, Count: 12, Note: p.Word("fair"), CollectedAt: p.At, CreatedBy: &p.User, CreatedAt: p.At, RemovedAt: &p.Later,
		},
		&models.SigningWindow{
			ID: models.NewID(), PetitionID: &p.Petition, Note: p.Word("clinic"), FromAt: p.At, UntilAt: p.Later, CreatedBy: &p.User, CreatedAt: p.At, EndedAt: &p.Later,
		},
		&models.AbuseRule{
			ID: models.NewID(), Effect: "block", Subject: "address", Value: "example.net", AddressHash: []byte{0, 1, 255}, Note: p.Word("x"), CreatedBy: &p.User,
			CreatedAt: p.At, EndedAt: &p.Later,
		},
		&models.Invalidation{
			ID: models.NewID(), PetitionID: p.Petition, Condition: "{}", Reason: p.Word("x"), State: "done", Matched: 3, DoneCount: 3, RevertedCount: 1, CreatedBy: &p.User,
			RevertedBy: &p.User, CreatedAt: p.At, UpdatedAt: p.At, FinishedAt: &p.At, RevertedAt: &p.Later,
		},
		&models.Handover{
			ID: models.NewID(), PetitionID: p.Petition, HandedAt: p.At, Recipient: p.Word("The Chair"), HandedBy: "x", Note: "x", PictureID: &p.Picture, PictureAlt: "x",
			SignatureCount: 1, PaperCount: 2, CreatedBy: &p.User, CreatedAt: p.At,
		},
		&models.PetitionPack{
			ID: models.NewID(), PetitionID: p.Petition, Options: "{}", State: "done", SignatureCount: 1, Manifest: "{}", FileID: &p.File, Message: "x", CreatedBy: &p.User,
			CreatedAt: p.At, UpdatedAt: p.At, FinishedAt: &p.Later,
		},
		&models.PetitionDigest{
			ID: models.NewID(), PetitionID: p.Petition, MailboxID: p.Mailbox, Every: 1000, LastCount: 1000, LastAt: &p.Later, CreatedBy: &p.User, CreatedAt: p.At,
		},
	}
}

// AroundDelivery makes a row for each table of what comes back and of suppression, with a value in every column, for the same tests.
func AroundDelivery(delivery uuid.UUID, p Petitioned) []any {
	source, change := models.NewID(), models.NewID()
	return []any{
		&models.InboundReport{
			ID: models.NewID(), DeliveryID: delivery, MailboxID: &p.Mailbox, Class: "hard", Status: "5.1.1", Diagnostic: p.Word("550 5.1.1 unknown"), Source: models.SourceIMAP,
			State: models.ReportDone, Effect: models.EffectSuppressed, ReceivedAt: p.At, HandledAt: &p.Later,
		},
		&models.DomainTrouble{
			ID: models.NewID(), Domain: "example.net", Status: "5.7.1", Diagnostic: p.Word("550 5.7.1 no"), Count: 3, FirstAt: p.At, LastAt: p.Later, PausedUntil: &p.Later,
			EndedAt: &p.Later, EndedBy: &p.User,
		},
		&models.InboundSource{
			ID: source, Kind: models.SourceIMAP, Address: "bounces@example.org", Host: "imap.example.org", Port: 993, TLS: "tls", Username: p.Word("bounces"), PasswordSealed: p.Seal("inbound_sources", "password_sealed", source, "x"),
			Folder: p.Word("INBOX"), Afterwards: "move", MoveTo: p.Word("Done"), Topic: "arn", SecretSealed: p.Seal("inbound_sources", "secret_sealed", source, "y"), Reading: "r", Validity: 1 << 31,
			LastUID: 1 << 31, CheckedAt: &p.At, FailedAt: &p.Later, Failure: "imap.auth", CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.SuppressionChange{
			ID: change, MailboxID: p.Mailbox, Action: "added", Reason: models.SuppressedByHand, NoteSealed: p.Seal("suppression_changes", "note_sealed", change, p.Word("She asked")),
			CreatedBy: &p.User, CreatedAt: p.At,
		},
	}
}
