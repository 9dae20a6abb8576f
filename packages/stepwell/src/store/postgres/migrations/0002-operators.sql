-- 0002 operators: runs on hold, and what asks for it.

ALTER TABLE runs ADD COLUMN on_hold boolean NOT NULL DEFAULT false;  -- paused by an operator
ALTER TABLE runs ADD CONSTRAINT runs_on_hold_check CHECK (NOT on_hold OR state = 'paused');
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('signal', 'child', 'cancel', 'pause', 'resume'));
