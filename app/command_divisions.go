package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kithline/app/locales"
	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
)

func (c *cli) divisionsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "divisions", Short: "Districts, their postal codes and their boundaries"}
	cmd.AddCommand(c.importDivisionsCommand())
	return cmd
}

// divisionFlags are what "divisions import" takes beside kind and file.
type divisionFlags struct {
	divisions.Options
	json bool
}

func (c *cli) importDivisionsCommand() *cobra.Command {
	var f divisionFlags
	cmd := &cobra.Command{
		Use:   "import KIND FILE",
		Short: "Import districts, postal codes or boundaries",
		Long: `Reads public data about who lives where, "-" for standard input. KIND is one of

  ocd     districts: CSV with id, name, sameAs, validFrom, validThrough (Open Civic Data); also their lists of other names
  zip     US postal codes: CSV with state_fips, state_abbr, zcta, cd; "0" is a state's one district at large
  postal  postal codes of any country and districts of any kind: CSV with postal_code, id
  geo     boundaries: GeoJSON with the fields of the US Census Bureau, or a property ocd_id

Import ocd first: the others refer to it. The file is compared with what is there, and only the difference is written.
Nothing is ever deleted that people may live in: a district that a newer list lacks gets a last day. A file that lacks
more than a tenth of what is there for its states is refused; --force takes it all the same, and --part says that it
never was the whole.

Afterwards supporters are placed again by their postal codes. What they chose themselves, and what was set by hand or by
a point, stays. The same file twice changes nothing, and a run that was stopped can be run again.`,
		Example: `  kithline divisions import ocd us_congressional_districts.csv
  kithline divisions import zip zccd.csv --dry-run
  kithline divisions import postal postal_codes.csv
  kithline divisions import geo cd119.geojson --version "Census TIGER 2025"`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Kind = args[0]
			return c.importDivisions(cmd.Context(), args[1], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.DryRun, "dry-run", false, "say what would change and write nothing")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.Force, "force", false, "take the file however much of the data it lacks")
	flags.BoolVar(&f.Part, "part", false, "the file is a part: what it lacks stays")
	flags.IntVar(&f.MaxGone, "max-gone", 10, "how much a file may lack without --force, in percent of what is there")
	flags.StringVar(&f.Version, "version", "", "name of this data in records (default: the file's name and today)")
	return cmd
}

func (c *cli) importDivisions(ctx context.Context, name string, f divisionFlags) (err error) {
	if !slices.Contains(divisions.FileKinds, f.Kind) {
		return usageError{fmt.Sprintf("KIND is %s, not %q", strings.Join(divisions.FileKinds, ", "), f.Kind)}
	}
	if f.MaxGone < 1 || f.MaxGone > 100 {
		return usageError{"--max-gone is a share from 1 to 100 percent"}
	}
	in, _, err := c.source(name)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, in.Close) }()
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	if f.Version == "" {
		f.Version = strings.TrimPrefix(filepath.Base(name)+" ", "- ") + a.Clock.Now().Format(time.DateOnly)
	}
	show, end := c.steps()
	res, err := a.Divisions.Import(ctx, actor.TheSystem(), in, f.Options, show)
	end()
	if err != nil {
		return errors.Join(err, c.printBad(c.err, res))
	}
	if f.json {
		return c.json(struct {
			divisions.Result
			Errors []badLine `json:"errors"`
		}{res, c.badLines(res)})
	}
	return c.printDivisions(res)
}

// steps tells how far the import is where somebody looks.
func (c *cli) steps() (show func(divisions.Progress), end func()) {
	screen, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(screen.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(screen), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14))
	return func(p divisions.Progress) {
			switch p.Step {
			case "read":
				bar.Describe("reading")
			case "write":
				bar.Describe(fmt.Sprintf("writing, step %d of %d", p.Done, p.Total))
			case "place":
				bar.Describe(fmt.Sprintf("placing supporters: %d", p.Done))
			}
			_ = bar.Add(1) // a bar that cannot be drawn stops nothing
		}, func() {
			_ = bar.Finish()
		}
}

// badLine is one line that was not taken, in words.
type badLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

func (c *cli) badLines(r divisions.Result) []badLine {
	out := []badLine{}
	words, err := locales.Load()
	for _, b := range r.Bad {
		reason := b.Key
		if err == nil {
			data := map[string]any{}
			for i := 0; i+1 < len(b.Args); i += 2 {
				data[fmt.Sprint(b.Args[i])] = b.Args[i+1]
			}
			if s, err := words.Text(locales.Languages[0], b.Key, data, nil); err == nil {
				reason = s
			}
		}
		out = append(out, badLine{b.Line, reason})
	}
	return out
}

func (c *cli) printBad(w io.Writer, r divisions.Result) error {
	if r.Skipped == 0 {
		return nil
	}
	thing := "line"
	if r.Kind == divisions.FileGeo {
		thing = "feature"
	}
	fmt.Fprintln(w, "Not taken:")
	list := c.badLines(r)
	for _, b := range list[:min(len(list), 20)] {
		fmt.Fprintf(w, "  %s %d: %s\n", thing, b.Line, b.Reason)
	}
	if r.Skipped > 20 {
		fmt.Fprintf(w, "  and %s more\n", count(r.Skipped-20, thing))
	}
	return nil
}

func (c *cli) printDivisions(r divisions.Result) error {
	if r.DryRun {
		fmt.Fprintln(c.out, "Dry run: nothing was written.")
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, l := range []struct {
		n    int
		what string
	}{{r.New, "new"}, {r.Changed, "changed"}, {r.Gone, "gone"}, {r.Kept, "as before"}, {r.Skipped, "not taken"}} {
		fmt.Fprintf(w, "%d\t %s\n", l.n, l.what)
	}
	if !r.DryRun && r.Kind != divisions.FileGeo {
		fmt.Fprintf(w, "%d\t supporters looked at\n%d\t of their districts found or changed\n%d\t open now\n", r.Placed.Looked, r.Placed.Found, r.Placed.Open)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Version: "+r.Version)
	for _, what := range []string{"new", "changed", "gone"} {
		var names []string
		for _, s := range r.Samples {
			if s.What == what {
				names = append(names, s.Name)
			}
		}
		if len(names) > 0 && (r.DryRun || what == "gone") {
			fmt.Fprintf(c.out, "%s, some of them: %s\n", strings.ToUpper(what[:1])+what[1:], strings.Join(names, ", "))
		}
	}
	return c.printBad(c.out, r)
}
