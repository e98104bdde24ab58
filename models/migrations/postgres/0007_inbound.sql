-- +goose Up
-- Mail that comes back: what it said, what was done about it, where it is read from, which domains refuse us, and why mailboxes are
-- suppressed or are not any more.

-- One for each class of report of a delivery, so that nothing is done twice. No text of a person, no address.
CREATE TABLE inbound_reports (
    id uuid PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    mailbox_id uuid REFERENCES mailboxes (id),
    class text NOT NULL CHECK (class IN ('hard', 'soft', 'policy', 'ours', 'delayed', 'delivered', 'complaint', 'auto_reply', 'stop', 'reply', 'unclear')),
    status text NOT NULL,
    diagnostic text NOT NULL,
    source text NOT NULL CHECK (source IN ('imap', 'ses', 'postmark')),
    state text NOT NULL CHECK (state IN ('held', 'done', 'dropped')),
    effect text NOT NULL,
    received_at timestamptz NOT NULL,
    handled_at timestamptz,
    UNIQUE (delivery_id, class)
);
CREATE INDEX inbound_reports_by_time ON inbound_reports (received_at, id);
CREATE INDEX inbound_reports_by_mailbox ON inbound_reports (mailbox_id, received_at) WHERE mailbox_id IS NOT NULL;
CREATE INDEX inbound_reports_held ON inbound_reports (received_at, id) WHERE state = 'held';

-- A domain whose servers refuse us, not the people there.
CREATE TABLE domain_troubles (
    id uuid PRIMARY KEY,
    domain text NOT NULL,
    status text NOT NULL,
    diagnostic text NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    paused_until timestamptz,
    ended_at timestamptz,
    ended_by uuid
);
CREATE UNIQUE INDEX domain_troubles_open ON domain_troubles (domain) WHERE ended_at IS NULL;

-- Where mail that comes back is read: a mailbox, and the webhooks of providers.
CREATE TABLE inbound_sources (
    id uuid PRIMARY KEY,
    kind text NOT NULL UNIQUE CHECK (kind IN ('imap', 'ses', 'postmark')),
    address text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    tls text NOT NULL,
    username text NOT NULL,
    password_sealed bytea,
    folder text NOT NULL,
    afterwards text NOT NULL CHECK (afterwards IN ('', 'seen', 'move', 'delete')),
    move_to text NOT NULL,
    topic text NOT NULL,
    secret_sealed bytea,
    reading text NOT NULL,
    validity bigint NOT NULL,
    last_uid bigint NOT NULL,
    checked_at timestamptz,
    failed_at timestamptz,
    failure text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Who was put on the list by hand or taken off it, and why.
CREATE TABLE suppression_changes (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    action text NOT NULL CHECK (action IN ('added', 'lifted')),
    reason text NOT NULL,
    note_sealed bytea,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX suppression_changes_by_mailbox ON suppression_changes (mailbox_id, created_at);

CREATE INDEX mailboxes_suppressed ON mailboxes (suppressed_at, id) WHERE suppressed_at IS NOT NULL;
