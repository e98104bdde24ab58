package mailings

import (
	"context"
	"errors"
	"image"
	_ "image/jpeg" // the two forms that stored pictures have
	_ "image/png"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// picturesPath begins the address of every picture in a mail. Whoever has the address can see the picture: it stands in mails.
const picturesPath = "/m/pictures/"

// PicturePath is the address of a picture on the site.
func PicturePath(file uuid.UUID) string { return picturesPath + file.String() }

// Pictures lists the pictures that a text can name, newest first, at most 100. It needs the right actor.WriteMailing.
func (s *Service) Pictures(ctx context.Context, a actor.Actor) ([]models.MailPicture, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return nil, err
	}
	var out []models.MailPicture
	err := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(100).Find(&out).Error
	return out, err
}

// AddPicture stores a picture for mails, made fit as files.WritePicture does, and returns it with the name by which texts show it. It
// needs the right actor.WriteMailing. The faults are those of files.WritePicture, on the field "picture" where the picture is at fault.
func (s *Service) AddPicture(ctx context.Context, a actor.Actor, name string, r io.Reader) (models.MailPicture, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return models.MailPicture{}, err
	}
	f, err := s.Files.WritePicture(ctx, files.PutInput{Kind: models.FilePicture, Name: name, Public: true, By: a.Account()}, r)
	if err != nil {
		var e *fault.Error
		if errors.As(err, &e) && e.Kind == fault.Invalid && len(e.Fields) == 0 {
			var bad fault.Fields
			bad.Add("picture", e.Key, e.Args...)
			return models.MailPicture{}, bad.Err()
		}
		return models.MailPicture{}, err
	}
	f.ChapterID = a.Chapter()
	p := models.MailPicture{ID: models.NewID(), ChapterID: a.Chapter(), FileID: f.ID, CreatedBy: a.Account(), CreatedAt: s.Clock.Now()}
	base := campaigns.Slug(strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), path.Ext(name)))
	if base == "" {
		base = "picture"
	}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		for n := 1; p.Name == ""; n++ {
			try := base
			if n > 1 {
				try += "-" + strconv.Itoa(n)
			}
			var used int64
			if err := tx.Model(&models.MailPicture{}).Where("name = ?", try).Count(&used).Error; err != nil {
				return err
			}
			if used == 0 {
				p.Name = try
			}
		}
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, p.CreatedAt, "mail_picture.add", "mail_pictures", p.ID, nil)
	})
	if err != nil {
		return models.MailPicture{}, err
	}
	if p.Width, p.Height, err = s.measure(ctx, f.ID); err != nil {
		return models.MailPicture{}, err
	}
	return p, s.DB.WithContext(ctx).Model(&models.MailPicture{}).Where("id = ?", p.ID).Updates(map[string]any{"width": p.Width, "height": p.Height}).Error
}

// measure reads how large a stored picture is, in pixels.
func (s *Service) measure(ctx context.Context, file uuid.UUID) (int, int, error) {
	rc, _, err := s.Files.Open(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	cfg, _, err := image.DecodeConfig(rc)
	return cfg.Width, cfg.Height, errors.Join(err, rc.Close())
}

// Picture opens a picture of a mail for anybody. The faults are those of files.OpenPublic; a file that is no picture of a mail is
// unknown.
func (s *Service) Picture(ctx context.Context, file uuid.UUID) (io.ReadCloser, models.File, error) {
	var n int64
	if err := s.DB.WithContext(ctx).Model(&models.MailPicture{}).Where("file_id = ?", file).Count(&n).Error; err != nil {
		return nil, models.File{}, err
	}
	if n == 0 {
		return nil, models.File{}, fault.New(fault.NotFound, "error.file_unknown")
	}
	return s.Files.OpenPublic(ctx, file)
}

// picturesIn reads the pictures that texts name.
func (s *Service) picturesIn(ctx context.Context, texts []Text) (pictured, error) {
	var names []string
	for _, t := range texts {
		if t.Format == models.FormatMarkdown {
			names = append(names, pictureNames(t.Body)...)
		}
	}
	out := pictured{}
	if len(names) == 0 {
		return out, nil
	}
	var rows []models.MailPicture
	err := s.DB.WithContext(ctx).Where("name IN ?", names).Find(&rows).Error
	for _, p := range rows {
		out[p.Name] = p
	}
	return out, err
}
