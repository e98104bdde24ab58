package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/paging"
	"kithline/campaigns/users"
)

type auditPages struct {
	web   *web.Web
	audit *audit.Service
	users *users.Service
}

// MountAudit puts the owner's audit log in place: /admin/audit.
func MountAudit(r fiber.Router, w *web.Web, a *audit.Service, u *users.Service) {
	h := &auditPages{w, a, u}
	r.Get("/admin/audit", w.Signed, h.list)
}

type auditPage struct {
	web.Page
	Rows []auditRow
	Next string
}

type auditRow struct {
	At                          time.Time
	Who, Action, Object, Detail string
	ObjectID, RequestID         string
}

func (h *auditPages) list(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	cursor, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.audit.List(ctx, a, cursor)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, e := range list.Rows {
		if e.ActorID != nil && e.ActorKind == string(actor.User) && !slices.Contains(ids, *e.ActorID) {
			ids = append(ids, *e.ActorID)
		}
	}
	names, err := h.users.Names(ctx, a, ids)
	if err != nil {
		return err
	}
	p := auditPage{Page: h.web.Page(c, "audit.title", "audit"), Next: list.Next}
	for _, e := range list.Rows {
		row := auditRow{At: e.At, Action: e.Action, Object: e.Object, Detail: details(e.Details), RequestID: e.RequestID}
		if e.ObjectID != nil {
			row.ObjectID = e.ObjectID.String()
		}
		switch actor.Kind(e.ActorKind) {
		case actor.User:
			if e.ActorID != nil {
				row.Who = names[*e.ActorID]
			}
			if row.Who == "" {
				row.Who = p.T("audit.by_former")
			}
		case actor.System:
			row.Who = p.T("audit.by_system")
		case actor.Person:
			row.Who = p.T("audit.by_person")
		default:
			row.Who = p.T("audit.by_nobody")
		}
		p.Rows = append(p.Rows, row)
	}
	return h.web.Render(c, "admin/audit/list", &p)
}

// details writes an entry's JSON as "name: value, name: value".
func details(text string) string {
	var m map[string]any
	if json.Unmarshal([]byte(text), &m) != nil {
		return text
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s: %v", strings.ReplaceAll(k, "_", " "), m[k]))
	}
	return strings.Join(out, ", ")
}
