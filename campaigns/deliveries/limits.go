package deliveries

import (
	"gorm.io/gorm"

	"kithline/models"
)

type share struct{}

var alone = share{}

func (e *engine) readLimits(*Sender) error  { return nil }
func (e *engine) limited() bool             { return false }
func (e *engine) connectionsFor(string) int { return 0 }
func (e *engine) permit(_ *gorm.DB, b []*change) ([]*change, []models.Delivery, error) {
	return b, nil, nil
}
