package deliverability

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// rsaBits is the size of an RSA key. A larger one fits into no record that DNS passes on everywhere.
const rsaBits = 2048

// maxKeys is how many keys a domain may have at once.
const maxKeys = 6

var selectorForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// NewKey is a key to be made.
type NewKey struct {
	Algorithm models.MailKeyAlgorithm
	Selector  string // empty: the next free one of the year, such as kl2026a
}

// MakeKey makes a key for the domain that mail comes from. It does not sign yet: its record has to be published first (see
// Record) and found by Check. It needs the right actor.Administer. The faults are Invalid with the fields algorithm, selector;
// Conflict where the server's own settings name the keys, where there is no domain yet, or where it has six keys already.
func (s *Service) MakeKey(ctx context.Context, a actor.Actor, in NewKey) (models.MailKey, error) {
	if err := a.Need(actor.Administer); err != nil {
		return models.MailKey{}, err
	}
	if len(s.Fixed) > 0 {
		return models.MailKey{}, fault.New(fault.Conflict, "error.mail_keys_fixed")
	}
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return models.MailKey{}, err
	}
	k := models.MailKey{
		ID: models.NewID(), Domain: fromDomain(o), Selector: strings.ToLower(strings.TrimSpace(in.Selector)), Algorithm: in.Algorithm, State: models.MailKeyWaiting,
		CreatedBy: a.Account(), CreatedAt: s.Clock.Now(),
	}
	if k.Domain == "" {
		return k, fault.New(fault.Conflict, "smtp.sender")
	}
	var f fault.Fields
	if k.Selector != "" && !selectorForm.MatchString(k.Selector) {
		f.Add("selector", "error.selector")
	}
	private, err := newKey(k.Algorithm)
	if err != nil {
		f.Add("algorithm", "error.value_unknown")
	}
	if err := f.Err(); err != nil {
		return k, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return k, err
	}
	if k.PublicKey, err = publicKey(private.Public()); err != nil {
		return k, err
	}
	k.PrivateSealed = s.Vault.SealBytes("mail_keys", "private_sealed", k.ID[:], der)
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := alone(tx); err != nil {
			return err
		}
		var there []models.MailKey
		if err := tx.Where("domain = ?", k.Domain).Find(&there).Error; err != nil {
			return err
		}
		taken := func(selector string) bool {
			return slices.ContainsFunc(there, func(x models.MailKey) bool { return x.Selector == selector })
		}
		switch {
		case len(there) >= maxKeys:
			return fault.New(fault.Conflict, "error.mail_keys_many")
		case k.Selector == "":
			k.Selector = freeSelector(k.CreatedAt.Year(), taken)
		case taken(k.Selector):
			var f fault.Fields
			f.Add("selector", "error.selector_taken")
			return f.Err()
		}
		if err := tx.Create(&k).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, k.CreatedAt, "mail_key.make", "mail_keys", k.ID, map[string]any{"selector": k.Selector, "algorithm": k.Algorithm})
	})
	return k, err
}

// alone makes changes of keys and limits wait for each other until tx ends.
func alone(tx *gorm.DB) error {
	return tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Take(&models.Organisation{}, "id = ?", organisation.ID).Error
}

// freeSelector is the year with the first letter that no key has: kl2026a. A selector is not used again while its key is there;
// once that is removed, its record is gone too.
func freeSelector(year int, taken func(string) bool) string {
	for letter := 'a'; letter <= 'z'; letter++ {
		if name := fmt.Sprintf("kl%d%c", year, letter); !taken(name) {
			return name
		}
	}
	return fmt.Sprintf("kl%dz%d", year, maxKeys) // not reached: a domain has fewer keys than there are letters
}

var errAlgorithm = errors.New("deliverability: no such algorithm")

func newKey(a models.MailKeyAlgorithm) (crypto.Signer, error) {
	switch a {
	case models.MailKeyRSA:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case models.MailKeyEd25519:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	}
	return nil, errAlgorithm
}

