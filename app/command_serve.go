package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kithline/config"
)

// readyFile is what --ready-file writes once requests are accepted.
type readyFile struct {
	URL           string `json:"url"`
	AdminLoginURL string `json:"admin_login_url"` // of the demo: signs the organizer in by one button
	SetupURL      string `json:"setup_url,omitempty"`
	OutboxURL     string `json:"outbox_url"` // where captured mail is shown; "" where mail is sent
	Database      string `json:"database"`   // sqlite or postgres
	PID           int    `json:"pid"`
}

// write puts the file there whole or not at all: whoever waits for it reads all of it.
func (r readyFile) write(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".ready-*")
	if err != nil {
		return err
	}
	if _, err := tmp.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (c *cli) serveCommand() *cobra.Command {
	var addr, ready string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is told to stop. Without any configuration it listens on 127.0.0.1:8080, keeps everything in
./data, captures mail instead of sending it, and prints a link that sets it up.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var overrides []config.Override
			if addr != "" {
				overrides = append(overrides, config.Override{Name: "KITHLINE_LISTEN", Value: addr, From: "--addr"})
			}
			cfg, err := c.config(overrides...)
			if err != nil {
				return err
			}
			return c.serve(cmd.Context(), cfg, ready)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "", "listen on host:port instead of KITHLINE_LISTEN")
	cmd.Flags().StringVar(&ready, "ready-file", "", "write addresses and the process id to this file, as JSON, once requests are accepted")
	return cmd
}

func (c *cli) serve(ctx context.Context, cfg config.Config, ready string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Web.Listen)
	if err != nil {
		return err
	}
	cfg = cfg.ListeningOn(l.Addr())
	a, err := Build(ctx, cfg, Options{LogTo: c.err})
	if err != nil {
		return closing(err, l.Close)
	}
	setup, err := a.SetupURL(ctx)
	if err != nil {
		return closing(err, l.Close, a.Close)
	}
	err = a.Run(ctx, l, func() {
		if setup != "" {
			_, _ = fmt.Fprintf(c.out, "\nKithline is not set up yet. Open this link in your browser; it works until setup is done:\n\n  %s\n\n", setup)
		} else {
			_, _ = fmt.Fprintf(c.out, "Kithline runs at %s\n", cfg.Web.BaseURL)
		}
		r := readyFile{URL: cfg.Web.BaseURL, SetupURL: setup, OutboxURL: a.OutboxURL(), Database: a.databaseKind(), PID: os.Getpid()}
		if err := r.write(ready); err != nil {
			a.Log.Error("writing the ready file", "error", err.Error())
		}
	})
	return closing(err, a.Close)
}

// closing runs what must run at the end and returns the first error of all.
func closing(err error, ends ...func() error) error {
	for _, end := range ends {
		if e := end(); err == nil {
			err = e
		}
	}
	return err
}
