-- 0006 approvals: what people are asked to decide, and an inbox that takes their decisions.

-- A request as people see it. The run's checkpoints say what came of it; this is where it is found.
CREATE TABLE approvals (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id        bigint NOT NULL,
  key           text COLLATE "C" NOT NULL,
  generation    bigint NOT NULL,
  state         text   NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'timed_out', 'cancelled')),
  opened_at_ms  bigint NOT NULL,
  due_at_ms     bigint,              -- its deadline; null: none
  closed_at_ms  bigint,
  title         text   NOT NULL,
  addressees    text   NOT NULL,     -- JSON array of names; each stands in the table of that name, too
  request       text   NOT NULL,
  UNIQUE (run_id, key, generation),
  CHECK ((closed_at_ms IS NOT NULL) = (state <> 'open'))
);

-- A page walks one state's part of this index from its right end.
CREATE INDEX approvals_state ON approvals (state, id);

CREATE TABLE approval_addressees (
  name         text COLLATE "C" NOT NULL,
  state        text   NOT NULL,      -- of the approval
  approval_id  bigint NOT NULL,
  PRIMARY KEY (name, state, approval_id)
);

ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check
  CHECK (kind IN ('signal', 'child', 'decision', 'cancel', 'pause', 'resume'));
