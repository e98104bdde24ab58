package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"kithline/config"
)

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for could not be done
	exitWrong  = 2 // wrong usage or configuration: nothing was started
)

// cli is what a command has to work with. Each command is a method in a file of its own, command_NAME.go, that returns a
// cobra.Command; root lists them. A command's RunE returns an error and prints none: fail turns it into words.
type cli struct {
	environ  []string
	in       io.Reader
	out, err io.Writer
}

// Main runs the command that args name and returns the exit code. main.go calls it, and so do tests.
func Main(args, environ []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	c := &cli{environ: environ, in: in, out: out, err: errOut}
	root, started := c.root(), false
	prepare(root, &started)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil && !started {
		err = usageError{err.Error()} // cobra's own: an unknown command or flag, a missing argument
	}
	return c.fail(err)
}

// root is the whole command line.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "kithline",
		Short: "Advocacy campaigns and outreach on a server of your own",
		Long: `Kithline runs petitions, letters, rosters and awareness mailings on a server that you own.

Try it with "kithline demo", run it with "kithline serve". Settings are environment variables; "kithline config" shows
them. Every command ends with 0 when done, 1 when it failed, 2 for wrong usage or configuration.`,
		Version:           build().String(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("{{.Version}}")
	root.AddCommand(
		c.backupCommand(),
		c.checkCommand(),
		c.configCommand(),
		c.demoCommand(),
		c.divisionsCommand(),
		c.legislatorsCommand(),
		c.eraseCommand(),
		c.healthcheckCommand(),
		c.exportCommand(),
		c.importCommand(),
		c.keyCommand(),
		c.migrateCommand(),
		c.restoreCommand(),
		c.retentionCommand(),
		c.serveCommand(),
		c.userCommand(),
		c.versionCommand(),
	)
	return root
}

// prepare gives every command the project's habits: arguments are refused where none are declared, a group asks for one of
// its commands, and started is set once a command's own work begins.
func prepare(cmd *cobra.Command, started *bool) {
	for _, sub := range cmd.Commands() {
		prepare(sub, started)
	}
	if cmd.HasParent() && cmd.Args == nil && !cmd.HasSubCommands() {
		cmd.Args = cobra.NoArgs
	}
	if cmd.HasParent() && cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			names := []string{}
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return usageError{fmt.Sprintf("%q needs one of: %s", cmd.CommandPath(), strings.Join(names, ", "))}
		}
		cmd.Args = cobra.ArbitraryArgs
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
}

// config reads the configuration; flags of the command line go into overrides. The error is config.Problems.
func (c *cli) config(overrides ...config.Override) (config.Config, error) {
	return config.Load(c.environ, overrides...)
}

// json prints v for another program to read.
func (c *cli) json(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// usageError is a command line that cannot be meant. Commands return it for what cobra does not check.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// plainError is a failure whose text is already what the operator should read.
type plainError struct{ text string }

func (e plainError) Error() string { return e.text }

// plain makes an error that fail prints as it is: a sentence that says what is wrong and what to do. An error that an
// operator can't mend is returned as it came instead.
func plain(format string, args ...any) error { return plainError{fmt.Sprintf(format, args...)} }

// fail tells the operator what went wrong and returns the exit code. It is the command line's edge: nothing else prints an
// error.
func (c *cli) fail(err error) int {
	var (
		wrong config.Problems
		usage usageError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(c.err, "The configuration has %s. Nothing was started.\n\n", count(len(wrong), "problem"))
		for _, p := range wrong {
			fmt.Fprintf(c.err, "  - %s\n", p)
		}
		fmt.Fprintf(c.err, "\n\"kithline config --docs\" describes every setting.\n")
		return exitWrong
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "kithline: %s\n\"kithline help\" lists the commands.\n", strings.TrimSpace(usage.text))
		return exitWrong
	}
	fmt.Fprintln(c.err, "kithline: "+sentence(err))
	return exitFailed
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
