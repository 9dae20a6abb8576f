-- Queries of the SQLite store, in the order a run meets them; those that only look are in look.sql.
--
-- scripts/build-sql.ts inlines this file. Parameters are written by name here and
-- bound by position, in the order of their appearance: a name that stands twice is
-- bound twice.
--
-- Every write about a running run proves its owner in the same statement:
-- `WHERE id = :rowId AND worker_id = :workerId AND fence = :fence`.

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: beginRead
BEGIN;

-- name: readDataVersion
-- Changes with every commit that another connection makes.
PRAGMA data_version;

-- name: savepoint
SAVEPOINT one_write;

-- name: releaseSavepoint
RELEASE one_write;

-- name: rollbackToSavepoint
ROLLBACK TO one_write;

-- name: insertWorkflow
INSERT INTO workflows (namespace, name)
VALUES (:namespace, :name)
ON CONFLICT DO NOTHING;

-- name: insertVersion
INSERT INTO versions (workflow_id, version)
VALUES ((SELECT id FROM workflows WHERE namespace = :namespace AND name = :name), :version)
ON CONFLICT DO NOTHING;

-- name: findVersion
SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM workflows JOIN versions ON versions.workflow_id = workflows.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND versions.version = :version;

-- name: findVersionById
SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
WHERE versions.id = :versionId;

-- name: listVersions
SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
ORDER BY versions.id;

-- name: findLivingWorker
SELECT id FROM workers WHERE id = :workerId AND state = 'alive';

-- name: insertRun
INSERT INTO runs (
  workflow_id, version_id, public_id, state, worker_id, fence, due_at_ms,
  input, input_hash, actor, seed, parent_id, parent_key, parent_awaits, created_at_ms, deadline_at_ms
)
VALUES (
  :workflowId, :versionId, :publicId, :state, :workerId, :fence, :dueAtMs,
  :input, :inputHash, :actor, :seed, :parentId, :parentKey, :parentAwaits, :nowMs, :deadlineAtMs
)
ON CONFLICT DO NOTHING;

-- name: findRunByPublicId
SELECT * FROM runs WHERE workflow_id = :workflowId AND public_id = :publicId;

-- name: findRun
SELECT runs.*
FROM workflows JOIN runs ON runs.workflow_id = workflows.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND runs.public_id = :publicId;

-- name: listDueRuns
-- One version at a time: versions that nobody asks for cost nothing, however many runs they have.
-- The terms on crashes are literal, so that the partial indexes apply; SUSPECT_CRASHES in model/run.ts is that number.
SELECT id, due_at_ms FROM runs
WHERE version_id = :versionId AND due_at_ms <= :nowMs AND crashes < 2
ORDER BY due_at_ms, id
LIMIT :limit;

-- name: listDueSuspects
SELECT id, due_at_ms FROM runs
WHERE version_id = :versionId AND due_at_ms <= :nowMs AND crashes >= 2
ORDER BY due_at_ms, id
LIMIT :limit;

-- name: claimRun
-- Followed by findRunById: 5.0 us for both, 7.1 with RETURNING (measured).
UPDATE runs
SET state = CASE state WHEN 'compensating' THEN state ELSE 'running' END,
    worker_id = :workerId, fence = fence + 1, due_at_ms = NULL, waiting_for = NULL
WHERE id = :rowId;

-- name: findRunById
SELECT * FROM runs WHERE id = :rowId;

-- name: findHeldRun
SELECT * FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: findNextDue
SELECT due_at_ms FROM runs
WHERE version_id = :versionId AND due_at_ms IS NOT NULL AND crashes < 2
ORDER BY due_at_ms
LIMIT 1;

-- name: findNextSuspect
SELECT due_at_ms FROM runs
WHERE version_id = :versionId AND due_at_ms IS NOT NULL AND crashes >= 2
ORDER BY due_at_ms
LIMIT 1;

-- name: findNewestVersion
SELECT max(id) AS id FROM versions;

-- name: findStanding
SELECT state, worker_id, fence, generation, inbox_seq, history_seq, on_hold FROM runs WHERE id = :rowId;

-- name: listCheckpoints
SELECT key, kind, outcome, value, seq, attempt, compensable, duration_ms FROM steps
WHERE run_id = :rowId AND generation = :generation
ORDER BY seq;

-- name: listAttempts
SELECT key, kind, state, attempt, seq, error, due_at_ms, duration_ms, began_seq, began_at_ms, beat, beat_at_ms
FROM attempts
WHERE run_id = :rowId AND generation = :generation
ORDER BY seq;

