package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/backups"
	"kithline/campaigns/erasures"
)

func (c *cli) eraseCommand() *cobra.Command {
	var asJSON bool
	var list string
	cmd := &cobra.Command{
		Use:   "erase ADDRESS...|-",
		Short: "Erase people by their mail addresses, or write the list of who was erased",
		Long: `Erases the people behind mail addresses: their record, all their addresses and what hangs on them. Signatures stay in the
counts, without a name. Uploads and exports end, since they may hold a copy. There is no way back.

With "-" the addresses are read from standard input, one a line: a shell keeps a history of what was typed.

With --list FILE nobody is erased. The list of everybody who was erased is written, as keyed hashes that name nobody. Keep a
copy apart from the server: "kithline restore --erased FILE" makes an older backup forget them again.`,
		Example: "  kithline erase - < addresses.txt\n  kithline erase june@example.org\n  kithline erase --list /var/backups/kithline/erased.jsonl",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case list != "" && len(args) > 0:
				return usageError{"--list erases nobody: leave out the addresses"}
			case list != "":
				return c.eraseList(cmd.Context(), list)
			case len(args) == 0:
				return usageError{"name the addresses, or - to read them from standard input"}
			}
			return c.erase(cmd.Context(), args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the numbers as JSON")
	cmd.Flags().StringVar(&list, "list", "", "write the list of erased addresses to this file; - for standard output")
	return cmd
}

func (c *cli) erase(ctx context.Context, addresses []string, asJSON bool) (err error) {
	if len(addresses) == 1 && addresses[0] == "-" {
		addresses = nil
		lines := bufio.NewScanner(c.in)
		for lines.Scan() {
			if l := strings.TrimSpace(lines.Text()); l != "" {
				addresses = append(addresses, l)
			}
		}
		if err := lines.Err(); err != nil {
			return err
		}
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	done, err := a.Erasures.EraseAddresses(ctx, actor.TheSystem(), addresses)
	if err != nil {
		return err
	}
	if err := a.Erasures.Settle(ctx); err != nil { // no server need run
		return err
	}
	if asJSON {
		return c.json(map[string]int{"erased": done.Erased, "unknown": done.Unknown, "wrong": done.Wrong, "accounts": done.Accounts})
	}
	fmt.Fprintf(c.out, "Erased: %d. Not known here: %d. No mail addresses: %d.\n", done.Erased, done.Unknown, done.Wrong)
	if done.Accounts > 0 {
		fmt.Fprintf(c.out, "%s of them keeps its address, as the account of somebody who works here.\n", fmt.Sprint(done.Accounts))
	}
	return nil
}

func (c *cli) eraseList(ctx context.Context, path string) (err error) {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	list, err := a.Erasures.Since(ctx, actor.TheSystem())
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return erasures.WriteList(w, list) }
	if path == "-" {
		return write(c.out)
	}
	if err := backups.ToFile(path, write); err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err == nil {
		_, err = fmt.Fprintf(c.out, "Wrote %s of erased addresses, %s. It names nobody.\n", count(len(list), "line"), size(st.Size()))
	}
	return err
}
