package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/demo"
	"kithline/campaigns/users"
	"kithline/config"
	"kithline/mailer"
	"kithline/models/migrations"
)

func (c *cli) demoCommand() *cobra.Command {
	var d demoRun
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a sample world",
		Long: `Makes a sample world of invented people, runs it, and prints where to look: the site, a link that signs you in as its
owner, and the mail that would have been sent. No mail leaves this machine, whatever is configured.

The world is gone at the end, unless --data names a folder: then it is made there the first time and used again later.
With KITHLINE_DATABASE_URL=postgres://... it is made in that database, which must be empty.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.cli = c
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&d.addr, "addr", "", "listen on host:port instead of KITHLINE_LISTEN")
	cmd.Flags().StringVar(&d.dir, "data", "", "keep the world in this folder")
	cmd.Flags().StringVar(&d.ready, "ready-file", "", "write addresses and the process id to this file, as JSON, once requests are accepted")
	return cmd
}

// demoRun is one run of the command.
type demoRun struct {
	*cli
	addr, dir, ready string
	kept             bool // the world stays in dir
	signatures       int  // tests: how many the world has; 0 = as many as the sample
}

func (d *demoRun) run(ctx context.Context) (err error) {
	if d.kept = d.dir != ""; !d.kept {
		if d.dir, err = os.MkdirTemp("", "kithline-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	}
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	cfg, l, err := d.listen(ctx)
	if err != nil {
		return err
	}
	if err := d.world(ctx, cfg); err != nil {
		return closing(err, l.Close)
	}
	a, err := Build(ctx, cfg, Options{LogTo: d.err, Demo: true})
	if err != nil {
		return closing(err, l.Close)
	}
	login, err := d.login(ctx, a)
	if err != nil {
		return closing(err, l.Close, a.Close)
	}
	err = a.Run(ctx, l, func() {
		r := readyFile{URL: cfg.Web.BaseURL, AdminLoginURL: login, OutboxURL: a.OutboxURL(), Database: a.databaseKind(), PID: os.Getpid()}
		d.tell(r)
		if err := r.write(d.ready); err != nil {
			a.Log.Error("writing the ready file", "error", err.Error())
		}
	})
	return closing(err, a.Close)
}

// tell prints where to look.
func (d *demoRun) tell(r readyFile) {
	end := "Ctrl-C ends the demo and takes everything away."
	if d.kept {
		end = "Ctrl-C ends the demo. It is kept in " + d.dir + "."
	}
	_, _ = fmt.Fprintf(d.out, `
The sample world is ready. Everybody in it is invented, and no mail leaves this machine.

  The site    %s
  Sign in     %s
  The mail    %s

%s
`, r.URL, r.AdminLoginURL, r.OutboxURL, end)
}

// login makes a link that signs in the owner of the world, who sees everything.
func (d *demoRun) login(ctx context.Context, a *App) (string, error) {
	owner, err := demo.Owner(ctx, a.Users)
	if err != nil {
		return "", err
	}
	token, err := a.Users.LoginLinkFor(ctx, actor.TheSystem(), owner)
	return a.Config.Web.BaseURL + users.LoginPath(token), err
}

// config reads the configuration with what the demo does not leave to it: where its world lies, that mail is captured, and
// that its address is one of this machine. An SQLite database that is configured is somebody's: the demo has its own.
func (d *demoRun) config(base string, more ...config.Override) (config.Config, error) {
	const from = "kithline demo"
	set := []config.Override{
		{Name: "KITHLINE_DATA_DIR", Value: filepath.Join(d.dir, "data"), From: from},
		{Name: "KITHLINE_KEY_FILE", Value: filepath.Join(d.dir, "kithline.key"), From: from},
		{Name: "KITHLINE_BASE_URL", Value: base, From: from},
		{Name: "KITHLINE_MAIL", Value: "capture", From: from},
	}
	for _, name := range []string{
		"KITHLINE_SMTP_URL", "KITHLINE_SMTP_PASSWORD", "KITHLINE_FILES_S3_URL", "KITHLINE_FILES_S3_ACCESS_KEY", "KITHLINE_FILES_S3_SECRET_KEY",
	} {
		set = append(set, config.Override{Name: name, From: from})
	}
	if d.addr != "" {
		set = append(set, config.Override{Name: "KITHLINE_LISTEN", Value: d.addr, From: "--addr"})
	}
	cfg, err := d.cli.config(append(more, set...)...)
	if err != nil {
		return cfg, err
	}
	if _, lite := cfg.Database.SQLite(); lite {
		set = append(set, config.Override{Name: "KITHLINE_DATABASE_URL", From: from}, config.Override{Name: "KITHLINE_DATABASE_PASSWORD", From: from})
		cfg, err = d.cli.config(append(more, set...)...)
	}
	return cfg, err
}

// listen opens the port and returns the configuration that goes with it: mails of the world hold links to it.
func (d *demoRun) listen(ctx context.Context) (config.Config, net.Listener, error) {
	cfg, err := d.config("http://127.0.0.1")
	if err != nil {
		return cfg, nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Web.Listen)
	if err != nil {
		return cfg, nil, err
	}
	host, _, _ := net.SplitHostPort(cfg.Web.Listen)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		host = "127.0.0.1"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if cfg, err = d.config("http://" + net.JoinHostPort(host, port)); err != nil {
		return cfg, nil, closing(err, l.Close)
	}
	return cfg, l, nil
}

// world makes sure that there is a whole sample world where cfg says.
func (d *demoRun) world(ctx context.Context, cfg config.Config) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	if _, lite := cfg.Database.SQLite(); lite {
		return d.inFolder(ctx, cfg)
	}
	return d.inDatabase(ctx, cfg)
}

// inDatabase makes the world in a PostgreSQL database, its key, files and captured mail in the folder.
func (d *demoRun) inDatabase(ctx context.Context, cfg config.Config) error {
	standing, err := look(ctx, cfg)
	if err != nil {
		return err
	}
	switch standing {
	case demo.Finished:
		if !there(cfg.Storage.Key) {
			return plain("The database holds a demo whose key is not in %s. Name the folder that it was made with by --data, or give the demo an empty database.", d.dir)
		}
		return nil
	case demo.Unfinished:
		return plain("The database holds a demo that was broken off while it was made. Drop the database and make it again; remove the demo's folder too, where --data named one.")
	case demo.Foreign:
		return plain("The database that KITHLINE_DATABASE_URL names is in use by a Kithline of your own. The demo needs an empty one and changed nothing.")
	}
	if there(cfg.Storage.Key) || there(cfg.Storage.Data) {
		return plain("%s holds a Kithline that belongs to another database. Name another folder by --data; nothing was changed.", d.dir)
	}
	return d.build(ctx, cfg)
}

// building begins the names of folders in which a world is being made.
const building = ".building-"

// inFolder makes the world in a folder of its own inside the demo's and moves it to its place once it is whole: what was
// broken off in the middle is never taken for a world.
func (d *demoRun) inFolder(ctx context.Context, cfg config.Config) error {
	half, err := filepath.Glob(filepath.Join(d.dir, building+"*"))
	if err != nil {
		return err
	}
	if there(cfg.Storage.Data) {
		for _, h := range half { // ended between the two moves below
			if key := filepath.Join(h, "kithline.key"); !there(cfg.Storage.Key) && there(key) && !there(filepath.Join(h, "data")) {
				if err := os.Rename(key, cfg.Storage.Key); err != nil {
					return err
				}
			}
		}
		standing, err := look(ctx, cfg)
		if err == nil && standing != demo.Finished {
			err = plain("%s holds a Kithline that the demo did not make. Name another folder by --data; nothing was changed.", d.dir)
		}
		return err
	}
	if there(cfg.Storage.Key) {
		return plain("%s holds the key of a Kithline whose data is somewhere else. Name another folder by --data; nothing was changed.", d.dir)
	}
	for _, h := range half {
		if info, err := os.Stat(h); err == nil && time.Since(info.ModTime()) > 10*time.Minute { // a younger one may be at work
			_ = os.RemoveAll(h)
		}
	}
	dir, err := os.MkdirTemp(d.dir, building)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	made := cfg
	made.Storage.Data, made.Storage.Key = filepath.Join(dir, "data"), filepath.Join(dir, "kithline.key")
	made.Database.URL = config.PrivateURL("sqlite:" + made.Storage.Path("kithline.db"))
	if err := d.build(ctx, made); err != nil {
		return err
	}
	if err := settle(made.Storage.Path("kithline.db")); err != nil {
		return err
	}
	if err := os.Rename(made.Storage.Data, cfg.Storage.Data); err != nil {
		return err
	}
	return os.Rename(made.Storage.Key, cfg.Storage.Key)
}

// settle waits until a file that was written without waiting is on the disk.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return closing(f.Sync(), f.Close)
}

func there(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// look tells what the database of cfg is to the demo. It changes nothing in one that is in use.
func look(ctx context.Context, cfg config.Config) (standing demo.Standing, err error) {
	if path, lite := cfg.Database.SQLite(); lite && !there(path) {
		return demo.Foreign, nil
	}
	db, err := openDatabase(ctx, cfg, clock.System)
	if err != nil {
		return demo.Foreign, err
	}
	defer func() { err = closing(err, db.Close) }()
	s, err := migrations.Read(ctx, db)
	if err != nil || s.Current == 0 {
		return demo.Empty, err
	}
	return demo.Look(ctx, db)
}

// build makes the world. The program is built for it with a clock that stands and a database that does not wait for the
// disk, and ends before the one that serves is built.
func (d *demoRun) build(ctx context.Context, cfg config.Config) error {
	// Memory is taken rather than tidied while the world is made; run gives it back.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := time.Now()
	now := clock.System.Now()
	clk := clock.NewFixed(now.AddDate(0, 0, -60))
	cfg.Mail.Connections = 2  // one processor each
	cfg.Mail.Letters = "live" // to the outbox, as all mail of the world
	mail := &sampled{Transport: mailer.NewCapture(cfg.Storage.Path("outbox"))}
	a, err := Build(ctx, cfg, Options{LogTo: d.err, Clock: clk, Transport: mail, Demo: true, Building: true})
	if err != nil {
		return err
	}
	w, err := demo.Sample()
	if err != nil {
		return closing(err, a.Close)
	}
	if d.signatures > 0 {
		w.Signatures = d.signatures
	}
	err = demo.Build(ctx, demo.Services{
		DB: a.DB, Signer: a.Signer, Organisation: a.Organisation, Users: a.Users, Petitions: a.Petitions, Posts: a.Posts, Imports: a.Imports,
		Mailings: a.Mailings, Deliveries: a.Deliveries, Chapters: a.Chapters, Divisions: a.Divisions, Legislators: a.Legislators, Supporters: a.Supporters,
		Consents: a.Consents, Forms: a.Forms, Waiting: a.Waiting, Segments: a.Segments, Duplicates: a.Duplicates, Letters: a.Letters, Rosters: a.Rosters, Volunteers: a.Volunteers, Events: a.Events, Meetings: a.Meetings, Deliverability: a.Deliverability,
	}, w, clk, now, d.progress())
	if err == nil {
		_, _ = fmt.Fprintf(d.err, "Made the sample world in %.1f s.\n", time.Since(began).Seconds())
	}
	return closing(err, a.Close)
}

// progress shows on a terminal how far the world is; nil elsewhere.
func (d *demoRun) progress() func(done, total int) {
	f, ok := d.err.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	var last time.Time
	return func(done, total int) {
		if done < total && time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		_, _ = fmt.Fprintf(f, "\rMaking the sample world: %d of %d signatures%s", done, total, strings.Repeat("\n", 1-min(1, total-done)))
	}
}

// keepBulk is how many copies of the world's mailing are kept for the outbox; the others are taken and thrown away.
const keepBulk = 12

// sampled keeps mails, but of those to many only the first.
type sampled struct {
	mailer.Transport
	bulk atomic.Int64
}

// Open opens a connection to what keeps the mails.
func (s *sampled) Open(ctx context.Context) (mailer.Conn, error) {
	c, err := s.Transport.Open(ctx)
	return sampledConn{c, s}, err
}

type sampledConn struct {
	mailer.Conn
	s *sampled
}

// Send keeps a mail, or takes it without keeping it.
func (c sampledConn) Send(ctx context.Context, m mailer.Message) mailer.Outcome {
	if m.Bulk && c.s.bulk.Add(1) > keepBulk {
		return mailer.Outcome{State: mailer.Accepted, Code: 250, Reply: "taken, not kept"}
	}
	return c.Conn.Send(ctx, m)
}
