-- What a fresh look asks, after a flush of which not all was accepted; see explain.ts.
-- Written and bound as the statements of queries.sql.

-- name: listStandings
SELECT id, state, worker_id, fence, generation, inbox_seq, on_hold FROM runs WHERE id = ANY (:rowIds::bigint[]);

-- name: listSavedSteps
SELECT steps.run_id, steps.generation, steps.key
FROM unnest(:rowIds::bigint[], :keys::text[]) AS wanted (run_id, key)
JOIN steps ON steps.run_id = wanted.run_id AND steps.key = wanted.key;

-- name: listSavedAttempts
SELECT attempts.run_id, attempts.generation, attempts.key, attempts.attempt, attempts.state, attempts.seq,
       attempts.began_at_ms, attempts.kind
FROM unnest(:rowIds::bigint[], :keys::text[], :attempts::bigint[]) AS wanted (run_id, key, attempt)
JOIN attempts ON attempts.run_id = wanted.run_id AND attempts.key = wanted.key AND attempts.attempt = wanted.attempt;

-- name: listSavedNotes
SELECT notes.run_id, notes.seq
FROM unnest(:rowIds::bigint[], :seqs::bigint[]) AS wanted (run_id, seq)
JOIN notes ON notes.run_id = wanted.run_id AND notes.seq = wanted.seq;

-- name: listDelivered
-- Of the inbox of a run: what an operation has left there. `claimable` as told when it came.
SELECT inbox.run_id, inbox.seq, inbox.operation_id, inbox.kind, inbox.name, inbox.actor, inbox.payload, inbox.at_ms,
       runs.due_at_ms IS NOT NULL AND runs.due_at_ms <= :nowMs::bigint AS claimable
FROM unnest(:rowIds::bigint[], :operations::text[]) AS wanted (run_id, operation_id)
JOIN inbox ON inbox.run_id = wanted.run_id AND inbox.operation_id = wanted.operation_id
JOIN runs ON runs.id = wanted.run_id;

-- name: listAddressees
SELECT wanted.place, runs.id, runs.state
FROM unnest(:namespaces::text[], :workflows::text[], :publicIds::text[])
  WITH ORDINALITY AS wanted (namespace, workflow, public_id, place)
JOIN workflows ON workflows.namespace = wanted.namespace AND workflows.name = wanted.workflow
JOIN runs ON runs.workflow_id = workflows.id AND runs.public_id = wanted.public_id;

-- name: listRunsByPublicId
SELECT runs.*
FROM unnest(:workflowIds::bigint[], :publicIds::text[]) AS wanted (workflow_id, public_id)
JOIN runs ON runs.workflow_id = wanted.workflow_id AND runs.public_id = wanted.public_id;

-- name: beginAttemptAgain
-- Of an attempt that a crash cut off. Its last heartbeat stays: it tells how far the work had come.
-- With `seq` it has begun already: this was submitted before, and that statement was still under way.
WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = :workerId::bigint AND state = 'alive' FOR KEY SHARE
), begun AS (
  UPDATE attempts
  SET seq = :seq::bigint, at_ms = :nowMs::bigint, duration_ms = :durationMs::bigint,
      began_seq = :seq::bigint, began_at_ms = :beganAtMs::bigint, began_fence = :fence::bigint
  WHERE run_id = :rowId::bigint AND key = :key AND attempt = :attempt::bigint
    AND state = 'running' AND seq IN (:beforeSeq::bigint, :seq::bigint) AND EXISTS (SELECT FROM alive)
    AND generation = (
      SELECT runs.generation FROM runs
      WHERE runs.id = :rowId::bigint AND runs.fence = :fence::bigint AND runs.worker_id IS NOT DISTINCT FROM :workerId::bigint
    )
  RETURNING run_id
), noted AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT run_id, :beforeSeq::bigint, :noteKind, :beforeAtMs::bigint, :note FROM begun
  ON CONFLICT DO NOTHING
)
SELECT run_id FROM begun;
