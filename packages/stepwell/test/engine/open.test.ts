/** Where the runs are kept: the URL that says so, and its schema, forward and back. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { migrateDown, migrateUp, openEngine } from "../../src/engine/open.ts";
import { MIGRATIONS } from "../../src/store/sqlite/sql.generated.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-open-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a store's URL", () => {
  it.each([
    ["mysql://kim:s3cret@host/db", 'there is no store of the kind "mysql"'],
    ["sqlite:", '"sqlite:" names no file'],
    ["./shop.db", "what it names does not begin with its kind"],
    ["", "what it names does not begin with its kind"],
    [undefined, "it is no text"],
    ["postgres:", "the URL of a PostgreSQL store: "],
    ["postgres://kim:s3cret@host", "it names no database"],
    ["postgresql://kim:s3cret@host/db?shema=x", 'did you mean "schema"?'],
  ])("%s is refused, with examples of what is not", async (store, why) => {
    const refused = openEngine({ store: store as string });
    await expect(refused).rejects.toMatchObject({ code: "STORE_URL_INVALID" });
    for (const part of [why, "sqlite:./app.db", "postgres://user:password@host:5432/database"]) {
      await expect(refused).rejects.toThrow(part);
    }
    await expect(refused).rejects.not.toThrow("s3cret");
    await expect(migrateDown(store as string, 1)).rejects.toMatchObject({ code: "STORE_URL_INVALID" });
  });
});

describe("a SQLite file", () => {
  it("is brought forward and back by its URL", async () => {
    const url = `sqlite:${join(folder, "app.db")}`;
    await migrateUp(url);
    await migrateDown(url, 1);
    await expect(migrateDown(url, 2)).rejects.toThrow("a schema of version 1 goes back to 1 to 1, not to 2");
    await (await openEngine({ store: url, work: false })).close();
    await migrateDown(url, MIGRATIONS.length);
  });

  it("that is not there, or is no database, is not made by going back", async () => {
    await expect(migrateDown(`sqlite:${join(folder, "none.db")}`, 1)).rejects.toThrow('there is no file "');
    writeFileSync(
      join(folder, "text.db"),
      "this is a text, and long enough to be taken for the head of a database file",
    );
    await expect(migrateDown(`sqlite:${join(folder, "text.db")}`, 1)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });
});
