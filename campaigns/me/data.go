package me

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/audit"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/tables"

	"gorm.io/gorm"
)

// What is downloaded is decided by models.PersonalColumns: every column there that is marked for download, of every row whose
// owner is the person. Here stands only what makes it readable: further columns of the same rows that name nobody, and the
// names of the things that ids point to.

// also lists columns that help to read a table's rows, and which of its columns they are sorted by.
var also = map[string]struct {
	columns []string
	by      string
}{
	"mailboxes":         {[]string{"verified_at", "suppressed_at", "created_at"}, "created_at"},
	"supporters":        {[]string{"created_at"}, "created_at"},
	"phones":            {[]string{"created_at"}, "created_at"},
	"taggings":          {[]string{"created_at"}, "created_at"},
	"notes":             {[]string{"created_at"}, "created_at"},
	"submissions":       {[]string{"state", "created_at"}, "created_at"},
	"signatures":        {[]string{"petition_id", "state", "display", "created_at", "withdrawn_at"}, "created_at"},
	"petition_starters": {[]string{"created_at"}, "created_at"},
	"deliveries":        {[]string{"mailing_id", "state", "created_at"}, "created_at"},
	"consents":          {nil, "given_at"},
	"series_people":     {nil, "entered_at"},
	"letters":           {[]string{"letter_campaign_id", "state", "created_at"}, "created_at"},
	"dispatches":        {[]string{"letter_campaign_id", "channel", "handed_at", "created_at"}, "created_at"},
	"letter_replies":    {nil, "received_at"},
	"volunteers":        {nil, "created_at"},
	"onboarding_marks":  {nil, "done_at"},
	"certificates":      {nil, "created_at"},
	"assignments":       {nil, "created_at"},
	"offers":            {nil, "created_at"},
	"registrations":     {nil, "created_at"},
}

// named says which column of which table stands for an id. What a consent is about depends on its purpose.
var named = map[string][2]string{
	"supporters.chapter_id":           {"chapters", "name"},
	"taggings.tag_id":                 {"tags", "name"},
	"field_values.field_id":           {"custom_fields", "label"},
	"supporter_divisions.division_id": {"divisions", "name"},
	"submissions.form_id":             {"forms", "title"},
	"consents.text_id":                {"consent_texts", "body"},
	"signatures.petition_id":          {"petitions", "title"},
	"petition_starters.petition_id":   {"petitions", "title"},
	"deliveries.mailing_id":           {"mailings", "subject"},
	"series_people.series_id":         {"series", "name"},
	"letters.letter_campaign_id":      {"letter_campaigns", "title"},
	"dispatches.letter_campaign_id":   {"letter_campaigns", "title"},
	"dispatches.legislator_id":        {"legislators", "name"},
	"onboarding_marks.step_id":        {"onboarding_steps", "name"},
	"assignments.shift_id":            {"shifts", "role"},
	"offers.shift_id":                 {"shifts", "role"},
	"registrations.event_id":          {"events", "title"},
}

// spoken are the columns whose values are words of the program, each with the beginning of their locale keys.
var spoken = map[string]string{
	"consents.purpose": "me.data_purpose_", "consents.how": "me.how_", "signatures.display": "me.data_display_", "signatures.state": "me.data_state_", "signatures.role_sealed": "sign.role_",
	"submissions.state": "me.data_state_", "series_people.state": "series.person_", "series_people.reason": "series.left_",
	"volunteers.state": "me.data_volunteer_", "volunteers.ask_by": "volunteers.ask_", "certificates.state": "me.data_certificate_",
	"assignments.as_what": "rosters.as_", "assignments.state": "me.data_place_", "assignments.ask_by": "rosters.ask_", "offers.state": "me.data_offer_", "offers.by_what": "rosters.ask_",
	"letters.state": "me.data_letter_", "dispatches.channel": "me.data_channel_", "dispatches.answer": "me.data_answer_",
	"registrations.state": "me.data_registration_", "registrations.attends": "events.way_",
}

// Part is what one table has about the person.
type Part struct {
	Table   string
	Columns []string
	Rows    [][]any // of nil, string, int64, float64, bool, time.Time, and json.RawMessage for what has a form of its own
}

