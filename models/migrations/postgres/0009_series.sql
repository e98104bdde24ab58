-- +goose Up
-- Series: steps that people go through one after the other, each in their own time.

CREATE TABLE series (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('updates', 'newsletter')),
    scope_id uuid NOT NULL,
    petition_id uuid REFERENCES petitions (id),
    chapter_id uuid REFERENCES chapters (id),
    locale text NOT NULL,
    trigger_kind text NOT NULL CHECK (trigger_kind <> ''),
    trigger_id uuid NOT NULL,
    trigger_date text NOT NULL,
    trigger_days integer NOT NULL,
    lookback_days integer NOT NULL CHECK (lookback_days >= 0),
    again_days integer NOT NULL CHECK (again_days >= 0),
    quiet_from integer NOT NULL CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_until integer NOT NULL CHECK (quiet_until BETWEEN 0 AND 1439),
    state text NOT NULL CHECK (state IN ('draft', 'live', 'paused', 'ended')),
    revision integer NOT NULL,
    behind_seconds bigint NOT NULL CHECK (behind_seconds >= 0),
    since timestamptz,
    scanned_at timestamptz,
    scanned_id uuid NOT NULL,
    swept_at timestamptz,
    live_at timestamptz,
    paused_at timestamptz,
    ended_at timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX series_by_time ON series (created_at, id);
CREATE INDEX series_live ON series (trigger_kind) WHERE state IN ('live', 'paused');

CREATE TABLE series_steps (
    id uuid PRIMARY KEY,
    series_id uuid NOT NULL REFERENCES series (id),
    position integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('wait', 'mail', 'tag', 'untag')),
    wait_amount integer NOT NULL CHECK (wait_amount >= 0),
    wait_unit text NOT NULL CHECK (wait_unit IN ('', 'minutes', 'hours', 'days')),
    until_weekday integer NOT NULL CHECK (until_weekday BETWEEN -1 AND 6),
    until_minute integer NOT NULL CHECK (until_minute BETWEEN -1 AND 1439),
    tag_id uuid REFERENCES tags (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE INDEX series_steps_by_series ON series_steps (series_id, position);

CREATE TABLE series_texts (
    id uuid PRIMARY KEY,
    step_id uuid NOT NULL REFERENCES series_steps (id),
    locale text NOT NULL,
    subject text NOT NULL,
    preheader text NOT NULL,
    body text NOT NULL,
    revision integer NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (step_id, locale)
);

CREATE TABLE series_exits (
    id uuid PRIMARY KEY,
    series_id uuid NOT NULL REFERENCES series (id),
    kind text NOT NULL CHECK (kind IN ('signed', 'tagged', 'acted')),
    object_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (series_id, kind, object_id)
);

-- One row for each series and person: nobody is in two steps at once, and nobody comes in twice unless the series says so.
CREATE TABLE series_people (
    id uuid PRIMARY KEY,
    series_id uuid NOT NULL REFERENCES series (id),
    supporter_id uuid NOT NULL REFERENCES supporters (id),
    step_id uuid REFERENCES series_steps (id),
    state text NOT NULL CHECK (state IN ('active', 'finished', 'left')),
    reason text NOT NULL,
    done text NOT NULL,
    round integer NOT NULL,
    due_at timestamptz NOT NULL,
    arrived_at timestamptz,
    entered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    left_at timestamptz,
    UNIQUE (series_id, supporter_id)
);
CREATE INDEX series_people_due ON series_people (series_id, due_at, id) WHERE state = 'active';
CREATE INDEX series_people_by_supporter ON series_people (supporter_id);

-- The mails of a step are counted by it; only rows of series are in this index.
CREATE INDEX deliveries_by_series ON deliveries (subject_id, state) WHERE kind = 'series';
-- Who got a tag lately is looked for every quarter of a minute.
CREATE INDEX taggings_by_time ON taggings (tag_id, created_at, supporter_id);
-- Who joined the newsletter lately is looked for as often. A signature's yes to updates is not in this index.
CREATE INDEX consents_joined ON consents (scope_id, given_at, id) WHERE purpose = 'newsletter';
