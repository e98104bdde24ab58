// Package public is the surface for everybody: a file per feature, with its handlers, forms and the data of its pages. A
// handler binds what came, calls one operation and answers, the same for an address that is known and one that is not.
package public

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/events"
	"kithline/campaigns/legislators"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// homeShown is how many petitions the first page lists.
const homeShown = 6

// homeEvents is how many events it lists.
const homeEvents = 3

type home struct {
	web         *web.Web
	petitions   *petitions.Service
	legislators *legislators.Service
	events      *events.Service
}

// MountHome puts the first page in place: what can be done now, by how long it takes, what comes next, and what the organisation works for.
func MountHome(r fiber.Router, w *web.Web, s *petitions.Service, l *legislators.Service, e *events.Service) {
	h := &home{w, s, l, e}
	r.Get("/", h.show)
}

type homePage struct {
	web.Page
	Petitions []models.Petition
	Represent bool // who represents a place can be looked up
	Events    []eventCard
}

func (h *home) show(c *fiber.Ctx) error {
	return h.web.Cached(c, "public/home/home", "home", func(ctx context.Context, p web.Page) (any, error) {
		p.Title = p.T("home.title")
		open, err := h.petitions.Open(ctx, uuid.Nil, homeShown)
		if err != nil {
			return nil, err
		}
		known, err := loaded(ctx, h.legislators)
		if err != nil {
			return nil, err
		}
		next, err := h.events.Upcoming(ctx, events.Filter{}, 1)
		return homePage{Page: p, Petitions: open, Represent: known, Events: cardsOf(h.events, p.Lang, next[:min(homeEvents, len(next))])}, err
	})
}
