-- 0004 remarks: what operators write down about runs.

CREATE TABLE remarks (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id        bigint NOT NULL,
  kind          text   NOT NULL CHECK (kind IN ('note', 'dismissed')),
  generation    bigint NOT NULL,
  actor         text   NOT NULL,
  operation_id  text COLLATE "C" NOT NULL,
  at_ms         bigint NOT NULL,
  text          text   NOT NULL,
  UNIQUE (run_id, operation_id)
);
