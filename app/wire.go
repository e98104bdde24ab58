// Package app joins the parts: wire.go builds them, run.go starts and stops them, and the command line stands in commands.go
// and a file for each command.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/app/admin"
	"kithline/app/callbacks"
	"kithline/app/public"
	"kithline/app/web"
	"kithline/campaigns"
	"kithline/campaigns/abuse"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/divisions"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/erasures"
	"kithline/campaigns/events"
	"kithline/campaigns/exports"
	"kithline/campaigns/files"
	"kithline/campaigns/forms"
	"kithline/campaigns/imports"
	"kithline/campaigns/inbound"
	"kithline/campaigns/jobs"
	"kithline/campaigns/keys"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/campaigns/mailings"
	"kithline/campaigns/me"
	"kithline/campaigns/meetings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/packs"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/campaigns/retention"
	"kithline/campaigns/rosters"
	"kithline/campaigns/segments"
	mailseries "kithline/campaigns/series"
	"kithline/campaigns/supporters"
	"kithline/campaigns/suppressions"
	"kithline/campaigns/today"
	"kithline/campaigns/tokens"
	"kithline/campaigns/users"
	"kithline/campaigns/vault"
	"kithline/campaigns/volunteers"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// App is the whole program, built and ready to run: every part, each made once and handed to whoever needs it.
type App struct {
	Config       config.Config
	Log          *slog.Logger
	Clock        clock.Clock
	DB           *database.DB
	Vault        *vault.Vault
	Signer       *tokens.Signer
	Audit        *audit.Service
	Jobs         *jobs.Client
	Files        *files.Service
	Deliveries   *deliveries.Service
	Outbox       *deliveries.Outbox // captured mail; empty where mail is sent
	Organisation *organisation.Service
	Users        *users.Service
	Supporters   *supporters.Service
	Chapters     *chapters.Service
	Divisions    *divisions.Service
	Duplicates   *duplicates.Service
	Campaigns    *campaigns.Service
	Petitions    *petitions.Service
	Legislators  *legislators.Service
	Letters      *letters.Service
	Rosters      *rosters.Service
	Volunteers   *volunteers.Service
	Events       *events.Service
	Meetings     *meetings.Service
	Abuse        *abuse.Service         // judges signatures
	Waiting      *confirmations.Service // what waits for a press on a mailed page
	Consents     *consents.Service
	Forms        *forms.Service
	Segments     *segments.Service
	Posts        *posts.Service
	Mailings     *mailings.Service
	Series       *mailseries.Service
	Inbound      *inbound.Service // reads mail that comes back
	Suppressions *suppressions.Service
	Imports      *imports.Service
	Exports      *exports.Service
	Packs        *packs.Service
	Erasures     *erasures.Service
	Me           *me.Service
	Retention    *retention.Service
	Today        *today.Service
	Keys         *keys.Service

	Deliverability *deliverability.Service // keys that sign mail, what DNS says, and the limits of sending

	metrics *metrics

	web   *web.Web
	fiber *fiber.App
	mail  *wayOut
	ends  []func()
}

// Options are what differs between the server, a command and a test.
type Options struct {
	LogTo     io.Writer        // nil = nowhere
	Clock     clock.Clock      // nil = the machine's
	Transport mailer.Transport // tests: mail goes here whatever is configured
	Resolver  *net.Resolver    // tests: who is asked for what DNS says; nil = the machine's
	Demo      bool             // pages say that nothing here is real
	OneStep   bool             // no right waits for a second step of signing in: for tests of everything else, and sample worlds
	Building  bool             // a world that can be made again is being made: commits do not wait for the disk
}

