-- Queries of remarks. Written and bound as those of queries.sql.

-- name: addRemark
INSERT INTO remarks (run_id, kind, generation, actor, operation_id, at_ms, text)
VALUES (:rowId, :kind, :generation, :actor, :operationId, :nowMs, :text)
ON CONFLICT DO NOTHING;

-- name: listRemarks
SELECT id, run_id, kind, generation, actor, at_ms, text FROM remarks
WHERE run_id IN (SELECT value FROM json_each(:rowIds));
