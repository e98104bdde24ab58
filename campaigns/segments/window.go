package segments

import (
	"strconv"
	"time"

	"kithline/campaigns/fault"
)

// The values of a window of time. An empty whenField means ever.
const (
	whenField = "when"
	daysField = "days"  // of lastDays
	fromField = "from"  // of between: 2006-01-02, may be empty
	toField   = "until" // of between: 2006-01-02, that day included, may be empty
)

// What whenField can be.
const (
	lastDays = "last"
	between  = "between"
)

// maxDays is how far back "the last days" go.
const maxDays = 3650

// Window is the test that a time lies in the window which the values of a field of the type When say: " AND ..." with its
// values, nothing where it may be any time. column is written by the program.
func (c *Compiler) Window(v Values, column string) (sql string, args []any) {
	switch v[whenField] {
	case lastDays:
		n, _ := strconv.Atoi(v[daysField])
		return " AND " + column + " >= ?", []any{c.Now.AddDate(0, 0, -n)}
	case between:
		if t, err := time.ParseInLocation(time.DateOnly, v[fromField], c.zone); err == nil {
			sql, args = sql+" AND "+column+" >= ?", append(args, t.UTC())
		}
		if t, err := time.ParseInLocation(time.DateOnly, v[toField], c.zone); err == nil {
			sql, args = sql+" AND "+column+" < ?", append(args, t.AddDate(0, 0, 1).UTC())
		}
	}
	return sql, args
}

// checkWindow notes what is wrong with a window.
func checkWindow(bad *fault.Fields, path string, v Values) {
	date := func(name string) (t time.Time, given bool) {
		if v[name] == "" {
			return t, false
		}
		t, err := time.Parse(time.DateOnly, v[name])
		if err != nil || t.Year() < 1900 || t.Year() > 9999 {
			bad.Add(FieldName(path, name), "error.segment_date")
			return t, false
		}
		return t, true
	}
	switch v[whenField] {
	case "":
	case lastDays:
		if n, err := strconv.Atoi(v[daysField]); err != nil || n < 1 || n > maxDays {
			bad.Add(FieldName(path, daysField), "error.segment_days", "Max", maxDays)
		}
	case between:
		from, a := date(fromField)
		to, b := date(toField)
		switch {
		case v[fromField] == "" && v[toField] == "":
			bad.Add(FieldName(path, fromField), "error.segment_dates")
		case a && b && to.Before(from):
			bad.Add(FieldName(path, toField), "error.segment_dates_order")
		}
	default:
		bad.Add(FieldName(path, whenField), "error.value_unknown")
	}
}
