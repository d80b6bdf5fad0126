-- The first schema. Times are unix seconds, UTC (…_s). Released files are never edited.

-- A kind of device of one chip family. Owner: fleet/product.c
CREATE TABLE product (
    id INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used again: unflushed facts name it
    slug TEXT NOT NULL UNIQUE CHECK (length(slug) BETWEEN 1 AND 63),
    name TEXT NOT NULL CHECK (length(name) <= 128),
    chip TEXT NOT NULL DEFAULT '',               -- '' until the first build sets it
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    default_channel TEXT NOT NULL DEFAULT 'stable',
    max_devices INTEGER NOT NULL,                -- devices that may register themselves
    device_count INTEGER NOT NULL DEFAULT 0,     -- kept by the triggers below
    anonymous_checkins INTEGER NOT NULL DEFAULT 0,
    last_number INTEGER NOT NULL DEFAULT 0,      -- highest build number so far
    created_at_s INTEGER NOT NULL
) STRICT;

-- The bytes of one firmware file, once. Owner: fleet/blob.c
CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used again: images in memory go by it
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    md5 BLOB NOT NULL CHECK (length(md5) = 16),
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    flash_bytes INTEGER NOT NULL DEFAULT 0,      -- flash size its header asks for, 0 = not said
    facts TEXT NOT NULL DEFAULT '{}',            -- what the file is: JSON of image/image_json.c
    identities TEXT NOT NULL DEFAULT '',         -- further digests a device may report, hex, blank-separated
    linked_at_s INTEGER                          -- NULL while its chunks are still being written
) STRICT;
CREATE UNIQUE INDEX image_by_sha256 ON image (sha256) WHERE linked_at_s IS NOT NULL;
CREATE INDEX image_unlinked ON image (id) WHERE linked_at_s IS NULL;

CREATE TABLE image_chunk (
    image INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,                        -- from 0; every chunk but the last is 256 KiB
    data BLOB NOT NULL,
    PRIMARY KEY (image, seq)
) STRICT;

-- An image and its identity within a product. Owner: fleet/build.c
CREATE TABLE build (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,       -- order of upload; never shown
    id INTEGER NOT NULL UNIQUE,                  -- public: random 64 bits
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    image INTEGER NOT NULL REFERENCES image (id),
    kind TEXT NOT NULL CHECK (kind IN ('app', 'fs', 'factory')),
    version TEXT NOT NULL CHECK (length(version) BETWEEN 1 AND 64),
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 2147483647), -- what .version answers
    chip TEXT NOT NULL DEFAULT '',
    filename TEXT NOT NULL DEFAULT '' CHECK (length(filename) <= 255),
    notes TEXT NOT NULL DEFAULT '' CHECK (length(notes) <= 4096),
    forced INTEGER NOT NULL DEFAULT 0 CHECK (forced IN (0, 1)),
    created_at_s INTEGER NOT NULL,
    withdrawn_at_s INTEGER,
    UNIQUE (product, kind, version)
) STRICT;
CREATE INDEX build_by_product ON build (product, seq);
CREATE INDEX build_by_image ON build (image, product);

-- A named pointer to the builds its devices should run. Owner: fleet/channel.c
CREATE TABLE channel (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 32),
    app INTEGER REFERENCES build (seq),
    fs INTEGER REFERENCES build (seq),
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    released_at_s INTEGER,                       -- when app or fs last moved
    PRIMARY KEY (product, name)
) STRICT;
CREATE INDEX channel_by_app ON channel (app);
CREATE INDEX channel_by_fs ON channel (fs);

-- Where channels pointed, for undo. Owner: fleet/channel.c
CREATE TABLE channel_history (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('app', 'fs')),
    build INTEGER NOT NULL REFERENCES build (seq) ON DELETE CASCADE,
    at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX channel_history_by_name ON channel_history (product, name, kind, seq);
CREATE INDEX channel_history_by_build ON channel_history (build);

