-- Back from 0002: `runs` and `attempts` are built anew, as 0001 has them.
--
-- Lost are deadlines, search attributes, and the beginnings and heartbeats of attempts; one that is still running is not
-- told of any more. A run in quarantine stays there, and forgets what its compensation was to end as.

DROP TABLE attributes;

CREATE TABLE runs_old (
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

INSERT INTO runs_old (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, ending, seed, actor, input_hash, parent_id, parent_key, parent_awaits,
  waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, CASE state WHEN 'quarantined' THEN NULL ELSE ending END, seed, actor,
  input_hash, parent_id, parent_key, parent_awaits, waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_old RENAME TO runs;

CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

CREATE TABLE attempts_old (
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

INSERT INTO attempts_old (
  run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error
)
SELECT run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error
FROM attempts WHERE state <> 'running';

DROP TABLE attempts;
ALTER TABLE attempts_old RENAME TO attempts;
