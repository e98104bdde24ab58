-- +goose Up
-- Chapters: parts of the organisation with organizers of their own.
CREATE TABLE chapters (
    id text PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    postal_areas text NOT NULL,
    closed_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

ALTER TABLE supporters ADD COLUMN street_sealed blob;
ALTER TABLE supporters ADD COLUMN city_sealed blob;
ALTER TABLE supporters ADD COLUMN region text NOT NULL DEFAULT '';
ALTER TABLE supporters ADD COLUMN time_zone text NOT NULL DEFAULT '';
ALTER TABLE supporters ADD COLUMN frequency text NOT NULL DEFAULT '' CHECK (frequency IN ('', 'weekly', 'monthly'));
ALTER TABLE supporters ADD COLUMN chapter_id text REFERENCES chapters (id);
CREATE INDEX supporters_by_chapter ON supporters (chapter_id, created_at, id) WHERE chapter_id IS NOT NULL;
CREATE INDEX supporters_by_postal_area ON supporters (country, postal_area);
DROP INDEX supporters_by_change;
CREATE INDEX supporters_by_change ON supporters (updated_at, id);
-- Telephone numbers have a table of their own now. What stands in the old column is moved when the server starts, since only
-- the program can open it.
CREATE INDEX supporters_phone_to_move ON supporters (id) WHERE phone_sealed IS NOT NULL;

CREATE TABLE phones (
    id text PRIMARY KEY,
    supporter_id text NOT NULL REFERENCES supporters (id),
    number_sealed blob NOT NULL,
    number_hash blob NOT NULL,
    valid boolean NOT NULL,
    created_at datetime NOT NULL,
    UNIQUE (supporter_id, number_hash)
);
CREATE INDEX phones_by_number ON phones (number_hash);

CREATE TABLE tags (
    id text PRIMARY KEY,
    name text NOT NULL,
    name_key text NOT NULL UNIQUE,
    created_at datetime NOT NULL
);

CREATE TABLE taggings (
    supporter_id text NOT NULL REFERENCES supporters (id),
    tag_id text NOT NULL REFERENCES tags (id),
    created_at datetime NOT NULL,
    PRIMARY KEY (supporter_id, tag_id)
);
CREATE INDEX taggings_by_tag ON taggings (tag_id, supporter_id);

CREATE TABLE custom_fields (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    label text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'number', 'date', 'choice', 'yes_no')),
    choices text NOT NULL,
    private boolean NOT NULL,
    seen_by text NOT NULL CHECK (seen_by IN ('owner', 'organizer', 'coordinator')),
    position integer NOT NULL,
    archived_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE field_values (
    supporter_id text NOT NULL REFERENCES supporters (id),
    field_id text NOT NULL REFERENCES custom_fields (id),
    text_value text NOT NULL,
    number_value real,
    value_sealed blob,
    updated_at datetime NOT NULL,
    PRIMARY KEY (supporter_id, field_id)
);
CREATE INDEX field_values_by_text ON field_values (field_id, text_value);
CREATE INDEX field_values_by_number ON field_values (field_id, number_value);

CREATE TABLE notes (
    id text PRIMARY KEY,
    supporter_id text NOT NULL REFERENCES supporters (id),
    body_sealed blob NOT NULL,
    author_id text REFERENCES users (id),
    created_at datetime NOT NULL
);
CREATE INDEX notes_by_supporter ON notes (supporter_id, created_at);

-- Divisions (Open Civic Data), what postal code lies where, and their boundaries.
CREATE TABLE divisions (
    id text PRIMARY KEY,
    ocd_id text NOT NULL UNIQUE,
    name text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    kind text NOT NULL,
    same_as text NOT NULL,
    valid_from text NOT NULL,
    valid_through text NOT NULL,
    version text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX divisions_by_place ON divisions (country, kind, region);

CREATE TABLE postal_divisions (
    country text NOT NULL,
    postal_area text NOT NULL,
    division_id text NOT NULL REFERENCES divisions (id),
    kind text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (postal_area, country, division_id)
);
CREATE INDEX postal_divisions_by_division ON postal_divisions (division_id);

CREATE TABLE boundaries (
    id text PRIMARY KEY,
    division_id text NOT NULL UNIQUE REFERENCES divisions (id),
    shape blob NOT NULL,
    west real NOT NULL,
    south real NOT NULL,
    east real NOT NULL,
    north real NOT NULL,
    version text NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE supporter_divisions (
    supporter_id text NOT NULL REFERENCES supporters (id),
    kind text NOT NULL,
    division_id text NOT NULL REFERENCES divisions (id),
    how text NOT NULL CHECK (how IN ('postal', 'person', 'point', 'hand')),
    version text NOT NULL,
    updated_at datetime NOT NULL,
    PRIMARY KEY (supporter_id, kind)
);
CREATE INDEX supporter_divisions_by_division ON supporter_divisions (division_id, supporter_id);

-- Two records that may be one person, and merges that can be undone for a while.
CREATE TABLE duplicates (
    id text PRIMARY KEY,
    a_id text NOT NULL REFERENCES supporters (id),
    b_id text NOT NULL REFERENCES supporters (id),
    rules text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'different')),
    decided_by text REFERENCES users (id),
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    UNIQUE (a_id, b_id),
    CHECK (a_id < b_id)
);
CREATE INDEX duplicates_open ON duplicates (created_at, id) WHERE state = 'open';
CREATE INDEX duplicates_by_b ON duplicates (b_id);

