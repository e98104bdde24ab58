package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kithline/campaigns/actor"
	"kithline/campaigns/backups"
	"kithline/campaigns/clock"
	"kithline/config"
)

// backupSummary is what --json prints of a backup.
type backupSummary struct {
	File      string           `json:"file"` // "-" for standard output
	Bytes     int64            `json:"bytes"`
	MadeAt    time.Time        `json:"made_at"`
	Database  string           `json:"database"`
	Schema    int64            `json:"schema"`
	KeyID     string           `json:"key_id"`
	Rows      map[string]int64 `json:"rows"`
	Jobs      int64            `json:"jobs"`
	Files     int64            `json:"files"`
	FileBytes int64            `json:"file_bytes"`
	Missing   []string         `json:"missing"` // keys of stored files that were not there
}

func (c *cli) backupCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write the database and the stored files into one file, while the server runs",
		Long: `Writes one file with all rows and all stored files, as they are at one moment. The server goes on meanwhile. The key is
not needed and is not in the file: what is sealed stays sealed. Keep the key file or the recovery sheet apart from it.

FILE appears once it is whole; an older one of the same name is replaced. With "-" the backup goes to standard output.
It can be restored on SQLite and on PostgreSQL, whichever it comes from. See "kithline restore".`,
		Example: "  kithline backup /var/backups/kithline/monday.kithline\n  kithline backup - | ssh vault 'cat > kithline.backup'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			return c.backup(cmd.Context(), cfg, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was written as JSON; on standard error for FILE -")
	return cmd
}

func (c *cli) backup(ctx context.Context, cfg config.Config, path string, asJSON bool) (err error) {
	if f, ok := c.out.(*os.File); path == "-" && ok && term.IsTerminal(int(f.Fd())) {
		return usageError{"a backup is not for the screen: name a file, or send it on with |"}
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return plain("%s is a folder. Name a file in it, for instance %s.", path, filepath.Join(path, "today.kithline"))
	}
	if dir := filepath.Dir(path); path != "-" {
		if _, err := os.Stat(dir); err != nil {
			return plain("The folder %s does not exist. Make it first, or name another.", dir)
		}
	}
	if file, lite := cfg.Database.SQLite(); lite {
		if _, err := os.Stat(file); err != nil { // opening it would make it
			return plain("There is no database at %s. Check KITHLINE_DATA_DIR and KITHLINE_DATABASE_URL, and the folder that you are in.", file)
		}
	}
	s, end, err := backupService(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, end) }()

	bar := newBar(c.err)
	counted := &counter{}
	var made backups.Contents
	write := func(w io.Writer) (err error) {
		counted.w = w
		made, err = s.Backup(ctx, actor.TheSystem(), counted, bar.show)
		return err
	}
	say := c.out
	if path == "-" {
		err, say = write(c.out), c.err
	} else {
		err = backups.ToFile(path, write)
	}
	bar.clear()
	if err != nil {
		return err
	}
	if n := len(made.Missing); n > 0 {
		fmt.Fprintf(c.err, "Not in the backup: %s whose content is gone from the store.\n", count(n, "file"))
	}
	if asJSON {
		return (&cli{out: say}).json(backupSummary{
			path, counted.n, made.MadeAt, made.Database, made.Schema, made.KeyID, made.Rows, made.Jobs, made.Files, made.FileBytes, made.Missing,
		})
	}
	_, err = fmt.Fprintf(say, "Backed up %s, %s and %s, in %s.\n", count(int(made.AllRows()), "row"), count(int(made.Files), "file"), count(int(made.Jobs), "job"), size(counted.n))
	if err == nil && made.KeyID != "" {
		_, err = fmt.Fprintf(say, "To read what is sealed in it takes key %s, which is not in it.\n", made.KeyID)
	}
	return err
}

// backupService opens the database and the store as they are, without the key. end closes them.
func backupService(ctx context.Context, cfg config.Config) (s *backups.Service, end func() error, err error) {
	db, err := openDatabase(ctx, cfg, clock.System)
	if err != nil {
		return nil, nil, err
	}
	store, err := blobs(cfg)
	if err != nil {
		return nil, nil, closing(err, db.Close)
	}
	return backups.New(db, store, clock.System, build().Version), db.Close, nil
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// bar is one line of a terminal that says how far the work is; nothing where there is no terminal.
type bar struct {
	w    io.Writer // nil: no terminal
	last time.Time
}

func newBar(w io.Writer) *bar {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: f}
	}
	return &bar{}
}

// show writes the line anew, ten times a second at most.
func (b *bar) show(what string, done, total int64) {
	if b.w == nil || time.Since(b.last) < 100*time.Millisecond {
		return
	}
	b.last = time.Now()
	if what == "check" {
		fmt.Fprintf(b.w, "\r\x1b[Kchecking: %s of %s", size(done), size(total))
		return
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s: %d", what, done)
	if total > 0 {
		fmt.Fprintf(b.w, " of %d", total)
	}
}

// clear takes the line away.
func (b *bar) clear() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// size is a number of bytes for a person.
func size(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	f, i := float64(n), 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 || f >= 99.5 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
