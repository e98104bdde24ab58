package models

import (
	"time"

	"github.com/google/uuid"
)

// Campaign holds the ask, who decides and why now, and the actions below it.
type Campaign struct {
	ID           uuid.UUID
	Slug         string
	Title        string
	Ask          string
	Decider      string
	WhyNow       string
	SystemChange string
	Deadline     *time.Time
	State        CampaignState

	RetentionMonths int // after the last action ended, names go; 0: the organisation keeps them
	CreatedBy       *uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// CampaignState says who can see a campaign.
type CampaignState string

// The states of a campaign.
const (
	CampaignDraft     CampaignState = "draft"
	CampaignPublished CampaignState = "published"
	CampaignArchived  CampaignState = "archived"
)

// Post is something to read: an update of a petition so far.
type Post struct {
	ID          uuid.UUID
	CampaignID  uuid.UUID
	PetitionID  *uuid.UUID
	Kind        string // update
	Title       string
	Body        string // Markdown
	Locale      string
	AuthorID    *uuid.UUID
	PublishedAt *time.Time
	MailState   string     // asked, sent, declined; "" = not by mail
	MailingID   *uuid.UUID // that took it to the signers
	CreatedAt   time.Time
	UpdatedAt   time.Time
}