// Data is everything that is kept about a person, for them to take home.
type Data struct {
	Organisation string
	Address      string
	MadeAt       time.Time
	Parts        []Part // those that have rows, in the order of the registry
}

// Downloading reads what a link that downloads is about, and changes nothing. The faults are those of Show.
func (s *Service) Downloading(ctx context.Context, token string) (string, error) {
	v, err := s.who(ctx, tokens.Download, token)
	return v.Address, err
}

// Download collects everything that is kept about the person of a link that downloads. No other link does. It is written down
// that it was asked for. The faults are those of Show.
func (s *Service) Download(ctx context.Context, token, lang string) (Data, error) {
	now := s.o.Clock.Now()
	d := Data{MadeAt: now}
	p, err := s.open(ctx, s.o.DB.DB, tokens.Download, token)
	if err != nil {
		return d, err
	}
	o, err := s.o.Organisation.Current(ctx)
	if err != nil {
		return d, err
	}
	d.Organisation = o.Name
	if d.Address, err = s.address(p.box); err != nil {
		return d, err
	}
	if d.Parts, err = s.collect(ctx, p, lang); err != nil {
		return d, err
	}
	return d, s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, p.actor(ctx), now, "person.download", "mailboxes", p.Mailbox, nil)
	})
}

// collect reads the registered columns.
func (s *Service) collect(ctx context.Context, p person, lang string) ([]Part, error) {
	db, err := s.o.DB.DB.DB()
	if err != nil {
		return nil, err
	}
	schema, err := tables.Read(ctx, db, s.o.DB.Postgres())
	if err != nil {
		return nil, err
	}
	var users []uuid.UUID
	if err := s.o.DB.WithContext(ctx).Model(&models.User{}).Where("mailbox_id IN ?", p.Mailboxes).Pluck("id", &users).Error; err != nil {
		return nil, err
	}
	owners := map[models.Whose][]uuid.UUID{models.OfMailbox: p.Mailboxes, models.OfUser: users}
	if p.supporter != nil {
		owners[models.OfSupporter] = []uuid.UUID{p.Supporter}
	}
	var out []Part
	for _, name := range downloaded() {
		part, err := s.part(ctx, name, schema[name], owners, lang)
		if err != nil {
			return nil, fmt.Errorf("me: download of %s: %w", name, err)
		}
		if len(part.Rows) > 0 {
			out = append(out, part)
		}
	}
	return out, nil
}

// downloaded lists the tables with columns for the download, in the order of the registry.
func downloaded() []string {
	var out []string
	for _, p := range models.PersonalColumns {
		if p.Download && !slices.Contains(out, p.Table) {
			out = append(out, p.Table)
		}
	}
	return out
}

// columnsOf lists the columns of a table that go into the download, those of the registry first.
func columnsOf(table string) (columns []string, sealed map[string]bool, owner string, whose models.Whose) {
	sealed = map[string]bool{}
	for _, p := range models.PersonalColumns {
		if p.Table != table || !p.Download {
			continue
		}
		columns = append(columns, p.Column)
		sealed[p.Column] = p.Form == models.Sealed
		owner, whose = p.Owner, p.Whose()
	}
	return append(columns, also[table].columns...), sealed, owner, whose
}

