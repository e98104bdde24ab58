package me_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/me"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/testapp"
)

// planted has a person in whom every column that goes into a download holds a value that stands nowhere else, and the words
// that it must come out as.
func planted(t *testing.T, a *testapp.App) (box models.Mailbox, want map[string]string) {
	t.Helper()
	now := a.Clock.Now()
	want = map[string]string{}
	n := 0
	word := func(column string) string {
		n++
		want[column] = fmt.Sprintf("canary%03d", n)
		return want[column]
	}
	day := func(column string) time.Time {
		n++
		at := time.Date(2011, 1, 1, 4, 5, 6, 0, time.UTC).AddDate(0, 0, n)
		want[column] = at.Format(time.DateOnly)
		return at
	}
	says := func(column, words string) { want[column] = words }
	create := func(row any) {
		t.Helper()
		if err := a.DB.Create(row).Error; err != nil {
			t.Fatalf("%T: %v", row, err)
		}
	}
	seal := func(table, column string, id uuid.UUID) []byte {
		return a.Vault.Seal(table, column, id, word(table+"."+column))
	}

	chapter := models.Chapter{ID: models.NewID(), Slug: "c", Name: word("supporters.chapter_id"), CreatedAt: now, UpdatedAt: now}
	create(&chapter)
	id := models.NewID()
	s := models.Supporter{
		ID: id, GivenNameSealed: seal("supporters", "given_name_sealed", id), FamilyNameSealed: seal("supporters", "family_name_sealed", id), PhoneSealed: seal("supporters", "phone_sealed", id),
		StreetSealed: seal("supporters", "street_sealed", id), CitySealed: seal("supporters", "city_sealed", id), PostalArea: word("supporters.postal_area"), Region: word("supporters.region"),
		Country: word("supporters.country"), Locale: word("supporters.locale"), TimeZone: word("supporters.time_zone"), Frequency: models.Monthly, ChapterID: &chapter.ID,
		Source: word("supporters.source"), CreatedAt: now, UpdatedAt: now,
	}
	says("supporters.frequency", "monthly")
	create(&s)
	address := "quokka@example.org"
	says("mailboxes.address_sealed", address)
	hash := a.Vault.AddressHash(address)
	paused := day("mailboxes.paused_until")
	box = models.Mailbox{
		ID: models.NewID(), AddressHash: hash, AddressSealed: a.Vault.SealBytes("mailboxes", "address_sealed", hash, []byte(address)), Domain: "example.org", PausedUntil: &paused, SupporterID: &id,
		CreatedAt: now, UpdatedAt: now,
	}
	create(&box)
	phone := models.NewID()
	create(&models.Phone{ID: phone, SupporterID: id, NumberSealed: seal("phones", "number_sealed", phone), NumberHash: []byte("x"), CreatedAt: now})
	tag := models.Tag{ID: models.NewID(), Name: word("taggings.tag_id"), NameKey: "k", CreatedAt: now}
	create(&tag)
	create(&models.Tagging{SupporterID: id, TagID: tag.ID, CreatedAt: now})
	field, private := models.NewID(), models.NewID()
	create(&models.CustomField{ID: field, Name: "f", Label: word("field_values.field_id"), Kind: models.FieldNumber, SeenBy: "owner", CreatedAt: now, UpdatedAt: now})
	create(&models.CustomField{ID: private, Name: "p", Label: "Private", Kind: models.FieldText, Private: true, SeenBy: "owner", CreatedAt: now, UpdatedAt: now})
	number := 123456.25
	says("field_values.number_value", "123456.25")
	create(&models.FieldValue{SupporterID: id, FieldID: field, TextValue: word("field_values.text_value"), NumberValue: &number, UpdatedAt: now})
	create(&models.FieldValue{SupporterID: id, FieldID: private, ValueSealed: a.Vault.SealBytes("field_values", "value_sealed", append(id[:], private[:]...), []byte(word("field_values.value_sealed"))), UpdatedAt: now})
	note := models.NewID()
	create(&models.Note{ID: note, SupporterID: id, BodySealed: seal("notes", "body_sealed", note), CreatedAt: now})
	division := models.Division{ID: models.NewID(), OCDID: "d", Name: word("supporter_divisions.division_id"), CreatedAt: now, UpdatedAt: now}
	division.Kind = models.DivisionKind(word("supporter_divisions.kind"))
	create(&division)
	create(&models.SupporterDivision{SupporterID: id, Kind: division.Kind, DivisionID: division.ID, How: models.ByPoint, UpdatedAt: now})
	says("supporter_divisions.how", "point")

	campaign := models.Campaign{ID: models.NewID(), Slug: "camp", Title: word("consents.scope_id"), State: "published", CreatedAt: now, UpdatedAt: now}
	create(&campaign)
	petition := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "p", State: models.PetitionPublished, Title: "Visits", Locale: "en", Goal: 10, CreatedAt: now, UpdatedAt: now}
	create(&petition)
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: word("consents.text_id"), CreatedAt: now}
	create(&text)
	withdrawn := day("consents.withdrawn_at")
	create(&models.Consent{
		ID: models.NewID(), MailboxID: box.ID, Purpose: models.PurposeUpdates, ScopeID: campaign.ID, TextID: text.ID, Locale: word("consents.locale"), ShownAt: day("consents.shown_at"), GivenAt: day("consents.given_at"),
		Source: word("consents.source"), How: models.ConsentByHand, WithdrawnAt: &withdrawn, WithdrawnHow: word("consents.withdrawn_how"),
	})
	says("consents.purpose", "mails about a campaign")
	says("consents.how", "written down by one of us")
	sig, confirmed := models.NewID(), day("signatures.confirmed_at")
	says("signatures.role_sealed", "It affects me")
	create(&models.Signature{
		ID: sig, PetitionID: petition.ID, MailboxID: box.ID, State: models.SignatureConfirmed, GivenNameSealed: seal("signatures", "given_name_sealed", sig),
		FamilyNameSealed: seal("signatures", "family_name_sealed", sig), PostalArea: word("signatures.postal_area"), Display: models.DisplayName, DisplayName: word("signatures.display_name"),
		RoleSealed: a.Vault.Seal("signatures", "role_sealed", sig, "pain"), CommentSealed: seal("signatures", "comment_sealed", sig), CommentState: models.CommentShown, CommentShown: word("signatures.comment_shown"), Locale: word("signatures.locale"),
		CreatedAt: now, ConfirmedAt: &confirmed, ExpiresAt: now,
	})
	started := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "started", State: models.PetitionDraft, Title: word("petition_starters.petition_id"), Locale: "en", Goal: 10, CreatedAt: now, UpdatedAt: now}
	create(&started)
	starter, proved := models.NewID(), day("petition_starters.confirmed_at")
	create(&models.PetitionStarter{
		ID: starter, PetitionID: started.ID, MailboxID: box.ID, Lead: true, NameSealed: seal("petition_starters", "name_sealed", starter), ShownName: word("petition_starters.shown_name"),
		Locale: word("petition_starters.locale"), CreatedAt: now, ConfirmedAt: &proved,
	})
	form := models.Form{ID: models.NewID(), Slug: "form", Title: word("submissions.form_id"), State: models.FormClosed, Questions: "[]", Consents: "[]", Tags: "[]", CreatedAt: now, UpdatedAt: now}
	create(&form)
	sub, at := models.NewID(), day("submissions.confirmed_at")
	create(&models.Submission{
		ID: sub, FormID: &form.ID, MailboxID: box.ID, State: models.SubmissionConfirmed, AnswersSealed: a.Vault.Seal("submissions", "answers_sealed", sub, `{"`+"f-"+field.String()+`":"`+word("submissions.answers_sealed")+`"}`),
		Consents: `[{"text":"` + word("submissions.consents") + `"}]`, Locale: word("submissions.locale"), Source: word("submissions.source"), CreatedAt: now, ConfirmedAt: &at, ExpiresAt: now,
	})
	sent := day("deliveries.sent_at")
	create(&models.Delivery{
		ID: models.NewID(), Kind: me.KindErase, MailboxID: box.ID, SubjectID: sub, Purpose: models.PurposeReceipt, DedupeKey: "d", State: models.DeliverySent, OnUnknown: models.Park, NotBefore: now,
		CreatedAt: now, UpdatedAt: now, SentAt: &sent,
	})
	says("deliveries.kind", "A link you asked for")
	left := day("series_people.left_at")
	series := models.Series{
		ID: models.NewID(), Name: word("series_people.series_id"), Purpose: models.PurposeNewsletter, Locale: "en", TriggerKind: models.TriggerJoined, State: models.SeriesLive, Revision: 1,
		CreatedAt: now, UpdatedAt: now,
	}
	create(&series)
	create(&models.SeriesPerson{
		ID: models.NewID(), SeriesID: series.ID, SupporterID: id, State: models.SeriesLeft, Reason: models.LeftGoal, Round: 1, DueAt: now, EnteredAt: day("series_people.entered_at"), UpdatedAt: now, LeftAt: &left,
	})
	says("series_people.state", "Left")
	says("series_people.reason", "Reached a goal")
	letters := models.LetterCampaign{ID: models.NewID(), CampaignID: campaign.ID, Slug: "l", State: models.LettersPublished, Title: "Write", Position: models.StanceOther, Locale: "en", CreatedAt: now, UpdatedAt: now}
	in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", CreatedAt: now, UpdatedAt: now}
	body := models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", CreatedAt: now, UpdatedAt: now}
	who := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "1", Name: word("dispatches.legislator_id"), CreatedAt: now, UpdatedAt: now}
	seat := models.Term{ID: models.NewID(), LegislatorID: who.ID, ChamberID: body.ID, CreatedAt: now, UpdatedAt: now}
	for _, row := range []any{&letters, &in, &body, &who, &seat} {
		create(row)
	}
	letter, gone := models.NewID(), day("letters.confirmed_at")
	create(&models.Letter{
		ID: letter, LetterCampaignID: letters.ID, MailboxID: box.ID, State: models.LetterReleased, Locale: word("letters.locale"), GivenNameSealed: seal("letters", "given_name_sealed", letter),
		FamilyNameSealed: seal("letters", "family_name_sealed", letter), StreetSealed: seal("letters", "street_sealed", letter), CitySealed: seal("letters", "city_sealed", letter),
		PhoneSealed: seal("letters", "phone_sealed", letter), PostalArea: word("letters.postal_area"), Region: word("letters.region"), Country: word("letters.country"), Divisions: "[]", Points: "[]",
		SubjectSealed: seal("letters", "subject_sealed", letter), OwnWordsSealed: seal("letters", "own_words_sealed", letter), Chosen: "[]", Consents: "[]", CreatedAt: now, UpdatedAt: now,
		ConfirmedAt: &gone, ExpiresAt: now,
	})
	dispatch, reply := models.NewID(), models.NewID()
	create(&models.Dispatch{
		ID: dispatch, LetterID: letter, LetterCampaignID: letters.ID, MailboxID: box.ID, LegislatorID: who.ID, TermID: seat.ID, State: models.DispatchAnswered, Channel: models.ByPrint,
		SubjectSealed: seal("dispatches", "subject_sealed", dispatch), TextSealed: seal("dispatches", "text_sealed", dispatch), DueAt: now, Answer: "unclear", CreatedAt: now, UpdatedAt: now,
	})
	says("dispatches.answer", "not clear")
	create(&models.LetterReply{
		ID: reply, DispatchID: dispatch, MailboxID: box.ID, BodySealed: seal("letter_replies", "body_sealed", reply), Kind: "reply", Kept: true, ReceivedAt: day("letter_replies.received_at"),
	})
	helper, rest := models.NewID(), day("volunteers.paused_until")
	create(&models.Volunteer{
		ID: helper, MailboxID: box.ID, State: models.VolunteerPaused, GivenNameSealed: seal("volunteers", "given_name_sealed", helper), FamilyNameSealed: seal("volunteers", "family_name_sealed", helper),
		PhoneSealed: seal("volunteers", "phone_sealed", helper), NoteSealed: seal("volunteers", "note_sealed", helper), RemarkSealed: seal("volunteers", "remark_sealed", helper),
		Likes: word("volunteers.likes"), Skills: word("volunteers.skills"), Languages: word("volunteers.languages"), Trainings: word("volunteers.trainings"), Hours: word("volunteers.hours"),
		Modes: word("volunteers.modes"), PostalArea: word("volunteers.postal_area"), Region: word("volunteers.region"), Country: word("volunteers.country"), Locale: word("volunteers.locale"),
		TimeZone: word("volunteers.time_zone"), AskBy: models.AskByPhone, AskFrom: 541, AskUntil: 1187, PausedUntil: &rest, Source: word("volunteers.source"), CreatedAt: day("volunteers.created_at"), UpdatedAt: now,
	})
	says("volunteers.state", "not to be asked now")
	says("volunteers.ask_by", "By phone")
	says("volunteers.ask_from", "541")
	says("volunteers.ask_until", "1187")
	step := models.OnboardingStep{ID: models.NewID(), Name: word("onboarding_marks.step_id"), CreatedAt: now, UpdatedAt: now}
	create(&step)
	create(&models.OnboardingMark{MailboxID: box.ID, StepID: step.ID, DoneAt: day("onboarding_marks.done_at")})
	create(&models.Pacing{MailboxID: box.ID, SettingsSealed: seal("pacings", "settings_sealed", box.ID), UpdatedAt: now})
	hours := models.NewID()
	create(&models.Certificate{
		ID: hours, MailboxID: box.ID, Role: word("certificates.role"), DoneOn: word("certificates.done_on"), Minutes: 1337, NameSealed: seal("certificates", "name_sealed", hours),
		State: models.CertificateRefused, CreatedAt: day("certificates.created_at"),
	})
	says("certificates.minutes", "1337")
	says("certificates.state", "not confirmed")
	roster := models.Roster{ID: models.NewID(), Slug: "r", State: models.RosterPublished, Title: "Help", Locale: "en", TimeZone: "UTC", CreatedAt: now, UpdatedAt: now}
	create(&roster)
	for _, table := range []string{"assignments", "offers"} {
		sh := models.Shift{ID: models.NewID(), RosterID: roster.ID, Role: word(table + ".shift_id"), Kind: models.ShiftTask, Mode: models.ShiftHome, Energy: 1, CreatedAt: now, UpdatedAt: now}
		create(&sh)
		if table == "offers" {
			create(&models.Offer{ID: models.NewID(), ShiftID: sh.ID, MailboxID: box.ID, State: models.OfferFilled, ByWhat: models.AskByPhone, ExpiresAt: day("offers.expires_at"), CreatedAt: day("offers.created_at")})
			continue
		}
		id, at, from := models.NewID(), day("assignments.starts_at"), 1277
		create(&models.Assignment{
			ID: id, ShiftID: sh.ID, MailboxID: box.ID, AsWhat: models.AsUnderstudy, State: models.AssignmentHeld, GivenNameSealed: seal(table, "given_name_sealed", id),
			FamilyNameSealed: seal(table, "family_name_sealed", id), PhoneSealed: seal(table, "phone_sealed", id), Locale: word("assignments.locale"), TimeZone: word("assignments.time_zone"), StartsAt: &at,
			AskBy: models.AskByPhone, AskFrom: &from, Source: word("assignments.source"), CreatedAt: day("assignments.created_at"), UpdatedAt: now,
		})
	}
	says("assignments.as_what", "Learn it and be asked first")
	says("assignments.state", "you stand by")
	says("assignments.ask_by", "By phone")
	says("assignments.ask_from", "1277")
	says("offers.state", "not needed any more")
	says("offers.by_what", "By phone")
	comes, signed := models.NewID(), day("registrations.created_at")
	event := models.Event{
		ID: models.NewID(), Slug: "e", State: models.EventPublished, Kind: models.EventSocial, Title: word("registrations.event_id"), Locale: "en", TimeZone: "UTC", StartsOn: "2027-03-02T18:30", Minutes: 60,
		Venue: models.VenueOnline, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	create(&event)
	create(&models.Registration{
		ID: comes, EventID: event.ID, OccursAt: day("registrations.occurs_at"), MailboxID: box.ID, State: models.RegistrationOffered, Attends: models.AttendsPhone,
		GivenNameSealed: seal("registrations", "given_name_sealed", comes), FamilyNameSealed: seal("registrations", "family_name_sealed", comes), NeedsSealed: seal("registrations", "needs_sealed", comes),
		ShareNeeds: true, Series: true, Locale: word("registrations.locale"), TimeZone: word("registrations.time_zone"), Source: word("registrations.source"), CreatedAt: signed, UpdatedAt: now,
	})
	says("registrations.state", "a place is kept")
	says("registrations.attends", "By phone")
	says("registrations.share_needs", "true")
	says("registrations.series", "true")
	user, last := models.NewID(), day("users.last_login_at")
	create(&models.User{ID: user, MailboxID: box.ID, NameSealed: seal("users", "name_sealed", user), Role: "advocate", Locale: word("users.locale"), LastLoginAt: &last, CreatedAt: now, UpdatedAt: now})
	says("users.role", "advocate")
	return box, want
}

