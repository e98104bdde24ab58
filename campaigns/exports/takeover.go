package exports

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/models/tables"
)

// Taken is what reading an export of everything did.
type Taken struct {
	From            Everything       `json:"-"`
	Rows            map[string]int64 `json:"rows"`
	Files           int              `json:"files"`
	MissingFiles    int              `json:"missing_files"`    // rows whose content was not in the export
	LostErasures    int64            `json:"lost_erasures"`    // entries of erased people that are worth nothing under this key
	UnknownColumns  []string         `json:"unknown_columns"`  // were in the files and have no place here
	Accounts        int64            `json:"accounts"`         // came without passwords
	PausedMailings  int64            `json:"paused_mailings"`  //
	ExpiredReceipts int64            `json:"expired_receipts"` // the server that wrote the export sends them
}

// AllRows is the number of rows that were taken.
func (t Taken) AllRows() (n int64) {
	for _, r := range t.Rows {
		n += r
	}
	return n
}

// Told is told how far a reading is: the table, or "files".
type Told func(what string, done, total int64)

// TakeOver reads an export of everything, a folder or a ZIP, into an empty Kithline, whole or not at all. What was in clear is
// sealed with the key of here, and what is looked up by is made anew. Accounts come without passwords and second steps: their
// people sign in by a mailed link, and have the widest rights once their second step is set up. Mailings come paused, and
// receipts that waited are left to the server that wrote the export. It needs the right actor.Administer. The faults are
// Conflict, error.restore_not_empty; Invalid, error.everything_unknown, error.everything_newer and error.everything_damaged.
func (s *Service) TakeOver(ctx context.Context, a actor.Actor, from fs.FS, told Told) (done Taken, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return done, err
	}
	if told == nil {
		told = func(string, int64, int64) {}
	}
	if done.From, err = head(from); err != nil {
		return done, err
	}
	target, err := migrations.Target(s.DB)
	if err != nil {
		return done, err
	}
	if done.From.Format > everythingFormat || done.From.Schema > target {
		return done, fault.New(fault.Invalid, "error.everything_newer", "Version", done.From.Version)
	}
	r := &reader{s: s, ctx: ctx, from: from, done: &done, told: told}
	done.Rows = map[string]int64{}
	// Not DB.Tx: the database is empty and ours alone, and contents of files are stored on the way.
	err = s.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		r.tx = tx
		if err := r.empty(); err != nil {
			return err
		}
		if err := r.read(); err != nil {
			return err
		}
		now := s.Clock.Now()
		if err := r.settle(now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "everything.take_over", "exports", uuid.Nil, map[string]any{
			"made_at": done.From.MadeAt, "version": done.From.Version, "rows": done.AllRows(), "files": done.Files, "lost_erasures": done.LostErasures,
		})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) { // SQLite says so at the commit
		err = damaged(err)
	}
	if err != nil {
		return done, err // contents without rows are swept by the server, a day later
	}
	return done, s.DB.WithContext(ctx).Exec("ANALYZE").Error // statements prepared on empty tables would keep bad plans
}

func damaged(what error) error {
	var known *fault.Error
	if errors.As(what, &known) || errors.Is(what, context.Canceled) || errors.Is(what, context.DeadlineExceeded) {
		return what
	}
	return fault.Because(what, fault.Invalid, "error.everything_damaged")
}

// maxHead is the most that kithline.json may have, in bytes.
const maxHead = 16 << 20

func head(from fs.FS) (e Everything, err error) {
	unknown := func(err error) error { return fault.Because(err, fault.Invalid, "error.everything_unknown") }
	f, err := from.Open("kithline.json")
	if err != nil {
		return e, unknown(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxHead))
	if err != nil {
		return e, damaged(err)
	}
	if err := json.Unmarshal(b, &e); err != nil || e.Format < 1 || len(e.Tables) == 0 {
		return e, unknown(errors.Join(err, errors.New("kithline.json is not that of an export of everything")))
	}
	return e, nil
}

// reader reads an export of everything within one transaction.
type reader struct {
	s    *Service
	ctx  context.Context
	tx   *gorm.DB
	from fs.FS
	done *Taken
	told Told
	in   *tables.Loader
}

