-- Back from 0005.
--
-- What an operator resolved counts as handled. How earlier generations ended is forgotten: their histories have a gap.

DROP INDEX runs_children;

CREATE TABLE steps_old (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome = 'completed' OR outcome = 'handled'
                                    OR outcome = 'failed' OR outcome = 'cancelled'),
  attempt      INTEGER NOT NULL,
  compensable  INTEGER NOT NULL CHECK (compensable = 0 OR compensable = 1),
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  value        TEXT    NOT NULL,
  UNIQUE (run_id, key, generation)
) STRICT;

INSERT INTO steps_old (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT run_id, key, generation, seq, kind, iif(outcome = 'resolved', 'handled', outcome), attempt, compensable, at_ms, duration_ms, value
FROM steps ORDER BY rowid;

DROP TABLE steps;
ALTER TABLE steps_old RENAME TO steps;

DELETE FROM notes WHERE kind = 'ended';
