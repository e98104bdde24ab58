-- +goose Up
CREATE TABLE organisations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    short_name text NOT NULL,
    legal_name text NOT NULL,
    postal_address text NOT NULL,
    phone text NOT NULL,
    from_name text NOT NULL,
    from_address text NOT NULL,
    reply_to text NOT NULL,
    time_zone text NOT NULL,
    languages text NOT NULL,
    accent text NOT NULL,
    crisis_line text NOT NULL,
    minimum_age text NOT NULL,
    smtp_host text NOT NULL,
    smtp_port integer NOT NULL,
    smtp_tls text NOT NULL,
    smtp_username text NOT NULL,
    smtp_password_sealed bytea,
    setup_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE site_texts (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    locale text NOT NULL,
    body text NOT NULL,
    updated_by uuid,
    updated_at timestamptz NOT NULL,
    UNIQUE (name, locale)
);

CREATE TABLE vault_checks (
    id integer PRIMARY KEY CHECK (id = 1),
    key_id text NOT NULL,
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE audit_entries (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    object text NOT NULL,
    object_id uuid,
    details text NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX audit_entries_by_time ON audit_entries (at, id);
CREATE INDEX audit_entries_by_object ON audit_entries (object_id);

CREATE TABLE supporters (
    id uuid PRIMARY KEY,
    given_name_sealed bytea,
    family_name_sealed bytea,
    phone_sealed bytea,
    postal_area text NOT NULL,
    country text NOT NULL,
    locale text NOT NULL,
    source text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX supporters_by_time ON supporters (created_at, id);
CREATE INDEX supporters_by_change ON supporters (updated_at);

CREATE TABLE mailboxes (
    id uuid PRIMARY KEY,
    address_hash bytea NOT NULL UNIQUE,
    address_sealed bytea,
    domain text NOT NULL,
    verified_at timestamptz,
    suppressed_at timestamptz,
    suppressed_reason text NOT NULL,
    supporter_id uuid REFERENCES supporters (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX mailboxes_by_supporter ON mailboxes (supporter_id);

CREATE TABLE consent_texts (
    id uuid PRIMARY KEY,
    purpose text NOT NULL,
    locale text NOT NULL,
    version integer NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (purpose, locale, version)
);

CREATE TABLE consents (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    purpose text NOT NULL CHECK (purpose <> 'receipt'),
    scope_id uuid NOT NULL,
    text_id uuid NOT NULL REFERENCES consent_texts (id),
    locale text NOT NULL,
    shown_at timestamptz NOT NULL,
    given_at timestamptz NOT NULL,
    source text NOT NULL,
    how text NOT NULL,
    evidence_id uuid,
    withdrawn_at timestamptz,
    withdrawn_how text NOT NULL
);
CREATE UNIQUE INDEX consents_in_force ON consents (mailbox_id, purpose, scope_id) WHERE withdrawn_at IS NULL;
CREATE INDEX consents_by_mailbox ON consents (mailbox_id);
CREATE INDEX consents_by_purpose ON consents (purpose, scope_id, mailbox_id);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL UNIQUE REFERENCES mailboxes (id),
    name_sealed bytea,
    role text NOT NULL CHECK (role IN ('owner', 'organizer', 'advocate', 'coordinator', 'viewer')),
    password_hash text NOT NULL,
    locale text NOT NULL,
    password_changed_at timestamptz,
    disabled_at timestamptz,
    last_login_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    role text NOT NULL,
    invited_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX invitations_by_mailbox ON invitations (mailbox_id);

CREATE TABLE login_links (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX login_links_by_user ON login_links (user_id);

CREATE TABLE login_failures (
    id uuid PRIMARY KEY,
    key_hash bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX login_failures_by_key ON login_failures (key_hash, at);

CREATE TABLE files (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    name_sealed bytea,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    store_key text NOT NULL UNIQUE,
    public boolean NOT NULL,
    state text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX files_by_time ON files (kind, created_at, id);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE campaigns (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    ask text NOT NULL,
    decider text NOT NULL,
    why_now text NOT NULL,
    system_change text NOT NULL,
    deadline timestamptz,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'archived')),
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX campaigns_by_time ON campaigns (created_at, id);

CREATE TABLE petitions (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns (id),
    slug text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'submitted', 'returned', 'published', 'closed', 'handed_over', 'answered', 'hidden', 'withdrawn')),
    title text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL,
    decider text NOT NULL,
    why_now text NOT NULL,
    system_change text NOT NULL,
    place text NOT NULL,
    goal integer NOT NULL,
    locale text NOT NULL,
    picture_id uuid REFERENCES files (id),
    author_id uuid REFERENCES users (id),
    revision integer NOT NULL,
    pending_count integer NOT NULL CHECK (pending_count >= 0),
    signature_count integer NOT NULL CHECK (signature_count >= 0),
    submitted_at timestamptz,
    published_at timestamptz,
    paused_at timestamptz,
    returned_at timestamptz,
    return_reason text NOT NULL,
    return_text text NOT NULL,
    reviewed_by uuid,
    deadline_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX petitions_by_campaign ON petitions (campaign_id);
CREATE INDEX petitions_by_time ON petitions (created_at, id);
CREATE INDEX petitions_by_author ON petitions (author_id);

CREATE TABLE signatures (
    id uuid PRIMARY KEY,
    petition_id uuid NOT NULL REFERENCES petitions (id),
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    state text NOT NULL CHECK (state IN ('pending', 'confirmed', 'suspect', 'withdrawn', 'invalidated')),
    given_name_sealed bytea,
    family_name_sealed bytea,
    postal_area text NOT NULL,
    display text NOT NULL CHECK (display IN ('name', 'initials', 'anonymous')),
    display_name text NOT NULL,
    comment_sealed bytea,
    comment_state text NOT NULL CHECK (comment_state IN ('', 'waiting', 'shown', 'hidden')),
    comment_shown text NOT NULL,
    wants_updates boolean NOT NULL,
    consent_text_id uuid REFERENCES consent_texts (id),
    locale text NOT NULL,
    source text NOT NULL,
    code_tries integer NOT NULL,
    number integer NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    withdrawn_at timestamptz,
    expires_at timestamptz NOT NULL,
    UNIQUE (petition_id, mailbox_id)
);
CREATE INDEX signatures_confirmed ON signatures (petition_id, confirmed_at, id) WHERE state = 'confirmed';
CREATE INDEX signatures_shown ON signatures (petition_id, confirmed_at, id) WHERE state = 'confirmed' AND display <> 'anonymous';
CREATE INDEX signatures_pending ON signatures (expires_at) WHERE state = 'pending';
CREATE INDEX signatures_comments ON signatures (petition_id, created_at, id) WHERE comment_state = 'waiting' AND state = 'confirmed';
CREATE INDEX signatures_comments_shown ON signatures (petition_id, confirmed_at, id) WHERE comment_state = 'shown' AND state = 'confirmed';
CREATE INDEX signatures_by_area ON signatures (petition_id, postal_area) WHERE state = 'confirmed';
CREATE INDEX signatures_by_mailbox ON signatures (mailbox_id);

CREATE TABLE posts (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns (id),
    petition_id uuid REFERENCES petitions (id),
    kind text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    author_id uuid REFERENCES users (id),
    published_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX posts_by_petition ON posts (petition_id, published_at);

CREATE TABLE mailings (
    id uuid PRIMARY KEY,
    campaign_id uuid REFERENCES campaigns (id),
    petition_id uuid REFERENCES petitions (id),
    purpose text NOT NULL CHECK (purpose <> 'receipt'),
    scope_id uuid NOT NULL,
    subject text NOT NULL,
    preheader text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'scheduled', 'freezing', 'sending', 'paused', 'finished', 'cancelled', 'stopped')),
    revision integer NOT NULL,
    audience_count integer NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    frozen_at timestamptz,
    finished_at timestamptz,
    paused_at timestamptz,
    paused_reason text NOT NULL
);
CREATE INDEX mailings_by_time ON mailings (created_at, id);

CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    mailbox_id uuid NOT NULL REFERENCES mailboxes (id),
    subject_id uuid NOT NULL,
    mailing_id uuid REFERENCES mailings (id),
    purpose text NOT NULL,
    scope_id uuid NOT NULL,
    dedupe_key text NOT NULL UNIQUE,
    priority integer NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'claimed', 'sending', 'sent', 'deferred', 'failed', 'suppressed', 'expired', 'unknown')),
    on_unknown text NOT NULL CHECK (on_unknown IN ('resend', 'park')),
    attempt integer NOT NULL,
    deferrals integer NOT NULL,
    not_before timestamptz NOT NULL,
    lease_until timestamptz,
    node text NOT NULL,
    expires_at timestamptz,
    reply_code integer NOT NULL,
    reply text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX deliveries_due ON deliveries (priority, not_before, id) WHERE state IN ('queued', 'deferred');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state IN ('claimed', 'sending');
CREATE INDEX deliveries_by_mailing ON deliveries (mailing_id, state) WHERE mailing_id IS NOT NULL;
CREATE INDEX deliveries_by_mailbox ON deliveries (mailbox_id, created_at);

CREATE TABLE imports (
    id uuid PRIMARY KEY,
    file_id uuid REFERENCES files (id),
    run integer NOT NULL,
    state text NOT NULL CHECK (state IN ('uploaded', 'running', 'finished', 'failed')),
    dry_run boolean NOT NULL,
    mapping text NOT NULL,
    basis_purpose text NOT NULL,
    basis_scope_id uuid NOT NULL,
    basis_text text NOT NULL,
    basis_source text NOT NULL,
    basis_text_id uuid REFERENCES consent_texts (id),
    locale text NOT NULL,
    rows_total integer NOT NULL,
    rows_done integer NOT NULL,
    new_count integer NOT NULL,
    updated_count integer NOT NULL,
    unchanged_count integer NOT NULL,
    suppressed_count integer NOT NULL,
    skipped_count integer NOT NULL,
    consent_count integer NOT NULL,
    held_count integer NOT NULL,
    error_file_id uuid REFERENCES files (id),
    message text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX imports_by_time ON imports (created_at, id);

-- The one answer to "who may be mailed for what": campaigns/deliveries and every audience read it.
CREATE VIEW mailable AS
SELECT c.mailbox_id, c.purpose, c.scope_id
FROM consents c
JOIN mailboxes m ON m.id = c.mailbox_id
WHERE c.withdrawn_at IS NULL AND m.suppressed_at IS NULL AND m.address_sealed IS NOT NULL;

-- A delivery that is not a receipt needs a consent for its purpose, whichever code inserts it. Checked once a statement,
-- so that freezing a large audience stays one set operation; planned anew each time, since a plan that was made when the
-- tables were empty takes minutes once they are full.
-- +goose StatementBegin
CREATE FUNCTION deliveries_need_consent() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER deliveries_need_consent AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION deliveries_need_consent();

-- What a delivery is for, and whom it goes to, never changes.
-- +goose StatementBegin
CREATE FUNCTION deliveries_keep_purpose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'kithline: the purpose of a delivery never changes' USING ERRCODE = 'check_violation', CONSTRAINT = 'deliveries_keep_purpose';
END $$;
-- +goose StatementEnd
CREATE TRIGGER deliveries_keep_purpose BEFORE UPDATE OF purpose, scope_id, mailbox_id ON deliveries FOR EACH ROW
WHEN (OLD.purpose <> NEW.purpose OR OLD.scope_id <> NEW.scope_id OR OLD.mailbox_id <> NEW.mailbox_id)
EXECUTE FUNCTION deliveries_keep_purpose();

-- Consents are append-only: the one change a row may see is its withdrawal.
-- +goose StatementBegin
CREATE FUNCTION consents_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'kithline: a consent can only be withdrawn' USING ERRCODE = 'check_violation', CONSTRAINT = 'consents_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER consents_append_only BEFORE UPDATE ON consents FOR EACH ROW
WHEN (OLD.withdrawn_at IS NOT NULL
    OR (OLD.id, OLD.mailbox_id, OLD.purpose, OLD.scope_id, OLD.text_id, OLD.locale, OLD.shown_at, OLD.given_at, OLD.source, OLD.how, OLD.evidence_id)
    IS DISTINCT FROM (NEW.id, NEW.mailbox_id, NEW.purpose, NEW.scope_id, NEW.text_id, NEW.locale, NEW.shown_at, NEW.given_at, NEW.source, NEW.how, NEW.evidence_id))
EXECUTE FUNCTION consents_append_only();
CREATE TRIGGER consent_texts_never_change BEFORE UPDATE ON consent_texts FOR EACH ROW EXECUTE FUNCTION consents_append_only();
