-- +goose Up
-- Letters of constituents to those who decide.

CREATE TABLE letter_campaigns (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns (id),
    slug text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'submitted', 'returned', 'published', 'paused', 'closed')),
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    ask text NOT NULL,
    bill text NOT NULL,
    position text NOT NULL CHECK (position IN ('support', 'oppose', 'thank', 'other')),
    subject text NOT NULL,
    prompt text NOT NULL,
    opening text NOT NULL,
    closing text NOT NULL,
    min_own_words integer NOT NULL,
    locale text NOT NULL,
    opens_at timestamptz,
    closes_at timestamptz,
    max_letters integer NOT NULL,
    max_recipients integer NOT NULL,
    hourly_cap integer NOT NULL,
    digest boolean NOT NULL,
    ask_answers boolean NOT NULL,
    positions boolean NOT NULL,
    minutes integer NOT NULL,
    energy integer NOT NULL,
    demands text NOT NULL,
    author_id uuid,
    revision integer NOT NULL,
    letter_count integer NOT NULL,
    return_text text NOT NULL,
    submitted_at timestamptz,
    published_at timestamptz,
    closed_at timestamptz,
    reviewed_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE letter_texts (
    id uuid PRIMARY KEY,
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    locale text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    ask text NOT NULL,
    subject text NOT NULL,
    prompt text NOT NULL,
    opening text NOT NULL,
    closing text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (letter_campaign_id, locale)
);

CREATE TABLE letter_targets (
    id uuid PRIMARY KEY,
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    position integer NOT NULL,
    rule text NOT NULL CHECK (rule IN ('represents', 'committee', 'person', 'fallback')),
    name text NOT NULL,
    chamber_id uuid REFERENCES chambers (id),
    committee_id uuid REFERENCES committees (id),
    only_mine boolean NOT NULL,
    legislator_id uuid REFERENCES legislators (id)
);
CREATE INDEX letter_targets_by_campaign ON letter_targets (letter_campaign_id, position);

CREATE TABLE letter_points (
    id uuid PRIMARY KEY,
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    target_id uuid REFERENCES letter_targets (id),
    party text NOT NULL,
    locale text NOT NULL,
    position integer NOT NULL,
    body text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL
);
CREATE INDEX letter_points_by_campaign ON letter_points (letter_campaign_id, position);

CREATE TABLE letters (
    id uuid PRIMARY KEY,
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    mailbox_id uuid REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('draft', 'awaiting_confirmation', 'confirmed', 'held', 'released', 'closed', 'anonymised', 'expired', 'rejected')),
    locale text NOT NULL,
    given_name_sealed bytea,
    family_name_sealed bytea,
    street_sealed bytea,
    city_sealed bytea,
    phone_sealed bytea,
    postal_area text NOT NULL,
    region text NOT NULL,
    country text NOT NULL,
    divisions text NOT NULL,
    points text NOT NULL,
    subject_sealed bytea,
    own_words_sealed bytea,
    chosen text NOT NULL,
    confirmed_digest bytea,
    own_share integer NOT NULL,
    own_words integer NOT NULL,
    wants_copy boolean NOT NULL,
    keeps boolean NOT NULL,
    consent_text_id uuid,
    consents text NOT NULL,
    held_reason text NOT NULL,
    held_like uuid,
    held_at timestamptz,
    hold_told_at timestamptz,
    reviewed_by uuid,
    source text NOT NULL,
    client_hash bytea,
    code_tries integer NOT NULL,
    resume_tries integer NOT NULL,
    number integer NOT NULL,
    minutes integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    released_at timestamptz,
    closed_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX letters_by_campaign ON letters (letter_campaign_id, state, created_at, id);
CREATE INDEX letters_by_mailbox ON letters (mailbox_id);
CREATE INDEX letters_expiring ON letters (expires_at) WHERE state IN ('draft', 'awaiting_confirmation');
CREATE INDEX letters_over ON letters (closed_at) WHERE state = 'closed';
CREATE INDEX letters_held ON letters (held_at) WHERE state = 'held';

