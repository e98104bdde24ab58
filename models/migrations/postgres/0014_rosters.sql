-- +goose Up
-- Volunteers and rosters: who offers time, places to take, who holds or stands by for them, and the search for cover.

CREATE TABLE volunteers (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'active', 'paused')),
    given_name_sealed bytea,
    family_name_sealed bytea,
    phone_sealed bytea,
    note_sealed bytea,
    remark_sealed bytea,
    likes text NOT NULL,
    skills text NOT NULL,
    languages text NOT NULL,
    trainings text NOT NULL,
    hours text NOT NULL,
    modes text NOT NULL,
    postal_area text NOT NULL,
    region text NOT NULL,
    country text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    ask_by text NOT NULL CHECK (ask_by IN ('', 'mail', 'phone')),
    ask_from integer NOT NULL,
    ask_until integer NOT NULL,
    asked_at timestamptz,
    paused_until timestamptz,
    consent_text_id uuid,
    phone_text_id uuid,
    source text NOT NULL,
    client_hash bytea,
    code_tries integer NOT NULL,
    welcomed_at timestamptz,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX volunteers_by_state ON volunteers (state, asked_at);
CREATE UNIQUE INDEX volunteers_by_mailbox ON volunteers (mailbox_id) WHERE state <> 'pending';
CREATE INDEX volunteers_waiting ON volunteers (mailbox_id, expires_at) WHERE state = 'pending';
CREATE INDEX volunteers_new ON volunteers (created_at, id) WHERE state <> 'pending';

CREATE TABLE onboarding_steps (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    about text NOT NULL,
    position integer NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE onboarding_marks (
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    step_id uuid NOT NULL REFERENCES onboarding_steps (id),
    done_at timestamptz NOT NULL,
    done_by uuid,
    PRIMARY KEY (mailbox_id, step_id)
);

CREATE TABLE pacings (
    mailbox_id uuid PRIMARY KEY REFERENCES mailboxes (id),
    settings_sealed bytea,
    updated_at timestamptz NOT NULL
);

CREATE TABLE rosters (
    id uuid PRIMARY KEY,
    campaign_id uuid REFERENCES campaigns (id),
    chapter_id uuid REFERENCES chapters (id),
    event_id uuid REFERENCES events (id),
    slug text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'closed')),
    template boolean NOT NULL,
    copied_from uuid,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    contact_name text NOT NULL,
    contact_phone text NOT NULL,
    opens_at timestamptz,
    created_by uuid,
    revision integer NOT NULL,
    published_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX rosters_by_state ON rosters (state, created_at);

