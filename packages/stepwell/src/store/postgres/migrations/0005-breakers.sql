-- 0005 breakers: circuit breakers, shared by all runs and workers of the store.
--
-- A row is read before every attempt that goes through its breaker, and written when something changes: see
-- model/breaker.ts, which has the rules.

CREATE TABLE breakers (
  name             text COLLATE "C" NOT NULL PRIMARY KEY,
  revision         bigint  NOT NULL,  -- counts the changes of the row
  epoch            bigint  NOT NULL,  -- counts what it opened, closed and let through
  since_ms         bigint  NOT NULL,
  open_until_ms    bigint,            -- null: closed
  failures         text    NOT NULL,  -- JSON array: a mark of each attempt that failed, in a row
  probe_mark       text,
  probe_run_id     bigint,            -- the probe is under way for as long as its run is held under this claim
  probe_worker_id  bigint,
  probe_fence      bigint,
  touched_by       text,              -- who tripped or reset it by hand last
  touched_why      text,
  touched_at_ms    bigint,
  CHECK (probe_mark IS NULL OR open_until_ms IS NOT NULL),
  CHECK ((probe_mark IS NULL) = (probe_run_id IS NULL)),
  CHECK ((probe_mark IS NULL) = (probe_worker_id IS NULL)),
  CHECK ((probe_mark IS NULL) = (probe_fence IS NULL)),
  CHECK ((touched_by IS NULL) = (touched_at_ms IS NULL)),
  CHECK ((touched_by IS NULL) = (touched_why IS NULL))
);
