package me

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Say translates a locale key, for ZIP.
func (s *Service) Say(lang, key string, args ...any) string { return s.o.Words(lang, key, args...) }

// JSON is the data as one file for programs: an object for each row, by table, with the columns' own names.
func (d Data) JSON() ([]byte, error) {
	type row map[string]any
	data := map[string][]row{}
	for _, p := range d.Parts {
		for _, r := range p.Rows {
			one := row{}
			for i, c := range p.Columns {
				one[strings.TrimSuffix(c, "_sealed")] = r[i]
			}
			data[p.Table] = append(data[p.Table], one)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(map[string]any{"organisation": d.Organisation, "address": d.Address, "made_at": d.MadeAt.UTC().Format(time.RFC3339), "data": data})
	return b.Bytes(), err
}

// ZIP is the data as tables to look at, each a CSV file, with the JSON file beside them and a text that says what is what. say
// translates a locale key.
func (d Data) ZIP(say func(key string, args ...any) string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: d.MadeAt.UTC()})
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	about := say("me.data_about", "Name", d.Organisation, "Address", d.Address, "Date", d.MadeAt.UTC().Format(time.DateOnly)) + "\n\n"
	for _, p := range d.Parts {
		about += p.Table + ".csv: " + say("me.data_table_"+p.Table) + "\n"
	}
	about += "my-data.json: " + say("me.data_json") + "\n"
	if err := add("read-me.txt", []byte(about)); err != nil {
		return nil, err
	}
	for _, p := range d.Parts {
		c, err := p.csv(say)
		if err != nil {
			return nil, err
		}
		if err := add(p.Table+".csv", c); err != nil {
			return nil, err
		}
	}
	j, err := d.JSON()
	if err != nil {
		return nil, err
	}
	if err := add("my-data.json", j); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

func (p Part) csv(say func(key string, args ...any) string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff") // so that spreadsheets read it as UTF-8
	w := csv.NewWriter(&b)
	line := make([]string, len(p.Columns))
	for i, c := range p.Columns {
		line[i] = say(heading(p.Table, c))
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	for _, r := range p.Rows {
		for i, v := range r {
			line[i] = cell(v)
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// heading is the locale key over a column. The same word in several tables has one key.
func heading(table, column string) string {
	switch column {
	case "created_at", "locale", "source", "state", "postal_area", "given_name_sealed", "family_name_sealed", "confirmed_at", "withdrawn_at":
		return "me.data_any_" + strings.TrimSuffix(column, "_sealed")
	}
	return "me.data_" + table + "_" + strings.TrimSuffix(column, "_sealed")
}

var number = regexp.MustCompile(`^[+-]?[0-9][0-9.]*$`)

// cell is a value as it stands in a table. A text that a spreadsheet would take for a formula gets an apostrophe in front.
func cell(v any) string {
	var s string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		s = v
	case json.RawMessage:
		s = string(v)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05Z")
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		s = fmt.Sprint(v)
	}
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) && !number.MatchString(s) {
		return "'" + s
	}
	return s
}
