-- Queries of the PostgreSQL store, in the order a run meets them. The group commit is in flush.sql, those that only
-- look are in look.sql.
--
-- scripts/build-sql.ts inlines these files. Parameters are written by name. `:nowMs` is null in production: then the
-- server's clock counts, `statement_timestamp()`, which is stable in a statement, so that indexes serve. (With a clock
-- that moves within a statement a claim reads all that is due: 275 ms against 0.015 ms at a million rows.)
-- Functions, tables and types are named without their schema: it comes first in the connection's search path.
--
-- Each statement is a transaction of its own, under READ COMMITTED. What waits for a lock then looks at the newest
-- row, but at no other row anew: so a statement locks first what it depends on, and takes the rest from what it locked.
--
-- `OFFSET 0` and `= ANY (ARRAY(…))` keep a look-up per row what it is. Without them the planner may read whole tables.

-- name: listVersions
SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM versions JOIN workflows ON workflows.id = versions.workflow_id
ORDER BY versions.id;

-- name: findVersion
SELECT versions.id, versions.workflow_id, workflows.namespace, workflows.name, versions.version
FROM workflows JOIN versions ON versions.workflow_id = workflows.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND versions.version = :version;

-- name: insertWorkflow
INSERT INTO workflows (namespace, name) VALUES (:namespace, :name) ON CONFLICT DO NOTHING;

-- name: insertVersion
INSERT INTO versions (workflow_id, version)
SELECT id, :version FROM workflows WHERE namespace = :namespace AND name = :name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: findRuns
SELECT wanted.place, found.*
FROM unnest(:namespaces::text[], :names::text[], :publicIds::text[])
  WITH ORDINALITY AS wanted (namespace, name, public_id, place)
CROSS JOIN LATERAL (
  SELECT runs.*
  FROM workflows JOIN runs ON runs.workflow_id = workflows.id
  WHERE workflows.namespace = wanted.namespace AND workflows.name = wanted.name AND runs.public_id = wanted.public_id
  OFFSET 0
) AS found;