-- name: findLastSeq
-- The consumption of an item stands one below the checkpoint or the transition that it belongs to.
SELECT max(
  history_seq,
  coalesce((SELECT max(seq) FROM steps WHERE run_id = :rowId), 0),
  coalesce((SELECT max(seq) FROM attempts WHERE run_id = :rowId), 0),
  coalesce((SELECT max(seq) FROM notes WHERE run_id = :rowId), 0)
) AS seq
FROM runs WHERE id = :rowId;

-- name: saveCheckpoint
-- OR FAIL spares the statement journal that an INSERT from a SELECT otherwise opens (1.7 against 2.2 us a row,
-- measured); with one row at most there is nothing for it to undo.
INSERT OR FAIL INTO steps (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT id, :key, generation, :seq, :kind, :outcome, :attempt, :compensable, :nowMs, :durationMs, :value
FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence
ON CONFLICT DO NOTHING;

-- name: clearCrashes
UPDATE runs SET crashes = 0 WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: savePlainSteps
-- Eight of the most frequent kind in one statement: two thirds of the CPU a row (measured, see flush.ts).
INSERT OR FAIL INTO steps (
  run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value
)
SELECT
  runs.id, plain.column3, runs.generation, plain.column4, 'step', 'completed', 1, 0, :nowMs, plain.column5, plain.column6
FROM (VALUES
  (:rowId1, :fence1, :key1, :seq1, :durationMs1, :value1),
  (:rowId2, :fence2, :key2, :seq2, :durationMs2, :value2),
  (:rowId3, :fence3, :key3, :seq3, :durationMs3, :value3),
  (:rowId4, :fence4, :key4, :seq4, :durationMs4, :value4),
  (:rowId5, :fence5, :key5, :seq5, :durationMs5, :value5),
  (:rowId6, :fence6, :key6, :seq6, :durationMs6, :value6),
  (:rowId7, :fence7, :key7, :seq7, :durationMs7, :value7),
  (:rowId8, :fence8, :key8, :seq8, :durationMs8, :value8)
) AS plain
CROSS JOIN runs ON runs.id = plain.column1 AND runs.worker_id = :workerId AND runs.fence = plain.column2
ON CONFLICT DO NOTHING;

-- name: findCheckpoint
SELECT seq FROM steps WHERE run_id = :rowId AND key = :key AND generation = :generation;

-- name: saveAttempt
-- One that is running turns when it fails, and keeps its beginning.
INSERT OR FAIL INTO attempts (
  run_id, key, generation, attempt, seq, kind, state, due_at_ms, at_ms, duration_ms,
  began_seq, began_at_ms, began_fence, error
)
SELECT id, :key, generation, :attempt, :seq, :kind, :state, :dueAtMs, :nowMs, :durationMs,
  :beganSeq, :beganAtMs, :beganFence, :error
FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence
ON CONFLICT DO UPDATE
SET state = excluded.state, seq = excluded.seq, due_at_ms = excluded.due_at_ms, at_ms = excluded.at_ms,
    duration_ms = excluded.duration_ms, error = excluded.error
WHERE attempts.state = 'running' AND excluded.state <> 'running';

-- name: beginAttemptAgain
-- Of an attempt that a crash cut off. Its last heartbeat stays: it tells how far the work had come.
UPDATE attempts
SET seq = :seq, at_ms = :nowMs, duration_ms = :durationMs,
    began_seq = :beganSeq, began_at_ms = :beganAtMs, began_fence = :beganFence
WHERE run_id = :rowId AND key = :key AND generation = :generation AND attempt = :attempt AND state = 'running';

-- name: saveBeat
UPDATE attempts SET beat = :value, beat_at_ms = :nowMs
WHERE run_id = :rowId AND key = :key AND attempt = :attempt AND state = 'running'
  AND generation = (SELECT generation FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence);

-- name: findAttempt
SELECT state, seq, began_seq, began_at_ms, kind FROM attempts
WHERE run_id = :rowId AND key = :key AND generation = :generation AND attempt = :attempt;

-- name: saveNote
INSERT OR FAIL INTO notes (run_id, seq, kind, at_ms, value)
SELECT id, :seq, :kind, :nowMs, :value
FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence
ON CONFLICT DO NOTHING;

-- name: findNote
SELECT kind FROM notes WHERE run_id = :rowId AND seq = :seq;

-- name: saveProgress
UPDATE runs SET progress = :value
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: findAttributes
SELECT attributes FROM runs WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: saveAttributes
UPDATE runs SET attributes = :values WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: insertAttribute
INSERT INTO attributes (name, value, run_id) VALUES (:name, :value, :rowId) ON CONFLICT DO NOTHING;

-- name: deleteAttribute
DELETE FROM attributes WHERE name = :name AND value = :value AND run_id = :rowId;

-- name: completeRun
UPDATE runs
SET state = 'completed', output = :output, error = NULL, ending = NULL,
    worker_id = NULL, history_seq = :seq, ended_at_ms = :nowMs
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: failRun
-- Also cancels: `state` is the one or the other.
UPDATE runs
SET state = :state, error = :error, ending = NULL,
    worker_id = NULL, history_seq = :seq, ended_at_ms = :nowMs
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: compensateRun
-- Keeps the claim.
UPDATE runs
SET state = 'compensating', ending = :ending, error = :error, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence AND state = 'running';

-- name: parkRun
-- Refused when the inbox holds more than was seen: that item would wake nobody.
UPDATE runs
SET state = :state, due_at_ms = :dueAtMs, waiting_for = :waitingFor, worker_id = NULL, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence AND inbox_seq = :inboxSeen;

-- name: pauseRun
UPDATE runs
SET state = 'paused', error = :error, worker_id = NULL, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: holdRun
-- Refused as a park is; what it compensates for stays.
UPDATE runs
SET state = 'paused', on_hold = 1, worker_id = NULL, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence AND inbox_seq = :inboxSeen;

-- name: releaseRun
UPDATE runs
SET state = iif(ending IS NULL, 'pending', 'compensating'), due_at_ms = :nowMs, worker_id = NULL, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId AND fence = :fence;

-- name: insertNote
INSERT INTO notes (run_id, seq, kind, at_ms, value)
VALUES (:rowId, :seq, :kind, :nowMs, :value)
ON CONFLICT DO NOTHING;

-- name: findPublicId
SELECT public_id FROM runs WHERE id = :rowId;

-- name: resumePaused
UPDATE runs
SET state = iif(ending IS NULL, 'pending', 'compensating'), due_at_ms = :nowMs
WHERE state = 'paused' AND on_hold = 0 AND version_id = :versionId;

-- name: wakeRun
UPDATE runs
SET state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
    waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
    due_at_ms = min(coalesce(due_at_ms, :nowMs), :nowMs)
WHERE id = :rowId AND fence = :fence AND worker_id IS NULL
  AND (state = 'pending' OR state = 'waiting' OR state = 'compensating');

-- name: listEnded
SELECT id, state, iif(state = 'completed', output, error) AS value
FROM runs
WHERE id IN (SELECT value FROM json_each(:rowIds)) AND ended_at_ms IS NOT NULL;

-- name: insertWorker
INSERT INTO workers (
  name, host, boot_id, pid, pid_namespace, pid_started_at, concurrency, workflows, lease_until_ms, started_at_ms, seen_at_ms
)
VALUES (
  :name, :host, :bootId, :pid, :pidNamespace, :pidStartedAt, :concurrency, :workflows, :leaseUntilMs, :nowMs, :nowMs
);

-- name: renewWorker
UPDATE workers SET lease_until_ms = :leaseUntilMs, seen_at_ms = :nowMs, executing = :executing
WHERE id = :workerId AND state = 'alive';

-- name: findOthers
-- A dead one counts as lapsed.
SELECT max(id) AS newest_id,
       min(iif(id = :workerId, NULL, iif(state = 'dead', 0, lease_until_ms))) AS others_lapse_at_ms
FROM workers;

-- name: listWorkers
SELECT * FROM workers ORDER BY id;

-- name: buryWorker
UPDATE workers SET state = 'dead'
WHERE id = :workerId AND state = 'alive' AND (:gone OR lease_until_ms <= :nowMs);

-- name: findDeadWorker
SELECT id FROM workers WHERE id = :workerId AND state = 'dead';

-- name: listHeldRuns
SELECT id, inbox_seq FROM runs WHERE worker_id = :workerId;

-- name: listRunsToFree
SELECT id, crashes, error FROM runs WHERE worker_id = :workerId;

-- name: freeRun
UPDATE runs
SET state = CASE state WHEN 'compensating' THEN state ELSE 'pending' END,
    worker_id = NULL, due_at_ms = :nowMs, fence = fence + 1, crashes = crashes + :died, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId;

-- name: quarantineRun
UPDATE runs
SET state = 'quarantined', error = :error,
    worker_id = NULL, fence = fence + 1, crashes = crashes + 1, history_seq = :seq
WHERE id = :rowId AND worker_id = :workerId;

-- name: deleteWorker
-- While it holds runs it stays, or nobody would ever free them.
DELETE FROM workers
WHERE id = :workerId AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.worker_id = workers.id);

-- name: probe
-- Touches the right edge of every table; cheap at any size.
SELECT (SELECT max(id) FROM runs), (SELECT max(rowid) FROM steps), (SELECT max(run_id) FROM attempts),
       (SELECT max(run_id) FROM inbox), (SELECT max(run_id) FROM notes), (SELECT max(id) FROM workers);
