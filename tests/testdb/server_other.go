//go:build !linux

package testdb

import "errors"

func start(bool) (string, error) {
	return "", errors.New("set KITHLINE_TEST_DATABASE_URL to the address of a PostgreSQL server that may make databases")
}
