-- 0007 breakers: circuit breakers, shared by all runs and workers of the store.
--
-- A row is read before every attempt that goes through its breaker, and written when something changes: see
-- model/breaker.ts, which has the rules.

CREATE TABLE breakers (
  name             TEXT    NOT NULL PRIMARY KEY,
  revision         INTEGER NOT NULL,  -- counts the changes of the row
  epoch            INTEGER NOT NULL,  -- counts what it opened, closed and let through
  since_ms         INTEGER NOT NULL,
  open_until_ms    INTEGER,           -- null: closed
  failures         TEXT    NOT NULL,  -- JSON array: a mark of each attempt that failed, in a row
  probe_mark       TEXT,
  probe_run_id     INTEGER,           -- the probe is under way for as long as its run is held under this claim
  probe_worker_id  INTEGER,
  probe_fence      INTEGER,
  touched_by       TEXT,              -- who tripped or reset it by hand last
  touched_why      TEXT,
  touched_at_ms    INTEGER,
  CHECK (probe_mark IS NULL OR open_until_ms IS NOT NULL),
  CHECK ((probe_mark IS NULL) = (probe_run_id IS NULL)),
  CHECK ((probe_mark IS NULL) = (probe_worker_id IS NULL)),
  CHECK ((probe_mark IS NULL) = (probe_fence IS NULL)),
  CHECK ((touched_by IS NULL) = (touched_at_ms IS NULL)),
  CHECK ((touched_by IS NULL) = (touched_why IS NULL))
) STRICT, WITHOUT ROWID;
