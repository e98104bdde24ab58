package meetings

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// MaxImport is how large a list of meetings may be, in bytes.
const MaxImport = 1 << 20

// Columns are the columns of a list of meetings, each with the other names that it is found by. Office or district must be there, and day and
// time.
var Columns = []struct {
	Name    string
	Aliases []string
}{
	{"office", []string{"legislator", "name", "who", "oficina", "legislador", "nombre"}},
	{"district", []string{"seat", "distrito"}},
	{"chamber", []string{"house", "body", "camara", "cámara"}},
	{"date", []string{"day", "fecha", "dia", "día"}},
	{"time", []string{"hour", "start", "starts", "hora"}},
	{"minutes", []string{"length", "duration", "minutos"}},
	{"mode", []string{"how", "modo"}},
	{"place", []string{"room", "where", "lugar", "sala"}},
	{"join", []string{"link", "call", "enlace"}},
	{"ask", []string{"asks", "peticion", "petición"}},
}

// modeWords are the words of a list for the modes.
var modeWords = map[string]models.MeetingMode{
	"": "", "onsite": models.MeetingOnsite, "on site": models.MeetingOnsite, "in person": models.MeetingOnsite, "in-person": models.MeetingOnsite, "room": models.MeetingOnsite, "presencial": models.MeetingOnsite,
	"video": models.MeetingVideo, "online": models.MeetingVideo, "remote": models.MeetingVideo, "vídeo": models.MeetingVideo, "en línea": models.MeetingVideo,
	"phone": models.MeetingPhone, "call": models.MeetingPhone, "teléfono": models.MeetingPhone, "telefono": models.MeetingPhone,
}

// BadLine is a line of a list that cannot be read: a locale key with its arguments says why.
type BadLine struct {
	Line int // from 1, with the header
	Key  string
	Args []any
}

// seats finds legislators by what a list calls them.
type seats struct {
	byName, byDistrict map[string][]uuid.UUID
	office             map[uuid.UUID]Office
}

func folded(s string) string { return strings.ToLower(line(s)) }

// readSeats reads who sits now.
func readSeats(ctx context.Context, tx *gorm.DB, now time.Time) (seats, error) {
	x := seats{map[string][]uuid.UUID{}, map[string][]uuid.UUID{}, map[uuid.UUID]Office{}}
	tx = tx.WithContext(ctx)
	var terms []models.Term
	if err := tx.Where("ended_at IS NULL").Order("id").Find(&terms).Error; err != nil {
		return x, err
	}
	var ids []uuid.UUID
	for _, t := range terms {
		if legislators.InForce(t, now) && !slices.Contains(ids, t.LegislatorID) {
			ids = append(ids, t.LegislatorID)
		}
	}
	for part := range slices.Chunk(ids, 500) {
		list, err := legislators.Members(ctx, tx, part, now)
		if err != nil {
			return x, err
		}
		for _, m := range list {
			o := Office{Member: m}
			if len(m.Offices) > 0 {
				o.Room = m.Offices[0]
			}
			x.office[m.ID] = o
			add := func(to map[string][]uuid.UUID, keys ...string) {
				for _, k := range keys {
					if k = folded(k); k != "" && !slices.Contains(to[k], m.ID) {
						to[k] = append(to[k], m.ID)
					}
				}
			}
			add(x.byName, m.Name, o.Who(), m.FamilyName, m.GivenName+" "+m.FamilyName)
			if d := m.Term.District; d != "" {
				add(x.byDistrict, d, o.Seat(), m.Chamber.Code+" "+d, m.Title()+" "+d)
				if first, _, _ := strings.Cut(lastWords(m.Chamber.Name), " "); first != "" {
					add(x.byDistrict, first+" "+d)
				}
			}
		}
	}
	return x, nil
}

// lastWords is the name of a chamber without the name of its state before it: House of Representatives.
func lastWords(name string) string {
	for _, w := range []string{"House", "Senate", "Assembly", "Council"} {
		if i := strings.Index(name, w); i >= 0 {
			return name[i:]
		}
	}
	return name
}

