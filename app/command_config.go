package app

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kithline/config"
)

func (c *cli) configCommand() *cobra.Command {
	var docs, asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings in effect, secrets hidden, and where each comes from",
		Long: `Shows every setting with its value in effect, secrets hidden, and where the value comes from. Starts nothing.
Where something is wrong, all of it is told at once and the exit code is 2.`,
		Example: "  kithline config\n  KITHLINE_LISTEN=:9000 kithline config\n  kithline config --docs > docs/configuration.md",
		RunE: func(*cobra.Command, []string) error {
			if docs {
				_, err := fmt.Fprint(c.out, config.Docs())
				return err
			}
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(cfg.Settings())
			}
			w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
			for _, s := range cfg.Settings() {
				value := s.Value
				if value == "" {
					value = "-"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, value, s.From)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&docs, "docs", false, "print the description of every setting, as Markdown")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("docs", "json")
	return cmd
}
