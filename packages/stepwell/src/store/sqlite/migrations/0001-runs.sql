-- 0001 runs, their steps, inbox, notes; workflows and workers.
--
-- Times are epoch milliseconds. Payloads are JSON text. The public run id stands
-- in `runs` alone; every other table is keyed by the small integer `run_id`.
--
-- CHECKs list their values with OR: for `IN (three or more)` SQLite builds a temporary
-- table at every execution (1.4 us of the 4.1 that a row of `steps` took, measured).

CREATE TABLE workflows (
  id         INTEGER NOT NULL PRIMARY KEY,
  namespace  TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  UNIQUE (namespace, name)
) STRICT;

CREATE TABLE versions (
  id           INTEGER NOT NULL PRIMARY KEY,
  workflow_id  INTEGER NOT NULL REFERENCES workflows (id),
  version      TEXT    NOT NULL,
  UNIQUE (workflow_id, version)
) STRICT;

-- AUTOINCREMENT: a worker's id is never given to another (P3).
CREATE TABLE workers (
  id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name            TEXT    NOT NULL,
  host            TEXT    NOT NULL,
  boot_id         TEXT    NOT NULL,
  pid             INTEGER NOT NULL,
  pid_namespace   TEXT    NOT NULL,
  pid_started_at  TEXT    NOT NULL,
  state           TEXT    NOT NULL DEFAULT 'alive' CHECK (state = 'alive' OR state = 'dead'),
  lease_until_ms  INTEGER NOT NULL,
  started_at_ms   INTEGER NOT NULL
) STRICT;

-- What guards and claims read stands first and payloads last, so that a long one,
-- which SQLite keeps on pages of its own, is not walked through to reach a fence.
CREATE TABLE runs (
  id             INTEGER NOT NULL PRIMARY KEY,
  worker_id      INTEGER,
  fence          INTEGER NOT NULL DEFAULT 0,
  generation     INTEGER NOT NULL DEFAULT 1,
  inbox_seq      INTEGER NOT NULL DEFAULT 0,
  state          TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                      OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                      OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms      INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id    INTEGER NOT NULL REFERENCES workflows (id),
  version_id     INTEGER NOT NULL REFERENCES versions (id),
  public_id      TEXT    NOT NULL,
  history_seq    INTEGER NOT NULL DEFAULT 1,
  crashes        INTEGER NOT NULL DEFAULT 0,
  created_at_ms  INTEGER NOT NULL,
  ended_at_ms    INTEGER,
  ending         TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed           INTEGER NOT NULL,
  actor          TEXT    NOT NULL,
  input_hash     TEXT,
  parent_id      INTEGER,
  parent_key     TEXT,
  parent_awaits  INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  waiting_for    TEXT,               -- JSON array of Wait
  progress       TEXT,
  error          TEXT,
  output         TEXT,
  input          TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause keeps what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

-- A claim walks one version's part of this index from its left end and stops at `limit`.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

-- Final outcomes. Insert-only.
CREATE TABLE steps (
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

-- Failed attempts with their next due time, and the beginnings of waits.
CREATE TABLE attempts (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state = 'failed' OR state = 'waiting'),
  due_at_ms    INTEGER,
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  error        TEXT,
  PRIMARY KEY (run_id, key, generation, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
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

CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;

-- History events that no other row tells.
CREATE TABLE notes (
  run_id  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  at_ms   INTEGER NOT NULL,
  value   TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