CREATE TABLE merges (
    id text PRIMARY KEY,
    supporter_id text NOT NULL REFERENCES supporters (id),
    gone_id text NOT NULL,
    before_sealed blob,
    merged_by text REFERENCES users (id),
    created_at datetime NOT NULL,
    undo_until datetime NOT NULL,
    undone_at datetime
);
CREATE INDEX merges_by_supporter ON merges (supporter_id);
CREATE INDEX merges_by_time ON merges (created_at, id);

-- What people can agree to, beside updates on a campaign: topics of the newsletter, and partners to share with.
CREATE TABLE topics (
    id text PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    about text NOT NULL,
    position integer NOT NULL,
    archived_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE partners (
    id text PRIMARY KEY,
    name text NOT NULL,
    website text NOT NULL,
    archived_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

-- Forms that an organizer makes, and what people filled in.
CREATE TABLE forms (
    id text PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    intro text NOT NULL,
    thanks text NOT NULL,
    locale text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'open', 'closed')),
    questions text NOT NULL,
    consents text NOT NULL,
    tags text NOT NULL,
    chapter_id text REFERENCES chapters (id),
    campaign_id text REFERENCES campaigns (id),
    embed_hosts text NOT NULL,
    submission_count integer NOT NULL CHECK (submission_count >= 0),
    revision integer NOT NULL,
    created_by text REFERENCES users (id),
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX forms_by_time ON forms (created_at, id);

CREATE TABLE submissions (
    id text PRIMARY KEY,
    form_id text REFERENCES forms (id),
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'confirmed')),
    answers_sealed blob,
    consents text NOT NULL,
    locale text NOT NULL,
    source text NOT NULL,
    code_tries integer NOT NULL,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    expires_at datetime NOT NULL
);
CREATE INDEX submissions_by_mailbox ON submissions (mailbox_id, created_at);
CREATE INDEX submissions_by_form ON submissions (form_id, confirmed_at, id) WHERE state = 'confirmed';
CREATE INDEX submissions_pending ON submissions (expires_at) WHERE state = 'pending';

