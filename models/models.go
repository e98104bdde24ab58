// Package models holds the rows of the database, one file per family: plain GORM structs with enums and small pure
// methods, no hooks and no JSON tags. The schema itself is in models/migrations; tests/drift holds both together.
//
// Columns that end in _sealed hold what campaigns/vault sealed for that table, column and row. Which columns are personal,
// who owns them and what erasure does to them is registered in personal.go.
package models

import (
	"github.com/google/uuid"
)

// NewID makes the id of a new row: a UUIDv7 (RFC 9562), made by the application so that a batch can be run again and a
// sealed value knows its row before it is written.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// All lists a zero value of every row type, for the test that holds the structs and the schema together.
func All() []any {
	return []any{
		&Organisation{}, &SiteText{}, &VaultCheck{}, &SealingKey{}, &AuditEntry{},
		&Mailbox{}, &Supporter{}, &Consent{}, &ConsentText{},
		&User{}, &Session{}, &Invitation{}, &LoginLink{}, &LoginFailure{},
		&Campaign{}, &Petition{}, &Signature{}, &Post{},
		&Mailing{}, &MailingText{}, &MailingRevision{}, &MailTemplate{}, &MailPicture{}, &Delivery{}, &MailRate{}, &MailNode{}, &File{}, &Import{},
		&Chapter{}, &Phone{}, &Tag{}, &Tagging{}, &CustomField{}, &FieldValue{}, &Note{}, &Duplicate{}, &Merge{},
		&Division{}, &PostalDivision{}, &Boundary{}, &SupporterDivision{},
		&Topic{}, &Partner{}, &Form{}, &Submission{}, &Segment{}, &SegmentMember{}, &Export{}, &Erasure{}, &RecoveryCode{},
		&PetitionStarter{}, &PetitionText{}, &PetitionClaim{}, &PetitionEdit{}, &PetitionTally{}, &PetitionThreshold{}, &PaperCount{},
		&MailingSegment{}, &MailingTopic{}, &MailingLink{}, &MailingClick{}, &Unsubscribe{},
		&SigningWindow{}, &AbuseRule{}, &Invalidation{}, &Handover{}, &PetitionPack{}, &PetitionDigest{},
		&MailKey{}, &DomainCheck{}, &SendingLimits{},
		&Series{}, &SeriesStep{}, &SeriesText{}, &SeriesExit{}, &SeriesPerson{},
		&InboundReport{}, &DomainTrouble{}, &InboundSource{}, &SuppressionChange{},
		&Jurisdiction{}, &Chamber{}, &Legislator{}, &Term{}, &Office{}, &Channel{}, &Committee{}, &CommitteeMember{}, &LegislatorImport{}, &LegislatorChange{},
		&LetterCampaign{}, &LetterText{}, &LetterTarget{}, &LetterPoint{}, &Letter{}, &LetterSketch{}, &Dispatch{}, &LetterPace{}, &LetterReply{}, &Position{}, &AdvocacyEntry{},
		&Event{}, &EventDate{}, &Registration{}, &EventMessage{},
		&Volunteer{}, &OnboardingStep{}, &OnboardingMark{}, &Pacing{}, &Roster{}, &Team{}, &Shift{}, &Assignment{}, &Offer{}, &Cover{}, &ShiftEvent{}, &ShiftMark{}, &RosterMessage{}, &Certificate{},
		&MeetingPlan{}, &Meeting{}, &MeetingAsk{},
	}
}