// find is whom a line means; key says why it is nobody, or several.
func (x seats) find(office, district, chamber string) (o Office, key string) {
	var ids []uuid.UUID
	switch office, district = folded(office), folded(district); {
	case office == "" && district == "":
		return o, "error.meetings_csv_who"
	case office != "" && district != "":
		for _, id := range x.byName[office] {
			if slices.Contains(x.byDistrict[district], id) {
				ids = append(ids, id)
			}
		}
	case office != "":
		if ids = x.byName[office]; len(ids) == 0 {
			ids = x.byDistrict[office]
		}
	default:
		ids = x.byDistrict[district]
	}
	if c := folded(chamber); c != "" {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
			at := x.office[id].Chamber
			return !slices.Contains([]string{folded(at.Code), folded(at.Name), folded(lastWords(at.Name))}, c) && !strings.HasPrefix(folded(lastWords(at.Name)), c+" ")
		})
	}
	switch len(ids) {
	case 0:
		return o, "error.meetings_csv_nobody"
	case 1:
		return x.office[ids[0]], ""
	}
	return o, "error.meetings_csv_several"
}

// table reads a list into its columns and lines.
func table(b []byte) (at map[string]int, rows [][]string, numbers []int, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil, nil, nil, errors.New("error.meetings_csv_encoding")
	}
	first, _, _ := bytes.Cut(b, []byte("\n"))
	in := csv.NewReader(bytes.NewReader(b))
	in.FieldsPerRecord, in.TrimLeadingSpace = -1, true
	for _, comma := range []rune{';', '\t'} {
		if bytes.ContainsRune(first, comma) && !bytes.ContainsRune(first, ',') {
			in.Comma = comma
		}
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return at, rows, numbers, nil
		}
		if err != nil {
			return nil, nil, nil, errors.New("error.meetings_csv_broken")
		}
		if at == nil {
			at = columnsOf(row)
			continue
		}
		if !slices.ContainsFunc(row, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		n, _ := in.FieldPos(0)
		rows, numbers = append(rows, row), append(numbers, n)
	}
}

func columnsOf(row []string) map[string]int {
	at := map[string]int{}
	for i, head := range row {
		head = strings.TrimFunc(folded(head), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, c := range Columns {
			if _, has := at[c.Name]; !has && (head == c.Name || slices.Contains(c.Aliases, head)) {
				at[c.Name] = i
			}
		}
	}
	return at
}

// importing is a meeting that a line is about.
type importing struct {
	m    models.Meeting
	o    Office
	in   Input
	asks []string
}

// Import makes the meetings of a list, a CSV in UTF-8: all of them, or none where a line cannot be read; then bad has every such line. Several
// asks in a cell are parted by a stroke (|). It needs actor.ManageRosters. The faults: Invalid with the field file, NotFound,
// error.meetings_roster_unknown, Conflict, error.meetings_roster_closed and error.meetings_many.
func (s *Service) Import(ctx context.Context, a actor.Actor, roster uuid.UUID, content io.Reader) (made int, bad []BadLine, err error) {
	if _, err := changing(ctx, s.DB.DB, a, roster); err != nil {
		return 0, nil, err
	}
	wrong := func(key string, args ...any) error {
		return fault.Fields{{Name: "file", Key: key, Args: args}}.Err()
	}
	b, err := io.ReadAll(io.LimitReader(content, MaxImport+1))
	if err != nil {
		return 0, nil, err
	}
	if len(b) > MaxImport {
		return 0, nil, wrong("error.upload_large")
	}
	at, rows, numbers, unread := table(b)
	if unread != nil {
		return 0, nil, wrong(unread.Error())
	}
	_, hasOffice := at["office"]
	_, hasDistrict := at["district"]
	for _, c := range []string{"date", "time"} {
		if _, has := at[c]; !has {
			return 0, nil, wrong("error.meetings_csv_column", "Column", c)
		}
	}
	switch {
	case !hasOffice && !hasDistrict:
		return 0, nil, wrong("error.meetings_csv_column", "Column", "office")
	case len(rows) == 0:
		return 0, nil, wrong("error.meetings_csv_empty")
	case len(rows) > mostOf:
		return 0, nil, wrong("error.meetings_many", "Max", mostOf)
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, p, there, err := open(ctx, tx, a, roster)
		if err != nil {
			return err
		}
		var list []importing
		if list, bad, err = s.lines(ctx, tx, a, r, p, at, rows, numbers, now); err != nil {
			return err
		}
		if len(bad) > 0 {
			return fault.Fields{{Name: "file", Key: "error.meetings_csv_lines", Args: []any{"Count", len(bad)}}}.Err()
		}
		if there+len(list) > mostOf {
			return errMany()
		}
		for i, x := range list {
			if err := s.make(ctx, tx, r, p, x.m, x.o, x.in, x.asks, there+i+1, now); err != nil {
				return err
			}
		}
		made = len(list)
		return audit.Write(ctx, tx, a, now, "meetings.import", "rosters", r.ID, map[string]any{"made": made})
	})
	return made, bad, err
}

