-- The group commit, in parts: a flush is one statement, put together of `flushHead` and the parts of what it writes.
--
-- Everything hangs on `alive`: the worker's own row, locked FOR KEY SHARE until the commit. Whoever declares it dead waits
-- for this flush, or this flush finds it dead. Only a dead worker's runs are given to others, so the fence that the
-- statement's snapshot shows is the run's fence for as long as the lock is held. It is read by a scalar subquery: a join
-- is slower (10,800 against 12,500 runs/s) and let a stale checkpoint pass when the lock had to be waited for.
--
-- That lock is the weakest there is: a heartbeat or a claim of the same worker, which change its row, and this flush do not
-- wait for each other. With FOR SHARE they do: 130 instead of 180 flushes beside claims in 5 s, and a heartbeat waits as
-- long as a flush hangs (F11). A death takes the strongest, FOR UPDATE, see buryWorker.
--
-- `IS NOT DISTINCT FROM` says `=` without offering the index on `worker_id`, which finds all that a worker holds, where the
-- run's own row is meant.
--
-- Parts see the same snapshot, not each other's rows. What must see an earlier write goes into a later round (rounds.ts).
--
-- Whoever waits for several rows of `runs` locks them in the order of their ids. Otherwise two flushes wait for each other,
-- which the server notices after a second.

-- name: flushHead
WITH alive AS MATERIALIZED (
  SELECT id FROM workers WHERE id = ANY (:workers::bigint[]) AND state = 'alive' FOR KEY SHARE
), moment AS MATERIALIZED (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
         coalesce((SELECT array_agg(id) FROM alive), '{}'::bigint[]) AS alive
);

-- name: flushHeadInOrder
-- Where more than one part changes rows of `runs`.
WITH alive AS MATERIALIZED (
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
);

-- name: flushPlainSteps
-- The most frequent kind: completed at the first attempt, no compensation, nothing consumed.
plain_steps AS (
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
);

-- name: flushSteps
given_steps AS MATERIALIZED (
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
);

-- name: flushAttempts
-- One that is running turns when it fails, and keeps its beginning.
saved_attempts AS (
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
);

-- name: flushBeats
beaten AS (
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
);

-- name: flushNotes
given_notes AS MATERIALIZED (
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
);

-- name: flushProgress
progressed AS (
  UPDATE runs SET progress = given.value
  FROM unnest(
    :progressRunIds::bigint[], :progressWorkers::bigint[], :progressFences::bigint[], :progressValues::text[]
  ) AS given (run_id, worker_id, fence, value)
  WHERE runs.id = given.run_id AND runs.worker_id IS NOT DISTINCT FROM given.worker_id AND runs.fence = given.fence
    AND given.worker_id = ANY ((SELECT alive FROM moment)::bigint[])
  RETURNING runs.id
);

-- name: flushAttributes
-- An entry that stays is neither deleted nor inserted: both would see the same snapshot.
given_attributes AS MATERIALIZED (
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
);

-- name: flushWakes
awoken AS (
  UPDATE runs
  SET state = CASE state WHEN 'waiting' THEN 'pending' ELSE state END,
      waiting_for = CASE state WHEN 'waiting' THEN NULL ELSE waiting_for END,
      due_at_ms = least(due_at_ms, (SELECT now_ms FROM moment))
  FROM unnest(:wakeRunIds::bigint[], :wakeFences::bigint[]) AS given (run_id, fence)
  WHERE runs.id = given.run_id AND runs.fence = given.fence AND runs.worker_id IS NULL
    AND runs.state IN ('pending', 'waiting', 'compensating')
  RETURNING runs.id
);

-- name: flushRuns
-- Identities are given in the order of the rows, so the answer needs the identities alone.
inserted AS (
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
);

-- name: flushTransitions
-- `keeps`: the claim, which only a compensation does. `turns_error`: the run's error is replaced, by null too.
given_turns AS MATERIALIZED (
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
);

-- name: flushTurnNotes
turn_notes AS (
  INSERT INTO notes (run_id, seq, kind, at_ms, value)
  SELECT given_turns.run_id, given_turns.seq, given_turns.note_kind, (SELECT now_ms FROM moment), given_turns.note
  FROM turned JOIN given_turns ON given_turns.run_id = turned.id
  WHERE given_turns.note_kind IS NOT NULL
  ON CONFLICT DO NOTHING
), consumed_by_turns AS (
  UPDATE inbox SET consumed_seq = given_turns.seq - 1
  FROM turned JOIN given_turns ON given_turns.run_id = turned.id
  WHERE inbox.run_id = given_turns.run_id AND inbox.seq = given_turns.consumes AND inbox.consumed_seq IS NULL
);

-- name: flushPosts
-- Addressed by the runs' public names.
addressed AS MATERIALIZED (
  SELECT runs.id AS run_id, given.kind, given.name, given.payload, given.actor, given.operation_id, given.place
  FROM unnest(
    :postNamespaces::text[], :postWorkflows::text[], :postPublicIds::text[], :postKinds::text[], :postNames::text[],
    :postPayloads::text[], :postActors::text[], :postOperations::text[]
  ) WITH ORDINALITY AS given (namespace, workflow, public_id, kind, name, payload, actor, operation_id, place)
  JOIN workflows ON workflows.namespace = given.namespace AND workflows.name = given.workflow
  JOIN runs ON runs.workflow_id = workflows.id AND runs.public_id = given.public_id
);

-- name: flushChildEnds
-- To the parents of children that have ended in this very statement.
addressed AS MATERIALIZED (
  SELECT given.run_id, 'child' AS kind, given.name, given.payload, 'run:' || turned.public_id AS actor,
         given.operation_id, given.place
  FROM unnest(
    :endRunIds::bigint[], :endChildIds::bigint[], :endNames::text[], :endPayloads::text[], :endOperations::text[]
  ) WITH ORDINALITY AS given (run_id, child_id, name, payload, operation_id, place)
  JOIN turned ON turned.id = given.child_id
);

-- name: flushItems
-- Numbers the items and wakes in one go (S7). The owner of a running run learns of it from `inbox_seq`.
-- A cancel or a resume makes also those due that are paused or in quarantine; a pause that nothing of that kind follows
-- holds a run that nobody holds, unless it is in quarantine and stays there.
fresh AS MATERIALIZED (
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
);

-- name: flushTail
-- What each part has accepted; a part that is left out stands here as 0.
SELECT (SELECT now_ms FROM moment) AS now_ms, (SELECT alive FROM moment) AS alive;
