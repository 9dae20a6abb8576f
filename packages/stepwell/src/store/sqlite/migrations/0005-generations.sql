-- 0005 generations: runs that have ended are reopened, with what they had done.
--
-- `steps` is built anew, because its CHECK changes and SQLite cannot alter that. It takes as long as copying it.

CREATE TABLE steps_new (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,               -- the last one that knows it; those before it do, too
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome = 'completed' OR outcome = 'handled'
                                    OR outcome = 'resolved'
                                    OR outcome = 'failed' OR outcome = 'cancelled'),
  attempt      INTEGER NOT NULL,
  compensable  INTEGER NOT NULL CHECK (compensable = 0 OR compensable = 1),
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  value        TEXT    NOT NULL,
  UNIQUE (run_id, key, generation)
) STRICT;

INSERT INTO steps_new (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
FROM steps ORDER BY rowid;

DROP TABLE steps;
ALTER TABLE steps_new RENAME TO steps;

-- Children that are awaited, by parent.
CREATE INDEX runs_children ON runs (parent_id) WHERE parent_awaits = 1;
