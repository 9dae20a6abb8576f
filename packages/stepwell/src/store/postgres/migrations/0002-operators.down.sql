-- Back from 0002.
--
-- What was on hold counts as paused for want of code, and goes on with the next worker that starts. Requests to pause and
-- to resume are forgotten, also in the history.

DELETE FROM inbox WHERE kind IN ('pause', 'resume');
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel'));
ALTER TABLE runs DROP COLUMN on_hold;
