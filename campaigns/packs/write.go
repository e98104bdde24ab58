package packs

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/divisions"
	"kithline/campaigns/exports"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// The files of a pack.
const (
	pdfName      = "petition.pdf"
	csvName      = "signatures.csv"
	manifestName = "manifest.json"
)

// manifest says what is in a pack.
type manifest struct {
	Petition struct {
		Title   string `json:"title"`
		Decider string `json:"decider"`
		URL     string `json:"url"`
	} `json:"petition"`
	Organisation string    `json:"organisation"`
	MadeAt       time.Time `json:"made_at"`
	Counts       counts    `json:"counts"`
	Districts    districts `json:"districts"`
	Files        []part    `json:"files"`
}

type counts struct {
	Total        int    `json:"total"` // confirmed and on paper
	Confirmed    int    `json:"confirmed"`
	Paper        int    `json:"paper"`
	ByName       int    `json:"shown_by_name"`
	ByInitials   int    `json:"shown_by_initials"`
	Anonymous    int    `json:"anonymous"`
	Legacy       int    `json:"counted_elsewhere"` // no part of the total
	LegacySource string `json:"counted_elsewhere_by"`
}

type districts struct {
	Kind     models.DivisionKind `json:"kind"`
	Least    int                 `json:"least"`
	Rows     []districtCount     `json:"rows"`
	NotShown int                 `json:"not_shown"`
}

type districtCount struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// signed is a line of the list.
type signed struct {
	number, name, place string
	at                  time.Time
}

// pack is what the parts of a pack are made from.
type pack struct {
	petition models.Petition
	org      models.Organisation
	zone     *time.Location
	at       time.Time
	manifest manifest
	comments []models.Signature
	over     []models.Handover
	places   map[string]bool // those that may be shown
	list     []signed        // up to listMax
}

// write makes a pack. told hears how many signatures were written.
func (s *Service) write(ctx context.Context, m models.PetitionPack, w io.Writer, told func(rows int)) (manifest, []byte, error) {
	none := func(err error) (manifest, []byte, error) { return manifest{}, nil, err }
	var opt options
	if err := json.Unmarshal([]byte(m.Options), &opt); err != nil {
		return none(err)
	}
	k := &pack{at: s.Clock.Now(), places: map[string]bool{}}
	var err error
	if k.petition, err = s.petition(ctx, s.DB.DB, m.PetitionID); err != nil {
		return none(err)
	}
	if k.org, err = s.Organisation.Current(ctx); err != nil {
		return none(err)
	}
	k.zone = organisation.Zone(k.org)
	if k.comments, err = s.chosen(ctx, m.PetitionID, opt.Comments); err != nil {
		return none(err)
	}
	if err := s.DB.WithContext(ctx).Where("petition_id = ?", m.PetitionID).Order("handed_at, id").Find(&k.over).Error; err != nil {
		return none(err)
	}
	var places []string
	err = s.DB.WithContext(ctx).Model(&models.PetitionTally{}).
		Where("petition_id = ? AND kind = ? AND name <> '' AND confirmed >= ?", m.PetitionID, models.TallyPlace, divisions.Least).Pluck("name", &places).Error
	if err != nil {
		return none(err)
	}
	for _, p := range places {
		k.places[p] = true
	}
	z := zip.NewWriter(w)
	add := func(name string, method uint16, fill func(io.Writer) error) error {
		entry, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: k.at})
		if err != nil {
			return err
		}
		c := &counted{w: entry, hash: sha256.New()}
		if err := fill(c); err != nil {
			return err
		}
		k.manifest.Files = append(k.manifest.Files, part{name, c.n, hex.EncodeToString(c.hash.Sum(nil))})
		return nil
	}
	if err := add(csvName, zip.Deflate, func(w io.Writer) error { return s.signatures(ctx, k, w, told) }); err != nil {
		return none(err)
	}
	if err := s.figures(ctx, k); err != nil {
		return none(err)
	}
	if err := add(pdfName, zip.Store, func(w io.Writer) error { return s.pdf(k).Write(w) }); err != nil {
		return none(err)
	}
	b, err := json.MarshalIndent(k.manifest, "", "  ")
	if err != nil {
		return none(err)
	}
	entry, err := z.CreateHeader(&zip.FileHeader{Name: manifestName, Method: zip.Deflate, Modified: k.at})
	if err == nil {
		_, err = entry.Write(append(b, '\n'))
	}
	if err != nil {
		return none(err)
	}
	return k.manifest, b, z.Close()
}

