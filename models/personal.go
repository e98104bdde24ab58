package models

import "slices"

// HeldAs says how a column holds personal data.
type HeldAs string

// The forms.
const (
	Sealed HeldAs = "sealed" // by campaigns/vault: unreadable without the key
	Keyed  HeldAs = "keyed"  // a keyed hash: tells nothing without the key
	Clear  HeldAs = "clear"  // readable: kept short, or shown by the person's own choice
)

// OnErase says what erasing a person does to a column.
type OnErase string

// What erasure does.
const (
	RowGoes   OnErase = "row goes"   // the whole row is deleted
	Emptied   OnErase = "emptied"    // NULL or the empty text; the row stays for the counts
	Stays     OnErase = "stays"      // kept on purpose: it names nobody any more
	Detached  OnErase = "detached"   // the link to the person is cut
	ByOwner   OnErase = "by owner"   // an account, not a supporter: goes when the account is deleted
	ByExpiry  OnErase = "by expiry"  // goes by itself soon
	KeyedOnly OnErase = "keyed only" // kept as a keyed hash so that suppression outlives erasure
)

// Personal is one column that holds data about a person: how to find whose it is, in which form it is held, what erasing
// that person does to it, and whether it belongs into the download of their data.
type Personal struct {
	Table, Column string
	Owner         string // the column of the same table that leads to the person: a mailbox, supporter or user id
	Form          HeldAs
	OnErase       OnErase
	Download      bool
}

// Whose says whom an owner column leads to.
type Whose string

// Whom an owner column leads to.
const (
	OfMailbox   Whose = "mailbox"
	OfSupporter Whose = "supporter"
	OfUser      Whose = "user"    // somebody who works here: as an account, not as a supporter
	OfAddress   Whose = "address" // whoever has the address of this keyed hash
	OfNobody    Whose = "nobody"
)

// owners says it for every owner column: by its name, or by table and name where the name alone does not tell.
var owners = map[string]Whose{
	"mailbox_id": OfMailbox, "mailboxes.id": OfMailbox,
	"supporter_id": OfSupporter, "supporters.id": OfSupporter, "a_id": OfSupporter, "b_id": OfSupporter, "gone_id": OfSupporter,
	"user_id": OfUser, "users.id": OfUser, "created_by": OfUser,
	"address_hash": OfAddress, "key_hash": OfNobody, "organisations.id": OfNobody, "mail_keys.id": OfNobody, "inbound_sources.id": OfNobody, "shifts.id": OfNobody, "events.id": OfNobody, "meetings.id": OfNobody,
}

// Whose says whom the owner column leads to; "" where nobody said, which a test does not let pass.
func (p Personal) Whose() Whose {
	if w, ok := owners[p.Table+"."+p.Owner]; ok {
		return w
	}
	return owners[p.Owner]
}

// Holding lists the tables whose rows point to a mailbox: while there is one, the address is in use.
func Holding() []string {
	var out []string
	for _, p := range PersonalColumns {
		if (p.Column == "mailbox_id" || p.Owner == "mailbox_id") && !slices.Contains(out, p.Table) {
			out = append(out, p.Table)
		}
	}
	return out
}