func (s *Service) part(ctx context.Context, table string, stored []tables.Stored, owners map[models.Whose][]uuid.UUID, lang string) (Part, error) {
	columns, sealed, owner, whose := columnsOf(table)
	part := Part{Table: table, Columns: columns}
	ids := owners[whose]
	if len(ids) == 0 {
		return part, nil
	}
	read := slices.Clone(columns)
	for _, k := range models.SealKey(table) { // to open what is sealed
		if len(sealed) > 0 && !slices.Contains(read, k) && slices.ContainsFunc(stored, func(c tables.Stored) bool { return c.Name == k }) {
			read = append(read, k)
		}
	}
	t := tables.Table{Name: table}
	for _, name := range read {
		i := slices.IndexFunc(stored, func(c tables.Stored) bool { return c.Name == name })
		if i < 0 {
			return part, fmt.Errorf("there is no column %s", name)
		}
		t.Columns = append(t.Columns, stored[i].Column)
	}
	query := "SELECT " + tables.Selected(t, s.o.DB.Postgres()) + " FROM " + tables.Quote(table) + " WHERE " + tables.Quote(owner) + " IN ?"
	if by := also[table].by; by != "" {
		query += " ORDER BY " + tables.Quote(by)
	}
	rows, err := s.o.DB.WithContext(ctx).Raw(query, ids).Rows()
	if err != nil {
		return part, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		r := tables.NewRow(t.Columns)
		if err := rows.Scan(r.Values...); err != nil {
			return part, err
		}
		values := make([]any, len(read))
		for i := range read {
			values[i] = plain(r.Values[i])
		}
		if err := s.unseal(table, read, sealed, values); err != nil {
			return part, err
		}
		part.Rows = append(part.Rows, values[:len(columns)])
	}
	if err := rows.Err(); err != nil {
		return part, err
	}
	return part, s.say(ctx, &part, lang)
}

// plain takes a value out of its sql.Null*.
func plain(v any) any {
	switch v := v.(type) {
	case *sql.NullString:
		if v.Valid {
			return v.String
		}
	case *sql.NullInt64:
		if v.Valid {
			return v.Int64
		}
	case *sql.NullFloat64:
		if v.Valid {
			return v.Float64
		}
	case *sql.NullBool:
		if v.Valid {
			return v.Bool
		}
	case *sql.NullTime:
		if v.Valid {
			return v.Time.UTC()
		}
	case *sql.Null[[]byte]:
		if v.Valid {
			return v.V
		}
	}
	return nil
}

// unseal opens the sealed values of a row in their places.
func (s *Service) unseal(table string, columns []string, sealed map[string]bool, values []any) error {
	var key []byte
	for _, k := range models.SealKey(table) {
		i := slices.Index(columns, k)
		if i < 0 {
			continue // a table without sealed values
		}
		switch v := values[i].(type) {
		case []byte:
			key = append(key, v...)
		case string:
			id, err := uuid.Parse(v)
			if err != nil {
				return err
			}
			key = append(key, id[:]...)
		}
	}
	for i, c := range columns {
		b, ok := values[i].([]byte)
		if !sealed[c] || !ok {
			continue
		}
		open, err := s.o.Vault.OpenBytes(table, c, key, b)
		if err != nil {
			return err
		}
		values[i] = string(open)
	}
	return nil
}

// say puts the values of a part into words.
func (s *Service) say(ctx context.Context, part *Part, lang string) error {
	db := s.o.DB.WithContext(ctx)
	for i, c := range part.Columns {
		where := part.Table + "." + c
		to, ok := named[where]
		if where == "consents.scope_id" {
			if err := s.sayScopes(ctx, part, i); err != nil {
				return err
			}
		}
		if key := spoken[where]; key != "" {
			for _, r := range part.Rows {
				if v, _ := r[i].(string); v != "" {
					r[i] = s.o.Words(lang, key+v)
				}
			}
		}
		if where == "deliveries.kind" {
			for _, r := range part.Rows {
				if v, _ := r[i].(string); v != "" {
					r[i] = s.o.Words(lang, MailKey(v))
				}
			}
		}
		if !ok {
			continue
		}
		names, err := namesOf(db, to[0], to[1], ids(part.Rows, i))
		if err != nil {
			return err
		}
		for _, r := range part.Rows {
			if v, _ := r[i].(string); v != "" {
				r[i] = names[v]
			}
		}
	}
	if part.Table == "submissions" {
		return s.sayForms(ctx, part)
	}
	return nil
}

func ids(rows [][]any, i int) []string {
	var out []string
	for _, r := range rows {
		if v, _ := r[i].(string); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func namesOf(db *gorm.DB, table, column string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for part := range slices.Chunk(list, 500) {
		var rows []struct {
			ID   uuid.UUID
			Name string
		}
		if err := db.Session(&gorm.Session{}).Table(table).Select("id, "+column+" AS name").Where("id IN ?", part).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.ID.String()] = r.Name
		}
	}
	return out, nil
}

