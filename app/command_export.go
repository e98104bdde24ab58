package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kithline/campaigns/actor"
	"kithline/campaigns/backups"
	"kithline/campaigns/exports"
	"kithline/models"
)

func (c *cli) exportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "export", Short: "Write people's data, or everything, into files"}
	cmd.AddCommand(c.exportSupportersCommand(), c.exportSignaturesCommand(), c.exportEverythingCommand())
	return cmd
}

// exportFlags are what the lists take.
type exportFlags struct {
	segment, purpose, scope, format, out string
	columns                              []string
	json                                 bool
}

func (f *exportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "", "csv, jsonl or xlsx; else what the ending of --out says, else csv")
	flags.StringVar(&f.out, "out", "-", "file to write, \"-\" for standard output")
	flags.BoolVar(&f.json, "json", false, "print what was written as JSON; on standard error where the list goes to standard output")
}

// resolve is the format that is meant.
func (f *exportFlags) resolve() (string, error) {
	if f.format == "" {
		f.format = exports.CSV
		for _, e := range exports.Formats {
			if strings.HasSuffix(strings.ToLower(f.out), "."+e) {
				f.format = e
			}
		}
	}
	if !slices.Contains(exports.Formats, f.format) {
		return "", usageError{"--format is csv, jsonl or xlsx"}
	}
	return f.format, nil
}

func (c *cli) exportSupportersCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "supporters",
		Short: "Write a list of supporters",
		Long: `Writes supporters as CSV (UTF-8, no cell is a formula), JSON Lines or a workbook: everybody, or the members of a segment, or
whoever agreed to a purpose. A list for a purpose holds nobody else, and of their addresses those alone that they agreed
with. A list for a partner (--purpose share) holds names and ways to reach people, nothing else.

The file holds people's data in clear, and is for this user alone. What was exported, and how many, is in the audit log.`,
		Example: `  kithline export supporters --out everybody.csv
  kithline export supporters --purpose phone --columns given_name,family_name,phone --out calls.xlsx
  kithline export supporters --purpose newsletter --scope research --format jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.exportSupporters(cmd.Context(), f) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.segment, "segment", "", "id or name of a segment: its members only")
	flags.StringVar(&f.purpose, "purpose", "", "only who agreed to it: updates, newsletter, volunteering, phone, publish or share")
	flags.StringVar(&f.scope, "scope", "", "what the purpose is about: address (slug) of a campaign or topic, name of a partner, or an id")
	flags.StringSliceVar(&f.columns, "columns", nil, "columns, with commas between: "+strings.Join(exports.Columns, ", ")+", and field_NAME")
	return cmd
}

func (c *cli) exportSignaturesCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "signatures PETITION",
		Short: "Write the signatures under a petition, to hand them over",
		Long: `Writes the confirmed signatures under a petition, named by its address (slug) or id: number, name as each signer chose to
show it, postal code, day, and comments that were published. No mail addresses: signers were told so.`,
		Example: "  kithline export signatures twenty-visits --out signatures.xlsx",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.exportSignatures(cmd.Context(), args[0], f) },
	}
	f.add(cmd)
	return cmd
}

func (c *cli) exportSupporters(ctx context.Context, f exportFlags) error {
	format, err := f.resolve()
	if err != nil {
		return err
	}
	if f.scope != "" && f.purpose == "" {
		return usageError{"--scope goes with --purpose"}
	}
	if f.purpose != "" && !slices.Contains(models.Purposes, models.Purpose(f.purpose)) {
		return usageError{fmt.Sprintf("--purpose knows no %q", f.purpose)}
	}
	return c.exportList(ctx, f, func(a *App) (in exports.Input, err error) {
		in = exports.Input{Kind: exports.KindSupporters, Format: format, Purpose: models.Purpose(f.purpose), Columns: f.columns}
		if in.ScopeID, err = a.Exports.ScopeByName(ctx, actor.TheSystem(), in.Purpose, f.scope); err != nil {
			return in, err
		}
		if f.segment != "" {
			id, err := a.Exports.SegmentByName(ctx, actor.TheSystem(), f.segment)
			in.SegmentID = &id
			return in, err
		}
		return in, nil
	})
}

func (c *cli) exportSignatures(ctx context.Context, petition string, f exportFlags) error {
	format, err := f.resolve()
	if err != nil {
		return err
	}
	return c.exportList(ctx, f, func(a *App) (in exports.Input, err error) {
		in = exports.Input{Kind: exports.KindSignatures, Format: format}
		in.PetitionID, err = a.Exports.PetitionByName(ctx, actor.TheSystem(), petition)
		return in, err
	})
}

// exportList writes a list to where the flags say.
func (c *cli) exportList(ctx context.Context, f exportFlags, input func(*App) (exports.Input, error)) (err error) {
	if screen, ok := c.out.(*os.File); f.out == "-" && f.format == exports.XLSX && ok && term.IsTerminal(int(screen.Fd())) {
		return usageError{"a workbook is not for the screen: name a file with --out"}
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	in, err := input(a)
	if err != nil {
		return err
	}
	var done exports.Done
	bar := newBar(c.err)
	write := func(w io.Writer) (err error) {
		out := bufio.NewWriterSize(w, 256<<10)
		if done, err = a.Exports.Write(ctx, actor.TheSystem(), in, out, func(rows int) { bar.show("rows", int64(rows), 0) }); err != nil {
			return err
		}
		return out.Flush()
	}
	say := c.out
	if f.out == "-" {
		err, say = write(c.out), c.err
	} else {
		err = backups.ToFile(f.out, write)
	}
	bar.clear()
	if err != nil {
		return err
	}
	if f.json {
		return (&cli{out: say}).json(struct {
			File   string  `json:"file"`
			Rows   int     `json:"rows"`
			Opened int64   `json:"opened_values"`
			Took   float64 `json:"seconds"`
		}{f.out, done.Rows, done.Opened, done.Took.Seconds()})
	}
	_, err = fmt.Fprintf(say, "Wrote %s in %s.\n", count(done.Rows, "row"), done.Took.Round(time.Millisecond))
	return err
}

// exportWarning is told before everything is written, and after.
const exportWarning = "It holds every name, address and note in clear text. Keep it where nobody else can read it, and delete it when it has done its work.\n"

func (c *cli) exportEverythingCommand() *cobra.Command {
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "everything --out PATH",
		Short: "Write everything into a ZIP or a folder, in clear text",
		Long: `Writes all that the organisation keeps: a file for each table, one JSON object a line, and pictures and packs. What is