// Every column that the register marks for the download is in it, opened and in words; nothing of anybody else is.
func TestDownloadIsComplete(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		box, want := planted(t, a)
		d, err := a.Me.Download(t.Context(), a.Signer.Make(tokens.Download, box.ID, a.Clock.Now().Add(time.Hour)), "en")
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct{ Data map[string][]map[string]any }
		if err := json.Unmarshal(b, &parsed); err != nil {
			t.Fatal(err)
		}
		asked := map[string]string{}
		content, err := d.ZIP(func(key string, args ...any) string {
			w := a.Me.Say("en", key, args...)
			asked[key] = w
			return w
		})
		if err != nil {
			t.Fatal(err)
		}
		files := unzipped(t, content)
		for key, w := range asked {
			if w == key || w == "" {
				t.Errorf("no words for %s", key)
			}
			if es := a.Me.Say("es", key, "Name", "", "Address", "", "Date", ""); es == key || es == "" {
				t.Errorf("no Spanish words for %s", key)
			}
		}
		for _, p := range models.PersonalColumns {
			name := p.Table + "." + p.Column
			if !p.Download {
				continue
			}
			w, ok := want[name]
			if !ok {
				t.Errorf("%s is new: plant a canary for it, and give it words", name)
				continue
			}
			found := false
			for _, row := range parsed.Data[p.Table] {
				v, there := row[strings.TrimSuffix(p.Column, "_sealed")]
				found = found || there && strings.Contains(fmt.Sprint(v), w)
			}
			if !found {
				t.Errorf("%s: %q is not in the JSON: %v", name, w, parsed.Data[p.Table])
			}
			if !strings.Contains(files[p.Table+".csv"], w) {
				t.Errorf("%s: %q is not in the table: %s", name, w, files[p.Table+".csv"])
			}
		}
		for name, text := range files {
			if strings.HasSuffix(name, ".csv") {
				rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
				if err != nil || len(rows) < 2 {
					t.Errorf("%s: %d lines, %v", name, len(rows), err)
				}
			}
			if strings.Contains(text, "Ilse") || strings.Contains(text, testapp.OwnerEmail) {
				t.Errorf("%s has somebody else in it", name)
			}
		}
		if answers := fmt.Sprint(parsed.Data["submissions"][0]["answers"]); !strings.Contains(answers, want["field_values.field_id"]) {
			t.Errorf("the question of an answer is an id: %s", answers)
		}
		var n int64
		if err := a.DB.Model(&models.AuditEntry{}).Where("action = 'person.download' AND actor_id = ?", box.ID).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d entries, %v", n, err)
		}

		// Somebody without a record gets what there is.
		other := models.Mailbox{ID: models.NewID(), AddressHash: []byte("y"), AddressSealed: a.Vault.SealBytes("mailboxes", "address_sealed", []byte("y"), []byte("cal@example.org")), CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
		if err := a.DB.Create(&other).Error; err != nil {
			t.Fatal(err)
		}
		little, err := a.Me.Download(t.Context(), a.Signer.Make(tokens.Download, other.ID, a.Clock.Now().Add(time.Hour)), "es")
		if err != nil || len(little.Parts) != 1 || little.Parts[0].Table != "mailboxes" {
			t.Errorf("%+v, %v", little, err)
		}
	})
}

// What a spreadsheet would run as a formula is text; numbers stay numbers.
func TestTablesAreHarmless(t *testing.T) {
	d := me.Data{MadeAt: time.Unix(0, 0), Parts: []me.Part{{Table: "phones", Columns: []string{"number_sealed"}, Rows: [][]any{
		{"=1+1"}, {"@sum"}, {"-2+3"}, {"\tx"}, {"+12024561111"}, {"-7.5"}, {"plain"}, {true}, {1.5},
	}}}}
	b, err := d.ZIP(func(key string, _ ...any) string { return key })
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(unzipped(t, b)["phones.csv"], "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[0])
	}
	if s := strings.Join(got, "|"); s != "'=1+1|'@sum|'-2+3|'\tx|+12024561111|-7.5|plain|true|1.5" {
		t.Errorf("%q", s)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{"june@example.org": "j…@example.org", "é@b.example": "é…@b.example", "": "", "nonsense": ""} {
		if got := me.Mask(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func unzipped(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(content)
	}
	return out
}
