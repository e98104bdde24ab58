// Package abuse judges whether a signature goes the usual way or waits until somebody looked. It refuses nobody and tells
// nobody: the answer to a form is the same whatever is decided here, so that there is nothing to try things out against.
//
// The rules:
//
//   - Limits. More than 20 signatures under one petition in 60 seconds, or 60 in 300, from one device address make every
//     further one suspect ("limit"). An IPv6 address counts by its /64, since one household has all of it. What is counted are
//     the rows that there are, so several servers on one database share the limit. The hash of an address changes at midnight
//     UTC, and the count begins anew with it.
//   - Windows. Support groups and clinics share one address. For the time of an event an organizer opens a window, for one
//     petition or for all: while it is open the limits rest.
//   - Rules. Organizers block, flag or allow a mail domain with everything below it, a range of device addresses, or one mail
//     address. What is blocked is suspect ("block"), what is flagged only shows in the lists of those who review. Allowed wins
//     over everything else that is said here. A rule has a comment, and is ended, never deleted. Of an address only its domain
//     is kept in clear.
//   - One inbox. Some providers deliver many addresses into one inbox; inbox.go has the table. A second signature under the
//     same petition from the same inbox is suspect ("same_inbox"). Whose mailbox it is stays the strict address all the same.
//   - Domains whose addresses live for minutes are flagged ("disposable"), and nothing more: people have reasons for them.
//   - The trap is a field that no person sees. Whoever fills it in is suspect ("trap").
//   - Under pressure, when many signatures come from few addresses or many of them are suspect, or confirmation mails are held
//     back, the form asks the browser for a proof of work (ALTCHA). A proof belongs to one petition, ends after an hour and is
//     good for one signature. Without one the signature is taken, and is suspect ("no_proof").
//
// A suspect signature is confirmed by mail like every other; it counts once an organizer lets it in, all of a reason at once.
package abuse

import (
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models/database"
)

// The reasons for which a signature is suspect.
const (
	ReasonBlock     = "block"
	ReasonTrap      = "trap"
	ReasonLimit     = "limit"
	ReasonSameInbox = "same_inbox"
	ReasonNoProof   = "no_proof"
)

// Reasons lists them, the gravest first.
var Reasons = []string{ReasonBlock, ReasonTrap, ReasonLimit, ReasonSameInbox, ReasonNoProof}

// What a signature is flagged for.
const (
	FlagRule       = "rule"
	FlagDisposable = "disposable"
)

// Flags lists them.
var Flags = []string{FlagRule, FlagDisposable}

// Limits are how many signatures go the usual way. Zero is the default.
type Limits struct {
	PerMinute      int // signatures in 60 seconds, of one device address under one petition
	PerFiveMinutes int // in 300 seconds
	ProofFrom      int // signatures a minute under one petition, from which on it is looked whether they come from few addresses
}

// Service judges, and keeps rules and windows. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clk   clock.Clock
	limit Limits

	lists lists
	pulse pulse
	proof string // the key of challenges
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, clk clock.Clock, l Limits) *Service {
	for _, d := range []struct {
		at *int
		is int
	}{{&l.PerMinute, 20}, {&l.PerFiveMinutes, 60}, {&l.ProofFrom, 60}} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
	return &Service{db: db, vault: v, clk: clk, limit: l, lists: lists{keep: listsKept}, pulse: pulse{petitions: map[key]*beat{}}, proof: string(v.Derive("abuse/proof", 32))}
}

// NoteMax is how long a comment may be, in characters.
const NoteMax = 300

func unknown() error { return fault.New(fault.NotFound, "error.not_found") }

// listsKept is how old the rules and windows may be by which a form is judged.
const listsKept = 2 * time.Second
