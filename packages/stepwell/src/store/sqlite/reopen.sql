-- Queries of operators who let ended runs go on, or begin another with what one has done. Written and bound as those of queries.sql.

-- name: listChildren
SELECT * FROM runs WHERE parent_id = :rowId AND parent_awaits = 1 ORDER BY id;

-- name: listUndone
-- Of a run in its first generation it is not asked.
SELECT key, max(generation) AS generation FROM steps
WHERE run_id = :rowId AND generation < :generation AND kind = 'compensation'
  AND (outcome = 'completed' OR outcome = 'resolved')
GROUP BY key;

-- name: findEndedRun
-- Or one that is paused, but not on hold.
SELECT history_seq FROM runs
WHERE id = :rowId AND generation = :generation AND (ended_at_ms IS NOT NULL OR (state = 'paused' AND on_hold = 0));

-- name: keepEnd
-- Until now the run's own row has told it. A pause has a note.
INSERT INTO notes (run_id, seq, kind, at_ms, value)
SELECT id, history_seq, 'ended', ended_at_ms, json_object('state', state, 'value', coalesce(output, error, 'null'))
FROM runs WHERE id = :rowId AND ended_at_ms IS NOT NULL;

-- name: takeStepsOver
-- What stays behind keeps the number of the generation that knew it.
UPDATE steps SET generation = generation + 1
WHERE run_id = :rowId AND generation = :generation AND key NOT IN (SELECT value FROM json_each(:forgotten));

-- name: takeWaitsOver
-- A timer that has begun goes on. Failed attempts stay behind, and the next generation counts its own, unless the run was only
-- paused. What was running stays behind: it is not running any more.
UPDATE attempts SET generation = generation + 1
WHERE run_id = :rowId AND generation = :generation
  AND (state = 'waiting' OR (state = 'failed' AND (SELECT ended_at_ms FROM runs WHERE id = :ofRowId) IS NULL))
  AND key NOT IN (SELECT value FROM json_each(:forgotten));

-- name: resolveStep
INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
VALUES (:rowId, :key, :generation, :seq, :kind, 'resolved', :attempt, 0, :nowMs, 0, :value);

-- name: reopenRun
-- It has as much time as it had at first; where it was paused, what is left of that.
UPDATE runs
SET generation = generation + 1, state = iif(:ending IS NULL, 'pending', 'compensating'), ending = :ending,
    error = :error, output = NULL, waiting_for = NULL, crashes = 0, due_at_ms = :nowMs, ended_at_ms = NULL,
    deadline_at_ms = iif(ended_at_ms IS NULL, deadline_at_ms, :nowMs + deadline_at_ms - coalesce(
      (SELECT at_ms FROM notes WHERE run_id = :rowId AND (kind = 'retried' OR kind = 'resolved') ORDER BY seq DESC LIMIT 1),
      created_at_ms
    )),
    history_seq = :seq
WHERE id = :rowId;

-- name: insertStep
-- Of the first generation.
INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
VALUES (:rowId, :key, 1, :seq, :kind, :outcome, :attempt, :compensable, :nowMs, :durationMs, :value);

-- name: setHistory
UPDATE runs SET history_seq = :seq WHERE id = :rowId;
