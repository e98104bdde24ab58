package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/petitions"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// contender runs one of the servers that Kithline is compared with: this program again, as a process of its own.
func contender(name string, args []string) error {
	handler, closing, err := contenderHandler(name, args[1:])
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	s := &fasthttp.Server{
		Handler: func(c *fasthttp.RequestCtx) {
			if string(c.Path()) == "/readyz" {
				return
			}
			handler(c)
		},
		NoDefaultServerHeader: true,
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = s.Shutdown() })
	return errors.Join(s.Serve(l), closing())
}

func contenderHandler(name string, args []string) (fasthttp.RequestHandler, func() error, error) {
	switch name {
	case "serve-bytes":
		body, err := os.ReadFile(args[0])
		return func(c *fasthttp.RequestCtx) {
			h := &c.Response.Header
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Encoding", "br")
			h.Set("Vary", "Accept-Encoding")
			c.Response.SetBodyRaw(body)
		}, func() error { return nil }, err
	case "serve-naive":
		return naive(args[0], args[1], args[2])
	}
	return nil, nil, fmt.Errorf("there is no contender %q", name)
}

// contender starts one and returns once it is ready.
func (b *bench) contender(ctx context.Context, name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := b.launch(self, os.Environ(), append([]string{name, addr}, args...)...)
	if err != nil {
		return nil, err
	}
	p.addr = addr
	return p, p.until(ctx, ready(addr))
}

// naive takes signatures the plain way: each request reads the petition, seals what the form says, and writes its three
// rows and the count in one transaction of its own. Around it stands nothing of what Kithline's server does for a request.
func naive(url, keyFile, petition string) (fasthttp.RequestHandler, func() error, error) {
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{URL: url, Connections: 10})
	if err != nil {
		return nil, nil, err
	}
	v, err := vault.Load(keyFile, nil)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	id, err := uuid.Parse(petition)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	text, err := wordsOf(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return func(c *fasthttp.RequestCtx) {
		f := c.PostArgs()
		box, err := uuid.Parse(path.Base(string(c.Path())))
		if err == nil {
			err = naiveConfirm(ctx, db, v, text, box)
		} else {
			err = naiveSign(ctx, db, v, id, string(f.Peek("given_name")), string(f.Peek("family_name")), string(f.Peek("email")), string(f.Peek("postal_code")), string(f.Peek("comment")))
		}
		if err != nil {
			c.Error(err.Error(), fasthttp.StatusInternalServerError)
			return
		}
		c.Response.Header.Set("Location", "/sent")
		c.SetStatusCode(fasthttp.StatusSeeOther)
	}, db.Close, nil
}

func naiveSign(ctx context.Context, db *database.DB, v *vault.Vault, petition uuid.UUID, given, family, email, postal, comment string) error {
	var p models.Petition
	if err := db.WithContext(ctx).Where("id = ?", petition).Take(&p).Error; err != nil {
		return err
	}
	now := clock.System.Now()
	box, err := mailboxes.NewRow(v, email, now)
	if err != nil {
		return err
	}
	id := models.NewID()
	sig := models.Signature{
		ID: id, PetitionID: p.ID, State: models.SignaturePending, GivenNameSealed: v.Seal("signatures", "given_name_sealed", id, given),
		FamilyNameSealed: v.Seal("signatures", "family_name_sealed", id, family), PostalArea: postal, Display: models.DisplayInitials,
		CommentSealed: v.Seal("signatures", "comment_sealed", id, comment), Locale: "en", CreatedAt: now, ExpiresAt: now.Add(7 * 24 * time.Hour),
	}
	return db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "address_hash"}}, DoNothing: true}).Create(&box)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			if err := tx.Where("address_hash = ?", box.AddressHash).Take(&box).Error; err != nil {
				return err
			}
		}
		sig.MailboxID = box.ID
		r = tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "petition_id"}, {Name: "mailbox_id"}, {Name: "seat"}}, DoNothing: true}).Create(&sig)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		d := deliveries.New{
			Kind: petitions.KindConfirm, MailboxID: box.ID, SubjectID: id, Purpose: models.PurposeReceipt, DedupeKey: petitions.KindConfirm + "/" + id.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &sig.ExpiresAt,
		}.Row(now)
		if err := tx.Create(&d).Error; err != nil {
			return err
		}
		return tx.Model(&models.Petition{}).Where("id = ?", p.ID).UpdateColumn("pending_count", gorm.Expr("pending_count + 1")).Error
	})
}
