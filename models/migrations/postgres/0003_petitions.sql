-- +goose Up
-- Petitions from a first sentence to a decision: who starts them, what they say in other languages and where it is from, how
-- they are reviewed and changed, how signing is guarded, what is counted, and how they end.

ALTER TABLE petitions ADD COLUMN picture_alt text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN district_kind text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN claimed_by uuid REFERENCES users (id);
ALTER TABLE petitions ADD COLUMN claimed_at timestamptz;
ALTER TABLE petitions ADD COLUMN suspect_count integer NOT NULL DEFAULT 0 CHECK (suspect_count >= 0);
ALTER TABLE petitions ADD COLUMN paper_count integer NOT NULL DEFAULT 0 CHECK (paper_count >= 0);
ALTER TABLE petitions ADD COLUMN response_from text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN response_text text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN responded_at timestamptz;
ALTER TABLE petitions ADD COLUMN outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'won', 'partly', 'lost'));
ALTER TABLE petitions ADD COLUMN outcome_text text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN answered_at timestamptz;
ALTER TABLE petitions ADD COLUMN outcome_told_at timestamptz;
ALTER TABLE petitions ADD COLUMN outcome_told_after uuid;
ALTER TABLE petitions ADD COLUMN outcome_told_count integer NOT NULL DEFAULT 0;
ALTER TABLE petitions ADD COLUMN outcome_told_done_at timestamptz;
ALTER TABLE petitions ADD COLUMN breaker_at timestamptz;
ALTER TABLE petitions ADD COLUMN pressure_until timestamptz;
ALTER TABLE petitions ADD COLUMN edited_at timestamptz;
ALTER TABLE petitions ADD COLUMN proposed_edit text NOT NULL DEFAULT '';
ALTER TABLE petitions ADD COLUMN proposed_at timestamptz;

-- Who starts a petition without an account: one leads, others may join. They prove their address by a mailed link.
CREATE TABLE petition_starters (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    lead boolean NOT NULL,
    name_sealed bytea,
    shown_name text NOT NULL,
    locale text NOT NULL,
    code_tries integer NOT NULL,
    invited_by uuid,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    UNIQUE (petition_id, mailbox_id)
);
CREATE INDEX petition_starters_by_mailbox ON petition_starters (mailbox_id);
CREATE INDEX petition_starters_unconfirmed ON petition_starters (created_at) WHERE confirmed_at IS NULL;

-- What a petition says in a further language. Its own language stands in the petition.
CREATE TABLE petition_texts (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    locale text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    decider text NOT NULL,
    why_now text NOT NULL,
    system_change text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (petition_id, locale)
);

-- What a petition states as a fact, and where that is from.
CREATE TABLE petition_claims (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    position integer NOT NULL,
    claim text NOT NULL,
    source_title text NOT NULL,
    source_url text NOT NULL,
    UNIQUE (petition_id, position)
);

