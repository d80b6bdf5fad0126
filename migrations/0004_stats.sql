-- What the fleet does, counted as it happens: counting devices and updates when somebody asks would
-- read all of them.

-- How much happened, by hour (kept 14 days) and by day (kept 400 days). Owner: fleet/stats.c
CREATE TABLE stat (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    span_s INTEGER NOT NULL CHECK (span_s IN (3600, 86400)),
    start_s INTEGER NOT NULL,                    -- of the hour or day, UTC
    checkins INTEGER NOT NULL DEFAULT 0,         -- of registered devices
    installed INTEGER NOT NULL DEFAULT 0,        -- updates that got there
    failed INTEGER NOT NULL DEFAULT 0,           -- the same: failed, rolled back, attempts exhausted
    PRIMARY KEY (product, span_s, start_s)
) WITHOUT ROWID, STRICT;

-- Devices that ran a version when a day began (its first check-in), the commonest 50; kept 400
-- days. Owner: fleet/stats.c
CREATE TABLE stat_version (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    day_s INTEGER NOT NULL,
    version TEXT NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (product, day_s, version)
) WITHOUT ROWID, STRICT;

-- How many devices run what now, by their owner's choice of channel. Kept by the triggers below;
-- no rows of 0. Owner: fleet/stats.c
CREATE TABLE device_tally (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,                       -- '' = the product's default
    version TEXT NOT NULL,
    devices INTEGER NOT NULL,
    PRIMARY KEY (product, channel, version)
) WITHOUT ROWID, STRICT;

INSERT INTO device_tally (product, channel, version, devices)
    SELECT product, channel, version, count(*) FROM device GROUP BY product, channel, version;

CREATE TRIGGER device_tallied AFTER INSERT ON device BEGIN
    INSERT INTO device_tally (product, channel, version, devices)
        VALUES (NEW.product, NEW.channel, NEW.version, 1)
        ON CONFLICT (product, channel, version) DO UPDATE SET devices = devices + 1;
END;
CREATE TRIGGER device_untallied AFTER DELETE ON device BEGIN
    UPDATE device_tally SET devices = devices - 1
        WHERE product = OLD.product AND channel = OLD.channel AND version = OLD.version;
    DELETE FROM device_tally WHERE product = OLD.product AND channel = OLD.channel
        AND version = OLD.version AND devices = 0;
END;
CREATE TRIGGER device_retallied AFTER UPDATE OF version, channel ON device
    WHEN OLD.version <> NEW.version OR OLD.channel <> NEW.channel BEGIN
    UPDATE device_tally SET devices = devices - 1
        WHERE product = OLD.product AND channel = OLD.channel AND version = OLD.version;
    DELETE FROM device_tally WHERE product = OLD.product AND channel = OLD.channel
        AND version = OLD.version AND devices = 0;
    INSERT INTO device_tally (product, channel, version, devices)
        VALUES (NEW.product, NEW.channel, NEW.version, 1)
        ON CONFLICT (product, channel, version) DO UPDATE SET devices = devices + 1;
END;

-- How many updates of a build are in which state. Kept by the triggers below. Owner: fleet/stats.c
CREATE TABLE update_tally (
    build INTEGER NOT NULL REFERENCES build (seq) ON DELETE CASCADE,
    state TEXT NOT NULL,
    updates INTEGER NOT NULL,
    PRIMARY KEY (build, state)
) WITHOUT ROWID, STRICT;

INSERT INTO update_tally (build, state, updates)
    SELECT build, state, count(*) FROM "update" GROUP BY build, state;

CREATE TRIGGER update_tallied AFTER INSERT ON "update" BEGIN
    INSERT INTO update_tally (build, state, updates) VALUES (NEW.build, NEW.state, 1)
        ON CONFLICT (build, state) DO UPDATE SET updates = updates + 1;
END;
CREATE TRIGGER update_untallied AFTER DELETE ON "update" BEGIN
    UPDATE update_tally SET updates = updates - 1 WHERE build = OLD.build AND state = OLD.state;
END;
CREATE TRIGGER update_retallied AFTER UPDATE OF state ON "update" WHEN OLD.state <> NEW.state BEGIN
    UPDATE update_tally SET updates = updates - 1 WHERE build = OLD.build AND state = OLD.state;
    INSERT INTO update_tally (build, state, updates) VALUES (NEW.build, NEW.state, 1)
        ON CONFLICT (build, state) DO UPDATE SET updates = updates + 1;
END;

-- The ledger by its last change, and what failed lately.
CREATE INDEX update_by_change ON "update" (product, updated_at_s, id);
CREATE INDEX update_unsuccessful ON "update" (product, updated_at_s, state, cause)
    WHERE state IN ('failed', 'rolled_back', 'attempts_exhausted');
