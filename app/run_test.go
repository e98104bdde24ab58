package app

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"kithline/config"
)

// TestStopBeforeTheStart: the word to stop may come before the first request could be taken.
func TestStopBeforeTheStart(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load([]string{
			"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key"), "KITHLINE_LISTEN=" + l.Addr().String(),
		})
		if err != nil {
			t.Fatal(err)
		}
		a, err := Build(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx, l, nil) }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it does not stop")
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
