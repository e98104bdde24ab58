package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/backups"
	"kithline/campaigns/erasures"
	"kithline/campaigns/files"
	"kithline/campaigns/vault"
	"kithline/config"
)

// restoreSummary is what --json prints of a restore.
type restoreSummary struct {
	MadeAt  time.Time        `json:"made_at"`
	Version string           `json:"kithline"` // that made the backup
	KeyID   string           `json:"key_id"`
	Key     string           `json:"key"` // in place, missing or another one
	Rows    map[string]int64 `json:"rows"`
	Jobs    int64            `json:"jobs"`
	Files   int64            `json:"files"`
	Missing []string         `json:"missing"`
	Paused  int64            `json:"paused_mailings"`
	Unknown int64            `json:"unknown_deliveries"`
	Expired int64            `json:"expired_deliveries"`
	Erased  int              `json:"erased"` // addresses in the backup that were erased since
}

func (c *cli) restoreCommand() *cobra.Command {
	var asJSON bool
	var erased string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty database and the store from a backup",
		Long: `Reads a backup, checks it to its end, and puts it into the database and the store of the configuration. The database must
be empty, and no server may run on it. A backup of SQLite can go into PostgreSQL, and the other way. Either all of it is
restored or nothing.

Mailings that were under way are paused: what was sent after the backup is not known to it. Mail that waited for more than
a day to answer somebody is not sent any more. Everybody signs in again.

People who were erased after the backup was made are erased again, by the list that Kithline keeps beside the stored files.
Where that list is lost with the server, give the copy that "kithline erase --list" or the erasures page wrote: --erased.

The key is not needed for this; to start the server afterwards it is.`,
		Example: "  kithline restore /var/backups/kithline/monday.kithline\n  KITHLINE_DATABASE_URL=postgres://kithline@db/kithline kithline restore grown.kithline\n  kithline restore --erased erased.jsonl monday.kithline",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" {
				return usageError{"a backup is read twice when it is restored: save it to a file first"}
			}
			cfg, err := c.config()
			if err != nil {
				return err
			}
			return c.restore(cmd.Context(), cfg, args[0], erased, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was restored as JSON")
	cmd.Flags().StringVar(&erased, "erased", "", "a copy of the list of erased addresses, or the folder it was kept in, added to the list of the store")
	return cmd
}

func (c *cli) restore(ctx context.Context, cfg config.Config, path, erased string, asJSON bool) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return plain("%s is not a file. Name a file that \"kithline backup\" wrote.", path)
	}
	if err := dataFolder(cfg); err != nil {
		return err
	}
	s, end, err := backupService(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, end) }()

	list, err := erasedSince(ctx, cfg, erased)
	if err != nil {
		return err
	}
	bar := newBar(c.err)
	done, err := s.Restore(ctx, actor.TheSystem(), f, bar.show, list...)
	bar.clear()
	if err != nil {
		return err
	}
	key, note := keyFor(cfg, done.Contents)
	if asJSON {
		return c.json(restoreSummary{
			done.MadeAt, done.Version, done.KeyID, key, done.Rows, done.Jobs, done.Files, done.Missing, done.PausedMailings, done.Unknown, done.Expired, done.Erased,
		})
	}
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(c.out, format+"\n", args...)
		}
	}
	say("Restored %s, %s and %s, as they were on %s.", count(int(done.AllRows()), "row"), count(int(done.Files), "file"), count(int(done.Jobs), "job"), done.MadeAt.Format("2 January 2006 at 15:04 UTC"))
	if n := len(done.Missing); n > 0 {
		say("The backup was made without the content of %s.", count(n, "file"))
	}
	if n := int(done.PausedMailings); n > 0 {
		say("%s paused: look at each before it goes on, mail may have gone out after the backup.", count(n, "mailing"))
	}
	if n := int(done.Unknown); n > 0 {
		say("%s whose answer is not known: decide on the page of the mailing.", count(n, "mail"))
	}
	if n := int(done.Expired); n > 0 {
		say("%s too old to be sent.", count(n, "mail"))
	}
	switch n := done.Erased; n {
	case 0:
	case 1:
		say("1 address erased again: it was erased after the backup was made.")
	default:
		say("%d addresses erased again: they were erased after the backup was made.", n)
	}
	say("%s", note)
	return err
}

// erasedSince is the list of erased addresses: what the store holds, and what stands in a copy of it, which the store gets too.
func erasedSince(ctx context.Context, cfg config.Config, path string) ([]erasures.Entry, error) {
	l, err := ledger(cfg)
	if err != nil {
		return nil, err
	}
	list, err := l.All(ctx)
	if err != nil || path == "" {
		return list, err
	}
	more, err := readErased(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, e := range more {
		if err := l.Put(ctx, e); err != nil {
			return nil, err
		}
	}
	return append(list, more...), nil
}

// readErased reads a copy of the list, or the folder in which another server kept it.
func readErased(ctx context.Context, path string) ([]erasures.Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return erasures.ReadList(f)
	}
	folder, err := files.NewFolder(path)
	if err != nil {
		return nil, err
	}
	return erasures.NewLedger(folder).All(ctx)
}

// keyFor says whether the key that a backup needs is in place, in a word and in a sentence.
func keyFor(cfg config.Config, c backups.Contents) (word, note string) {
	var missing *vault.KeyMissing
	_, err := vault.Load(cfg.Storage.Key, c.KeyCheck)
	switch {
	case err == nil, errors.Is(err, vault.ErrNoKey):
		return "in place", "The key is in place. Start kithline again."
	case errors.As(err, &missing):
		return "missing", fmt.Sprintf("Before you start kithline, put key %s at %s: a copy of the file, or \"kithline keys recover\" with the printed sheet.", c.KeyID, cfg.Storage.Key)
	}
	return "another one", fmt.Sprintf("Before you start kithline, put key %s at %s. What is there now is not that key; move it away, do not delete it.", c.KeyID, cfg.Storage.Key)
}
