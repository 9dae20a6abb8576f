-- Queries of operators who let ended runs go on, or begin another with what one has done. Written as those of queries.sql.

-- name: listChildren
SELECT * FROM runs WHERE parent_id = :rowId::bigint AND parent_awaits ORDER BY id;

-- name: reopenRuns
-- `going` has all runs that were asked for, locked, or none. How a run ended has been told by its own row until now; that it
-- was paused has a note.
WITH moment AS MATERIALIZED (
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
SELECT count(*) AS reopened FROM reopened;

-- name: insertForked
-- No row: a run has that name.
WITH moment AS MATERIALIZED (
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
SELECT inserted.id, (SELECT now_ms FROM moment) AS now_ms FROM inserted;
