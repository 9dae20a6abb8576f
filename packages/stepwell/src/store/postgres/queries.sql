-- Queries of the PostgreSQL store; the group commit is in flush.sql, those that only look are in look.sql.
--
-- scripts/build-sql.ts inlines these files. Parameters are written by name. `:nowMs` is null in production: then the
-- server's clock counts, `statement_timestamp()`, which is stable in a statement, so that indexes serve.
-- Functions, tables and types are named without their schema: it comes first in the connection's search path.

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
ON CONFLICT DO NOTHING;