CREATE TABLE teams (
    id uuid PRIMARY KEY,
    roster_id uuid NOT NULL REFERENCES rosters (id),
    name text NOT NULL,
    place text NOT NULL,
    position integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX teams_by_roster ON teams (roster_id, position);

CREATE TABLE shifts (
    id uuid PRIMARY KEY,
    roster_id uuid NOT NULL REFERENCES rosters (id),
    team_id uuid REFERENCES teams (id),
    role text NOT NULL,
    role_kind text NOT NULL CHECK (role_kind IN ('', 'leader', 'storyteller', 'asker', 'notes', 'host', 'driver', 'welcome', 'quiet', 'phone', 'writing', 'translating', 'art', 'organising', 'other')),
    kind text NOT NULL CHECK (kind IN ('fixed', 'window', 'task')),
    starts_at timestamptz,
    ends_at timestamptz,
    minutes integer NOT NULL,
    mode text NOT NULL CHECK (mode IN ('onsite', 'home', 'phone')),
    place text NOT NULL,
    join_sealed bytea,
    minimum integer NOT NULL,
    places integer NOT NULL,
    standbys integer NOT NULL,
    energy integer NOT NULL,
    demands text NOT NULL,
    languages text NOT NULL,
    training text NOT NULL,
    area text NOT NULL,
    handover text NOT NULL,
    opens_at timestamptz,
    position integer NOT NULL,
    cancelled_at timestamptz,
    settled_at timestamptz,
    filled integer NOT NULL,
    head_count integer,
    revision integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX shifts_by_roster ON shifts (roster_id, starts_at, position);
CREATE INDEX shifts_by_team ON shifts (team_id);
CREATE INDEX shifts_by_end ON shifts (settled_at, ends_at);

CREATE TABLE assignments (
    id uuid PRIMARY KEY,
    shift_id uuid NOT NULL REFERENCES shifts (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    as_what text NOT NULL CHECK (as_what IN ('place', 'standby', 'understudy', 'buddy')),
    state text NOT NULL CHECK (state IN ('pending', 'held', 'offered', 'confirmed')),
    given_name_sealed bytea,
    family_name_sealed bytea,
    phone_sealed bytea,
    locale text NOT NULL,
    time_zone text NOT NULL,
    starts_at timestamptz,
    ask_by text NOT NULL CHECK (ask_by IN ('', 'mail', 'phone')),
    ask_from integer,
    by_hand uuid,
    consent_text_id uuid,
    source text NOT NULL,
    client_hash bytea,
    code_tries integer NOT NULL,
    reminded_at timestamptz,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    UNIQUE (shift_id, mailbox_id)
);
CREATE INDEX assignments_by_mailbox ON assignments (mailbox_id);
CREATE INDEX assignments_pending ON assignments (expires_at);

CREATE TABLE offers (
    id uuid PRIMARY KEY,
    shift_id uuid NOT NULL REFERENCES shifts (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    assignment_id uuid,
    swap_id uuid,
    state text NOT NULL CHECK (state IN ('open', 'accepted', 'declined', 'expired', 'filled')),
    by_what text NOT NULL CHECK (by_what IN ('mail', 'phone')),
    wave integer NOT NULL,
    sent_at timestamptz,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    UNIQUE (shift_id, mailbox_id)
);
CREATE INDEX offers_by_mailbox ON offers (mailbox_id);
CREATE INDEX offers_open ON offers (state, expires_at);

CREATE TABLE covers (
    shift_id uuid PRIMARY KEY REFERENCES shifts (id),
    opened_at timestamptz NOT NULL,
    next_at timestamptz,
    wave integer NOT NULL,
    phone_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX covers_due ON covers (next_at);

CREATE TABLE shift_events (
    id uuid PRIMARY KEY,
    shift_id uuid NOT NULL REFERENCES shifts (id),
    kind text NOT NULL CHECK (kind IN ('taken', 'released', 'offered', 'covered', 'cancelled')),
    at timestamptz NOT NULL
);
CREATE INDEX shift_events_by_shift ON shift_events (shift_id, at);

CREATE TABLE shift_marks (
    shift_id uuid NOT NULL REFERENCES shifts (id),
    mark bytea,
    PRIMARY KEY (shift_id, mark)
);

CREATE TABLE roster_messages (
    id uuid PRIMARY KEY,
    roster_id uuid NOT NULL REFERENCES rosters (id),
    shift_id uuid REFERENCES shifts (id),
    team_id uuid REFERENCES teams (id),
    day text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    recipients integer NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX roster_messages_by_roster ON roster_messages (roster_id, created_at);

CREATE TABLE certificates (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    roster_id uuid REFERENCES rosters (id),
    role text NOT NULL,
    done_on text NOT NULL,
    minutes integer NOT NULL,
    name_sealed bytea,
    state text NOT NULL CHECK (state IN ('asked', 'given', 'refused')),
    given_by uuid,
    given_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX certificates_by_mailbox ON certificates (mailbox_id);
CREATE INDEX certificates_by_state ON certificates (state, created_at);

-- The mails to people on rosters, by what they are about: they go with it.
CREATE INDEX deliveries_of_rosters ON deliveries (subject_id) WHERE kind LIKE 'roster_%';
