package vault

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
)

// ErrNoKey means that there is neither a key file nor anything sealed: a first start. The caller makes a key with Create.
var ErrNoKey = errors.New("vault: there is no key yet")

// ErrWrongKey means that the database was sealed with another key.
var ErrWrongKey = errors.New("vault: the key is not the one the database was sealed with")

// howToRecover ends every message about a key that cannot be used.
const howToRecover = "If you have a copy of the key file, put it there. " +
	"If you have the printed recovery sheet, run \"kithline keys recover\" and type its %d groups. " +
	"Nothing was changed."

// KeyMissing is a database with sealed values and no key file. The text is for the operator's terminal.
type KeyMissing struct {
	Path  string // where the key was looked for
	KeyID string // the key that is needed
}

func (e *KeyMissing) Error() string {
	return fmt.Sprintf("The key file is missing. It was expected at %s and must hold key %s, which the names and addresses in this database are sealed with. "+
		howToRecover, e.Path, e.KeyID, groups)
}

// KeyWrong is a key file with another key than the database was sealed with. It wraps ErrWrongKey. The text is for the
// operator's terminal.
type KeyWrong struct {
	Path  string
	Found string // id of the key in the file
	KeyID string // id of the key that is needed
}

func (e *KeyWrong) Error() string {
	if e.Found == e.KeyID { // the ids agree, the check does not: the database's value is damaged
		return fmt.Sprintf("The key file at %s holds key %s, but it does not fit the check value in this database. "+
			"The database may be damaged: please restore it from a backup. Nothing was changed.", e.Path, e.Found)
	}
	return fmt.Sprintf("The key file at %s holds key %s, but this database is sealed with key %s. "+
		"Check that the key and the database belong together. Move the wrong key file away first, but do not delete it. "+howToRecover,
		e.Path, e.Found, e.KeyID, groups)
}

func (e *KeyWrong) Unwrap() error { return ErrWrongKey }

// KeyUnreadable is a key file that is there and cannot be read or holds no key. The text is for the operator's terminal.
type KeyUnreadable struct {
	Path  string
	Cause error
}

func (e *KeyUnreadable) Error() string {
	var typed *TypedError
	if errors.As(e.Cause, &typed) {
		return fmt.Sprintf("The key file at %s is damaged. %s Move it away first, but do not delete it. "+howToRecover, e.Path, typed.Reason, groups)
	}
	return fmt.Sprintf("The key file at %s cannot be read: %v. Check that it belongs to the user who runs kithline. Nothing was changed.", e.Path, e.Cause)
}

func (e *KeyUnreadable) Unwrap() error { return e.Cause }

// Load is the decision at start. check is the value that the database keeps, nil where it keeps none.
//
// Without a file and without a check value it returns ErrNoKey and the caller makes a key. With a file and without a check
// value it returns the vault, and the caller stores its CheckValue. Otherwise the key must fit: the errors are
// *KeyMissing, *KeyWrong and *KeyUnreadable, whose texts tell the operator what to do.
func Load(path string, check []byte) (*Vault, error) {
	keys, err := ReadAll(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(check) == 0:
		return nil, ErrNoKey
	case errors.Is(err, fs.ErrNotExist):
		return nil, &KeyMissing{Path: path, KeyID: checkID(check)}
	case err != nil:
		return nil, &KeyUnreadable{Path: path, Cause: err}
	}
	first := keys[0]
	for _, k := range keys {
		if len(check) > 0 && k.ID() == checkID(check) {
			first = k // wherever it stands in the file
		}
	}
	v := New(first)
	if len(check) > 0 && v.Verify(check) != nil {
		return nil, &KeyWrong{Path: path, Found: first.ID(), KeyID: checkID(check)}
	}
	v.Learn(keys...)
	return v, nil
}

// checkID is the id of the key that a check value is of.
func checkID(check []byte) string { return hex.EncodeToString(check[:min(idSize, len(check))]) }