// empty refuses a database that somebody uses. An organisation that was never set up makes room.
func (r *reader) empty() error {
	if err := r.tx.Exec("DELETE FROM organisations WHERE setup_at IS NULL").Error; err != nil {
		return err
	}
	names, err := tables.Own()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "vault_checks" || name == "sealing_keys" {
			continue
		}
		var rows bool
		if err := r.tx.Raw("SELECT EXISTS (SELECT 1 FROM " + tables.Quote(name) + ")").Scan(&rows).Error; err != nil {
			return err
		}
		if rows {
			return fault.New(fault.Conflict, "error.restore_not_empty", "Table", name)
		}
	}
	return nil
}

func (r *reader) read() error {
	names, err := tables.Own()
	if err != nil {
		return err
	}
	if r.in, err = tables.Open(r.ctx, r.tx, names); err != nil {
		return err
	}
	q, err := r.in.Querier()
	if err != nil {
		return err
	}
	order, err := tables.Ordered(r.ctx, q, r.s.DB.Postgres(), names)
	if err != nil {
		return err
	}
	for _, name := range order {
		i := slices.IndexFunc(r.done.From.Tables, func(l Listed) bool { return l.Name == name })
		if _, out := LeftOutTables[name]; out || i < 0 {
			continue // a table that came later is empty
		}
		if err := r.table(r.done.From.Tables[i]); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	return r.in.Close()
}

func (r *reader) table(l Listed) (err error) {
	f, err := r.from.Open(l.File)
	if err != nil {
		return damaged(err)
	}
	defer func() { _ = f.Close() }()
	src := &rowSource{r: r, lines: bufio.NewReaderSize(f, 64<<10), name: l.Name, total: l.Rows}
	for _, c := range r.in.Have[l.Name] {
		src.table.Columns = append(src.table.Columns, c.Column)
		src.kinds = append(src.kinds, outKind(l.Name, c.Column))
		src.names = append(src.names, outName(c.Name))
	}
	src.table.Name = l.Name
	src.values = make([]any, len(src.table.Columns))
	if src.convert, err = r.in.Converters(src.table, func(column string) { src.wrong(fmt.Errorf("%s is not an id", column)) }); err != nil {
		return damaged(err)
	}
	if src.nullable, err = r.nullable(l.Name); err != nil {
		return err
	}
	err = r.in.Load(src.table, src)
	if src.err != nil {
		err = src.err
	}
	if database.Refused(err) {
		err = damaged(err)
	}
	if err == nil && src.n != l.Rows {
		err = damaged(fmt.Errorf("%d rows instead of %d", src.n, l.Rows))
	}
	r.done.Rows[l.Name] = src.n - src.skipped
	r.told(l.Name, src.n, l.Rows)
	return err
}

// nullable lists the columns of a table that may be NULL.
func (r *reader) nullable(table string) (map[string]bool, error) {
	query := "SELECT name FROM pragma_table_info(?) WHERE \"notnull\" = 0 AND pk = 0"
	if r.s.DB.Postgres() {
		query = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ? AND is_nullable = 'YES'"
	}
	var names []string
	if err := r.tx.Raw(query, table).Scan(&names).Error; err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out, nil
}

// rowSource turns the lines of a file into rows of a table, sealed and hashed anew.
type rowSource struct {
	r        *reader
	lines    *bufio.Reader
	name     string
	table    tables.Table
	names    []string // in the file
	kinds    []tables.Kind
	nullable map[string]bool
	convert  []func(any) any
	values   []any
	set      []bool
	n, total int64
	skipped  int64
	err      error
}

func (s *rowSource) wrong(err error) {
	if s.err == nil {
		s.err = damaged(fmt.Errorf("row %d: %w", s.n+1, err))
	}
}

// Values is part of tables.Source.
func (s *rowSource) Values() ([]any, error) { return s.values, nil }

// Err is part of tables.Source.
func (s *rowSource) Err() error { return s.err }

// maxLine is the longest line that is read, in bytes.
const maxLine = 64 << 20

// line reads the next line without its end.
func (s *rowSource) line() ([]byte, error) {
	line, err := s.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := slices.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) && len(long) < maxLine {
			line, err = s.lines.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimSuffix(line, []byte("\n")), err
}

// Next is part of tables.Source.
func (s *rowSource) Next() bool {
	for s.err == nil {
		line, err := s.line()
		if errors.Is(err, io.EOF) {
			return false
		}
		if err == nil {
			err = s.parse(line)
		}
		if err != nil {
			s.wrong(err)
			return false
		}
		take, err := s.anew()
		if err != nil {
			s.wrong(err)
			return false
		}
		if s.n++; s.n%5000 == 0 {
			s.r.told(s.name, s.n, s.total)
		}
		if !take {
			s.skipped++
			continue
		}
		for i, c := range s.convert {
			if c != nil && s.values[i] != nil {
				s.values[i] = c(s.values[i])
			}
		}
		return s.err == nil
	}
	return false
}

// parse reads one JSON object into values. What is not in it is empty, or NULL where the column takes that.
func (s *rowSource) parse(b []byte) error {
	s.set = append(s.set[:0], make([]bool, len(s.values))...)
	rest := b
	eat := func(c byte) bool {
		if len(rest) > 0 && rest[0] == c {
			rest = rest[1:]
			return true
		}
		return false
	}
	if !eat('{') {
		return tables.ErrLine
	}
	next := 0
	for first := true; !eat('}'); first = false {
		if !first && !eat(',') {
			return tables.ErrLine
		}
		key, after, err := tables.Str(rest)
		if err != nil {
			return err
		}
		if rest = after; !eat(':') {
			return tables.ErrLine
		}
		i := next
		for i < len(s.names) && s.names[i] != key {
			i++
		}
		if i == len(s.names) {
			i = slices.Index(s.names, key)
		}
		if i < 0 {
			d := json.NewDecoder(strings.NewReader(string(rest)))
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return tables.ErrLine
			}
			rest = rest[d.InputOffset():]
			if full := s.name + "." + key; !slices.Contains(s.r.done.UnknownColumns, full) {
				s.r.done.UnknownColumns = append(s.r.done.UnknownColumns, full)
			}
			continue
		}
		if s.values[i], rest, err = tables.Value(rest, s.kinds[i]); err != nil {
			return fmt.Errorf("%w: %s", err, key)
		}
		s.set[i], next = true, i+1
	}
	if len(rest) > 0 {
		return tables.ErrLine
	}
	for i, set := range s.set {
		if !set {
			s.values[i] = s.blank(i)
		}
	}
	return nil
}

