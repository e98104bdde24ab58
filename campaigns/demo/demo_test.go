package demo

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/divisions"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/events"
	"kithline/campaigns/files"
	"kithline/campaigns/forms"
	"kithline/campaigns/imports"
	"kithline/campaigns/jobs"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/campaigns/mailings"
	"kithline/campaigns/meetings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/campaigns/rosters"
	"kithline/campaigns/segments"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/users"
	"kithline/campaigns/vault"
	"kithline/campaigns/volunteers"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

const site = "http://127.0.0.1:8080"

// made is a world with the parts that made it.
type made struct {
	Services
	vault *vault.Vault
	mail  *mailer.Memory
}

// services wires what Build needs, as app does.
func services(t testing.TB, db *database.DB, clk *clock.Fixed) made {
	t.Helper()
	dir := t.TempDir()
	key, err := vault.Create(filepath.Join(dir, "kithline.key"))
	if err != nil {
		t.Fatal(err)
	}
	m := made{vault: vault.New(key), mail: mailer.NewMemory()}
	blobs, err := files.NewFolder(filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	words, err := mailer.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	s := &m.Services
	s.DB, s.Signer = db, tokens.New(m.vault)
	s.Organisation = organisation.New(db, m.vault, clk)
	s.Users = users.New(db, m.vault, s.Signer, s.Organisation, clk)
	store := files.New(db, m.vault, clk, blobs)
	text := func(_, key string, _ ...any) string { return key }
	var queue *jobs.Client
	s.Petitions = petitions.New(db, m.vault, clk, s.Signer, store, petitions.Options{BaseURL: site, Words: text})
	s.Posts = posts.New(db, clk)
	s.Chapters, s.Divisions, s.Supporters = chapters.New(db, clk), divisions.New(db, clk), supporters.New(db, m.vault, clk)
	s.Legislators = legislators.New(legislators.Options{DB: db, Clock: clk})
	s.Consents = consents.New(db, clk, s.Signer, s.Organisation)
	s.Forms = forms.New(db, m.vault, clk, s.Signer, s.Consents, forms.Options{BaseURL: site})
	s.Segments, s.Duplicates = segments.New(db, m.vault, clk), duplicates.New(db, m.vault, clk, s.Supporters)
	s.Deliverability = deliverability.New(deliverability.Options{DB: db, Vault: m.vault, Clock: clk, Organisation: s.Organisation})
	s.Letters = letters.New(letters.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, BaseURL: site, Words: text, Log: slog.New(slog.DiscardHandler),
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return queue.Enqueue(ctx, tx, args) },
	})
	s.Rosters = rosters.New(rosters.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, BaseURL: site, Words: text, Day: func(_ string, t time.Time) string { return t.Format(time.DateOnly) }, Log: slog.New(slog.DiscardHandler),
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return queue.Enqueue(ctx, tx, args) },
	})
	s.Volunteers = volunteers.New(volunteers.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, Consents: s.Consents, BaseURL: site, Words: text, Log: slog.New(slog.DiscardHandler),
	})
	s.Meetings = meetings.New(meetings.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, BaseURL: site, Words: text, Day: func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
	})
	s.Waiting = confirmations.New(clk, s.Signer)
	s.Waiting.Register(s.Petitions.Source())
	s.Waiting.Register(s.Forms.Source())
	s.Waiting.Register(s.Letters.Source())
	s.Waiting.Register(s.Volunteers.Source())
	s.Events = events.New(events.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, BaseURL: site, Words: text,
		Day:    func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
		Limits: func(context.Context) (models.Limits, error) { return models.DefaultLimits(), nil },
	})
	s.Waiting.Register(s.Events.Source())
	sender := func(context.Context) (deliveries.Sender, error) {
		return deliveries.Sender{
			Transport: m.mail, Connections: 2, FromName: "WCPC", FromAddress: "hello@example.org", ListDomain: "example.org",
			Letterhead: mailer.Letterhead{OrgName: "WCPC", PostalAddress: "12 Ferry Street", Accent: mailer.DefaultAccent, SiteURL: site},
			Offices:    deliveries.Offices{Live: true},
		}, nil
	}
	workers := river.NewWorkers()
	enqueue := func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return queue.Enqueue(ctx, tx, args) }
	s.Imports = imports.New(imports.Options{DB: db, Vault: m.vault, Clock: clk, Files: store, Enqueue: enqueue, Words: text})
	s.Mailings = mailings.New(mailings.Options{
		DB: db, Vault: m.vault, Clock: clk, Signer: s.Signer, Organisation: s.Organisation, Mail: words, Sender: sender, Enqueue: enqueue, BaseURL: site,
		Words: mailings.Words{Text: text, Date: func(_ string, t time.Time) string { return t.Format(time.DateOnly) }, Number: func(string, int64) string { return "1" }},
	})
	s.Mailings.AddWorkers(workers)
	s.Imports.AddWorkers(workers)
	if queue, err = jobs.New(db, jobs.Options{Workers: workers}); err != nil {
		t.Fatal(err)
	}
	s.Deliveries = deliveries.NewService(db, m.vault, clk, s.Signer, words, deliveries.Options{Sender: sender})
	for kind, r := range s.Petitions.Renderers() {
		s.Deliveries.Handle(kind, r)
	}
	for kind, r := range s.Users.Renderers(users.Words{URL: func(p string) string { return site + p }, Text: text, DateTime: func(_ string, t time.Time) string { return t.String() }}) {
		s.Deliveries.Handle(kind, r)
	}
	for kind, r := range s.Forms.Renderers() {
		s.Deliveries.Handle(kind, r)
	}
	s.Deliveries.Handle(letters.KindState, s.Letters.StateMail)
	for _, mails := range []map[string]deliveries.Renderer{s.Letters.WriterMails(), s.Letters.DispatchRenderers(), s.Rosters.DeskMails(), s.Volunteers.Renderers(), s.Events.Renderers()} {
		for kind, r := range mails {
			s.Deliveries.Handle(kind, r)
		}
	}
	s.Mailings.Register(s.Deliveries)
	return m
}
