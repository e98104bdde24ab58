package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/petitions"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// confirmOn measures pressing the button behind a mailed link: for the signatures that wait at ours, the plain way's, and the rows
// of the limit.
func (b *bench) confirmOn(ctx context.Context, name string, waits, plain, batch *site) error {
	ours, err := waiting(ctx, waits)
	if err != nil {
		return err
	}
	// The plain way took too few signatures to have enough to confirm.
	p, err := b.serve(ctx, plain, "KITHLINE_MAIL=smtp")
	if err != nil {
		return err
	}
	drive(ctx, p, b.conns, b.load, plain.signer("more", &p.addr), status(fasthttp.StatusSeeOther))
	if err := p.stop(); err != nil {
		return err
	}
	theirs, err := waiting(ctx, plain)
	if err != nil {
		return err
	}
	if len(ours) < 2*b.rounds*crowd || len(theirs) < b.rounds*b.conns {
		return fmt.Errorf("too few signatures wait to be confirmed: %d and %d", len(ours), len(theirs))
	}
	rows, err := newConfirmBatch(ctx, batch)
	if err != nil {
		return err
	}
	signer, err := waits.signerOf()
	if err != nil {
		return errors.Join(err, rows.Close())
	}
	var fast, many, naive rounds
	var limit []float64
	peak := 0
	for left := 2 * b.rounds; left > 0; left -= 2 {
		p, err := b.serve(ctx, waits, "KITHLINE_MAIL=smtp")
		if err != nil {
			return err
		}
		press := func(sig models.Signature, req *fasthttp.Request) string { // as the form of the page sends it
			req.SetRequestURI("http://" + p.addr + "/confirm/" + signer.Make(tokens.Confirm, sig.MailboxID, time.Now().Add(time.Hour)))
			req.Header.SetMethod(fasthttp.MethodPost)
			asBrowser(req)
			req.Header.Set("Origin", "http://"+p.addr)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBodyString("item=" + sig.ID.String())
			return sig.MailboxID.String()
		}
		fast = append(fast, drive(ctx, p, b.conns, b.load, each(&ours, left, b.conns, press), status(fasthttp.StatusSeeOther)))
		many = append(many, drive(ctx, p, crowd, b.load, each(&ours, left-1, crowd, press), status(fasthttp.StatusSeeOther)))
		peak = max(peak, p.memory("VmHWM"))
		if err := p.stop(); err != nil {
			return err
		}
		if p, err = b.contender(ctx, "serve-naive", plain.url, plain.key, plain.petition.ID.String()); err != nil {
			return err
		}
		bare := func(sig models.Signature, req *fasthttp.Request) string {
			req.SetRequestURI("http://" + p.addr + "/confirm/" + sig.MailboxID.String())
			req.Header.SetMethod(fasthttp.MethodPost)
			return sig.MailboxID.String()
		}
		naive = append(naive, drive(ctx, p, b.conns, b.load, each(&theirs, left/2, b.conns, bare), status(fasthttp.StatusSeeOther)))
		if err := p.stop(); err != nil {
			return err
		}
		l, err := rows.run(ctx, b.load)
		if err != nil {
			return err
		}
		limit = append(limit, l)
	}
	b.out.add(fast.line("confirm: "+name+", 64 connections, mail waits", b.beside(name, fast.rate(), naive.rate(), median(limit))))
	b.out.add(many.line(fmt.Sprintf("confirm: %s, %d connections, mail waits", name, crowd), against(many.rate(), naive.rate(), median(limit))))
	b.out.add(naive.line("  plain way: a transaction a request, count in one row", ""))
	b.out.add(line{what: "  limit: the same rows, 100 a statement, no forms, no seals", figure: perSecond(median(limit))})
	b.out.add(line{what: "  memory of the server, the most", figure: mb(peak), beside: b.out.promise(peak <= signMemoryLimit, "at most "+mb(signMemoryLimit))})
	return errors.Join(rows.Close(), b.checkConfirmed(ctx, waits, append(fast.kept(), many.kept()...)))
}

// each hands out a part of the signatures for a round, of which so many are left, and of that a part to every connection. One that has
// none left presses for its last again, which was confirmed before.
func each(sigs *[]models.Signature, left, conns int, press func(models.Signature, *fasthttp.Request) string) ask {
	all := *sigs
	share := len(all) / left / conns
	*sigs = all[min(len(all), share*conns):]
	return func(conn, n int, req *fasthttp.Request) string { return press(all[conn*share+min(n, share-1)], req) }
}

