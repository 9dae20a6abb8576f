/** Query: a word with a server, for tests that care about the server and not about the answer. */
import { Client } from "pg";

/** A client that bears being cut off; whoever wants to know listens for `end`. */
export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Execute statements on a connection of their own; gives the first column of the last one's rows. */
export async function query(url: string, ...statements: readonly string[]): Promise<readonly unknown[]> {
  const client = await connect(url);
  try {
    let values: readonly unknown[] = [];
    for (const text of statements) {
      const { rows } = await client.query<unknown[]>({ text, rowMode: "array" });
      values = rows.map(([value]) => value);
    }
    return values;
  } finally {
    await client.end();
  }
}