CREATE TABLE letter_sketches (
    letter_campaign_id uuid NOT NULL,
    band integer NOT NULL,
    hash bigint NOT NULL,
    letter_id uuid NOT NULL,
    PRIMARY KEY (letter_campaign_id, band, hash, letter_id)
);
CREATE INDEX letter_sketches_by_letter ON letter_sketches (letter_id);

CREATE TABLE dispatches (
    id uuid PRIMARY KEY,
    letter_id uuid NOT NULL REFERENCES letters (id),
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    mailbox_id uuid REFERENCES mailboxes (id),
    legislator_id uuid NOT NULL REFERENCES legislators (id),
    term_id uuid NOT NULL REFERENCES terms (id),
    state text NOT NULL CHECK (state IN ('draft', 'waiting', 'handed', 'presumed_delivered', 'answered', 'closed', 'bounced', 'failed', 'retarget_needed', 'by_hand')),
    channel text NOT NULL,
    channel_id uuid,
    office_id uuid,
    tried text NOT NULL,
    subject_sealed bytea,
    text_sealed bytea,
    delivery_id uuid REFERENCES deliveries (id),
    due_at timestamptz NOT NULL,
    handed_at timestamptz,
    done_at timestamptz,
    done_how text NOT NULL,
    remind_at timestamptz,
    asked_at timestamptz,
    asked_again_at timestamptz,
    answered_at timestamptz,
    answer text NOT NULL,
    closed_at timestamptz,
    closed_reason text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (letter_id, legislator_id)
);
CREATE UNIQUE INDEX dispatches_once ON dispatches (letter_campaign_id, mailbox_id, legislator_id) WHERE state <> 'draft' AND mailbox_id IS NOT NULL;
CREATE INDEX dispatches_waiting ON dispatches (legislator_id, letter_campaign_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX dispatches_handed ON dispatches (handed_at) WHERE state = 'handed';
CREATE INDEX dispatches_reminding ON dispatches (remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX dispatches_by_office ON dispatches (legislator_id, handed_at);
CREATE INDEX dispatches_by_campaign ON dispatches (letter_campaign_id, state);
CREATE INDEX dispatches_by_delivery ON dispatches (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX dispatches_by_mailbox ON dispatches (mailbox_id);

CREATE TABLE letter_paces (
    legislator_id uuid PRIMARY KEY REFERENCES legislators (id),
    next_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX letter_paces_next ON letter_paces (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE letter_replies (
    id uuid PRIMARY KEY,
    dispatch_id uuid NOT NULL REFERENCES dispatches (id),
    mailbox_id uuid REFERENCES mailboxes (id),
    body_sealed bytea,
    kind text NOT NULL,
    digest bytea,
    kept boolean NOT NULL,
    received_at timestamptz NOT NULL,
    forwarded_at timestamptz,
    UNIQUE (dispatch_id, digest)
);
CREATE INDEX letter_replies_by_mailbox ON letter_replies (mailbox_id);

CREATE TABLE positions (
    id uuid PRIMARY KEY,
    legislator_id uuid NOT NULL REFERENCES legislators (id),
    letter_campaign_id uuid NOT NULL REFERENCES letter_campaigns (id),
    stance text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL,
    note text NOT NULL,
    said_on text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX positions_by_campaign ON positions (letter_campaign_id, legislator_id, created_at);

CREATE TABLE advocacy_entries (
    id uuid PRIMARY KEY,
    campaign_id uuid REFERENCES campaigns (id),
    letter_campaign_id uuid REFERENCES letter_campaigns (id),
    kind text NOT NULL,
    amount integer NOT NULL,
    minutes integer NOT NULL,
    note text NOT NULL,
    happened_on text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE INDEX advocacy_entries_by_day ON advocacy_entries (happened_on, id);