// Build opens the store and makes every part. Nothing runs and nobody is served before Run; Close ends it.
func Build(ctx context.Context, cfg config.Config, o Options) (_ *App, err error) {
	a := &App{Config: cfg, Log: logger(cfg, o.LogTo), Clock: o.Clock}
	if a.Clock == nil {
		a.Clock = clock.System
	}
	if err := dataFolder(cfg); err != nil {
		return nil, err
	}
	if a.DB, a.Vault, err = openStore(ctx, cfg, a.Clock, o.Building); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if moved, left, err := supporters.MovePhones(ctx, a.DB, a.Vault, a.Clock.Now()); err != nil {
		return nil, err
	} else if left > 0 {
		a.Log.Warn("telephone numbers of an older version moved", "moved", moved, "left", left)
	} else if moved > 0 {
		a.Log.Info("telephone numbers of an older version moved", "moved", moved, "left", left)
	}
	a.Keys = keys.New(keys.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Path: cfg.Storage.Key, Log: a.Log,
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return a.Jobs.Enqueue(ctx, tx, args) },
	})
	if err := a.Keys.Follow(ctx); err != nil {
		return nil, err
	}
	a.Signer = tokens.New(a.Vault)
	store, err := blobs(cfg)
	if err != nil {
		return nil, err
	}
	a.Files = files.New(a.DB, a.Vault, a.Clock, store)
	erased, err := ledger(cfg)
	if err != nil {
		return nil, err
	}
	a.Audit = audit.New(a.DB)
	a.Today = today.New()
	a.Organisation = organisation.New(a.DB, a.Vault, a.Clock)
	if _, err := a.Organisation.Ensure(ctx); err != nil {
		return nil, err
	}
	a.Outbox = mailer.NewCapture(cfg.Storage.Path("outbox"))
	a.mail = &wayOut{cfg: cfg, organisation: a.Organisation, outbox: a.Outbox, fixed: o.Transport}
	named, err := namedKeys(cfg.Mail)
	if err != nil {
		return nil, err
	}
	a.Deliverability = deliverability.New(deliverability.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Organisation: a.Organisation, Resolver: o.Resolver, Server: a.mail.server, Fixed: named, Captured: a.mail.onPaper,
		SiteURL: cfg.Web.BaseURL,
	})
	a.mail.keys = a.Deliverability.SigningKeys
	words, err := mailer.NewRenderer()
	if err != nil {
		return nil, err
	}
	a.Deliveries = deliveries.NewService(a.DB, a.Vault, a.Clock, a.Signer, words, deliveries.Options{Sender: a.mail.sender, Log: a.Log, Limits: a.Deliverability.Limits, Busy: busy})

	a.metrics = newMetrics(a.Deliveries)
	a.Retention = retention.New(a.DB, a.Clock, func() { a.web.Drop("/") })
	a.Erasures = erasures.New(erasures.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Files: a.Files, Ledger: erased, Forgotten: func() { a.web.Drop("/") },
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return a.Jobs.Enqueue(ctx, tx, args) },
	})
	a.features(words)
	if o.Demo || o.OneStep {
		a.Users.AllowOneStep()
	}
	workers := river.NewWorkers()
	a.Mailings.AddWorkers(workers)
	a.Petitions.AddWorkers(workers)
	a.Imports.AddWorkers(workers)
	a.Legislators.AddWorkers(workers)
	a.Exports.AddWorkers(workers)
	a.Packs.AddWorkers(workers)
	a.Keys.AddWorkers(workers)
	a.Erasures.AddWorkers(workers)
	a.Rosters.AddWorkers(workers)
	if a.Jobs, err = jobs.New(a.DB, jobs.Options{Workers: workers, Regular: a.regular(), Log: quietly(a.Log)}); err != nil {
		return nil, err
	}
	if err := a.mount(words, o); err != nil {
		return nil, err
	}
	return a, nil
}

// open builds the program for a command that works on its rows and then ends. Mail that the command causes is sent by the
// server, when that runs.
func (c *cli) open(ctx context.Context) (*App, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	return Build(ctx, cfg, Options{LogTo: c.err})
}