// lines reads what the lines of a list are about, and which of them cannot be read.
func (s *Service) lines(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, p Plan, at map[string]int, rows [][]string, numbers []int, now time.Time) ([]importing, []BadLine, error) {
	sitting, err := readSeats(ctx, tx, now)
	if err != nil {
		return nil, nil, err
	}
	type moment struct {
		office uuid.UUID
		at     time.Time
	}
	met := map[moment]bool{}
	var before []models.Meeting
	if err := tx.WithContext(ctx).Where("roster_id = ? AND state <> ?", r.ID, models.MeetingCancelled).Find(&before).Error; err != nil {
		return nil, nil, err
	}
	for _, m := range before {
		met[moment{m.LegislatorID, m.StartsAt.UTC()}] = true
	}
	var list []importing
	var bad []BadLine
	for i, row := range rows {
		n := numbers[i]
		get := func(column string) string {
			if j, has := at[column]; has && j < len(row) {
				return line(row[j])
			}
			return ""
		}
		none := len(bad)
		say := func(key string, args ...any) { bad = append(bad, BadLine{n, key, args}) }
		o, why := sitting.find(get("office"), get("district"), get("chamber"))
		if why != "" {
			say(why, "Value", strings.TrimSpace(get("office")+" "+get("district")))
		}
		x := importing{m: blank(r, a, now), o: o}
		x.in = Input{LegislatorID: o.Member.ID, Day: get("date"), Hour: get("time"), Place: get("place"), Join: get("join"), Asks: strings.Split(get("ask"), "|")}
		if len(x.in.Hour) == 4 { // 9:30
			x.in.Hour = "0" + x.in.Hour
		}
		mode, known := modeWords[folded(get("mode"))]
		switch {
		case !known:
			say("error.meetings_csv_mode", "Value", get("mode"))
			mode = models.MeetingOnsite
		case mode == "" && x.in.Join != "":
			mode = models.MeetingVideo
		case mode == "":
			mode = models.MeetingOnsite
		}
		x.in.Mode = mode
		if m := get("minutes"); m != "" {
			if x.in.Minutes, err = strconv.Atoi(m); err != nil {
				say("error.meetings_csv_minutes", "Value", m)
				x.in.Minutes = 0
			}
		}
		asks, wrong := s.check(x.in, r, p, &x.m, now)
		for _, f := range wrong {
			say(f.Key, f.Args...)
		}
		x.asks, x.m.LegislatorID = asks, o.Member.ID
		if key := (moment{o.Member.ID, x.m.StartsAt.UTC()}); len(bad) == none {
			if met[key] {
				say("error.meetings_csv_twice", "Value", o.Name)
			}
			met[key] = true
		}
		list = append(list, x)
	}
	return list, bad, nil
}
