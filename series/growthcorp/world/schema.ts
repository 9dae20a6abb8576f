/**
 * Schema of the simulated world: its own SQLite file, because systems outside a
 * worker do not die with it.
 *
 * `calls`, `answers` and `effects` only ever grow; triggers hold that. A call without
 * an answer is one whose caller died, or waits still.
 */

/** Idempotent; run at every open. */
export const WORLD_SCHEMA = `
CREATE TABLE IF NOT EXISTS calls (
  id         INTEGER NOT NULL PRIMARY KEY,
  at_ms      INTEGER NOT NULL,
  service    TEXT    NOT NULL,
  operation  TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  reference  TEXT    NOT NULL,
  request    TEXT    NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS calls_key ON calls (service, operation, key);

CREATE TABLE IF NOT EXISTS answers (
  call_id   INTEGER NOT NULL PRIMARY KEY REFERENCES calls (id),
  at_ms     INTEGER NOT NULL,
  code      TEXT    NOT NULL,
  replayed  INTEGER NOT NULL CHECK (replayed IN (0, 1))
) STRICT;

-- What really happened, once per key.
CREATE TABLE IF NOT EXISTS effects (
  id         INTEGER NOT NULL PRIMARY KEY,
  at_ms      INTEGER NOT NULL,
  service    TEXT    NOT NULL,
  operation  TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  reference  TEXT    NOT NULL,
  request    TEXT    NOT NULL,
  result     TEXT    NOT NULL,
  UNIQUE (service, operation, key)
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS effects_order ON effects (result ->> 'order_id')
  WHERE service = 'orders' AND operation = 'insert';

CREATE INDEX IF NOT EXISTS effects_payment ON effects (service, operation, result ->> 'payment_id');

CREATE TABLE IF NOT EXISTS stock (
  product_id  TEXT    NOT NULL PRIMARY KEY,
  on_hand     INTEGER NOT NULL CHECK (on_hand >= 0)
) STRICT;

-- remaining: calls that it will still strike; null: all.
CREATE TABLE IF NOT EXISTS faults (
  id         INTEGER NOT NULL PRIMARY KEY,
  service    TEXT    NOT NULL,
  operation  TEXT    NOT NULL,
  reference  TEXT,
  remaining  INTEGER CHECK (remaining >= 0),
  fault      TEXT    NOT NULL
) STRICT;

CREATE TRIGGER IF NOT EXISTS calls_kept   BEFORE UPDATE ON calls   BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS calls_stay   BEFORE DELETE ON calls   BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS answers_kept BEFORE UPDATE ON answers BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS answers_stay BEFORE DELETE ON answers BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS effects_kept BEFORE UPDATE ON effects BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS effects_stay BEFORE DELETE ON effects BEGIN SELECT RAISE (ABORT, 'append-only'); END;
`;
