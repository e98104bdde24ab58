-- +goose Up
-- Writing mailings: several subjects, versions by language, what was saved before, templates, pictures, a copy on the site, and a
-- second person's yes.

ALTER TABLE mailings ADD COLUMN format text NOT NULL DEFAULT '' CHECK (format IN ('', 'html'));
ALTER TABLE mailings ADD COLUMN plain text NOT NULL DEFAULT '';
ALTER TABLE mailings ADD COLUMN variants text NOT NULL DEFAULT '';
ALTER TABLE mailings ADD COLUMN names_cause boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN public boolean NOT NULL DEFAULT false;
ALTER TABLE mailings ADD COLUMN slug text NOT NULL DEFAULT '';
ALTER TABLE mailings ADD COLUMN edited_by uuid;
ALTER TABLE mailings ADD COLUMN approval_asked_at timestamptz;
ALTER TABLE mailings ADD COLUMN approved_at timestamptz;
ALTER TABLE mailings ADD COLUMN approved_by uuid;
ALTER TABLE mailings ADD COLUMN approved_revision integer NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX mailings_by_slug ON mailings (slug) WHERE slug <> '';
CREATE INDEX mailings_public ON mailings (frozen_at, id) WHERE public;

ALTER TABLE organisations ADD COLUMN health_words text NOT NULL DEFAULT '';

-- What a mailing says in a further language. Its first language stands in the mailing.
CREATE TABLE mailing_texts (
    id uuid PRIMARY KEY,
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    locale text NOT NULL,
    format text NOT NULL CHECK (format IN ('', 'html')),
    subject text NOT NULL,
    preheader text NOT NULL,
    variants text NOT NULL,
    body text NOT NULL,
    plain text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (mailing_id, locale)
);

-- What a mailing said before.
CREATE TABLE mailing_revisions (
    id uuid PRIMARY KEY,
    mailing_id uuid NOT NULL REFERENCES mailings (id),
    revision integer NOT NULL,
    by_hand boolean NOT NULL,
    content text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    UNIQUE (mailing_id, revision)
);

CREATE TABLE mail_templates (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    chapter_id uuid REFERENCES chapters (id),
    content text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX mail_templates_by_chapter ON mail_templates (chapter_id);

CREATE TABLE mail_pictures (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    chapter_id uuid REFERENCES chapters (id),
    file_id uuid NOT NULL UNIQUE REFERENCES files (id),
    width integer NOT NULL,
    height integer NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX mail_pictures_by_time ON mail_pictures (created_at, id);
