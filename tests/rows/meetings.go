package rows

import "kithline/models"

// AroundMeetings makes a row for each table of meetings, with a value in every column, and what they point to, for tests that carry whole tables.
func AroundMeetings(p Volunteered) []any {
	roster, meeting, legislator, office := models.NewID(), models.NewID(), models.NewID(), models.NewID()
	team, thanks, letters := models.NewID(), models.NewID(), models.NewID()
	return []any{
		&models.Roster{ID: roster, Slug: models.NewID().String(), State: "draft", Title: p.Word("x"), Locale: "es", TimeZone: "America/New_York", CreatedAt: p.At, UpdatedAt: p.At},
		&models.Legislator{ID: legislator, Source: "hand", ExternalID: models.NewID().String(), Name: p.Word("x"), CreatedAt: p.At, UpdatedAt: p.At},
		&models.Office{ID: office, LegislatorID: legislator, SourceKey: models.NewID().String(), Kind: "capitol", Name: p.Word("x"), CreatedAt: p.At, UpdatedAt: p.At},
		&models.MeetingPlan{
			RosterID: roster, Asks: p.Word("x"), Points: p.Word("x"), Roles: p.Word("x"), Minutes: 7, BlockMinutes: 7, BreakMinutes: 7, LoggedAt: &p.Later, SentAt: &p.Later, Revision: 7,
			CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Meeting{
			ID: meeting, RosterID: roster, TeamID: team, LegislatorID: legislator, OfficeID: &office, State: "held", StartsAt: p.At, Minutes: 7, Mode: "video", Place: p.Word("x"),
			JoinSealed: p.Seal("meetings", "join_sealed", meeting, "x"), AccessSealed: p.Seal("meetings", "access_sealed", meeting, "x"), LateMinutes: 7,
			NotesSealed: p.Seal("meetings", "notes_sealed", meeting, "x"), FollowUpSealed: p.Seal("meetings", "follow_up_sealed", meeting, "x"), FollowUpUntil: "2027-03-12",
			FollowedUpAt: &p.Later, NotedAt: &p.Later, ThanksShiftID: &thanks, ThankedAt: &p.Later, CreatedBy: &p.User, Revision: 7, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.LetterCampaign{
			ID: letters, CampaignID: p.Campaign, Slug: letters.String(), State: models.LettersDraft, Title: p.Word("x"), Position: models.StanceSupport, Locale: "es", MaxRecipients: 1, HourlyCap: 7, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.Position{ID: models.NewID(), LegislatorID: legislator, LetterCampaignID: letters, Stance: "maybe", Note: p.Word("x"), SaidOn: "2027-03-09", CreatedBy: &p.User, CreatedAt: p.At, MeetingID: &meeting},
		&models.MeetingAsk{ID: models.NewID(), MeetingID: meeting, Position: 7, Ask: p.Word("x"), Outcome: "maybe"},
	}
}
