-- +goose Up
-- The keys that sign mail (DKIM), what DNS last said about the domain that mail comes from, and how fast and when mail goes out.

-- A key signs once its public half was found in DNS, and rests once another one signs in its place.
CREATE TABLE mail_keys (
    id uuid PRIMARY KEY,
    domain text NOT NULL,
    selector text NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    public_key text NOT NULL,
    private_sealed bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'signing', 'resting')),
    created_by uuid,
    created_at timestamptz NOT NULL,
    signing_at timestamptz,
    resting_at timestamptz,
    UNIQUE (domain, selector)
);

-- The latest look at DNS for each domain. report is JSON.
CREATE TABLE domain_checks (
    domain text PRIMARY KEY,
    report text NOT NULL,
    checked_at timestamptz NOT NULL
);

-- One row. limits is JSON; sends_from are the addresses of the machines that hand mail to the world, as far as somebody said.
CREATE TABLE sending_limits (
    id uuid PRIMARY KEY,
    limits text NOT NULL,
    sends_from text NOT NULL,
    updated_by uuid,
    updated_at timestamptz NOT NULL
);