// blank is the value of a column that is not in the file.
func (s *rowSource) blank(i int) any {
	if s.nullable[s.table.Columns[i].Name] {
		return nil
	}
	switch s.kinds[i] {
	case tables.Int:
		return int64(0)
	case tables.Float:
		return float64(0)
	case tables.Bool:
		return false
	case tables.Time:
		return s.r.s.Clock.Now()
	case tables.Bytes:
		return []byte{}
	}
	return ""
}

func (s *rowSource) at(column string) *any {
	i := slices.IndexFunc(s.table.Columns, func(c tables.Column) bool { return c.Name == column })
	if i < 0 {
		return new(any)
	}
	return &s.values[i]
}

func (s *rowSource) text(column string) string {
	t, _ := (*s.at(column)).(string)
	return t
}

// anew makes what belongs to the key of this server: hashes first, then what is sealed with them. take is false for a row
// that is worth nothing here.
func (s *rowSource) anew() (take bool, err error) {
	v := s.r.s.Vault
	switch s.name {
	case "mailboxes":
		hash := v.AddressHash(s.text("address_sealed"))
		if s.text("address_sealed") == "" { // nobody can be found by it any more
			hash = make([]byte, 32)
			rand.Read(hash)
		}
		*s.at("address_hash") = hash
	case "phones":
		valid, _ := (*s.at("valid")).(bool)
		*s.at("number_hash") = supporters.PhoneHash(v, s.text("number_sealed"), valid)
	case "erasures":
		if s.r.done.From.LookUp != lookUpMark(v) {
			s.r.done.LostErasures++
			return false, nil
		}
	case "users":
		s.r.done.Accounts++
	case "files":
		if err := s.file(); err != nil {
			return false, err
		}
	}
	for i, c := range s.table.Columns {
		columns := sealedBy[s.name+"."+c.Name]
		if columns == nil || s.values[i] == nil {
			continue
		}
		plain, ok := s.values[i].(string)
		if !ok {
			return false, tables.ErrLine
		}
		var key []byte
		for _, k := range columns {
			switch v := (*s.at(k)).(type) {
			case string:
				id, err := uuid.Parse(v)
				if err != nil {
					return false, fmt.Errorf("%s is not an id", k)
				}
				key = append(key, id[:]...)
			case []byte:
				key = append(key, v...)
			}
		}
		sealed := v.SealBytes(s.name, c.Name, key, []byte(plain))
		if s.values[i] = sealed; sealed == nil {
			s.values[i] = nil
		}
	}
	return true, nil
}

