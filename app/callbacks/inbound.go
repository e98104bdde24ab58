// Package callbacks takes the calls of mail providers. Nobody is signed in there: a secret stands in the address, and each provider
// proves itself as it can.
package callbacks

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/inbound"
)

// MountInbound takes what providers tell of mail that came back: /callbacks/ses/:secret (Amazon SES by SNS) and
// /callbacks/postmark/:secret. They answer 200 once all that follows is committed; a provider calls again otherwise.
func MountInbound(r fiber.Router, w *web.Web, s *inbound.Service) {
	take := func(one func(ctx context.Context, secret string, body []byte) error) fiber.Handler {
		return func(c *fiber.Ctx) error {
			if err := one(c.UserContext(), c.Params("secret"), c.Body()); err != nil {
				return err
			}
			return c.SendString("ok\n")
		}
	}
	r.Post("/callbacks/ses/:secret", take(s.SES))
	r.Post("/callbacks/postmark/:secret", take(s.Postmark))
}