// sayScopes names what consents are about.
func (s *Service) sayScopes(ctx context.Context, part *Part, i int) error {
	db := s.o.DB.WithContext(ctx)
	all := map[string]string{uuid.Nil.String(): ""}
	for table, column := range map[string]string{"campaigns": "title", "topics": "name", "partners": "name"} {
		names, err := namesOf(db, table, column, ids(part.Rows, i))
		if err != nil {
			return err
		}
		for id, name := range names {
			all[id] = name
		}
	}
	for _, r := range part.Rows {
		if v, ok := r[i].(string); ok {
			r[i] = all[v]
		}
	}
	return nil
}

var idForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// sayForms puts names for the ids in what forms keep as JSON, and lets it stand as JSON.
func (s *Service) sayForms(ctx context.Context, part *Part) error {
	db := s.o.DB.WithContext(ctx)
	var places [][2]int
	var list []string
	for i, c := range part.Columns {
		if c != "answers_sealed" && c != "consents" {
			continue
		}
		for n, r := range part.Rows {
			if v, _ := r[i].(string); json.Valid([]byte(v)) {
				places = append(places, [2]int{n, i})
				list = append(list, idForm.FindAllString(v, -1)...)
			}
		}
	}
	sort.Strings(list)
	list = slices.Compact(list)
	all := map[string]string{}
	for _, t := range [][2]string{{"custom_fields", "label"}, {"campaigns", "title"}, {"topics", "name"}, {"partners", "name"}, {"tags", "name"}, {"consent_texts", "body"}} {
		names, err := namesOf(db, t[0], t[1], list)
		if err != nil {
			return err
		}
		for id, name := range names {
			all[id] = name
		}
	}
	for _, at := range places {
		v := part.Rows[at[0]][at[1]].(string)
		v = idForm.ReplaceAllStringFunc(v, func(id string) string {
			name, ok := all[id]
			if !ok {
				return id
			}
			b, err := json.Marshal(name)
			if err != nil {
				return id
			}
			return strings.TrimSuffix(strings.TrimPrefix(string(b), `"`), `"`)
		})
		part.Rows[at[0]][at[1]] = json.RawMessage(v)
	}
	return nil
}

// mailKeys are the kinds of mails that a person gets, in words.
var mailKeys = map[string]string{
	"mailing": "me.mail_mailing", "series": "me.mail_mailing", "petition_confirm": "me.mail_confirm", "petition_already": "me.mail_already", "petition_reminder": "me.mail_confirm", "petition_receipt": "sign.mail_receipt", "join_confirm": "me.mail_confirm",
	"letter_confirm": "me.mail_confirm", "letter_resume": "me.mail_confirm", "letter_copy": "me.mail_letter", "letter_held": "me.mail_letter",
	"petition_outcome": "me.mail_outcome", "petition_digest": "me.mail_digest", "petition_digest_confirm": "me.mail_confirm",
	"letter_rejected": "me.mail_letter_rejected", "letter_reply": "me.mail_letter", "letter_question": "me.mail_letter", "letter_by_hand": "me.mail_letter", "letter_retarget": "me.mail_letter",
	"roster_confirm": "me.mail_confirm", "roster_receipt": "me.mail_roster", "roster_reminder": "me.mail_roster", "roster_let_go": "me.mail_roster",
	"volunteer_confirm": "me.mail_confirm", "volunteer_welcome": "me.mail_welcome", "volunteer_certificate": "me.mail_certificate",
	KindLink: "me.mail_link", KindDownload: "me.mail_link", KindErase: "me.mail_link", "user_login_link": "me.mail_account", "user_invitation": "me.mail_account",
	"user_password_changed": "me.mail_account", "user_two_step": "me.mail_account", "letter_state": "me.mail_account", "petition_state": "me.mail_account", "petition_edit": "me.mail_account", "petition_threshold": "me.mail_account",
}

// MailKey is the locale key that says what a mail of a kind was.
func MailKey(kind string) string {
	if key := mailKeys[kind]; key != "" {
		return key
	}
	return "me.mail_other"
}
