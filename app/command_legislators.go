package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kithline/app/locales"
	"kithline/campaigns/actor"
	"kithline/campaigns/legislators"
	"kithline/models"
)

func (c *cli) legislatorsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "legislators", Short: "Who decides, their terms and their offices"}
	cmd.AddCommand(c.importLegislatorsCommand())
	return cmd
}

// legislatorFlags are what "legislators import" takes beside kind and source.
type legislatorFlags struct {
	legislators.ImportOptions
	json bool
}

func (c *cli) importLegislatorsCommand() *cobra.Command {
	var f legislatorFlags
	cmd := &cobra.Command{
		Use:   "import KIND PATH-or-URL",
		Short: "Import those who decide: Congress, state legislatures, or a list of your own",
		Long: `Reads public data about those who decide. KIND is one of

  congress    unitedstates/congress-legislators as JSON: legislators-current.json alone, or a folder or ZIP that also has
              district offices, committees and their members
  openstates  openstates/people: the whole tree as a folder or ZIP, or the folder of one state
  csv         a list of anybody whom people write to: a council, a company, a ministry; docs/legislators.md has the columns

A URL is fetched by https alone. The file is compared with what is known, and only the difference is written, in one step:
who joined, left, moved to another seat or changed party, and names, offices and ways to reach them. A file speaks for the
chambers that it has people of. Nobody is deleted: who left keeps their history, and letters to them wait for a new yes.
What an organizer wrote by hand stays. The same file twice changes nothing.

A file is refused when three people or more, and more than a tenth of those who sit in a place, would leave: it may be cut.
--allow-leaving takes it all the same, as after an election. A file that is broken is refused with its name and line.`,
		Example: `  kithline legislators import congress legislators-current.json --dry-run
  kithline legislators import openstates https://github.com/openstates/people/archive/refs/heads/main.zip
  kithline legislators import openstates people/data/vt
  kithline legislators import csv council.csv`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Kind = models.LegislatorSource(args[0])
			return c.importLegislators(cmd.Context(), args[1], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.DryRun, "dry-run", false, "say what would change and write nothing")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.AllowLeaving, "allow-leaving", false, "take the file however many leave")
	flags.StringVar(&f.Version, "version", "", "name of this data in records (default: the file's name and today)")
	return cmd
}

func (c *cli) importLegislators(ctx context.Context, name string, f legislatorFlags) (err error) {
	if !slices.Contains(legislators.Kinds, f.Kind) {
		return usageError{fmt.Sprintf("KIND is congress, openstates, csv, not %q", f.Kind)}
	}
	open := func() (*legislators.Source, error) { return legislators.OpenPath(name) }
	if legislators.IsURL(name) {
		open = func() (*legislators.Source, error) { return legislators.Fetch(ctx, name) }
	}
	src, err := open()
	if err != nil {
		return err
	}
	defer func() { err = closing(err, src.Close) }()
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	res, err := a.Legislators.Import(ctx, actor.TheSystem(), src, f.ImportOptions)
	if err != nil {
		return err
	}
	if f.json {
		return c.json(res)
	}
	return c.printLegislators(res)
}

// changeWords are the kinds of changes on a terminal.
var changeWords = map[string]string{
	"joined": "joined", "left": "left", "moved": "moved to another seat", "party": "changed party", "name": "changed name", "term": "changes of terms", "office": "changes of offices",
	"channel": "changes of ways to reach them", "committee": "changes of committees",
}

func (c *cli) printLegislators(r legislators.Result) error {
	if r.DryRun {
		fmt.Fprintln(c.out, "Dry run: nothing was written.")
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d\t people in the file\n%d\t as before\n", r.People, r.Same)
	for _, kind := range legislators.ChangeKinds {
		fmt.Fprintf(w, "%d\t %s\n", r.Counts[kind], changeWords[kind])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Version: "+r.Version)
	const most = 40
	for i, x := range r.Changes {
		if i == most {
			fmt.Fprintf(c.out, "and %s more; --json has all of them\n", count(len(r.Changes)-most, "change"))
			break
		}
		fmt.Fprintf(c.out, "  %s: %s\n", x.Kind, strings.Join(slices.DeleteFunc([]string{x.Name, x.Before, x.After}, func(s string) bool { return s == "" }), " | "))
	}
	if r.Refused {
		fmt.Fprintln(c.out, "Too many would leave: without --allow-leaving this file is refused.")
	}
	return c.printNotes(r.Notes)
}

func (c *cli) printNotes(notes []legislators.Note) error {
	words, err := locales.Load()
	if err != nil {
		return err
	}
	for i, n := range notes {
		if i == 20 {
			fmt.Fprintf(c.out, "and %s more\n", count(len(notes)-20, "note"))
			break
		}
		text, err := words.Text(locales.Languages[0], n.Key, map[string]any{"Name": n.Name, "Value": n.Value}, nil)
		if err != nil {
			return errors.Join(err, fmt.Errorf("%s: %s", n.Key, n.Name))
		}
		fmt.Fprintln(c.out, "Note: "+text)
	}
	return nil
}
