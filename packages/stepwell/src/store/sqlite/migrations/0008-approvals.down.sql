-- Back from 0008: `inbox` is built anew, as 0004 has it.
--
-- Requests for approval and the decisions that people made on them are forgotten, but for what the histories tell. A run
-- that waits for one is executed again, and older code does not know what it asks for.

DELETE FROM attempts WHERE kind = 'approval';
DROP TABLE approval_addressees;
DROP TABLE approvals;

CREATE TABLE inbox_old (
  run_id        INTEGER NOT NULL,
  seq           INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind = 'signal' OR kind = 'child' OR kind = 'cancel'
                                     OR kind = 'pause' OR kind = 'resume'),
  name          TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  operation_id  TEXT,
  at_ms         INTEGER NOT NULL,
  consumed_seq  INTEGER,             -- history number of its consumption
  payload       TEXT    NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox_old SELECT * FROM inbox WHERE kind <> 'decision';
DROP TABLE inbox;
ALTER TABLE inbox_old RENAME TO inbox;
CREATE UNIQUE INDEX inbox_operation ON inbox (run_id, operation_id) WHERE operation_id IS NOT NULL;
