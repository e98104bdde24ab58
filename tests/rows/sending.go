package rows

import "kithline/models"

// Sending makes a row for each table of how mail leaves, with a value in every column.
func Sending(p Petitioned) []any {
	key := models.NewID()
	return []any{
		&models.MailKey{
			ID: key, Domain: "example.org", Selector: "kl2026a", Algorithm: models.MailKeyEd25519, PublicKey: "x", PrivateSealed: p.Seal("mail_keys", "private_sealed", key, "mailkeycanary"),
			State: models.MailKeyResting, CreatedBy: &p.User, CreatedAt: p.At, SigningAt: &p.At, RestingAt: &p.Later,
		},
		&models.DomainCheck{Domain: "example.org", Report: "{}", CheckedAt: p.At},
		&models.SendingLimits{ID: models.NewID(), Limits: "{}", SendsFrom: p.Word("192.0.2.1"), UpdatedBy: &p.User, UpdatedAt: p.At},
		&models.MailRate{Key: "account/1h0m0s", Slices: `{"1":2}`, UpdatedAt: p.At},
		&models.MailNode{Node: "node", LeaseUntil: p.Later, Members: 2},
	}
}
