/**
 * For tests: PostgreSQL as hooks of a test file or a `describe`. Where it is missing, the tests in there are skipped with
 * the reason.
 */
import { afterAll, beforeAll, beforeEach, inject } from "vitest";
import { type FreshDatabase, freshDatabase } from "./database.ts";
import { type OwnServer, type PostgresOptions, startPostgres } from "./server.ts";

/**
 * An empty database for the tests below, on the server that the whole run shares.
 *
 * @returns its URL, once the tests run
 */
export function useFreshDatabase(): () => string {
  const server = inject("postgres");
  let database: FreshDatabase | null = null;
  beforeAll(async () => {
    if ("url" in server) database = await freshDatabase(server.url);
  });
  afterAll(async () => database?.drop());
  beforeEach(({ skip }) => {
    if ("missing" in server) skip(`no PostgreSQL: ${server.missing}`);
  });
  return () => get(database).url;
}

/**
 * A server of their own for the tests below, which may restart or kill it. They are skipped where STEPWELL_TEST_PG names
 * a server that is not ours.
 *
 * @returns the server, once the tests run
 */
export function useOwnServer(options: PostgresOptions = {}): () => OwnServer {
  const shared = inject("postgres");
  let own: OwnServer | null = null;
  let why = "missing" in shared ? `no PostgreSQL: ${shared.missing}` : null;
  beforeAll(async () => {
    if (why !== null) return;
    const server = await startPostgres(options);
    if (server.kind === "own") own = server;
    else why = "the server of STEPWELL_TEST_PG is not ours to restart or kill";
  });
  afterAll(async () => own?.stop("immediate"));
  beforeEach(({ skip }) => {
    if (why !== null) skip(why);
  });
  return () => get(own);
}

function get<T>(made: T | null): T {
  if (made === null) throw new Error("it is there only while the tests run");
  return made;
}
