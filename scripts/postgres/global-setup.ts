/** Global setup of vitest: one PostgreSQL for the whole run, at which every test file makes a database of its own. */
import type { TestProject } from "vitest/node";
import { PostgresMissing, type PostgresServer, startPostgres } from "./server.ts";

/** What test files are told of the server: where it is, or why there is none. */
export type SharedPostgres = Pick<PostgresServer, "kind" | "url" | "version"> | { readonly missing: string };

declare module "vitest" {
  // oxlint wants a type, but only an interface can be added to.
  interface ProvidedContext {
    readonly postgres: SharedPostgres;
  }
}

/** @returns what to do after the last test */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  try {
    // No test of these cuts the power.
    const { kind, url, version, stop } = await startPostgres({ durable: false });
    project.provide("postgres", { kind, url, version });
    return async () => stop();
  } catch (error) {
    if (!(error instanceof PostgresMissing)) throw error;
    project.provide("postgres", { missing: error.message });
    return async () => {};
  }
}
