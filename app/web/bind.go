package web

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

// Bind reads a form, or the query of a GET, into a pointer to a struct:
//
//	type signForm struct {
//		Email   string   `form:"email,max=254"`
//		Comment string   `form:"comment,max=2000,lines"`
//		Updates bool     `form:"updates"`
//		Points  []string `form:"point,max=40"`
//		Goal    int      `form:"goal"`
//		ID      uuid.UUID `form:"id"` // or anything with UnmarshalText
//	}
//
// Strings are trimmed and hold at most max characters (500 where nothing is said). With "lines" they keep their line ends,
// as "\n"; without, a control character becomes a space. With "raw" (passwords) they are neither trimmed nor changed.
// Structs may be embedded. A NUL, text that is not UTF-8, a value that is too long, a number that is none: Bind returns an
// Invalid fault with that field named, and still fills in all the values, cleaned, so that the form can be shown again.
func Bind(c *fiber.Ctx, form any) error {
	values, err := formValues(c)
	if err != nil {
		return err
	}
	return bindValues(values, form)
}

func formValues(c *fiber.Ctx) (url.Values, error) {
	if m := c.Method(); m == fiber.MethodGet || m == fiber.MethodHead {
		return parseForm(string(c.Context().URI().QueryString()))
	}
	kind, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case fiber.MIMEApplicationForm:
		return parseForm(string(c.Request().Body()))
	case fiber.MIMEMultipartForm:
		m, err := c.MultipartForm()
		if err != nil {
			return nil, fault.Because(err, fault.Invalid, "error.form_unreadable")
		}
		return m.Value, nil
	}
	if len(c.Request().Body()) == 0 {
		return url.Values{}, nil
	}
	return nil, fault.New(fault.Invalid, "error.form_unreadable")
}

// parseForm is url.ParseQuery, but what it cannot decode is refused as a whole and the number of fields is bounded.
func parseForm(s string) (url.Values, error) {
	if strings.Count(s, "&") > 5000 {
		return nil, fault.New(fault.Invalid, "error.form_unreadable")
	}
	v, err := url.ParseQuery(s)
	if err != nil {
		return nil, fault.Because(errors.New("a form with a wrong escape"), fault.Invalid, "error.form_unreadable")
	}
	return v, nil
}

type bindField struct {
	name       string
	index      []int
	max        int
	lines, raw bool
}

var bindPlans sync.Map // reflect.Type to []bindField

func bindPlan(t reflect.Type) []bindField {
	if p, ok := bindPlans.Load(t); ok {
		return p.([]bindField)
	}
	var plan []bindField
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("form")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			for _, sub := range bindPlan(f.Type) {
				sub.index = append([]int{i}, sub.index...)
				plan = append(plan, sub)
			}
			continue
		}
		if tag == "" || tag == "-" {
			continue
		}
		parts := strings.Split(tag, ",")
		b := bindField{name: parts[0], index: []int{i}, max: 500}
		for _, o := range parts[1:] {
			switch {
			case o == "lines":
				b.lines = true
			case o == "raw":
				b.raw = true
			case strings.HasPrefix(o, "max="):
				n, err := strconv.Atoi(o[4:])
				if err != nil {
					panic(fmt.Sprintf("web.Bind: %s.%s: %q is not a number", t, f.Name, o))
				}
				b.max = n
			default:
				panic(fmt.Sprintf("web.Bind: %s.%s: no option %q", t, f.Name, o))
			}
		}
		plan = append(plan, b)
	}
	bindPlans.Store(t, plan)
	return plan
}

func bindValues(values url.Values, form any) error {
	v := reflect.ValueOf(form)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("web.Bind: %T is not a pointer to a struct", form))
	}
	v = v.Elem()
	var bad fault.Fields
	for _, f := range bindPlan(v.Type()) {
		in := values[f.name]
		to := v.FieldByIndex(f.index)
		if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.String {
			out := make([]string, 0, len(in))
			for _, s := range in {
				if s = clean(f, s, &bad); s != "" && len(out) < 1000 {
					out = append(out, s)
				}
			}
			to.Set(reflect.ValueOf(out).Convert(to.Type()))
			continue
		}
		s := ""
		if len(in) > 0 {
			s = clean(f, in[0], &bad)
		}
		if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
			to.SetZero()
			if s != "" && u.UnmarshalText([]byte(s)) != nil && !bad.Has(f.name) {
				bad.Add(f.name, "error.value_unknown")
			}
			continue
		}
		switch to.Kind() {
		case reflect.String:
			to.SetString(s)
		case reflect.Bool:
			switch strings.ToLower(s) {
			case "", "0", "no", "false", "off":
				to.SetBool(false)
			default:
				to.SetBool(true)
			}
		case reflect.Int, reflect.Int64, reflect.Int32:
			n, err := strconv.ParseInt(strings.NewReplacer(",", "", "\u00a0", "", " ", "").Replace(s), 10, to.Type().Bits())
			if err != nil && s != "" && !bad.Has(f.name) {
				bad.Add(f.name, "error.number_invalid")
			}
			to.SetInt(n)
		default:
			panic(fmt.Sprintf("web.Bind: %s: a form has no %s", f.name, to.Type()))
		}
	}
	return bad.Err()
}

