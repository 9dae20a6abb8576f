/** The SQLite store keeps the promises of every store, in a file and in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import { testStore } from "../../../src/testing/conformance/store.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-conformance-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
testStore("SQLite file", () => openSqliteStore(join(folder, `${(files += 1)}.db`)), { describe, it, expect });
testStore("SQLite memory", () => openSqliteStore(":memory:"), { describe, it, expect });
