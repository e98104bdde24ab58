-- +goose Up
-- A process that sends takes a delivery by beginning it: nothing is claimed before that.
UPDATE deliveries SET state = 'queued', lease_until = NULL, node = '' WHERE state = 'claimed';