// features makes the services of people, actions and mail, and tells the outbox who writes which mail.
func (a *App) features(words *mailer.Renderer) {
	// The words of pages are made after the services that use them in mails: they are asked for late.
	text := func(lang, key string, args ...any) string { return a.web.Text(lang, key, args...) }
	page := func(lang string) web.Page { return a.web.Blank(context.Background(), lang, "/") }
	enqueue := func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return a.Jobs.Enqueue(ctx, tx, args) }

	a.Users = users.New(a.DB, a.Vault, a.Signer, a.Organisation, a.Clock)
	a.Supporters = supporters.New(a.DB, a.Vault, a.Clock)
	a.Divisions = divisions.New(a.DB, a.Clock)
	a.Duplicates = duplicates.New(a.DB, a.Vault, a.Clock, a.Supporters)
	a.Chapters = chapters.New(a.DB, a.Clock)
	a.Campaigns = campaigns.New(a.DB, a.Clock)
	a.Posts = posts.New(a.DB, a.Clock)
	a.Abuse = abuse.New(a.DB, a.Vault, a.Clock, abuse.Limits{
		PerMinute: a.Config.Signing.PerMinute, PerFiveMinutes: a.Config.Signing.PerFiveMinutes, ProofFrom: a.Config.Signing.ProofFrom,
	})
	a.Petitions = petitions.New(a.DB, a.Vault, a.Clock, a.Signer, a.Files, petitions.Options{
		BaseURL: a.Config.Web.BaseURL, Words: text, Number: func(lang string, n int64) string { return page(lang).Number(n) }, Preview: a.previewOf(words), Log: a.Log, Guard: a.Abuse, Enqueue: enqueue,
		Breaker: petitions.Breaker{Mails: a.Config.Signing.BreakerMails, Confirmed: a.Config.Signing.BreakerConfirmed, Bounced: a.Config.Signing.BreakerBounced},
		Busy:    busy,
	})
	a.ends = append(a.ends, a.Petitions.Close)
	a.Waiting = confirmations.New(a.Clock, a.Signer)
	a.Waiting.Register(a.Petitions.Source())
	a.Consents = consents.New(a.DB, a.Clock, a.Signer, a.Organisation)
	a.Segments = segments.New(a.DB, a.Vault, a.Clock)
	a.Forms = forms.New(a.DB, a.Vault, a.Clock, a.Signer, a.Consents, forms.Options{BaseURL: a.Config.Web.BaseURL, Log: a.Log})
	a.Me = me.New(me.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, Petitions: a.Petitions, Confirmations: a.Waiting,
		Consents: a.Consents, Erasures: a.Erasures, BaseURL: a.Config.Web.BaseURL, Words: text,
	})
	a.Waiting.Register(a.Forms.Source())
	a.Waiting.Register(a.Petitions.DigestSource())
	a.Waiting.Register(a.Petitions.DraftSource())
	a.Exports = exports.New(exports.Options{DB: a.DB, Vault: a.Vault, Clock: a.Clock, Files: a.Files, Enqueue: enqueue, Version: build().Version})
	a.Packs = packs.New(packs.Options{
		DB: a.DB, Clock: a.Clock, Files: a.Files, Organisation: a.Organisation, Enqueue: enqueue, BaseURL: a.Config.Web.BaseURL,
		Words: packs.Words{
			Text: text, Date: func(lang string, t time.Time) string { return page(lang).Date(t) }, Number: func(lang string, n int64) string { return page(lang).Number(n) },
		},
	})
	a.Legislators = legislators.New(legislators.Options{DB: a.DB, Clock: a.Clock, Files: a.Files, Enqueue: enqueue})
	segments.Register(legislators.Condition())
	a.Letters = letters.New(letters.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, BaseURL: a.Config.Web.BaseURL, Words: text, Enqueue: enqueue, Log: a.Log, Guard: a.Abuse,
	})
	a.Rosters = rosters.New(rosters.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, BaseURL: a.Config.Web.BaseURL, Words: text, Day: web.Weekday, Enqueue: enqueue, Log: a.Log, Guard: a.Abuse,
		Consents: a.Consents,
		Limits:   a.Deliverability.Limits,
		Answers:  func(ctx context.Context) (string, error) { return a.Inbound.BounceAddress(ctx) },
		Dates: func(ctx context.Context, box uuid.UUID, c *ics.Calendar) error {
			dates, err := a.Events.FeedOf(ctx, []uuid.UUID{box})
			events.Write(c, dates, a.Clock.Now())
			return err
		},
	})
	a.Volunteers = volunteers.New(volunteers.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, Consents: a.Consents, BaseURL: a.Config.Web.BaseURL, Words: text,
		Date: func(lang string, t time.Time) string { return page(lang).Date(t) }, Log: a.Log, Guard: a.Abuse,
		Flare: a.Rosters.Flare, EndFlare: a.Rosters.EndFlare,
	})
	segments.Register(volunteers.Condition())
	a.Meetings = meetings.New(meetings.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, BaseURL: a.Config.Web.BaseURL, Words: text, Day: web.Weekday,
	})
	a.Waiting.Register(a.Letters.Source())
	a.Waiting.Register(a.Rosters.Source())
	a.Waiting.Register(a.Volunteers.Source())
	a.Events = events.New(events.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, BaseURL: a.Config.Web.BaseURL, Words: text, Day: web.Weekday,
		Limits: func(ctx context.Context) (models.Limits, error) { return a.Deliverability.Limits(ctx) }, Log: a.Log, Guard: a.Abuse, FeedURL: a.Rosters.FeedURL,
	})
	a.Waiting.Register(a.Events.Source())
	segments.Register(events.Condition())
	a.Imports = imports.New(imports.Options{DB: a.DB, Vault: a.Vault, Clock: a.Clock, Files: a.Files, Petitions: a.Petitions, Enqueue: enqueue, Words: text})
	a.Mailings = mailings.New(mailings.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Organisation: a.Organisation, Mail: words, Sender: a.mail.sender, Enqueue: enqueue,
		BaseURL: a.Config.Web.BaseURL, Files: a.Files, CountEvery: time.Second,
		Domain: a.domainChecks,
		ApproveAbove: func(ctx context.Context) (int, error) {
			l, err := a.Deliverability.Limits(ctx)
			return l.ApproveAbove, err
		},
		Quiet: func(ctx context.Context) (from, to int, err error) {
			l, err := a.Deliverability.Limits(ctx)
			return l.QuietFrom, l.QuietTo, err
		},
		Words: mailings.Words{
			Text: text, Date: func(lang string, t time.Time) string { return page(lang).Date(t) }, Number: func(lang string, n int64) string { return page(lang).Number(n) },
		},
	})

	for kind, r := range a.Users.Renderers(users.Words{
		URL: func(path string) string { return a.web.URL(path) }, Text: text, DateTime: func(lang string, t time.Time) string { return page(lang).DateTime(t) },
	}) {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Petitions.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Me.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Forms.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	a.Deliveries.Handle(letters.KindRejected, a.Letters.Rejected)
	a.Deliveries.Handle(letters.KindState, a.Letters.StateMail)
	a.Legislators.OnLeft(a.Letters.Left)
	for kind, r := range a.Letters.DispatchRenderers() {
		a.Deliveries.Handle(kind, r)
	}
	a.Me.Register("letter", a.ownLetters())
	a.Me.Register("event", a.ownEvents())
	for kind, r := range a.Events.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Letters.WriterMails() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Rosters.DeskMails() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Rosters.TakingMails() {
		a.Deliveries.Handle(kind, r)
	}
	a.Me.Register("place", a.ownPlaces())
	for kind, r := range a.Rosters.OfferMails() {
		a.Deliveries.Handle(kind, r)
	}
	for kind, r := range a.Volunteers.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	a.Me.Register("volunteer", a.ownVolunteer())
	for kind, r := range a.Meetings.Renderers() {
		a.Deliveries.Handle(kind, r)
	}
	a.Mailings.Register(a.Deliveries)
	a.Series = mailseries.New(mailseries.Options{DB: a.DB, Clock: a.Clock, Organisation: a.Organisation, Mailings: a.Mailings, Open: a.Vault.Open})
	a.Series.Register(a.Deliveries)
	read, stop := a.Petitions.OutcomeStopper()
	a.Mailings.Stops(petitions.KindOutcome, mailings.Stopper{Purpose: "outcome", Read: read, Stop: stop})
	read, stop = a.Petitions.DigestStopper()
	a.Mailings.Stops(petitions.KindDigest, mailings.Stopper{Purpose: "digest", Read: read, Stop: stop})

	a.Inbound = inbound.New(inbound.Options{
		DB: a.DB, Vault: a.Vault, Clock: a.Clock, Signer: a.Signer, Log: a.Log, PerHour: a.Config.Inbound.PerHour, Mailbox: a.bounceMailbox(),
	})
	a.Inbound.Register("", a.Mailings.CameBack)
	a.Inbound.Register(letters.KindLetter, a.Letters.CameBack)
	a.Inbound.Register(letters.KindDigest, a.Letters.CameBack)
	a.Inbound.RegisterReader(letters.KindLetter, a.Letters.Answered)
	for _, kind := range append(slices.Clone(rosters.PlaceKinds), meetings.KindTeam) {
		a.Inbound.RegisterReader(kind, a.Rosters.Replied)
	}
	a.mail.bounces = a.Inbound.BounceAddress
	a.Suppressions = suppressions.New(a.DB, a.Vault, a.Clock)

	a.Today.Register("settings", a.Organisation.Today)
	a.Today.Register("settings", a.Inbound.Today)
	a.Today.Register("settings", a.waiting)
	a.Today.Register("settings", a.Deliverability.Today)
	a.Today.Register("settings", a.lettersWait)
	a.Today.Register("account", a.Users.Today)
	a.Today.Register("petitions", a.Petitions.Queues)
	a.Today.Register("petitions", a.Petitions.AbuseQueues)
	a.Today.Register("mailings", a.Mailings.Today)
	a.Today.Register("series", a.Series.Today)
	a.Today.Register("letters", a.Letters.Queues)
	a.Today.Register("rosters", a.Rosters.Queues)
	a.Today.Register("events", a.Events.Today)
	a.Today.Register("duplicates", a.Duplicates.Today)
	a.Today.Register("volunteers", a.Volunteers.Queues)
}

