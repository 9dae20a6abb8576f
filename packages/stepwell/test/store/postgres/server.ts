/** What tests do at a PostgreSQL server, past the store. */
import { Client } from "pg";
import { StepwellError } from "../../../src/model/errors.ts";

/** Send statements, one transaction each, and give the rows of the last as lists. */
export async function sql(url: string, ...statements: readonly string[]): Promise<readonly unknown[][]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    let rows: unknown[][] = [];
    for (const text of statements) ({ rows } = await client.query<unknown[]>({ text, rowMode: "array" }));
    return rows;
  } finally {
    await client.end();
  }
}

/** The store's error that `work` ends with. */
export async function failureOf(work: Promise<unknown>): Promise<StepwellError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof StepwellError) return error;
  throw new Error("it has not failed as a store does", { cause: error });
}

/** A URL with parts replaced. */
export function urlWith(url: string, change: (url: URL) => void): string {
  const changed = new URL(url);
  change(changed);
  return changed.href;
}
