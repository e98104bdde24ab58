package demo

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

//go:embed world
var sample embed.FS

// World is what Build makes: how large, and the story behind it. Sample returns the one that the demo shows.
type World struct {
	Signatures int    // confirmed ones of the petition that is public
	Pending    int    // that wait for their confirmation
	Seed       uint64 // who signs, when and how

	story    story
	joining  joining
	letters  lettered
	rosters  rostered
	names    names
	comments []comment
	list     string // CSV
}

// fewest is how many signatures a world must have to hold its comments.
const fewest = 150

// Sample is the world of the demo. Tests make Signatures smaller.
func Sample() (World, error) {
	w := World{Signatures: 3184, Pending: 46, Seed: 412}
	for name, into := range map[string]any{"coalition.json": &w.story, "joining.json": &w.joining, "letters.json": &w.letters, "rosters.json": &w.rosters, "names.json": &w.names, "comments.json": &w.comments} {
		b, err := sample.ReadFile("world/" + name)
		if err != nil {
			return w, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return w, fmt.Errorf("demo: %s: %w", name, err)
		}
	}
	b, err := sample.ReadFile("world/supporters.csv")
	w.list = string(b)
	return w, err
}

// story is the part of world/coalition.json that is made so far; rosters, letters and events wait there for their time.
type story struct {
	SupportGroups []supportGroup `json:"support_groups"`
	AdvocacyDay   advocacyDay    `json:"advocacy_day"`

	Organisation struct {
		Name          string   `json:"name"`
		ShortName     string   `json:"short_name"`
		LegalName     string   `json:"legal_name"`
		PostalAddress string   `json:"postal_address"`
		Phone         string   `json:"phone"`
		FromName      string   `json:"from_name"`
		FromAddress   string   `json:"from_address"`
		ReplyTo       string   `json:"reply_to"`
		TimeZone      string   `json:"time_zone"`
		Languages     []string `json:"languages"`
		Accent        string   `json:"accent"`
		CrisisLine    string   `json:"crisis_line"` // 988 is the US Suicide & Crisis Lifeline, see 988lifeline.org
		MinimumAge    string   `json:"minimum_age"`
	} `json:"organisation"`
	Chapters []struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
		From string `json:"from"` // postal codes
		To   string `json:"to"`
	} `json:"chapters"`
	People []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"people"`
	Accounts []struct {
		Person  string `json:"person"`
		Email   string `json:"email"`
		Role    string `json:"role"`
		Chapter string `json:"chapter"`
		Locale  string `json:"locale"`
	} `json:"accounts"`
	Invitation struct {
		Email string `json:"email"`
		Role  string `json:"role"`
	} `json:"invitation"`
	Petition struct {
		LaunchedBy string `json:"launched_by"`
		text
	} `json:"petition"`
	Petitions []struct {
		Author  string `json:"author"` // "" for a Starter
		State   string `json:"state"`
		DaysAgo int    `json:"days_ago"`
		Reason  string `json:"reason"`
		Text    string `json:"text"`
		// Starter began it without an account.
		Starter struct {
			Name  string `json:"name"`
			Email string `json:"email"`
		} `json:"starter"`
		Fact struct {
			Says   string `json:"says"`
			Source string `json:"source"`
			URL    string `json:"url"`
		} `json:"fact"`
		text
	} `json:"petitions"`
	Updates []struct {
		Day    int    `json:"day"`
		Author string `json:"author"`
		Title  string `json:"title"`
		Body   string `json:"body"`
	} `json:"updates"`
	Mailings []struct {
		Day       int    `json:"day"`
		Author    string `json:"author"`
		Send      bool   `json:"send"`
		Subject   string `json:"subject"`
		Preheader string `json:"preheader"`
		Body      string `json:"body"`
	} `json:"mailings"`
	Sources []struct {
		Code  string `json:"code"`
		Share int    `json:"share"`
	} `json:"sources"`
	Import struct {
		Day    int    `json:"day"`
		Words  string `json:"words"`
		Source string `json:"source"`
	} `json:"import"`
	ConsentWords map[string]string `json:"consent_words"`
}

// joining is world/joining.json: where people live, what they are asked, who joins, and what the coalition makes of it.
type joining struct {
	State            string `json:"state"` // Open Civic Data id
	DivisionsVersion string `json:"divisions_version"`
	Houses           []struct {
		From  int `json:"from"` // postal codes, spread evenly over districts
		To    int `json:"to"`
		First int `json:"first"`
		Last  int `json:"last"`
	} `json:"houses"`
	Topics []struct {
		Name  string `json:"name"`
		About string `json:"about"`
	} `json:"topics"`
	Partner struct {
		Name    string `json:"name"`
		Website string `json:"website"`
	} `json:"partner"`
	Fields []struct {
		Name    string   `json:"name"`
		Label   string   `json:"label"`
		Kind    string   `json:"kind"`
		Choices []string `json:"choices"`
		Private bool     `json:"private"`
		SeenBy  string   `json:"seen_by"`
	} `json:"fields"`
	Form struct {
		Author    string   `json:"author"`
		Day       int      `json:"day"`
		Title     string   `json:"title"`
		Intro     string   `json:"intro"`
		Thanks    string   `json:"thanks"`
		Questions []string `json:"questions"` // with ! behind what must be answered
		Asks      []string `json:"asks"`
		Tags      []string `json:"tags"`
	} `json:"form"`
	People  []joiner `json:"people"`
	Records []struct {
		Email  string   `json:"email"`
		Author string   `json:"author"`
		Day    int      `json:"day"`
		Tags   []string `json:"tags"`
		Note   string   `json:"note"`
	} `json:"records"`
	Segments []segmented `json:"segments"`
	Draft    struct {
		Author    string `json:"author"`
		Day       int    `json:"day"`
		Segment   string `json:"segment"`
		Subject   string `json:"subject"`
		Preheader string `json:"preheader"`
		Body      string `json:"body"`
	} `json:"draft"`
}

// text is what a petition says. Its dates stand in braces, see dates.
type text struct {
	Title        string `json:"title"`
	Summary      string `json:"summary"`
	Body         string `json:"body"`
	Decider      string `json:"decider"`
	WhyNow       string `json:"why_now"`
	SystemChange string `json:"system_change"`
	Place        string `json:"place"`
	Goal         int    `json:"goal"`
	Locale       string `json:"locale"`
}

// names are what people are called. Private family names belong to signers who do not show them, and to nobody else: a test
// looks for them in the stored bytes.
type names struct {
	Given   []string `json:"given"`
	Family  []string `json:"family"`
	Private []string `json:"private_family"`
}

// comment is a signer's own words, and what the coalition did with them: shown, hidden, or waiting to be read.
type comment struct {
	Text   string `json:"text"`
	Locale string `json:"locale"`
	State  string `json:"state"`
}

// dates are the days that the story speaks of. They lie ahead of the end of the world, whenever that is.
type dates struct{ now, hearing, handover, voteBy, agreed time.Time }

// datesFrom finds the hearing, a Tuesday three to four weeks ahead, and what hangs on it.
func datesFrom(now, start time.Time) dates {
	d := now.AddDate(0, 0, 21)
	for d.Weekday() != time.Tuesday {
		d = d.AddDate(0, 0, 1)
	}
	return dates{now: now, hearing: d, handover: d.AddDate(0, 0, -7), voteBy: d.AddDate(0, 0, 15), agreed: start.AddDate(0, 0, 9)}
}

// put writes the dates into a text.
func (d dates) put(s string) string {
	long := "Monday 2 January"
	return strings.NewReplacer(
		"{hearing}", d.hearing.Format(long), "{handover}", d.handover.Format(long), "{vote_by}", d.voteBy.Format("2 January"), "{agreed}", d.agreed.Format(time.DateOnly),
	).Replace(s)
}
