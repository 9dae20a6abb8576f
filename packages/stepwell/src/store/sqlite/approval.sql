-- Queries of approvals: what people are asked, and what they have said.
-- Written and bound as those of queries.sql.

-- name: openApproval
INSERT INTO approvals (run_id, key, generation, state, opened_at_ms, due_at_ms, title, addressees, request)
SELECT id, :key, generation, 'open', :nowMs, :dueAtMs, :title, :addressees, :request
FROM runs WHERE id = :rowId
ON CONFLICT DO NOTHING
RETURNING id;

-- name: findOpenApproval
SELECT id, opened_at_ms, addressees FROM approvals
WHERE run_id = :rowId AND key = :key AND state = 'open'
  AND generation = (SELECT generation FROM runs WHERE id = :ofRowId AND worker_id = :workerId AND fence = :fence);

-- name: updateApproval
-- What is asked may change with the code, and whom it is for with an escalation.
UPDATE approvals SET title = :title, addressees = :addressees, request = :request WHERE id = :approvalId;

-- name: deleteAddressee
DELETE FROM approval_addressees WHERE name = :name AND state = 'open' AND approval_id = :approvalId;

-- name: insertAddressee
INSERT INTO approval_addressees (name, state, approval_id) VALUES (:name, 'open', :approvalId) ON CONFLICT DO NOTHING;

-- name: closeApproval
UPDATE approvals SET state = :state, closed_at_ms = :nowMs
WHERE run_id = :rowId AND key = :key AND state = 'open'
  AND generation = (SELECT generation FROM runs WHERE id = :ofRowId)
RETURNING id, addressees;

-- name: closeAddressee
UPDATE approval_addressees SET state = :state WHERE name = :name AND state = 'open' AND approval_id = :approvalId;

-- name: findApproval
-- Of the run's newest life that has asked for it.
SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
FROM workflows
JOIN runs ON runs.workflow_id = workflows.id
JOIN approvals ON approvals.run_id = runs.id
WHERE workflows.namespace = :namespace AND workflows.name = :name AND runs.public_id = :publicId
  AND approvals.key = :key
ORDER BY approvals.generation DESC
LIMIT 1;

-- name: listDecisions
-- What came before it was opened was meant for another of its name. Its verdict stands under the key of decisionKey, in
-- whichever life of the run: an item is judged once.
SELECT inbox.seq, inbox.operation_id, inbox.actor, inbox.at_ms, inbox.payload, (
  SELECT steps.value FROM steps
  WHERE steps.run_id = inbox.run_id AND steps.key = '@decision/' || approvals.key || '/' || inbox.seq
  LIMIT 1
) AS verdict
FROM approvals
JOIN inbox ON inbox.run_id = approvals.run_id
WHERE approvals.id = :approvalId AND inbox.kind = 'decision' AND inbox.name = approvals.key
  AND inbox.at_ms >= approvals.opened_at_ms
ORDER BY inbox.seq
LIMIT :limit;

-- name: listApprovals
-- The inner bound says how far one call looks; there is one row at least, which tells how far that was.
WITH looked AS MATERIALIZED (
  SELECT id FROM approvals WHERE state = :state AND id < :beforeId ORDER BY id DESC LIMIT :lookMax
), fitting AS (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked CROSS JOIN approvals ON approvals.id = looked.id
  CROSS JOIN runs ON runs.id = approvals.run_id
  CROSS JOIN workflows ON workflows.id = runs.workflow_id
  WHERE (:namespace IS NULL OR workflows.namespace = :namespace) AND (:name IS NULL OR workflows.name = :name)
  ORDER BY approvals.id DESC
  LIMIT :limit
)
SELECT extent.*, fitting.*
FROM (SELECT count(*) AS looked, min(id) AS looked_to FROM looked) AS extent LEFT JOIN fitting ON true
ORDER BY fitting.id DESC;

-- name: listApprovalsFor
-- The same, by whom they are for.
WITH looked AS MATERIALIZED (
  SELECT DISTINCT approval_id AS id FROM approval_addressees
  WHERE name IN (SELECT value FROM json_each(:to)) AND state = :state AND approval_id < :beforeId
  ORDER BY approval_id DESC
  LIMIT :lookMax
), fitting AS (
  SELECT approvals.*, runs.public_id, runs.actor, workflows.namespace, workflows.name
  FROM looked CROSS JOIN approvals ON approvals.id = looked.id
  CROSS JOIN runs ON runs.id = approvals.run_id
  CROSS JOIN workflows ON workflows.id = runs.workflow_id
  WHERE (:namespace IS NULL OR workflows.namespace = :namespace) AND (:name IS NULL OR workflows.name = :name)
  ORDER BY approvals.id DESC
  LIMIT :limit
)
SELECT extent.*, fitting.*
FROM (SELECT count(*) AS looked, min(id) AS looked_to FROM looked) AS extent LEFT JOIN fitting ON true
ORDER BY fitting.id DESC;
