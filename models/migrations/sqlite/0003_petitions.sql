-- +goose Up
-- Petitions from a first sentence to a decision: who starts them, what they say in other languages and where it is from, how
-- they are reviewed and changed, how signing is guarded, what is counted, and how they end.

ALTER TABLE petitions ADD COLUMN picture_alt text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN district_kind text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN claimed_by text REFERENCES users (id);
ALTER TABLE petitions ADD COLUMN claimed_at datetime;
ALTER TABLE petitions ADD COLUMN suspect_count integer NOT NULL DEFAULT 0 CHECK (suspect_count >= 0);
ALTER TABLE petitions ADD COLUMN paper_count integer NOT NULL DEFAULT 0 CHECK (paper_count >= 0);
ALTER TABLE petitions ADD COLUMN response_from text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN response_text text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN responded_at datetime;
ALTER TABLE petitions ADD COLUMN outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'won', 'partly', 'lost'));
ALTER TABLE petitions ADD COLUMN outcome_text text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN answered_at datetime;
ALTER TABLE petitions ADD COLUMN outcome_told_at datetime;
ALTER TABLE petitions ADD COLUMN outcome_told_after text;
ALTER TABLE petitions ADD COLUMN outcome_told_count integer NOT NULL DEFAULT 0;
ALTER TABLE petitions ADD COLUMN outcome_told_done_at datetime;
ALTER TABLE petitions ADD COLUMN breaker_at datetime;
ALTER TABLE petitions ADD COLUMN pressure_until datetime;
ALTER TABLE petitions ADD COLUMN edited_at datetime;
ALTER TABLE petitions ADD COLUMN proposed_edit text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN proposed_at datetime;

-- Who starts a petition without an account: one leads, others may join. They prove their address by a mailed link.
CREATE TABLE petition_starters (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    lead boolean NOT NULL,
    name_sealed blob,
    shown_name text NOT NULL,
    locale text NOT NULL,
    code_tries integer NOT NULL,
    invited_by text,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    UNIQUE (petition_id, mailbox_id)
);
CREATE INDEX petition_starters_by_mailbox ON petition_starters (mailbox_id);
CREATE INDEX petition_starters_unconfirmed ON petition_starters (created_at) WHERE confirmed_at IS NULL;

-- What a petition says in a further language. Its own language stands in the petition.
CREATE TABLE petition_texts (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    locale text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    decider text NOT NULL,
    why_now text NOT NULL,
    system_change text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    UNIQUE (petition_id, locale)
);

-- What a petition states as a fact, and where that is from.
CREATE TABLE petition_claims (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    position integer NOT NULL,
    claim text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL,
    UNIQUE (petition_id, position)
);

-- What a public petition said before it was changed. before is JSON: field and old text.
CREATE TABLE petition_edits (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    before text NOT NULL,
    reason text NOT NULL,
    signature_count integer NOT NULL,
    edited_by text,
    created_at datetime NOT NULL
);
CREATE INDEX petition_edits_by_petition ON petition_edits (petition_id, created_at);

-- Counts below those of a petition, moved in the transaction of what they count: by hour, source, postal area, role.
CREATE TABLE petition_tallies (
    petition_id text NOT NULL REFERENCES petitions (id),
    kind text NOT NULL,
    name text NOT NULL,
    signed integer NOT NULL,
    confirmed integer NOT NULL,
    PRIMARY KEY (petition_id, kind, name)
);

-- What happens when so many have signed.
CREATE TABLE petition_thresholds (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    count integer NOT NULL CHECK (count > 0),
    effect text NOT NULL CHECK (effect IN ('tell', 'goal', 'close')),
    next_goal integer NOT NULL,
    goal_before integer NOT NULL,
    reached_at datetime,
    created_at datetime NOT NULL,
    UNIQUE (petition_id, count, effect)
);

-- Signatures on paper: totals, never people.
CREATE TABLE paper_counts (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    division_id text REFERENCES divisions (id),
    count integer NOT NULL CHECK (count > 0),
    note text NOT NULL,
    collected_at datetime NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    removed_at datetime
);
CREATE INDEX paper_counts_by_petition ON paper_counts (petition_id, created_at);

-- Times at which many sign from one place, as at an event: the limit by device address rests. Without a petition: for all.
CREATE TABLE signing_windows (
    id text PRIMARY KEY,
    petition_id text REFERENCES petitions (id),
    note text NOT NULL,
    from_at datetime NOT NULL,
    until_at datetime NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    ended_at datetime
);
CREATE INDEX signing_windows_by_time ON signing_windows (until_at);

