-- +goose Up
-- Meetings with offices on an advocacy day: what they have in common, each of them, and what was asked and answered.

CREATE TABLE meeting_plans (
    roster_id uuid PRIMARY KEY REFERENCES rosters (id),
    letter_campaign_id uuid REFERENCES letter_campaigns (id),
    asks text NOT NULL,
    points text NOT NULL,
    roles text NOT NULL,
    minutes integer NOT NULL,
    block_minutes integer NOT NULL,
    break_minutes integer NOT NULL,
    logged_at timestamptz,
    sent_at timestamptz,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE meetings (
    id uuid PRIMARY KEY,
    roster_id uuid NOT NULL REFERENCES rosters (id),
    team_id uuid NOT NULL UNIQUE,
    legislator_id uuid NOT NULL REFERENCES legislators (id),
    office_id uuid REFERENCES offices (id),
    state text NOT NULL CHECK (state IN ('planned', 'held', 'cancelled')),
    starts_at timestamptz NOT NULL,
    minutes integer NOT NULL,
    mode text NOT NULL CHECK (mode IN ('onsite', 'video', 'phone')),
    place text NOT NULL,
    join_sealed bytea,
    access_sealed bytea,
    late_minutes integer NOT NULL,
    notes_sealed bytea,
    follow_up_sealed bytea,
    follow_up_until text NOT NULL,
    followed_up_at timestamptz,
    noted_at timestamptz,
    thanks_shift_id uuid,
    thanked_at timestamptz,
    created_by uuid,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meetings_by_roster ON meetings (roster_id, starts_at);
CREATE INDEX meetings_by_legislator ON meetings (legislator_id);

CREATE TABLE meeting_asks (
    id uuid PRIMARY KEY,
    meeting_id uuid NOT NULL REFERENCES meetings (id),
    position integer NOT NULL,
    ask text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('', 'yes', 'maybe', 'no', 'unknown')),
    UNIQUE (meeting_id, position)
);

ALTER TABLE positions ADD COLUMN meeting_id uuid REFERENCES meetings (id);
CREATE INDEX positions_by_meeting ON positions (meeting_id);
CREATE INDEX positions_by_legislator ON positions (legislator_id, said_on);