// PersonalColumns registers every personal column. Erasure, download, merging and retention are driven by it, and a test
// fails on a column that stands neither here nor in NotPersonal.
var PersonalColumns = []Personal{
	{"mailboxes", "address_hash", "id", Keyed, RowGoes, false},
	{"mailboxes", "address_sealed", "id", Sealed, RowGoes, true},
	{"mailboxes", "domain", "id", Clear, RowGoes, false},
	{"mailboxes", "supporter_id", "id", Clear, RowGoes, false},
	{"mailboxes", "paused_until", "id", Clear, RowGoes, true},
	{"erasures", "address_hash", "address_hash", Keyed, KeyedOnly, false},

	{"supporters", "given_name_sealed", "id", Sealed, RowGoes, true},
	{"supporters", "family_name_sealed", "id", Sealed, RowGoes, true},
	{"supporters", "phone_sealed", "id", Sealed, RowGoes, true},
	{"supporters", "street_sealed", "id", Sealed, RowGoes, true},
	{"supporters", "city_sealed", "id", Sealed, RowGoes, true},
	{"supporters", "postal_area", "id", Clear, RowGoes, true},
	{"supporters", "region", "id", Clear, RowGoes, true},
	{"supporters", "country", "id", Clear, RowGoes, true},
	{"supporters", "locale", "id", Clear, RowGoes, true},
	{"supporters", "time_zone", "id", Clear, RowGoes, true},
	{"supporters", "frequency", "id", Clear, RowGoes, true},
	{"supporters", "chapter_id", "id", Clear, RowGoes, true},
	{"supporters", "source", "id", Clear, RowGoes, true},

	{"phones", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"phones", "number_sealed", "supporter_id", Sealed, RowGoes, true},
	{"phones", "number_hash", "supporter_id", Keyed, RowGoes, false},
	{"taggings", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"taggings", "tag_id", "supporter_id", Clear, RowGoes, true},
	{"field_values", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"field_values", "field_id", "supporter_id", Clear, RowGoes, true},
	{"field_values", "text_value", "supporter_id", Clear, RowGoes, true},
	{"field_values", "number_value", "supporter_id", Clear, RowGoes, true},
	{"field_values", "value_sealed", "supporter_id", Sealed, RowGoes, true},
	{"notes", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"notes", "body_sealed", "supporter_id", Sealed, RowGoes, true},
	{"supporter_divisions", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"supporter_divisions", "kind", "supporter_id", Clear, RowGoes, true},
	{"supporter_divisions", "division_id", "supporter_id", Clear, RowGoes, true},
	{"supporter_divisions", "how", "supporter_id", Clear, RowGoes, true},
	{"duplicates", "a_id", "a_id", Clear, RowGoes, false},
	{"duplicates", "b_id", "b_id", Clear, RowGoes, false},
	{"merges", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"merges", "gone_id", "gone_id", Clear, RowGoes, false}, // the record lives again where the merge was undone
	{"merges", "before_sealed", "supporter_id", Sealed, RowGoes, false},
	{"segment_members", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"series_people", "supporter_id", "supporter_id", Clear, RowGoes, false},
	{"series_people", "series_id", "supporter_id", Clear, RowGoes, true},
	{"series_people", "state", "supporter_id", Clear, RowGoes, true},
	{"series_people", "reason", "supporter_id", Clear, RowGoes, true},
	{"series_people", "entered_at", "supporter_id", Clear, RowGoes, true},
	{"series_people", "left_at", "supporter_id", Clear, RowGoes, true},

	{"submissions", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"submissions", "form_id", "mailbox_id", Clear, RowGoes, true},
	{"submissions", "answers_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"submissions", "consents", "mailbox_id", Clear, RowGoes, true},
	{"submissions", "locale", "mailbox_id", Clear, RowGoes, true},
	{"submissions", "source", "mailbox_id", Clear, RowGoes, true},
	{"submissions", "confirmed_at", "mailbox_id", Clear, RowGoes, true},

	{"consents", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"consents", "purpose", "mailbox_id", Clear, RowGoes, true},
	{"consents", "scope_id", "mailbox_id", Clear, RowGoes, true},
	{"consents", "text_id", "mailbox_id", Clear, RowGoes, true},
	{"consents", "locale", "mailbox_id", Clear, RowGoes, true},
	{"consents", "shown_at", "mailbox_id", Clear, RowGoes, true},
	{"consents", "given_at", "mailbox_id", Clear, RowGoes, true},
	{"consents", "source", "mailbox_id", Clear, RowGoes, true},
	{"consents", "how", "mailbox_id", Clear, RowGoes, true},
	{"consents", "withdrawn_at", "mailbox_id", Clear, RowGoes, true},
	{"consents", "withdrawn_how", "mailbox_id", Clear, RowGoes, true},

	{"users", "mailbox_id", "id", Clear, ByOwner, false},
	{"users", "name_sealed", "id", Sealed, ByOwner, true},
	{"users", "role", "id", Clear, ByOwner, true},
	{"users", "password_hash", "id", Keyed, ByOwner, false},
	{"users", "locale", "id", Clear, ByOwner, true},
	{"users", "last_login_at", "id", Clear, ByOwner, true},
	{"users", "totp_secret_sealed", "id", Sealed, ByOwner, false},
	{"recovery_codes", "user_id", "user_id", Clear, ByOwner, false},
	{"recovery_codes", "code_hash", "user_id", Keyed, ByOwner, false},
	{"sessions", "token_hash", "user_id", Keyed, ByExpiry, false},
	{"sessions", "user_id", "user_id", Clear, ByExpiry, false},
	{"invitations", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"login_links", "user_id", "user_id", Clear, ByExpiry, false},
	{"login_failures", "key_hash", "key_hash", Keyed, ByExpiry, false},

	{"signatures", "mailbox_id", "mailbox_id", Clear, Detached, false},
	{"signatures", "recruited_by", "mailbox_id", Clear, Emptied, false},
	{"signatures", "client_hash", "mailbox_id", Keyed, Emptied, false},
	{"signatures", "inbox_hash", "mailbox_id", Keyed, Emptied, false},
	{"signatures", "role_sealed", "mailbox_id", Sealed, Emptied, true},
	{"signatures", "given_name_sealed", "mailbox_id", Sealed, Emptied, true},
	{"signatures", "family_name_sealed", "mailbox_id", Sealed, Emptied, true},
	{"signatures", "postal_area", "mailbox_id", Clear, Stays, true},
	{"signatures", "display_name", "mailbox_id", Clear, Emptied, true},
	{"signatures", "comment_sealed", "mailbox_id", Sealed, Emptied, true},
	{"signatures", "comment_state", "mailbox_id", Clear, Emptied, false},
	{"signatures", "comment_shown", "mailbox_id", Clear, Emptied, true},
	{"signatures", "locale", "mailbox_id", Clear, Stays, true},
	{"signatures", "confirmed_at", "mailbox_id", Clear, Stays, true},

	{"petition_starters", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"petition_starters", "petition_id", "mailbox_id", Clear, RowGoes, true},
	{"petition_starters", "name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"petition_starters", "shown_name", "mailbox_id", Clear, RowGoes, true},
	{"petition_starters", "locale", "mailbox_id", Clear, RowGoes, true},
	{"petition_starters", "confirmed_at", "mailbox_id", Clear, RowGoes, true},
	{"petition_digests", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"abuse_rules", "address_hash", "address_hash", Keyed, KeyedOnly, false},

	{"deliveries", "mailbox_id", "mailbox_id", Clear, Detached, false},
	{"deliveries", "kind", "mailbox_id", Clear, Stays, true},
	{"deliveries", "sent_at", "mailbox_id", Clear, Stays, true},
	{"deliveries", "reply", "mailbox_id", Clear, Emptied, false},

	{"inbound_reports", "mailbox_id", "mailbox_id", Clear, Detached, false},
	{"inbound_reports", "class", "mailbox_id", Clear, Stays, false},
	{"inbound_reports", "diagnostic", "mailbox_id", Clear, Emptied, false},
	{"suppression_changes", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"suppression_changes", "note_sealed", "mailbox_id", Sealed, RowGoes, false},
	{"inbound_sources", "username", "id", Clear, Stays, false},
	{"inbound_sources", "password_sealed", "id", Sealed, Stays, false},
	{"inbound_sources", "secret_sealed", "id", Sealed, Stays, false},

	{"files", "name_sealed", "created_by", Sealed, ByExpiry, false},
	{"organisations", "smtp_password_sealed", "id", Sealed, Stays, false},
	{"mail_keys", "private_sealed", "id", Sealed, Stays, false},

	{"letters", "mailbox_id", "mailbox_id", Clear, Detached, false},
	{"letters", "locale", "mailbox_id", Clear, Stays, true},
	{"letters", "given_name_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "family_name_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "street_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "city_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "phone_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "postal_area", "mailbox_id", Clear, Emptied, true},
	{"letters", "region", "mailbox_id", Clear, Stays, true},
	{"letters", "country", "mailbox_id", Clear, Stays, true},
	{"letters", "divisions", "mailbox_id", Clear, Stays, false},
	{"letters", "subject_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "own_words_sealed", "mailbox_id", Sealed, Emptied, true},
	{"letters", "confirmed_digest", "mailbox_id", Keyed, Emptied, false},
	{"letters", "client_hash", "mailbox_id", Keyed, Emptied, false},
	{"letters", "confirmed_at", "mailbox_id", Clear, Stays, true},
	{"dispatches", "mailbox_id", "mailbox_id", Clear, Detached, false},
	{"dispatches", "legislator_id", "mailbox_id", Clear, Stays, true},
	{"dispatches", "subject_sealed", "mailbox_id", Sealed, Emptied, true},
	{"dispatches", "text_sealed", "mailbox_id", Sealed, Emptied, true},
	{"dispatches", "answer", "mailbox_id", Clear, Stays, true},
	{"letter_replies", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"letter_replies", "body_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"letter_replies", "digest", "mailbox_id", Keyed, RowGoes, false},
	{"letter_replies", "received_at", "mailbox_id", Clear, RowGoes, true},

	{"registrations", "id", "mailbox_id", Clear, RowGoes, false},
	{"registrations", "event_id", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "occurs_at", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"registrations", "state", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "attends", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "given_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"registrations", "family_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"registrations", "needs_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"registrations", "share_needs", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "series", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "locale", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "time_zone", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "source", "mailbox_id", Clear, RowGoes, true},
	{"registrations", "client_hash", "mailbox_id", Keyed, RowGoes, false},
	{"registrations", "created_at", "mailbox_id", Clear, RowGoes, true},

	{"shifts", "join_sealed", "id", Sealed, Stays, false},
	{"meetings", "join_sealed", "id", Sealed, Stays, false},
	{"meetings", "access_sealed", "id", Sealed, Stays, false},
	{"meetings", "notes_sealed", "id", Sealed, Stays, false},
	{"meetings", "follow_up_sealed", "id", Sealed, Stays, false},
	{"events", "join_sealed", "id", Sealed, Stays, false},
	{"events", "dial_sealed", "id", Sealed, Stays, false},
	{"volunteers", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"volunteers", "state", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "given_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"volunteers", "family_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"volunteers", "phone_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"volunteers", "note_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"volunteers", "remark_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"volunteers", "likes", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "skills", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "languages", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "trainings", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "hours", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "modes", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "postal_area", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "region", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "country", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "locale", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "time_zone", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "ask_by", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "ask_from", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "ask_until", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "asked_at", "mailbox_id", Clear, RowGoes, false},
	{"volunteers", "paused_until", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "source", "mailbox_id", Clear, RowGoes, true},
	{"volunteers", "client_hash", "mailbox_id", Keyed, RowGoes, false},
	{"volunteers", "created_at", "mailbox_id", Clear, RowGoes, true},
	{"onboarding_marks", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"onboarding_marks", "step_id", "mailbox_id", Clear, RowGoes, true},
	{"onboarding_marks", "done_at", "mailbox_id", Clear, RowGoes, true},
	{"pacings", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"pacings", "settings_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"assignments", "id", "mailbox_id", Clear, RowGoes, false},
	{"assignments", "shift_id", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"assignments", "as_what", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "state", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "given_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"assignments", "family_name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"assignments", "phone_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"assignments", "locale", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "time_zone", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "starts_at", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "ask_by", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "ask_from", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "source", "mailbox_id", Clear, RowGoes, true},
	{"assignments", "client_hash", "mailbox_id", Keyed, RowGoes, false},
	{"assignments", "created_at", "mailbox_id", Clear, RowGoes, true},
	{"offers", "id", "mailbox_id", Clear, RowGoes, false},
	{"offers", "shift_id", "mailbox_id", Clear, RowGoes, true},
	{"offers", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"offers", "assignment_id", "mailbox_id", Clear, RowGoes, false},
	{"offers", "swap_id", "mailbox_id", Clear, RowGoes, false},
	{"offers", "state", "mailbox_id", Clear, RowGoes, true},
	{"offers", "by_what", "mailbox_id", Clear, RowGoes, true},
	{"offers", "expires_at", "mailbox_id", Clear, RowGoes, true},
	{"offers", "created_at", "mailbox_id", Clear, RowGoes, true},
	{"certificates", "id", "mailbox_id", Clear, RowGoes, false},
	{"certificates", "mailbox_id", "mailbox_id", Clear, RowGoes, false},
	{"certificates", "role", "mailbox_id", Clear, RowGoes, true},
	{"certificates", "done_on", "mailbox_id", Clear, RowGoes, true},
	{"certificates", "minutes", "mailbox_id", Clear, RowGoes, true},
	{"certificates", "name_sealed", "mailbox_id", Sealed, RowGoes, true},
	{"certificates", "state", "mailbox_id", Clear, RowGoes, true},
	{"certificates", "created_at", "mailbox_id", Clear, RowGoes, true},
}

// NotPersonal lists, table by table, the columns that say nothing about a person: ids, states, counts, times of the
// machinery, and what the organisation publishes about itself.
var NotPersonal = map[string][]string{
	"organisations": {
		"id", "name", "short_name", "legal_name", "postal_address", "phone", "from_name", "from_address", "reply_to", "time_zone",
		"languages", "accent", "crisis_line", "minimum_age", "smtp_host", "smtp_port", "smtp_tls", "smtp_username", "retention_months", "review_near_hours", "review_due_hours", "health_words", "mailings_most", "mailings_days", "setup_at",
		"created_at", "updated_at",
	},
	"site_texts":     {"id", "name", "locale", "body", "updated_by", "updated_at"},
	"vault_checks":   {"id", "key_id", "check_value", "created_at"},
	"sealing_keys":   {"key_id", "check_value", "state", "sealed_count", "created_at", "begun_at", "done_at"},
	"audit_entries":  {"id", "at", "actor_kind", "actor_id", "action", "object", "object_id", "details", "request_id"},
	"supporters":     {"id", "created_at", "updated_at"},
	"mailboxes":      {"id", "verified_at", "suppressed_at", "suppressed_reason", "created_at", "updated_at"},
	"consent_texts":  {"id", "purpose", "locale", "version", "body", "created_at"},
	"consents":       {"id", "evidence_id"},
	"users":          {"id", "chapter_id", "totp_since", "totp_last", "password_changed_at", "away_until", "disabled_at", "created_at", "updated_at"},
	"sessions":       {"id", "created_at", "seen_at", "expires_at", "second_step_at"},
	"invitations":    {"id", "role", "chapter_id", "invited_by", "created_at", "expires_at", "accepted_at", "revoked_at"},
	"login_links":    {"id", "created_at", "expires_at", "used_at"},
	"login_failures": {"id", "at"},
	"files":          {"id", "key_id", "chapter_id", "kind", "content_type", "size", "sha256", "store_key", "public", "state", "created_by", "created_at", "expires_at"},
	"campaigns": {
		"id", "slug", "title", "ask", "decider", "why_now", "system_change", "deadline", "state", "retention_months", "created_by", "created_at", "updated_at",
	},
	"petitions": {
		"id", "campaign_id", "slug", "state", "title", "summary", "body", "decider", "why_now", "system_change", "place", "goal", "locale",
		"picture_id", "author_id", "revision", "pending_count", "signature_count", "legacy_count", "legacy_source", "anonymised_at", "submitted_at", "published_at", "paused_at",
		"returned_at", "return_reason", "return_text", "reviewed_by", "deadline_at", "closed_at", "created_at", "updated_at",
		"picture_alt", "district_kind", "claimed_by", "claimed_at", "suspect_count", "paper_count", "response_from", "response_text", "responded_at",
		"outcome", "outcome_text", "answered_at", "outcome_told_at", "outcome_told_after", "outcome_told_count", "outcome_told_done_at", "breaker_at", "pressure_until", "edited_at", "proposed_edit", "proposed_at",
	},
	"signatures": {
		"id", "petition_id", "seat", "state", "display", "wants_updates", "consent_text_id", "source", "flag", "proof_hash", "suspect_reason", "code_tries", "number",
		"reminders", "reminded_at", "created_at", "withdrawn_at", "edited_at", "invalidation_id", "invalidated_at", "expires_at",
	},
	"posts": {"id", "campaign_id", "petition_id", "kind", "title", "body", "locale", "author_id", "published_at", "mail_state", "mailing_id", "created_at", "updated_at"},
	"mailings": {
		"id", "campaign_id", "petition_id", "segment_id", "chapter_id", "purpose", "scope_id", "subject", "preheader", "body", "locale", "state", "revision",
		"audience_count", "created_by", "created_at", "updated_at", "frozen_at", "finished_at", "paused_at", "paused_reason",
		"format", "plain", "variants", "names_cause", "public", "slug", "edited_by", "approval_asked_at", "approved_at", "approved_by", "approved_revision",
		"important", "send_at", "local_hour", "freeze_at", "expires_at", "test_percent", "test_minutes", "test_by_hand", "decide_at", "decided_at", "decided_by", "winner",
		"track_clicks", "audience", "later_at",
	},
	"mailing_texts":     {"id", "mailing_id", "locale", "format", "subject", "preheader", "variants", "body", "plain", "created_at", "updated_at"},
	"mailing_revisions": {"id", "mailing_id", "revision", "by_hand", "content", "created_by", "created_at"},
	"mail_templates":    {"id", "name", "chapter_id", "content", "created_by", "created_at"},
	"mail_pictures":     {"id", "name", "chapter_id", "file_id", "width", "height", "created_by", "created_at"},
	"deliveries": {
		"id", "subject_id", "mailing_id", "variant", "purpose", "scope_id", "dedupe_key", "priority", "state", "on_unknown", "attempt", "deferrals", "not_before",
		"lease_until", "node", "expires_at", "reply_code", "created_at", "updated_at",
	},
	"mail_rates":       {"key", "slices", "updated_at"},
	"mail_nodes":       {"node", "lease_until", "members"},
	"mailing_segments": {"mailing_id", "segment_id", "excluded"},
	"mailing_topics":   {"mailing_id", "topic_id"},
	"mailing_links":    {"id", "mailing_id", "number", "url"},
	"mailing_clicks":   {"link_id", "day", "clicks"},
	"unsubscribes":     {"delivery_id", "mailing_id", "how", "created_at"},
	"imports": {
		"id", "file_id", "run", "state", "dry_run", "mapping", "basis_purpose", "basis_scope_id", "basis_text", "basis_source",
		"basis_text_id", "locale", "rows_total", "rows_done", "new_count", "updated_count", "unchanged_count", "suppressed_count",
		"skipped_count", "consent_count", "held_count", "error_file_id", "message", "chapter_id", "source", "tag_id", "created_by", "created_at",
		"updated_at", "finished_at",
	},
	"inbound_reports":     {"id", "delivery_id", "status", "source", "state", "effect", "received_at", "handled_at"},
	"domain_troubles":     {"id", "domain", "status", "diagnostic", "count", "first_at", "last_at", "paused_until", "ended_at", "ended_by"},
	"inbound_sources":     {"id", "kind", "address", "host", "port", "tls", "folder", "afterwards", "move_to", "topic", "reading", "validity", "last_uid", "checked_at", "failed_at", "failure", "created_at", "updated_at"},
	"suppression_changes": {"id", "action", "reason", "created_by", "created_at"},
	"chapters":            {"id", "slug", "name", "postal_areas", "closed_at", "created_at", "updated_at"},
	"phones":              {"id", "valid", "created_at"},
	"tags":                {"id", "name", "name_key", "created_at"},
	"taggings":            {"created_at"},
	"custom_fields":       {"id", "name", "label", "kind", "choices", "private", "seen_by", "position", "archived_at", "created_at", "updated_at"},
	"field_values":        {"updated_at"},
	"notes":               {"id", "author_id", "created_at"},
	"divisions":           {"id", "ocd_id", "name", "country", "region", "kind", "same_as", "valid_from", "valid_through", "version", "created_at", "updated_at"},
	"postal_divisions":    {"country", "postal_area", "division_id", "kind", "version"},
	"boundaries":          {"id", "division_id", "shape", "west", "south", "east", "north", "version", "updated_at"},
	"supporter_divisions": {"version", "updated_at"},
	"duplicates":          {"id", "rules", "state", "decided_by", "created_at", "updated_at"},
	"merges":              {"id", "merged_by", "created_at", "undo_until", "undone_at"},
	"topics":              {"id", "slug", "name", "about", "position", "archived_at", "created_at", "updated_at"},
	"mail_keys":           {"id", "domain", "selector", "algorithm", "public_key", "state", "created_by", "created_at", "signing_at", "resting_at"},
	"domain_checks":       {"domain", "report", "checked_at"},
	"sending_limits":      {"id", "limits", "sends_from", "updated_by", "updated_at"},
	"partners":            {"id", "name", "website", "archived_at", "created_at", "updated_at"},
	"forms": {
		"id", "slug", "title", "intro", "thanks", "locale", "state", "questions", "consents", "tags", "chapter_id", "campaign_id", "embed_hosts",
		"submission_count", "revision", "created_by", "created_at", "updated_at",
	},
	"submissions": {"id", "state", "code_tries", "created_at", "expires_at"},
	"segments": {
		"id", "name", "about", "rule", "chapter_id", "frozen_at", "frozen_count", "revision", "archived_at", "created_by", "created_at", "updated_at",
	},
	"segment_members": {"segment_id"},
	"exports": {
		"id", "kind", "format", "segment_id", "chapter_id", "purpose", "scope_id", "columns", "state", "rows_done", "file_id", "message", "created_by",
		"created_at", "updated_at", "finished_at",
	},
	"erasures":            {"id", "how", "created_at"},
	"recovery_codes":      {"id", "created_at", "used_at"},
	"petition_starters":   {"id", "lead", "code_tries", "invited_by", "created_at"},
	"petition_texts":      {"id", "petition_id", "locale", "title", "summary", "body", "decider", "why_now", "system_change", "created_at", "updated_at"},
	"petition_claims":     {"id", "petition_id", "position", "claim", "source_title", "source_url"},
	"petition_edits":      {"id", "petition_id", "before", "reason", "signature_count", "edited_by", "created_at"},
	"petition_tallies":    {"petition_id", "kind", "name", "signed", "confirmed"},
	"petition_thresholds": {"id", "petition_id", "count", "effect", "next_goal", "goal_before", "reached_at", "created_at"},
	"paper_counts":        {"id", "petition_id", "division_id", "count", "note", "collected_at", "created_by", "created_at", "removed_at"},
	"signing_windows":     {"id", "petition_id", "note", "from_at", "until_at", "created_by", "created_at", "ended_at"},
	"abuse_rules":         {"id", "effect", "subject", "value", "note", "created_by", "created_at", "ended_at"},
	"invalidations":       {"id", "petition_id", "condition", "reason", "state", "matched", "done_count", "reverted_count", "created_by", "reverted_by", "created_at", "updated_at", "finished_at", "reverted_at"},
	"handovers":           {"id", "petition_id", "handed_at", "recipient", "handed_by", "note", "picture_id", "picture_alt", "signature_count", "paper_count", "created_by", "created_at"},
	"petition_packs":      {"id", "petition_id", "options", "state", "signature_count", "manifest", "file_id", "message", "created_by", "created_at", "updated_at", "finished_at"},
	"series": {
		"id", "name", "purpose", "scope_id", "petition_id", "chapter_id", "locale", "trigger_kind", "trigger_id", "trigger_date", "trigger_days", "lookback_days", "again_days",
		"quiet_from", "quiet_until", "state", "revision", "behind_seconds", "since", "scanned_at", "scanned_id", "swept_at", "live_at", "paused_at", "ended_at", "created_by",
		"created_at", "updated_at",
	},
	"series_steps": {
		"id", "series_id", "position", "kind", "wait_amount", "wait_unit", "until_weekday", "until_minute", "tag_id", "created_at", "updated_at", "removed_at",
	},
	"series_texts":       {"id", "step_id", "locale", "subject", "preheader", "body", "revision", "updated_at"},
	"series_exits":       {"id", "series_id", "kind", "object_id", "created_at"},
	"series_people":      {"id", "step_id", "done", "round", "due_at", "arrived_at", "updated_at"},
	"jurisdictions":      {"id", "code", "name", "country", "region", "created_at", "updated_at"},
	"chambers":           {"id", "jurisdiction_id", "code", "name", "member_title", "division_kind", "created_at", "updated_at"},
	"legislators":        {"id", "source", "external_id", "name", "given_name", "family_name", "suffix", "salutation", "created_at", "updated_at"},
	"terms":              {"id", "legislator_id", "chamber_id", "ocd_id", "division_id", "district", "title", "party", "seat_rank", "valid_from", "valid_through", "ended_at", "ended_by_hand", "version", "created_at", "updated_at"},
	"offices":            {"id", "legislator_id", "source_key", "kind", "name", "street", "city", "region", "postal_code", "country", "phone", "fax", "hours", "latitude", "longitude", "version", "created_at", "updated_at", "removed_at"},
	"channels":           {"id", "legislator_id", "office_id", "kind", "value", "position", "source", "bounced_at", "created_at", "updated_at", "removed_at"},
	"committees":         {"id", "jurisdiction_id", "chamber_id", "parent_id", "external_id", "name", "created_at", "updated_at", "removed_at"},
	"committee_members":  {"id", "committee_id", "legislator_id", "title", "rank", "created_at", "ended_at"},
	"legislator_imports": {"id", "kind", "name", "version", "checksum", "state", "file_id", "allow_leaving", "summary", "report", "message", "created_by", "created_at", "updated_at", "finished_at"},
	"legislator_changes": {"id", "import_id", "legislator_id", "kind", "before_text", "after_text", "created_by", "created_at"},
	"letter_campaigns":   {"id", "campaign_id", "slug", "state", "title", "summary", "body", "ask", "bill", "position", "subject", "prompt", "opening", "closing", "min_own_words", "locale", "opens_at", "closes_at", "max_letters", "max_recipients", "hourly_cap", "digest", "ask_answers", "positions", "minutes", "energy", "demands", "author_id", "revision", "letter_count", "return_text", "submitted_at", "published_at", "closed_at", "reviewed_by", "created_at", "updated_at"},
	"letter_texts":       {"id", "letter_campaign_id", "locale", "title", "summary", "body", "ask", "subject", "prompt", "opening", "closing", "created_at", "updated_at"},
	"letter_targets":     {"id", "letter_campaign_id", "position", "rule", "name", "chamber_id", "committee_id", "only_mine", "legislator_id"},
	"letter_points":      {"id", "letter_campaign_id", "target_id", "party", "locale", "position", "body", "source_title", "source_url"},
	"letters":            {"id", "letter_campaign_id", "state", "points", "chosen", "own_share", "own_words", "wants_copy", "keeps", "consent_text_id", "consents", "held_reason", "held_like", "held_at", "hold_told_at", "reviewed_by", "source", "code_tries", "resume_tries", "number", "minutes", "created_at", "updated_at", "released_at", "closed_at", "expires_at"},
	"letter_sketches":    {"letter_campaign_id", "band", "hash", "letter_id"},
	"dispatches":         {"id", "letter_id", "letter_campaign_id", "term_id", "state", "channel", "channel_id", "office_id", "tried", "delivery_id", "due_at", "handed_at", "done_at", "done_how", "remind_at", "asked_at", "asked_again_at", "answered_at", "closed_at", "closed_reason", "created_at", "updated_at"},
	"letter_paces":       {"legislator_id", "next_at", "updated_at"},
	"letter_replies":     {"id", "dispatch_id", "kind", "kept", "forwarded_at"},
	"positions":          {"id", "legislator_id", "letter_campaign_id", "stance", "source_title", "source_url", "note", "said_on", "created_by", "created_at", "meeting_id"},
	"advocacy_entries":   {"id", "campaign_id", "letter_campaign_id", "kind", "amount", "minutes", "note", "happened_on", "created_by", "created_at", "removed_at"},
	"petition_digests":   {"id", "petition_id", "every", "last_count", "before_count", "last_at", "stopped_at", "created_by", "created_at"},
	"events":             {"id", "campaign_id", "chapter_id", "slug", "state", "kind", "title", "summary", "body", "locale", "time_zone", "starts_on", "minutes", "recurrence", "ends_at", "venue", "place_name", "street", "city", "region", "postal_code", "country", "latitude", "longitude", "no_remote_why", "capacity", "waiting_list", "access", "access_contact_id", "types", "co_leader_wanted", "contact_name", "contact_email", "contact_phone", "created_by", "revision", "published_at", "cancelled_at", "cancel_note", "created_at", "updated_at"},
	"event_dates":        {"id", "event_id", "original_at", "starts_at", "extra", "cancelled_at", "note", "created_at", "updated_at"},
	"registrations":      {"consent_text_id", "code_tries", "reminded_at", "offered_until", "confirmed_at", "updated_at", "expires_at"},
	"event_messages":     {"id", "event_id", "occurs_at", "body", "recipients", "created_by", "created_at"},
	"volunteers":         {"id", "consent_text_id", "phone_text_id", "code_tries", "welcomed_at", "confirmed_at", "updated_at", "expires_at"},
	"onboarding_steps":   {"id", "name", "about", "position", "archived_at", "created_at", "updated_at"},
	"onboarding_marks":   {"done_by"},
	"pacings":            {"updated_at"},
	"rosters":            {"id", "campaign_id", "chapter_id", "event_id", "slug", "state", "template", "copied_from", "title", "summary", "body", "locale", "time_zone", "contact_name", "contact_phone", "opens_at", "created_by", "revision", "published_at", "closed_at", "created_at", "updated_at"},
	"teams":              {"id", "roster_id", "name", "place", "position", "created_at", "updated_at"},
	"shifts":             {"id", "roster_id", "team_id", "role", "role_kind", "kind", "starts_at", "ends_at", "minutes", "mode", "place", "minimum", "places", "standbys", "energy", "demands", "languages", "training", "area", "handover", "opens_at", "position", "cancelled_at", "settled_at", "filled", "head_count", "revision", "created_at", "updated_at"},
	"assignments":        {"by_hand", "consent_text_id", "code_tries", "reminded_at", "confirmed_at", "updated_at", "expires_at"},
	"offers":             {"wave", "sent_at", "closed_at"},
	"covers":             {"shift_id", "opened_at", "next_at", "wave", "phone_at", "updated_at"},
	"shift_events":       {"id", "shift_id", "kind", "at"},
	"shift_marks":        {"shift_id", "mark"},
	"roster_messages":    {"id", "roster_id", "shift_id", "team_id", "day", "subject", "body", "recipients", "created_by", "created_at"},
	"certificates":       {"roster_id", "given_by", "given_at"},
	"meeting_plans":      {"roster_id", "letter_campaign_id", "asks", "points", "roles", "minutes", "block_minutes", "break_minutes", "logged_at", "sent_at", "revision", "created_at", "updated_at"},
	"meetings":           {"id", "roster_id", "team_id", "legislator_id", "office_id", "state", "starts_at", "minutes", "mode", "place", "late_minutes", "follow_up_until", "followed_up_at", "noted_at", "thanks_shift_id", "thanked_at", "created_by", "revision", "created_at", "updated_at"},
	"meeting_asks":       {"id", "meeting_id", "position", "ask", "outcome"},
}

// sealKeys names the columns whose bytes, one after the other, are the row key that the sealed values of a table are bound to,
// where that is not the id.
var sealKeys = map[string][]string{
	"mailboxes":    {"address_hash"},
	"field_values": {"supporter_id", "field_id"},
	"pacings":      {"mailbox_id"},
}

// SealKey names the columns whose bytes, one after the other, are the row key of a table's sealed values: the 16 bytes of an id,
// or the bytes of a keyed hash.
func SealKey(table string) []string {
	if key := sealKeys[table]; key != nil {
		return key
	}
	return []string{"id"}
}

// SealedColumns lists the sealed columns by table.
func SealedColumns() map[string][]string {
	out := map[string][]string{}
	for _, p := range PersonalColumns {
		if p.Form == Sealed {
			out[p.Table] = append(out[p.Table], p.Column)
		}
	}
	return out
}
