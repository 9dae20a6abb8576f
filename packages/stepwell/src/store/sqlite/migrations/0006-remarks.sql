-- 0006 remarks: what operators write down about runs.

CREATE TABLE remarks (
  id            INTEGER NOT NULL PRIMARY KEY,
  run_id        INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'note' OR kind = 'dismissed'),
  generation    INTEGER NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT    NOT NULL,
  at_ms         INTEGER NOT NULL,
  text          TEXT    NOT NULL,
  UNIQUE (run_id, operation_id)
) STRICT;
