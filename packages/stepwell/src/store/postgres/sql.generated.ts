/** Generated from the .sql files beside it by `npm run generate`. Do not edit. */

/** Statements by name; each comment lists what to bind, in order. */
export const QUERIES = {
  /** () */
  listVersions: `SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
ORDER BY versions.id`,
  /** (namespace, name, version) */
  findVersion: `SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM workflows JOIN versions ON versions.workflow_id = workflows.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND versions.version = :version`,
  /** (namespace, name) */
  insertWorkflow: `INSERT INTO workflows (namespace, name) VALUES (:namespace, :name) ON CONFLICT DO NOTHING`,
  /** (version, namespace, name) */
  insertVersion: `INSERT INTO versions (workflow_id, version)
SELECT id, :version FROM workflows WHERE namespace = :namespace AND name = :name
ON CONFLICT DO NOTHING
RETURNING id`,
  /** (namespaces, names, publicIds) */
  findRuns: `SELECT wanted.place, found.*
FROM unnest(:namespaces::text[], :names::text[], :publicIds::text[])
  WITH ORDINALITY AS wanted (namespace, name, public_id, place)
CROSS JOIN LATERAL (
  SELECT runs.*
  FROM workflows JOIN runs ON runs.workflow_id = workflows.id
  WHERE workflows.namespace = wanted.namespace AND workflows.name = wanted.name AND runs.public_id = wanted.public_id
  OFFSET 0
) AS found`,
  /** (claimNo, workerId, claimNo, nowMs, versionIds, limit, limit, workerId, claimNo) */
  claimRuns: `WITH me AS (
  UPDATE workers SET claim_no = :claimNo::bigint
  WHERE id = :workerId::bigint AND state = 'alive' AND claim_no < :claimNo::bigint
  RETURNING coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), oldest AS MATERIALIZED (
  SELECT version.id AS version_id
  FROM (SELECT DISTINCT unnest(:versionIds::bigint[]) AS id) AS version
  CROSS JOIN LATERAL (
    SELECT runs.id, runs.due_at_ms FROM runs
    WHERE runs.version_id = version.id AND runs.due_at_ms <= (SELECT now_ms FROM me) AND runs.crashes < 2
    ORDER BY runs.due_at_ms, runs.id
    LIMIT :limit::bigint
  ) AS waiting
  ORDER BY waiting.due_at_ms, waiting.id
  LIMIT :limit::bigint
), due AS MATERIALIZED (
  SELECT found.id, found.due_at_ms
  FROM (SELECT version_id, count(*) AS size FROM oldest GROUP BY version_id) AS share
  CROSS JOIN LATERAL (
    SELECT runs.id, runs.due_at_ms FROM runs
    WHERE runs.version_id = share.version_id AND runs.due_at_ms <= (SELECT now_ms FROM me) AND runs.crashes < 2
    ORDER BY runs.due_at_ms, runs.id
    LIMIT share.size
    FOR UPDATE SKIP LOCKED
  ) AS found
), taken AS (
  UPDATE runs
  SET state = CASE state WHEN 'compensating' THEN state ELSE 'running' END,
      worker_id = :workerId::bigint, fence = fence + 1, due_at_ms = NULL, waiting_for = NULL, claim_no = :claimNo::bigint
  WHERE runs.id = ANY (ARRAY(SELECT id FROM due))
  RETURNING runs.*
)
SELECT me.now_ms, taken.*
FROM me LEFT JOIN (taken JOIN due ON due.id = taken.id) ON true
ORDER BY due.due_at_ms, due.id`,
  /** (claimNo, workerId, claimNo, nowMs, versionIds, limit, limit, workerId, claimNo) */
  claimSuspects: `WITH me AS (
  UPDATE workers SET claim_no = :claimNo::bigint
  WHERE id = :workerId::bigint AND state = 'alive' AND claim_no < :claimNo::bigint
  RETURNING coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), oldest AS MATERIALIZED (
  SELECT version.id AS version_id
  FROM (SELECT DISTINCT unnest(:versionIds::bigint[]) AS id) AS version
  CROSS JOIN LATERAL (
    SELECT runs.id, runs.due_at_ms FROM runs
    WHERE runs.version_id = version.id AND runs.due_at_ms <= (SELECT now_ms FROM me) AND runs.crashes >= 2
    ORDER BY runs.due_at_ms, runs.id
    LIMIT :limit::bigint
  ) AS waiting
  ORDER BY waiting.due_at_ms, waiting.id
  LIMIT :limit::bigint
), due AS MATERIALIZED (
  SELECT found.id, found.due_at_ms
  FROM (SELECT version_id, count(*) AS size FROM oldest GROUP BY version_id) AS share
  CROSS JOIN LATERAL (
    SELECT runs.id, runs.due_at_ms FROM runs
    WHERE runs.version_id = share.version_id AND runs.due_at_ms <= (SELECT now_ms FROM me) AND runs.crashes >= 2
    ORDER BY runs.due_at_ms, runs.id
    LIMIT share.size
    FOR UPDATE SKIP LOCKED
  ) AS found
), taken AS (
  UPDATE runs
  SET state = CASE state WHEN 'compensating' THEN state ELSE 'running' END,
      worker_id = :workerId::bigint, fence = fence + 1, due_at_ms = NULL, waiting_for = NULL, claim_no = :claimNo::bigint
  WHERE runs.id = ANY (ARRAY(SELECT id FROM due))
  RETURNING runs.*
)
SELECT me.now_ms, taken.*
FROM me LEFT JOIN (taken JOIN due ON due.id = taken.id) ON true
ORDER BY due.due_at_ms, due.id`,
  /** (claimNo, workerId) */
  barClaims: `UPDATE workers SET claim_no = greatest(claim_no, :claimNo::bigint)
WHERE id = :workerId::bigint AND state = 'alive'
RETURNING claim_no`,
  /** (nowMs, workerId, claimNo, rowIds, rowIds) */
  listClaimedRuns: `SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms, runs.*
FROM runs
WHERE worker_id = :workerId::bigint AND claim_no = :claimNo::bigint
  AND (:rowIds::bigint[] IS NULL OR id = ANY (:rowIds::bigint[]))
ORDER BY id`,
  /** (nowMs, versionIds) */
  findNextDue: `SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
       (SELECT max(id) FROM versions) AS newest_version_id,
       min(next_run.due_at_ms) AS run_at_ms, min(next_suspect.due_at_ms) AS suspect_at_ms
FROM unnest(:versionIds::bigint[]) AS version (id)
LEFT JOIN LATERAL (
  SELECT runs.due_at_ms FROM runs
  WHERE runs.version_id = version.id AND runs.due_at_ms IS NOT NULL AND runs.crashes < 2
  ORDER BY runs.due_at_ms
  LIMIT 1
) AS next_run ON true
LEFT JOIN LATERAL (
  SELECT runs.due_at_ms FROM runs
  WHERE runs.version_id = version.id AND runs.due_at_ms IS NOT NULL AND runs.crashes >= 2
  ORDER BY runs.due_at_ms
  LIMIT 1
) AS next_suspect ON true`,
  /** (nowMs) */
  listOldestDue: `WITH moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), oldest AS MATERIALIZED (
  SELECT versions.id, versions.workflow_id, versions.version, least(
    (SELECT runs.due_at_ms FROM runs
     WHERE runs.version_id = versions.id AND runs.due_at_ms IS NOT NULL AND runs.crashes < 2
     ORDER BY runs.due_at_ms
     LIMIT 1),
    (SELECT runs.due_at_ms FROM runs
     WHERE runs.version_id = versions.id AND runs.due_at_ms IS NOT NULL AND runs.crashes >= 2
     ORDER BY runs.due_at_ms
     LIMIT 1)
  ) AS due_at_ms
  FROM versions
)
SELECT oldest.id, oldest.workflow_id, workflows.namespace, workflows.name, oldest.version,
       moment.now_ms - oldest.due_at_ms AS overdue_ms
FROM moment CROSS JOIN oldest JOIN workflows ON workflows.id = oldest.workflow_id
WHERE oldest.due_at_ms <= moment.now_ms
ORDER BY oldest.id`,
  /** (versionIds, limit, limit, nowMs) */
  resumePaused: `WITH found AS MATERIALIZED (
  SELECT paused.id
  FROM unnest(:versionIds::bigint[]) AS version (id)
  CROSS JOIN LATERAL (
    SELECT runs.id FROM runs WHERE runs.version_id = version.id AND runs.state = 'paused' AND NOT runs.on_hold LIMIT :limit::bigint
  ) AS paused
  LIMIT :limit::bigint
), held AS MATERIALIZED (
  SELECT id FROM runs WHERE id = ANY (ARRAY(SELECT id FROM found)) AND state = 'paused' AND NOT on_hold ORDER BY id FOR UPDATE
), resumed AS (
  UPDATE runs
  SET state = CASE WHEN ending IS NULL THEN 'pending' ELSE 'compensating' END,
      due_at_ms = coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint)
  WHERE id = ANY (ARRAY(SELECT id FROM held))
  RETURNING id
)
SELECT (SELECT count(*) FROM found) AS found, (SELECT count(*) FROM resumed) AS resumed`,
  /** (rowIds) */
  loadMemories: `SELECT wanted.run_id, piece.*
FROM unnest(:rowIds::bigint[]) AS wanted (run_id)
CROSS JOIN LATERAL (
  SELECT 'run' AS piece,
         greatest(
           runs.history_seq,
           (SELECT max(seq) FROM steps WHERE steps.run_id = runs.id),
           (SELECT max(seq) FROM attempts WHERE attempts.run_id = runs.id),
           (SELECT max(seq) FROM notes WHERE notes.run_id = runs.id)
         ) AS seq,
         runs.inbox_seq, NULL::text AS key, NULL::text AS kind, NULL::text AS outcome, NULL::text AS value,
         NULL::integer AS attempt, NULL::boolean AS compensable, NULL::bigint AS at_ms, NULL::bigint AS duration_ms,
         NULL::bigint AS due_at_ms, NULL::bigint AS began_seq, NULL::bigint AS began_at_ms,
         NULL::text AS beat, NULL::bigint AS beat_at_ms, NULL::text AS actor
  FROM runs WHERE runs.id = wanted.run_id
  UNION ALL
  SELECT 'step', seq, NULL, key, kind, outcome, value, attempt, compensable, NULL, duration_ms,
         NULL, NULL, NULL, NULL, NULL, NULL
  FROM steps
  WHERE steps.run_id = wanted.run_id AND generation = (SELECT generation FROM runs WHERE runs.id = wanted.run_id)
  UNION ALL
  SELECT 'attempt', seq, NULL, key, kind, state, error, attempt, NULL, NULL, duration_ms,
         due_at_ms, began_seq, began_at_ms, beat, beat_at_ms, NULL
  FROM attempts
  WHERE attempts.run_id = wanted.run_id AND generation = (SELECT generation FROM runs WHERE runs.id = wanted.run_id)
  UNION ALL
  SELECT 'item', seq, NULL, name, kind, NULL, payload, NULL, NULL, at_ms, NULL, NULL, NULL, NULL, NULL, NULL, actor
  FROM inbox WHERE inbox.run_id = wanted.run_id AND consumed_seq IS NULL
  UNION ALL
  SELECT 'undone', max(generation), NULL, key, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, NULL, NULL, NULL, NULL, NULL
  FROM steps
  WHERE steps.run_id = wanted.run_id AND kind = 'compensation' AND outcome IN ('completed', 'resolved')
    AND generation < (SELECT generation FROM runs WHERE runs.id = wanted.run_id)
    AND (SELECT generation FROM runs WHERE runs.id = wanted.run_id) > 1
  GROUP BY key
  OFFSET 0
) AS piece`,
  /** (rowId, afterSeq) */
  listInbox: `SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = :rowId::bigint AND seq > :afterSeq::bigint AND consumed_seq IS NULL
ORDER BY seq`,
  /** (rowIds) */
  listEnded: `SELECT ended.id, ended.state, ended.value
FROM unnest(:rowIds::bigint[]) AS wanted (run_id)
CROSS JOIN LATERAL (
  SELECT runs.id, runs.state, CASE runs.state WHEN 'completed' THEN runs.output ELSE runs.error END AS value
  FROM runs WHERE runs.id = wanted.run_id AND runs.ended_at_ms IS NOT NULL
  OFFSET 0
) AS ended`,
  /** (name, host, bootId, pid, pidNamespace, pidStartedAt, concurrency, workflows, leaseMs, nowMs) */
  insertWorker: `INSERT INTO workers (
  name, host, boot_id, pid, pid_namespace, pid_started_at, concurrency, workflows, lease_until_ms, started_at_ms, seen_at_ms
)
SELECT :name, :host, :bootId, :pid::bigint, :pidNamespace, :pidStartedAt, :concurrency::bigint, :workflows,
       ceil(now_ms + :leaseMs::double precision)::bigint, now_ms, now_ms
FROM (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
) AS moment
RETURNING id`,
  /** (nowMs, leaseMs, executing, workerId, workerId) */
  renewWorker: `WITH moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), renewed AS (
  UPDATE workers
  SET lease_until_ms = ceil((SELECT now_ms FROM moment) + :leaseMs::double precision)::bigint,
      seen_at_ms = (SELECT now_ms FROM moment), executing = :executing::bigint
  WHERE id = :workerId::bigint AND state = 'alive'
  RETURNING id
)
SELECT EXISTS (SELECT FROM renewed) AS alive, max(workers.id) AS newest_id,
       min(CASE WHEN workers.state = 'dead' THEN 0 ELSE greatest(lease_until_ms - (SELECT now_ms FROM moment), 0) END)
         FILTER (WHERE workers.id <> :workerId::bigint) AS others_lapse_in_ms
FROM workers`,
  /** (nowMs) */
  listWorkers: `SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms, workers.*
FROM workers
ORDER BY id`,
  /** (workerId, gone, nowMs) */
  buryWorker: `WITH doomed AS MATERIALIZED (
  SELECT id FROM workers
  WHERE id = :workerId::bigint AND state = 'alive' AND (:gone::boolean OR lease_until_ms <=
    coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint))
  FOR UPDATE
)
UPDATE workers SET state = 'dead' FROM doomed WHERE workers.id = doomed.id RETURNING workers.id`,
  /** (workerId) */
  findLivingWorker: `SELECT id FROM workers WHERE id = :workerId::bigint AND state = 'alive'`,
  /** (workerId) */
  listHeldRuns: `SELECT id, inbox_seq FROM runs WHERE worker_id = :workerId::bigint`,
  /** (workerId) */
  listHeldSuspects: `SELECT id, fence, crashes, error FROM runs WHERE worker_id = :workerId::bigint AND crashes >= 2`,
  /** (nowMs, workerId, suspectIds, suspectFences, suspectErrors, suspectNotes, died, died, noteKind, note, asideKind) */
  releaseRuns: `WITH moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), held AS MATERIALIZED (
  SELECT id, fence, crashes, history_seq FROM runs
  WHERE worker_id = (SELECT id FROM workers WHERE id = :workerId::bigint AND state = 'dead')
  ORDER BY id
  FOR UPDATE
), numbered AS MATERIALIZED (
  SELECT held.id, aside.error, aside.note, greatest(
    held.history_seq,
    (SELECT max(seq) FROM steps WHERE steps.run_id = held.id),
    (SELECT max(seq) FROM attempts WHERE attempts.run_id = held.id),
    (SELECT max(seq) FROM notes WHERE notes.run_id = held.id)
  ) AS last_seq
  FROM held
  LEFT JOIN unnest(:suspectIds::bigint[], :suspectFences::bigint[], :suspectErrors::text[], :suspectNotes::text[])
    AS aside (run_id, fence, error, note) ON aside.run_id = held.id AND aside.fence = held.fence
  WHERE NOT (:died::boolean AND held.crashes >= 2) OR aside.error IS NOT NULL
), freed AS (
  UPDATE runs
  SET state = CASE WHEN numbered.error IS NOT NULL THEN 'quarantined'
                   WHEN state = 'compensating' THEN state ELSE 'pending' END,
      error = coalesce(numbered.error, runs.error),
      due_at_ms = CASE WHEN numbered.error IS NULL THEN (SELECT now_ms FROM moment) END,
      worker_id = NULL, fence = fence + 1, crashes = crashes + CASE WHEN :died::boolean THEN 1 ELSE 0 END,
      history_seq = numbered.last_seq + CASE WHEN numbered.error IS NULL THEN 1 ELSE 2 END
  FROM numbered
  WHERE runs.id = numbered.id AND runs.id = ANY (ARRAY(SELECT id FROM numbered))
  RETURNING runs.*
), noted AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT id, last_seq + 1, :noteKind, (SELECT now_ms FROM moment), :note FROM numbered
  UNION ALL
  SELECT id, last_seq + 2, :asideKind, (SELECT now_ms FROM moment), note FROM numbered WHERE error IS NOT NULL
  ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM freed WHERE state <> 'quarantined') AS freed, aside.*
FROM (SELECT) AS one LEFT JOIN freed AS aside ON aside.state = 'quarantined'`,
  /** (workerId) */
  closeWorker: `WITH doomed AS MATERIALIZED (
  SELECT id FROM workers
  WHERE id = :workerId::bigint AND state = 'alive' AND NOT EXISTS (SELECT FROM runs WHERE runs.worker_id = workers.id)
  FOR UPDATE
)
UPDATE workers SET state = 'dead' FROM doomed WHERE workers.id = doomed.id`,
  /** (workerId) */
  deleteWorker: `DELETE FROM workers
WHERE id = :workerId::bigint AND state = 'dead' AND NOT EXISTS (SELECT FROM runs WHERE runs.worker_id = workers.id)
RETURNING id`,
  /** (openRunIds, openKeys, openTitles, openAddressees, openRequests) */
  flushOpenings: `given_openings AS MATERIALIZED (
  SELECT * FROM unnest(
    :openRunIds::bigint[], :openKeys::text[], :openTitles::text[], :openAddressees::text[], :openRequests::text[]
  ) AS given (run_id, key, title, addressees, request)
), opened AS (
  INSERT INTO approvals (run_id, key, generation, state, opened_at_ms, due_at_ms, title, addressees, request)
  SELECT given_openings.run_id, given_openings.key, saved_attempts.generation, 'open', (SELECT now_ms FROM moment),
         saved_attempts.due_at_ms, given_openings.title, given_openings.addressees, given_openings.request
  FROM given_openings
  JOIN saved_attempts ON saved_attempts.run_id = given_openings.run_id AND saved_attempts.key = given_openings.key
  ON CONFLICT DO NOTHING
  RETURNING id, addressees
), opened_for AS (
  INSERT INTO approval_addressees (name, state, approval_id)
  SELECT entry.name, 'open', opened.id
  FROM opened CROSS JOIN LATERAL json_array_elements_text(opened.addressees::json) AS entry (name)
  ON CONFLICT DO NOTHING
)`,
  /** (closeRunIds, closeKeys, closeStates) */
  flushClosings: `given_closings AS MATERIALIZED (
  SELECT * FROM unnest(:closeRunIds::bigint[], :closeKeys::text[], :closeStates::text[]) AS given (run_id, key, state)
), closed AS (
  UPDATE approvals SET state = given_closings.state, closed_at_ms = (SELECT now_ms FROM moment)
  FROM given_closings
  JOIN other_steps ON other_steps.run_id = given_closings.run_id AND other_steps.key = given_closings.key
  JOIN given_steps ON given_steps.run_id = given_closings.run_id AND given_steps.key = given_closings.key
  WHERE approvals.run_id = given_closings.run_id AND approvals.key = given_closings.key
    AND approvals.generation = given_steps.generation AND approvals.state = 'open'
  RETURNING approvals.id, approvals.state, approvals.addressees
), closed_for AS (
  UPDATE approval_addressees SET state = closed.state
  FROM closed CROSS JOIN LATERAL json_array_elements_text(closed.addressees::json) AS entry (name)
  WHERE approval_addressees.name = entry.name AND approval_addressees.state = 'open'
    AND approval_addressees.approval_id = closed.id
)`,
  /** (workerId, rowId, key, rowId, fence, workerId, title, addressees, request, addressees, addressees) */
  updateApproval: `WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = :workerId::bigint AND state = 'alive' FOR KEY SHARE
), asked AS MATERIALIZED (
  SELECT id, addressees FROM approvals
  WHERE run_id = :rowId::bigint AND key = :key AND state = 'open' AND EXISTS (SELECT FROM alive)
    AND generation = (
      SELECT runs.generation FROM runs
      WHERE runs.id = :rowId::bigint AND runs.fence = :fence::bigint AND runs.worker_id IS NOT DISTINCT FROM :workerId::bigint
    )
  FOR UPDATE
), updated AS (
  UPDATE approvals SET title = :title, addressees = :addressees::text, request = :request
  FROM asked WHERE approvals.id = asked.id
  RETURNING approvals.id, approvals.opened_at_ms
), no_more_for AS (
  DELETE FROM approval_addressees
  USING asked CROSS JOIN LATERAL json_array_elements_text(asked.addressees::json) AS entry (name)
  WHERE approval_addressees.name = entry.name AND approval_addressees.state = 'open'
    AND approval_addressees.approval_id = asked.id
    AND NOT EXISTS (
      SELECT FROM json_array_elements_text(:addressees::text::json) AS kept (name) WHERE kept.name = entry.name
    )
), updated_for AS (
  INSERT INTO approval_addressees (name, state, approval_id)
  SELECT entry.name, 'open', updated.id
  FROM updated CROSS JOIN LATERAL json_array_elements_text(:addressees::text::json) AS entry (name)
  ON CONFLICT DO NOTHING
)
SELECT opened_at_ms FROM updated`,
  /** (limit, namespace, name, publicId, key) */
  findApproval: `SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name, (
  SELECT json_agg(said ORDER BY said.seq) FROM (
    SELECT inbox.seq, inbox.operation_id, inbox.actor, inbox.at_ms, inbox.payload, (
      SELECT steps.value FROM steps
      WHERE steps.run_id = inbox.run_id AND steps.key = '@decision/' || approvals.key || '/' || inbox.seq
      LIMIT 1
    ) AS verdict
    FROM inbox
    WHERE inbox.run_id = approvals.run_id AND inbox.kind = 'decision' AND inbox.name = approvals.key
      AND inbox.at_ms >= approvals.opened_at_ms
    ORDER BY inbox.seq
    LIMIT :limit::bigint
  ) AS said
) AS decisions
FROM workflows
JOIN runs ON runs.workflow_id = workflows.id
JOIN approvals ON approvals.run_id = runs.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND runs.public_id = :publicId
  AND approvals.key = :key
ORDER BY approvals.generation DESC
LIMIT 1`,
  /** (state, beforeId, lookMax, state, namespace, namespace, name, name, limit) */
  listApprovals: `WITH looked AS MATERIALIZED (
  SELECT approvals.id FROM approvals
  WHERE approvals.state = :state AND approvals.id < :beforeId::bigint
  ORDER BY approvals.id DESC
  LIMIT :lookMax::bigint
), extent AS (
  SELECT count(*) AS looked, min(id) AS looked_to FROM looked
)
SELECT extent.looked, extent.looked_to, page.*
FROM extent LEFT JOIN LATERAL (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked
  JOIN approvals ON approvals.id = looked.id
  JOIN runs ON runs.id = approvals.run_id
  JOIN workflows ON workflows.id = runs.workflow_id
  WHERE approvals.state = :state AND (:namespace::text IS NULL OR workflows.namespace = :namespace)
    AND (:name::text IS NULL OR workflows.name = :name)
  ORDER BY approvals.id DESC
  LIMIT :limit::bigint
) AS page ON true
ORDER BY page.id DESC`,
  /** (to, state, beforeId, lookMax, lookMax, state, namespace, namespace, name, name, limit) */
  listApprovalsFor: `WITH named AS MATERIALIZED (
  SELECT entry.approval_id
  FROM unnest(:to::text[]) AS wanted (name) CROSS JOIN LATERAL (
    SELECT approval_addressees.approval_id FROM approval_addressees
    WHERE approval_addressees.name = wanted.name AND approval_addressees.state = :state
      AND approval_addressees.approval_id < :beforeId::bigint
    ORDER BY approval_addressees.approval_id DESC
    LIMIT :lookMax::bigint
  ) AS entry
), looked AS MATERIALIZED (
  SELECT DISTINCT approval_id AS id FROM named ORDER BY id DESC LIMIT :lookMax::bigint
), extent AS (
  SELECT count(*) AS looked, min(id) AS looked_to FROM looked
)
SELECT extent.looked, extent.looked_to, page.*
FROM extent LEFT JOIN LATERAL (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked
  JOIN approvals ON approvals.id = looked.id
  JOIN runs ON runs.id = approvals.run_id
  JOIN workflows ON workflows.id = runs.workflow_id
  WHERE approvals.state = :state AND (:namespace::text IS NULL OR workflows.namespace = :namespace)
    AND (:name::text IS NULL OR workflows.name = :name)
  ORDER BY approvals.id DESC
  LIMIT :limit::bigint
) AS page ON true
ORDER BY page.id DESC`,
  /** (nowMs, rowId, workerId, fence, name) */
  findBreaker: `SELECT breakers.*,
  coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
  EXISTS (
    SELECT FROM runs
    WHERE id = breakers.probe_run_id AND worker_id = breakers.probe_worker_id AND fence = breakers.probe_fence
  ) AS probing,
  EXISTS (SELECT FROM runs WHERE id = :rowId::bigint AND worker_id = :workerId::bigint AND fence = :fence::bigint) AS held
FROM (SELECT 1) AS one LEFT JOIN breakers ON breakers.name = :name`,
  /** (name, revision, epoch, sinceMs, openUntilMs, failures, probeMark, probeRunId, probeWorkerId, probeFence, touchedBy, touchedWhy, touchedAtMs, rowId, rowId, workerId, fence) */
  saveBreaker: `INSERT INTO breakers (
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
RETURNING 1`,
  /** (nowMs, afterName, limit) */
  listBreakers: `SELECT breakers.*, prober.public_id AS prober_id, workflows.namespace AS prober_namespace, workflows.name AS prober_name,
  coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
FROM breakers
LEFT JOIN runs AS prober ON prober.id = breakers.probe_run_id AND prober.worker_id = breakers.probe_worker_id
  AND prober.fence = breakers.probe_fence
LEFT JOIN workflows ON workflows.id = prober.workflow_id
WHERE breakers.name > :afterName
ORDER BY breakers.name
LIMIT :limit::bigint`,
  /** (rowIds) */
  listStandings: `SELECT id, state, worker_id, fence, generation, inbox_seq, on_hold FROM runs WHERE id = ANY (:rowIds::bigint[])`,
  /** (rowIds, keys) */
  listSavedSteps: `SELECT steps.run_id, steps.generation, steps.key
FROM unnest(:rowIds::bigint[], :keys::text[]) AS wanted (run_id, key)
JOIN steps ON steps.run_id = wanted.run_id AND steps.key = wanted.key`,
  /** (rowIds, keys, attempts) */
  listSavedAttempts: `SELECT attempts.run_id, attempts.generation, attempts.key, attempts.attempt, attempts.state, attempts.seq,
       attempts.began_at_ms, attempts.kind
FROM unnest(:rowIds::bigint[], :keys::text[], :attempts::bigint[]) AS wanted (run_id, key, attempt)
JOIN attempts ON attempts.run_id = wanted.run_id AND attempts.key = wanted.key AND attempts.attempt = wanted.attempt`,
  /** (rowIds, seqs) */
  listSavedNotes: `SELECT notes.run_id, notes.seq
FROM unnest(:rowIds::bigint[], :seqs::bigint[]) AS wanted (run_id, seq)
JOIN notes ON notes.run_id = wanted.run_id AND notes.seq = wanted.seq`,
  /** (nowMs, rowIds, operations) */
  listDelivered: `SELECT inbox.run_id, inbox.seq, inbox.operation_id, inbox.kind, inbox.name, inbox.actor, inbox.payload, inbox.at_ms,
       runs.due_at_ms IS NOT NULL AND runs.due_at_ms <= :nowMs::bigint AS claimable
FROM unnest(:rowIds::bigint[], :operations::text[]) AS wanted (run_id, operation_id)
JOIN inbox ON inbox.run_id = wanted.run_id AND inbox.operation_id = wanted.operation_id
JOIN runs ON runs.id = wanted.run_id`,
  /** (namespaces, workflows, publicIds) */
  listAddressees: `SELECT wanted.place, runs.id, runs.state
FROM unnest(:namespaces::text[], :workflows::text[], :publicIds::text[])
  WITH ORDINALITY AS wanted (namespace, workflow, public_id, place)
JOIN workflows ON workflows.namespace = wanted.namespace AND workflows.name = wanted.workflow
JOIN runs ON runs.workflow_id = workflows.id AND runs.public_id = wanted.public_id`,
  /** (workflowIds, publicIds) */
  listRunsByPublicId: `SELECT runs.*
FROM unnest(:workflowIds::bigint[], :publicIds::text[]) AS wanted (workflow_id, public_id)
JOIN runs ON runs.workflow_id = wanted.workflow_id AND runs.public_id = wanted.public_id`,
  /** (workerId, seq, nowMs, durationMs, seq, beganAtMs, fence, rowId, key, attempt, beforeSeq, seq, rowId, fence, workerId, beforeSeq, noteKind, beforeAtMs, note) */
  beginAttemptAgain: `WITH alive AS MATERIALIZED (
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
SELECT run_id FROM begun`,
  /** (workers, nowMs) */
  flushHead: `WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = ANY (:workers::bigint[]) AND state = 'alive' FOR KEY SHARE
), moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
         coalesce((SELECT array_agg(id) FROM alive), '{}'::bigint[]) AS alive
)`,
  /** (workers, changedRunIds, nowMs) */
  flushHeadInOrder: `WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = ANY (:workers::bigint[]) AND state = 'alive' FOR KEY SHARE
), ordered AS MATERIALIZED (
  SELECT id FROM runs WHERE id = ANY (:changedRunIds::bigint[]) AND EXISTS (SELECT FROM alive)
  ORDER BY id
  FOR NO KEY UPDATE
), moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
         coalesce((SELECT array_agg(id) FROM alive), '{}'::bigint[]) AS alive
  FROM (SELECT count(*) AS runs FROM ordered) AS locked
  WHERE locked.runs >= 0
)`,
  /** (plainRunIds, plainWorkers, plainFences, plainSeqs, plainDurations, plainKeys, plainValues) */
  flushPlainSteps: `plain_steps AS (
  INSERT INTO steps (run_id, seq, generation, at_ms, duration_ms, attempt, compensable, kind, outcome, key, value)
  SELECT held.run_id, held.seq, held.generation, (SELECT now_ms FROM moment), held.duration_ms,
         1, false, 'step', 'completed', held.key, held.value
  FROM (
    SELECT given.*, (
      SELECT runs.generation FROM runs
      WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NOT DISTINCT FROM given.worker_id
    ) AS generation
    FROM unnest(
      :plainRunIds::bigint[], :plainWorkers::bigint[], :plainFences::bigint[], :plainSeqs::bigint[],
      :plainDurations::bigint[], :plainKeys::text[], :plainValues::text[]
    ) AS given (run_id, worker_id, fence, seq, duration_ms, key, value)
    OFFSET 0
  ) AS held
  WHERE held.generation IS NOT NULL AND held.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
  ON CONFLICT DO NOTHING
  RETURNING run_id
)`,
  /** (stepRunIds, stepWorkers, stepFences, stepSeqs, stepDurations, stepAttempts, stepCompensables, stepKinds, stepOutcomes, stepKeys, stepValues, stepConsumes, stepClears) */
  flushSteps: `given_steps AS MATERIALIZED (
  SELECT given.*, (
    SELECT runs.generation FROM runs
    WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NOT DISTINCT FROM given.worker_id
  ) AS generation
  FROM unnest(
    :stepRunIds::bigint[], :stepWorkers::bigint[], :stepFences::bigint[], :stepSeqs::bigint[],
    :stepDurations::bigint[], :stepAttempts::bigint[], :stepCompensables::boolean[], :stepKinds::text[],
    :stepOutcomes::text[], :stepKeys::text[], :stepValues::text[], :stepConsumes::bigint[], :stepClears::boolean[]
  ) AS given (
    run_id, worker_id, fence, seq, duration_ms, attempt, compensable, kind, outcome, key, value, consumes, clears
  )
), other_steps AS (
  INSERT INTO steps (run_id, seq, generation, at_ms, duration_ms, attempt, compensable, kind, outcome, key, value)
  SELECT run_id, seq, generation, (SELECT now_ms FROM moment), duration_ms,
         attempt, compensable, kind, outcome, key, value
  FROM given_steps
  WHERE generation IS NOT NULL AND worker_id = ANY ((SELECT alive FROM moment)::bigint[])
  ON CONFLICT DO NOTHING
  RETURNING run_id, key
), consumed_by_steps AS (
  UPDATE inbox SET consumed_seq = given_steps.seq - 1
  FROM other_steps JOIN given_steps ON given_steps.run_id = other_steps.run_id AND given_steps.key = other_steps.key
  WHERE inbox.run_id = given_steps.run_id AND inbox.seq = given_steps.consumes AND inbox.consumed_seq IS NULL
), cleared AS (
  UPDATE runs SET crashes = 0
  FROM other_steps JOIN given_steps ON given_steps.run_id = other_steps.run_id AND given_steps.key = other_steps.key
  WHERE given_steps.clears AND runs.id = given_steps.run_id
)`,
  /** (attemptRunIds, attemptWorkers, attemptFences, attemptSeqs, attemptNumbers, attemptDurations, attemptRans, attemptDueIns, attemptDueAts, attemptKinds, attemptStates, attemptKeys, attemptErrors) */
  flushAttempts: `saved_attempts AS (
  INSERT INTO attempts (
    run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms,
    began_seq, began_at_ms, began_fence, error
  )
  SELECT held.run_id, held.key, held.generation, held.attempt, held.seq, held.kind, held.state,
         ceil(coalesce((SELECT now_ms FROM moment) + held.due_in_ms, held.due_at_ms))::bigint,
         (SELECT now_ms FROM moment), held.duration_ms,
         CASE WHEN held.state = 'running' THEN held.seq END,
         CASE WHEN held.state = 'running' THEN floor((SELECT now_ms FROM moment) - held.ran_ms)::bigint END,
         CASE WHEN held.state = 'running' THEN held.fence END,
         held.error
  FROM (
    SELECT given.*, (
      SELECT runs.generation FROM runs
      WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NOT DISTINCT FROM given.worker_id
    ) AS generation
    FROM unnest(
      :attemptRunIds::bigint[], :attemptWorkers::bigint[], :attemptFences::bigint[], :attemptSeqs::bigint[],
      :attemptNumbers::bigint[], :attemptDurations::bigint[], :attemptRans::double precision[],
      :attemptDueIns::double precision[], :attemptDueAts::double precision[],
      :attemptKinds::text[], :attemptStates::text[], :attemptKeys::text[], :attemptErrors::text[]
    ) AS given (
      run_id, worker_id, fence, seq, attempt, duration_ms, ran_ms, due_in_ms, due_at_ms, kind, state, key, error
    )
    OFFSET 0
  ) AS held
  WHERE held.generation IS NOT NULL AND held.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
  ON CONFLICT (run_id, key, generation, attempt) DO UPDATE
  SET state = excluded.state, seq = excluded.seq, due_at_ms = excluded.due_at_ms, at_ms = excluded.at_ms,
      duration_ms = excluded.duration_ms, error = excluded.error
  WHERE attempts.state = 'running' AND excluded.state <> 'running'
  RETURNING run_id, key, generation, due_at_ms
)`,
  /** (beatRunIds, beatWorkers, beatFences, beatNumbers, beatKeys, beatValues) */
  flushBeats: `beaten AS (
  UPDATE attempts SET beat = given.value, beat_at_ms = (SELECT now_ms FROM moment)
  FROM unnest(
    :beatRunIds::bigint[], :beatWorkers::bigint[], :beatFences::bigint[], :beatNumbers::bigint[],
    :beatKeys::text[], :beatValues::text[]
  ) AS given (run_id, worker_id, fence, attempt, key, value)
  WHERE attempts.run_id = given.run_id AND attempts.key = given.key AND attempts.attempt = given.attempt
    AND attempts.state = 'running' AND given.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
    AND attempts.generation = (
      SELECT runs.generation FROM runs
      WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NOT DISTINCT FROM given.worker_id
    )
  RETURNING attempts.run_id
)`,
  /** (noteRunIds, noteWorkers, noteFences, noteSeqs, noteKinds, noteValues, noteConsumes) */
  flushNotes: `given_notes AS MATERIALIZED (
  SELECT * FROM unnest(
    :noteRunIds::bigint[], :noteWorkers::bigint[], :noteFences::bigint[], :noteSeqs::bigint[],
    :noteKinds::text[], :noteValues::text[], :noteConsumes::bigint[]
  ) AS given (run_id, worker_id, fence, seq, kind, value, consumes)
), saved_notes AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT given.run_id, given.seq, given.kind, (SELECT now_ms FROM moment), given.value
  FROM given_notes AS given
  WHERE given.worker_id = ANY ((SELECT alive FROM moment)::bigint[]) AND (
    SELECT true FROM runs
    WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NOT DISTINCT FROM given.worker_id
  )
  ON CONFLICT DO NOTHING
  RETURNING run_id, seq
), consumed_by_notes AS (
  UPDATE inbox SET consumed_seq = given.seq - 1
  FROM saved_notes JOIN given_notes AS given ON given.run_id = saved_notes.run_id AND given.seq = saved_notes.seq
  WHERE inbox.run_id = given.run_id AND inbox.seq = given.consumes AND inbox.consumed_seq IS NULL
)`,
  /** (progressRunIds, progressWorkers, progressFences, progressValues) */
  flushProgress: `progressed AS (
  UPDATE runs SET progress = given.value
  FROM unnest(
    :progressRunIds::bigint[], :progressWorkers::bigint[], :progressFences::bigint[], :progressValues::text[]
  ) AS given (run_id, worker_id, fence, value)
  WHERE runs.id = given.run_id AND runs.worker_id IS NOT DISTINCT FROM given.worker_id AND runs.fence = given.fence
    AND given.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
  RETURNING runs.id
)`,
  /** (attributeRunIds, attributeWorkers, attributeFences, attributeValues) */
  flushAttributes: `given_attributes AS MATERIALIZED (
  SELECT given.*, runs.attributes AS before
  FROM unnest(
    :attributeRunIds::bigint[], :attributeWorkers::bigint[], :attributeFences::bigint[], :attributeValues::text[]
  ) AS given (run_id, worker_id, fence, after)
  JOIN runs ON runs.id = given.run_id AND runs.worker_id IS NOT DISTINCT FROM given.worker_id AND runs.fence = given.fence
  WHERE given.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
), described AS (
  UPDATE runs SET attributes = given_attributes.after
  FROM given_attributes
  WHERE runs.id = given_attributes.run_id AND runs.worker_id IS NOT DISTINCT FROM given_attributes.worker_id
    AND runs.fence = given_attributes.fence
  RETURNING runs.id
), forgotten AS (
  DELETE FROM attributes
  USING given_attributes CROSS JOIN LATERAL json_each(given_attributes.before::json) AS entry
  WHERE attributes.run_id = given_attributes.run_id AND attributes.name = entry.key
    AND attributes.value = entry.value::text
    AND NOT EXISTS (
      SELECT FROM json_each(given_attributes.after::json) AS kept
      WHERE kept.key = entry.key AND kept.value::text = entry.value::text
    )
), learnt AS (
  INSERT INTO attributes (name, value, run_id)
  SELECT entry.key, entry.value::text, given_attributes.run_id
  FROM given_attributes CROSS JOIN LATERAL json_each(given_attributes.after::json) AS entry
  ON CONFLICT DO NOTHING
)`,
  /** (wakeRunIds, wakeFences) */
  flushWakes: `awoken AS (
  UPDATE runs
  SET state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
      waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
      due_at_ms = least(due_at_ms, (SELECT now_ms FROM moment))
  FROM unnest(:wakeRunIds::bigint[], :wakeFences::bigint[]) AS given (run_id, fence)
  WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NULL
    AND runs.state IN ('pending', 'waiting', 'compensating')
  RETURNING runs.id
)`,
  /** (runWorkflowIds, runVersionIds, runPublicIds, runClaimFors, runInputs, runInputHashes, runActors, runSeeds, runParentIds, runParentKeys, runParentAwaits, runTimeouts, runOwnerIds, runOwnerWorkers, runOwnerFences) */
  flushRuns: `inserted AS (
  INSERT INTO runs (
    workflow_id, version_id, public_id, state, worker_id, fence, due_at_ms, input, input_hash, actor, seed,
    parent_id, parent_key, parent_awaits, created_at_ms, deadline_at_ms
  )
  SELECT workflow_id, version_id, public_id,
         CASE WHEN claimed THEN 'running' ELSE 'pending' END,
         CASE WHEN claimed THEN claim_for END,
         CASE WHEN claimed THEN 1 ELSE 0 END,
         CASE WHEN NOT claimed THEN (SELECT now_ms FROM moment) END,
         input, input_hash, actor, seed, parent_id, parent_key, parent_awaits,
         (SELECT now_ms FROM moment), ceil((SELECT now_ms FROM moment) + timeout_ms)::bigint
  FROM (
    SELECT given.*, coalesce(claim_for = ANY ((SELECT alive FROM moment)::bigint[]), false) AS claimed
    FROM unnest(
      :runWorkflowIds::bigint[], :runVersionIds::bigint[], :runPublicIds::text[], :runClaimFors::bigint[],
      :runInputs::text[], :runInputHashes::text[], :runActors::text[], :runSeeds::bigint[],
      :runParentIds::bigint[], :runParentKeys::text[], :runParentAwaits::boolean[], :runTimeouts::double precision[],
      :runOwnerIds::bigint[], :runOwnerWorkers::bigint[], :runOwnerFences::bigint[]
    ) WITH ORDINALITY AS given (
      workflow_id, version_id, public_id, claim_for, input, input_hash, actor, seed,
      parent_id, parent_key, parent_awaits, timeout_ms, owner_id, owner_worker, owner_fence, place
    )
    WHERE owner_id IS NULL OR (owner_worker = ANY ((SELECT alive FROM moment)::bigint[]) AND (
      SELECT true FROM runs
      WHERE runs.id = owner_id AND runs.fence = owner_fence AND runs.worker_id IS NOT DISTINCT FROM owner_worker
    ))
    ORDER BY place
  ) AS allowed
  ON CONFLICT DO NOTHING
  RETURNING id
)`,
  /** (turnRunIds, turnWorkers, turnFences, turnSeqs, turnKinds, turnStates, turnDues, turnSeens, turnOutputs, turnErrors, turnEndings, turnWaits, turnConsumes, turnNoteKinds, turnNotes) */
  flushTransitions: `given_turns AS MATERIALIZED (
  SELECT * FROM unnest(
    :turnRunIds::bigint[], :turnWorkers::bigint[], :turnFences::bigint[], :turnSeqs::bigint[],
    :turnKinds::text[], :turnStates::text[], :turnDues::bigint[], :turnSeens::bigint[], :turnOutputs::text[],
    :turnErrors::text[], :turnEndings::text[], :turnWaits::text[], :turnConsumes::bigint[],
    :turnNoteKinds::text[], :turnNotes::text[]
  ) AS given (
    run_id, worker_id, fence, seq, kind, state, due_at_ms, inbox_seen, output,
    error, ending, waiting_for, consumes, note_kind, note
  )
), turned AS (
  UPDATE runs
  SET state = CASE WHEN given_turns.kind <> 'release' THEN given_turns.state
                   WHEN runs.ending IS NULL THEN 'pending' ELSE 'compensating' END,
      output = given_turns.output,
      on_hold = given_turns.kind = 'hold',
      error = CASE WHEN given_turns.kind IN ('park', 'hold', 'release') THEN runs.error ELSE given_turns.error END,
      ending = CASE given_turns.kind WHEN 'compensate' THEN given_turns.ending
                 WHEN 'park' THEN runs.ending WHEN 'pause' THEN runs.ending WHEN 'hold' THEN runs.ending
                 WHEN 'release' THEN runs.ending END,
      worker_id = CASE given_turns.kind WHEN 'compensate' THEN runs.worker_id END,
      due_at_ms = CASE given_turns.kind WHEN 'release' THEN (SELECT now_ms FROM moment)
                    ELSE given_turns.due_at_ms END,
      waiting_for = given_turns.waiting_for,
      history_seq = given_turns.seq,
      ended_at_ms = CASE WHEN given_turns.kind IN ('complete', 'fail', 'cancel') THEN (SELECT now_ms FROM moment) END
  FROM given_turns
  WHERE runs.id = given_turns.run_id AND runs.worker_id IS NOT DISTINCT FROM given_turns.worker_id AND runs.fence = given_turns.fence
    AND given_turns.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
    AND (given_turns.inbox_seen IS NULL OR runs.inbox_seq = given_turns.inbox_seen)
    AND (given_turns.kind <> 'compensate' OR runs.state = 'running')
  RETURNING runs.id, runs.public_id
)`,
  /** () */
  flushTurnNotes: `turn_notes AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT given_turns.run_id, given_turns.seq, given_turns.note_kind, (SELECT now_ms FROM moment), given_turns.note
  FROM turned JOIN given_turns ON given_turns.run_id = turned.id
  WHERE given_turns.note_kind IS NOT NULL
  ON CONFLICT DO NOTHING
), consumed_by_turns AS (
  UPDATE inbox SET consumed_seq = given_turns.seq - 1
  FROM turned JOIN given_turns ON given_turns.run_id = turned.id
  WHERE inbox.run_id = given_turns.run_id AND inbox.seq = given_turns.consumes AND inbox.consumed_seq IS NULL
)`,
  /** (postNamespaces, postWorkflows, postPublicIds, postKinds, postNames, postPayloads, postActors, postOperations) */
  flushPosts: `addressed AS MATERIALIZED (
  SELECT runs.id AS run_id, given.kind, given.name, given.payload, given.actor, given.operation_id, given.place
  FROM unnest(
    :postNamespaces::text[], :postWorkflows::text[], :postPublicIds::text[], :postKinds::text[], :postNames::text[],
    :postPayloads::text[], :postActors::text[], :postOperations::text[]
  ) WITH ORDINALITY AS given (namespace, workflow, public_id, kind, name, payload, actor, operation_id, place)
  JOIN workflows ON workflows.namespace = given.namespace AND workflows.name = given.workflow
  JOIN runs ON runs.workflow_id = workflows.id AND runs.public_id = given.public_id
)`,
  /** (endRunIds, endChildIds, endNames, endPayloads, endOperations) */
  flushChildEnds: `addressed AS MATERIALIZED (
  SELECT given.run_id, 'child' AS kind, given.name, given.payload, 'run:' || turned.public_id AS actor,
         given.operation_id, given.place
  FROM unnest(
    :endRunIds::bigint[], :endChildIds::bigint[], :endNames::text[], :endPayloads::text[], :endOperations::text[]
  ) WITH ORDINALITY AS given (run_id, child_id, name, payload, operation_id, place)
  JOIN turned ON turned.id = given.child_id
)`,
  /** () */
  flushItems: `fresh AS MATERIALIZED (
  SELECT DISTINCT ON (run_id, operation_id) *
  FROM addressed
  WHERE NOT EXISTS (
    SELECT FROM inbox WHERE inbox.run_id = addressed.run_id AND inbox.operation_id = addressed.operation_id
  )
  ORDER BY run_id, operation_id, place
), counted AS MATERIALIZED (
  SELECT run_id, count(*) AS items, bool_or(kind IN ('cancel', 'resume')) AS revives, bool_or(kind = 'resume') AS forgives,
         bool_or(kind = 'pause') AS holds,
         (array_agg(kind ORDER BY place DESC) FILTER (WHERE kind IN ('cancel', 'pause', 'resume')))[1] AS last_request
  FROM fresh GROUP BY run_id
  ORDER BY run_id
), woken AS (
  UPDATE runs
  SET inbox_seq = inbox_seq + counted.items,
      state = CASE
        WHEN worker_id IS NULL AND counted.last_request = 'pause' AND (state <> 'quarantined' OR counted.revives) THEN 'paused'
        WHEN state = 'waiting' THEN 'pending'
        WHEN state IN ('paused', 'quarantined') AND counted.revives
          THEN CASE WHEN ending IS NULL THEN 'pending' ELSE 'compensating' END
        ELSE state
      END,
      on_hold = CASE
        WHEN worker_id IS NULL AND counted.last_request = 'pause' AND (state <> 'quarantined' OR counted.revives) THEN true
        WHEN counted.revives THEN false
        ELSE on_hold
      END,
      crashes = CASE WHEN state = 'quarantined' AND counted.forgives THEN 0 ELSE crashes END,
      waiting_for = CASE WHEN state = 'waiting' OR (worker_id IS NULL AND counted.holds) THEN NULL ELSE waiting_for END,
      due_at_ms = CASE
        WHEN worker_id IS NULL AND counted.last_request IS DISTINCT FROM 'pause'
          AND (state IN ('pending', 'waiting', 'compensating') OR (state IN ('paused', 'quarantined') AND counted.revives))
        THEN least(CASE WHEN NOT counted.holds THEN due_at_ms END, (SELECT now_ms FROM moment))
      END
  FROM counted
  WHERE runs.id = counted.run_id AND runs.ended_at_ms IS NULL
  RETURNING runs.id, runs.inbox_seq - counted.items AS before_seq, runs.due_at_ms IS NOT NULL AS claimable
), posted AS (
  INSERT INTO inbox (run_id, seq, kind, name, actor, operation_id, at_ms, payload)
  SELECT fresh.run_id, woken.before_seq + row_number() OVER (PARTITION BY fresh.run_id ORDER BY fresh.place),
         fresh.kind, fresh.name, fresh.actor, fresh.operation_id, (SELECT now_ms FROM moment), fresh.payload
  FROM fresh JOIN woken ON woken.id = fresh.run_id
  RETURNING run_id, seq, operation_id, kind, name, actor, payload
)`,
  /** () */
  flushTail: `SELECT (SELECT now_ms FROM moment) AS now_ms, (SELECT alive FROM moment) AS alive`,
  /** (beforeRowId, lookMax, states, states, anyWorkflow, namespace, namespace, name, name, createdFromMs, createdFromMs, createdBeforeMs, createdBeforeMs, limit) */
  listRunsByAge: `WITH newest AS MATERIALIZED (
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
ORDER BY page.id DESC`,
  /** (names, values, beforeRowId, countMax, beforeRowId, lookMax, states, states, anyWorkflow, namespace, namespace, name, name, createdFromMs, createdFromMs, createdBeforeMs, createdBeforeMs, limit) */
  listRunsByAttribute: `WITH wanted AS MATERIALIZED (
  SELECT given.name, given.value, counted.entries
  FROM unnest(:names::text[], :values::text[]) AS given (name, value)
  CROSS JOIN LATERAL (
    SELECT count(*) AS entries FROM (
      SELECT FROM attributes
      WHERE attributes.name = given.name AND attributes.value = given.value
        AND attributes.run_id < :beforeRowId::bigint
      ORDER BY attributes.run_id DESC
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
    AND (SELECT count(*) FROM wanted) = (
      SELECT count(*) FROM wanted CROSS JOIN LATERAL (
        SELECT FROM attributes AS other
        WHERE other.name = wanted.name AND other.value = wanted.value AND other.run_id = found.id
        OFFSET 0
      ) AS present
    )
  ORDER BY found.id DESC
  LIMIT :limit::bigint
) AS page ON true
ORDER BY page.id DESC`,
  /** (rowId, rowId, rowId, rowId, rowId) */
  listHistory: `SELECT 'run' AS piece, NULL::bigint AS seq, NULL::text AS key, NULL::text AS kind, NULL::text AS outcome,
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
FROM notes WHERE run_id = :rowId::bigint`,
  /** (rowId) */
  listActiveSteps: `SELECT attempts.key, attempts.kind, attempts.attempt, began_at_ms, beat, beat_at_ms
FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.generation = runs.generation
WHERE runs.id = :rowId::bigint AND runs.worker_id IS NOT NULL
  AND attempts.state = 'running' AND attempts.began_fence = runs.fence
  AND NOT EXISTS (
    SELECT FROM steps
    WHERE steps.run_id = runs.id AND steps.key = attempts.key AND steps.generation = runs.generation
  )
ORDER BY attempts.seq`,
  /** (rowId, kind, generation, actor, operationId, nowMs, text) */
  addRemark: `INSERT INTO remarks (run_id, kind, generation, actor, operation_id, at_ms, text)
SELECT :rowId::bigint, :kind, :generation::bigint, :actor, :operationId,
       coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint), :text
ON CONFLICT DO NOTHING`,
  /** (rowIds) */
  listRemarks: `SELECT run_id, kind, generation, actor, at_ms, text FROM remarks
WHERE run_id = ANY (:rowIds::bigint[])
ORDER BY id`,
  /** (rowId) */
  listChildren: `SELECT * FROM runs WHERE parent_id = :rowId::bigint AND parent_awaits ORDER BY id`,
  /** (nowMs, rowIds, generations, endings, errors, noteKinds, notes, usedUps, delivereds, resolveds, itemRunIds, itemSeqs, itemPlaces, forgottenRunIds, forgottenKeys, forgottenRunIds, forgottenKeys, stepRunIds, stepKeys, stepKinds, stepAttempts, stepValues, newRunIds, newPlaces, newKinds, newNames, newPayloads, newActors, newOperations) */
  reopenRuns: `WITH moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), asked AS MATERIALIZED (
  SELECT * FROM unnest(
    :rowIds::bigint[], :generations::bigint[], :endings::text[], :errors::text[], :noteKinds::text[], :notes::text[],
    :usedUps::bigint[], :delivereds::bigint[], :resolveds::bigint[]
  ) AS asked (run_id, generation, new_ending, new_error, note_kind, note, used_up, delivered, resolved)
), held AS MATERIALIZED (
  SELECT runs.id, runs.generation, runs.history_seq, runs.inbox_seq, runs.state, runs.ended_at_ms,
         coalesce(runs.output, runs.error, 'null') AS value
  FROM asked JOIN runs ON runs.id = asked.run_id
  WHERE runs.generation = asked.generation
    AND (runs.ended_at_ms IS NOT NULL OR (runs.state = 'paused' AND NOT runs.on_hold))
  ORDER BY runs.id
  FOR UPDATE OF runs
), going AS MATERIALIZED (
  SELECT held.*, asked.new_ending, asked.new_error, asked.note_kind, asked.note, asked.used_up, asked.delivered, asked.resolved
  FROM held JOIN asked ON asked.run_id = held.id
  WHERE (SELECT count(*) FROM held) = (SELECT count(*) FROM asked)
), kept_ends AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT id, history_seq, 'ended', ended_at_ms, json_build_object('state', state, 'value', value)::text FROM going
  WHERE ended_at_ms IS NOT NULL
), told AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT id, history_seq + used_up + 1, note_kind, (SELECT now_ms FROM moment), note FROM going
), used AS (
  UPDATE inbox SET consumed_seq = going.history_seq + item.place
  FROM unnest(:itemRunIds::bigint[], :itemSeqs::bigint[], :itemPlaces::bigint[]) AS item (run_id, seq, place)
  JOIN going ON going.id = item.run_id
  WHERE inbox.run_id = item.run_id AND inbox.seq = item.seq AND inbox.consumed_seq IS NULL
), steps_over AS (
  UPDATE steps SET generation = steps.generation + 1
  FROM going
  WHERE steps.run_id = going.id AND steps.generation = going.generation
    AND (steps.run_id, steps.key) NOT IN (SELECT * FROM unnest(:forgottenRunIds::bigint[], :forgottenKeys::text[]))
), waits_over AS (
  UPDATE attempts SET generation = attempts.generation + 1
  FROM going
  WHERE attempts.run_id = going.id AND attempts.generation = going.generation
    AND (attempts.state = 'waiting' OR (attempts.state = 'failed' AND going.ended_at_ms IS NULL))
    AND (attempts.run_id, attempts.key) NOT IN (SELECT * FROM unnest(:forgottenRunIds::bigint[], :forgottenKeys::text[]))
), resolved_steps AS (
  INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
  SELECT going.id, step.key, going.generation + 1, going.history_seq + going.used_up + 2, step.kind, 'resolved',
         step.attempt, false, (SELECT now_ms FROM moment), 0, step.value
  FROM unnest(:stepRunIds::bigint[], :stepKeys::text[], :stepKinds::text[], :stepAttempts::integer[], :stepValues::text[])
    AS step (run_id, key, kind, attempt, value)
  JOIN going ON going.id = step.run_id
), delivered_items AS (
  INSERT INTO inbox (run_id, seq, kind, name, payload, actor, operation_id, at_ms)
  SELECT going.id, going.inbox_seq + item.place, item.kind, item.name, item.payload, item.actor, item.operation_id,
         (SELECT now_ms FROM moment)
  FROM unnest(
    :newRunIds::bigint[], :newPlaces::bigint[], :newKinds::text[], :newNames::text[], :newPayloads::text[],
    :newActors::text[], :newOperations::text[]
  ) AS item (run_id, place, kind, name, payload, actor, operation_id)
  JOIN going ON going.id = item.run_id
), reopened AS (
  UPDATE runs
  SET generation = runs.generation + 1,
      state = CASE WHEN going.new_ending IS NULL THEN 'pending' ELSE 'compensating' END, ending = going.new_ending,
      error = going.new_error, output = NULL, waiting_for = NULL, crashes = 0, due_at_ms = (SELECT now_ms FROM moment),
      ended_at_ms = NULL, inbox_seq = runs.inbox_seq + going.delivered,
      deadline_at_ms = CASE WHEN going.ended_at_ms IS NULL THEN runs.deadline_at_ms ELSE (SELECT now_ms FROM moment) + runs.deadline_at_ms - coalesce(
        (SELECT at_ms FROM notes WHERE notes.run_id = runs.id AND kind IN ('retried', 'resolved') ORDER BY seq DESC LIMIT 1),
        runs.created_at_ms
      ) END,
      history_seq = runs.history_seq + going.used_up + 1 + going.resolved
  FROM going
  WHERE runs.id = going.id
  RETURNING runs.id
)
SELECT count(*) AS reopened FROM reopened`,
  /** (nowMs, workflowId, versionId, publicId, input, inputHash, actor, seed, timeoutMs, historySeq, keys, seqs, kinds, outcomes, attempts, compensables, durations, values) */
  insertForked: `WITH moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
), inserted AS (
  INSERT INTO runs (
    workflow_id, version_id, public_id, state, due_at_ms, input, input_hash, actor, seed, created_at_ms, deadline_at_ms,
    history_seq
  )
  SELECT :workflowId::bigint, :versionId::bigint, :publicId, 'pending', now_ms, :input, :inputHash, :actor, :seed::bigint,
         now_ms, ceil(now_ms + :timeoutMs::double precision)::bigint, :historySeq::bigint
  FROM moment
  ON CONFLICT DO NOTHING
  RETURNING id
), past AS (
  INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
  SELECT inserted.id, step.key, 1, step.seq, step.kind, step.outcome, step.attempt, step.compensable,
         (SELECT now_ms FROM moment), step.duration_ms, step.value
  FROM inserted CROSS JOIN unnest(
    :keys::text[], :seqs::bigint[], :kinds::text[], :outcomes::text[], :attempts::integer[], :compensables::boolean[],
    :durations::bigint[], :values::text[]
  ) AS step (key, seq, kind, outcome, attempt, compensable, duration_ms, value)
)
SELECT inserted.id, (SELECT now_ms FROM moment) AS now_ms FROM inserted`,
  /** (rowId) */
  txLockRun: `SELECT id FROM runs WHERE id = :rowId FOR NO KEY UPDATE`,
  /** (workerId, rowId, workerId, fence) */
  txProveOwner: `WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = :workerId AND state = 'alive' FOR KEY SHARE
)
SELECT runs.generation FROM runs
WHERE runs.id = :rowId AND runs.worker_id = :workerId AND runs.fence = :fence AND EXISTS (SELECT FROM alive)`,
  /** (rowId, generation, key) */
  txFindCheckpoint: `SELECT key, kind, outcome, value, seq, attempt, compensable, duration_ms FROM steps
WHERE run_id = :rowId AND generation = :generation AND key = :key`,
} as const;

