package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/campaigns/vault"
	"kithline/config"
	"kithline/models/database"
	"kithline/models/migrations"
)

// finding is what one part of the house answered.
type finding struct {
	Part string `json:"part"`
	OK   bool   `json:"ok"`
	Says string `json:"says"`
}

func (c *cli) checkCommand() *cobra.Command {
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look whether everything that the server needs is there",
		Long: `Looks at the settings, the data folder, the database and its version, the key, the store and the mail server, and
says what is wrong with each. It changes nothing and sends no mail, so it may be run beside the server. The exit code is 0
when all of it is well, 1 when something is not, 2 when the settings are wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			found := examine(ctx, cfg)
			if asJSON {
				err = c.json(found)
			} else {
				w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
				for _, f := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\n", map[bool]string{true: "ok", false: "WRONG"}[f.OK], f.Part, f.Says)
				}
				err = w.Flush()
			}
			wrong := 0
			for _, f := range found {
				if !f.OK {
					wrong++
				}
			}
			if err == nil && wrong > 0 {
				err = plain("%d of %d are not well.", wrong, len(found))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&timeout, "timeout", 20*time.Second, "how long to wait for all of it")
	return cmd
}

// examine asks each part in turn. A part that cannot be asked because one before it is wrong is left out.
func examine(ctx context.Context, cfg config.Config) []finding {
	found := []finding{{"settings", true, "can be used"}}
	add := func(part, says string, err error) bool {
		if err != nil {
			says = sentence(err)
		}
		found = append(found, finding{part, err == nil, says})
		return err == nil
	}
	fresh, err := writable(cfg.Storage.Data)
	if !add("data folder", cfg.Storage.Data+map[bool]string{true: " is made at the first start", false: " can be written"}[fresh], err) {
		return found
	}
	if _, err := os.Stat(cfg.Storage.Path("files")); err == nil && !cfg.Files.S3.Set() {
		_, err = writable(cfg.Storage.Path("files"))
		add("stored files", cfg.Storage.Path("files")+" can be written", err)
	}
	if file, lite := cfg.Database.SQLite(); lite {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) { // opening it would make it
			add("database", file+" is made at the first start", nil)
			return found
		}
	}
	db, err := openDatabase(ctx, cfg, clock.System)
	if err != nil {
		add("database", "", err)
		return found
	}
	defer func() { _ = db.Close() }()
	s, err := migrations.Read(ctx, db)
	switch {
	case err != nil:
		add("database", "", err)
		return found
	case s.Current > s.Target:
		add("database", "", migrations.ErrNewer)
		return found
	case s.Current == 0:
		add("database", "is empty; the first start fills it", nil)
		return found
	case s.Current < s.Target:
		add("database", fmt.Sprintf("is at version %d of %d; the next start brings it up to date", s.Current, s.Target), nil)
	default:
		add("database", fmt.Sprintf("is at version %d", s.Current), nil)
	}
	v, err := lookAtKey(ctx, cfg, db)
	if err != nil {
		add("key", "", err)
		return found
	}
	if v == nil {
		add("key", cfg.Storage.Key+" is made at the first start", nil)
		return found
	}
	add("key", v.KeyID()+" fits the database", nil)
	says, err := lookAtMail(ctx, cfg, organisation.New(db, v, clock.System))
	add("mail", says, err)
	add("letters to offices", sayLetters(cfg), nil)
	return found
}

// sayLetters says where letters to offices go.
func sayLetters(cfg config.Config) string {
	switch cfg.Mail.Letters {
	case "live":
		return "leave this server for the offices, by KITHLINE_LETTERS"
	case "hold":
		return "wait, or are captured with all other mail; KITHLINE_LETTERS=live sends them"
	}
	return "all go to the address in KITHLINE_LETTERS; none to an office"
}

// writable tries to make a file in dir. fresh is true where dir is not there yet and could be made.
func writable(dir string) (fresh bool, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	for at := dir; ; at = filepath.Dir(at) {
		st, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			fresh = true
			continue
		}
		if err != nil {
			return fresh, err
		}
		if !st.IsDir() {
			return fresh, plain("%s is no folder.", at)
		}
		f, err := os.CreateTemp(at, ".check-*")
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return fresh, plain("This user may not write to %s. Give it to the user who runs kithline.", at)
		}
		if err != nil {
			return fresh, err
		}
		_, err = f.WriteString("room\n")
		return fresh, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
}

// lookAtKey is openVault without making anything; nil where neither the file nor a mark in the database is there.
func lookAtKey(ctx context.Context, cfg config.Config, db *database.DB) (*vault.Vault, error) {
	check, err := keyCheck(ctx, db)
	if err != nil {
		return nil, err
	}
	v, err := vault.Load(cfg.Storage.Key, check)
	if errors.Is(err, vault.ErrNoKey) {
		return nil, nil
	}
	return v, err
}

// lookAtMail signs in to the mail server in effect and leaves again.
func lookAtMail(ctx context.Context, cfg config.Config, o *organisation.Service) (string, error) {
	row, err := o.Current(ctx)
	if err != nil {
		return "", err
	}
	if row.SetupAt != nil && row.FromAddress == "" {
		return "", plain("No sender is named, so mail waits. Type the address that mails come from on the settings page.")
	}
	if cfg.CaptureMail(row.SMTPHost != "") {
		return "is kept for the /outbox pages; none is sent", nil
	}
	set, err := (&wayOut{cfg: cfg, organisation: o}).settings(ctx)
	if err != nil {
		return "", err
	}
	if set.Host == "" {
		return "", plain("No mail server is named, so mail waits. Set KITHLINE_SMTP_URL, or name one on the settings page.")
	}
	t, err := newSMTP(set, helo(cfg.Web))
	if err != nil {
		return "", err
	}
	if err := t.Test(ctx); err != nil {
		return "", smtpFault(err, set.Host)
	}
	return set.Host + " takes mail from us", nil
}