// domainChecks are what DNS says about the domain that mail comes from, among the checks of a mailing.
func (a *App) domainChecks(ctx context.Context) []mailings.Check {
	found, err := a.Deliverability.Checks(ctx)
	if err != nil {
		a.Log.Error("what DNS says of the sender could not be read", "error", err.Error())
	}
	out := make([]mailings.Check, len(found))
	for i, f := range found {
		out[i] = mailings.Check{Tone: string(f.Tone), Key: f.Key, Args: f.Values()}
	}
	return out
}

// bounceMailbox is the mailbox for mail that comes back that the environment names, nil where the settings page does.
func (a *App) bounceMailbox() *inbound.MailboxInput {
	m := a.Config.Inbound.Mailbox
	if !m.Set() {
		return nil
	}
	return &inbound.MailboxInput{
		Address: a.Config.Inbound.Address, Host: m.Host, Port: m.Port, TLS: m.TLS, Username: m.User, Password: m.Password.Reveal(), Folder: m.Folder, Afterwards: m.After, MoveTo: m.MoveTo,
	}
}

// previewOf makes the words of a mail as they would go out, with the organisation's letterhead.
func (a *App) previewOf(words *mailer.Renderer) func(context.Context, deliveries.Content) (subject, text string, err error) {
	return func(ctx context.Context, c deliveries.Content) (string, string, error) {
		from, err := a.mail.sender(ctx)
		if err != nil {
			return "", "", err
		}
		r, err := words.Render(c.Template, c.Lang, from.Letterhead, c.Data)
		return r.Subject, r.Text, err
	}
}

