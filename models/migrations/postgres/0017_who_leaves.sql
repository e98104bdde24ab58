-- +goose Up
-- A process begins many deliveries in one statement, which asks for consents, stops and pauses as they were when it began. Whoever leaves
-- while it runs would get what it comes to after that. So what waits for them passes to its next attempt as they leave: either it
-- was begun before that, or the statement finds another attempt than it read and leaves it to the next one, which sees that they left.
-- +goose StatementBegin
CREATE FUNCTION deliveries_ask_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'consents' THEN
        UPDATE deliveries SET attempt = attempt + 1 WHERE mailbox_id = NEW.mailbox_id AND ended = FALSE AND state IN ('queued', 'deferred');
    ELSE
        UPDATE deliveries SET attempt = attempt + 1 WHERE mailbox_id = NEW.id AND ended = FALSE AND state IN ('queued', 'deferred');
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER consents_ask_again AFTER UPDATE OF withdrawn_at ON consents FOR EACH ROW
WHEN (NEW.withdrawn_at IS NOT NULL)
EXECUTE FUNCTION deliveries_ask_again();
CREATE TRIGGER mailboxes_ask_again AFTER UPDATE OF suppressed_at, suppressed_reason, paused_until ON mailboxes FOR EACH ROW
WHEN ((OLD.suppressed_at, OLD.suppressed_reason, OLD.paused_until) IS DISTINCT FROM (NEW.suppressed_at, NEW.suppressed_reason, NEW.paused_until))
EXECUTE FUNCTION deliveries_ask_again();
