/**
 * For tests: PostgreSQL as hooks of a test file or a `describe`. Where it is missing, the tests in there are skipped with
 * the reason.
 */
import { afterAll, beforeAll, beforeEach, inject, type TestContext } from "vitest";
import { type FreshDatabase, freshDatabase } from "./database.ts";
import { type OwnServer, PostgresMissing, type PostgresOptions, startPostgres } from "./server.ts";

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
    if ("missing" in server) skip(toReason(server.missing));
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
  let own: OwnServer | string = "";
  beforeAll(async () => {
    own = await openOwnServer(options);
  });
  afterAll(async () => {
    if (typeof own !== "string") await own.stop("immediate");
  });
  beforeEach(({ skip }) => {
    if (typeof own === "string") skip(own);
  });
  return () => get(typeof own === "string" ? null : own);
}

/** The same for one test. */
export async function startOwnServer(test: TestContext, options: PostgresOptions = {}): Promise<OwnServer> {
  const own = await openOwnServer(options);
  if (typeof own === "string") return test.skip(own);
  test.onTestFinished(() => own.stop("immediate"));
  return own;
}

/** Why nobody can have a server of his own here; null when he can. */
export function whyNoOwnServer(): string | null {
  const shared = inject("postgres");
  if ("missing" in shared) return toReason(shared.missing);
  return shared.kind === "own" ? null : "the server of STEPWELL_TEST_PG is not ours to restart or kill";
}

/** Or why there is none. */
async function openOwnServer(options: PostgresOptions): Promise<OwnServer | string> {
  const why = whyNoOwnServer();
  if (why !== null) return why;
  try {
    return (await startPostgres(options)) as OwnServer;
  } catch (error) {
    if (error instanceof PostgresMissing) return toReason(error.message);
    throw error;
  }
}

function toReason(missing: string): string {
  return `no PostgreSQL: ${missing}`;
}

function get<T>(made: T | null): T {
  if (made === null) throw new Error("it is there only while the tests run");
  return made;
}
