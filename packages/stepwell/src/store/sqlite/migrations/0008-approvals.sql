-- 0008 approvals: what people are asked to decide, and an inbox that takes their decisions.
--
-- `inbox` is built anew, because its CHECK changes and SQLite cannot alter one. No table refers to it by a foreign key.

-- A request as people see it. The run's checkpoints say what came of it; this is where it is found.
CREATE TABLE approvals (
  id            INTEGER NOT NULL PRIMARY KEY,
  run_id        INTEGER NOT NULL,
  key           TEXT    NOT NULL,
  generation    INTEGER NOT NULL,
  state         TEXT    NOT NULL CHECK (state = 'open' OR state = 'approved' OR state = 'refused'
                                     OR state = 'timed_out' OR state = 'cancelled'),
  opened_at_ms  INTEGER NOT NULL,
  due_at_ms     INTEGER,             -- its deadline; null: none
  closed_at_ms  INTEGER,
  title         TEXT    NOT NULL,
  addressees    TEXT    NOT NULL,    -- JSON array of names; each stands in the table of that name, too
  request       TEXT    NOT NULL,
  UNIQUE (run_id, key, generation),
  CHECK ((closed_at_ms IS NOT NULL) = (state <> 'open'))
) STRICT;

-- A page walks one state's part of this index from its right end.
CREATE INDEX approvals_state ON approvals (state, id);

CREATE TABLE approval_addressees (
  name         TEXT    NOT NULL,
  state        TEXT    NOT NULL,     -- of the approval
  approval_id  INTEGER NOT NULL,
  PRIMARY KEY (name, state, approval_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox_new (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'decision' OR kind = 'cancel'
                                     OR kind = 'pause' OR kind = 'resume'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_new SELECT * FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;
