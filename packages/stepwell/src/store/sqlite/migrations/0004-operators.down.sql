-- Back from 0004: `runs` and `inbox` are built anew, as 0002 and 0001 have them.
--
-- What was on hold counts as paused for want of code, and goes on with the next worker that starts. Requests to pause and
-- to resume are forgotten, also in the history.

CREATE TABLE runs_old (
  id              INTEGER NOT NULL PRIMARY KEY,
  worker_id       INTEGER,
  fence           INTEGER NOT NULL DEFAULT 0,
  generation      INTEGER NOT NULL DEFAULT 1,
  inbox_seq       INTEGER NOT NULL DEFAULT 0,
  state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                       OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                       OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms       INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id     INTEGER NOT NULL REFERENCES workflows (id),
  version_id      INTEGER NOT NULL REFERENCES versions (id),
  public_id       TEXT    NOT NULL,
  history_seq     INTEGER NOT NULL DEFAULT 1,
  crashes         INTEGER NOT NULL DEFAULT 0,  -- since the last checkpoint
  created_at_ms   INTEGER NOT NULL,
  ended_at_ms     INTEGER,
  deadline_at_ms  INTEGER,
  ending          TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed            INTEGER NOT NULL,
  actor           TEXT    NOT NULL,
  input_hash      TEXT,
  parent_id       INTEGER,
  parent_key      TEXT,
  parent_awaits   INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  attributes      TEXT,               -- JSON object; each entry stands in the table of that name, too
  waiting_for     TEXT,               -- JSON array of Wait
  progress        TEXT,
  error           TEXT,
  output          TEXT,
  input           TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause and a quarantine keep what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused' OR state = 'quarantined'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

INSERT INTO runs_old (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_old RENAME TO runs;

-- A claim walks one version's part of this index from its left end and stops at `limit`.
-- Those on probation stand in an index of their own, so that they are never in its way.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes < 2;
CREATE INDEX runs_suspect ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes >= 2;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

CREATE TABLE inbox_old (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_old SELECT * FROM inbox WHERE kind <> 'pause' AND kind <> 'resume';
DROP TABLE inbox;
ALTER TABLE inbox_old RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;