-- Mail domains, device address ranges and single addresses that are held back, or let through whatever else is said.
CREATE TABLE abuse_rules (
    id text PRIMARY KEY,
    effect text NOT NULL CHECK (effect IN ('block', 'allow', 'flag')),
    subject text NOT NULL CHECK (subject IN ('domain', 'range', 'address')),
    value text NOT NULL,
    address_hash blob,
    note text NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    ended_at datetime
);
CREATE INDEX abuse_rules_by_time ON abuse_rules (created_at, id);

-- Signatures that were taken out of the count together, by a condition, and perhaps put back.
CREATE TABLE invalidations (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    condition text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'reverting', 'reverted')),
    matched integer NOT NULL,
    done_count integer NOT NULL,
    reverted_count integer NOT NULL,
    created_by text,
    reverted_by text,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    finished_at datetime,
    reverted_at datetime
);
CREATE INDEX invalidations_by_petition ON invalidations (petition_id, created_at);

-- A petition given to its decision maker.
CREATE TABLE handovers (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    handed_at datetime NOT NULL,
    recipient text NOT NULL,
    handed_by text NOT NULL,
    note text NOT NULL,
    picture_id text REFERENCES files (id),
    picture_alt text NOT NULL,
    signature_count integer NOT NULL,
    paper_count integer NOT NULL,
    created_by text,
    created_at datetime NOT NULL
);
CREATE INDEX handovers_by_petition ON handovers (petition_id, handed_at);

-- What is handed over, made as one file.
CREATE TABLE petition_packs (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    options text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    signature_count integer NOT NULL,
    manifest text NOT NULL,
    file_id text REFERENCES files (id),
    message text NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    finished_at datetime
);
CREATE INDEX petition_packs_by_petition ON petition_packs (petition_id, created_at);

-- Who decides may want a mail every so many signatures.
CREATE TABLE petition_digests (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    every integer NOT NULL CHECK (every >= 0),
    last_count integer NOT NULL,
    before_count integer NOT NULL,
    last_at datetime,
    stopped_at datetime,
    created_by text,
    created_at datetime NOT NULL,
    UNIQUE (petition_id, mailbox_id)
);
CREATE INDEX petition_digests_by_mailbox ON petition_digests (mailbox_id);

-- An update can be asked to go out by mail; somebody with the right to send says yes or no.
ALTER TABLE posts ADD COLUMN mail_state text NOT NULL DEFAULT '' CHECK (mail_state IN ('', 'asked', 'sent', 'declined'));
ALTER TABLE posts ADD COLUMN mailing_id text REFERENCES mailings (id);

-- Reviewers can be away; the organisation says how long a review may take.
ALTER TABLE users ADD COLUMN away_until datetime;
ALTER TABLE organisations ADD COLUMN review_near_hours integer NOT NULL DEFAULT 72 CHECK (review_near_hours >= 0);
ALTER TABLE organisations ADD COLUMN review_due_hours integer NOT NULL DEFAULT 120 CHECK (review_due_hours >= 0);

