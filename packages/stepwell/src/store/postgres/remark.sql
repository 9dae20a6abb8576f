-- Queries of remarks. Written as those of queries.sql.

-- name: addRemark
INSERT INTO remarks (run_id, kind, generation, actor, operation_id, at_ms, text)
SELECT :rowId::bigint, :kind, :generation::bigint, :actor, :operationId,
       coalesce(:nowMs::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint), :text
ON CONFLICT DO NOTHING;

-- name: listRemarks
SELECT run_id, kind, generation, actor, at_ms, text FROM remarks
WHERE run_id = ANY (:rowIds::bigint[])
ORDER BY id;