sealed in the database is in clear in it. PATH is a ZIP where it ends in .zip, else a folder, which must be new or empty.
"kithline import everything" reads it into an empty Kithline, on either database and under another key. docs/exports.md
describes every column, and what is left out: passwords, secrets, sessions, hashes and jobs.

To move a server or to be safe from its loss take "kithline backup": it stays sealed.`,
		Example: "  kithline export everything --out /media/safe/kithline.zip",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" || out == "-" {
				return usageError{"name a ZIP or a folder with --out"}
			}
			return c.exportEverything(cmd.Context(), out, asJSON)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "ZIP or folder to write")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was written as JSON")
	return cmd
}

func (c *cli) exportEverything(ctx context.Context, out string, asJSON bool) (err error) {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	bar := newBar(c.err)
	show := func(rows int) { bar.show("rows", int64(rows), 0) }
	var done exports.Done
	if strings.HasSuffix(strings.ToLower(out), ".zip") {
		err = backups.ToFile(out, func(w io.Writer) (err error) {
			buffered := bufio.NewWriterSize(w, 256<<10)
			if done, err = a.Exports.Write(ctx, actor.TheSystem(), exports.Input{Kind: exports.KindEverything}, buffered, show); err != nil {
				return err
			}
			return buffered.Flush()
		})
	} else {
		done, err = a.Exports.WriteFolder(ctx, actor.TheSystem(), out, show)
	}
	bar.clear()
	if err != nil {
		return err
	}
	if n := len(done.Report.Missing); n > 0 {
		fmt.Fprintf(c.err, "Not in it: %s whose content is gone from the store.\n", count(n, "file"))
	}
	if asJSON {
		fmt.Fprint(c.err, exportWarning)
		return c.json(done.Report)
	}
	_, err = fmt.Fprintf(c.out, "Wrote %s and %s to %s.\n%s", count(done.Rows, "row"), count(done.Report.Files, "file"), out, exportWarning)
	return err
}

// importEverythingCommand reads what exportEverythingCommand wrote.
func (c *cli) importEverythingCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "everything PATH",
		Short: "Read an export of everything into an empty Kithline",
		Long: `Reads a ZIP or a folder that "kithline export everything" wrote, into a database without rows, whole or not at all. Both
databases read what either wrote. People, consents, suppressions, texts and pictures come over and are sealed with the key
of this server; hashes are made anew. Accounts come without passwords and second steps: "kithline user link" gives a
link to sign in by. Mailings come paused. The password of the mail server has to be typed in again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.importEverything(cmd.Context(), args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was read as JSON")
	return cmd
}

func (c *cli) importEverything(ctx context.Context, path string, asJSON bool) (err error) {
	from, end, err := openArchive(path)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, end) }()
	s, end2, err := c.takeOver(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, end2) }()
	bar := newBar(c.err)
	done, err := s.TakeOver(ctx, actor.TheSystem(), from, bar.show)
	bar.clear()
	if err != nil {
		return err
	}
	if asJSON {
		return c.json(done)
	}
	fmt.Fprintf(c.out, "Read %s and %s, as they were on %s.\n", count(int(done.AllRows()), "row"), count(done.Files, "file"), done.From.MadeAt.Format("2 January 2006, 15:04 MST"))
	if done.LostErasures > 0 {
		fmt.Fprintf(c.out, "%s of erased people could not be taken over: they are hashes under the key of the other server. An import of an old list may bring those people back.\n", count(int(done.LostErasures), "entry"))
	}
	if n := done.MissingFiles; n > 0 {
		fmt.Fprintf(c.out, "%s came without content.\n", count(n, "file"))
	}
	if n := done.PausedMailings; n > 0 {
		fmt.Fprintf(c.out, "%s came paused: look at each before you resume it.\n", count(int(n), "mailing"))
	}
	if len(done.UnknownColumns) > 0 {
		fmt.Fprintln(c.out, "No place here for: "+strings.Join(done.UnknownColumns, ", "))
	}
	_, err = fmt.Fprintf(c.out, "%s came without a password: \"kithline user link\" gives a link to sign in by. Type in the password of the mail server again.\n", count(int(done.Accounts), "account"))
	return err
}
