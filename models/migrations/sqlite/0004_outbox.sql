-- +goose Up
-- The outbox of large mailings: what waits of a mailing is found by the mailing, so that a million rows of one that is paused are
-- nobody's way; and rates are counted where all nodes see them.
ALTER TABLE deliveries ADD COLUMN variant integer NOT NULL DEFAULT 0;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (priority, not_before, id) WHERE mailing_id IS NULL AND state IN ('queued', 'deferred');
CREATE INDEX deliveries_due_of ON deliveries (mailing_id, not_before, id) WHERE mailing_id IS NOT NULL AND state IN ('queued', 'deferred');
CREATE INDEX deliveries_expiring ON deliveries (expires_at) WHERE expires_at IS NOT NULL AND state IN ('queued', 'deferred');

-- What was begun lately under a limit: counts by slices of its time, as JSON.
CREATE TABLE mail_rates (
    key text PRIMARY KEY,
    slices text NOT NULL,
    updated_at datetime NOT NULL
);
CREATE INDEX mail_rates_by_time ON mail_rates (updated_at);

-- The processes that send, so that they share connections.
CREATE TABLE mail_nodes (
    node text PRIMARY KEY,
    lease_until datetime NOT NULL,
    members integer NOT NULL
);