-- One MAC address within a product. Owner: fleet/device.c
CREATE TABLE device (
    id INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used again: tokenized URLs name it
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    mac INTEGER NOT NULL,                        -- 48 bits
    -- what it last said, and from where
    version TEXT NOT NULL DEFAULT '',
    chip TEXT NOT NULL DEFAULT '',
    md5 TEXT NOT NULL DEFAULT '',                -- of the running sketch, as reported
    sha256 TEXT NOT NULL DEFAULT '',             -- of the running image, as reported
    address TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    mode TEXT NOT NULL DEFAULT '',
    free_space INTEGER NOT NULL DEFAULT -1,      -- bytes, -1 = not said
    chip_size INTEGER NOT NULL DEFAULT -1,       -- bytes of flash, -1 = not said
    authenticated INTEGER NOT NULL DEFAULT 0 CHECK (authenticated IN (0, 1)),
    first_seen_s INTEGER NOT NULL,
    last_seen_s INTEGER NOT NULL,
    -- what its owner decided
    channel TEXT NOT NULL DEFAULT '',            -- '' = the product's default
    pin INTEGER REFERENCES build (seq),
    held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
    blocked INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1)),
    note TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 4096),
    UNIQUE (product, mac)
) STRICT;
CREATE INDEX device_by_seen ON device (product, last_seen_s);
CREATE INDEX device_by_pin ON device (pin) WHERE pin IS NOT NULL;

CREATE TRIGGER device_counted AFTER INSERT ON device BEGIN
    UPDATE product SET device_count = device_count + 1 WHERE id = NEW.product;
END;
CREATE TRIGGER device_discounted AFTER DELETE ON device BEGIN
    UPDATE product SET device_count = device_count - 1 WHERE id = OLD.product;
END;

-- The story of one device getting one build. Owner: fleet/update.c
CREATE TABLE "update" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    device INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    build INTEGER NOT NULL REFERENCES build (seq) ON DELETE CASCADE,
    from_version TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'sent', 'installed', 'failed',
                                         'rolled_back', 'attempts_exhausted')),
    cause TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at_s INTEGER NOT NULL,
    updated_at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX update_by_device ON "update" (device, id);
CREATE INDEX update_by_build ON "update" (build, device, id);
CREATE INDEX update_by_product ON "update" (product, id);

-- One device's download of one image. Owner: fleet/transfer.c
CREATE TABLE transfer (
    id INTEGER PRIMARY KEY,                      -- unix milliseconds << 20 | counter: made by the daemon
    "update" INTEGER NOT NULL REFERENCES "update" (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('downloading', 'sent', 'aborted')),
    cause TEXT NOT NULL DEFAULT '',
    size_bytes INTEGER NOT NULL,
    bytes_acked INTEGER NOT NULL DEFAULT 0,
    resumed INTEGER NOT NULL DEFAULT 0,
    bytes_per_s INTEGER NOT NULL DEFAULT 0,
    client TEXT NOT NULL DEFAULT '',             -- User-Agent
    address TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    started_at_s INTEGER NOT NULL,
    ended_at_s INTEGER
) STRICT;
CREATE INDEX transfer_by_update ON transfer ("update", id);
CREATE INDEX transfer_open ON transfer (id) WHERE state = 'downloading';

-- A result that a device posted by itself, verbatim. Owner: fleet/report.c
CREATE TABLE report (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    "update" INTEGER NOT NULL REFERENCES "update" (id) ON DELETE CASCADE,
    result TEXT NOT NULL CHECK (result IN ('success', 'failed', 'rolled_back')),
    code INTEGER,
    message TEXT NOT NULL DEFAULT '' CHECK (length(message) <= 1024),
    version TEXT NOT NULL DEFAULT '',
    build INTEGER,                               -- public id as reported, NULL = not said
    authenticated INTEGER NOT NULL DEFAULT 0,
    address TEXT NOT NULL DEFAULT '',
    at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX report_by_update ON report ("update", id);

-- Who may use the API. Owner: fleet/key.c
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 128),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'publisher', 'admin')),
    product INTEGER REFERENCES product (id) ON DELETE CASCADE, -- NULL = every product
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),       -- SHA-256 of the key
    hint TEXT NOT NULL DEFAULT '',               -- its first characters, to tell keys apart
    created_at_s INTEGER NOT NULL,
    revoked_at_s INTEGER
) STRICT;
CREATE INDEX api_key_by_product ON api_key (product) WHERE product IS NOT NULL;

-- Every change a person or a script made. Owner: fleet/audit.c
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s INTEGER NOT NULL,
    who TEXT NOT NULL,                           -- key name, or 'cli:' and the user
    address TEXT NOT NULL,
    action TEXT NOT NULL,                        -- e.g. 'build.upload'
    product TEXT NOT NULL DEFAULT '',            -- slug
    object TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''              -- JSON
) STRICT;
