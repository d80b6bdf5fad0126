-- What retention (fleet/retention.h) lets go of, and the indexes by which it finds that.

-- When retention let the build's image go, NULL = not. Such a build is withdrawn too; its row stays,
-- because updates tell by it what their devices were given.
ALTER TABLE build ADD COLUMN pruned_at_s INTEGER;
-- When the last build of the image was let go, NULL = not: since then its chunks go, a few at a time.
ALTER TABLE image ADD COLUMN pruned_at_s INTEGER;

-- The same bytes may be stored anew once they were let go.
DROP INDEX image_by_sha256;
CREATE UNIQUE INDEX image_by_sha256 ON image (sha256)
    WHERE linked_at_s IS NOT NULL AND pruned_at_s IS NULL;
CREATE INDEX image_pruned ON image (id) WHERE pruned_at_s IS NOT NULL;
CREATE INDEX build_kept ON build (product, kind, seq) WHERE pruned_at_s IS NULL;

CREATE INDEX update_open_by_build ON "update" (build)
    WHERE state IN ('pending', 'in_progress', 'sent');
CREATE INDEX update_by_age ON "update" (created_at_s, id);
CREATE INDEX report_by_age ON report (at_s, id);
CREATE INDEX audit_by_age ON audit (at_s, id);
