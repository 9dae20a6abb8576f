-- 0003 generations: runs that have ended are reopened, with what they had done.
--
-- The rows that are there hold the old rule, so nothing needs to be read for the new one.

ALTER TABLE steps DROP CONSTRAINT steps_outcome_check;
ALTER TABLE steps ADD CONSTRAINT steps_outcome_check
  CHECK (outcome IN ('completed', 'handled', 'resolved', 'failed', 'cancelled')) NOT VALID;

-- Children that are awaited, by parent.
CREATE INDEX runs_children ON runs (parent_id) WHERE parent_awaits;
