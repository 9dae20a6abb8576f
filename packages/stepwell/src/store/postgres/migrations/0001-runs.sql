-- 0001 runs, their steps, attempts, inbox, notes, search attributes; workflows and workers.
--
-- The tables of the SQLite store, by the same names. Times are epoch milliseconds by this
-- server's clock. Payloads are JSON text: `jsonb` refuses NUL, rewrites numbers and costs 40 %.
--
-- The public run id stands in `runs` alone; every other table is keyed by `run_id` first, so
-- that it can be cut into partitions, or spread over machines, by that column. No foreign keys
-- lead to `runs`: what is written there proves its owner anyway.
--
-- Names are compared byte by byte (COLLATE "C"), as SQLite does.

CREATE TABLE workflows (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace  text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  UNIQUE (namespace, name)
);

CREATE TABLE versions (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workflow_id  bigint NOT NULL REFERENCES workflows (id),
  version      text COLLATE "C" NOT NULL,
  UNIQUE (workflow_id, version)
);

-- An identity is never given twice (P3).
CREATE TABLE workers (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name            text    NOT NULL,
  host            text    NOT NULL,
  boot_id         text    NOT NULL,
  pid             bigint  NOT NULL,
  pid_namespace   text    NOT NULL,
  pid_started_at  text    NOT NULL,
  state           text    NOT NULL DEFAULT 'alive' CHECK (state IN ('alive', 'dead')),
  lease_until_ms  bigint  NOT NULL,
  started_at_ms   bigint  NOT NULL,
  seen_at_ms      bigint  NOT NULL,
  concurrency     bigint  NOT NULL,
  executing       bigint  NOT NULL DEFAULT 0,
  workflows       text    NOT NULL,           -- JSON array of namespace/name@version
  claim_no        bigint  NOT NULL DEFAULT 0  -- its newest claim; an older one that arrives late takes nothing
);

-- In the order of the SQLite table, see store/rows.ts.
CREATE TABLE runs (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker_id       bigint,
  fence           bigint  NOT NULL DEFAULT 0,
  generation      bigint  NOT NULL DEFAULT 1,
  inbox_seq       bigint  NOT NULL DEFAULT 0,
  state           text    NOT NULL CHECK (state IN ('running', 'completed', 'pending', 'waiting', 'paused',
                                                    'compensating', 'failed', 'cancelled', 'quarantined')),
  due_at_ms       bigint,             -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id     bigint  NOT NULL,
  version_id      bigint  NOT NULL,
  public_id       text COLLATE "C" NOT NULL,
  history_seq     bigint  NOT NULL DEFAULT 1,
  crashes         bigint  NOT NULL DEFAULT 0,  -- since the last checkpoint
  created_at_ms   bigint  NOT NULL,
  ended_at_ms     bigint,
  deadline_at_ms  bigint,
  ending          text    CHECK (ending IN ('failed', 'cancelled')),
  seed            bigint  NOT NULL,
  actor           text    NOT NULL,
  input_hash      text,
  parent_id       bigint,
  parent_key      text,
  parent_awaits   boolean NOT NULL DEFAULT false,
  attributes      text,               -- JSON object; each entry stands in the table of that name, too
  waiting_for     text,               -- JSON array of Wait
  progress        text,
  error           text,
  output          text,
  input           text    NOT NULL,
  claim_no        bigint,             -- the claim of `worker_id` that took it; null: it was inserted claimed
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state IN ('running', 'compensating')),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state IN ('pending', 'waiting', 'compensating')),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause and a quarantine keep what the compensation was to end as.
  CHECK (ending IS NULL OR state IN ('compensating', 'paused', 'quarantined')),
  CHECK ((ended_at_ms IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))),
  CHECK (output IS NULL OR state = 'completed')
) WITH (fillfactor = 80);

-- A claim walks one version's part of this index from its left end and stops at `limit`.
-- Those on probation stand in an index of their own, so that they are never in its way.
CREATE INDEX runs_due ON runs (version_id, due_at_ms, id) WHERE due_at_ms IS NOT NULL AND crashes < 2;
CREATE INDEX runs_suspect ON runs (version_id, due_at_ms, id) WHERE due_at_ms IS NOT NULL AND crashes >= 2;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

-- Final outcomes. Insert-only.
CREATE TABLE steps (
  run_id       bigint  NOT NULL,
  seq          bigint  NOT NULL,
  generation   bigint  NOT NULL,
  at_ms        bigint  NOT NULL,
  duration_ms  bigint  NOT NULL,
  attempt      integer NOT NULL,
  compensable  boolean NOT NULL,
  kind         text    NOT NULL,
  outcome      text    NOT NULL CHECK (outcome IN ('completed', 'handled', 'failed', 'cancelled')),
  key          text COLLATE "C" NOT NULL,
  value        text    NOT NULL,
  PRIMARY KEY (run_id, key, generation)
);

-- Failed attempts with their next due time, attempts that run for long, and the beginnings of waits.
CREATE TABLE attempts (
  run_id       bigint  NOT NULL,
  key          text COLLATE "C" NOT NULL,
  generation   bigint  NOT NULL,
  attempt      integer NOT NULL,
  seq          bigint  NOT NULL,
  kind         text    NOT NULL,
  state        text    NOT NULL CHECK (state IN ('failed', 'waiting', 'running')),
  due_at_ms    bigint,
  at_ms        bigint  NOT NULL,
  duration_ms  bigint  NOT NULL,
  began_seq    bigint,                -- null: its beginning was never told
  began_at_ms  bigint,
  began_fence  bigint,                -- under which claim; an older one's code is not running any more
  beat_at_ms   bigint,
  beat         text,
  error        text,
  PRIMARY KEY (run_id, key, generation, attempt),
  CHECK (state <> 'running' OR (began_seq IS NOT NULL AND began_at_ms IS NOT NULL AND began_fence IS NOT NULL)),
  CHECK (due_at_ms IS NULL OR state <> 'running')
);

CREATE TABLE inbox (
  run_id        bigint NOT NULL,
  seq           bigint NOT NULL,
  kind          text   NOT NULL CHECK (kind IN ('signal', 'child', 'cancel')),
  name          text   NOT NULL,
  actor         text   NOT NULL,
  operation_id  text COLLATE "C",
  at_ms         bigint NOT NULL,
  consumed_seq  bigint,               -- history number of its consumption
  payload       text   NOT NULL,
  PRIMARY KEY (run_id, seq)
);

CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;

-- History events that no other row tells.
CREATE TABLE notes (
  run_id  bigint NOT NULL,
  seq     bigint NOT NULL,
  kind    text   NOT NULL,
  at_ms   bigint NOT NULL,
  value   text   NOT NULL,
  PRIMARY KEY (run_id, seq)
);

-- Search attributes. `value` is JSON, so that 1 and "1" are two values.
CREATE TABLE attributes (
  name    text COLLATE "C" NOT NULL,
  value   text COLLATE "C" NOT NULL,
  run_id  bigint NOT NULL,
  PRIMARY KEY (name, value, run_id)
);
