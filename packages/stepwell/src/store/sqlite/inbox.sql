-- Queries of the inbox: what outsiders leave for a run, and what that does to it.
-- Written and bound as those of queries.sql.

-- name: listInbox
SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = :rowId AND seq > :afterSeq AND consumed_seq IS NULL
ORDER BY seq;

-- name: consumeItem
UPDATE inbox SET consumed_seq = :consumedSeq
WHERE run_id = :rowId AND seq = :seq AND consumed_seq IS NULL;

-- name: findAddressee
SELECT runs.id, runs.state
FROM workflows JOIN runs ON runs.workflow_id = workflows.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND runs.public_id = :publicId;

-- name: wakeForItem
-- Numbers the item and wakes in one go (S7). The owner of a running run learns of it from `inbox_seq`.
UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = CASE
      WHEN worker_id IS NULL AND (state = 'pending' OR state = 'waiting' OR state = 'compensating')
      THEN min(coalesce(due_at_ms, :nowMs), :nowMs)
    END
WHERE id = :rowId AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms;

-- name: reviveForItem
-- The same for a cancel or a resume, which make also those due that are paused or in quarantine.
UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = CASE
      WHEN state = 'waiting' THEN 'pending'
      WHEN state = 'paused' OR state = 'quarantined' THEN iif(ending IS NULL, 'pending', 'compensating')
      ELSE state
    END,
    on_hold = 0,
    crashes = iif(state = 'quarantined' AND :forgives, 0, crashes),
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = iif(worker_id IS NULL, min(coalesce(due_at_ms, :nowMs), :nowMs), NULL)
WHERE id = :rowId AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms;

-- name: holdForItem
-- The same for a pause, which is followed at once where nobody holds the run.
UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = iif(worker_id IS NULL AND state <> 'quarantined', 'paused', state),
    on_hold = worker_id IS NULL AND state <> 'quarantined',
    waiting_for = iif(worker_id IS NULL, NULL, waiting_for),
    due_at_ms = NULL
WHERE id = :rowId AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms;

-- name: insertItem
INSERT INTO inbox (run_id, seq, kind, name, payload, actor, operation_id, at_ms)
VALUES (:rowId, :seq, :kind, :name, :payload, :actor, :operationId, :nowMs);

-- name: findItem
SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = :rowId AND operation_id = :operationId;

-- name: findDue
SELECT due_at_ms FROM runs WHERE id = :rowId;