-- Saved audiences.
CREATE TABLE segments (
    id text PRIMARY KEY,
    name text NOT NULL,
    about text NOT NULL,
    rule text NOT NULL,
    chapter_id text REFERENCES chapters (id),
    frozen_at datetime,
    frozen_count integer NOT NULL,
    revision integer NOT NULL,
    archived_at datetime,
    created_by text REFERENCES users (id),
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX segments_by_time ON segments (created_at, id);

CREATE TABLE segment_members (
    segment_id text NOT NULL REFERENCES segments (id),
    supporter_id text NOT NULL REFERENCES supporters (id),
    PRIMARY KEY (segment_id, supporter_id)
);
CREATE INDEX segment_members_by_supporter ON segment_members (supporter_id);

-- Files of people's data that somebody asked for.
CREATE TABLE exports (
    id text PRIMARY KEY,
    kind text NOT NULL,
    format text NOT NULL,
    segment_id text REFERENCES segments (id),
    chapter_id text REFERENCES chapters (id),
    purpose text NOT NULL,
    scope_id text NOT NULL,
    columns text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    rows_done integer NOT NULL,
    file_id text REFERENCES files (id),
    message text NOT NULL,
    created_by text REFERENCES users (id),
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    finished_at datetime
);
CREATE INDEX exports_by_time ON exports (created_at, id);

-- Who was erased, as keyed hashes alone: no list brings them back, and a restored backup erases them again.
CREATE TABLE erasures (
    id text PRIMARY KEY,
    address_hash blob NOT NULL UNIQUE,
    how text NOT NULL,
    created_at datetime NOT NULL
);
CREATE INDEX erasures_by_time ON erasures (created_at, id);

-- Accounts: the chapter they belong to, and the second step of signing in.
ALTER TABLE users ADD COLUMN chapter_id text REFERENCES chapters (id);
ALTER TABLE users ADD COLUMN totp_secret_sealed blob;
ALTER TABLE users ADD COLUMN totp_since datetime;
ALTER TABLE users ADD COLUMN totp_last integer NOT NULL DEFAULT 0;
ALTER TABLE invitations ADD COLUMN chapter_id text REFERENCES chapters (id);
ALTER TABLE sessions ADD COLUMN second_step_at datetime;

CREATE TABLE recovery_codes (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash blob NOT NULL,
    created_at datetime NOT NULL,
    used_at datetime
);
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

-- Keys that seal beside the first one, which look-ups are made by.
CREATE TABLE sealing_keys (
    key_id text PRIMARY KEY,
    check_value blob NOT NULL,
    state text NOT NULL CHECK (state IN ('new', 'current', 'old')),
    sealed_count integer NOT NULL,
    created_at datetime NOT NULL,
    begun_at datetime,
    done_at datetime
);
ALTER TABLE files ADD COLUMN key_id text NOT NULL DEFAULT '';

-- A mailbox can rest until a day; mailings, imports and petitions know segments, chapters, counts from elsewhere, and when names go.
ALTER TABLE mailboxes ADD COLUMN paused_until datetime;
ALTER TABLE mailings ADD COLUMN segment_id text REFERENCES segments (id);
ALTER TABLE mailings ADD COLUMN chapter_id text REFERENCES chapters (id);
ALTER TABLE imports ADD COLUMN chapter_id text REFERENCES chapters (id);
ALTER TABLE imports ADD COLUMN source text NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN tag_id text REFERENCES tags (id);
ALTER TABLE files ADD COLUMN chapter_id text REFERENCES chapters (id);
ALTER TABLE petitions ADD COLUMN legacy_count integer NOT NULL DEFAULT 0 CHECK (legacy_count >= 0);
ALTER TABLE petitions ADD COLUMN legacy_source text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN anonymised_at datetime;
ALTER TABLE campaigns ADD COLUMN retention_months integer NOT NULL DEFAULT 0 CHECK (retention_months >= 0);
ALTER TABLE organisations ADD COLUMN retention_months integer NOT NULL DEFAULT 24 CHECK (retention_months >= 0);

-- Anonymised rows point to nobody any more; their counts stay. SQLite drops a NOT NULL by making the table anew.
DROP TRIGGER deliveries_need_consent;
DROP TRIGGER deliveries_keep_purpose;
DROP VIEW mailable;

CREATE TABLE signatures_new (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    mailbox_id text REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'confirmed', 'suspect', 'withdrawn', 'invalidated')),
    given_name_sealed blob,
    family_name_sealed blob,
    postal_area text NOT NULL,
    display text NOT NULL CHECK (display IN ('name', 'initials', 'anonymous')),
    display_name text NOT NULL,
    comment_sealed blob,
    comment_state text NOT NULL CHECK (comment_state IN ('', 'waiting', 'shown', 'hidden')),
    comment_shown text NOT NULL,
    wants_updates boolean NOT NULL,
    consent_text_id text REFERENCES consent_texts (id),
    locale text NOT NULL,
    source text NOT NULL,
    code_tries integer NOT NULL,
    number integer NOT NULL,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    withdrawn_at datetime,
    expires_at datetime NOT NULL,
    UNIQUE (petition_id, mailbox_id)
);
INSERT INTO signatures_new (id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_sealed, comment_state, comment_shown, wants_updates, consent_text_id, locale, source, code_tries, number, created_at, confirmed_at, withdrawn_at, expires_at)
SELECT id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_sealed, comment_state, comment_shown, wants_updates, consent_text_id, locale, source, code_tries, number, created_at, confirmed_at, withdrawn_at, expires_at
FROM signatures;
DROP TABLE signatures;
ALTER TABLE signatures_new RENAME TO signatures;
-- Who did what is asked by address and from there by person, over everybody at once: this index, signatures_by_mailbox,
-- mailboxes_by_supporter and deliveries_mailed answer without the tables.
CREATE INDEX signatures_confirmed ON signatures (petition_id, confirmed_at, id, mailbox_id) WHERE state = 'confirmed';
CREATE INDEX signatures_shown ON signatures (petition_id, confirmed_at, id) WHERE state = 'confirmed' AND display <> 'anonymous';
CREATE INDEX signatures_pending ON signatures (expires_at) WHERE state = 'pending';
CREATE INDEX signatures_comments ON signatures (petition_id, created_at, id) WHERE comment_state = 'waiting' AND state = 'confirmed';
CREATE INDEX signatures_comments_shown ON signatures (petition_id, confirmed_at, id) WHERE comment_state = 'shown' AND state = 'confirmed';
CREATE INDEX signatures_by_area ON signatures (petition_id, postal_area) WHERE state = 'confirmed';
CREATE INDEX signatures_by_mailbox ON signatures (mailbox_id, state, confirmed_at, petition_id);
DROP INDEX mailboxes_by_supporter;
CREATE INDEX mailboxes_by_supporter ON mailboxes (supporter_id, id);
-- Whoever takes a signature back may change their mind for a while; then its names go.
CREATE INDEX signatures_withdrawn ON signatures (withdrawn_at) WHERE state = 'withdrawn' AND given_name_sealed IS NOT NULL;

