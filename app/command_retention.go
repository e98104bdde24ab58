package app

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/campaigns/retention"
)

// retentionLine is what --json prints of one campaign.
type retentionLine struct {
	Campaign   string     `json:"campaign"`
	Title      string     `json:"title"`
	Months     int        `json:"months"`
	Ended      *time.Time `json:"ended"`
	From       *time.Time `json:"from"`
	Signatures int64      `json:"signatures"`
	Comments   int64      `json:"comments"`
	Answers    int64      `json:"answers"`
	Records    int64      `json:"records"`
	Letters    int64      `json:"letters"`      // each goes by its own time
	Kept       int64      `json:"letters_kept"` // by their writers
	Due        bool       `json:"due"`
}

func (c *cli) retentionCommand() *cobra.Command {
	var asJSON, dry bool
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Take away the names whose time is over, or show how many that are",
		Long: `Each campaign may say for how many months names are kept once it ended; the page "How long names stay" is where. The server
takes them away by itself, every hour. This command does the same now.

With --dry-run nothing goes: for every campaign it shows from when, and how many signatures, answers and records that are. It also
counts the letters that say who wrote them: each of those goes 28 days after it is over, unless its writer keeps it.`,
		Example: "  kithline retention --dry-run",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			if dry {
				return c.retentionPlan(cmd.Context(), a, asJSON)
			}
			var all retention.Done
			for {
				done, err := a.Retention.Run(cmd.Context())
				all.Signatures, all.Answers, all.Records = all.Signatures+done.Signatures, all.Answers+done.Answers, all.Records+done.Records
				if err != nil {
					return err
				}
				if !done.More {
					break
				}
			}
			if asJSON {
				return c.json(map[string]int{"signatures": all.Signatures, "answers": all.Answers, "records": all.Records})
			}
			_, err = fmt.Fprintf(c.out, "Names went from %s. Gone: %s and %s.\n", count(all.Signatures, "signature"), count(all.Answers, "answer"), count(all.Records, "record"))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the numbers as JSON")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "change nothing, show the numbers")
	return cmd
}

func (c *cli) retentionPlan(ctx context.Context, a *App, asJSON bool) error {
	lines := []retentionLine{}
	for after := (paging.Cursor{}); ; {
		page, err := a.Retention.Plan(ctx, actor.TheSystem(), after)
		if err != nil {
			return err
		}
		for _, d := range page.Rows {
			lines = append(lines, retentionLine{d.ID.String(), d.Title, d.Months, d.Ended, d.On, d.Signatures, d.Comments, d.Answers, d.Records, d.Letters, d.Kept, d.Now(a.Clock.Now())})
		}
		if page.Next == "" {
			break
		}
		if after, err = paging.Parse(page.Next); err != nil {
			return err
		}
	}
	if asJSON {
		return c.json(lines)
	}
	for _, l := range lines {
		when := "it goes on"
		switch {
		case l.Due:
			when = "now"
		case l.From != nil:
			when = "from " + l.From.Format("2 January 2006")
		case l.Ended != nil:
			when = "names are kept"
		}
		if _, err := fmt.Fprintf(c.out, "%s: %s. %s with a name, %s, %s that nothing else holds. By their own time: %s; kept by their writers: %d.\n", l.Title, when,
			count(int(l.Signatures), "signature"), count(int(l.Answers), "answer"), count(int(l.Records), "record"), count(int(l.Letters), "letter"), l.Kept); err != nil {
			return err
		}
	}
	return nil
}
