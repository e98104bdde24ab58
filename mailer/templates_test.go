package mailer

import (
	"flag"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

var letterhead = Letterhead{
	OrgName: "Wennick Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", Phone: "Phone 555-0142",
	SiteURL: "https://act.example.org",
}

// The data that each template is executed with. A template of another package's feature gets that package's struct, with
// these fields.
type (
	petitionConfirm struct {
		GivenName, PetitionTitle, SignedAs string
		WithUpdates                        bool
		ConfirmURL, ConfirmHost, Code      string
		Days                               int
	}
	joinConfirm struct {
		Title                         string
		Agreeing                      bool
		ConfirmURL, ConfirmHost, Code string
		Days                          int
	}
	volunteerConfirm struct {
		ConfirmURL, ConfirmHost, Code string
		Days                          int
	}
	volunteerWelcome struct {
		GivenName, RostersURL, URL string
		Asked                      bool
	}
	volunteerCertificate struct {
		GivenName, URL string
		Days           int
	}
	petitionAlready struct{ GivenName, PetitionTitle, PetitionURL string }
	petitionState   struct{ PetitionTitle, State, Reason, URL string }
	petitionOutcome struct{ GivenName, PetitionTitle, Outcome, Text, PetitionURL, StopURL string }
	petitionDigest  struct {
		PetitionTitle, Decider, PetitionURL, StopURL, Count, Growth, Every string
	}
	petitionDigestConfirm struct {
		PetitionTitle, PetitionURL, Every string
		ConfirmURL, ConfirmHost, Code     string
		Days                              int
	}
	petitionReached struct{ PetitionTitle, Count, Now, Goal, URL, Paper string }
	petitionReceipt struct {
		GivenName, PetitionTitle, SignedAs, PetitionURL, OwnURL string
		Days                                                    int
	}
	userInvitation struct {
		Inviter, OrgName, RoleName, URL string
		Days                            int
	}
	userLoginLink struct {
		URL     string
		Minutes int
	}
	userPasswordChanged struct{ When string }
	userTwoStep         struct {
		When string
		On   bool
	}
	meLink struct {
		For, URL string
		Minutes  int
	}
	setupTest     struct{ OrgName string }
	letterText    struct{ Name, Subject, Text string }
	letterConfirm struct {
		GivenName, Title, URL         string
		Letters                       []letterText
		Already                       []string
		Updates                       bool
		ConfirmURL, ConfirmHost, Code string
		Days                          int
	}
	letterResume struct {
		Title, URL, ResumeHost, Code string
		Days                         int
	}
	letterCopy struct {
		GivenName, Title string
		Letters          []letterText
	}
	letterHeld    struct{ GivenName, Title string }
	letterState   struct{ Title, State, Reason, URL string }
	rosterMeeting struct {
		GivenName, Role, Who, When, Own, Where string
		Cancelled                              bool
		PageURL, CantURL                       string
		ContactName, Contact                   string
	}
	rosterShift struct {
		GivenName, Role, Roster, When, Place, Join string
		Standby                                    bool
		Contact, URL, CantURL, Handover            string
	}
	rosterMessage  struct{ GivenName, Role, Roster, When, Subject, Text, URL, CantURL string }
	letterRejected struct{ GivenName, Title, Reason, URL string }
	toCarry        struct{ To, How string }
	letterByHand   struct {
		GivenName string
		Carry     []toCarry
		Lost      []string
		URL       string
	}
	letterQuestion struct {
		GivenName string
		To        []string
		Again     bool
		URL       string
	}
	letterRetarget struct{ GivenName, To, Successor, URL string }
	letterReply    struct{ GivenName, To, Text, URL string }
	offerShift     struct {
		Role, When, There, Place string
		Minutes, Energy          int
	}
	rosterOffer struct {
		GivenName, Title string
		Shift            offerShift
		StandsBy         bool
		Swap, URL        string
		Minutes, Hours   int
	}
	rosterOfferOver struct {
		GivenName, Title string
		Shift            offerShift
		Off              bool
	}
	rosterOfferYes struct {
		GivenName, Title string
		Shift            offerShift
		Handover         bool
		CantURL          string
	}
	rosterBack struct {
		GivenName           string
		Holds, Changed, Off []offerShift
		URL                 string
	}
	eventConfirm struct {
		Title, ConfirmURL, ConfirmHost, Code string
		Days                                 int
	}
	eventComing struct {
		GivenName, Title, When, Yours, Where, Note, Join, Dial string
		Waiting, Series, Calendar                              bool
		URL                                                    string
		FeedURL                                                string
	}
	eventOffer    struct{ GivenName, Title, When, Yours, Until, URL string }
	eventChanged  struct{ GivenName, Title, Was, When, Yours, Note, URL string }
	eventMessage  struct{ GivenName, Title, When, Yours, Text, URL string }
	petitionDraft struct {
		Inviter, URL, ResumeHost, Code string
		Confirmed                      bool
		Days, LinkDays                 int
	}
)

const token = "AZHq3k0Yc8mR5nXw2pVtLs7uJd1bEf9gKhQzT4iOaC6yBr8e0N"

type rosterConfirm struct {
	Role, Roster, When            string
	Standby                       bool
	Minutes                       int
	ConfirmURL, ConfirmHost, Code string
	Days                          int
}

type rosterPlace struct {
	GivenName, Role, Roster, When, Own, Where, ContactName, Contact, PlaceURL, CantURL, NeverURL, FeedURL, MeURL string
	Standing, Answers, Calendar                                                                                  bool
}

func (p rosterPlace) Stands() bool { return p.Standing }

type rosterLetGo struct{ Role, URL string }

var (
	aShift = offerShift{"Meeting leader, House 31", "Tuesday 9 March 2027, 10:00 to 10:45 (New York)", "Tuesday 9 March 2027, 16:00 to 16:45 (Madrid)", "Room 114", 45, 3}
	atHome = offerShift{Role: "Thank-you mails", When: "By Thursday 11 March 2027, 20:00 (New York)", Minutes: 10, Energy: 1}
)

// samples has each template with each shape that its data can take.
var samples = []struct {
	file, name string
	data       any
}{
	{"petition_confirm", "petition_confirm", petitionConfirm{
		"June", "Twenty visits for pain", "June H.", true, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7,
	}},
	{"petition_confirm_bare", "petition_confirm", petitionConfirm{
		"", "A <b>bold</b> & long title that says what is asked of whom, and by when it should be done", "", false,
		"https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 1,
	}},
	{"join_confirm", "join_confirm", joinConfirm{"", true, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7}},
	{"join_confirm_form", "join_confirm", joinConfirm{"Tell us <what> helps & where", false, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 1}},
	{"volunteer_confirm", "volunteer_confirm", volunteerConfirm{"https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7}},
	{"volunteer_welcome", "volunteer_welcome", volunteerWelcome{"June", "https://act.example.org/rosters", "https://act.example.org/me", true}},
	{"volunteer_welcome_bare", "volunteer_welcome", volunteerWelcome{"", "https://act.example.org/rosters", "https://act.example.org/me", false}},
	{"volunteer_certificate", "volunteer_certificate", volunteerCertificate{"June", "https://act.example.org/certificates/" + token, 90}},
	{"petition_reminder", "petition_reminder", petitionConfirm{
		"June", "Twenty visits for pain", "", true, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 6,
	}},
	{"petition_receipt", "petition_receipt", petitionReceipt{
		"June", "Twenty visits for pain", "June H.", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/petitions/twenty-visits/mine/" + token, 30,
	}},
	{"petition_receipt_bare", "petition_receipt", petitionReceipt{
		"", "Twenty <visits>", "", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/petitions/twenty-visits/mine/" + token, 30,
	}},
	{"petition_already", "petition_already", petitionAlready{"June", "Twenty visits for pain", "https://act.example.org/petitions/twenty-visits"}},
	{"letter_rejected", "letter_rejected", letterRejected{"June", "Twenty <visits>", "It has words that could be read as an insult.", "https://act.example.org/letters/twenty-visits"}},
	{"letter_rejected_bare", "letter_rejected", letterRejected{"", "Twenty visits", "Its words are those of another letter.", "https://act.example.org/letters/twenty-visits"}},
	{"petition_state_submitted", "petition_state", petitionState{"Twenty visits for pain", "submitted", "", "https://act.example.org/admin/petitions/1"}},
	{"petition_state_published", "petition_state", petitionState{"Twenty visits for pain", "published", "", "https://act.example.org/petitions/twenty-visits"}},
	{"petition_state_changed", "petition_state", petitionState{"Twenty <visits>", "changed", "", "https://act.example.org/petitions/twenty-visits"}},
	{"petition_state_kept", "petition_state", petitionState{"Twenty visits for pain", "kept", "People signed for <twenty>.\n\nWrite to us.", "https://act.example.org/petitions/draft/" + token}},
	{"petition_state_returned", "petition_state", petitionState{
		"Twenty visits for pain", "returned", "Please name the committee.\nThe second paragraph <script>needs</script> a source, so that a reader can check it.\n\nThank you.",
		"https://act.example.org/admin/petitions/1",
	}},
	{"petition_outcome_won", "petition_outcome", petitionOutcome{
		"June", "Twenty visits for pain", "won", "The committee voted 9 to 4.\n\nFrom July, <all> plans pay for twenty visits a year.", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/u/" + token,
	}},
	{"petition_outcome_partly", "petition_outcome", petitionOutcome{"", "Twenty visits for pain", "partly", "Twelve visits.", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/u/" + token}},
	{"petition_outcome_lost", "petition_outcome", petitionOutcome{"June", "Twenty visits for pain", "lost", "The bill was not brought to a vote.", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/u/" + token}},
	{"petition_digest", "petition_digest", petitionDigest{"Twenty visits for pain", "the House Health Committee", "https://act.example.org/petitions/twenty-visits", "https://act.example.org/u/" + token, "3,012", "1,004", "1,000"}},
	{"petition_digest_confirm", "petition_digest_confirm", petitionDigestConfirm{"Twenty visits for pain", "https://act.example.org/petitions/twenty-visits", "1,000", "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7}},
	{"petition_start", "petition_start", petitionDraft{"", "https://act.example.org/petitions/draft/" + token, "act.example.org/petitions/resume", "7Q4MK2", false, 7, 30}},
	{"petition_start_again", "petition_start", petitionDraft{"", "https://act.example.org/petitions/draft/" + token, "act.example.org/petitions/resume", "7Q4MK2", true, 7, 30}},
	{"petition_costart", "petition_costart", petitionDraft{"June <O>", "https://act.example.org/petitions/draft/" + token, "act.example.org/petitions/resume", "7Q4MK2", false, 7, 30}},
	{"petition_costart_bare", "petition_costart", petitionDraft{"", "https://act.example.org/petitions/draft/" + token, "act.example.org/petitions/resume", "7Q4MK2", false, 1, 1}},
	{"letter_confirm", "letter_confirm", letterConfirm{
		"June", "Twenty visits for pain", "https://act.example.org/letters/twenty-visits",
		[]letterText{
			{"Senator Ada Okafor", "Please support HB 412", "Dear Senator Okafor,\n\nMy plan stopped after <six> visits.\n\nWith respect,\n\nJune Hollis\n4 Mill Lane\nThree Forks, WN 00209"},
			{"Representative Noël Ito", "Please support HB 412", "Dear Representative Ito,\n\nMy plan stopped."},
		},
		[]string{"Senator Bo Lind", "Senator Cy Marsh"},
		true, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7,
	}},
	{"letter_confirm_bare", "letter_confirm", letterConfirm{
		"", "Twenty <visits>", "https://act.example.org/letters/twenty-visits",
		[]letterText{{"Senator Ada Okafor", "A <b>bold</b> subject", "Dear Senator Okafor,"}},
		nil, false,
		"https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 1,
	}},
	{"letter_already", "letter_already", letterConfirm{"June", "Twenty visits for pain", "https://act.example.org/letters/twenty-visits", nil, []string{"Senator Ada Okafor"}, false, "", "", "", 7}},
	{"letter_resume", "letter_resume", letterResume{"Twenty visits for pain", "https://act.example.org/letters/draft/" + token, "act.example.org/letters/resume", "7Q4MK2", 30}},
	{"letter_copy", "letter_copy", letterCopy{"June", "Twenty visits for pain", []letterText{{"Senator Ada Okafor", "Please support HB 412", "Dear Senator Okafor,\n\nMy plan stopped."}}}},
	{"letter_state_published", "letter_state", letterState{"Twenty <visits>", "published", "", "https://act.example.org/letters/twenty-visits"}},
	{"letter_state_returned", "letter_state", letterState{"Twenty visits", "returned", "Which <committee>?\n\nPlease say when it meets.", "https://act.example.org/admin/letters/1/edit"}},
	{"letter_state_submitted", "letter_state", letterState{"Twenty visits", "submitted", "", "https://act.example.org/admin/letters/1"}},
	{"roster_placed", "roster_placed", rosterShift{
		"June", "Note taker, House 31", "Pain Day", "9 March 2027, 10:00 to 10:45", "Room <114>", "https://meet.example.org/31", false, "Ilse 555-0142", "https://act.example.org/rosters/pain-day",
		"https://act.example.org/cant/" + token, "Write down yes or no.\n\nCall Ilse.",
	}},
	{"roster_placed_standby", "roster_placed", rosterShift{"", "Driver", "Pain Day", "any time", "", "", true, "", "https://act.example.org/rosters/pain-day", "https://act.example.org/cant/" + token, ""}},
	{"roster_changed", "roster_changed", rosterShift{"June", "Driver", "Pain Day", "9 March 2027, 08:00 to 09:00", "Harrow Bay", "", false, "", "https://act.example.org/rosters/pain-day", "https://act.example.org/cant/" + token, ""}},
	{"roster_changed_standby", "roster_changed", rosterShift{"", "Driver", "Pain Day", "9 March 2027, 08:00 to 09:00", "", "", true, "", "https://act.example.org/rosters/pain-day", "https://act.example.org/cant/" + token, ""}},
	{"roster_cancelled", "roster_cancelled", rosterShift{"June", "Driver", "Pain Day", "9 March 2027, 08:00 to 09:00", "", "", false, "", "https://act.example.org/rosters/pain-day", "https://act.example.org/cant/" + token, ""}},
	{"roster_message", "roster_message", rosterMessage{"June", "Driver", "Pain Day", "9 March 2027, 08:00 to 09:00", "The car park", "Please use the <north> gate.\nThank you.", "https://act.example.org/rosters/pain-day", "https://act.example.org/cant/" + token}},
	{"letter_held", "letter_held", letterHeld{"June", "Twenty visits for pain"}},
	{"roster_meeting", "roster_meeting", rosterMeeting{
		GivenName: "June", Role: "Storyteller", Who: "Representative Ada Quill", When: "Tuesday 9 March 2027, 10:00 to 10:15", Own: "Tuesday 9 March 2027, 16:00 to 16:15", Where: "Room 114",
		PageURL: "https://act.example.org/meetings/TOKEN", CantURL: "https://act.example.org/cant/TOKEN", ContactName: "Nadia", Contact: "555-0142",
	}},
	{"roster_meeting_off", "roster_meeting", rosterMeeting{Role: "Storyteller", Who: "Representative Ada Quill", When: "Tuesday 9 March 2027, 10:00 to 10:15", Cancelled: true}},
	{"petition_threshold", "petition_threshold", petitionReached{"Twenty visits for pain", "1,000", "", "2,500", "https://act.example.org/petitions/twenty-visits", ""}},
	{"petition_threshold_paper", "petition_threshold", petitionReached{"Benches <b>& shade</b>", "100", "112", "250", "https://act.example.org/petitions/benches", "12"}},
	{"user_invitation", "user_invitation", userInvitation{"Ilse Halvorsen", "Wennick Chronic Pain Coalition", "Organizer", "https://act.example.org/invite/" + token, 3}},
	{"user_login_link", "user_login_link", userLoginLink{"https://act.example.org/login/" + token, 15}},
	{"user_password_changed", "user_password_changed", userPasswordChanged{"9 March 2027, 14:05"}},
	{"user_two_step", "user_two_step", userTwoStep{"9 March 2027, 14:05", true}},
	{"me_link_page", "me_link", meLink{"page", "https://act.example.org/me/" + token, 120}},
	{"me_link_download", "me_link", meLink{"download", "https://act.example.org/me/download/" + token, 15}},
	{"me_link_erase", "me_link", meLink{"erase", "https://act.example.org/me/erase/" + token, 15}},
	{"letter_by_hand", "letter_by_hand", letterByHand{"June", []toCarry{{"Senator Ada Quill", "webform"}, {"Representative Bo Marsh", "print"}, {"Representative Ida Pell", "call"}}, []string{"Senator <Cy> Roe"}, "https://act.example.org/by-hand/" + token}},
	{"letter_by_hand_lost", "letter_by_hand", letterByHand{"", nil, []string{"Senator Cy Roe", "Senator Ada Quill"}, "https://act.example.org/by-hand/" + token}},
	{"roster_offer", "roster_offer", rosterOffer{"Rosa", "The day at the Statehouse", aShift, true, "", "https://act.example.org/offers/" + token, 15, 0}},
	{"roster_offer_swap", "roster_offer", rosterOffer{"", "The <day> & more", atHome, true, "Storyteller, House 31, Tuesday 9 March 2027, 10:00 to 10:20 (New York)", "https://act.example.org/offers/" + token, 0, 8}},
	{"roster_offer_time", "roster_offer", rosterOffer{"June", "The day at the Statehouse", aShift, false, "", "https://act.example.org/offers/" + token, 0, 0}},
	{"roster_offer_over", "roster_offer_over", rosterOfferOver{"Rosa", "The day at the Statehouse", aShift, false}},
	{"roster_offer_off", "roster_offer_over", rosterOfferOver{"", "The day at the Statehouse", atHome, true}},
	{"roster_offer_yes", "roster_offer_yes", rosterOfferYes{"Rosa", "The day at the Statehouse", aShift, true, "https://act.example.org/cant/" + token}},
	{"roster_offer_yes_bare", "roster_offer_yes", rosterOfferYes{"", "The day at the Statehouse", atHome, false, "https://act.example.org/cant/" + token}},
	{"roster_back", "roster_back", rosterBack{"Nadia", []offerShift{aShift, atHome}, []offerShift{aShift}, []offerShift{atHome}, "https://act.example.org/me"}},
	{"roster_back_bare", "roster_back", rosterBack{"", nil, nil, nil, "https://act.example.org/me"}},
	{"letter_question", "letter_question", letterQuestion{"June", []string{"Senator Ada Quill", "Representative Bo Marsh"}, false, "https://act.example.org/by-hand/" + token}},
	{"letter_question_again", "letter_question", letterQuestion{"", []string{"Senator Ada Quill"}, true, "https://act.example.org/by-hand/" + token}},
	{"letter_retarget", "letter_retarget", letterRetarget{"June", "Senator Ada Quill", "Senator Cy Roe", "https://act.example.org/by-hand/" + token + "/1"}},
	{"letter_retarget_nobody", "letter_retarget", letterRetarget{"", "Senator Ada Quill", "", "https://act.example.org/by-hand/" + token + "/1"}},
	{"letter_reply", "letter_reply", letterReply{"June", "Senator Ada Quill", "Dear Ms. Okafor,\n\nthe Senator will vote <yes>.\n\nHer office", "https://act.example.org/by-hand/" + token}},
	{"roster_confirm", "roster_confirm", rosterConfirm{"Welcome table, lobby", "Help at the big day", "Tuesday 9 March 2027, 09:00 to 10:30", false, 30, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 1}},
	{"roster_confirm_standby", "roster_confirm", rosterConfirm{"Quiet <room>", "Help", "Any time", true, 30, "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 1}},
	{"roster_receipt", "roster_receipt", rosterPlace{
		GivenName: "June", Role: "Welcome table, lobby", Roster: "Help at the big day", When: "Tuesday 9 March 2027, 09:00 to 10:30", Own: "Tuesday 9 March 2027, 15:00 to 16:30", Where: "Statehouse, lobby",
		ContactName: "Rosa", Contact: "555-0142", PlaceURL: "https://act.example.org/places/" + token, CantURL: "https://act.example.org/cant/" + token, NeverURL: "https://act.example.org/cant/" + token + "/never",
		FeedURL: "https://act.example.org/feeds/" + token + ".ics", MeURL: "https://act.example.org/me", Answers: true, Calendar: true,
	}},
	{"roster_receipt_standby", "roster_receipt", rosterPlace{
		Role: "Quiet <room>", Roster: "Help", Standing: true, When: "Any time", PlaceURL: "https://act.example.org/places/" + token, CantURL: "https://act.example.org/cant/" + token,
		NeverURL: "https://act.example.org/cant/" + token + "/never", FeedURL: "https://act.example.org/feeds/" + token + ".ics", MeURL: "https://act.example.org/me",
	}},
	{"roster_reminder", "roster_reminder", rosterPlace{
		GivenName: "June", Role: "Welcome table, lobby", Roster: "Help at the big day", When: "Tuesday 9 March 2027, 09:00 to 10:30", Where: "Statehouse, lobby", Contact: "555-0142",
		PlaceURL: "https://act.example.org/places/" + token, CantURL: "https://act.example.org/cant/" + token,
	}},
	{"roster_let_go", "roster_let_go", rosterLetGo{"Welcome table, lobby", "https://act.example.org/shifts/1"}},
	{"event_confirm", "event_confirm", eventConfirm{"First <Tuesday> circle", "https://act.example.org/confirm/" + token, "act.example.org/confirm", "7Q4MK2", 7}},
	{"event_receipt", "event_receipt", eventComing{"June", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "Tuesday 2 March 2027, 15:30, Los Angeles time", "", "", "https://meet.example.org/room?a=1&b=2", "+1-555-0142\ncode 7", false, true, true, "https://act.example.org/coming/" + token, "https://act.example.org/feeds/" + token + ".ics"}},
	{"event_receipt_place", "event_receipt", eventComing{"June", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "", "Library, 1 Mill Lane, Harrow Bay", "Please ring <twice>.", "", "", false, false, true, "https://act.example.org/coming/" + token, ""}},
	{"event_receipt_waiting", "event_receipt", eventComing{"", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "", "", "", "", "", true, false, false, "https://act.example.org/coming/" + token, ""}},
	{"event_already", "event_already", eventComing{"June", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "", "", "", "https://meet.example.org/room", "", false, false, false, "https://act.example.org/coming/" + token, ""}},
	{"event_reminder", "event_reminder", eventComing{"June", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "", "Library, 1 Mill Lane, Harrow Bay", "", "https://meet.example.org/room", "+1-555-0142", false, false, false, "https://act.example.org/coming/" + token, ""}},
	{"event_offer", "event_offer", eventOffer{"June", "First <Tuesday> circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "Tuesday 2 March 2027, 15:30, Los Angeles time", "Monday 1 March 2027, 21:00, Los Angeles time", "https://act.example.org/coming/" + token}},
	{"event_changed_moved", "event_changed", eventChanged{"June", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "Thursday 4 March 2027, 17:00 to 18:15 (New York time)", "", "The <host> is away on Tuesday.", "https://act.example.org/coming/" + token}},
	{"event_changed_off", "event_changed", eventChanged{"", "First Tuesday circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "", "", "", ""}},
	{"event_changed_back", "event_changed", eventChanged{"June", "First Tuesday circle", "", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "Tuesday 2 March 2027, 15:30, Los Angeles time", "Bring a cup.", "https://act.example.org/coming/" + token}},
	{"event_message", "event_message", eventMessage{"June", "First <Tuesday> circle", "Tuesday 2 March 2027, 18:30 to 19:45 (New York time)", "Tuesday 2 March 2027, 15:30, Los Angeles time", "The lift <is> out of order.\nPlease use the side door.", "https://act.example.org/coming/" + token}},
	{"event_message_off", "event_message", eventMessage{"", "First Tuesday circle", "", "", "Thank you for your patience.", ""}},
	{"event_cancelled", "event_cancelled", eventChanged{"June", "Pain Day", "Tuesday 9 March 2027, 09:00 to 12:00 (New York time)", "", "", "The building is closed <that> day.", ""}},
	{"setup_test", "setup_test", setupTest{"Wennick Chronic Pain Coalition"}},
}

func renderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bulkSample(t testing.TB, r *Renderer, lang string) BulkBody {
	t.Helper()
	styled, err := r.Style(`<h2>The hearing has a date</h2><p>Hello <strong>June</strong>, <a href="https://act.example.org/petitions/twenty-visits?a=1&amp;b=2">read on</a>.</p><blockquote><p>16 March</p></blockquote>`, Accent{})
	if err != nil {
		t.Fatal(err)
	}
	return BulkBody{
		Subject: "The hearing has a date", Preheader: "Two minutes, ten, or none at all.", HTML: styled,
		Text:   "Hello June,\n\nread on: https://act.example.org/petitions/twenty-visits?a=1&b=2\n",
		Reason: "You get this because you said yes to campaign mails on 14 January 2027.", UnsubscribeURL: "https://act.example.org/u/" + token,
		PauseURL: "https://act.example.org/me/" + token, Lang: lang,
	}
}

func TestTemplatesAgainstGolden(t *testing.T) {
	r := renderer(t)
	seen := map[string]bool{}
	for _, lang := range r.Langs() {
		for _, s := range samples {
			seen[s.name] = true
			got, err := r.Render(s.name, lang, letterhead, s.data)
			if err != nil {
				t.Fatalf("%s/%s: %v", lang, s.file, err)
			}
			golden(t, lang, s.file, got)
			checkRendered(t, lang+"/"+s.file, lang, got)
		}
		got, err := r.Bulk(letterhead, bulkSample(t, r, lang))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, lang, "bulk", got)
		checkRendered(t, lang+"/bulk", lang, got)
	}
	for _, name := range r.Names() {
		if !seen[name] {
			t.Errorf("template %s has no sample", name)
		}
	}
	if len(r.Langs()) < 2 {
		t.Errorf("languages: %v", r.Langs())
	}
}

func golden(t *testing.T, lang, name string, got Rendered) {
	t.Helper()
	for ext, s := range map[string]string{
		".txt":  "Subject: " + got.Subject + "\nPreheader: " + got.Preheader + "\n\n" + got.Text,
		".html": got.HTML,
	} {
		file := filepath.Join("testdata", "golden", lang, name+ext)
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(s), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if s != string(want) {
			t.Errorf("%s differs; if that is meant: go test ./mailer -update\n%s", file, s)
		}
	}
}

// unneutral are words that a locked screen must not show.
var unneutral = regexp.MustCompile(`(?i)pain|dolor|health|salud|ill|enferm|patient|pacient|chronic|crónic|sick|visits`)

// checkRendered holds what is true of every mail of ours.
func checkRendered(t *testing.T, name, lang string, m Rendered) {
	t.Helper()
	if m.Subject == "" || utf8.RuneCountInString(m.Subject) > 70 || m.Preheader == "" || strings.ContainsAny(m.Subject+m.Preheader, "\r\n") {
		t.Errorf("%s: subject %q, preheader %q", name, m.Subject, m.Preheader)
	}
	if w := unneutral.FindString(m.Subject + " " + m.Preheader); w != "" {
		t.Errorf("%s: subject or preheader says %q", name, w)
	}
	for line := range strings.SplitSeq(m.Text, "\n") {
		if n := utf8.RuneCountInString(line); n > Columns && strings.ContainsRune(strings.TrimSpace(line), ' ') {
			t.Errorf("%s: a line of %d columns: %q", name, n, line)
		}
	}
	if !strings.Contains(m.Text, "Wennick Coalition, 12 Ferry Street, Harrow Bay. Phone 555-0142.") || !strings.Contains(m.HTML, "Wennick Coalition, 12 Ferry Street, Harrow Bay. Phone 555-0142.") {
		t.Errorf("%s: no imprint", name)
	}
	for _, bad := range []string{"{{", "}}", "kl-", "ZgotmplZ", "pr-el-id", "<no value>", "<script", "<b>bold", "data-premailer", "<img", "src="} {
		if strings.Contains(m.HTML, bad) {
			t.Errorf("%s: HTML holds %q", name, bad)
		}
	}
	for _, bad := range []string{"{{", "<no value>", "&#", "&amp;", "<p", "\n\n\n"} {
		if strings.Contains(m.Text, bad) {
			t.Errorf("%s: text holds %q", name, bad)
		}
	}
	doc, err := html.Parse(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	var classes, styled int
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		var class, style string
		for _, a := range n.Attr {
			switch a.Key {
			case "class":
				class = a.Val
			case "style":
				style = a.Val
			case "href":
				if !strings.Contains(m.Text, a.Val) {
					t.Errorf("%s: the link %s is missing in the text part", name, a.Val)
				}
			case "lang":
				if a.Val != lang {
					t.Errorf("%s: lang=%q", name, a.Val)
				}
			}
		}
		if class != "" {
			classes++
			if style != "" {
				styled++
			}
		}
		if n.Data == "h1" && !strings.Contains(style, "font-size:31px") || n.Data == "a" && !strings.Contains(style, "color:") {
			t.Errorf("%s: <%s> has no style of its own", name, n.Data)
		}
	}
	if classes < 5 || styled != classes {
		t.Errorf("%s: %d of %d classes are inlined", name, styled, classes)
	}
	if strings.Count(m.HTML, "<style") != 1 || !strings.Contains(m.HTML, "@media (prefers-color-scheme: dark)") || !strings.Contains(m.HTML, "background-color: #93cdb7 !important") {
		t.Errorf("%s: the block for dark screens is not whole", name)
	}
}

func TestLanguageFallsBack(t *testing.T) {
	r := renderer(t)
	en, err := r.Render("user_login_link", "en", letterhead, userLoginLink{"https://a.example/x", 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"", "xx", "en-GB", "EN", "../es"} {
		if got, err := r.Render("user_login_link", lang, letterhead, userLoginLink{"https://a.example/x", 1}); err != nil || got != en {
			t.Errorf("%q: %q, %v", lang, got.Subject, err)
		}
	}
	for _, lang := range []string{"es", "es-MX", "es_419", "ES"} {
		if got, err := r.Render("user_login_link", lang, letterhead, userLoginLink{"https://a.example/x", 1}); err != nil || got.Subject == en.Subject {
			t.Errorf("%q: %q, %v", lang, got.Subject, err)
		}
	}
	if !strings.Contains(en.Preheader, "1 minute.") {
		t.Errorf("preheader %q", en.Preheader)
	}
}

func TestRenderRefuses(t *testing.T) {
	r := renderer(t)
	for _, name := range []string{"", "nothing", "bulk", "layout"} {
		if _, err := r.Render(name, "en", letterhead, nil); err == nil {
			t.Errorf("%q: rendered", name)
		}
	}
	if _, err := r.Render("petition_confirm", "en", letterhead, struct{ Other string }{}); err == nil {
		t.Error("data without the fields: rendered")
	}
	if _, err := r.Render("petition_confirm", "en", letterhead, map[string]any{}); err == nil {
		t.Error("an empty map: rendered")
	}
	whole := bulkSample(t, r, "en")
	for what, change := range map[string]func(*BulkBody, *Letterhead){
		"unsubscribe link": func(b *BulkBody, _ *Letterhead) { b.UnsubscribeURL = "" },
		"postal address":   func(_ *BulkBody, l *Letterhead) { l.PostalAddress = " " },
		"text":             func(b *BulkBody, _ *Letterhead) { b.Text = "\n" },
		"HTML":             func(b *BulkBody, _ *Letterhead) { b.HTML = "" },
	} {
		b, l := whole, letterhead
		change(&b, &l)
		if _, err := r.Bulk(l, b); err == nil {
			t.Errorf("no %s: rendered", what)
		}
	}
}

func TestWordsOfOthersAreHarmless(t *testing.T) {
	r := renderer(t)
	for _, name := range []string{
		"Win at https://bad.example", "www.bad.example", "bad.example", "x@bad.example", "<a href=x>", strings.Repeat("long ", 20), "12345", "a\\b",
	} {
		d := samples[0].data.(petitionConfirm)
		d.GivenName, d.SignedAs = name, name
		m, err := r.Render("petition_confirm", "en", letterhead, d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Text, "Hello,\n") || strings.Contains(m.Text+m.HTML, "bad.example") {
			t.Errorf("%q reaches the mail: %.80q", name, m.Text)
		}
	}
	for _, name := range []string{"June", "Mary-Ann O’Hara", "José", "J. R.", "李", "Anne\r\nMarie"} {
		d := samples[0].data.(petitionConfirm)
		d.GivenName = name
		m, err := r.Render("petition_confirm", "en", letterhead, d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Text, "Hello "+clean(name)+",\n") {
			t.Errorf("%q is left out: %.40q", name, m.Text)
		}
	}
	d := samples[0].data.(petitionConfirm)
	d.ConfirmURL = "javascript:alert(1)"
	d.PetitionTitle = `"><script>alert(1)</script>`
	m, err := r.Render("petition_confirm", "en", letterhead, d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML, "javascript:") || strings.Contains(m.HTML, "<script") {
		t.Error("script in the HTML part")
	}
}

func TestAccentColours(t *testing.T) {
	r := renderer(t)
	lh := letterhead
	lh.Accent = Accent{Light: "#7a1f5c", OnLight: "#ffffff", Dark: "#e6a5cf", OnDark: "red;}</style><script>"}
	m, err := r.Render("setup_test", "en", lh, setupTest{"x"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.HTML, "border-top:5px solid #7a1f5c") || !strings.Contains(m.HTML, "background-color: #e6a5cf !important; color: #0f1f19 !important") || strings.Contains(m.HTML, "<script>") {
		t.Error(m.HTML)
	}
	lh.OrgName, lh.PostalAddress, lh.Phone, lh.SiteURL = "", "", "", ""
	if m, err = r.Render("setup_test", "en", lh, setupTest{"x"}); err != nil || strings.Contains(m.HTML, `class="name"`) || !strings.HasSuffix(m.Text, "else will follow.\n") {
		t.Errorf("%v, %q", err, m.Text)
	}
}

func TestStyle(t *testing.T) {
	r := renderer(t)
	got, err := r.Style(`<h2>Hi {{given_name}}</h2><table><tr>{{if .X}}<td><a href="{{.URL}}?a=1&amp;b=2">go</a></td>{{end}}</tr></table>`, Accent{Light: "#7a1f5c"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`font-size:24px`, `Hi {{given_name}}</h2>`, `<tr>{{if .X}}<td>`, `href="{{.URL}}?a=1&amp;b=2"`, `color:#7a1f5c`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if strings.Contains(string(got), "<body") || strings.Contains(string(got), "kl-") {
		t.Error(got)
	}
	for _, bad := range []template.HTML{`kl-accent`, `<!--kl-end-->`, `kl-action-0-`} {
		if _, err := r.Style(bad, Accent{}); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}

func TestWrapText(t *testing.T) {
	link := "https://act.example.org/" + strings.Repeat("x", 90)
	word := strings.TrimSpace(strings.Repeat("word ", 30))
	for in, want := range map[string]string{
		"short\r\n\r\n\r\n\r\nlines  \n": "short\n\nlines\n",
		link:                             link + "\n",
		"see " + link + " now":           "see\n" + link + "\nnow\n",
		word:                             strings.Repeat("word ", 13) + "word\n" + strings.Repeat("word ", 13) + "word\nword word\n",
		"* " + word:                      "* " + strings.Repeat("word ", 13) + "word\n  " + strings.Repeat("word ", 13) + "word\n  word word\n",
		"   " + word:                     "   " + strings.Repeat("word ", 13) + "word\n   " + strings.Repeat("word ", 13) + "word\n   word word\n",
		strings.Repeat("ñ", 72):          strings.Repeat("ñ", 72) + "\n",
		strings.Repeat("ñ", 40) + " " + "ñandú": strings.Repeat("ñ", 40) + " ñandú\n",
		"\n\n": "",
	} {
		if got := wrapText(in); got != want {
			t.Errorf("%q:\n%q, want\n%q", in, got, want)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r := renderer(b)
	for b.Loop() {
		if _, err := r.Render("petition_confirm", "en", letterhead, samples[0].data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewRenderer(b *testing.B) {
	for b.Loop() {
		renderer(b)
	}
}