CREATE TABLE deliveries_new (
    id text PRIMARY KEY,
    kind text NOT NULL,
    mailbox_id text REFERENCES mailboxes (id),
    subject_id text NOT NULL,
    mailing_id text REFERENCES mailings (id),
    purpose text NOT NULL,
    scope_id text NOT NULL,
    dedupe_key text NOT NULL UNIQUE,
    priority integer NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'claimed', 'sending', 'sent', 'deferred', 'failed', 'suppressed', 'expired', 'unknown')),
    on_unknown text NOT NULL CHECK (on_unknown IN ('resend', 'park')),
    attempt integer NOT NULL,
    deferrals integer NOT NULL,
    not_before datetime NOT NULL,
    lease_until datetime,
    node text NOT NULL,
    expires_at datetime,
    reply_code integer NOT NULL,
    reply text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    sent_at datetime
);
INSERT INTO deliveries_new (id, kind, mailbox_id, subject_id, mailing_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, lease_until, node, expires_at, reply_code, reply, created_at, updated_at, sent_at)
SELECT id, kind, mailbox_id, subject_id, mailing_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, lease_until, node, expires_at, reply_code, reply, created_at, updated_at, sent_at
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (priority, not_before, id) WHERE state IN ('queued', 'deferred');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state IN ('claimed', 'sending');
CREATE INDEX deliveries_by_mailing ON deliveries (mailing_id, state) WHERE mailing_id IS NOT NULL;
CREATE INDEX deliveries_by_mailbox ON deliveries (mailbox_id, created_at);
CREATE INDEX deliveries_mailed ON deliveries (sent_at, mailbox_id) WHERE mailing_id IS NOT NULL AND state = 'sent';

CREATE VIEW mailable AS
SELECT c.mailbox_id, c.purpose, c.scope_id
FROM consents c
JOIN mailboxes m ON m.id = c.mailbox_id
WHERE c.withdrawn_at IS NULL AND m.suppressed_at IS NULL AND m.address_sealed IS NOT NULL
    AND (m.paused_until IS NULL OR m.paused_until <= strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

-- +goose StatementBegin
CREATE TRIGGER deliveries_need_consent BEFORE INSERT ON deliveries
WHEN NEW.purpose <> 'receipt' AND NOT EXISTS (
    SELECT 1 FROM mailable m
    WHERE m.mailbox_id = NEW.mailbox_id AND m.purpose = NEW.purpose AND m.scope_id = NEW.scope_id)
BEGIN
    SELECT RAISE(ABORT, 'kithline: no consent for this purpose');
END;
-- +goose StatementEnd

-- What a delivery is for, and whom it goes to, never changes.
-- +goose StatementBegin
CREATE TRIGGER deliveries_keep_purpose BEFORE UPDATE OF purpose, scope_id, mailbox_id ON deliveries
WHEN OLD.purpose <> NEW.purpose OR OLD.scope_id <> NEW.scope_id OR OLD.mailbox_id <> NEW.mailbox_id
BEGIN
    SELECT RAISE(ABORT, 'kithline: the purpose of a delivery never changes');
END;
-- +goose StatementEnd

-- The one answer to "who agreed to what", for lists that are no mail: calls, volunteers, partners, public names. A yes from a
-- form counts once its address is confirmed, one from a list or by hand as an organizer recorded it.
CREATE VIEW agreed AS
SELECT c.mailbox_id, m.supporter_id, c.purpose, c.scope_id
FROM consents c
JOIN mailboxes m ON m.id = c.mailbox_id
WHERE c.withdrawn_at IS NULL AND m.supporter_id IS NOT NULL AND m.address_sealed IS NOT NULL
    AND (m.verified_at IS NOT NULL OR c.how IN ('import', 'hand'));
