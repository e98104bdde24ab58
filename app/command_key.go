package app

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"kithline/campaigns/clock"
	"kithline/campaigns/vault"
	"kithline/models"
)

func (c *cli) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print or recover the key of the database",
		Long: `The key file opens what the database holds sealed: names, addresses, comments. Without it nobody can read them, you
included. Keep the recovery sheet on paper, away from the server and from the backups.`,
	}
	cmd.AddCommand(c.keySheetCommand(), c.keyRecoverCommand())
	return cmd
}

func (c *cli) keySheetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sheet",
		Short: "Print the recovery sheet",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			k, err := vault.Read(cfg.Storage.Key)
			if err != nil {
				return &vault.KeyUnreadable{Path: cfg.Storage.Key, Cause: err}
			}
			_, err = fmt.Fprint(c.out, sheet(k))
			return err
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
	b.WriteString("\n\nTo get the key file back: run \"kithline key recover\" and type the groups in this order.\n")
	return b.String()
}

func (c *cli) keyRecoverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recover",
		Short: "Make the key file again from the recovery sheet",
		Long:  `Reads the groups of the recovery sheet from standard input, checks each, and writes the key file. An existing file is never overwritten.`,
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
			if err := k.Write(cfg.Storage.Key); err != nil {
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
	var row models.VaultCheck
	if err := db.WithContext(cmd.Context()).Take(&row, "id = 1").Error; err != nil {
		return nil // an empty database: any key will do
	}
	if vault.New(k).Verify(row.CheckValue) != nil {
		return plain("These groups are key %s, but the database was sealed with key %s. Nothing was written: look for the other sheet.", k.ID(), row.KeyID)
	}
	return nil
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
