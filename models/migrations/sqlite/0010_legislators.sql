-- +goose Up
-- Who represents whom: bodies, people, their time in a seat, and how they are reached.

CREATE TABLE jurisdictions (
    id text PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

CREATE TABLE chambers (
    id text PRIMARY KEY,
    jurisdiction_id text NOT NULL REFERENCES jurisdictions (id),
    code text NOT NULL,
    name text NOT NULL,
    member_title text NOT NULL,
    division_kind text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    UNIQUE (jurisdiction_id, code)
);

CREATE TABLE legislators (
    id text PRIMARY KEY,
    source text NOT NULL,
    external_id text NOT NULL,
    name text NOT NULL,
    given_name text NOT NULL,
    family_name text NOT NULL,
    suffix text NOT NULL,
    salutation text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    UNIQUE (source, external_id)
);
CREATE INDEX legislators_by_name ON legislators (family_name, given_name, id);

CREATE TABLE terms (
    id text PRIMARY KEY,
    legislator_id text NOT NULL REFERENCES legislators (id),
    chamber_id text NOT NULL REFERENCES chambers (id),
    ocd_id text NOT NULL,
    division_id text REFERENCES divisions (id),
    district text NOT NULL,
    title text NOT NULL,
    party text NOT NULL,
    seat_rank text NOT NULL,
    valid_from text NOT NULL,
    valid_through text NOT NULL,
    ended_at datetime,
    ended_by_hand boolean NOT NULL,
    version text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX terms_by_legislator ON terms (legislator_id);
CREATE INDEX terms_by_division ON terms (division_id);
CREATE INDEX terms_by_ocd ON terms (ocd_id);
CREATE INDEX terms_by_chamber ON terms (chamber_id);

CREATE TABLE offices (
    id text PRIMARY KEY,
    legislator_id text NOT NULL REFERENCES legislators (id),
    source_key text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    street text NOT NULL,
    city text NOT NULL,
    region text NOT NULL,
    postal_code text NOT NULL,
    country text NOT NULL,
    phone text NOT NULL,
    fax text NOT NULL,
    hours text NOT NULL,
    latitude real,
    longitude real,
    version text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    removed_at datetime
);
CREATE INDEX offices_by_legislator ON offices (legislator_id);

CREATE TABLE channels (
    id text PRIMARY KEY,
    legislator_id text NOT NULL REFERENCES legislators (id),
    office_id text REFERENCES offices (id),
    kind text NOT NULL CHECK (kind IN ('email', 'webform', 'post', 'phone')),
    value text NOT NULL,
    position integer NOT NULL,
    source text NOT NULL,
    bounced_at datetime,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    removed_at datetime
);
CREATE INDEX channels_by_legislator ON channels (legislator_id);

CREATE TABLE committees (
    id text PRIMARY KEY,
    jurisdiction_id text NOT NULL REFERENCES jurisdictions (id),
    chamber_id text REFERENCES chambers (id),
    parent_id text,
    external_id text NOT NULL UNIQUE,
    name text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    removed_at datetime
);

CREATE TABLE committee_members (
    id text PRIMARY KEY,
    committee_id text NOT NULL REFERENCES committees (id),
    legislator_id text NOT NULL REFERENCES legislators (id),
    title text NOT NULL,
    rank integer NOT NULL,
    created_at datetime NOT NULL,
    ended_at datetime,
    UNIQUE (committee_id, legislator_id)
);
CREATE INDEX committee_members_by_legislator ON committee_members (legislator_id);

CREATE TABLE legislator_imports (
    id text PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    checksum text NOT NULL,
    state text NOT NULL CHECK (state IN ('checking', 'checked', 'applying', 'applied', 'failed', 'dropped')),
    file_id text REFERENCES files (id),
    allow_leaving boolean NOT NULL,
    summary text NOT NULL,
    report text NOT NULL,
    message text NOT NULL,
    created_by text,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL,
    finished_at datetime
);

CREATE TABLE legislator_changes (
    id text PRIMARY KEY,
    import_id text REFERENCES legislator_imports (id),
    legislator_id text NOT NULL REFERENCES legislators (id),
    kind text NOT NULL,
    before_text text NOT NULL,
    after_text text NOT NULL,
    created_by text,
    created_at datetime NOT NULL
);
CREATE INDEX legislator_changes_by_import ON legislator_changes (import_id, kind);
CREATE INDEX legislator_changes_by_legislator ON legislator_changes (legislator_id, created_at);

-- Which boundaries may have a point in them, without reading their shapes.
CREATE INDEX boundaries_by_box ON boundaries (south, north, west, east, division_id, updated_at, id);