// clean makes a value fit to be stored and shown, and notes what was wrong with it.
func clean(f bindField, s string, bad *fault.Fields) string {
	note := func(key string, args ...any) {
		if !bad.Has(f.name) {
			bad.Add(f.name, key, args...)
		}
	}
	if !utf8.ValidString(s) {
		note("error.text_unreadable")
		s = strings.ToValidUTF8(s, "")
	}
	if strings.ContainsRune(s, 0) {
		note("error.text_unreadable")
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !f.raw {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\n' && f.lines, r == '\t' && f.lines:
				return r
			case (r == '\u2028' || r == '\u2029' || r == '\u0085') && f.lines:
				return '\n'
			case unicode.IsControl(r), r == '\u2028', r == '\u2029':
				return ' '
			}
			return r
		}, s)
		s = strings.TrimSpace(s)
	}
	if n := utf8.RuneCountInString(s); n > f.max {
		note("error.text_too_long", "Max", strconv.Itoa(f.max), "Over", strconv.Itoa(n-f.max))
	}
	return s
}

// Upload reads one file of a multipart form. It returns an Invalid fault on that field where there is none or where it is
// larger than limit bytes. The route needs AllowBody. name is what the browser called it: never a path to write to.
func Upload(c *fiber.Ctx, field string, limit int64) (name string, content []byte, err error) {
	var bad fault.Fields
	h, err := c.FormFile(field)
	if err != nil || h.Size == 0 {
		bad.Add(field, "error.file_missing")
		return "", nil, bad.Err()
	}
	if h.Size > limit {
		bad.Add(field, "error.file_too_large", "Max", strconv.FormatInt(limit/1_000_000, 10))
		return "", nil, bad.Err()
	}
	b, err := readUpload(h)
	return strings.ToValidUTF8(strings.ReplaceAll(h.Filename, "\x00", ""), ""), b, err
}

func readUpload(h *multipart.FileHeader) ([]byte, error) {
	f, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}

// UploadStream finds one file of a multipart form whose route has AllowStream, and returns it as it arrives: nothing of it is
// kept here. It returns an Invalid fault on that field where there is none. What r returns in place of io.EOF when the sender
// broke off, was too slow or sent more than the route takes is told by UploadBroke. name is what the browser called the file:
// never a path to write to.
func UploadStream(c *fiber.Ctx, field string) (name string, r io.Reader, err error) {
	missing := func() error {
		var bad fault.Fields
		bad.Add(field, "error.file_missing")
		return bad.Err()
	}
	var body io.Reader
	if b, ok := c.Locals(streamKey{}).(*bodyStream); ok {
		body = b
	} else { // somebody who may not send much
		body = bytes.NewReader(c.Request().Body())
	}
	kind, params, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || kind != fiber.MIMEMultipartForm || params["boundary"] == "" {
		return "", nil, missing()
	}
	parts := multipart.NewReader(body, params["boundary"])
	for range 20 { // the other fields of the form
		p, err := parts.NextRawPart()
		switch {
		case errors.Is(err, errBodyLong):
			return "", nil, UploadBroke(field, err)
		case err != nil:
			return "", nil, missing()
		case p.FormName() != field:
			continue
		}
		name := strings.ToValidUTF8(strings.ReplaceAll(p.FileName(), "\x00", ""), "")
		return name, p, nil
	}
	return "", nil, missing()
}

// UploadBroke words what went wrong with a file of UploadStream, as an Invalid fault on its field; other errors come back as
// they are.
func UploadBroke(field string, err error) error {
	var bad fault.Fields
	var timeout net.Error
	switch {
	case errors.Is(err, errBodyLong):
		bad.Add(field, "error.upload_large")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &timeout) && timeout.Timeout():
		bad.Add(field, "error.upload_broke")
	default:
		return err
	}
	return bad.Err()
}
