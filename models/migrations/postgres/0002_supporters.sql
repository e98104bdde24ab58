-- +goose Up
-- Chapters: parts of the organisation with organizers of their own.
CREATE TABLE chapters (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    postal_areas text NOT NULL,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

ALTER TABLE supporters ADD COLUMN street_sealed bytea;
ALTER TABLE supporters ADD COLUMN city_sealed bytea;
ALTER TABLE supporters ADD COLUMN region text NOT NULL DEFAULT '';
ALTER TABLE supporters ADD COLUMN time_zone text NOT NULL DEFAULT '';
ALTER TABLE supporters ADD COLUMN frequency text NOT NULL DEFAULT '' CHECK (frequency IN ('', 'weekly', 'monthly'));
ALTER TABLE supporters ADD COLUMN chapter_id uuid REFERENCES chapters (id);
CREATE INDEX supporters_by_chapter ON supporters (chapter_id, created_at, id) WHERE chapter_id IS NOT NULL;
CREATE INDEX supporters_by_postal_area ON supporters (country, postal_area);
DROP INDEX supporters_by_change;
CREATE INDEX supporters_by_change ON supporters (updated_at, id);
-- Telephone numbers have a table of their own now. What stands in the old column is moved when the server starts, since only
-- the program can open it.
CREATE INDEX supporters_phone_to_move ON supporters (id) WHERE phone_sealed IS NOT NULL;

CREATE TABLE phones (
    id uuid PRIMARY KEY,
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    number_sealed bytea NOT NULL,
    number_hash bytea NOT NULL,
    valid boolean NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (supporter_id, number_hash)
);
CREATE INDEX phones_by_number ON phones (number_hash);

CREATE TABLE tags (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    name_key text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

CREATE TABLE taggings (
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    tag_id uuid NOT NULL REFERENCES tags (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (supporter_id, tag_id)
);
CREATE INDEX taggings_by_tag ON taggings (tag_id, supporter_id);

CREATE TABLE custom_fields (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    label text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'number', 'date', 'choice', 'yes_no')),
    choices text NOT NULL,
    private boolean NOT NULL,
    seen_by text NOT NULL CHECK (seen_by IN ('owner', 'organizer', 'coordinator')),
    position integer NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE field_values (
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    field_id uuid NOT NULL REFERENCES custom_fields (id),
    text_value text NOT NULL,
    number_value double precision,
    value_sealed bytea,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (supporter_id, field_id)
);
CREATE INDEX field_values_by_text ON field_values (field_id, text_value);
CREATE INDEX field_values_by_number ON field_values (field_id, number_value);

CREATE TABLE notes (
    id uuid PRIMARY KEY,
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    body_sealed bytea NOT NULL,
    author_id uuid REFERENCES users (id),
    created_at timestamptz NOT NULL
);
CREATE INDEX notes_by_supporter ON notes (supporter_id, created_at);

-- Divisions (Open Civic Data), what postal code lies where, and their boundaries.
CREATE TABLE divisions (
    id uuid PRIMARY KEY,
    ocd_id text NOT NULL UNIQUE,
    name text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    kind text NOT NULL,
    same_as text NOT NULL,
    valid_from text NOT NULL,
    valid_through text NOT NULL,
    version text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX divisions_by_place ON divisions (country, kind, region);

CREATE TABLE postal_divisions (
    country text NOT NULL,
    postal_area text NOT NULL,
    division_id uuid NOT NULL REFERENCES divisions (id),
    kind text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (postal_area, country, division_id)
);
CREATE INDEX postal_divisions_by_division ON postal_divisions (division_id);

CREATE TABLE boundaries (
    id uuid PRIMARY KEY,
    division_id uuid NOT NULL UNIQUE REFERENCES divisions (id),
    shape bytea NOT NULL,
    west double precision NOT NULL,
    south double precision NOT NULL,
    east double precision NOT NULL,
    north double precision NOT NULL,
    version text NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE supporter_divisions (
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    kind text NOT NULL,
    division_id uuid NOT NULL REFERENCES divisions (id),
    how text NOT NULL CHECK (how IN ('postal', 'person', 'point', 'hand')),
    version text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (supporter_id, kind)
);
CREATE INDEX supporter_divisions_by_division ON supporter_divisions (division_id, supporter_id);

-- Two records that may be one person, and merges that can be undone for a while.
CREATE TABLE duplicates (
    id uuid PRIMARY KEY,
    a_id uuid NOT NULL REFERENCES supporters (id),
    b_id uuid NOT NULL REFERENCES supporters (id),
    rules text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'different')),
    decided_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (a_id, b_id),
    CHECK (a_id < b_id)
);
CREATE INDEX duplicates_open ON duplicates (created_at, id) WHERE state = 'open';
CREATE INDEX duplicates_by_b ON duplicates (b_id);

CREATE TABLE merges (
    id uuid PRIMARY KEY,
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    gone_id uuid NOT NULL,
    before_sealed bytea,
    merged_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    undo_until timestamptz NOT NULL,
    undone_at timestamptz
);
CREATE INDEX merges_by_supporter ON merges (supporter_id);
CREATE INDEX merges_by_time ON merges (created_at, id);

-- What people can agree to, beside updates on a campaign: topics of the newsletter, and partners to share with.
CREATE TABLE topics (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    about text NOT NULL,
    position integer NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE partners (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    website text NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Forms that an organizer makes, and what people filled in.
CREATE TABLE forms (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    intro text NOT NULL,
    thanks text NOT NULL,
    locale text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'open', 'closed')),
    questions text NOT NULL,
    consents text NOT NULL,
    tags text NOT NULL,
    chapter_id uuid REFERENCES chapters (id),
    campaign_id uuid REFERENCES campaigns (id),
    embed_hosts text NOT NULL,
    submission_count integer NOT NULL CHECK (submission_count >= 0),
    revision integer NOT NULL,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX forms_by_time ON forms (created_at, id);

CREATE TABLE submissions (
    id uuid PRIMARY KEY,
    form_id uuid REFERENCES forms (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'confirmed')),
    answers_sealed bytea,
    consents text NOT NULL,
    locale text NOT NULL,
    source text NOT NULL,
    code_tries integer NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX submissions_by_mailbox ON submissions (mailbox_id, created_at);
CREATE INDEX submissions_by_form ON submissions (form_id, confirmed_at, id) WHERE state = 'confirmed';
CREATE INDEX submissions_pending ON submissions (expires_at) WHERE state = 'pending';

-- Saved audiences.
CREATE TABLE segments (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    about text NOT NULL,
    rule text NOT NULL,
    chapter_id uuid REFERENCES chapters (id),
    frozen_at timestamptz,
    frozen_count integer NOT NULL,
    revision integer NOT NULL,
    archived_at timestamptz,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX segments_by_time ON segments (created_at, id);

CREATE TABLE segment_members (
    segment_id uuid NOT NULL REFERENCES segments (id),
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    PRIMARY KEY (segment_id, supporter_id)
);
CREATE INDEX segment_members_by_supporter ON segment_members (supporter_id);

-- Files of people's data that somebody asked for.
CREATE TABLE exports (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    format text NOT NULL,
    segment_id uuid REFERENCES segments (id),
    chapter_id uuid REFERENCES chapters (id),
    purpose text NOT NULL,
    scope_id uuid NOT NULL,
    columns text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    rows_done integer NOT NULL,
    file_id uuid REFERENCES files (id),
    message text NOT NULL,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX exports_by_time ON exports (created_at, id);

-- Who was erased, as keyed hashes alone: no list brings them back, and a restored backup erases them again.
CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    address_hash bytea NOT NULL UNIQUE,
    how text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX erasures_by_time ON erasures (created_at, id);

-- Accounts: the chapter they belong to, and the second step of signing in.
ALTER TABLE users ADD COLUMN chapter_id uuid REFERENCES chapters (id);
ALTER TABLE users ADD COLUMN totp_secret_sealed bytea;
ALTER TABLE users ADD COLUMN totp_since timestamptz;
ALTER TABLE users ADD COLUMN totp_last bigint NOT NULL DEFAULT 0;
ALTER TABLE invitations ADD COLUMN chapter_id uuid REFERENCES chapters (id);
ALTER TABLE sessions ADD COLUMN second_step_at timestamptz;

CREATE TABLE recovery_codes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

-- Keys that seal beside the first one, which look-ups are made by.
CREATE TABLE sealing_keys (
    key_id text PRIMARY KEY,
    check_value bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('new', 'current', 'old')),
    sealed_count bigint NOT NULL,
    created_at timestamptz NOT NULL,
    begun_at timestamptz,
    done_at timestamptz
);
ALTER TABLE files ADD COLUMN key_id text NOT NULL DEFAULT '';

-- A mailbox can rest until a day; mailings, imports and petitions know segments, chapters, counts from elsewhere, and when names go.
ALTER TABLE mailboxes ADD COLUMN paused_until timestamptz;
ALTER TABLE mailings ADD COLUMN segment_id uuid REFERENCES segments (id);
ALTER TABLE mailings ADD COLUMN chapter_id uuid REFERENCES chapters (id);
ALTER TABLE imports ADD COLUMN chapter_id uuid REFERENCES chapters (id);
ALTER TABLE imports ADD COLUMN source text NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN tag_id uuid REFERENCES tags (id);
ALTER TABLE files ADD COLUMN chapter_id uuid REFERENCES chapters (id);
ALTER TABLE petitions ADD COLUMN legacy_count integer NOT NULL DEFAULT 0 CHECK (legacy_count >= 0);
ALTER TABLE petitions ADD COLUMN legacy_source text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN anonymised_at timestamptz;
ALTER TABLE campaigns ADD COLUMN retention_months integer NOT NULL DEFAULT 0 CHECK (retention_months >= 0);
ALTER TABLE organisations ADD COLUMN retention_months integer NOT NULL DEFAULT 24 CHECK (retention_months >= 0);

-- Who did what is asked by address and from there by person, over everybody at once: these indexes answer without the tables.
DROP INDEX mailboxes_by_supporter;
CREATE INDEX mailboxes_by_supporter ON mailboxes (supporter_id, id);
DROP INDEX signatures_by_mailbox;
CREATE INDEX signatures_by_mailbox ON signatures (mailbox_id, state, confirmed_at, petition_id);
DROP INDEX signatures_confirmed;
CREATE INDEX signatures_confirmed ON signatures (petition_id, confirmed_at, id, mailbox_id) WHERE state = 'confirmed';
CREATE INDEX deliveries_mailed ON deliveries (sent_at, mailbox_id) WHERE mailing_id IS NOT NULL AND state = 'sent';
-- A purpose has its own scopes: without this the planner expects far too few people, and looks each of them up by itself.
CREATE STATISTICS consents_together (mcv) ON purpose, scope_id FROM consents;

-- Anonymised rows point to nobody any more; their counts stay.
ALTER TABLE signatures ALTER COLUMN mailbox_id DROP NOT NULL;
-- Whoever takes a signature back may change their mind for a while; then its names go.
CREATE INDEX signatures_withdrawn ON signatures (withdrawn_at) WHERE state = 'withdrawn' AND given_name_sealed IS NOT NULL;
ALTER TABLE deliveries ALTER COLUMN mailbox_id DROP NOT NULL;

CREATE OR REPLACE VIEW mailable AS
SELECT c.mailbox_id, c.purpose, c.scope_id
FROM consents c
JOIN mailboxes m ON m.id = c.mailbox_id
WHERE c.withdrawn_at IS NULL AND m.suppressed_at IS NULL AND m.address_sealed IS NOT NULL
    AND (m.paused_until IS NULL OR m.paused_until <= now());

-- The one answer to "who agreed to what", for lists that are no mail: calls, volunteers, partners, public names. A yes from a
-- form counts once its address is confirmed, one from a list or by hand as an organizer recorded it.
CREATE VIEW agreed AS
SELECT c.mailbox_id, m.supporter_id, c.purpose, c.scope_id
FROM consents c
JOIN mailboxes m ON m.id = c.mailbox_id
WHERE c.withdrawn_at IS NULL AND m.supporter_id IS NOT NULL AND m.address_sealed IS NOT NULL
    AND (m.verified_at IS NOT NULL OR c.how IN ('import', 'hand'));
