-- +goose Up
-- Letters of constituents to those who decide.

CREATE TABLE letter_campaigns (
    id text PRIMARY KEY,
    campaign_id text NOT NULL REFERENCES campaigns (id),
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
    opens_at datetime,
    closes_at datetime,
    max_letters integer NOT NULL,
    max_recipients integer NOT NULL,
    hourly_cap integer NOT NULL,
    digest boolean NOT NULL,
    ask_answers boolean NOT NULL,
    positions boolean NOT NULL,
    minutes integer NOT NULL,
    energy integer NOT NULL,
    demands text NOT NULL,
    author_id text,
    revision integer NOT NULL,
    letter_count integer NOT NULL,
    return_text text NOT NULL,
    submitted_at datetime,
    published_at datetime,
    closed_at datetime,
    reviewed_by text,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE letter_texts (
    id text PRIMARY KEY,
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    locale text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    ask text NOT NULL,
    subject text NOT NULL,
    prompt text NOT NULL,
    opening text NOT NULL,
    closing text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    UNIQUE (letter_campaign_id, locale)
);

CREATE TABLE letter_targets (
    id text PRIMARY KEY,
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    position integer NOT NULL,
    rule text NOT NULL CHECK (rule IN ('represents', 'committee', 'person', 'fallback')),
    name text NOT NULL,
    chamber_id text REFERENCES chambers (id),
    committee_id text REFERENCES committees (id),
    only_mine boolean NOT NULL,
    legislator_id text REFERENCES legislators (id)
);
CREATE INDEX letter_targets_by_campaign ON letter_targets (letter_campaign_id, position);

CREATE TABLE letter_points (
    id text PRIMARY KEY,
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    target_id text REFERENCES letter_targets (id),
    party text NOT NULL,
    locale text NOT NULL,
    position integer NOT NULL,
    body text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL
);
CREATE INDEX letter_points_by_campaign ON letter_points (letter_campaign_id, position);

CREATE TABLE letters (
    id text PRIMARY KEY,
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    mailbox_id text REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('draft', 'awaiting_confirmation', 'confirmed', 'held', 'released', 'closed', 'anonymised', 'expired', 'rejected')),
    locale text NOT NULL,
    given_name_sealed blob,
    family_name_sealed blob,
    street_sealed blob,
    city_sealed blob,
    phone_sealed blob,
    postal_area text NOT NULL,
    region text NOT NULL,
    country text NOT NULL,
    divisions text NOT NULL,
    points text NOT NULL,
    subject_sealed blob,
    own_words_sealed blob,
    chosen text NOT NULL,
    confirmed_digest blob,
    own_share integer NOT NULL,
    own_words integer NOT NULL,
    wants_copy boolean NOT NULL,
    keeps boolean NOT NULL,
    consent_text_id text,
    consents text NOT NULL,
    held_reason text NOT NULL,
    held_like text,
    held_at datetime,
    hold_told_at datetime,
    reviewed_by text,
    source text NOT NULL,
    client_hash blob,
    code_tries integer NOT NULL,
    resume_tries integer NOT NULL,
    number integer NOT NULL,
    minutes integer NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    confirmed_at datetime,
    released_at datetime,
    closed_at datetime,
    expires_at datetime NOT NULL
);
CREATE INDEX letters_by_campaign ON letters (letter_campaign_id, state, created_at, id);
CREATE INDEX letters_by_mailbox ON letters (mailbox_id);
CREATE INDEX letters_expiring ON letters (expires_at) WHERE state IN ('draft', 'awaiting_confirmation');
CREATE INDEX letters_over ON letters (closed_at) WHERE state = 'closed';
CREATE INDEX letters_held ON letters (held_at) WHERE state = 'held';

CREATE TABLE letter_sketches (
    letter_campaign_id text NOT NULL,
    band integer NOT NULL,
    hash integer NOT NULL,
    letter_id text NOT NULL,
    PRIMARY KEY (letter_campaign_id, band, hash, letter_id)
);
CREATE INDEX letter_sketches_by_letter ON letter_sketches (letter_id);

CREATE TABLE dispatches (
    id text PRIMARY KEY,
    letter_id text NOT NULL REFERENCES letters (id),
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    mailbox_id text REFERENCES mailboxes (id),
    legislator_id text NOT NULL REFERENCES legislators (id),
    term_id text NOT NULL REFERENCES terms (id),
    state text NOT NULL CHECK (state IN ('draft', 'waiting', 'handed', 'presumed_delivered', 'answered', 'closed', 'bounced', 'failed', 'retarget_needed', 'by_hand')),
    channel text NOT NULL,
    channel_id text,
    office_id text,
    tried text NOT NULL,
    subject_sealed blob,
    text_sealed blob,
    delivery_id text REFERENCES deliveries (id),
    due_at datetime NOT NULL,
    handed_at datetime,
    done_at datetime,
    done_how text NOT NULL,
    remind_at datetime,
    asked_at datetime,
    asked_again_at datetime,
    answered_at datetime,
    answer text NOT NULL,
    closed_at datetime,
    closed_reason text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
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
    legislator_id text PRIMARY KEY REFERENCES legislators (id),
    next_at datetime,
    updated_at datetime NOT NULL
);
CREATE INDEX letter_paces_next ON letter_paces (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE letter_replies (
    id text PRIMARY KEY,
    dispatch_id text NOT NULL REFERENCES dispatches (id),
    mailbox_id text REFERENCES mailboxes (id),
    body_sealed blob,
    kind text NOT NULL,
    digest blob,
    kept boolean NOT NULL,
    received_at datetime NOT NULL,
    forwarded_at datetime,
    UNIQUE (dispatch_id, digest)
);
CREATE INDEX letter_replies_by_mailbox ON letter_replies (mailbox_id);

CREATE TABLE positions (
    id text PRIMARY KEY,
    legislator_id text NOT NULL REFERENCES legislators (id),
    letter_campaign_id text NOT NULL REFERENCES letter_campaigns (id),
    stance text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL,
    note text NOT NULL,
    said_on text NOT NULL,
    created_by text,
    created_at datetime NOT NULL
);
CREATE INDEX positions_by_campaign ON positions (letter_campaign_id, legislator_id, created_at);

CREATE TABLE advocacy_entries (
    id text PRIMARY KEY,
    campaign_id text REFERENCES campaigns (id),
    letter_campaign_id text REFERENCES letter_campaigns (id),
    kind text NOT NULL,
    amount integer NOT NULL,
    minutes integer NOT NULL,
    note text NOT NULL,
    happened_on text NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    removed_at datetime
);
CREATE INDEX advocacy_entries_by_day ON advocacy_entries (happened_on, id);