// regular lists the housekeeping that runs by itself.
func (a *App) regular() []jobs.Regular {
	own := slices.Concat(a.Petitions.Regular(), a.Forms.Regular(), a.Erasures.Regular(), a.Retention.Regular(), a.Letters.WriterJobs(), a.Letters.DispatchJobs(), a.Rosters.TakingJobs(), a.Rosters.CoverJobs(), a.Volunteers.Regular(), a.Events.Regular())
	return append(own, a.Mailings.Regular(), a.Series.Regular(), a.Keys.Regular(), a.Deliverability.Regular(),
		jobs.Regular{Name: "inbound_poll", Every: time.Minute, Run: a.Inbound.Poll},
		jobs.Regular{Name: "inbound_pauses", Every: time.Minute, Run: a.Inbound.Pauses},
		jobs.Regular{Name: "inbound_sweep", Every: time.Hour, Run: a.Inbound.Sweep},
		jobs.Regular{Name: "duplicates_scan", Every: 5 * time.Minute, Run: a.Duplicates.ScanInSteps},
		jobs.Regular{Name: "duplicates_recent", Every: 5 * time.Minute, Run: a.Duplicates.Recent},
		jobs.Regular{Name: "merges_sweep", Every: time.Hour, Run: a.Duplicates.Sweep},
		jobs.Regular{Name: "divisions_day", Every: time.Hour, Run: a.Divisions.Daily},
		jobs.Regular{Name: "sessions_sweep", Every: time.Hour, Run: a.Users.Sweep},
		jobs.Regular{Name: "exports_revive", Every: time.Minute, Run: a.Exports.Revive},
		jobs.Regular{Name: "packs_revive", Every: time.Minute, Run: a.Packs.Revive},
		jobs.Regular{Name: "files_sweep", Every: time.Hour, Run: func(ctx context.Context) error { _, err := a.Files.Sweep(ctx); return err }},
	)
}

