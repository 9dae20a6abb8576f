/** The SQLite store keeps the promises of every store, in a file and in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openHost } from "../../../src/engine/host.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import { testStore } from "../../../src/testing/conformance/store.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-conformance-"));
afterAll(() => rmSync(folder, { recursive: true }));

const pace = openHost();
const paths = new Map<Store, string>();

async function openFile(): Promise<Store> {
  const path = join(folder, `${paths.size}.db`);
  const store = await openSqliteStore(path, { pace });
  paths.set(store, path);
  return store;
}

const openPeer = (of: Store): Promise<Store> => openSqliteStore(paths.get(of)!, { pace });

testStore("SQLite file", openFile, { describe, it, expect }, openPeer);
testStore("SQLite memory", () => openSqliteStore(":memory:"), { describe, it, expect });
