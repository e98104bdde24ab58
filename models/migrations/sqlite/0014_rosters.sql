-- +goose Up
-- Volunteers and rosters: who offers time, places to take, who holds or stands by for them, and the search for cover.

CREATE TABLE volunteers (
    id text PRIMARY KEY,
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'active', 'paused')),
    given_name_sealed blob,
    family_name_sealed blob,
    phone_sealed blob,
    note_sealed blob,
    remark_sealed blob,
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
    asked_at datetime,
    paused_until datetime,
    consent_text_id text,
    phone_text_id text,
    source text NOT NULL,
    client_hash blob,
    code_tries integer NOT NULL,
    welcomed_at datetime,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    updated_at datetime NOT NULL,
    expires_at datetime
);
CREATE INDEX volunteers_by_state ON volunteers (state, asked_at);
CREATE UNIQUE INDEX volunteers_by_mailbox ON volunteers (mailbox_id) WHERE state <> 'pending';
CREATE INDEX volunteers_waiting ON volunteers (mailbox_id, expires_at) WHERE state = 'pending';
CREATE INDEX volunteers_new ON volunteers (created_at, id) WHERE state <> 'pending';

CREATE TABLE onboarding_steps (
    id text PRIMARY KEY,
    name text NOT NULL,
    about text NOT NULL,
    position integer NOT NULL,
    archived_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE onboarding_marks (
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    step_id text NOT NULL REFERENCES onboarding_steps (id),
    done_at datetime NOT NULL,
    done_by text,
    PRIMARY KEY (mailbox_id, step_id)
);

CREATE TABLE pacings (
    mailbox_id text PRIMARY KEY REFERENCES mailboxes (id),
    settings_sealed blob,
    updated_at datetime NOT NULL
);

CREATE TABLE rosters (
    id text PRIMARY KEY,
    campaign_id text REFERENCES campaigns (id),
    chapter_id text REFERENCES chapters (id),
    event_id text REFERENCES events (id),
    slug text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'closed')),
    template boolean NOT NULL,
    copied_from text,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    contact_name text NOT NULL,
    contact_phone text NOT NULL,
    opens_at datetime,
    created_by text,
    revision integer NOT NULL,
    published_at datetime,
    closed_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX rosters_by_state ON rosters (state, created_at);

