//go:build !linux

package testdb

import "errors"

func start(bool) (string, error) {
	return "", errors.New("set KITHLINE_TEST_DATABASE_URL to the address of a PostgreSQL server that may make databases")
}

// Server is a PostgreSQL server that a test stops at once and starts again.
type Server struct{ URL string }

// Stoppable starts one, where that can be done.
func Stoppable() (*Server, error) {
	return nil, errors.New("a PostgreSQL server that can be stopped is started on Linux only")
}

// StopNow stops it.
func (*Server) StopNow() error { return nil }

// Start starts it again.
func (*Server) Start() error { return nil }
