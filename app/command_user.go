package app

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kithline/campaigns/actor"
	"kithline/campaigns/users"
)

func (c *cli) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add an account, list accounts, print a link to sign in",
		Long: `Works on the database of the configuration, also while the server runs. Whoever may run it on the server has every
right: it is the way back in when nobody can sign in any more.`,
	}
	cmd.AddCommand(c.userAddCommand(), c.userListCommand(), c.userLinkCommand(), c.userResetCommand())
	return cmd
}

func (c *cli) userAddCommand() *cobra.Command {
	var name, role, lang string
	cmd := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Add an account and print a link that signs it in",
		Long: `Adds an account without a password and prints a link that signs it in once, within a day. A password can be set on the
account page. The first owner added this way also ends the first run: its setup link then no longer works.`,
		Example: "  kithline user add ilse@example.org --name \"Ilse Halvorsen\" --role owner",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			id, err := a.Users.Add(cmd.Context(), actor.TheSystem(), users.NewUser{Name: name, Email: args[0], Role: actor.Role(role), Locale: lang})
			if err != nil {
				return err
			}
			token, err := a.Users.LoginLinkFor(cmd.Context(), actor.TheSystem(), id)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, a.web.URL(users.LoginPath(token)))
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the person's name")
	cmd.Flags().StringVar(&role, "role", string(actor.Organizer), "one of "+roleList())
	cmd.Flags().StringVar(&lang, "lang", "", "language of mails to this person, en or es; the organisation's main one where nothing is given")
	_ = cmd.MarkFlagRequired("name") // the flag exists
	return cmd
}

func roleList() string {
	var out []string
	for _, r := range actor.Roles {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}

// userRow is an account as the list prints it.
type userRow struct {
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Password  bool       `json:"has_password"`
	LastLogin *time.Time `json:"last_login_at"`
	Disabled  bool       `json:"disabled"`
}

func (c *cli) userListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List accounts",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			list, err := a.Users.List(cmd.Context(), actor.TheSystem())
			if err != nil {
				return err
			}
			rows := []userRow{}
			for _, u := range list {
				rows = append(rows, userRow{u.ID.String(), u.Email, u.Name, string(u.Role), u.HasPassword, u.LastLoginAt, u.DisabledAt != nil})
			}
			if asJSON {
				return c.json(rows)
			}
			w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "EMAIL\tNAME\tROLE\tLAST SIGN-IN\tSTATE")
			for _, u := range rows {
				last, state := "never", "open"
				if u.LastLogin != nil {
					last = u.LastLogin.UTC().Format("2006-01-02 15:04 UTC")
				}
				if u.Disabled {
					state = "closed"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Email, u.Name, u.Role, last, state)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) userLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "link EMAIL",
		Short: "Print a link that signs an account in",
		Long:  `Prints a link that signs the account in once, within a day. It opens a page with one button.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			u, err := a.Users.Find(cmd.Context(), actor.TheSystem(), args[0])
			if err != nil {
				return err
			}
			token, err := a.Users.LoginLinkFor(cmd.Context(), actor.TheSystem(), u.ID)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, a.web.URL(users.LoginPath(token)))
			return err
		},
	}
}

func (c *cli) userResetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset-second-step EMAIL",
		Short: "Take the second step of signing in from an account whose device and recovery codes are lost",
		Long: `The account then signs in by one step and sets up a new second one. All its sessions end. Make sure that it is really
its owner who asks.`,
		Example: "  kithline user reset-second-step ilse@example.org",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = closing(err, a.Close) }()
			account, err := a.Users.Find(cmd.Context(), actor.TheSystem(), args[0])
			if err != nil {
				return err
			}
			return a.Users.ResetTwoStep(cmd.Context(), actor.TheSystem(), account.ID)
		},
	}
}
