-- What a transaction of a user's asks beside his own statements; see tx.ts. Its checkpoint and its runs are stored by the
-- parts of a flush.

-- name: txLockRun
-- Of a transaction in doubt: it holds this row from its checkpoint to its end, so whoever gets it knows that it has ended.
SELECT id FROM runs WHERE id = :rowId FOR NO KEY UPDATE;

-- name: txProveOwner
-- The worker's row is locked as by a flush, until the commit: the fence stays what it is.
WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = :workerId AND state = 'alive' FOR KEY SHARE
)
SELECT runs.generation FROM runs
WHERE runs.id = :rowId AND runs.worker_id = :workerId AND runs.fence = :fence AND EXISTS (SELECT FROM alive);

-- name: txFindCheckpoint
SELECT key, kind, outcome, value, seq, attempt, compensable, duration_ms FROM steps
WHERE run_id = :rowId AND generation = :generation AND key = :key;
