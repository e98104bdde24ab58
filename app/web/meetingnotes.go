package web

import (
	"kithline/campaigns/meetings"
	"kithline/models"
)

// MeetingNotes is the form of what came of a meeting, for the team and for organizers.
type MeetingNotes struct {
	Ask1          string `form:"ask_1,max=10"`
	Ask2          string `form:"ask_2,max=10"`
	Ask3          string `form:"ask_3,max=10"`
	Ask4          string `form:"ask_4,max=10"`
	Text          string `form:"notes,max=4000,lines"`
	FollowUp      string `form:"follow_up,max=500,lines"`
	FollowUpUntil string `form:"follow_up_until,max=20"`
	Revision      int    `form:"revision"`
}

func (f *MeetingNotes) asks() []*string { return []*string{&f.Ask1, &f.Ask2, &f.Ask3, &f.Ask4} }

// MeetingNotesOf is what is kept, as the form has it.
func MeetingNotesOf(n meetings.Notes) MeetingNotes {
	f := MeetingNotes{Text: n.Text, FollowUp: n.FollowUp, FollowUpUntil: n.FollowUpUntil, Revision: n.Revision}
	for i, at := range f.asks() {
		*at = string(n.Outcomes[i+1])
	}
	return f
}

// Input is what was typed.
func (f *MeetingNotes) Input() meetings.Notes {
	n := meetings.Notes{Outcomes: map[int]models.AskOutcome{}, Text: f.Text, FollowUp: f.FollowUp, FollowUpUntil: f.FollowUpUntil, Revision: f.Revision}
	for i, at := range f.asks() {
		n.Outcomes[i+1] = models.AskOutcome(*at)
	}
	return n
}

// Answer is what was chosen for the ask at a position.
func (f *MeetingNotes) Answer(position int) string {
	if asks := f.asks(); position >= 1 && position <= len(asks) {
		return *asks[position-1]
	}
	return ""
}
