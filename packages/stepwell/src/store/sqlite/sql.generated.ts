/** Generated from the .sql files beside it by `npm run generate`. Do not edit. */

/** Statements by name; each comment lists what to bind, in order. */
export const QUERIES = {
  /** () */
  begin: `BEGIN IMMEDIATE`,
  /** () */
  commit: `COMMIT`,
  /** () */
  rollback: `ROLLBACK`,
  /** () */
  beginRead: `BEGIN`,
  /** () */
  readDataVersion: `PRAGMA data_version`,
  /** () */
  savepoint: `SAVEPOINT one_write`,
  /** () */
  releaseSavepoint: `RELEASE one_write`,
  /** () */
  rollbackToSavepoint: `ROLLBACK TO one_write`,
  /** (namespace, name) */
  insertWorkflow: `INSERT INTO workflows (namespace, name)
VALUES (?, ?)
ON CONFLICT DO NOTHING`,
  /** (namespace, name, version) */
  insertVersion: `INSERT INTO versions (workflow_id, version)
VALUES ((SELECT id FROM workflows WHERE namespace = ? AND name = ?), ?)
ON CONFLICT DO NOTHING`,
  /** (namespace, name, version) */
  findVersion: `SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM workflows JOIN versions ON versions.workflow_id = workflows.id
WHERE workflows.namespace = ? AND workflows.name = ? AND versions.version = ?`,
  /** (versionId) */
  findVersionById: `SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
WHERE versions.id = ?`,
  /** () */
  listVersions: `SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
ORDER BY versions.id`,
  /** (workerId) */
  findLivingWorker: `SELECT id FROM workers WHERE id = ? AND state = 'alive'`,
  /** (workflowId, versionId, publicId, state, workerId, fence, dueAtMs, input, inputHash, actor, seed, parentId, parentKey, parentAwaits, nowMs, deadlineAtMs) */
  insertRun: `INSERT INTO runs (
  workflow_id, version_id, public_id, state, worker_id, fence, due_at_ms,
  input, input_hash, actor, seed, parent_id, parent_key, parent_awaits, created_at_ms, deadline_at_ms
)
VALUES (
  ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT DO NOTHING`,
  /** (workflowId, publicId) */
  findRunByPublicId: `SELECT * FROM runs WHERE workflow_id = ? AND public_id = ?`,
  /** (namespace, name, publicId) */
  findRun: `SELECT runs.*
FROM workflows JOIN runs ON runs.workflow_id = workflows.id
WHERE workflows.namespace = ? AND workflows.name = ? AND runs.public_id = ?`,
  /** (versionId, nowMs, limit) */
  listDueRuns: `SELECT id, due_at_ms FROM runs
WHERE version_id = ? AND due_at_ms <= ? AND crashes < 2
ORDER BY due_at_ms, id
LIMIT ?`,
  /** (versionId, nowMs, limit) */
  listDueSuspects: `SELECT id, due_at_ms FROM runs
WHERE version_id = ? AND due_at_ms <= ? AND crashes >= 2
ORDER BY due_at_ms, id
LIMIT ?`,
  /** (workerId, rowId) */
  claimRun: `UPDATE runs
SET state = CASE state WHEN 'compensating' THEN state ELSE 'running' END,
    worker_id = ?, fence = fence + 1, due_at_ms = NULL, waiting_for = NULL
WHERE id = ?`,
  /** (rowId) */
  findRunById: `SELECT * FROM runs WHERE id = ?`,
  /** (rowId, workerId, fence) */
  findHeldRun: `SELECT * FROM runs WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (versionId) */
  findNextDue: `SELECT due_at_ms FROM runs
WHERE version_id = ? AND due_at_ms IS NOT NULL AND crashes < 2
ORDER BY due_at_ms
LIMIT 1`,
  /** (versionId) */
  findNextSuspect: `SELECT due_at_ms FROM runs
WHERE version_id = ? AND due_at_ms IS NOT NULL AND crashes >= 2
ORDER BY due_at_ms
LIMIT 1`,
  /** () */
  findNewestVersion: `SELECT max(id) AS id FROM versions`,
  /** (rowId) */
  findStanding: `SELECT state, worker_id, fence, generation, inbox_seq, history_seq, on_hold FROM runs WHERE id = ?`,
  /** (rowId, generation) */
  listCheckpoints: `SELECT key, kind, outcome, value, seq, attempt, compensable, duration_ms FROM steps
WHERE run_id = ? AND generation = ?
ORDER BY seq`,
  /** (rowId, generation) */
  listAttempts: `SELECT key, kind, state, attempt, seq, error, due_at_ms, duration_ms, began_seq, began_at_ms, beat, beat_at_ms
FROM attempts
WHERE run_id = ? AND generation = ?
ORDER BY seq`,
  /** (rowId, rowId, rowId, rowId) */
  findLastSeq: `SELECT max(
  history_seq,
  coalesce((SELECT max(seq) FROM steps WHERE run_id = ?), 0),
  coalesce((SELECT max(seq) FROM attempts WHERE run_id = ?), 0),
  coalesce((SELECT max(seq) FROM notes WHERE run_id = ?), 0)
) AS seq
FROM runs WHERE id = ?`,
  /** (key, seq, kind, outcome, attempt, compensable, nowMs, durationMs, value, rowId, workerId, fence) */
  saveCheckpoint: `INSERT OR FAIL INTO steps (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT id, ?, generation, ?, ?, ?, ?, ?, ?, ?, ?
FROM runs WHERE id = ? AND worker_id = ? AND fence = ?
ON CONFLICT DO NOTHING`,
  /** (rowId, workerId, fence) */
  clearCrashes: `UPDATE runs SET crashes = 0 WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (nowMs, rowId1, fence1, key1, seq1, durationMs1, value1, rowId2, fence2, key2, seq2, durationMs2, value2, rowId3, fence3, key3, seq3, durationMs3, value3, rowId4, fence4, key4, seq4, durationMs4, value4, rowId5, fence5, key5, seq5, durationMs5, value5, rowId6, fence6, key6, seq6, durationMs6, value6, rowId7, fence7, key7, seq7, durationMs7, value7, rowId8, fence8, key8, seq8, durationMs8, value8, workerId) */
  savePlainSteps: `INSERT OR FAIL INTO steps (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT
  runs.id, plain.column3, runs.generation, plain.column4, 'step', 'completed', 1, 0, ?, plain.column5, plain.column6
FROM (VALUES
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?),
  (?, ?, ?, ?, ?, ?)
) AS plain
CROSS JOIN runs ON runs.id = plain.column1 AND runs.worker_id = ? AND runs.fence = plain.column2
ON CONFLICT DO NOTHING`,
  /** (rowId, key, generation) */
  findCheckpoint: `SELECT seq FROM steps WHERE run_id = ? AND key = ? AND generation = ?`,
  /** (key, attempt, seq, kind, state, dueAtMs, nowMs, durationMs, beganSeq, beganAtMs, beganFence, error, rowId, workerId, fence) */
  saveAttempt: `INSERT OR FAIL INTO attempts (
  run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms,
  began_seq, began_at_ms, began_fence, error
)
SELECT id, ?, generation, ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?, ?
FROM runs WHERE id = ? AND worker_id = ? AND fence = ?
ON CONFLICT DO UPDATE
SET state = excluded.state, seq = excluded.seq, due_at_ms = excluded.due_at_ms, at_ms = excluded.at_ms,
    duration_ms = excluded.duration_ms, error = excluded.error
WHERE attempts.state = 'running' AND excluded.state <> 'running'`,
  /** (seq, nowMs, durationMs, beganSeq, beganAtMs, beganFence, rowId, key, generation, attempt) */
  beginAttemptAgain: `UPDATE attempts
SET seq = ?, at_ms = ?, duration_ms = ?,
    began_seq = ?, began_at_ms = ?, began_fence = ?
WHERE run_id = ? AND key = ? AND generation = ? AND attempt = ? AND state = 'running'`,
  /** (value, nowMs, rowId, key, attempt, rowId, workerId, fence) */
  saveBeat: `UPDATE attempts SET beat = ?, beat_at_ms = ?
WHERE run_id = ? AND key = ? AND attempt = ? AND state = 'running'
  AND generation = (SELECT generation FROM runs WHERE id = ? AND worker_id = ? AND fence = ?)`,
  /** (rowId, key, generation, attempt) */
  findAttempt: `SELECT state, seq, began_seq, began_at_ms, kind FROM attempts
WHERE run_id = ? AND key = ? AND generation = ? AND attempt = ?`,
  /** (seq, kind, nowMs, value, rowId, workerId, fence) */
  saveNote: `INSERT OR FAIL INTO notes (run_id, seq, kind, at_ms, value)
SELECT id, ?, ?, ?, ?
FROM runs WHERE id = ? AND worker_id = ? AND fence = ?
ON CONFLICT DO NOTHING`,
  /** (rowId, seq) */
  findNote: `SELECT kind FROM notes WHERE run_id = ? AND seq = ?`,
  /** (value, rowId, workerId, fence) */
  saveProgress: `UPDATE runs SET progress = ?
WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (rowId, workerId, fence) */
  findAttributes: `SELECT attributes FROM runs WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (values, rowId, workerId, fence) */
  saveAttributes: `UPDATE runs SET attributes = ? WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (name, value, rowId) */
  insertAttribute: `INSERT INTO attributes (name, value, run_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
  /** (name, value, rowId) */
  deleteAttribute: `DELETE FROM attributes WHERE name = ? AND value = ? AND run_id = ?`,
  /** (output, seq, nowMs, rowId, workerId, fence) */
  completeRun: `UPDATE runs
SET state = 'completed', output = ?, error = NULL, ending = NULL,
    worker_id = NULL, history_seq = ?, ended_at_ms = ?
WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (state, error, seq, nowMs, rowId, workerId, fence) */
  failRun: `UPDATE runs
SET state = ?, error = ?, ending = NULL,
    worker_id = NULL, history_seq = ?, ended_at_ms = ?
WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (ending, error, seq, rowId, workerId, fence) */
  compensateRun: `UPDATE runs
SET state = 'compensating', ending = ?, error = ?, history_seq = ?
WHERE id = ? AND worker_id = ? AND fence = ? AND state = 'running'`,
  /** (state, dueAtMs, waitingFor, seq, rowId, workerId, fence, inboxSeen) */
  parkRun: `UPDATE runs
SET state = ?, due_at_ms = ?, waiting_for = ?, worker_id = NULL, history_seq = ?
WHERE id = ? AND worker_id = ? AND fence = ? AND inbox_seq = ?`,
  /** (error, seq, rowId, workerId, fence) */
  pauseRun: `UPDATE runs
SET state = 'paused', error = ?, worker_id = NULL, history_seq = ?
WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (seq, rowId, workerId, fence, inboxSeen) */
  holdRun: `UPDATE runs
SET state = 'paused', on_hold = 1, worker_id = NULL, history_seq = ?
WHERE id = ? AND worker_id = ? AND fence = ? AND inbox_seq = ?`,
  /** (nowMs, seq, rowId, workerId, fence) */
  releaseRun: `UPDATE runs
SET state = iif(ending IS NULL, 'pending', 'compensating'), due_at_ms = ?, worker_id = NULL, history_seq = ?
WHERE id = ? AND worker_id = ? AND fence = ?`,
  /** (rowId, seq, kind, nowMs, value) */
  insertNote: `INSERT INTO notes (run_id, seq, kind, at_ms, value)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING`,
  /** (rowId) */
  findPublicId: `SELECT public_id FROM runs WHERE id = ?`,
  /** (nowMs, versionId) */
  resumePaused: `UPDATE runs
SET state = iif(ending IS NULL, 'pending', 'compensating'), due_at_ms = ?
WHERE state = 'paused' AND on_hold = 0 AND version_id = ?`,
  /** (nowMs, nowMs, rowId, fence) */
  wakeRun: `UPDATE runs
SET state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = min(coalesce(due_at_ms, ?), ?)
WHERE id = ? AND fence = ? AND worker_id IS NULL
  AND (state = 'pending' OR state = 'waiting' OR state = 'compensating')`,
  /** (rowIds) */
  listEnded: `SELECT id, state, iif(state = 'completed', output, error) AS value
FROM runs
WHERE id IN (SELECT value FROM json_each(?)) AND ended_at_ms IS NOT NULL`,
  /** (name, host, bootId, pid, pidNamespace, pidStartedAt, concurrency, workflows, leaseUntilMs, nowMs, nowMs) */
  insertWorker: `INSERT INTO workers (
  name, host, boot_id, pid, pid_namespace, pid_started_at, concurrency, workflows, lease_until_ms, started_at_ms, seen_at_ms
)
VALUES (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)`,
  /** (leaseUntilMs, nowMs, executing, workerId) */
  renewWorker: `UPDATE workers SET lease_until_ms = ?, seen_at_ms = ?, executing = ?
WHERE id = ? AND state = 'alive'`,
  /** (workerId) */
  findOthers: `SELECT max(id) AS newest_id,
       min(iif(id = ?, NULL, iif(state = 'dead', 0, lease_until_ms))) AS others_lapse_at_ms
FROM workers`,
  /** () */
  listWorkers: `SELECT * FROM workers ORDER BY id`,
  /** (workerId, gone, nowMs) */
  buryWorker: `UPDATE workers SET state = 'dead'
WHERE id = ? AND state = 'alive' AND (? OR lease_until_ms <= ?)`,
  /** (workerId) */
  findDeadWorker: `SELECT id FROM workers WHERE id = ? AND state = 'dead'`,
  /** (workerId) */
  listHeldRuns: `SELECT id, inbox_seq FROM runs WHERE worker_id = ?`,
  /** (workerId) */
  listRunsToFree: `SELECT id, crashes, error FROM runs WHERE worker_id = ?`,
  /** (nowMs, died, seq, rowId, workerId) */
  freeRun: `UPDATE runs
SET state = CASE state WHEN 'compensating' THEN state ELSE 'pending' END,
    worker_id = NULL, due_at_ms = ?, fence = fence + 1, crashes = crashes + ?, history_seq = ?
WHERE id = ? AND worker_id = ?`,
  /** (error, seq, rowId, workerId) */
  quarantineRun: `UPDATE runs
SET state = 'quarantined', error = ?,
    worker_id = NULL, fence = fence + 1, crashes = crashes + 1, history_seq = ?
WHERE id = ? AND worker_id = ?`,
  /** (workerId) */
  deleteWorker: `DELETE FROM workers
WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.worker_id = workers.id)`,
  /** () */
  probe: `SELECT (SELECT max(id) FROM runs), (SELECT max(rowid) FROM steps), (SELECT max(run_id) FROM attempts),
       (SELECT max(run_id) FROM inbox), (SELECT max(run_id) FROM notes), (SELECT max(id) FROM workers)`,
  /** (key, nowMs, dueAtMs, title, addressees, request, rowId) */
  openApproval: `INSERT INTO approvals (run_id, key, generation, state, opened_at_ms, due_at_ms, title, addressees, request)
SELECT id, ?, generation, 'open', ?, ?, ?, ?, ?
FROM runs WHERE id = ?
ON CONFLICT DO NOTHING
RETURNING id`,
  /** (rowId, key, ofRowId, workerId, fence) */
  findOpenApproval: `SELECT id, opened_at_ms, addressees FROM approvals
WHERE run_id = ? AND key = ? AND state = 'open'
  AND generation = (SELECT generation FROM runs WHERE id = ? AND worker_id = ? AND fence = ?)`,
  /** (title, addressees, request, approvalId) */
  updateApproval: `UPDATE approvals SET title = ?, addressees = ?, request = ? WHERE id = ?`,
  /** (name, approvalId) */
  deleteAddressee: `DELETE FROM approval_addressees WHERE name = ? AND state = 'open' AND approval_id = ?`,
  /** (name, approvalId) */
  insertAddressee: `INSERT INTO approval_addressees (name, state, approval_id) VALUES (?, 'open', ?) ON CONFLICT DO NOTHING`,
  /** (state, nowMs, rowId, key, ofRowId) */
  closeApproval: `UPDATE approvals SET state = ?, closed_at_ms = ?
WHERE run_id = ? AND key = ? AND state = 'open'
  AND generation = (SELECT generation FROM runs WHERE id = ?)
RETURNING id, addressees`,
  /** (state, name, approvalId) */
  closeAddressee: `UPDATE approval_addressees SET state = ? WHERE name = ? AND state = 'open' AND approval_id = ?`,
  /** (namespace, name, publicId, key) */
  findApproval: `SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
FROM workflows
JOIN runs ON runs.workflow_id = workflows.id
JOIN approvals ON approvals.run_id = runs.id
WHERE workflows.namespace = ? AND workflows.name = ? AND runs.public_id = ?
  AND approvals.key = ?
ORDER BY approvals.generation DESC
LIMIT 1`,
  /** (approvalId, limit) */
  listDecisions: `SELECT inbox.seq, inbox.operation_id, inbox.actor, inbox.at_ms, inbox.payload, (
  SELECT steps.value FROM steps
  WHERE steps.run_id = inbox.run_id AND steps.key = '@decision/' || approvals.key || '/' || inbox.seq
  LIMIT 1
) AS verdict
FROM approvals
JOIN inbox ON inbox.run_id = approvals.run_id
WHERE approvals.id = ? AND inbox.kind = 'decision' AND inbox.name = approvals.key
  AND inbox.at_ms >= approvals.opened_at_ms
ORDER BY inbox.seq
LIMIT ?`,
  /** (state, beforeId, lookMax, namespace, namespace, name, name, limit) */
  listApprovals: `WITH looked AS MATERIALIZED (
  SELECT id FROM approvals WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?
), fitting AS (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked CROSS JOIN approvals ON approvals.id = looked.id
  CROSS JOIN runs ON runs.id = approvals.run_id
  CROSS JOIN workflows ON workflows.id = runs.workflow_id
  WHERE (? IS NULL OR workflows.namespace = ?) AND (? IS NULL OR workflows.name = ?)
  ORDER BY approvals.id DESC
  LIMIT ?
)
SELECT extent.*, fitting.*
FROM (SELECT count(*) AS looked, min(id) AS looked_to FROM looked) AS extent LEFT JOIN fitting ON true
ORDER BY fitting.id DESC`,
  /** (to, state, beforeId, lookMax, namespace, namespace, name, name, limit) */
  listApprovalsFor: `WITH looked AS MATERIALIZED (
  SELECT DISTINCT approval_id AS id FROM approval_addressees
  WHERE name IN (SELECT value FROM json_each(?)) AND state = ? AND approval_id < ?
  ORDER BY approval_id DESC
  LIMIT ?
), fitting AS (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked CROSS JOIN approvals ON approvals.id = looked.id
  CROSS JOIN runs ON runs.id = approvals.run_id
  CROSS JOIN workflows ON workflows.id = runs.workflow_id
  WHERE (? IS NULL OR workflows.namespace = ?) AND (? IS NULL OR workflows.name = ?)
  ORDER BY approvals.id DESC
  LIMIT ?
)
SELECT extent.*, fitting.*
FROM (SELECT count(*) AS looked, min(id) AS looked_to FROM looked) AS extent LEFT JOIN fitting ON true
ORDER BY fitting.id DESC`,
  /** (rowId, workerId, fence, name) */
  findBreaker: `SELECT breakers.*,
  EXISTS (
    SELECT 1 FROM runs
    WHERE id = breakers.probe_run_id AND worker_id = breakers.probe_worker_id AND fence = breakers.probe_fence
  ) AS probing,
  EXISTS (SELECT 1 FROM runs WHERE id = ? AND worker_id = ? AND fence = ?) AS held
FROM (SELECT 1) LEFT JOIN breakers ON breakers.name = ?`,
  /** (name, revision, epoch, sinceMs, openUntilMs, failures, probeMark, probeRunId, probeWorkerId, probeFence, touchedBy, touchedWhy, touchedAtMs, rowId, rowId, workerId, fence) */
  saveBreaker: `INSERT INTO breakers (
  name, revision, epoch, since_ms, open_until_ms, failures, probe_mark, probe_run_id, probe_worker_id, probe_fence,
  touched_by, touched_why, touched_at_ms
)
SELECT
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
  ?, ?, ?
WHERE ? IS NULL OR EXISTS (SELECT 1 FROM runs WHERE id = ? AND worker_id = ? AND fence = ?)
ON CONFLICT (name) DO UPDATE
SET revision = excluded.revision, epoch = excluded.epoch, since_ms = excluded.since_ms,
    open_until_ms = excluded.open_until_ms, failures = excluded.failures,
    probe_mark = excluded.probe_mark, probe_run_id = excluded.probe_run_id,
    probe_worker_id = excluded.probe_worker_id, probe_fence = excluded.probe_fence,
    touched_by = excluded.touched_by, touched_why = excluded.touched_why, touched_at_ms = excluded.touched_at_ms
WHERE breakers.revision = excluded.revision - 1`,
  /** (afterName, limit) */
  listBreakers: `SELECT breakers.*, prober.public_id AS prober_id, workflows.namespace AS prober_namespace, workflows.name AS prober_name
FROM breakers
LEFT JOIN runs AS prober ON prober.id = breakers.probe_run_id AND prober.worker_id = breakers.probe_worker_id
  AND prober.fence = breakers.probe_fence
LEFT JOIN workflows ON workflows.id = prober.workflow_id
WHERE breakers.name > ?
ORDER BY breakers.name
LIMIT ?`,
  /** (rowId, afterSeq) */
  listInbox: `SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = ? AND seq > ? AND consumed_seq IS NULL
ORDER BY seq`,
  /** (consumedSeq, rowId, seq) */
  consumeItem: `UPDATE inbox SET consumed_seq = ?
WHERE run_id = ? AND seq = ? AND consumed_seq IS NULL`,
  /** (namespace, name, publicId) */
  findAddressee: `SELECT runs.id, runs.state
FROM workflows JOIN runs ON runs.workflow_id = workflows.id
WHERE workflows.namespace = ? AND workflows.name = ? AND runs.public_id = ?`,
  /** (nowMs, nowMs, rowId) */
  wakeForItem: `UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = CASE
      WHEN worker_id IS NULL AND (state = 'pending' OR state = 'waiting' OR state = 'compensating')
      THEN min(coalesce(due_at_ms, ?), ?)
    END
WHERE id = ? AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms`,
  /** (forgives, nowMs, nowMs, rowId) */
  reviveForItem: `UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = CASE
      WHEN state = 'waiting' THEN 'pending'
      WHEN state = 'paused' OR state = 'quarantined' THEN iif(ending IS NULL, 'pending', 'compensating')
      ELSE state
    END,
    on_hold = 0,
    crashes = iif(state = 'quarantined' AND ?, 0, crashes),
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = iif(worker_id IS NULL, min(coalesce(due_at_ms, ?), ?), NULL)
WHERE id = ? AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms`,
  /** (rowId) */
  holdForItem: `UPDATE runs
SET inbox_seq = inbox_seq + 1,
    state = iif(worker_id IS NULL AND state <> 'quarantined', 'paused', state),
    on_hold = worker_id IS NULL AND state <> 'quarantined',
    waiting_for = iif(worker_id IS NULL, NULL, waiting_for),
    due_at_ms = NULL
WHERE id = ? AND ended_at_ms IS NULL
RETURNING inbox_seq, due_at_ms`,
  /** (rowId, seq, kind, name, payload, actor, operationId, nowMs) */
  insertItem: `INSERT INTO inbox (run_id, seq, kind, name, payload, actor, operation_id, at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  /** (rowId, operationId) */
  findItem: `SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = ? AND operation_id = ?`,
  /** (rowId) */
  findDue: `SELECT due_at_ms FROM runs WHERE id = ?`,
  /** (beforeRowId) */
  findNewestRow: `SELECT max(id) AS id FROM runs WHERE id < ?`,
  /** (beforeRowId, fromRowId, workflowIds, workflowIds, states, states, createdFromMs, createdBeforeMs, limit) */
  listRuns: `SELECT * FROM runs
WHERE id < ? AND id >= ?
  AND (? IS NULL OR workflow_id IN (SELECT value FROM json_each(?)))
  AND (? IS NULL OR state IN (SELECT value FROM json_each(?)))
  AND created_at_ms >= ? AND created_at_ms < ?
ORDER BY id DESC
LIMIT ?`,
  /** (name, value, beforeRowId, limit) */
  countAttribute: `SELECT count(*) AS count, min(run_id) AS run_id FROM (
  SELECT run_id FROM attributes
  WHERE name = ? AND value = ? AND run_id < ?
  ORDER BY run_id DESC
  LIMIT ?
)`,
  /** (name, value, beforeRowId, fromRowId, workflowIds, workflowIds, states, states, createdFromMs, createdBeforeMs, others, limit) */
  listRunsByAttribute: `SELECT runs.*
FROM attributes CROSS JOIN runs ON runs.id = attributes.run_id
WHERE attributes.name = ? AND attributes.value = ?
  AND attributes.run_id < ? AND attributes.run_id >= ?
  AND (? IS NULL OR runs.workflow_id IN (SELECT value FROM json_each(?)))
  AND (? IS NULL OR runs.state IN (SELECT value FROM json_each(?)))
  AND runs.created_at_ms >= ? AND runs.created_at_ms < ?
  AND NOT EXISTS (
    SELECT 1 FROM json_each(?) AS wanted
    WHERE NOT EXISTS (
      SELECT 1 FROM attributes AS other
      WHERE other.name = wanted.key AND other.value = wanted.value AND other.run_id = runs.id
    )
  )
ORDER BY attributes.run_id DESC
LIMIT ?`,
  /** (rowId) */
  listSteps: `SELECT key, kind, outcome, value, seq, attempt, at_ms, duration_ms FROM steps WHERE run_id = ?`,
  /** (rowId) */
  listAllAttempts: `SELECT key, kind, state, attempt, seq, error, due_at_ms, at_ms, duration_ms, began_seq, began_at_ms
FROM attempts WHERE run_id = ?`,
  /** (rowId) */
  listItems: `SELECT seq, kind, name, payload, actor, at_ms, consumed_seq FROM inbox WHERE run_id = ? ORDER BY seq`,
  /** (rowId) */
  listNotes: `SELECT seq, kind, value, at_ms FROM notes WHERE run_id = ?`,
  /** (rowId) */
  listActiveSteps: `SELECT attempts.key, attempts.kind, attempts.attempt, began_at_ms, beat, beat_at_ms
FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.generation = runs.generation
WHERE runs.id = ? AND runs.worker_id IS NOT NULL
  AND attempts.state = 'running' AND attempts.began_fence = runs.fence
  AND NOT EXISTS (
    SELECT 1 FROM steps
    WHERE steps.run_id = runs.id AND steps.key = attempts.key AND steps.generation = runs.generation
  )
ORDER BY attempts.seq`,
  /** (rowId, kind, generation, actor, operationId, nowMs, text) */
  addRemark: `INSERT INTO remarks (run_id, kind, generation, actor, operation_id, at_ms, text)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING`,
  /** (rowIds) */
  listRemarks: `SELECT id, run_id, kind, generation, actor, at_ms, text FROM remarks
WHERE run_id IN (SELECT value FROM json_each(?))`,
  /** (rowId) */
  listChildren: `SELECT * FROM runs WHERE parent_id = ? AND parent_awaits = 1 ORDER BY id`,
  /** (rowId, generation) */
  listUndone: `SELECT key, max(generation) AS generation FROM steps
WHERE run_id = ? AND generation < ? AND kind = 'compensation'
  AND (outcome = 'completed' OR outcome = 'resolved')
GROUP BY key`,
  /** (rowId, generation) */
  findEndedRun: `SELECT history_seq FROM runs
WHERE id = ? AND generation = ? AND (ended_at_ms IS NOT NULL OR (state = 'paused' AND on_hold = 0))`,
  /** (rowId) */
  keepEnd: `INSERT INTO notes (run_id, seq, kind, at_ms, value)
SELECT id, history_seq, 'ended', ended_at_ms, json_object('state', state, 'value', coalesce(output, error, 'null'))
FROM runs WHERE id = ? AND ended_at_ms IS NOT NULL`,
  /** (rowId, generation, forgotten) */
  takeStepsOver: `UPDATE steps SET generation = generation + 1
WHERE run_id = ? AND generation = ? AND key NOT IN (SELECT value FROM json_each(?))`,
  /** (rowId, generation, ofRowId, forgotten) */
  takeWaitsOver: `UPDATE attempts SET generation = generation + 1
WHERE run_id = ? AND generation = ?
  AND (state = 'waiting' OR (state = 'failed' AND (SELECT ended_at_ms FROM runs WHERE id = ?) IS NULL))
  AND key NOT IN (SELECT value FROM json_each(?))`,
  /** (rowId, key, generation, seq, kind, attempt, nowMs, value) */
  resolveStep: `INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
VALUES (?, ?, ?, ?, ?, 'resolved', ?, 0, ?, 0, ?)`,
  /** (ending, ending, error, nowMs, nowMs, rowId, seq, rowId) */
  reopenRun: `UPDATE runs
SET generation = generation + 1, state = iif(? IS NULL, 'pending', 'compensating'), ending = ?,
    error = ?, output = NULL, waiting_for = NULL, crashes = 0, due_at_ms = ?, ended_at_ms = NULL,
    deadline_at_ms = iif(ended_at_ms IS NULL, deadline_at_ms, ? + deadline_at_ms - coalesce(
      (SELECT at_ms FROM notes WHERE run_id = ? AND (kind = 'retried' OR kind = 'resolved') ORDER BY seq DESC LIMIT 1),
      created_at_ms
    )),
    history_seq = ?
WHERE id = ?`,
  /** (rowId, key, seq, kind, outcome, attempt, compensable, nowMs, durationMs, value) */
  insertStep: `INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)`,
  /** (seq, rowId) */
  setHistory: `UPDATE runs SET history_seq = ? WHERE id = ?`,
} as const;

/** Migrations, by number. */
export const MIGRATIONS = [
  {
    number: 1,
    name: "0001-runs",
    sql: `-- 0001 runs, their steps, inbox, notes; workflows and workers.
--
-- Times are epoch milliseconds. Payloads are JSON text. The public run id stands
-- in \`runs\` alone; every other table is keyed by the small integer \`run_id\`.
--
-- CHECKs list their values with OR: for \`IN (three or more)\` SQLite builds a temporary
-- table at every execution (1.4 us of the 4.1 that a row of \`steps\` took, measured).

CREATE TABLE workflows (
  id         INTEGER NOT NULL PRIMARY KEY,
  namespace  TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  UNIQUE (namespace, name)
) STRICT;

CREATE TABLE versions (
  id           INTEGER NOT NULL PRIMARY KEY,
  workflow_id  INTEGER NOT NULL REFERENCES workflows (id),
  version      TEXT    NOT NULL,
  UNIQUE (workflow_id, version)
) STRICT;

-- AUTOINCREMENT: a worker's id is never given to another (P3).
CREATE TABLE workers (
  id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name            TEXT    NOT NULL,
  host            TEXT    NOT NULL,
  boot_id         TEXT    NOT NULL,
  pid             INTEGER NOT NULL,
  pid_namespace   TEXT    NOT NULL,
  pid_started_at  TEXT    NOT NULL,
  state           TEXT    NOT NULL DEFAULT 'alive' CHECK (state = 'alive' OR state = 'dead'),
  lease_until_ms  INTEGER NOT NULL,
  started_at_ms   INTEGER NOT NULL
) STRICT;

-- What guards and claims read stands first and payloads last, so that a long one,
-- which SQLite keeps on pages of its own, is not walked through to reach a fence.
CREATE TABLE runs (
  id             INTEGER NOT NULL PRIMARY KEY,
  worker_id      INTEGER,
  fence          INTEGER NOT NULL DEFAULT 0,
  generation     INTEGER NOT NULL DEFAULT 1,
  inbox_seq      INTEGER NOT NULL DEFAULT 0,
  state          TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                      OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                      OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms      INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id    INTEGER NOT NULL REFERENCES workflows (id),
  version_id     INTEGER NOT NULL REFERENCES versions (id),
  public_id      TEXT    NOT NULL,
  history_seq    INTEGER NOT NULL DEFAULT 1,
  crashes        INTEGER NOT NULL DEFAULT 0,
  created_at_ms  INTEGER NOT NULL,
  ended_at_ms    INTEGER,
  ending         TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed           INTEGER NOT NULL,
  actor          TEXT    NOT NULL,
  input_hash     TEXT,
  parent_id      INTEGER,
  parent_key     TEXT,
  parent_awaits  INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  waiting_for    TEXT,               -- JSON array of Wait
  progress       TEXT,
  error          TEXT,
  output         TEXT,
  input          TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause keeps what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

-- A claim walks one version's part of this index from its left end and stops at \`limit\`.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

-- Final outcomes. Insert-only.
CREATE TABLE steps (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome = 'completed' OR outcome = 'handled'
                                    OR outcome = 'failed' OR outcome = 'cancelled'),
  attempt      INTEGER NOT NULL,
  compensable  INTEGER NOT NULL CHECK (compensable = 0 OR compensable = 1),
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  value        TEXT    NOT NULL,
  UNIQUE (run_id, key, generation)
) STRICT;

-- Failed attempts with their next due time, and the beginnings of waits.
CREATE TABLE attempts (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state = 'failed' OR state = 'waiting'),
  due_at_ms    INTEGER,
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  error        TEXT,
  PRIMARY KEY (run_id, key, generation, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;

-- History events that no other row tells.
CREATE TABLE notes (
  run_id  INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  kind    TEXT    NOT NULL,
  at_ms   INTEGER NOT NULL,
  value   TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;`,
    down: null,
  },
  {
    number: 2,
    name: "0002-probation",
    sql: `-- 0002 attempts that are still running, deadlines, search attributes, probation.
--
-- \`runs\` and \`attempts\` are built anew, because their CHECKs change and SQLite cannot
-- alter those. No table refers to either by a foreign key.

CREATE TABLE runs_new (
  id              INTEGER NOT NULL PRIMARY KEY,
  worker_id       INTEGER,
  fence           INTEGER NOT NULL DEFAULT 0,
  generation      INTEGER NOT NULL DEFAULT 1,
  inbox_seq       INTEGER NOT NULL DEFAULT 0,
  state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                       OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                       OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms       INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id     INTEGER NOT NULL REFERENCES workflows (id),
  version_id      INTEGER NOT NULL REFERENCES versions (id),
  public_id       TEXT    NOT NULL,
  history_seq     INTEGER NOT NULL DEFAULT 1,
  crashes         INTEGER NOT NULL DEFAULT 0,  -- since the last checkpoint
  created_at_ms   INTEGER NOT NULL,
  ended_at_ms     INTEGER,
  deadline_at_ms  INTEGER,
  ending          TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed            INTEGER NOT NULL,
  actor           TEXT    NOT NULL,
  input_hash      TEXT,
  parent_id       INTEGER,
  parent_key      TEXT,
  parent_awaits   INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  attributes      TEXT,               -- JSON object; each entry stands in the table of that name, too
  waiting_for     TEXT,               -- JSON array of Wait
  progress        TEXT,
  error           TEXT,
  output          TEXT,
  input           TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause and a quarantine keep what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused' OR state = 'quarantined'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

INSERT INTO runs_new (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, ending, seed, actor, input_hash, parent_id, parent_key, parent_awaits,
  waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, ending, seed, actor, input_hash, parent_id, parent_key, parent_awaits,
  waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_new RENAME TO runs;

-- A claim walks one version's part of this index from its left end and stops at \`limit\`.
-- Those on probation stand in an index of their own, so that they are never in its way.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes < 2;
CREATE INDEX runs_suspect ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes >= 2;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

-- Failed attempts with their next due time, attempts that run for long, and the beginnings of waits.
CREATE TABLE attempts_new (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state = 'failed' OR state = 'waiting' OR state = 'running'),
  due_at_ms    INTEGER,
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  began_seq    INTEGER,               -- null: its beginning was never told
  began_at_ms  INTEGER,
  began_fence  INTEGER,               -- under which claim; an older one's code is not running any more
  beat_at_ms   INTEGER,
  beat         TEXT,
  error        TEXT,
  PRIMARY KEY (run_id, key, generation, attempt),
  CHECK (state <> 'running' OR (began_seq IS NOT NULL AND began_at_ms IS NOT NULL AND began_fence IS NOT NULL)),
  CHECK (due_at_ms IS NULL OR state <> 'running')
) STRICT, WITHOUT ROWID;

INSERT INTO attempts_new (
  run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error
)
SELECT run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error FROM attempts;

DROP TABLE attempts;
ALTER TABLE attempts_new RENAME TO attempts;

-- Search attributes. \`value\` is JSON, so that 1 and "1" are two values.
CREATE TABLE attributes (
  name    TEXT    NOT NULL,
  value   TEXT    NOT NULL,
  run_id  INTEGER NOT NULL,
  PRIMARY KEY (name, value, run_id)
) STRICT, WITHOUT ROWID;`,
    down: `-- Back from 0002: \`runs\` and \`attempts\` are built anew, as 0001 has them.
--
-- Lost are deadlines, search attributes, and the beginnings and heartbeats of attempts; one that is still running is not
-- told of any more. A run in quarantine stays there, and forgets what its compensation was to end as.

DROP TABLE attributes;

CREATE TABLE runs_old (
  id             INTEGER NOT NULL PRIMARY KEY,
  worker_id      INTEGER,
  fence          INTEGER NOT NULL DEFAULT 0,
  generation     INTEGER NOT NULL DEFAULT 1,
  inbox_seq      INTEGER NOT NULL DEFAULT 0,
  state          TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                      OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                      OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms      INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id    INTEGER NOT NULL REFERENCES workflows (id),
  version_id     INTEGER NOT NULL REFERENCES versions (id),
  public_id      TEXT    NOT NULL,
  history_seq    INTEGER NOT NULL DEFAULT 1,
  crashes        INTEGER NOT NULL DEFAULT 0,
  created_at_ms  INTEGER NOT NULL,
  ended_at_ms    INTEGER,
  ending         TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed           INTEGER NOT NULL,
  actor          TEXT    NOT NULL,
  input_hash     TEXT,
  parent_id      INTEGER,
  parent_key     TEXT,
  parent_awaits  INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  waiting_for    TEXT,               -- JSON array of Wait
  progress       TEXT,
  error          TEXT,
  output         TEXT,
  input          TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause keeps what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

INSERT INTO runs_old (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, ending, seed, actor, input_hash, parent_id, parent_key, parent_awaits,
  waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, CASE state WHEN 'quarantined' THEN NULL ELSE ending END, seed, actor,
  input_hash, parent_id, parent_key, parent_awaits, waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_old RENAME TO runs;

CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

CREATE TABLE attempts_old (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state = 'failed' OR state = 'waiting'),
  due_at_ms    INTEGER,
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  error        TEXT,
  PRIMARY KEY (run_id, key, generation, attempt)
) STRICT, WITHOUT ROWID;

INSERT INTO attempts_old (
  run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error
)
SELECT run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms, error
FROM attempts WHERE state <> 'running';

DROP TABLE attempts;
ALTER TABLE attempts_old RENAME TO attempts;`,
  },
  {
    number: 3,
    name: "0003-offers",
    sql: `-- 0003 what workers offer, how much they do, when they were last seen.

ALTER TABLE workers ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN executing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN seen_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN workflows TEXT NOT NULL DEFAULT '[]';  -- JSON array of namespace/name@version`,
    down: `-- Back from 0003: what workers offer is theirs to tell again.

ALTER TABLE workers DROP COLUMN workflows;
ALTER TABLE workers DROP COLUMN seen_at_ms;
ALTER TABLE workers DROP COLUMN executing;
ALTER TABLE workers DROP COLUMN concurrency;`,
  },
  {
    number: 4,
    name: "0004-operators",
    sql: `-- 0004 operators: runs on hold, and what asks for it.
--
-- \`runs\` and \`inbox\` are built anew, because their CHECKs change and SQLite cannot
-- alter those. No table refers to either by a foreign key.

CREATE TABLE runs_new (
  id              INTEGER NOT NULL PRIMARY KEY,
  worker_id       INTEGER,
  fence           INTEGER NOT NULL DEFAULT 0,
  generation      INTEGER NOT NULL DEFAULT 1,
  inbox_seq       INTEGER NOT NULL DEFAULT 0,
  state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                       OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                       OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  on_hold         INTEGER NOT NULL DEFAULT 0 CHECK (on_hold = 0 OR on_hold = 1),  -- paused by an operator
  due_at_ms       INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id     INTEGER NOT NULL REFERENCES workflows (id),
  version_id      INTEGER NOT NULL REFERENCES versions (id),
  public_id       TEXT    NOT NULL,
  history_seq     INTEGER NOT NULL DEFAULT 1,
  crashes         INTEGER NOT NULL DEFAULT 0,  -- since the last checkpoint
  created_at_ms   INTEGER NOT NULL,
  ended_at_ms     INTEGER,
  deadline_at_ms  INTEGER,
  ending          TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed            INTEGER NOT NULL,
  actor           TEXT    NOT NULL,
  input_hash      TEXT,
  parent_id       INTEGER,
  parent_key      TEXT,
  parent_awaits   INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  attributes      TEXT,               -- JSON object; each entry stands in the table of that name, too
  waiting_for     TEXT,               -- JSON array of Wait
  progress        TEXT,
  error           TEXT,
  output          TEXT,
  input           TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause and a quarantine keep what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused' OR state = 'quarantined'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (on_hold = 0 OR state = 'paused'),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

INSERT INTO runs_new (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_new RENAME TO runs;

-- A claim walks one version's part of this index from its left end and stops at \`limit\`.
-- Those on probation stand in an index of their own, so that they are never in its way.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes < 2;
CREATE INDEX runs_suspect ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes >= 2;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

CREATE TABLE inbox_new (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'
                                     OR kind = 'pause' OR kind = 'resume'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_new SELECT * FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;`,
    down: `-- Back from 0004: \`runs\` and \`inbox\` are built anew, as 0002 and 0001 have them.
--
-- What was on hold counts as paused for want of code, and goes on with the next worker that starts. Requests to pause and
-- to resume are forgotten, also in the history.

CREATE TABLE runs_old (
  id              INTEGER NOT NULL PRIMARY KEY,
  worker_id       INTEGER,
  fence           INTEGER NOT NULL DEFAULT 0,
  generation      INTEGER NOT NULL DEFAULT 1,
  inbox_seq       INTEGER NOT NULL DEFAULT 0,
  state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'completed' OR state = 'pending'
                                       OR state = 'waiting' OR state = 'paused' OR state = 'compensating'
                                       OR state = 'failed' OR state = 'cancelled' OR state = 'quarantined'),
  due_at_ms       INTEGER,            -- unowned and not ended: when it may next be claimed; null: not by time alone
  workflow_id     INTEGER NOT NULL REFERENCES workflows (id),
  version_id      INTEGER NOT NULL REFERENCES versions (id),
  public_id       TEXT    NOT NULL,
  history_seq     INTEGER NOT NULL DEFAULT 1,
  crashes         INTEGER NOT NULL DEFAULT 0,  -- since the last checkpoint
  created_at_ms   INTEGER NOT NULL,
  ended_at_ms     INTEGER,
  deadline_at_ms  INTEGER,
  ending          TEXT    CHECK (ending = 'failed' OR ending = 'cancelled'),
  seed            INTEGER NOT NULL,
  actor           TEXT    NOT NULL,
  input_hash      TEXT,
  parent_id       INTEGER,
  parent_key      TEXT,
  parent_awaits   INTEGER NOT NULL DEFAULT 0 CHECK (parent_awaits = 0 OR parent_awaits = 1),
  attributes      TEXT,               -- JSON object; each entry stands in the table of that name, too
  waiting_for     TEXT,               -- JSON array of Wait
  progress        TEXT,
  error           TEXT,
  output          TEXT,
  input           TEXT    NOT NULL,
  UNIQUE (workflow_id, public_id),
  CHECK (state <> 'running' OR worker_id IS NOT NULL),
  CHECK (worker_id IS NULL OR state = 'running' OR state = 'compensating'),
  CHECK (worker_id IS NULL OR due_at_ms IS NULL),
  CHECK (due_at_ms IS NULL OR state = 'pending' OR state = 'waiting' OR state = 'compensating'),
  CHECK (state <> 'compensating' OR ending IS NOT NULL),
  -- A pause and a quarantine keep what the compensation was to end as.
  CHECK (ending IS NULL OR state = 'compensating' OR state = 'paused' OR state = 'quarantined'),
  CHECK ((ended_at_ms IS NOT NULL) = (state = 'completed' OR state = 'failed' OR state = 'cancelled')),
  CHECK (output IS NULL OR state = 'completed')
) STRICT;

INSERT INTO runs_old (
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
)
SELECT
  id, worker_id, fence, generation, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
  crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, input_hash, parent_id, parent_key,
  parent_awaits, attributes, waiting_for, progress, error, output, input
FROM runs ORDER BY id;

DROP TABLE runs;
ALTER TABLE runs_old RENAME TO runs;

-- A claim walks one version's part of this index from its left end and stops at \`limit\`.
-- Those on probation stand in an index of their own, so that they are never in its way.
CREATE INDEX runs_due ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes < 2;
CREATE INDEX runs_suspect ON runs (version_id, due_at_ms) WHERE due_at_ms IS NOT NULL AND crashes >= 2;

-- What a deploy may have cured.
CREATE INDEX runs_paused ON runs (version_id) WHERE state = 'paused';

-- A takeover finds what a dead worker held.
CREATE INDEX runs_owned ON runs (worker_id) WHERE worker_id IS NOT NULL;

CREATE TABLE inbox_old (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_old SELECT * FROM inbox WHERE kind <> 'pause' AND kind <> 'resume';
DROP TABLE inbox;
ALTER TABLE inbox_old RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;`,
  },
  {
    number: 5,
    name: "0005-generations",
    sql: `-- 0005 generations: runs that have ended are reopened, with what they had done.
--
-- \`steps\` is built anew, because its CHECK changes and SQLite cannot alter that. It takes as long as copying it.

CREATE TABLE steps_new (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,               -- the last one that knows it; those before it do, too
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome = 'completed' OR outcome = 'handled'
                                    OR outcome = 'resolved'
                                    OR outcome = 'failed' OR outcome = 'cancelled'),
  attempt      INTEGER NOT NULL,
  compensable  INTEGER NOT NULL CHECK (compensable = 0 OR compensable = 1),
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  value        TEXT    NOT NULL,
  UNIQUE (run_id, key, generation)
) STRICT;

INSERT INTO steps_new (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
FROM steps ORDER BY rowid;

DROP TABLE steps;
ALTER TABLE steps_new RENAME TO steps;

-- Children that are awaited, by parent.
CREATE INDEX runs_children ON runs (parent_id) WHERE parent_awaits = 1;`,
    down: `-- Back from 0005.
--
-- What an operator resolved counts as handled. How earlier generations ended is forgotten: their histories have a gap.

DROP INDEX runs_children;

CREATE TABLE steps_old (
  run_id       INTEGER NOT NULL,
  key          TEXT    NOT NULL,
  generation   INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome = 'completed' OR outcome = 'handled'
                                    OR outcome = 'failed' OR outcome = 'cancelled'),
  attempt      INTEGER NOT NULL,
  compensable  INTEGER NOT NULL CHECK (compensable = 0 OR compensable = 1),
  at_ms        INTEGER NOT NULL,
  duration_ms  INTEGER NOT NULL,
  value        TEXT    NOT NULL,
  UNIQUE (run_id, key, generation)
) STRICT;

INSERT INTO steps_old (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT run_id, key, generation, seq, kind, iif(outcome = 'resolved', 'handled', outcome), attempt, compensable, at_ms, duration_ms, value
FROM steps ORDER BY rowid;

DROP TABLE steps;
ALTER TABLE steps_old RENAME TO steps;

DELETE FROM notes WHERE kind = 'ended';`,
  },
  {
    number: 6,
    name: "0006-remarks",
    sql: `-- 0006 remarks: what operators write down about runs.

CREATE TABLE remarks (
  id            INTEGER NOT NULL PRIMARY KEY,
  run_id        INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'note' OR kind = 'dismissed'),
  generation    INTEGER NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT    NOT NULL,
  at_ms         INTEGER NOT NULL,
  text          TEXT    NOT NULL,
  UNIQUE (run_id, operation_id)
) STRICT;`,
    down: `-- Back from 0006. Remarks are lost.

DROP TABLE remarks;`,
  },
  {
    number: 7,
    name: "0007-breakers",
    sql: `-- 0007 breakers: circuit breakers, shared by all runs and workers of the store.
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
) STRICT, WITHOUT ROWID;`,
    down: `-- Back from 0007: breakers are forgotten, and with them that one is open.

DROP TABLE breakers;`,
  },
  {
    number: 8,
    name: "0008-approvals",
    sql: `-- 0008 approvals: what people are asked to decide, and an inbox that takes their decisions.
--
-- \`inbox\` is built anew, because its CHECK changes and SQLite cannot alter one. No table refers to it by a foreign key.

-- A request as people see it. The run's checkpoints say what came of it; this is where it is found.
CREATE TABLE approvals (
  id            INTEGER NOT NULL PRIMARY KEY,
  run_id        INTEGER NOT NULL,
  key           TEXT    NOT NULL,
  generation    INTEGER NOT NULL,
  state         TEXT    NOT NULL CHECK (state = 'open' OR state = 'approved' OR state = 'refused'
                                     OR state = 'timed_out' OR state = 'cancelled'),
  opened_at_ms  INTEGER NOT NULL,
  due_at_ms     INTEGER,             -- its deadline; null: none
  closed_at_ms  INTEGER,
  title         TEXT    NOT NULL,
  addressees    TEXT    NOT NULL,    -- JSON array of names; each stands in the table of that name, too
  request       TEXT    NOT NULL,
  UNIQUE (run_id, key, generation),
  CHECK ((closed_at_ms IS NOT NULL) = (state <> 'open'))
) STRICT;

-- A page walks one state's part of this index from its right end.
CREATE INDEX approvals_state ON approvals (state, id);

CREATE TABLE approval_addressees (
  name         TEXT    NOT NULL,
  state        TEXT    NOT NULL,     -- of the approval
  approval_id  INTEGER NOT NULL,
  PRIMARY KEY (name, state, approval_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox_new (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'decision' OR kind = 'cancel'
                                     OR kind = 'pause' OR kind = 'resume'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_new SELECT * FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;`,
    down: `-- Back from 0008: \`inbox\` is built anew, as 0004 has it.
--
-- Requests for approval and the decisions that people made on them are forgotten, but for what the histories tell. A run
-- that waits for one is executed again, and older code does not know what it asks for.

DELETE FROM attempts WHERE kind = 'approval';
DROP TABLE approval_addressees;
DROP TABLE approvals;

CREATE TABLE inbox_old (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'
                                     OR kind = 'pause' OR kind = 'resume'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_old SELECT * FROM inbox WHERE kind <> 'decision';
DROP TABLE inbox;
ALTER TABLE inbox_old RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;`,
  },
] as const;