// counted counts and hashes what goes through it.
type counted struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.hash.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// page is how many signatures are read at once.
const page = 1000

// signatures writes the confirmed signatures in the order in which they were confirmed, and keeps and counts them for the rest.
func (s *Service) signatures(ctx context.Context, k *pack, w io.Writer, told func(rows int)) error {
	lang := k.petition.Locale
	nobody := s.Words.Text(lang, "pack.supporter")
	if _, err := w.Write(exports.AppendRow(nil, "number", "name", "place", "signed_on")); err != nil {
		return err
	}
	var at time.Time
	id := uuid.Nil
	var b []byte
	n := &k.manifest.Counts
	for {
		var rows []models.Signature
		q := s.DB.WithContext(ctx).Select("id", "number", "display", "display_name", "postal_area", "confirmed_at").
			Where("petition_id = ? AND state = 'confirmed'", k.petition.ID).Order("confirmed_at, id").Limit(page)
		if id != uuid.Nil {
			q = q.Where("(confirmed_at, id) > (?, ?)", at, id)
		}
		if err := q.Find(&rows).Error; err != nil {
			return err
		}
		b = b[:0]
		for _, g := range rows {
			id = g.ID
			if g.ConfirmedAt != nil {
				at = *g.ConfirmedAt
			}
			n.Confirmed++
			l := signed{number: strconv.Itoa(n.Confirmed), name: g.DisplayName, at: at.In(k.zone)}
			switch {
			case g.Display == models.DisplayAnonymous || g.DisplayName == "":
				n.Anonymous++
				l.name = nobody
			case g.Display == models.DisplayInitials:
				n.ByInitials++
			default:
				n.ByName++
			}
			if k.places[g.PostalArea] {
				l.place = g.PostalArea
			}
			b = exports.AppendRow(b, l.number, l.name, l.place, l.at.Format(time.DateOnly))
			if len(k.list) < listMax {
				k.list = append(k.list, l)
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		told(n.Confirmed)
		if len(rows) < page {
			return nil
		}
	}
}

// figures fills in what the manifest and the PDF say in numbers.
func (s *Service) figures(ctx context.Context, k *pack) error {
	p, m := k.petition, &k.manifest
	m.Petition.Title, m.Petition.Decider, m.Petition.URL = p.Title, p.Decider, s.BaseURL+"/petitions/"+p.Slug
	m.Organisation, m.MadeAt = k.org.Name, k.at
	m.Counts.Paper, m.Counts.Legacy, m.Counts.LegacySource = p.PaperCount, p.LegacyCount, p.LegacySource
	m.Counts.Total = m.Counts.Confirmed + p.PaperCount
	m.Districts = districts{Kind: p.DistrictKind, Least: divisions.Least, Rows: []districtCount{}, NotShown: m.Counts.Total}
	if p.DistrictKind == "" {
		return nil
	}
	tally, err := divisions.CountByDivision(ctx, s.DB.DB, p.ID, p.DistrictKind, k.at)
	if err != nil {
		return err
	}
	shown, _, err := tally.Public(ctx, s.DB.DB, k.at)
	for _, c := range shown {
		m.Districts.Rows = append(m.Districts.Rows, districtCount{c.Division.OCDID, c.Division.Name, c.N})
		m.Districts.NotShown -= c.N
	}
	m.Districts.NotShown = max(m.Districts.NotShown, 0) // the counts were read a moment after the list
	return err
}
