-- Pushes: transfers that otad began, by espota.

ALTER TABLE transfer ADD COLUMN kind TEXT NOT NULL DEFAULT 'pull' CHECK (kind IN ('pull', 'push'));
ALTER TABLE transfer ADD COLUMN causes TEXT NOT NULL DEFAULT ''; -- likely ones of a failed push, one a line
CREATE INDEX transfer_open_push ON transfer (id) WHERE state = 'downloading' AND kind = 'push';

-- The steps of a push that have ended. Owner: fleet/push_step.c
CREATE TABLE push_step (
    transfer INTEGER NOT NULL REFERENCES transfer (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,                     -- in order, from 1
    step TEXT NOT NULL,                          -- resolve, invite, authenticate, …, came_back
    outcome TEXT NOT NULL CHECK (outcome IN ('ok', 'failed')),
    began_at_ms INTEGER NOT NULL,                -- unix milliseconds
    ended_at_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,            -- invitations sent
    detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (transfer, number)
) WITHOUT ROWID, STRICT;

-- Passwords of ArduinoOTA, sealed with a key that isn't in here. Owner: fleet/push_password.c
CREATE TABLE push_password (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    mac INTEGER NOT NULL,                        -- 0 = of all its devices that have none of their own
    sealed BLOB NOT NULL,
    PRIMARY KEY (product, mac)
) WITHOUT ROWID, STRICT;