// waiting are the signatures of a site that wait for a press.
func waiting(ctx context.Context, s *site) (sigs []models.Signature, err error) {
	db, err := database.Open(ctx, database.Options{URL: s.url})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	err = db.WithContext(ctx).Select("id", "mailbox_id").Where("petition_id = ? AND state = 'pending'", s.petition.ID).Order("created_at").Find(&sigs).Error
	return sigs, err
}

// signerOf signs links as the site does.
func (s *site) signerOf() (*tokens.Signer, error) {
	v, err := vault.Load(s.key, nil)
	if err != nil {
		return nil, err
	}
	return tokens.New(v), nil
}

// checkConfirmed looks whether every signature whose button was answered counts, once, with its receipt, and is counted.
func (b *bench) checkConfirmed(ctx context.Context, s *site, kept []string) error {
	db, err := database.Open(ctx, database.Options{URL: s.url})
	if err != nil {
		return err
	}
	defer db.Close()
	var rows []struct {
		MailboxID uuid.UUID
		Receipts  int
	}
	err = db.WithContext(ctx).Raw(`SELECT s.mailbox_id, COUNT(d.id) AS receipts FROM signatures s LEFT JOIN deliveries d ON d.mailbox_id = s.mailbox_id AND d.subject_id = s.id AND d.kind = ?
		WHERE s.petition_id = ? AND s.state = 'confirmed' GROUP BY s.id, s.mailbox_id`, petitions.KindReceipt, s.petition.ID).Scan(&rows).Error
	if err != nil {
		return err
	}
	found := map[string]int{}
	for _, r := range rows {
		if r.Receipts == 1 {
			found[r.MailboxID.String()]++
		}
	}
	wrong := 0
	for _, box := range kept {
		if found[box] != 1 {
			wrong++
		}
	}
	var p models.Petition
	if err := db.WithContext(ctx).Where("id = ?", s.petition.ID).Take(&p).Error; err != nil {
		return err
	}
	fine := wrong == 0 && p.SignatureCount == len(rows) && len(kept) > 0
	b.out.note("check: %s presses answered, %s signatures count, signature_count %s: %s", number(len(kept)), number(len(rows)), number(p.SignatureCount),
		map[bool]string{true: "each is there once, with its receipt", false: "NOT so"}[fine])
	if !fine {
		return fmt.Errorf("%d answered confirmations are not there once with one receipt, %d rows, count %d", wrong, len(rows), p.SignatureCount)
	}
	return nil
}

// naiveConfirm confirms the plain way: each request in one transaction of its own, a statement for each row.
func naiveConfirm(ctx context.Context, db *database.DB, v *vault.Vault, text uuid.UUID, box uuid.UUID) error {
	now := time.Now().UTC()
	return db.Tx(ctx, func(tx *gorm.DB) error {
		var m models.Mailbox
		if err := tx.Where("id = ?", box).Take(&m).Error; err != nil {
			return err
		}
		var sig models.Signature
		if r := tx.Where("mailbox_id = ? AND state = 'pending'", box).Limit(1).Find(&sig); r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		var p models.Petition
		if err := tx.Where("id = ?", sig.PetitionID).Take(&p).Error; err != nil {
			return err
		}
		given, err := v.Open("signatures", "given_name_sealed", sig.ID, sig.GivenNameSealed)
		if err != nil {
			return err
		}
		family, err := v.Open("signatures", "family_name_sealed", sig.ID, sig.FamilyNameSealed)
		if err != nil {
			return err
		}
		person := supporters.NewRow(v, models.NewID(), supporters.Facts{GivenName: given, FamilyName: family, PostalArea: sig.PostalArea, Locale: sig.Locale, Source: supporters.SourcePetition}, now)
		if err := tx.Create(&person).Error; err != nil {
			return err
		}
		if err := tx.Model(&m).Updates(map[string]any{"supporter_id": person.ID, "verified_at": now, "updated_at": now}).Error; err != nil {
			return err
		}
		err = consents.Give(ctx, tx, consents.Given{
			MailboxID: box, Purpose: models.PurposeUpdates, ScopeID: p.CampaignID, TextID: text, Locale: sig.Locale, ShownAt: sig.CreatedAt,
			Source: "/petitions/" + p.Slug, How: models.ConsentByMail, EvidenceID: &sig.ID,
		}, now)
		if err != nil {
			return err
		}
		ends := now.Add(72 * time.Hour)
		d := deliveries.New{
			Kind: petitions.KindReceipt, MailboxID: box, SubjectID: sig.ID, Purpose: models.PurposeReceipt, DedupeKey: petitions.KindReceipt + "/" + sig.ID.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &ends,
		}.Row(now)
		if err := tx.Create(&d).Error; err != nil {
			return err
		}
		if err := tx.Model(&sig).Updates(map[string]any{"state": models.SignatureConfirmed, "confirmed_at": now, "display_name": given, "number": p.SignatureCount + 1}).Error; err != nil {
			return err
		}
		return tx.Model(&p).UpdateColumns(map[string]any{"pending_count": gorm.Expr("pending_count - 1"), "signature_count": gorm.Expr("signature_count + 1")}).Error
	})
}

