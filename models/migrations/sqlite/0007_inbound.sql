-- +goose Up
-- Mail that comes back: what it said, what was done about it, where it is read from, which domains refuse us, and why mailboxes are
-- suppressed or are not any more.

-- One for each class of report of a delivery, so that nothing is done twice. No text of a person, no address.
CREATE TABLE inbound_reports (
    id text PRIMARY KEY,
    delivery_id text NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    mailbox_id text REFERENCES mailboxes (id),
    class text NOT NULL CHECK (class IN ('hard', 'soft', 'policy', 'ours', 'delayed', 'delivered', 'complaint', 'auto_reply', 'stop', 'reply', 'unclear')),
    status text NOT NULL,
    diagnostic text NOT NULL,
    source text NOT NULL CHECK (source IN ('imap', 'ses', 'postmark')),
    state text NOT NULL CHECK (state IN ('held', 'done', 'dropped')),
    effect text NOT NULL,
    received_at datetime NOT NULL,
    handled_at datetime,
    UNIQUE (delivery_id, class)
);
CREATE INDEX inbound_reports_by_time ON inbound_reports (received_at, id);
CREATE INDEX inbound_reports_by_mailbox ON inbound_reports (mailbox_id, received_at) WHERE mailbox_id IS NOT NULL;
CREATE INDEX inbound_reports_held ON inbound_reports (received_at, id) WHERE state = 'held';

-- A domain whose servers refuse us, not the people there.
CREATE TABLE domain_troubles (
    id text PRIMARY KEY,
    domain text NOT NULL,
    status text NOT NULL,
    diagnostic text NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    first_at datetime NOT NULL,
    last_at datetime NOT NULL,
    paused_until datetime,
    ended_at datetime,
    ended_by text
);
CREATE UNIQUE INDEX domain_troubles_open ON domain_troubles (domain) WHERE ended_at IS NULL;

-- Where mail that comes back is read: a mailbox, and the webhooks of providers.
CREATE TABLE inbound_sources (
    id text PRIMARY KEY,
    kind text NOT NULL UNIQUE CHECK (kind IN ('imap', 'ses', 'postmark')),
    address text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    tls text NOT NULL,
    username text NOT NULL,
    password_sealed blob,
    folder text NOT NULL,
    afterwards text NOT NULL CHECK (afterwards IN ('', 'seen', 'move', 'delete')),
    move_to text NOT NULL,
    topic text NOT NULL,
    secret_sealed blob,
    reading text NOT NULL,
    validity integer NOT NULL,
    last_uid integer NOT NULL,
    checked_at datetime,
    failed_at datetime,
    failure text NOT NULL,
    created_at datetime NOT NULL,
    updated_at datetime NOT NULL
);

-- Who was put on the list by hand or taken off it, and why.
CREATE TABLE suppression_changes (
    id text PRIMARY KEY,
    mailbox_id text NOT NULL REFERENCES mailboxes (id),
    action text NOT NULL CHECK (action IN ('added', 'lifted')),
    reason text NOT NULL,
    note_sealed blob,
    created_by text,
    created_at datetime NOT NULL
);
CREATE INDEX suppression_changes_by_mailbox ON suppression_changes (mailbox_id, created_at);

CREATE INDEX mailboxes_suppressed ON mailboxes (suppressed_at, id) WHERE suppressed_at IS NOT NULL;
