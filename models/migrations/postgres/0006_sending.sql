-- +goose Up
-- Mailings: whom they go to by several segments and topics, when, in which subjects, and what came of them.

ALTER TABLE mailings ADD COLUMN important boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN send_at timestamptz;
ALTER TABLE mailings ADD COLUMN local_hour boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN freeze_at timestamptz;
ALTER TABLE mailings ADD COLUMN expires_at timestamptz;
ALTER TABLE mailings ADD COLUMN test_percent integer NOT NULL DEFAULT 0 CHECK (test_percent BETWEEN 0 AND 100);
ALTER TABLE mailings ADD COLUMN test_minutes integer NOT NULL DEFAULT 0 CHECK (test_minutes >= 0);
ALTER TABLE mailings ADD COLUMN test_by_hand boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN decide_at timestamptz;
ALTER TABLE mailings ADD COLUMN decided_at timestamptz;
ALTER TABLE mailings ADD COLUMN decided_by uuid;
ALTER TABLE mailings ADD COLUMN winner integer NOT NULL DEFAULT 0;
ALTER TABLE mailings ADD COLUMN track_clicks boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN audience text NOT NULL DEFAULT '';
ALTER TABLE mailings ADD COLUMN later_at timestamptz;
CREATE INDEX mailings_scheduled ON mailings (freeze_at) WHERE state = 'scheduled';
CREATE INDEX mailings_undecided ON mailings (decide_at) WHERE decide_at IS NOT NULL AND decided_at IS NULL;

-- Further segments that narrow a mailing, beside mailings.segment_id, and those whose people are left out.
CREATE TABLE mailing_segments (
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    segment_id uuid NOT NULL REFERENCES segments (id),
    excluded boolean NOT NULL,
    PRIMARY KEY (mailing_id, segment_id)
);

-- Further topics of a newsletter, beside mailings.scope_id.
CREATE TABLE mailing_topics (
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    topic_id uuid NOT NULL REFERENCES topics (id),
    PRIMARY KEY (mailing_id, topic_id)
);

-- Links whose clicks are counted: the same for everybody, so that nothing tells who clicked.
CREATE TABLE mailing_links (
    id uuid PRIMARY KEY,
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    number integer NOT NULL,
    url text NOT NULL,
    UNIQUE (mailing_id, url)
);
CREATE TABLE mailing_clicks (
    link_id uuid NOT NULL REFERENCES mailing_links (id),
    day text NOT NULL,
    clicks integer NOT NULL CHECK (clicks >= 0),
    PRIMARY KEY (link_id, day)
);

-- Who left by the link of a mail, or called it spam: by the mail.
CREATE TABLE unsubscribes (
    delivery_id uuid PRIMARY KEY,
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    how text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX unsubscribes_by_mailing ON unsubscribes (mailing_id);

-- At most so many mailings a person in so many days; 0 is no limit.
ALTER TABLE organisations ADD COLUMN mailings_most integer NOT NULL DEFAULT 0 CHECK (mailings_most >= 0);
ALTER TABLE organisations ADD COLUMN mailings_days integer NOT NULL DEFAULT 7 CHECK (mailings_days >= 0);

-- Somebody may want nothing but the few mails that matter most.
ALTER TABLE supporters DROP CONSTRAINT supporters_frequency_check;
ALTER TABLE supporters ADD CONSTRAINT supporters_frequency_check CHECK (frequency IN ('', 'weekly', 'monthly', 'important'));

-- A foreign key asks once for each row: two of them took more than half of the time of freezing a large audience. The trigger that
-- asks for the consent asks for the rest too, once a statement. Mail that needs a consent has a mailbox by that, which nobody
-- deletes while the consent is there; for receipts the mailbox is held as a foreign key holds it.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_mailbox_id_fkey;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_mailing_id_fkey;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION deliveries_need_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused boolean;
BEGIN
    IF EXISTS (SELECT 1 FROM inserted WHERE purpose <> 'receipt') THEN
        EXECUTE 'SELECT EXISTS (
            SELECT 1 FROM inserted d
            WHERE d.purpose <> ''receipt'' AND NOT EXISTS (
                SELECT 1 FROM mailable m
                WHERE m.mailbox_id = d.mailbox_id AND m.purpose = d.purpose AND m.scope_id = d.scope_id))' INTO refused;
        IF refused THEN
            RAISE EXCEPTION 'kithline: no consent for this purpose' USING ERRCODE = 'check_violation', CONSTRAINT = 'deliveries_need_consent';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM inserted WHERE purpose = 'receipt' AND mailbox_id IS NOT NULL) THEN
        EXECUTE 'SELECT (SELECT count(DISTINCT mailbox_id) FROM inserted WHERE purpose = ''receipt'') > (
            SELECT count(*) FROM (SELECT 1 FROM mailboxes m WHERE m.id IN (SELECT mailbox_id FROM inserted WHERE purpose = ''receipt'') FOR KEY SHARE) held)' INTO refused;
        IF refused THEN
            RAISE EXCEPTION 'kithline: a delivery to no mailbox' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'deliveries_mailbox_id_fkey';
        END IF;
    END IF;
    IF EXISTS (SELECT 1 FROM inserted WHERE mailing_id IS NOT NULL) THEN
        EXECUTE 'SELECT EXISTS (
            SELECT 1 FROM (SELECT DISTINCT mailing_id FROM inserted WHERE mailing_id IS NOT NULL) d
            WHERE NOT EXISTS (SELECT 1 FROM mailings m WHERE m.id = d.mailing_id))' INTO refused;
        IF refused THEN
            RAISE EXCEPTION 'kithline: a delivery of no mailing' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'deliveries_mailing_id_fkey';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION deliveries_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (SELECT 1 FROM deleted g JOIN deliveries d ON d.' || TG_ARGV[0] || ' = g.id)' INTO held;
    IF held THEN
        RAISE EXCEPTION 'kithline: deliveries point to it' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'deliveries_' || TG_ARGV[0] || '_fkey';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER mailboxes_held AFTER DELETE ON mailboxes
REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION deliveries_hold('mailbox_id');
CREATE TRIGGER mailings_held AFTER DELETE ON mailings
REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION deliveries_hold('mailing_id');
-- And what it is of never changes, as what it is for.
DROP TRIGGER deliveries_keep_purpose ON deliveries;
CREATE TRIGGER deliveries_keep_purpose BEFORE UPDATE OF purpose, scope_id, mailbox_id, mailing_id ON deliveries FOR EACH ROW
WHEN (OLD.purpose <> NEW.purpose OR OLD.scope_id <> NEW.scope_id OR OLD.mailbox_id <> NEW.mailbox_id OR OLD.mailing_id IS DISTINCT FROM NEW.mailing_id)
EXECUTE FUNCTION deliveries_keep_purpose();
