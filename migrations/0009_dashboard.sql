-- What the dashboard needs: sessions, and devices by what became of their newest update.

-- Who is signed in with a browser. Owner: fleet/session.c
CREATE TABLE session (
    hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32), -- SHA-256 of the cookie's value
    api_key INTEGER NOT NULL REFERENCES api_key (id) ON DELETE CASCADE,
    created_at_s INTEGER NOT NULL,
    expires_at_s INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX session_by_key ON session (api_key, created_at_s);
CREATE INDEX session_by_end ON session (expires_at_s);

-- State of the device's newest update, '' without one. Kept by the triggers below, so that the
-- devices in a state are found without a look at the others.
ALTER TABLE device ADD COLUMN state TEXT NOT NULL DEFAULT '';
UPDATE device SET state = coalesce(
    (SELECT u.state FROM "update" AS u WHERE u.device = device.id ORDER BY u.id DESC LIMIT 1), '');
CREATE INDEX device_by_state ON device (product, state, last_seen_s);

CREATE TRIGGER device_state_begun AFTER INSERT ON "update" BEGIN
    UPDATE device SET state = NEW.state WHERE id = NEW.device AND state <> NEW.state
        AND NEW.id = (SELECT max(id) FROM "update" WHERE device = NEW.device);
END;
CREATE TRIGGER device_state_changed AFTER UPDATE OF state ON "update" WHEN OLD.state <> NEW.state BEGIN
    UPDATE device SET state = NEW.state WHERE id = NEW.device
        AND NEW.id = (SELECT max(id) FROM "update" WHERE device = NEW.device);
END;
CREATE TRIGGER device_state_gone AFTER DELETE ON "update" BEGIN
    UPDATE device SET state = coalesce(
        (SELECT u.state FROM "update" AS u WHERE u.device = OLD.device ORDER BY u.id DESC LIMIT 1), '')
        WHERE id = OLD.device;
END;
