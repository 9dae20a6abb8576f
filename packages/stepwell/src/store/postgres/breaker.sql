-- Queries about circuit breakers. Written and bound as those of queries.sql.

-- name: findBreaker
-- One row, also of a breaker that is not there. Both looks at `runs` go by its key.
SELECT breakers.*,
  coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
  EXISTS (
    SELECT FROM runs
    WHERE id = breakers.probe_run_id AND worker_id = breakers.probe_worker_id AND fence = breakers.probe_fence
  ) AS probing,
  EXISTS (SELECT FROM runs WHERE id = :rowId::bigint AND worker_id = :workerId::bigint AND fence = :fence::bigint) AS held
FROM (SELECT 1) AS one LEFT JOIN breakers ON breakers.name = :name;

-- name: saveBreaker
-- Into the place of the revision before, of which there is none for the first; an owner must hold its run. Of two who
-- save the same revision the second waits for the row, and finds it changed.
INSERT INTO breakers (
  name, revision, epoch, since_ms, open_until_ms, failures, probe_mark, probe_run_id, probe_worker_id, probe_fence,
  touched_by, touched_why, touched_at_ms
)
SELECT
  :name::text, :revision::bigint, :epoch::bigint, :sinceMs::bigint, :openUntilMs::bigint, :failures::text,
  :probeMark::text, :probeRunId::bigint, :probeWorkerId::bigint, :probeFence::bigint,
  :touchedBy::text, :touchedWhy::text, :touchedAtMs::bigint
WHERE :rowId::bigint IS NULL OR EXISTS (
  SELECT FROM runs WHERE id = :rowId::bigint AND worker_id = :workerId::bigint AND fence = :fence::bigint
)
ON CONFLICT (name) DO UPDATE
SET revision = excluded.revision, epoch = excluded.epoch, since_ms = excluded.since_ms,
    open_until_ms = excluded.open_until_ms, failures = excluded.failures,
    probe_mark = excluded.probe_mark, probe_run_id = excluded.probe_run_id,
    probe_worker_id = excluded.probe_worker_id, probe_fence = excluded.probe_fence,
    touched_by = excluded.touched_by, touched_why = excluded.touched_why, touched_at_ms = excluded.touched_at_ms
WHERE breakers.revision = excluded.revision - 1
RETURNING 1;

-- name: listBreakers
SELECT breakers.*, prober.public_id AS prober_id, workflows.namespace AS prober_namespace, workflows.name AS prober_name,
  coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
FROM breakers
LEFT JOIN runs AS prober ON prober.id = breakers.probe_run_id AND prober.worker_id = breakers.probe_worker_id
  AND prober.fence = breakers.probe_fence
LEFT JOIN workflows ON workflows.id = prober.workflow_id
WHERE breakers.name > :afterName
ORDER BY breakers.name
LIMIT :limit::bigint;
