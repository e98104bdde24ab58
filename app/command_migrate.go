package app

import (
	"fmt"

	"github.com/spf13/cobra"

	"kithline/campaigns/clock"
	"kithline/models/migrations"
)

func (c *cli) migrateCommand() *cobra.Command {
	var status, asJSON bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to this version",
		Long: `Brings the schema of the database to this version of Kithline. "serve" does the same when it starts; use this to do it at
a time of your choosing. Going back to an older version is not possible: restore a backup instead.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if err := dataFolder(cfg); err != nil {
				return err
			}
			db, err := openDatabase(cmd.Context(), cfg, clock.System)
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			if !status {
				if err := migrations.Up(cmd.Context(), db); err != nil {
					return err
				}
			}
			s, err := migrations.Read(cmd.Context(), db)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(map[string]any{"current": s.Current, "target": s.Target, "jobs": s.River})
			}
			_, err = fmt.Fprintf(c.out, "The database is at version %d of %d.\n", s.Current, s.Target)
			return err
		},
	}
	cmd.Flags().BoolVar(&status, "status", false, "only tell where the database stands")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
