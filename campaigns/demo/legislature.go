package demo

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"kithline/campaigns/legislators"
	"kithline/models"
)

// The seats of the invented legislature that are not like the others: a vacant one, a district with two members, members who are reached by
// a form on the web alone, and one by telephone alone.
const (
	vacantHouse  = 37
	twoInHouse   = 29
	formHouse    = 14
	formSenate   = 8
	byPhoneHouse = 52
)

// legislature makes the list of who sits in both chambers, as a CSV. from is the first day of their terms.
func (w World) legislature(from time.Time) (string, error) {
	rnd := rand.New(rand.NewPCG(w.Seed, 60)) // apart from who signs
	given, family := slices.Clone(w.names.Given), slices.Clone(w.names.Family)
	rnd.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
	rnd.Shuffle(len(family), func(i, j int) { family[i], family[j] = family[j], family[i] })
	through := from.AddDate(2, 0, -1)
	var b strings.Builder
	out := csv.NewWriter(&b)
	line := func(values ...string) error { return out.Write(values) }
	err := line("id", "given_name", "family_name", "jurisdiction", "jurisdiction_name", "country", "region", "chamber", "chamber_name", "title", "division", "district", "party",
		"start", "end", "email", "web_form", "phone", "street", "city", "office_region", "postal_code", "hours", "committees")
	seats := 0
	add := func(chamber, name, title string, kind models.DivisionKind, n int, committees string) {
		first, last := given[seats%len(given)], family[seats%len(family)]
		seats++
		id := fmt.Sprintf("%s-%d-%d", chamber, n, seats)
		mail := fmt.Sprintf("%s.%d.%d@statehouse.example.org", chamber, n, seats)
		party := []string{"Harbor", "Uplands"}[rnd.IntN(2)]
		if rnd.IntN(20) == 0 {
			party = "Independent"
		}
		form, phone, street, city, region, post := "", fmt.Sprintf("555-0%03d", 300+seats), fmt.Sprintf("1 Statehouse Green, Room %d", 100+n), "Harrow Bay", "WN", "00001"
		switch {
		case chamber == "house" && n == formHouse, chamber == "senate" && n == formSenate:
			mail, form, phone = "", fmt.Sprintf("https://statehouse.example.org/%s/%d/write", chamber, n), ""
			street, city, region, post = "", "", "", ""
		case chamber == "house" && n == byPhoneHouse:
			mail, street, city, region, post = "", "", "", "", ""
		}
		err = errors.Join(err, line(id, first, last, "xw-wn", "Wennick", "XW", "WN", chamber, name, title, fmt.Sprintf("%s/%s:%d", w.joining.State, kind, n), strconv.Itoa(n), party,
			from.Format(time.DateOnly), through.Format(time.DateOnly), mail, form, phone, street, city, region, post, "Monday to Friday, 9 to 5", committees))
	}
	for n := 1; n <= houses; n++ {
		if n == vacantHouse {
			continue
		}
		members := 1
		if n == twoInHouse {
			members = 2
		}
		for range members {
			committees := ""
			switch {
			case n == 31:
				committees = "Health (Chair)"
			case n%7 == 3:
				committees = "Health"
			case n%7 == 5:
				committees = "Insurance"
			}
			add("house", "Wennick House of Representatives", "Representative", models.DivisionLower, n, committees)
		}
	}
	for n := 1; n <= senates; n++ {
		committees := ""
		if n%4 == 1 {
			committees = "Finance"
		}
		add("senate", "Wennick Senate", "Senator", models.DivisionUpper, n, committees)
	}
	out.Flush()
	return b.String(), errors.Join(err, out.Error())
}

// session is the first day of the term of the legislature that sits at a time: it is elected every second year.
func session(at time.Time) time.Time {
	y := at.Year()
	if y%2 == 0 {
		y--
	}
	first := time.Date(y, time.January, 8, 0, 0, 0, 0, time.UTC)
	if first.After(at) {
		first = first.AddDate(-2, 0, 0)
	}
	return first
}

func (b *builder) importLegislature(ctx context.Context) error {
	list, err := b.w.legislature(session(b.now))
	if err != nil {
		return err
	}
	src, err := legislators.OpenText("wennick-legislature.csv", list)
	if err != nil {
		return err
	}
	_, err = b.Legislators.Import(ctx, b.actors[ilse], src, legislators.ImportOptions{Kind: models.SourceCSV, Version: "Wennick Statehouse (invented)"})
	return errors.Join(err, src.Close())
}