-- name: claimRuns
-- All hangs on `me`: without that row there is no bound for what is due. It waits for an older claim of this worker, and
-- bars one that arrives later (see claim.ts); whoever declares the worker dead waits for this claim, or is seen by it.
-- One version at a time: versions that nobody asks for cost nothing, however many runs they have. `oldest` tells how many
-- of each are among those to be taken, and so many are locked. What another worker is taking is passed over for the next
-- of that version, and what it took is noticed by the lock, which looks at the newest row. (To lock up to `limit` of each
-- version, and let go what is too many, is 14,000 instead of 1,500 records of WAL where 50 versions have a backlog.)
-- The terms on crashes are literal, so that the partial indexes apply; SUSPECT_CRASHES in model/run.ts is that number.
WITH me AS (
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
ORDER BY due.due_at_ms, due.id;

-- name: claimSuspects
-- As claimRuns, of those on probation.
WITH me AS (
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
ORDER BY due.due_at_ms, due.id;

-- name: barClaims
-- Waits for a claim of this worker that is under way, and bars those that have not arrived.
UPDATE workers SET claim_no = greatest(claim_no, :claimNo::bigint)
WHERE id = :workerId::bigint AND state = 'alive'
RETURNING claim_no;

-- name: listClaimedRuns
-- What a claim has taken and its worker still holds. `rowIds` null: all of it.
SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms, runs.*
FROM runs
WHERE worker_id = :workerId::bigint AND claim_no = :claimNo::bigint
  AND (:rowIds::bigint[] IS NULL OR id = ANY (:rowIds::bigint[]))
ORDER BY id;

-- name: findNextDue
SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms,
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
) AS next_suspect ON true;

-- name: listOldestDue
WITH moment AS MATERIALIZED (
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
ORDER BY oldest.id;

-- name: resumePaused
-- Locks in the order of the rows, as every statement does that waits for several.
WITH found AS MATERIALIZED (
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
SELECT (SELECT count(*) FROM found) AS found, (SELECT count(*) FROM resumed) AS resumed;

-- name: loadMemories
-- One statement, so that all rows are of one moment (P6): a park is guarded by the inbox number that stands here.
-- The consumption of an item stands one below the checkpoint or the transition that it belongs to, so the last number
-- is never an item's.
SELECT wanted.run_id, piece.*
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
) AS piece;

-- name: listInbox
SELECT seq, kind, name, payload, actor, at_ms FROM inbox
WHERE run_id = :rowId::bigint AND seq > :afterSeq::bigint AND consumed_seq IS NULL
ORDER BY seq;

-- name: listEnded
SELECT ended.id, ended.state, ended.value
FROM unnest(:rowIds::bigint[]) AS wanted (run_id)
CROSS JOIN LATERAL (
  SELECT runs.id, runs.state, CASE runs.state WHEN 'completed' THEN runs.output ELSE runs.error END AS value
  FROM runs WHERE runs.id = wanted.run_id AND runs.ended_at_ms IS NOT NULL
  OFFSET 0
) AS ended;

-- name: insertWorker
INSERT INTO workers (
  name, host, boot_id, pid, pid_namespace, pid_started_at, concurrency, workflows, lease_until_ms, started_at_ms, seen_at_ms
)
SELECT :name, :host, :bootId, :pid::bigint, :pidNamespace, :pidStartedAt, :concurrency::bigint, :workflows,
       ceil(now_ms + :leaseMs::double precision)::bigint, now_ms, now_ms
FROM (
  SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms
) AS moment
RETURNING id;

-- name: renewWorker
-- Of the others: what stood when this began. A dead one counts as lapsed.
WITH moment AS MATERIALIZED (
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
FROM workers;

-- name: listWorkers
SELECT coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint) AS now_ms, workers.*
FROM workers
ORDER BY id;

-- name: buryWorker
-- FOR UPDATE waits for every statement of that worker that has its row locked, whatever the lock: once this has
-- committed, none is under way, and none that comes later finds it alive.
WITH doomed AS MATERIALIZED (
  SELECT id FROM workers
  WHERE id = :workerId::bigint AND state = 'alive' AND (:gone::boolean OR lease_until_ms <=
    coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint))
  FOR UPDATE
)
UPDATE workers SET state = 'dead' FROM doomed WHERE workers.id = doomed.id RETURNING workers.id;

-- name: findLivingWorker
SELECT id FROM workers WHERE id = :workerId::bigint AND state = 'alive';

-- name: listHeldRuns
SELECT id, inbox_seq FROM runs WHERE worker_id = :workerId::bigint;

-- name: listHeldSuspects
SELECT id, fence, crashes, error FROM runs WHERE worker_id = :workerId::bigint AND crashes >= 2;

-- name: releaseRuns
-- In a later statement than the death: what the worker wrote last is in this one's snapshot.
-- `died`: a run that was on probation is set aside with the texts given for it; one without is left for the next time.
WITH moment AS MATERIALIZED (
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
FROM (SELECT) AS one LEFT JOIN freed AS aside ON aside.state = 'quarantined';

-- name: closeWorker
-- As buryWorker, of one that lives and holds nothing.
WITH doomed AS MATERIALIZED (
  SELECT id FROM workers
  WHERE id = :workerId::bigint AND state = 'alive' AND NOT EXISTS (SELECT FROM runs WHERE runs.worker_id = workers.id)
  FOR UPDATE
)
UPDATE workers SET state = 'dead' FROM doomed WHERE workers.id = doomed.id;

-- name: deleteWorker
-- While it holds runs it stays, or nobody would ever free them. Only a dead one takes no more.
DELETE FROM workers
WHERE id = :workerId::bigint AND state = 'dead' AND NOT EXISTS (SELECT FROM runs WHERE runs.worker_id = workers.id)
RETURNING id;
