-- +goose Up
-- A delivery changes its state four times within a second: waiting, claimed, on the wire, sent. No index has the state in it, but whether
-- the delivery is over, which changes once.
ALTER TABLE deliveries ADD COLUMN ended boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('queued', 'claimed', 'sending', 'deferred')) VIRTUAL;
DROP INDEX deliveries_due;
DROP INDEX deliveries_due_of;
DROP INDEX deliveries_expiring;
DROP INDEX deliveries_leased;
DROP INDEX deliveries_by_mailing;
DROP INDEX deliveries_mailed;
DROP INDEX deliveries_by_series;
CREATE INDEX deliveries_due ON deliveries (priority, not_before, id) WHERE mailing_id IS NULL AND ended = FALSE;
CREATE INDEX deliveries_by_mailing ON deliveries (mailing_id, ended, not_before, id) WHERE mailing_id IS NOT NULL;
-- All that is not over: what expires of it, and what a process that died held.
CREATE INDEX deliveries_open ON deliveries (expires_at) WHERE ended = FALSE;
CREATE INDEX deliveries_mailed ON deliveries (sent_at, mailbox_id) WHERE mailing_id IS NOT NULL AND sent_at IS NOT NULL;
CREATE INDEX deliveries_by_series ON deliveries (subject_id) WHERE kind = 'series';
