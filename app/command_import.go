package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kithline/app/locales"
	"kithline/campaigns/actor"
	"kithline/campaigns/imports"
	"kithline/models"
)

func (c *cli) importCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Bring in people from a list"}
	cmd.AddCommand(c.importSupportersCommand(), c.importEverythingCommand())
	return cmd
}

// importFlags are what "import supporters" takes beside the file.
type importFlags struct {
	dry, json                       bool
	errors                          string
	purpose, campaign, text, source string
	lang, tag                       string
}

func (c *cli) importSupportersCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "supporters FILE",
		Short: "Import supporters from a list",
		Long: `Reads people from a file of any size, "-" for standard input: CSV or tab-separated text, an XLSX workbook (its first
sheet), or a ZIP of these, such as Mailchimp hands out. Columns are found by their headers: e-mail, names, phones, street,
city, state, postal code, country, language, time zone, chapter, tags, notes, subscription status and others, also as
Action Network, NationBuilder, Mailchimp, listmonk and EFF's Action Center write them. Comma, semicolon, bar or tab; UTF-8,
UTF-16 or Windows-1252. Columns that mean nothing to Kithline are named and not kept; the page can put them into custom
fields.

What is on record is never written over, only filled in. Who unsubscribed or bounced elsewhere gets no mail here. Nobody
may be mailed because of a list alone: say with --basis-purpose, --basis-text and --basis-source what people agreed to,
in which words, where and when. The same file twice changes nothing, so a run that was stopped can be run again.

Rows that cannot be taken are counted and, with --errors, written to a file with line and reason; the rest goes on and the
exit code is 0. It is 1 when the file cannot be read.`,
		Example: `  kithline import supporters list.csv --dry-run
  kithline import supporters list.csv --errors bad.csv --basis-purpose newsletter \
    --basis-text "Yes, send me the newsletter." --basis-source "Paper list, spring meeting, 12 May 2026"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.importSupporters(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dry, "dry-run", false, "say what would happen and write nothing")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.errors, "errors", "", "file to write the rows to that were not taken, as CSV")
	flags.StringVar(&f.purpose, "basis-purpose", "", "what people agreed to: updates or newsletter; nothing where it is not given")
	flags.StringVar(&f.campaign, "basis-campaign", "", "address (slug) of the campaign, for updates")
	flags.StringVar(&f.text, "basis-text", "", "the words they agreed to")
	flags.StringVar(&f.source, "basis-source", "", "where and when they agreed")
	flags.StringVar(&f.tag, "tag", "", "tag for everybody in the file; never about health")
	flags.StringVar(&f.lang, "lang", locales.Languages[0], "language of those words and of the reasons: "+strings.Join(locales.Languages, " or "))
	return cmd
}

// check finds what the flags cannot mean together.
func (f importFlags) check() error {
	switch p := models.Purpose(f.purpose); {
	case !slices.Contains(locales.Languages, f.lang):
		return usageError{"--lang is " + strings.Join(locales.Languages, " or ")}
	case p == "" && f.text+f.source+f.campaign != "":
		return usageError{"--basis-text, --basis-source and --basis-campaign need --basis-purpose"}
	case p != "" && p != models.PurposeUpdates && p != models.PurposeNewsletter:
		return usageError{fmt.Sprintf("--basis-purpose is updates or newsletter, not %q", f.purpose)}
	case p != "" && (f.text == "" || f.source == ""):
		return usageError{"--basis-purpose needs --basis-text and --basis-source: the words people agreed to, where and when"}
	case (p == models.PurposeUpdates) != (f.campaign != ""):
		return usageError{"--basis-campaign goes with --basis-purpose updates, and only with it"}
	}
	return nil
}

func (c *cli) importSupporters(ctx context.Context, name string, f importFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	in, size, err := c.source(name)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, in.Close) }()
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, a.Close) }()
	o := imports.RunOptions{DryRun: f.dry, Locale: f.lang, Tag: f.tag, Basis: imports.Basis{Purpose: models.Purpose(f.purpose), Text: f.text, Source: f.source}}
	if f.campaign != "" {
		if o.Basis.CampaignID, err = a.Imports.CampaignBySlug(ctx, actor.TheSystem(), f.campaign); err != nil {
			return err
		}
	}
	if f.errors != "" {
		out, err := os.OpenFile(f.errors, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds people's data
		if err != nil {
			return err
		}
		defer func() { err = closing(err, out.Close) }()
		o.Errors = out
	}
	show, end := c.progress(size)
	res, err := a.Imports.Run(ctx, actor.TheSystem(), in, o, show)
	end()
	if err != nil {
		if res.Rows > 0 && !f.dry {
			fmt.Fprintf(c.err, "%d rows were done before it stopped. The same command again does the rest.\n", res.Rows)
		}
		return err
	}
	if f.json {
		return c.json(res)
	}
	return c.printImport(res, f)
}

// source opens what is to be read and tells its size in bytes, -1 where it has none.
func (c *cli) source(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(c.in), -1, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = plain("%s is a folder. Name the file in it.", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	if !info.Mode().IsRegular() {
		return file, -1, nil
	}
	return file, info.Size(), nil
}

// progress draws a bar where somebody looks, and nothing where a program does.
func (c *cli) progress(size int64) (show func(imports.Progress), end func()) {
	screen, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(screen.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(screen), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14))
	return func(p imports.Progress) {
			bar.Describe(fmt.Sprintf("%d rows", p.Rows))
			_ = bar.Set64(p.Bytes) // a bar that cannot be drawn stops nothing
		}, func() {
			_ = bar.Finish()
		}
}

func (c *cli) printImport(r imports.Result, f importFlags) error {
	if r.DryRun {
		fmt.Fprintln(c.out, "Dry run: nothing was written.")
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n int, what string) { fmt.Fprintf(w, "%d\t %s\n", n, what) }
	line(r.Rows, "rows")
	line(r.New, "new")
	line(r.Updated, "filled in")
	line(r.Unchanged, "unchanged")
	line(r.Suppressed, "left elsewhere: get no mail")
	line(r.Skipped, "not taken")
	if f.purpose != "" {
		line(r.Consents, "consents recorded")
		line(r.Held, "consents not recorded: withdrawn, suppressed or unsure")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if from := imports.SourceName(r.Source); from != "" {
		fmt.Fprintln(c.out, "Read as an export of "+from+".")
	}
	if len(r.Left) > 0 {
		fmt.Fprintln(c.out, "Not read: "+strings.Join(r.Left, ", "))
	}
	if len(r.Unused) > 0 {
		fmt.Fprintln(c.out, "Columns not used: "+strings.Join(r.Unused, ", "))
	}
	if len(r.Twice) > 0 {
		fmt.Fprintln(c.out, "Headers that stand more than once, the first was taken: "+strings.Join(r.Twice, ", "))
	}
	if r.Skipped == 0 {
		return nil
	}
	if f.errors != "" {
		_, err := fmt.Fprintf(c.out, "%s with line and reason: %s\n", count(r.Skipped, "row"), f.errors)
		return err
	}
	fmt.Fprintln(c.out, "Not taken (--errors FILE writes all of them):")
	for i, b := range r.Bad {
		if i == 10 {
			break
		}
		where := ""
		if b.File != "" {
			where = b.File + ", "
		}
		fmt.Fprintf(c.out, "  %sline %d: %s\n", where, b.Line, b.Reason)
	}
	return nil
}
