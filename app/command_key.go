package app

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/keys"
	"kithline/campaigns/vault"
	"kithline/models"
)

func (c *cli) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Aliases: []string{"key"},
		Short:   "Print, recover or change the keys of the database",
		Long: `The key file opens what the database holds sealed: names, addresses, comments. Without it nobody can read them, you
included. Keep the recovery sheet on paper, away from the server and from the backups.`,
	}
	cmd.AddCommand(c.keySheetCommand(), c.keyRecoverCommand(), c.keyRotateCommand(), c.keyStatusCommand())
	return cmd
}

func (c *cli) keySheetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sheet",
		Short: "Print the recovery sheet of every key in the key file",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			keys, err := vault.ReadAll(cfg.Storage.Key)
			if err != nil {
				return &vault.KeyUnreadable{Path: cfg.Storage.Key, Cause: err}
			}
			for _, k := range keys {
				if _, err := fmt.Fprintln(c.out, sheet(k)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func sheet(k *vault.Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Kithline recovery sheet, key %s\n\n", k.ID())
	for i, g := range k.Sheet() {
		fmt.Fprintf(&b, "%2d: %s", i+1, g)
		if i%4 == 3 {
			b.WriteByte('\n')
		} else {
			b.WriteString("    ")
		}
	}
	b.WriteString("\n\nTo get the key file back: run \"kithline keys recover\" and type the groups in this order.\n")
	return b.String()
}

func (c *cli) keyRecoverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recover",
		Short: "Make the key file again from the recovery sheet",
		Long: `Reads the groups of one recovery sheet from standard input, checks each, and writes the key file. Where the file is there
already, as after the first of several sheets, the key is put behind those that it holds. Nothing is ever taken out of it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(c.err, "Type the groups of the recovery sheet, in any number of lines; end with an empty line."); err != nil {
				return err
			}
			k, err := vault.ParseKey(untilEmptyLine(c.in))
			if err != nil {
				return plain("%s", err)
			}
			if err := c.checkRecovered(cmd, k); err != nil {
				return err
			}
			err = k.Write(cfg.Storage.Key)
			if errors.Is(err, fs.ErrExist) {
				err = k.Append(cfg.Storage.Key)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.out, "The key file is back at %s, key %s. Start kithline again.\n", cfg.Storage.Key, k.ID())
			return err
		},
	}
}

// checkRecovered holds the key against the database, where that can be reached: a sheet of another server must not become
// the key file of this one.
func (c *cli) checkRecovered(cmd *cobra.Command, k *vault.Key) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	db, err := openDatabase(cmd.Context(), cfg, clock.System)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	first, err := keyCheck(cmd.Context(), db)
	if err != nil || first == nil {
		return nil //nolint:nilerr // an empty database: any key will do
	}
	var further [][]byte
	if err := db.WithContext(cmd.Context()).Model(&models.SealingKey{}).Pluck("check_value", &further).Error; err != nil {
		further = nil // of a version before there were any
	}
	v := vault.New(k)
	for _, check := range append(further, first) {
		if v.Verify(check) == nil {
			return nil
		}
	}
	return plain("These groups are key %s, but the database was sealed with key %s. Nothing was written: look for the other sheet.", k.ID(), hex.EncodeToString(first[:4]))
}

func untilEmptyLine(r io.Reader) string {
	var b strings.Builder
	for s := bufio.NewScanner(r); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" && b.Len() > 0 {
			break
		}
		b.WriteString(line + " ")
	}
	return b.String()
}

func (c *cli) keyRotateCommand() *cobra.Command {
	var begin bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new sealing key, and begin to seal with it",
		Long: `In two steps, so that a key is on paper before it is needed. First "kithline keys rotate" makes a key, puts it into the key
file and prints its recovery sheet: keep it beside the older ones, and copy the key file to every other node. Then "kithline keys
rotate --begin": from then on the new key seals, and the server seals anew in the background what the old one sealed. "kithline
keys status" tells how far it is. The key for look-ups never changes, so the first sheet stays needed.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			if begin {
				id, err := a.Keys.Begin(cmd.Context(), actor.TheSystem())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.out, "Key %s seals from now on. The server seals anew what older keys sealed; see \"kithline keys status\".\n", id)
				return err
			}
			k, err := a.Keys.Rotate(cmd.Context(), actor.TheSystem())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.out, "%s\nKeep this sheet beside the older ones: all of them are needed. Copy %s to every other node.\n"+
				"Then, after half a minute: kithline keys rotate --begin\n", sheet(k), a.Config.Storage.Key)
			return err
		},
	}
	cmd.Flags().BoolVar(&begin, "begin", false, "seal with the key that was made")
	return cmd
}

func (c *cli) keyStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Which key seals, and how much older keys sealed",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			s, err := a.Keys.Status(cmd.Context(), actor.TheSystem())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(s)
			}
			_, err = fmt.Fprint(c.out, keyStatus(s))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keyStatus(s keys.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Key %s seals. Look-ups are made by key %s.\n", s.Sealing, s.First)
	if s.New != "" {
		fmt.Fprintf(&b, "Key %s was made and waits: kithline keys rotate --begin\n", s.New)
	}
	switch {
	case s.Sealing == s.First:
	case s.Left > 0:
		fmt.Fprintf(&b, "%d rows are sealed anew, %d are left.\n", s.Sealed, s.Left)
	default:
		fmt.Fprintf(&b, "%d rows are sealed anew, none is left.\n", s.Sealed)
	}
	return b.String()
}
