-- Back from 0003.
--
-- What an operator resolved counts as handled. How earlier generations ended is forgotten: their histories have a gap.

DROP INDEX runs_children;
UPDATE steps SET outcome = 'handled' WHERE outcome = 'resolved';
ALTER TABLE steps DROP CONSTRAINT steps_outcome_check;
ALTER TABLE steps ADD CONSTRAINT steps_outcome_check CHECK (outcome IN ('completed', 'handled', 'failed', 'cancelled'));
DELETE FROM notes WHERE kind = 'ended';