-- Two people may share a mailbox. A signature may say in which role, who brought it, and why it waits to be looked at. SQLite
-- drops a UNIQUE by making the table anew.
CREATE TABLE signatures_new (
    id text PRIMARY KEY,
    petition_id text NOT NULL REFERENCES petitions (id),
    mailbox_id text REFERENCES mailboxes (id),
    seat integer NOT NULL DEFAULT 0 CHECK (seat IN (0, 1)),
    state text NOT NULL CHECK (state IN ('pending', 'confirmed', 'suspect', 'withdrawn', 'invalidated')),
    given_name_sealed blob,
    family_name_sealed blob,
    role_sealed blob,
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
    recruited_by text,
    client_hash blob,
    inbox_hash blob,
    proof_hash blob,
    flag text NOT NULL DEFAULT '',
    suspect_reason text NOT NULL DEFAULT '',
    code_tries integer NOT NULL,
    number integer NOT NULL,
    reminders integer NOT NULL DEFAULT 0,
    reminded_at datetime,
    created_at datetime NOT NULL,
    confirmed_at datetime,
    withdrawn_at datetime,
    edited_at datetime,
    invalidation_id text REFERENCES invalidations (id),
    invalidated_at datetime,
    expires_at datetime NOT NULL,
    UNIQUE (petition_id, mailbox_id, seat)
);
INSERT INTO signatures_new (id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_sealed, comment_state, comment_shown, wants_updates, consent_text_id, locale, source, code_tries, number, created_at, confirmed_at, withdrawn_at, expires_at)
SELECT id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_sealed, comment_state, comment_shown, wants_updates, consent_text_id, locale, source, code_tries, number, created_at, confirmed_at, withdrawn_at, expires_at
FROM signatures;
DROP TABLE signatures;
ALTER TABLE signatures_new RENAME TO signatures;
CREATE INDEX signatures_confirmed ON signatures (petition_id, confirmed_at, id, mailbox_id) WHERE state = 'confirmed';
CREATE INDEX signatures_pending ON signatures (expires_at) WHERE confirmed_at IS NULL AND state IN ('pending', 'suspect');
CREATE INDEX signatures_comments ON signatures (petition_id, created_at, id) WHERE comment_state = 'waiting' AND state = 'confirmed';
CREATE INDEX signatures_comments_shown ON signatures (petition_id, confirmed_at, id) WHERE comment_state = 'shown' AND state = 'confirmed';
CREATE INDEX signatures_by_area ON signatures (petition_id, postal_area) WHERE state = 'confirmed';
CREATE INDEX signatures_by_mailbox ON signatures (mailbox_id, state, confirmed_at, petition_id);
CREATE INDEX signatures_withdrawn ON signatures (withdrawn_at) WHERE state = 'withdrawn' AND given_name_sealed IS NOT NULL;
CREATE INDEX signatures_by_client ON signatures (petition_id, client_hash, created_at) WHERE client_hash IS NOT NULL;
CREATE INDEX signatures_by_inbox ON signatures (petition_id, inbox_hash) WHERE inbox_hash IS NOT NULL;
CREATE INDEX signatures_by_proof ON signatures (proof_hash) WHERE proof_hash IS NOT NULL;
CREATE INDEX signatures_suspect ON signatures (petition_id, confirmed_at, id) WHERE state = 'suspect' AND confirmed_at IS NOT NULL;
CREATE INDEX signatures_invalidated ON signatures (invalidation_id, id) WHERE invalidation_id IS NOT NULL;
CREATE INDEX signatures_recruited ON signatures (recruited_by) WHERE recruited_by IS NOT NULL;

-- Words of petitions, for "is there one like it already?". No language's own rules: people write in many.
CREATE VIRTUAL TABLE petition_words USING fts5 (id UNINDEXED, title, summary, decider, place, tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO petition_words (id, title, summary, decider, place) SELECT id, title, summary, decider, place FROM petitions;
-- +goose StatementBegin
CREATE TRIGGER petition_words_new AFTER INSERT ON petitions BEGIN
    INSERT INTO petition_words (id, title, summary, decider, place) VALUES (new.id, new.title, new.summary, new.decider, new.place);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER petition_words_changed AFTER UPDATE OF title, summary, decider, place ON petitions BEGIN
    DELETE FROM petition_words WHERE id = old.id;
    INSERT INTO petition_words (id, title, summary, decider, place) VALUES (new.id, new.title, new.summary, new.decider, new.place);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER petition_words_gone AFTER DELETE ON petitions BEGIN
    DELETE FROM petition_words WHERE id = old.id;
END;
-- +goose StatementEnd

-- From now on a reason says why a petition is paused or hidden too: what was said before it was published is over.
UPDATE petitions SET return_reason = '', return_text = '' WHERE published_at IS NOT NULL;

INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'source', source, COUNT(*), COUNT(*) FILTER (WHERE state = 'confirmed') FROM signatures GROUP BY petition_id, source;
INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'place', postal_area, COUNT(*), COUNT(*) FILTER (WHERE state = 'confirmed') FROM signatures GROUP BY petition_id, postal_area;
INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'hour', hour, SUM(signed), SUM(confirmed) FROM (
    SELECT petition_id, replace(substr(created_at, 1, 13), ' ', 'T') AS hour, COUNT(*) AS signed, 0 AS confirmed FROM signatures GROUP BY 1, 2
    UNION ALL
    SELECT petition_id, replace(substr(confirmed_at, 1, 13), ' ', 'T'), 0, COUNT(*) FROM signatures WHERE state = 'confirmed' AND confirmed_at IS NOT NULL GROUP BY 1, 2
) GROUP BY petition_id, hour;
