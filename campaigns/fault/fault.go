// Package fault is the project's one error type: what went wrong in the words a person can use, and how the edge should
// answer. An error without a kind is Internal: it is logged in full and shown as one plain sentence.
//
// Messages are keys of the locale files (app/locales), never sentences, so that the same error reads well in every
// language, on a page, in JSON and on a terminal.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says how the edge answers an error. The zero value is Internal.
type Kind int

// The kinds, each with the HTTP status that app/web gives it.
const (
	Internal        Kind = iota // 500, logged in full
	Invalid                     // 422, the same form with its values kept
	NotFound                    // 404
	Forbidden                   // 403
	Unauthenticated             // 401 or the login page
	Conflict                    // 409, somebody else was faster
	Gone                        // 410, it was here once: an old link, a used token
	TooMany                     // 429 with Retry-After
	Unavailable                 // 503 with Retry-After
)

func (k Kind) String() string {
	return [...]string{"internal", "invalid", "not_found", "forbidden", "unauthenticated", "conflict", "gone", "too_many", "unavailable"}[k]
}

// Field is what is wrong with one field of a form or one column of a file.
type Field struct {
	Name string // the form's field name
	Key  string // locale key of the message
	Args []any  // name, value pairs for the message
}

// Error is a fault with a kind. Compare with KindOf and errors.As.
type Error struct {
	Kind   Kind
	Key    string // locale key of the message
	Args   []any  // name, value pairs for the message
	Fields []Field
	Cause  error // for the log only
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.String() + ": " + e.Key)
	for i := 0; i+1 < len(e.Args); i += 2 {
		fmt.Fprintf(&b, " %v=%v", e.Args[i], e.Args[i+1])
	}
	for _, f := range e.Fields {
		b.WriteString("; " + f.Name + ": " + f.Key)
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind. args are name, value pairs that the message of key may use.
func New(k Kind, key string, args ...any) *Error { return &Error{Kind: k, Key: key, Args: args} }

// Because is New with the cause kept for the log.
func Because(cause error, k Kind, key string, args ...any) *Error {
	return &Error{Kind: k, Key: key, Args: args, Cause: cause}
}

// KindOf returns the kind of err, Internal where it has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of kind k. Internal is only matched by an error that says so or has no kind.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Fields gathers what is wrong with an input, in the order of the form.
type Fields []Field

// Add notes one wrong field.
func (f *Fields) Add(name, key string, args ...any) {
	*f = append(*f, Field{Name: name, Key: key, Args: args})
}

// Has reports whether something is noted for name.
func (f Fields) Has(name string) bool {
	for _, x := range f {
		if x.Name == name {
			return true
		}
	}
	return false
}

// Err is nil when nothing was noted, else an Invalid error with the fields.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Key: "error.check_fields", Fields: f}
}