/** Migrations, by number. */
export const MIGRATIONS = [
  {
    number: 1,
    name: "0001-runs",
    sql: `-- 0001 runs, their steps, attempts, inbox, notes, search attributes; workflows and workers.
--
-- The tables of the SQLite store, by the same names. Times are epoch milliseconds by this
-- server's clock. Payloads are JSON text: \`jsonb\` refuses NUL, rewrites numbers and costs 40 %.
--
-- The public run id stands in \`runs\` alone; every other table is keyed by \`run_id\` first, so
-- that it can be cut into partitions, or spread over machines, by that column. No foreign keys
-- lead to \`runs\`: what is written there proves its owner anyway.
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
  claim_no        bigint,             -- the claim of \`worker_id\` that took it; null: it was inserted claimed
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

-- A claim walks one version's part of this index from its left end and stops at \`limit\`.
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

-- Search attributes. \`value\` is JSON, so that 1 and "1" are two values.
CREATE TABLE attributes (
  name    text COLLATE "C" NOT NULL,
  value   text COLLATE "C" NOT NULL,
  run_id  bigint NOT NULL,
  PRIMARY KEY (name, value, run_id)
);`,
    down: null,
  },
  {
    number: 2,
    name: "0002-operators",
    sql: `-- 0002 operators: runs on hold, and what asks for it.

ALTER TABLE runs ADD COLUMN on_hold boolean NOT NULL DEFAULT false;  -- paused by an operator
ALTER TABLE runs ADD CONSTRAINT runs_on_hold_check CHECK (NOT on_hold OR state = 'paused');
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel', 'pause', 'resume'));`,
    down: `-- Back from 0002.
--
-- What was on hold counts as paused for want of code, and goes on with the next worker that starts. Requests to pause and
-- to resume are forgotten, also in the history.

DELETE FROM inbox WHERE kind IN ('pause', 'resume');
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel'));
ALTER TABLE runs DROP COLUMN on_hold;`,
  },
  {
    number: 3,
    name: "0003-generations",
    sql: `-- 0003 generations: runs that have ended are reopened, with what they had done.
--
-- The rows that are there hold the old rule, so nothing needs to be read for the new one.

ALTER TABLE steps DROP CONSTRAINT steps_outcome_check;
ALTER TABLE steps ADD CONSTRAINT steps_outcome_check
  CHECK (outcome IN ('completed', 'handled', 'resolved', 'failed', 'cancelled')) NOT VALID;

-- Children that are awaited, by parent.
CREATE INDEX runs_children ON runs (parent_id) WHERE parent_awaits;`,
    down: `-- Back from 0003.
--
-- What an operator resolved counts as handled. How earlier generations ended is forgotten: their histories have a gap.

DROP INDEX runs_children;
UPDATE steps SET outcome = 'handled' WHERE outcome = 'resolved';
ALTER TABLE steps DROP CONSTRAINT steps_outcome_check;
ALTER TABLE steps ADD CONSTRAINT steps_outcome_check CHECK (outcome IN ('completed', 'handled', 'failed', 'cancelled'));
DELETE FROM notes WHERE kind = 'ended';`,
  },
  {
    number: 4,
    name: "0004-remarks",
    sql: `-- 0004 remarks: what operators write down about runs.

CREATE TABLE remarks (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id        bigint NOT NULL,
  kind          text   NOT NULL CHECK (kind IN ('note', 'dismissed')),
  generation    bigint NOT NULL,
  actor         text   NOT NULL,
  operation_id  text COLLATE "C" NOT NULL,
  at_ms         bigint NOT NULL,
  text          text   NOT NULL,
  UNIQUE (run_id, operation_id)
);`,
    down: `-- Back from 0004. Remarks are lost.

DROP TABLE remarks;`,
  },
  {
    number: 5,
    name: "0005-breakers",
    sql: `-- 0005 breakers: circuit breakers, shared by all runs and workers of the store.
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
);`,
    down: `-- Back from 0005: breakers are forgotten, and with them that one is open.

DROP TABLE breakers;`,
  },
  {
    number: 6,
    name: "0006-approvals",
    sql: `-- 0006 approvals: what people are asked to decide, and an inbox that takes their decisions.

-- A request as people see it. The run's checkpoints say what came of it; this is where it is found.
CREATE TABLE approvals (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id        bigint NOT NULL,
  key           text COLLATE "C" NOT NULL,
  generation    bigint NOT NULL,
  state         text   NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'timed_out', 'cancelled')),
  opened_at_ms  bigint NOT NULL,
  due_at_ms     bigint,              -- its deadline; null: none
  closed_at_ms  bigint,
  title         text   NOT NULL,
  addressees    text   NOT NULL,     -- JSON array of names; each stands in the table of that name, too
  request       text   NOT NULL,
  UNIQUE (run_id, key, generation),
  CHECK ((closed_at_ms IS NOT NULL) = (state <> 'open'))
);

-- A page walks one state's part of this index from its right end.
CREATE INDEX approvals_state ON approvals (state, id);

CREATE TABLE approval_addressees (
  name         text COLLATE "C" NOT NULL,
  state        text   NOT NULL,      -- of the approval
  approval_id  bigint NOT NULL,
  PRIMARY KEY (name, state, approval_id)
);

ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check
  CHECK (kind IN ('signal', 'child', 'decision', 'cancel', 'pause', 'resume'));`,
    down: `-- Back from 0006.
--
-- Requests for approval and the decisions that people made on them are forgotten, but for what the histories tell. A run
-- that waits for one is executed again, and older code does not know what it asks for.

DELETE FROM attempts WHERE kind = 'approval';
DROP TABLE approval_addressees;
DROP TABLE approvals;
DELETE FROM inbox WHERE kind = 'decision';
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel', 'pause', 'resume'));`,
  },
] as const;
