-- +goose Up
-- What people can come to: events, their dates, who comes.

CREATE TABLE events (
    id uuid PRIMARY KEY,
    campaign_id uuid REFERENCES campaigns (id),
    chapter_id uuid REFERENCES chapters (id),
    slug text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'cancelled', 'closed')),
    kind text NOT NULL CHECK (kind IN ('advocacy_day', 'support_group', 'class', 'course', 'qa', 'social')),
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    starts_on text NOT NULL,
    minutes integer NOT NULL,
    recurrence text NOT NULL,
    ends_at timestamptz,
    venue text NOT NULL CHECK (venue IN ('onsite', 'online', 'hybrid', 'phone')),
    place_name text NOT NULL,
    street text NOT NULL,
    city text NOT NULL,
    region text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL,
    latitude double precision,
    longitude double precision,
    join_sealed bytea,
    dial_sealed bytea,
    no_remote_why text NOT NULL,
    capacity integer NOT NULL,
    waiting_list boolean NOT NULL,
    access text NOT NULL,
    access_contact_id uuid,
    types text NOT NULL,
    co_leader_wanted boolean NOT NULL,
    contact_name text NOT NULL,
    contact_email text NOT NULL,
    contact_phone text NOT NULL,
    created_by uuid,
    revision integer NOT NULL,
    published_at timestamptz,
    cancelled_at timestamptz,
    cancel_note text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX events_by_state ON events (state, kind);

CREATE TABLE event_dates (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id),
    original_at timestamptz NOT NULL,
    starts_at timestamptz,
    extra boolean NOT NULL,
    cancelled_at timestamptz,
    note text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (event_id, original_at)
);

CREATE TABLE registrations (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id),
    occurs_at timestamptz NOT NULL,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'registered', 'waiting', 'offered')),
    attends text NOT NULL CHECK (attends IN ('onsite', 'online', 'phone')),
    given_name_sealed bytea,
    family_name_sealed bytea,
    needs_sealed bytea,
    share_needs boolean NOT NULL,
    series boolean NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    consent_text_id uuid,
    source text NOT NULL,
    client_hash bytea,
    code_tries integer NOT NULL,
    reminded_at timestamptz,
    offered_until timestamptz,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    UNIQUE (event_id, occurs_at, mailbox_id)
);
CREATE INDEX registrations_by_mailbox ON registrations (mailbox_id);
CREATE INDEX registrations_by_date ON registrations (event_id, occurs_at, state);

CREATE TABLE event_messages (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id),
    occurs_at timestamptz,
    body text NOT NULL,
    recipients integer NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX event_messages_by_event ON event_messages (event_id, created_at);