// mount makes the web side and puts every page in its place.
func (a *App) mount(words *mailer.Renderer, o Options) (err error) {
	a.web, err = web.New(web.Options{
		BaseURL: a.Config.Web.BaseURL, TrustedProxies: a.proxies(), Site: a.site(o.Demo), Waiting: a.Today.Waiting, Authenticate: a.Users.Authenticate, Observe: a.metrics.observe,
		StoreDown: func(err error) bool { return database.Full(err) || database.Lost(err) },
		Logger:    a.Log, Clock: a.Clock, Secret: a.Vault.Derive("web/flash", 32),
	})
	if err != nil {
		return err
	}
	a.DB.Hear(func(topic string) { dropKept(a.web, topic) })
	a.fiber = web.NewFiber(a.web)
	mountHealth(a.fiber, a)
	mountMetrics(a.fiber, a)
	public.MountSite(a.fiber, a.web, a.Organisation)
	public.MountHome(a.fiber, a.web, a.Petitions, a.Legislators, a.Events)
	public.MountCampaigns(a.fiber, a.web, a.Campaigns, a.Petitions, a.Letters)
	public.MountLetterList(a.fiber, a.web, a.Letters)
	use := public.NewPrefiller(a.web, a.Me)
	public.MountStarts(a.fiber, a.web, a.Petitions, a.Posts, a.Organisation)
	public.MountReach(a.fiber, a.web, a.Petitions, a.Waiting) // before the next: /petitions/x.json is no slug
	public.MountPetitions(a.fiber, a.web, a.Petitions, a.Letters, a.Organisation, a.Waiting, use)
	public.MountLetters(a.fiber, a.web, a.Letters, a.Petitions, a.Legislators, a.Waiting, use)
	public.MountRosters(a.fiber, a.web, a.Rosters, a.Waiting, use)
	public.MountForms(a.fiber, a.web, a.Forms, a.Waiting, use)
	public.MountEvents(a.fiber, a.web, a.Events, a.Waiting, use)
	public.MountMe(a.fiber, a.web, a.Me, use)
	public.MountVolunteers(a.fiber, a.web, a.Volunteers, a.Me, a.Waiting, use)
	public.MountRepresentatives(a.fiber, a.web, a.Legislators)
	public.MountByHand(a.fiber, a.web, a.Letters)
	public.MountOffers(a.fiber, a.web, a.Rosters)
	public.MountMeetings(a.fiber, a.web, a.Meetings)
	public.MountConfirm(a.fiber, a.web, a.Waiting)
	public.MountUnsubscribe(a.fiber, a.web, a.Mailings, a.Consents)
	public.MountArchive(a.fiber, a.web, a.Mailings)
	public.MountClicks(a.fiber, a.web, a.Mailings, a.Log)
	public.MountOutbox(a.fiber, a.web, a.Outbox, func(c *fiber.Ctx) bool {
		return a.web.ForLocalName(c) && a.mail.captures(c.UserContext())
	})

	smtp := admin.Mail{
		Test:  func(ctx context.Context, s organisation.SMTP, to string) error { return a.mail.test(ctx, words, s, to) },
		Fixed: a.Config.Mail.SMTP.Set,
	}
	admin.MountSetup(a.fiber, a.web, a.Users, a.Organisation, smtp)
	admin.MountLogin(a.fiber, a.web, a.Users, a.Organisation)
	admin.MountToday(a.fiber, a.web, a.Today, a.Log)
	admin.MountModeration(a.fiber, a.web, a.Petitions, a.Organisation)
	admin.MountUpdates(a.fiber, a.web, a.Petitions, a.Posts, a.Mailings)
	admin.MountHandover(a.fiber, a.web, a.Petitions, a.Packs)
	admin.MountPetitions(a.fiber, a.web, a.Petitions, a.Campaigns, a.Posts)
	admin.MountAbuse(a.fiber, a.web, a.Abuse, a.Petitions, a.Clock)
	admin.MountMailTexts(a.fiber, a.web, a.Mailings, a.Organisation) // before the next: /admin/mailings/templates is no id
	admin.MountMailings(a.fiber, a.web, a.Mailings)
	admin.MountOffices(a.fiber, a.web, a.Letters)
	admin.MountSeries(a.fiber, a.web, a.Series)
	admin.MountLetterCampaigns(a.fiber, a.web, a.Letters, a.Campaigns)
	admin.MountRosters(a.fiber, a.web, a.Rosters, a.Supporters)
	admin.MountEvents(a.fiber, a.web, a.Events)
	admin.MountMeetings(a.fiber, a.web, a.Meetings)
	admin.MountSupporters(a.fiber, a.web, a.Supporters)
	admin.MountVolunteers(a.fiber, a.web, a.Volunteers)
	admin.MountFields(a.fiber, a.web, a.Supporters)
	admin.MountDuplicates(a.fiber, a.web, a.Duplicates)
	admin.MountRepresented(a.fiber, a.web, a.Legislators)
	admin.MountDivisions(a.fiber, a.web, a.Divisions)
	admin.MountLegislators(a.fiber, a.web, a.Legislators)
	admin.MountSegments(a.fiber, a.web, a.Segments)
	admin.MountForms(a.fiber, a.web, a.Forms)
	admin.MountTopics(a.fiber, a.web, a.Consents)
	admin.MountExports(a.fiber, a.web, a.Exports, a.Clock)
	admin.MountImports(a.fiber, a.web, a.Imports, a.Campaigns, a.Petitions, a.Clock)
	admin.MountAccount(a.fiber, a.web, a.Users)
	admin.MountTwoStep(a.fiber, a.web, a.Users)
	admin.MountUsers(a.fiber, a.web, a.Users, a.Chapters)
	admin.MountChapters(a.fiber, a.web, a.Chapters)
	admin.MountSettings(a.fiber, a.web, a.Organisation, smtp)
	admin.MountDeliverability(a.fiber, a.web, a.Deliverability, a.Clock)
	admin.MountRecovery(a.fiber, a.web, a.Organisation, a.recoverySheets)
	admin.MountErasures(a.fiber, a.web, a.Erasures)
	admin.MountSuppressions(a.fiber, a.web, a.Suppressions, a.Exports)
	admin.MountInbound(a.fiber, a.web, a.Inbound)
	callbacks.MountInbound(a.fiber, a.web, a.Inbound)
	admin.MountRetention(a.fiber, a.web, a.Retention, a.Clock)
	admin.MountJobs(a.fiber, a.web, a.Jobs)
	admin.MountAudit(a.fiber, a.web, a.Audit, a.Users)
	return nil
}

