-- A transfer is a set of byte ranges, over as many requests as it takes.

-- Bytes that have arrived, "0-4095,8192-12287": see fleet/intervals.h. '' = none yet.
ALTER TABLE transfer ADD COLUMN ranges TEXT NOT NULL DEFAULT '';

-- Requests on their way that continue a transfer begun by an earlier one. Owner: fleet/transfer.c
CREATE TABLE transfer_part (
    id INTEGER PRIMARY KEY,                      -- of the request: made as a transfer's id is
    transfer INTEGER NOT NULL REFERENCES transfer (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX transfer_part_by_transfer ON transfer_part (transfer);
