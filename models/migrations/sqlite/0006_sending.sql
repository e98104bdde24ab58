-- +goose Up
-- Mailings: whom they go to by several segments and topics, when, in which subjects, and what came of them.

ALTER TABLE mailings ADD COLUMN important boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN send_at datetime;
ALTER TABLE mailings ADD COLUMN local_hour boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN freeze_at datetime;
ALTER TABLE mailings ADD COLUMN expires_at datetime;
ALTER TABLE mailings ADD COLUMN test_percent integer NOT NULL DEFAULT 0 CHECK (test_percent BETWEEN 0 AND 100);
ALTER TABLE mailings ADD COLUMN test_minutes integer NOT NULL DEFAULT 0 CHECK (test_minutes >= 0);
ALTER TABLE mailings ADD COLUMN test_by_hand boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN decide_at datetime;
ALTER TABLE mailings ADD COLUMN decided_at datetime;
ALTER TABLE mailings ADD COLUMN decided_by text;
ALTER TABLE mailings ADD COLUMN winner integer NOT NULL DEFAULT 0;
ALTER TABLE mailings ADD COLUMN track_clicks boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN audience text NOT NULL DEFAULT '';
ALTER TABLE mailings ADD COLUMN later_at datetime;
CREATE INDEX mailings_scheduled ON mailings (freeze_at) WHERE state = 'scheduled';
CREATE INDEX mailings_undecided ON mailings (decide_at) WHERE decide_at IS NOT NULL AND decided_at IS NULL;

-- Further segments that narrow a mailing, beside mailings.segment_id, and those whose people are left out.
CREATE TABLE mailing_segments (
    mailing_id text NOT NULL REFERENCES mailings (id),
    segment_id text NOT NULL REFERENCES segments (id),
    excluded boolean NOT NULL,
    PRIMARY KEY (mailing_id, segment_id)
);

-- Further topics of a newsletter, beside mailings.scope_id.
CREATE TABLE mailing_topics (
    mailing_id text NOT NULL REFERENCES mailings (id),
    topic_id text NOT NULL REFERENCES topics (id),
    PRIMARY KEY (mailing_id, topic_id)
);

-- Links whose clicks are counted: the same for everybody, so that nothing tells who clicked.
CREATE TABLE mailing_links (
    id text PRIMARY KEY,
    mailing_id text NOT NULL REFERENCES mailings (id),
    number integer NOT NULL,
    url text NOT NULL,
    UNIQUE (mailing_id, url)
);
CREATE TABLE mailing_clicks (
    link_id text NOT NULL REFERENCES mailing_links (id),
    day text NOT NULL,
    clicks integer NOT NULL CHECK (clicks >= 0),
    PRIMARY KEY (link_id, day)
);

-- Who left by the link of a mail, or called it spam: by the mail.
CREATE TABLE unsubscribes (
    delivery_id text PRIMARY KEY,
    mailing_id text NOT NULL REFERENCES mailings (id),
    how text NOT NULL,
    created_at datetime NOT NULL
);
CREATE INDEX unsubscribes_by_mailing ON unsubscribes (mailing_id);

-- At most so many mailings a person in so many days; 0 is no limit.
ALTER TABLE organisations ADD COLUMN mailings_most integer NOT NULL DEFAULT 0 CHECK (mailings_most >= 0);
ALTER TABLE organisations ADD COLUMN mailings_days integer NOT NULL DEFAULT 7 CHECK (mailings_days >= 0);

-- Somebody may want nothing but the few mails that matter most.
ALTER TABLE supporters ADD COLUMN frequency_new text NOT NULL DEFAULT '' CHECK (frequency_new IN ('', 'weekly', 'monthly', 'important'));
UPDATE supporters SET frequency_new = frequency WHERE frequency <> '';
ALTER TABLE supporters DROP COLUMN frequency;
ALTER TABLE supporters RENAME COLUMN frequency_new TO frequency;
