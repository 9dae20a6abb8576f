-- Queries of approvals: what people are asked, and what they have said; and what a flush does to them.
-- Written and bound as those of queries.sql, and of flush.sql.

-- name: flushOpenings
-- With the attempts that begin in this very statement.
given_openings AS MATERIALIZED (
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
);

-- name: flushClosings
-- With the checkpoints that are stored in this very statement.
given_closings AS MATERIALIZED (
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
);

-- name: updateApproval
-- What is asked may change with the code, and whom it is for with an escalation.
WITH alive AS MATERIALIZED (
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
SELECT opened_at_ms FROM updated;

-- name: findApproval
-- Of the run's newest life that has asked for it. What came before it was opened was meant for another of its name; the
-- verdict on a decision stands under the key of decisionKey, in whichever life of the run: an item is judged once.
SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name, (
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
LIMIT 1;

-- name: listApprovals
-- The inner bound says how far one call looks; there is one row at least, which tells how far that was.
WITH looked AS MATERIALIZED (
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
ORDER BY page.id DESC;

-- name: listApprovalsFor
-- The same, by whom they are for.
WITH named AS MATERIALIZED (
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
ORDER BY page.id DESC;
