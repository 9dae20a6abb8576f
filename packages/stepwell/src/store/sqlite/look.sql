-- Queries that people look with: lists of runs, one run's history, what it does now.
-- Written and bound as those of queries.sql.

-- name: findNewestRow
SELECT max(id) AS id FROM runs WHERE id < :beforeRowId;

-- name: listRuns
-- The two bounds say how far one call looks.
SELECT * FROM runs
WHERE id < :beforeRowId AND id >= :fromRowId
  AND (:workflowIds IS NULL OR workflow_id IN (SELECT value FROM json_each(:workflowIds)))
  AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
  AND created_at_ms >= :createdFromMs AND created_at_ms < :createdBeforeMs
ORDER BY id DESC
LIMIT :limit;

-- name: countAttribute
-- No further than asked.
SELECT count(*) AS count, min(run_id) AS run_id FROM (
  SELECT run_id FROM attributes
  WHERE name = :name AND value = :value AND run_id < :beforeRowId
  ORDER BY run_id DESC
  LIMIT :limit
);

-- name: listRunsByAttribute
-- Walks one attribute's runs, newest first, and looks up the others of each.
SELECT runs.*
FROM attributes CROSS JOIN runs ON runs.id = attributes.run_id
WHERE attributes.name = :name AND attributes.value = :value
  AND attributes.run_id < :beforeRowId AND attributes.run_id >= :fromRowId
  AND (:workflowIds IS NULL OR runs.workflow_id IN (SELECT value FROM json_each(:workflowIds)))
  AND (:states IS NULL OR runs.state IN (SELECT value FROM json_each(:states)))
  AND runs.created_at_ms >= :createdFromMs AND runs.created_at_ms < :createdBeforeMs
  AND NOT EXISTS (
    SELECT 1 FROM json_each(:others) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM attributes AS other
      WHERE other.name = wanted.key AND other.value = wanted.value AND other.run_id = runs.id
    )
  )
ORDER BY attributes.run_id DESC
LIMIT :limit;

-- name: listSteps
SELECT key, kind, outcome, value, seq, attempt, at_ms, duration_ms FROM steps WHERE run_id = :rowId;

-- name: listAllAttempts
SELECT key, kind, state, attempt, seq, error, due_at_ms, at_ms, duration_ms, began_seq, began_at_ms
FROM attempts WHERE run_id = :rowId;

-- name: listItems
SELECT seq, kind, name, payload, actor, at_ms, consumed_seq FROM inbox WHERE run_id = :rowId ORDER BY seq;

-- name: listNotes
SELECT seq, kind, value, at_ms FROM notes WHERE run_id = :rowId;

-- name: listActiveSteps
-- Under an older claim it began in a process that has died since.
SELECT attempts.key, attempts.kind, attempts.attempt, began_at_ms, beat, beat_at_ms
FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.generation = runs.generation
WHERE runs.id = :rowId AND runs.worker_id IS NOT NULL
  AND attempts.state = 'running' AND attempts.began_fence = runs.fence
  AND NOT EXISTS (
    SELECT 1 FROM steps
    WHERE steps.run_id = runs.id AND steps.key = attempts.key AND steps.generation = runs.generation
  )
ORDER BY attempts.seq;
