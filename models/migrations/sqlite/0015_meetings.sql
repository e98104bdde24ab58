-- +goose Up
-- Meetings with offices on an advocacy day: what they have in common, each of them, and what was asked and answered.

CREATE TABLE meeting_plans (
    roster_id text PRIMARY KEY REFERENCES rosters (id),
    letter_campaign_id text REFERENCES letter_campaigns (id),
    asks text NOT NULL,
    points text NOT NULL,
    roles text NOT NULL,
    minutes integer NOT NULL,
    block_minutes integer NOT NULL,
    break_minutes integer NOT NULL,
    logged_at datetime,
    sent_at datetime,
    revision integer NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE meetings (
    id text PRIMARY KEY,
    roster_id text NOT NULL REFERENCES rosters (id),
    team_id text NOT NULL UNIQUE,
    legislator_id text NOT NULL REFERENCES legislators (id),
    office_id text REFERENCES offices (id),
    state text NOT NULL CHECK (state IN ('planned', 'held', 'cancelled')),
    starts_at datetime NOT NULL,
    minutes integer NOT NULL,
    mode text NOT NULL CHECK (mode IN ('onsite', 'video', 'phone')),
    place text NOT NULL,
    join_sealed blob,
    access_sealed blob,
    late_minutes integer NOT NULL,
    notes_sealed blob,
    follow_up_sealed blob,
    follow_up_until text NOT NULL,
    followed_up_at datetime,
    noted_at datetime,
    thanks_shift_id text,
    thanked_at datetime,
    created_by text,
    revision integer NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX meetings_by_roster ON meetings (roster_id, starts_at);
CREATE INDEX meetings_by_legislator ON meetings (legislator_id);

CREATE TABLE meeting_asks (
    id text PRIMARY KEY,
    meeting_id text NOT NULL REFERENCES meetings (id),
    position integer NOT NULL,
    ask text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('', 'yes', 'maybe', 'no', 'unknown')),
    UNIQUE (meeting_id, position)
);

ALTER TABLE positions ADD COLUMN meeting_id text REFERENCES meetings (id);
CREATE INDEX positions_by_meeting ON positions (meeting_id);
CREATE INDEX positions_by_legislator ON positions (legislator_id, said_on);