CREATE TABLE teams (
    id text PRIMARY KEY,
    roster_id text NOT NULL REFERENCES rosters (id),
    name text NOT NULL,
    place text NOT NULL,
    position integer NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX teams_by_roster ON teams (roster_id, position);

CREATE TABLE shifts (
    id text PRIMARY KEY,
    roster_id text NOT NULL REFERENCES rosters (id),
    team_id text REFERENCES teams (id),
    role text NOT NULL,
    role_kind text NOT NULL CHECK (role_kind IN ('', 'leader', 'storyteller', 'asker', 'notes', 'host', 'driver', 'welcome', 'quiet', 'phone', 'writing', 'translating', 'art', 'organising', 'other')),
    kind text NOT NULL CHECK (kind IN ('fixed', 'window', 'task')),
    starts_at datetime,
    ends_at datetime,
    minutes integer NOT NULL,
    mode text NOT NULL CHECK (mode IN ('onsite', 'home', 'phone')),
    place text NOT NULL,
    join_sealed blob,
    minimum integer NOT NULL,
    places integer NOT NULL,
    standbys integer NOT NULL,
    energy integer NOT NULL,
    demands text NOT NULL,
    languages text NOT NULL,
    training text NOT NULL,
    area text NOT NULL,
    handover text NOT NULL,
    opens_at datetime,
    position integer NOT NULL,
    cancelled_at datetime,
    settled_at datetime,
    filled integer NOT NULL,
    head_count integer,
    revision integer NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX shifts_by_roster ON shifts (roster_id, starts_at, position);
CREATE INDEX shifts_by_team ON shifts (team_id);
CREATE INDEX shifts_by_end ON shifts (settled_at, ends_at);

CREATE TABLE assignments (
    id text PRIMARY KEY,
    shift_id text NOT NULL REFERENCES shifts (id),
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    as_what text NOT NULL CHECK (as_what IN ('place', 'standby', 'understudy', 'buddy')),
    state text NOT NULL CHECK (state IN ('pending', 'held', 'offered', 'confirmed')),
    given_name_sealed blob,
    family_name_sealed blob,
    phone_sealed blob,
    locale text NOT NULL,
    time_zone text NOT NULL,
    starts_at datetime,
    ask_by text NOT NULL CHECK (ask_by IN ('', 'mail', 'phone')),
    ask_from integer,
    by_hand text,
    consent_text_id text,
    source text NOT NULL,
    client_hash blob,
    code_tries integer NOT NULL,
    reminded_at datetime,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    updated_at datetime NOT NULL,
    expires_at datetime,
    UNIQUE (shift_id, mailbox_id)
);
CREATE INDEX assignments_by_mailbox ON assignments (mailbox_id);
CREATE INDEX assignments_pending ON assignments (expires_at);

CREATE TABLE offers (
    id text PRIMARY KEY,
    shift_id text NOT NULL REFERENCES shifts (id),
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    assignment_id text,
    swap_id text,
    state text NOT NULL CHECK (state IN ('open', 'accepted', 'declined', 'expired', 'filled')),
    by_what text NOT NULL CHECK (by_what IN ('mail', 'phone')),
    wave integer NOT NULL,
    sent_at datetime,
    expires_at datetime NOT NULL,
    created_at datetime NOT NULL,
    closed_at datetime,
    UNIQUE (shift_id, mailbox_id)
);
CREATE INDEX offers_by_mailbox ON offers (mailbox_id);
CREATE INDEX offers_open ON offers (state, expires_at);

CREATE TABLE covers (
    shift_id text PRIMARY KEY REFERENCES shifts (id),
    opened_at datetime NOT NULL,
    next_at datetime,
    wave integer NOT NULL,
    phone_at datetime,
    updated_at datetime NOT NULL
);
CREATE INDEX covers_due ON covers (next_at);

CREATE TABLE shift_events (
    id text PRIMARY KEY,
    shift_id text NOT NULL REFERENCES shifts (id),
    kind text NOT NULL CHECK (kind IN ('taken', 'released', 'offered', 'covered', 'cancelled')),
    at datetime NOT NULL
);
CREATE INDEX shift_events_by_shift ON shift_events (shift_id, at);

CREATE TABLE shift_marks (
    shift_id text NOT NULL REFERENCES shifts (id),
    mark blob,
    PRIMARY KEY (shift_id, mark)
);

CREATE TABLE roster_messages (
    id text PRIMARY KEY,
    roster_id text NOT NULL REFERENCES rosters (id),
    shift_id text REFERENCES shifts (id),
    team_id text REFERENCES teams (id),
    day text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    recipients integer NOT NULL,
    created_by text,
    created_at datetime NOT NULL
);
CREATE INDEX roster_messages_by_roster ON roster_messages (roster_id, created_at);

CREATE TABLE certificates (
    id text PRIMARY KEY,
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    roster_id text REFERENCES rosters (id),
    role text NOT NULL,
    done_on text NOT NULL,
    minutes integer NOT NULL,
    name_sealed blob,
    state text NOT NULL CHECK (state IN ('asked', 'given', 'refused')),
    given_by text,
    given_at datetime,
    created_at datetime NOT NULL
);
CREATE INDEX certificates_by_mailbox ON certificates (mailbox_id);
CREATE INDEX certificates_by_state ON certificates (state, created_at);

-- The mails to people on rosters, by what they are about: they go with it.
CREATE INDEX deliveries_of_rosters ON deliveries (subject_id) WHERE kind LIKE 'roster_%';
