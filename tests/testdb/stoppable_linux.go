package testdb

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Server is a PostgreSQL server that a test stops at once and starts again, to see what is left. It keeps what it acknowledges.
type Server struct {
	URL string

	bin, root string
	attr      *syscall.SysProcAttr
}

// Stoppable starts one, whatever KITHLINE_TEST_DATABASE_URL says. It ends with the process.
func Stoppable() (*Server, error) {
	s := &Server{}
	var err error
	if s.bin, s.root, s.attr, err = install(); err != nil {
		return nil, err
	}
	s.URL, err = launch(s.bin, s.root, s.attr, true)
	return s, err
}

// StopNow stops the server as if it had crashed: without a checkpoint, with every connection cut.
func (s *Server) StopNow() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_ctl"), "-D", filepath.Join(s.root, "d"), "-m", "immediate", "-w", "stop")
	cmd.SysProcAttr, cmd.Dir = s.attr, s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_ctl stop: %w: %s", err, out)
	}
	return nil
}

// Start starts it again on what is left, and returns once it answers.
func (s *Server) Start() error {
	_, err := launch(s.bin, s.root, s.attr, true)
	return err
}
