package exports

import (
	"slices"
	"strings"

	"kithline/models/tables"
)

// everythingFormat is the version of the form of an export of everything. A program reads its own and every lower one.
const everythingFormat = 1

// LeftOutTables are the tables that an export of everything does not hold, and why.
var LeftOutTables = map[string]string{
	"sessions":        "whoever was signed in signs in again",
	"login_links":     "a link that was mailed works once, where it was made",
	"login_failures":  "they say nothing a day later",
	"recovery_codes":  "a second step of signing in is set up anew",
	"vault_checks":    "it belongs to the key of one server",
	"sealing_keys":    "it belongs to the keys of one server",
	"mail_keys":       "a secret: keys that sign mail are made anew",
	"domain_checks":   "DNS is asked anew",
	"pacings":         "what people plan with their energy is for them alone: each has it in the download of their own data",
	"shift_marks":     "they belong to the key of one server",
	"letter_sketches": "it belongs to the key of one server: letters find each other anew",
}

// LeftOutColumns are the columns that it does not hold, by table and column, and why.
var LeftOutColumns = map[string]string{
	"organisations.smtp_password_sealed": "a secret: it is typed in again",
	"inbound_sources.password_sealed":    "a secret: it is typed in again",
	"inbound_sources.secret_sealed":      "a secret: the address that a provider calls is made anew",
	"users.password_hash":                "a secret: people sign in by a mailed link, and may choose a password again",
	"users.password_changed_at":          "there is no password",
	"users.totp_secret_sealed":           "a secret: the second step is set up again before it is needed",
	"users.totp_since":                   "as above",
	"users.totp_last":                    "as above",
	"mailboxes.address_hash":             "made anew from the address, with the key of the server that reads it",
	"phones.number_hash":                 "made anew from the number, with the key of the server that reads it",
	"merges.before_sealed":               "a merge cannot be undone on another server",
	"files.key_id":                       "it belongs to the keys of one server",
	"signatures.client_hash":             "it is of one day, and of one server's key",
	"letters.client_hash":                "it is of one day, and of one server's key",
	"volunteers.client_hash":             "it is of one day, and of one server's key",
	"assignments.client_hash":            "it is of one day, and of one server's key",
	"registrations.client_hash":          "it is of one day, and of one server's key",
	"letter_replies.digest":              "it belongs to the key of one server, which tells by it what it has passed on",
	"letters.confirmed_digest":           "it belongs to the key of one server: what goes out is in the dispatches",
	"signatures.inbox_hash":              "it belongs to the key of one server",
	"signatures.proof_hash":              "it is of one form, on one server",
	"abuse_rules.address_hash":           "it belongs to the key of one server: addresses are listed again there",
	"files.store_key":                    "made anew: the content is a file of its own",
}

// sealedBy says which columns make up the row key of a sealed column. Every sealed column stands here or is left out.
var sealedBy = map[string][]string{
	"supporters.given_name_sealed":     {"id"},
	"supporters.family_name_sealed":    {"id"},
	"supporters.phone_sealed":          {"id"},
	"supporters.street_sealed":         {"id"},
	"supporters.city_sealed":           {"id"},
	"mailboxes.address_sealed":         {"address_hash"},
	"phones.number_sealed":             {"id"},
	"field_values.value_sealed":        {"supporter_id", "field_id"},
	"notes.body_sealed":                {"id"},
	"submissions.answers_sealed":       {"id"},
	"signatures.given_name_sealed":     {"id"},
	"signatures.family_name_sealed":    {"id"},
	"signatures.comment_sealed":        {"id"},
	"signatures.role_sealed":           {"id"},
	"petition_starters.name_sealed":    {"id"},
	"letters.given_name_sealed":        {"id"},
	"letters.family_name_sealed":       {"id"},
	"letters.street_sealed":            {"id"},
	"letters.city_sealed":              {"id"},
	"letters.phone_sealed":             {"id"},
	"letters.subject_sealed":           {"id"},
	"letters.own_words_sealed":         {"id"},
	"dispatches.subject_sealed":        {"id"},
	"volunteers.given_name_sealed":     {"id"},
	"volunteers.family_name_sealed":    {"id"},
	"volunteers.phone_sealed":          {"id"},
	"volunteers.note_sealed":           {"id"},
	"volunteers.remark_sealed":         {"id"},
	"assignments.given_name_sealed":    {"id"},
	"assignments.family_name_sealed":   {"id"},
	"assignments.phone_sealed":         {"id"},
	"shifts.join_sealed":               {"id"},
	"meetings.join_sealed":             {"id"},
	"meetings.access_sealed":           {"id"},
	"meetings.notes_sealed":            {"id"},
	"meetings.follow_up_sealed":        {"id"},
	"certificates.name_sealed":         {"id"},
	"events.join_sealed":               {"id"},
	"events.dial_sealed":               {"id"},
	"registrations.given_name_sealed":  {"id"},
	"registrations.family_name_sealed": {"id"},
	"registrations.needs_sealed":       {"id"},
	"dispatches.text_sealed":           {"id"},
	"letter_replies.body_sealed":       {"id"},
	"users.name_sealed":                {"id"},
	"files.name_sealed":                {"id"},
	"suppression_changes.note_sealed":  {"id"},
}

// rests are the columns that hold bytes which are neither sealed nor a hash of the key: they travel as base64.
var rests = []string{"boundaries.shape", "erasures.address_hash"}

// outName is what a column is called in the files: what was sealed is in clear there.
func outName(column string) string { return strings.TrimSuffix(column, "_sealed") }

// outKind is how its values are written.
func outKind(table string, c tables.Column) tables.Kind {
	if sealedBy[table+"."+c.Name] != nil {
		return tables.Text
	}
	return c.Kind
}

// carried lists the columns of a table that are in its file.
func carried(t tables.Table) []tables.Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c tables.Column) bool {
		_, out := LeftOutColumns[t.Name+"."+c.Name]
		return out
	})
}