// dropKept lets go of the kept pages that show what an announcement is about, of this node and of others.
func dropKept(w *web.Web, topic string) {
	slug, is := petitions.ChangedSlug(topic)
	switch {
	case is:
		for _, prefix := range []string{"/petitions/" + slug, "/petitions\x00", "/petitions.atom\x00", "/campaigns/", "/\x00"} {
			w.Drop(prefix)
		}
	case topic == events.Topic:
		w.Drop("/\x00")
		w.Drop("/events")
		w.Drop("/groups")
	case topic == letters.Topic:
		w.Drop("/letters")
		w.Drop("/campaigns/")
		w.Drop("/petitions/")
	case topic == "" || topic == erasures.Topic:
		w.Drop("/")
	}
}

// recoverySheets reads the key file for the page that is printed.
func (a *App) recoverySheets() ([]organisation.Sheet, error) {
	list, err := vault.ReadAll(a.Config.Storage.Key)
	out := make([]organisation.Sheet, len(list))
	for i, k := range list {
		out[i] = organisation.Sheet{KeyID: k.ID(), Groups: k.Sheet()}
	}
	return out, err
}

// Close ends what Build made, in the opposite order.
func (a *App) Close() error {
	for i := len(a.ends) - 1; i >= 0; i-- {
		a.ends[i]()
	}
	a.ends = nil
	return a.DB.Close()
}