// publicKey is a public key as it stands behind p= in DNS: of RSA the SubjectPublicKeyInfo (RFC 6376, section 3.6.1), of Ed25519 the
// 32 bytes alone (RFC 8463, section 4).
func publicKey(public crypto.PublicKey) (string, error) {
	if p, ok := public.(ed25519.PublicKey); ok {
		return base64.StdEncoding.EncodeToString(p), nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	return base64.StdEncoding.EncodeToString(der), err
}

func algorithmOf(public crypto.PublicKey) models.MailKeyAlgorithm {
	if _, ok := public.(ed25519.PublicKey); ok {
		return models.MailKeyEd25519
	}
	return models.MailKeyRSA
}

// Record is one record of DNS: what to type into the provider's form.
type Record struct {
	Type  string `json:"type"` // TXT, MX
	Name  string `json:"name"` // whole, without a dot at the end
	Value string `json:"value"`
}

// KeyRecord is the record that has to be published for a key.
func KeyRecord(k models.MailKey) Record {
	return Record{"TXT", k.Selector + "._domainkey." + k.Domain, "v=DKIM1; k=" + string(k.Algorithm) + "; p=" + k.PublicKey}
}

// Keys lists the keys made here, of every domain, the newest first. It needs the right actor.Administer.
func (s *Service) Keys(ctx context.Context, a actor.Actor) ([]models.MailKey, error) {
	if err := a.Need(actor.Administer); err != nil {
		return nil, err
	}
	var rows []models.MailKey
	err := s.DB.WithContext(ctx).Order("created_at DESC, id DESC").Find(&rows).Error
	return rows, err
}

// RemoveKey deletes a key for good. It needs the right actor.Administer and returns a NotFound fault for an unknown id.
func (s *Service) RemoveKey(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var k models.MailKey
		if err := tx.Take(&k, "id = ?", id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.NotFound, "error.not_found")
		} else if err != nil {
			return err
		}
		if err := tx.Delete(&k).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, s.Clock.Now(), "mail_key.remove", "mail_keys", id, map[string]any{"selector": k.Selector, "state": k.State})
	})
	if err == nil {
		s.mu.Lock()
		delete(s.opened, id)
		s.mu.Unlock()
		drop(s, &s.keys)
	}
	return err
}

// SigningKeys returns the keys that sign mail from an address of the domain, RSA first: those of the server's own settings where there
// are some, else those made here whose record was found. It is for whoever sends, is asked for every batch, and is at most a
// second old. Keys of other domains do not sign: what they would say is not about this sender.
func (s *Service) SigningKeys(ctx context.Context, domain string) ([]SigningKey, error) {
	domain = strings.ToLower(domain)
	if domain == "" {
		return nil, nil
	}
	if len(s.Fixed) > 0 {
		out := slices.Clone(s.Fixed)
		for i := range out {
			out[i].Domain = domain
		}
		return out, nil
	}
	return lately(s, &s.keys, domain, always[[]SigningKey](keep), func() ([]SigningKey, error) {
		var rows []models.MailKey
		if err := s.DB.WithContext(ctx).Where("state = ?", models.MailKeySigning).Order("algorithm DESC, created_at").Find(&rows).Error; err != nil {
			return nil, err
		}
		var out []SigningKey
		for _, k := range rows {
			if !sameOrBelow(domain, k.Domain) {
				continue
			}
			key, err := s.open(k)
			if err != nil {
				return nil, err
			}
			out = append(out, SigningKey{k.ID, k.Domain, k.Selector, key})
		}
		return out, nil
	})
}

// sameOrBelow reports whether a domain is another one or lies below it.
func sameOrBelow(domain, other string) bool {
	return domain == other || strings.HasSuffix(domain, "."+other)
}

// open unseals a key, once in the life of the process.
func (s *Service) open(k models.MailKey) (crypto.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.opened[k.ID]; ok {
		return key, nil
	}
	der, err := s.Vault.OpenBytes("mail_keys", "private_sealed", k.ID[:], k.PrivateSealed)
	if err != nil {
		return nil, fmt.Errorf("deliverability: key %s: %w", k.ID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("deliverability: key %s: %w", k.ID, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("deliverability: key %s signs nothing", k.ID)
	}
	s.opened[k.ID] = key
	return key, nil
}

// begin lets waiting keys sign whose records were found, in tx. Those of their kind that signed before rest.
func begin(ctx context.Context, tx *gorm.DB, a actor.Actor, found []uuid.UUID, s *Service) error {
	now := s.Clock.Now()
	for _, id := range found {
		var k models.MailKey
		if err := tx.Take(&k, "id = ?", id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			continue // removed meanwhile
		} else if err != nil {
			return err
		}
		r := tx.Model(&models.MailKey{}).Where("id = ? AND state = ?", id, models.MailKeyWaiting).Updates(map[string]any{"state": models.MailKeySigning, "signing_at": now})
		if r.Error != nil || r.RowsAffected == 0 {
			if r.Error != nil {
				return r.Error
			}
			continue // another node was faster
		}
		if err := tx.Model(&models.MailKey{}).Where("domain = ? AND algorithm = ? AND state = ? AND id <> ?", k.Domain, k.Algorithm, models.MailKeySigning, id).
			Updates(map[string]any{"state": models.MailKeyResting, "resting_at": now}).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "mail_key.sign", "mail_keys", id, map[string]any{"selector": k.Selector}); err != nil {
			return err
		}
	}
	return nil
}
