-- The story of an update, as it went. Owner: fleet/update_step.c
CREATE TABLE update_step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    "update" INTEGER NOT NULL REFERENCES "update" (id) ON DELETE CASCADE,
    at_s INTEGER NOT NULL,
    state TEXT NOT NULL,                         -- what it became
    cause TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX update_step_by_update ON update_step ("update", id);