// confirmBatch writes the rows of confirmations as fast as the database takes them.
type confirmBatch struct {
	*database.DB
	petition models.Petition
	text     uuid.UUID
	waits    []models.Signature
}

func newConfirmBatch(ctx context.Context, s *site) (*confirmBatch, error) {
	db, err := database.Open(ctx, database.Options{URL: s.url, Connections: 4})
	if err != nil {
		return nil, err
	}
	b := &confirmBatch{DB: db, petition: s.petition}
	err = db.WithContext(ctx).Select("id", "mailbox_id").Where("petition_id = ? AND state = 'pending'", s.petition.ID).Find(&b.waits).Error
	if err == nil {
		b.text, err = wordsOf(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// wordsOf are those of a consent.
func wordsOf(ctx context.Context, db *database.DB) (id uuid.UUID, err error) {
	err = db.Tx(ctx, func(tx *gorm.DB) error {
		t, err := consents.Text(ctx, tx, models.PurposeUpdates, "en", "Write to me", time.Now().UTC())
		id = t.ID
		return err
	})
	return id, err
}

// run writes for as long as d, or until none is left, and returns the confirmations a second.
func (b *confirmBatch) run(ctx context.Context, d time.Duration) (float64, error) {
	began, n := time.Now(), 0
	for ; time.Since(began) < d && len(b.waits) >= batchRows; n += batchRows {
		part := b.waits[:batchRows]
		b.waits = b.waits[batchRows:]
		if err := b.Tx(ctx, func(tx *gorm.DB) error { return b.write(tx, part) }); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func (b *confirmBatch) write(tx *gorm.DB, part []models.Signature) error {
	now := time.Now().UTC()
	ends := now.Add(72 * time.Hour)
	people, boxes, yes, mails := make([]models.Supporter, len(part)), make([]models.Mailbox, len(part)), make([]models.Consent, len(part)), make([]models.Delivery, len(part))
	for i := range part {
		s := &part[i]
		people[i] = models.Supporter{ID: models.NewID(), GivenNameSealed: secret(33), FamilyNameSealed: secret(35), PostalArea: "10203", Locale: "en", Source: "petition", CreatedAt: now, UpdatedAt: now}
		boxes[i] = models.Mailbox{ID: s.MailboxID, SupporterID: &people[i].ID, VerifiedAt: &now, UpdatedAt: now}
		yes[i] = models.Consent{ID: models.NewID(), MailboxID: s.MailboxID, Purpose: models.PurposeUpdates, ScopeID: b.petition.CampaignID, TextID: b.text, Locale: "en", ShownAt: now, GivenAt: now, How: models.ConsentByMail, EvidenceID: &s.ID}
		mails[i] = deliveries.New{
			Kind: petitions.KindReceipt, MailboxID: s.MailboxID, SubjectID: s.ID, Purpose: models.PurposeReceipt, DedupeKey: petitions.KindReceipt + "/" + s.ID.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &ends,
		}.Row(now)
		s.State, s.ConfirmedAt, s.DisplayName, s.Number = models.SignatureConfirmed, &now, "June O.", 1
	}
	for _, err := range []error{
		database.InsertAll(tx, people, ""), database.UpdateAll(tx, boxes, "supporter_id", "verified_at", "updated_at"), database.InsertAll(tx, yes, "ON CONFLICT DO NOTHING"),
		database.InsertAll(tx, mails, "ON CONFLICT (dedupe_key) DO NOTHING"), database.UpdateAll(tx, part, "state", "confirmed_at", "display_name", "number"),
		tx.Exec("UPDATE petitions SET pending_count = pending_count - ?, signature_count = signature_count + ? WHERE id = ?", len(part), len(part), b.petition.ID).Error,
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
