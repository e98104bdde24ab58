package app

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
)

// mountHealth puts the pages for operators in place: /healthz says that the program lives, /readyz that it can serve.
func mountHealth(r fiber.Router, a *App) {
	r.Get("/healthz", func(c *fiber.Ctx) error { return c.SendString("ok\n") })
	r.Get("/readyz", func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), 2*time.Second)
		defer cancel()
		if err := a.DB.SQL.PingContext(ctx); err != nil {
			a.Log.Error("the database does not answer", "error", err.Error())
			return c.Status(fiber.StatusServiceUnavailable).SendString("the database does not answer\n")
		}
		return c.SendString("ready\n")
	})
}
