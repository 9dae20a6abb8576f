-- 0003 what workers offer, how much they do, when they were last seen.

ALTER TABLE workers ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN executing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN seen_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN workflows TEXT NOT NULL DEFAULT '[]';  -- JSON array of namespace/name@version
