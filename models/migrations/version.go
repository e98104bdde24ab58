package migrations

import (
	"crypto/sha256"
	"hash"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverVersion is the schema version of the River that is built in, the same on both databases.
var riverVersion = func() int {
	m, err := rivermigrate.New(riversqlite.New(nil), nil)
	if err != nil {
		return 0
	}
	v := 0
	for _, x := range m.AllVersions() {
		v = max(v, x.Version)
	}
	return v
}()

func newHash() hash.Hash { return sha256.New() }
