-- Back from 0003: what workers offer is theirs to tell again.

ALTER TABLE workers DROP COLUMN workflows;
ALTER TABLE workers DROP COLUMN seen_at_ms;
ALTER TABLE workers DROP COLUMN executing;
ALTER TABLE workers DROP COLUMN concurrency;