func (a *App) proxies() []netip.Prefix { return a.Config.Web.TrustedProxies }

func (a *App) databaseKind() string {
	if a.DB.Postgres() {
		return "postgres"
	}
	return "sqlite"
}

// SetupURL is the one-time link of the first run; "" once setup is done.
func (a *App) SetupURL(ctx context.Context) (string, error) {
	path, err := a.Users.SetupPath(ctx)
	if err != nil || path == "" {
		return "", err
	}
	return a.web.URL(path), nil
}

// OutboxURL is where captured mail is shown; "" where mail is sent.
func (a *App) OutboxURL() string {
	if !a.mail.captures(context.Background()) {
		return ""
	}
	return a.web.URL("/outbox")
}

// site tells pages who the organisation is.
func (a *App) site(demo bool) func(context.Context) web.Site {
	return func(ctx context.Context) web.Site {
		o, err := a.Organisation.Current(ctx)
		if err != nil {
			return web.Site{Name: "Kithline", ShortName: "Kithline"}
		}
		return web.Site{
			Name: o.Name, ShortName: o.ShortName, Phone: o.Phone, CrisisLine: o.CrisisLine, Accent: o.Accent, AccentVersion: o.Accent[min(1, len(o.Accent)):],
			Languages: organisation.Spoken(o), Zone: organisation.Zone(o), Demo: demo || a.mail.captures(ctx),
		}
	}
}

func logger(cfg config.Config, to io.Writer) *slog.Logger {
	if to == nil {
		return slog.New(slog.DiscardHandler)
	}
	o := &slog.HandlerOptions{Level: cfg.Log.Level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}

// quietly is the log for River: its information is our debugging, and what it could not finish because we stop is no news.
func quietly(l *slog.Logger) *slog.Logger { return slog.New(quiet{l.Handler()}) }

type quiet struct{ slog.Handler }

// Enabled is part of slog.Handler.
func (q quiet) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// WithAttrs is part of slog.Handler.
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }

// WithGroup is part of slog.Handler.
func (q quiet) WithGroup(n string) slog.Handler { return quiet{q.Handler.WithGroup(n)} }

// Handle is part of slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	stopping := false
	r.Attrs(func(a slog.Attr) bool {
		stopping = strings.HasSuffix(a.Value.String(), context.Canceled.Error())
		return !stopping
	})
	if stopping {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}
