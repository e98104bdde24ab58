package petitions

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/models"
)

// SourceDirect is, in a condition, the source of who came straight to the page.
const SourceDirect = "-"

// ReasonTakenOut is why a signature is suspect that waited for its mail's button while those like it were taken out of the count.
const ReasonTakenOut = "taken_out"

// SuspectReasons lists every reason for which a signature can be suspect, the gravest first.
var SuspectReasons = append(slices.Clone(abuse.Reasons), ReasonTakenOut)

// Condition picks signatures of one petition by what they have in common: every part that is set must be true. It never looks at a
// name, a place or a role. Its JSON is kept with the invalidation.
type Condition struct {
	From   *time.Time `json:"from,omitempty"`  // signed at or after
	Until  *time.Time `json:"until,omitempty"` // signed before
	Domain string     `json:"domain,omitempty"`
	Source string     `json:"source,omitempty"` // SourceDirect for none
	Reason string     `json:"reason,omitempty"` // one of SuspectReasons
	Flag   string     `json:"flag,omitempty"`
	Device string     `json:"device,omitempty"` // hexadecimal: models.Signature.ClientHash
	Let    bool       `json:"let,omitempty"`    // the other way: suspect ones of Reason are let in
}

// Empty reports whether the condition would pick everything.
func (c Condition) Empty() bool {
	return c.From == nil && c.Until == nil && c.Domain == "" && c.Source == "" && c.Reason == "" && c.Flag == "" && c.Device == ""
}

// String is the JSON of the condition.
func (c Condition) String() string {
	b, _ := json.Marshal(c) // never fails: texts and times
	return string(b)
}

// conditionMax is the longest JSON that is read.
const conditionMax = 2000

var errCondition = errors.New("petitions: a condition that nobody wrote")

// parseCondition reads what String wrote.
func parseCondition(v string) (Condition, error) {
	var c Condition
	if len(v) > conditionMax {
		return c, errCondition
	}
	d := json.NewDecoder(strings.NewReader(v))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || d.More() {
		return Condition{}, errCondition
	}
	return c.check()
}

// check brings a condition to its one form. The fault is Invalid with the fields from, until, domain, source, reason, flag and device;
// or with condition, where nothing is set.
func (c Condition) check() (Condition, error) {
	var bad fault.Fields
	for _, t := range []struct {
		name string
		at   **time.Time
	}{{"from", &c.From}, {"until", &c.Until}} {
		if at := *t.at; at != nil {
			if at.Year() < 2000 || at.Year() > 2200 {
				bad.Add(t.name, "error.abuse_time")
			}
			u := at.UTC().Truncate(time.Microsecond)
			*t.at = &u
		}
	}
	if c.From != nil && c.Until != nil && !c.Until.After(*c.From) {
		bad.Add("until", "error.abuse_window_order")
	}
	if c.Domain = strings.TrimPrefix(strings.TrimSpace(c.Domain), "@"); c.Domain != "" {
		_, domain, err := address.CanonicalAddress("x@" + c.Domain)
		if err != nil {
			bad.Add("domain", "error.abuse_domain")
		}
		c.Domain = domain
	}
	if c.Source != "" && c.Source != SourceDirect {
		if code := sourceCode(c.Source); code == "" {
			bad.Add("source", "error.value_unknown")
		} else {
			c.Source = code
		}
	}
	if c.Reason != "" && !slices.Contains(SuspectReasons, c.Reason) {
		bad.Add("reason", "error.value_unknown")
	}
	if c.Flag != "" && !slices.Contains(abuse.Flags, c.Flag) {
		bad.Add("flag", "error.value_unknown")
	}
	if c.Device != "" {
		c.Device = strings.ToLower(c.Device)
		if b, err := hex.DecodeString(c.Device); err != nil || len(b) != 32 {
			bad.Add("device", "error.value_unknown")
		}
	}
	if c.Let && (c != Condition{Reason: c.Reason, Let: true} || c.Reason == "") {
		bad.Add("condition", "error.abuse_condition")
	}
	if len(bad) == 0 && c.Empty() {
		bad.Add("condition", "error.abuse_condition")
	}
	if err := bad.Err(); err != nil {
		return Condition{}, err
	}
	return c, nil
}

// where is the condition as SQL, with its values bound: no text of a condition is part of it. The signatures are called s.
func (c Condition) where(petition uuid.UUID) (string, []any) {
	parts, args := []string{"s.petition_id = ?"}, []any{petition}
	add := func(sql string, values ...any) { parts, args = append(parts, sql), append(args, values...) }
	if c.From != nil {
		add("s.created_at >= ?", *c.From)
	}
	if c.Until != nil {
		add("s.created_at < ?", *c.Until)
	}
	if c.Domain != "" { // letters, digits, hyphens and dots: nothing that LIKE would read
		add("EXISTS (SELECT 1 FROM mailboxes m WHERE m.id = s.mailbox_id AND (m.domain = ? OR m.domain LIKE ?))", c.Domain, "%."+c.Domain)
	}
	switch c.Source {
	case "":
	case SourceDirect:
		add("s.source = ''")
	default:
		add("s.source = ?", c.Source)
	}
	if c.Reason != "" {
		add("s.suspect_reason = ?", c.Reason)
	}
	if c.Flag != "" {
		add("s.flag = ?", c.Flag)
	}
	if c.Device != "" {
		b, _ := hex.DecodeString(c.Device) // checked
		add("s.client_hash = ?", b)
	}
	return strings.Join(parts, " AND "), args
}

// counted picks what an invalidation takes out of the count, waiting what it only holds back. The signatures are called s.
const (
	countedNow = "(s.state = 'confirmed' OR s.state = 'suspect' AND s.confirmed_at IS NOT NULL)"
	waitingNow = "(s.state = 'pending' AND s.confirmed_at IS NULL)"
	suspectNow = "s.state = 'suspect'"
)

// touches reports whether an invalidation by the condition changes a signature that it picks.
func (c Condition) touches(sig models.Signature) bool {
	if c.Let {
		return sig.State == models.SignatureSuspect && sig.SuspectReason == c.Reason
	}
	return sig.State == models.SignatureConfirmed || heldBack(sig) || sig.State == models.SignaturePending && sig.ConfirmedAt == nil
}

// sql is where, narrowed to what an invalidation changes.
func (c Condition) sql(petition uuid.UUID) (string, []any) {
	where, args := c.where(petition)
	if c.Let {
		return where + " AND " + suspectNow, args
	}
	return where + " AND (" + countedNow + " OR " + waitingNow + ")", args
}
