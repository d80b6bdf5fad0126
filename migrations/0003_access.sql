-- Who may fetch a product's firmware, and what kind of client its devices are.

ALTER TABLE product ADD COLUMN access TEXT NOT NULL DEFAULT 'open'
    CHECK (access IN ('open', 'key'));           -- 'key': the device paths need a product key
ALTER TABLE product ADD COLUMN client TEXT NOT NULL DEFAULT ''
    CHECK (client IN ('', 'tasmota'));           -- what all its devices are, '' = not said

-- Secrets that devices of a product carry. Owner: fleet/product_key.c
CREATE TABLE product_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    hash BLOB NOT NULL CHECK (length(hash) = 32),      -- SHA-256 of the key
    hint TEXT NOT NULL CHECK (length(hint) <= 8),      -- its first characters, to tell keys apart
    created_at_s INTEGER NOT NULL,
    revoked_at_s INTEGER,                        -- NULL = in force
    UNIQUE (product, hash),
    UNIQUE (product, name)
) STRICT;

-- Manifests name the newest of them: without it, one with many uploads would be walked through.
CREATE INDEX build_factory ON build (product, seq)
    WHERE kind = 'factory' AND withdrawn_at_s IS NULL;
