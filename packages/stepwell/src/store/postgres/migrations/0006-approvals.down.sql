-- Back from 0006.
--
-- Requests for approval and the decisions that people made on them are forgotten, but for what the histories tell. A run
-- that waits for one is executed again, and older code does not know what it asks for.

DELETE FROM attempts WHERE kind = 'approval';
DROP TABLE approval_addressees;
DROP TABLE approvals;
DELETE FROM inbox WHERE kind = 'decision';
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel', 'pause', 'resume'));
