/** Database: an empty one on a server, for whoever wants to be alone in it. */
import { randomUUID } from "node:crypto";
import { query } from "./query.ts";

/** `drop` ends whatever is still connected to it. */
export type FreshDatabase = { readonly url: string; readonly drop: () => Promise<void> };

/**
 * Make a database.
 *
 * @param server URL of any database of the server, as a user who may make more
 */
export async function freshDatabase(server: string): Promise<FreshDatabase> {
  const name = `stepwell_test_${randomUUID().replaceAll("-", "")}`;
  await query(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return {
    url: url.href,
    drop: async () => {
      await query(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
