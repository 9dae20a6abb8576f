-- Queries that people look with: lists of runs, one run's history, what it does now.
-- Written and bound as those of queries.sql.

-- name: listRunsByAge
-- The inner bounds say how far one call looks; OFFSET 0 keeps the filters from choosing another way.
WITH newest AS MATERIALIZED (
  SELECT max(id) AS id FROM runs WHERE id < :beforeRowId::bigint
)
SELECT newest.id AS newest_id, (SELECT min(id) FROM runs) AS oldest_id, page.*
FROM newest LEFT JOIN LATERAL (
  SELECT stretch.* FROM (
    SELECT runs.* FROM runs
    WHERE runs.id <= newest.id AND runs.id > newest.id - :lookMax::bigint
    ORDER BY runs.id DESC
    OFFSET 0
  ) AS stretch
  WHERE (:states::text[] IS NULL OR state = ANY (:states::text[]))
    AND (:anyWorkflow::boolean OR workflow_id = ANY (ARRAY(
      SELECT workflows.id FROM workflows
      WHERE (:namespace::text IS NULL OR workflows.namespace = :namespace)
        AND (:name::text IS NULL OR workflows.name = :name)
    )))
    AND (:createdFromMs::double precision IS NULL OR created_at_ms >= :createdFromMs)
    AND (:createdBeforeMs::double precision IS NULL OR created_at_ms < :createdBeforeMs)
  LIMIT :limit::bigint
) AS page ON true
ORDER BY page.id DESC;

-- name: listRunsByAttribute
-- Walks the runs of one attribute, the rarest as far as a short count tells, newest first; looks up the others of each.
WITH wanted AS MATERIALIZED (
  SELECT given.name, given.value, counted.entries
  FROM unnest(:names::text[], :values::text[]) AS given (name, value)
  CROSS JOIN LATERAL (
    SELECT count(*) AS entries FROM (
      SELECT FROM attributes
      WHERE attributes.name = given.name AND attributes.value = given.value
        AND attributes.run_id < :beforeRowId::bigint
      LIMIT :countMax::bigint
    ) AS entry
  ) AS counted
), rarest AS MATERIALIZED (
  SELECT name, value FROM wanted ORDER BY entries LIMIT 1
), entries AS MATERIALIZED (
  SELECT entry.run_id
  FROM rarest CROSS JOIN LATERAL (
    SELECT attributes.run_id FROM attributes
    WHERE attributes.name = rarest.name AND attributes.value = rarest.value
      AND attributes.run_id < :beforeRowId::bigint
    ORDER BY attributes.run_id DESC
    LIMIT :lookMax::bigint
  ) AS entry
), looked AS MATERIALIZED (
  SELECT count(*) AS entries, min(run_id) AS from_id FROM entries
)
SELECT looked.entries, looked.from_id, (SELECT min(id) FROM runs) AS oldest_id, page.*
FROM looked LEFT JOIN LATERAL (
  SELECT found.*
  FROM entries CROSS JOIN LATERAL (SELECT runs.* FROM runs WHERE runs.id = entries.run_id OFFSET 0) AS found
  WHERE (:states::text[] IS NULL OR found.state = ANY (:states::text[]))
    AND (:anyWorkflow::boolean OR found.workflow_id = ANY (ARRAY(
      SELECT workflows.id FROM workflows
      WHERE (:namespace::text IS NULL OR workflows.namespace = :namespace)
        AND (:name::text IS NULL OR workflows.name = :name)
    )))
    AND (:createdFromMs::double precision IS NULL OR found.created_at_ms >= :createdFromMs)
    AND (:createdBeforeMs::double precision IS NULL OR found.created_at_ms < :createdBeforeMs)
    AND NOT EXISTS (
      SELECT FROM wanted WHERE NOT EXISTS (
        SELECT FROM attributes AS other
        WHERE other.name = wanted.name AND other.value = wanted.value AND other.run_id = found.id
      )
    )
  ORDER BY found.id DESC
  LIMIT :limit::bigint
) AS page ON true
ORDER BY page.id DESC;

-- name: listHistory
-- One statement, so that all rows are of one moment. The run's own row comes as JSON; its texts pass unchanged.
SELECT 'run' AS piece, NULL::bigint AS seq, NULL::text AS key, NULL::text AS kind, NULL::text AS outcome,
       row_to_json(runs)::text AS value, NULL::integer AS attempt, NULL::bigint AS at_ms, NULL::bigint AS duration_ms,
       NULL::bigint AS due_at_ms, NULL::bigint AS began_seq, NULL::bigint AS began_at_ms,
       NULL::bigint AS consumed_seq, NULL::text AS actor
FROM runs WHERE id = :rowId::bigint
UNION ALL
SELECT 'step', seq, key, kind, outcome, value, attempt, at_ms, duration_ms, NULL, NULL, NULL, NULL, NULL
FROM steps WHERE run_id = :rowId::bigint
UNION ALL
SELECT 'attempt', seq, key, kind, state, error, attempt, at_ms, duration_ms, due_at_ms, began_seq, began_at_ms, NULL, NULL
FROM attempts WHERE run_id = :rowId::bigint
UNION ALL
SELECT 'item', seq, name, kind, NULL, payload, NULL, at_ms, NULL, NULL, NULL, NULL, consumed_seq, actor
FROM inbox WHERE run_id = :rowId::bigint
UNION ALL
SELECT 'note', seq, NULL, kind, NULL, value, NULL, at_ms, NULL, NULL, NULL, NULL, NULL, NULL
FROM notes WHERE run_id = :rowId::bigint;

-- name: listActiveSteps
-- Under an older claim it began in a process that has died since.
SELECT attempts.key, attempts.kind, attempts.attempt, began_at_ms, beat, beat_at_ms
FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.generation = runs.generation
WHERE runs.id = :rowId::bigint AND runs.worker_id IS NOT NULL
  AND attempts.state = 'running' AND attempts.began_fence = runs.fence
  AND NOT EXISTS (
    SELECT FROM steps
    WHERE steps.run_id = runs.id AND steps.key = attempts.key AND steps.generation = runs.generation
  )
ORDER BY attempts.seq;