-- What a public petition said before it was changed. before is JSON: field and old text.
CREATE TABLE petition_edits (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    before text NOT NULL,
    reason text NOT NULL,
    signature_count integer NOT NULL,
    edited_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX petition_edits_by_petition ON petition_edits (petition_id, created_at);

-- Counts below those of a petition, moved in the transaction of what they count: by hour, source, postal area, role.
CREATE TABLE petition_tallies (
    petition_id uuid NOT NULL REFERENCES petitions (id),
    kind text NOT NULL,
    name text NOT NULL,
    signed integer NOT NULL,
    confirmed integer NOT NULL,
    PRIMARY KEY (petition_id, kind, name)
);

-- What happens when so many have signed.
CREATE TABLE petition_thresholds (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    count integer NOT NULL CHECK (count > 0),
    effect text NOT NULL CHECK (effect IN ('tell', 'goal', 'close')),
    next_goal integer NOT NULL,
    goal_before integer NOT NULL,
    reached_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (petition_id, count, effect)
);

-- Signatures on paper: totals, never people.
CREATE TABLE paper_counts (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    division_id uuid REFERENCES divisions (id),
    count integer NOT NULL CHECK (count > 0),
    note text NOT NULL,
    collected_at timestamptz NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE INDEX paper_counts_by_petition ON paper_counts (petition_id, created_at);

-- Times at which many sign from one place, as at an event: the limit by device address rests. Without a petition: for all.
CREATE TABLE signing_windows (
    id uuid PRIMARY KEY,
    petition_id uuid REFERENCES petitions (id),
    note text NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX signing_windows_by_time ON signing_windows (until_at);

-- Mail domains, device address ranges and single addresses that are held back, or let through whatever else is said.
CREATE TABLE abuse_rules (
    id uuid PRIMARY KEY,
    effect text NOT NULL CHECK (effect IN ('block', 'allow', 'flag')),
    subject text NOT NULL CHECK (subject IN ('domain', 'range', 'address')),
    value text NOT NULL,
    address_hash bytea,
    note text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX abuse_rules_by_time ON abuse_rules (created_at, id);

-- Signatures that were taken out of the count together, by a condition, and perhaps put back.
CREATE TABLE invalidations (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    condition text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'reverting', 'reverted')),
    matched integer NOT NULL,
    done_count integer NOT NULL,
    reverted_count integer NOT NULL,
    created_by uuid,
    reverted_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    reverted_at timestamptz
);
CREATE INDEX invalidations_by_petition ON invalidations (petition_id, created_at);

-- A petition given to its decision maker.
CREATE TABLE handovers (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    handed_at timestamptz NOT NULL,
    recipient text NOT NULL,
    handed_by text NOT NULL,
    note text NOT NULL,
    picture_id uuid REFERENCES files (id),
    picture_alt text NOT NULL,
    signature_count integer NOT NULL,
    paper_count integer NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX handovers_by_petition ON handovers (petition_id, handed_at);

-- What is handed over, made as one file.
CREATE TABLE petition_packs (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    options text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    signature_count integer NOT NULL,
    manifest text NOT NULL,
    file_id uuid REFERENCES files (id),
    message text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX petition_packs_by_petition ON petition_packs (petition_id, created_at);

-- Who decides may want a mail every so many signatures.
CREATE TABLE petition_digests (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    every integer NOT NULL CHECK (every >= 0),
    last_count integer NOT NULL,
    before_count integer NOT NULL,
    last_at timestamptz,
    stopped_at timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL,
    UNIQUE (petition_id, mailbox_id)
);
CREATE INDEX petition_digests_by_mailbox ON petition_digests (mailbox_id);

-- An update can be asked to go out by mail; somebody with the right to send says yes or no.
ALTER TABLE posts ADD COLUMN mail_state text NOT NULL DEFAULT '' CHECK (mail_state IN ('', 'asked', 'sent', 'declined'));
ALTER TABLE posts ADD COLUMN mailing_id uuid REFERENCES mailings (id);

-- Reviewers can be away; the organisation says how long a review may take.
ALTER TABLE users ADD COLUMN away_until timestamptz;
ALTER TABLE organisations ADD COLUMN review_near_hours integer NOT NULL DEFAULT 72 CHECK (review_near_hours >= 0);
ALTER TABLE organisations ADD COLUMN review_due_hours integer NOT NULL DEFAULT 120 CHECK (review_due_hours >= 0);

-- Two people may share a mailbox. A signature may say in which role, who brought it, and why it waits to be looked at.
ALTER TABLE signatures ADD COLUMN seat integer NOT NULL DEFAULT 0 CHECK (seat IN (0, 1));
ALTER TABLE signatures ADD COLUMN role_sealed bytea;
ALTER TABLE signatures ADD COLUMN suspect_reason text NOT NULL DEFAULT '';
ALTER TABLE signatures ADD COLUMN client_hash bytea;
ALTER TABLE signatures ADD COLUMN inbox_hash bytea;
ALTER TABLE signatures ADD COLUMN proof_hash bytea;
ALTER TABLE signatures ADD COLUMN flag text NOT NULL DEFAULT '';
ALTER TABLE signatures ADD COLUMN recruited_by uuid;
ALTER TABLE signatures ADD COLUMN reminders integer NOT NULL DEFAULT 0;
ALTER TABLE signatures ADD COLUMN reminded_at timestamptz;
ALTER TABLE signatures ADD COLUMN edited_at timestamptz;
ALTER TABLE signatures ADD COLUMN invalidation_id uuid REFERENCES invalidations (id);
ALTER TABLE signatures ADD COLUMN invalidated_at timestamptz;
ALTER TABLE signatures DROP CONSTRAINT signatures_petition_id_mailbox_id_key;
ALTER TABLE signatures ADD CONSTRAINT signatures_one_a_seat UNIQUE (petition_id, mailbox_id, seat);
CREATE INDEX signatures_by_client ON signatures (petition_id, client_hash, created_at) WHERE client_hash IS NOT NULL;
CREATE INDEX signatures_by_inbox ON signatures (petition_id, inbox_hash) WHERE inbox_hash IS NOT NULL;
CREATE INDEX signatures_by_proof ON signatures (proof_hash) WHERE proof_hash IS NOT NULL;
CREATE INDEX signatures_suspect ON signatures (petition_id, confirmed_at, id) WHERE state = 'suspect' AND confirmed_at IS NOT NULL;
CREATE INDEX signatures_invalidated ON signatures (invalidation_id, id) WHERE invalidation_id IS NOT NULL;
CREATE INDEX signatures_recruited ON signatures (recruited_by) WHERE recruited_by IS NOT NULL;
DROP INDEX signatures_shown; -- who signed without a name is shown too, as a supporter: signatures_confirmed lists them all
DROP INDEX signatures_pending;
CREATE INDEX signatures_pending ON signatures (expires_at) WHERE confirmed_at IS NULL AND state IN ('pending', 'suspect');

-- Words of petitions, for "is there one like it already?". No language's own rules: people write in many.
CREATE INDEX petitions_by_words ON petitions USING gin (to_tsvector('simple', title || ' ' || summary || ' ' || decider || ' ' || place));

-- From now on a reason says why a petition is paused or hidden too: what was said before it was published is over.
UPDATE petitions SET return_reason = '', return_text = '' WHERE published_at IS NOT NULL;

INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'source', source, COUNT(*), COUNT(*) FILTER (WHERE state = 'confirmed') FROM signatures GROUP BY petition_id, source;
INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'place', postal_area, COUNT(*), COUNT(*) FILTER (WHERE state = 'confirmed') FROM signatures GROUP BY petition_id, postal_area;
INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed)
SELECT petition_id, 'hour', hour, SUM(signed), SUM(confirmed) FROM (
    SELECT petition_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') AS hour, COUNT(*) AS signed, 0 AS confirmed FROM signatures GROUP BY 1, 2
    UNION ALL
    SELECT petition_id, to_char(confirmed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'), 0, COUNT(*) FROM signatures WHERE state = 'confirmed' AND confirmed_at IS NOT NULL GROUP BY 1, 2
) AS h GROUP BY petition_id, hour;
