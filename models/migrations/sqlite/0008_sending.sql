-- +goose Up
-- The keys that sign mail (DKIM), what DNS last said about the domain that mail comes from, and how fast and when mail goes out.

-- A key signs once its public half was found in DNS, and rests once another one signs in its place.
CREATE TABLE mail_keys (
    id text PRIMARY KEY,
    domain text NOT NULL,
    selector text NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    public_key text NOT NULL,
    private_sealed blob NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'signing', 'resting')),
    created_by text,
    created_at datetime NOT NULL,
    signing_at datetime,
    resting_at datetime,
    UNIQUE (domain, selector)
);

-- The latest look at DNS for each domain. report is JSON.
CREATE TABLE domain_checks (
    domain text PRIMARY KEY,
    report text NOT NULL,
    checked_at datetime NOT NULL
);

-- One row. limits is JSON; sends_from are the addresses of the machines that hand mail to the world, as far as somebody said.
CREATE TABLE sending_limits (
    id text PRIMARY KEY,
    limits text NOT NULL,
    sends_from text NOT NULL,
    updated_by text,
    updated_at datetime NOT NULL
);