// file stores the content of a file before its row. Without a content the row tells that there was one.
func (s *rowSource) file() error {
	gone := func() {
		*s.at("state"), *s.at("name_sealed") = string(models.FileExpired), nil
		random := make([]byte, 16)
		rand.Read(random)
		*s.at("store_key") = fmt.Sprintf("%x", random)
	}
	if s.text("state") != string(models.FileStored) {
		gone()
		return nil
	}
	id, err := uuid.Parse(s.text("id"))
	if err != nil {
		return err
	}
	f, err := s.r.from.Open("files/" + id.String())
	if errors.Is(err, fs.ErrNotExist) || slices.Contains(s.r.done.From.Missing, id.String()) {
		s.r.done.MissingFiles++
		gone()
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	put, err := s.r.s.Files.Write(s.r.ctx, files.PutInput{ID: id, Kind: models.FileKind(s.text("kind"))}, f)
	if err != nil {
		return err
	}
	if put.SHA256 != s.text("sha256") {
		return fmt.Errorf("the content of file %s is not what was exported", id)
	}
	*s.at("store_key"), *s.at("key_id") = put.StoreKey, put.KeyID
	s.r.done.Files++
	s.r.told("files", int64(s.r.done.Files), int64(s.r.done.From.Files))
	return nil
}

// settle brings what was under way to where a person can decide.
func (r *reader) settle(now time.Time) error {
	for _, step := range []struct {
		count *int64
		query string
		args  []any
	}{
		{&r.done.PausedMailings, `UPDATE mailings SET state = 'paused', paused_at = ?, paused_reason = 'mailing.paused_restore', updated_at = ?
			WHERE state IN ('scheduled', 'freezing', 'sending')`, []any{now, now}},
		{nil, `UPDATE deliveries SET state = 'queued', lease_until = NULL, node = '', updated_at = ? WHERE state = 'claimed'`, []any{now}}, // of a version before
		{&r.done.ExpiredReceipts, `UPDATE deliveries SET state = 'expired', lease_until = NULL, node = '', updated_at = ?
			WHERE purpose = 'receipt' AND state IN ('queued', 'deferred', 'sending')`, []any{now}},
		{nil, `UPDATE deliveries SET state = 'unknown', lease_until = NULL, node = '', updated_at = ? WHERE state = 'sending'`, []any{now}},
		{nil, `UPDATE imports SET state = 'failed', message = 'error.import_stopped', updated_at = ?, finished_at = ? WHERE state = 'running'`, []any{now, now}},
		{nil, `UPDATE exports SET state = 'failed', message = 'error.export_stopped', updated_at = ?, finished_at = ? WHERE state IN ('waiting', 'running')`, []any{now, now}},
	} {
		q := r.tx.Exec(step.query, step.args...)
		if q.Error != nil {
			return q.Error
		}
		if step.count != nil {
			*step.count = q.RowsAffected
		}
	}
	return nil
}

// Tables lists the tables that rows were taken into, by name.
func (t Taken) Tables() []string { return slices.Sorted(maps.Keys(t.Rows)) }
