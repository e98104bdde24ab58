package demo

import (
	"context"
	"strings"
	"time"

	"kithline/campaigns/meetings"
	"kithline/models"
)

// meetingsMade is when the meetings of the advocacy day are planned, in days before the end.
const meetingsMade = 11

// visits is the list of the first offices that are met. DAY is that of the roster.
const visits = `district,date,time,minutes,mode,place,join
House 12,DAY,11:00,15,video,,https://meet.example.org/house-12
House 40,DAY,11:15,15,video,,https://meet.example.org/house-40
Senate 7,DAY,13:00,15,onsite,"Statehouse, Room 207",
`

// planMeetings puts the meetings of the advocacy day into the diary: what they share, and the first offices that gave a time.
func (b *builder) planMeetings() {
	b.note(b.day(days-meetingsMade, 10, 5), "planning meetings", b.planVisits)
}

// planVisits plans the meetings of the roster that there is; without one there are none.
func (b *builder) planVisits(ctx context.Context) error {
	who := b.actors[ilse]
	list, err := b.Meetings.Days(ctx, who)
	if err != nil || len(list) == 0 {
		return err
	}
	roster := list[0].ID
	_, p, err := b.Meetings.Plan(ctx, who, roster)
	if err != nil {
		return err
	}
	p.LetterCampaignID, p.Asks = &b.letters.ID, []string{"Will you vote yes on HB 412?", "Will you speak for it in committee?"}
	p.Roles[models.RoleStoryteller] = meetings.Count{Minimum: 1, Places: 2}
	if err := b.Meetings.SavePlan(ctx, who, roster, p); err != nil {
		return err
	}
	day := b.advocacyDay().Format(time.DateOnly)
	_, _, err = b.Meetings.Import(ctx, who, roster, strings.NewReader(strings.ReplaceAll(visits, "DAY", day)))
	return err
}
