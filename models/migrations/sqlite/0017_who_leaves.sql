-- +goose Up
-- SQLite lets one write at a time: whoever begins a delivery sees everybody who left before. On PostgreSQL something is to be done.
SELECT 1;
