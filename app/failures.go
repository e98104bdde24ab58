package app

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"kithline/app/locales"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models/database"
	"kithline/models/migrations"
)

// sentence says what went wrong on a terminal: what, and what to do about it where that is known. A kind of failure that
// an operator can mend gets its case here.
func sentence(err error) string {
	var (
		told       plainError
		missing    *vault.KeyMissing
		wrongKey   *vault.KeyWrong
		unreadable *vault.KeyUnreadable
		listen     *net.OpError
		path       *fs.PathError
		known      *fault.Error
	)
	switch {
	case errors.As(err, &told):
		return told.text
	case errors.As(err, &missing):
		return missing.Error()
	case errors.As(err, &wrongKey):
		return wrongKey.Error()
	case errors.As(err, &unreadable):
		return unreadable.Error()

	case errors.Is(err, migrations.ErrNewer):
		return "The database belongs to a newer version of Kithline. Start that version, or restore a backup that this one made; going back is not possible."

	case errors.As(err, &listen) && listen.Op == "listen" && errors.Is(err, syscall.EADDRINUSE):
		return listen.Addr.String() + " is taken by another program. Stop that one, or set KITHLINE_LISTEN to another port."
	case errors.As(err, &listen) && listen.Op == "listen" && errors.Is(err, syscall.EACCES):
		return "This user may not listen on " + listen.Addr.String() + ". Set KITHLINE_LISTEN to a port above 1023."
	case errors.As(err, &listen) && listen.Op == "listen":
		return "The server cannot listen on " + listenAddr(listen) + " (" + listen.Err.Error() + "). Set KITHLINE_LISTEN to an address of this machine."

	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), strings.Contains(err.Error(), "database or disk is full"):
		return "The disk is full. Make room and start again; what was answered before is kept."
	case errors.Is(err, database.ErrUnreachable):
		return "The database cannot be reached. Check that it runs and that KITHLINE_DATABASE_URL names its host, database, user and password. It said: " +
			cause(err, database.ErrUnreachable)
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return "This user may not " + strings.Replace(path.Op, "mkdir", "make the folder", 1) + " " + path.Path + ". Give it to the user who runs kithline, or run kithline as its owner."
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		return path.Path + " does not exist."

	case errors.Is(err, context.Canceled):
		return "Stopped before the work was done."
	case errors.As(err, &known):
		return faultText(known)
	}
	return "Something went wrong: " + err.Error()
}

func listenAddr(e *net.OpError) string {
	if e.Addr == nil {
		return "that address"
	}
	return e.Addr.String()
}

// cause is an error's text without that of the sentinel it wraps, on one line, with what it says twice said once: a driver
// tries with and without TLS and reports both.
func cause(err, sentinel error) string {
	_, rest, ok := strings.Cut(err.Error(), sentinel.Error()+": ")
	if !ok {
		return err.Error()
	}
	var parts []string
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " ")
}

// faultText is an error's message in English, with a line for each field.
func faultText(e *fault.Error) string {
	words, err := locales.Load()
	if err != nil {
		return e.Error()
	}
	text := func(key string, args []any) string {
		data := map[string]any{}
		for i := 0; i+1 < len(args); i += 2 {
			if name, ok := args[i].(string); ok {
				data[name] = args[i+1]
			}
		}
		s, err := words.Text(locales.Languages[0], key, data, data["Count"])
		if err != nil {
			return key
		}
		return s
	}
	var b strings.Builder
	b.WriteString(text(e.Key, e.Args))
	for _, f := range e.Fields {
		b.WriteString("\n  - " + f.Name + ": " + text(f.Key, f.Args))
	}
	if e.Cause != nil {
		b.WriteString(" (" + e.Cause.Error() + ")")
	}
	return b.String()
}
