-- What the judgement of updates rests on.

-- The policy of a product. Numbers are the defaults of design and docs.
ALTER TABLE product ADD COLUMN attempts_max INTEGER NOT NULL DEFAULT 3 CHECK (attempts_max >= 1);
ALTER TABLE product ADD COLUMN attempts_window_s INTEGER NOT NULL DEFAULT 86400;
ALTER TABLE product ADD COLUMN patience_s INTEGER NOT NULL DEFAULT 900; -- of silence after an image
ALTER TABLE product ADD COLUMN stop_failures INTEGER NOT NULL DEFAULT 3;   -- at least so many devices
ALTER TABLE product ADD COLUMN stop_percent INTEGER NOT NULL DEFAULT 20;   -- of those with an outcome
ALTER TABLE product ADD COLUMN stop_window_s INTEGER NOT NULL DEFAULT 86400; -- after a release; 0 = never

ALTER TABLE device ADD COLUMN asked_channel TEXT NOT NULL DEFAULT ''; -- by its last check-in
ALTER TABLE device ADD COLUMN said INTEGER NOT NULL DEFAULT 0; -- which of the facts its last check-in named: DEVICE_SAID_…
ALTER TABLE device ADD COLUMN interval_s INTEGER NOT NULL DEFAULT 0; -- usual time between check-ins, 0 = unknown

-- The network a device was last seen from when only one device of it may count towards a stop: a
-- public address, unauthenticated. '' = it counts for itself.
ALTER TABLE device ADD COLUMN origin TEXT NOT NULL DEFAULT '';

ALTER TABLE "update" ADD COLUMN from_md5 TEXT NOT NULL DEFAULT '';   -- what it ran before, as reported
ALTER TABLE "update" ADD COLUMN polled_at_s INTEGER NOT NULL DEFAULT 0; -- first .version poll after `sent`
ALTER TABLE "update" ADD COLUMN retried_at_s INTEGER NOT NULL DEFAULT 0; -- attempts count from here on
CREATE INDEX update_waiting ON "update" (id) WHERE state IN ('in_progress', 'sent');
CREATE INDEX update_by_outcome ON "update" (build, state);

ALTER TABLE image ADD COLUMN mode_variants INTEGER NOT NULL DEFAULT 0; -- 1: identities hold the MD5s with other flash modes
ALTER TABLE transfer ADD COLUMN counted INTEGER NOT NULL DEFAULT 1 CHECK (counted IN (0, 1)); -- as an attempt
ALTER TABLE transfer ADD COLUMN idle_since_s INTEGER NOT NULL DEFAULT 0; -- all its requests have ended

-- A channel that stopped by itself, and when somebody resumed it: outcomes count from then on.
ALTER TABLE channel ADD COLUMN stopped_at_s INTEGER NOT NULL DEFAULT 0;  -- 0 = it didn't
ALTER TABLE channel ADD COLUMN stop_reason TEXT NOT NULL DEFAULT '';     -- in words
ALTER TABLE channel ADD COLUMN counted_from_s INTEGER NOT NULL DEFAULT 0;
