/** Every way in which a file can be wrong has a code, names the file, and says what to do. Real files, no mocks. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { StepwellError } from "../../../src/model/errors.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import {
  aRun,
  aWorker,
  checkpointOf,
  insertHeld,
  insertOf,
  NOW,
  type Scene,
  WORKFLOW,
} from "../../../src/testing/conformance/scene.ts";
import { openFaulty } from "./faulty.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-faults-"));
const mounts: string[] = [];
afterAll(() => {
  for (const mount of mounts) execFileSync("umount", [mount]);
  rmSync(folder, { recursive: true });
});
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.db`);

async function failureOf(path: string): Promise<StepwellError> {
  return openSqliteStore(path).then(
    () => expect.unreachable("it opened"),
    (error: StepwellError) => error,
  );
}

async function sceneOf(store: Store): Promise<Scene> {
  const { versionId } = await store.ensureVersion(WORKFLOW);
  return { store, versionId, workerId: await aWorker(store) };
}

/** A closed database with a run of so many steps, about a kilobyte each. */
async function fillFile(path: string, steps: number = 1_000): Promise<void> {
  const store = await openSqliteStore(path);
  const owner = await insertHeld(await sceneOf(store));
  const value = JSON.stringify("x".repeat(1_000));
  await store.flush(
    Array.from({ length: steps }, (_, index) => checkpointOf(owner, { key: `k${index}`, seq: 2 + index, value })),
    NOW,
  );
  await store.close();
}

describe("opening", () => {
  it("tells a folder", async () => {
    const failure = await failureOf(folder);
    expect(failure).toMatchObject({ code: "STORE_FAILED", details: { path: folder } });
    expect(failure.message).toContain("it is a folder; name a file in it");
  });

  it("tells a missing folder", async () => {
    const failure = await failureOf(join(folder, "no", "such", "x.db"));
    expect(failure.code).toBe("STORE_FAILED");
    expect(failure.message).toContain(`there is no folder "${join(folder, "no", "such")}"; create it first`);
  });

  it.each([
    ["a text", "This is a letter to my mother, not a database. ".repeat(40)],
    ["a short text", "hello"],
  ])("tells %s", async (_, text) => {
    const path = freshPath();
    writeFileSync(path, text);
    expect(await failureOf(path)).toMatchObject({ code: "STORE_CORRUPT", details: { path } });
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("takes an empty file for a new database", async () => {
    const path = freshPath();
    writeFileSync(path, "");
    const store = await openSqliteStore(path);
    expect(await store.listVersions()).toEqual([]);
    await store.close();
  });

  it("tells a file that was cut off", async () => {
    const path = freshPath();
    await fillFile(path);
    truncateSync(path, statSync(path).size - 200_000);
    expect(await failureOf(path)).toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("tells a page in the middle that was overwritten", async () => {
    const path = freshPath();
    await fillFile(path);
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100 * 4_096, 101 * 4_096);
    writeFileSync(path, bytes);
    const failure = await failureOf(path);
    expect(failure.code).toBe("STORE_CORRUPT");
    expect(failure.message).toContain("restore the newest backup");
  });

  it("tells a connection that may only read", async () => {
    const path = freshPath();
    await (await openSqliteStore(path)).close();
    expect(await failureOf(`file:${path}?mode=ro`)).toMatchObject({ code: "STORE_READ_ONLY" });
  });

  it("tells a folder that may only be read", async ({ skip }) => {
    const place = join(folder, "read-only");
    mkdirSync(place);
    await (await openSqliteStore(join(place, "old.db"))).close();
    if (!mount(["-t", "tmpfs", "-o", "size=4m", "tmpfs", place])) skip("mounting is not permitted here");
    await (await openSqliteStore(join(place, "old.db"))).close();
    execFileSync("mount", ["-o", "remount,ro", place]);
    expect(await failureOf(join(place, "new.db"))).toMatchObject({ code: "STORE_READ_ONLY" });
    expect(await failureOf(join(place, "old.db"))).toMatchObject({ code: "STORE_READ_ONLY" });
  });
});

type Disk = { readonly fill: () => void; readonly empty: () => void };

const SURVIVED = {
  failure: { code: "STORE_FULL", message: expect.stringContaining("work resumes by itself") },
  whileFull: [{ id: "r", state: "running", fence: 1 }],
  after: ["inserted", "stored"],
};

/** Flush onto a full disk, read from it, and flush the same again when there is space. */
async function actOnFullDisk(scene: Scene, disk: Disk) {
  const owner = await insertHeld(scene);
  const value = JSON.stringify("x".repeat(100_000));
  const big = [insertOf(aRun(scene, { id: "new" })), checkpointOf(owner, { value })];
  disk.fill();
  const failure = await scene.store.flush(big, NOW).then(
    () => null,
    ({ code, message }: StepwellError) => ({ code, message }),
  );
  const { runs } = await scene.store.listRuns({ limit: 9 });
  const whileFull = runs.map(({ id, state, fence }) => ({ id, state, fence }));
  disk.empty();
  const after = (await scene.store.flush(big, NOW)).map((result) => result.kind);
  return { failure, whileFull, after };
}

function mount(options: readonly string[]): boolean {
  try {
    execFileSync("mount", options, { stdio: "ignore" });
    mounts.push(options.at(-1)!);
    return true;
  } catch {
    return false;
  }
}

function fillUp(path: string): void {
  const chunk = Buffer.alloc(4_096);
  try {
    for (;;) writeFileSync(path, chunk, { flag: "a" });
  } catch {
    // Full.
  }
}

describe("a full disk", () => {
  it("F4: fails the flush as a whole, keeps what was there, and goes on when there is space", async () => {
    const { connect, opened } = openFaulty();
    const store = await openSqliteStore(freshPath(), { connect });
    const seen = await actOnFullDisk(await sceneOf(store), {
      fill: () => opened[0]!.exec("PRAGMA max_page_count = 1"),
      empty: () => opened[0]!.exec("PRAGMA max_page_count = 1000000"),
    });
    expect(seen).toEqual(SURVIVED);
    await store.close();
  });

  it("F4: also when it is the disk's own limit", async ({ skip }) => {
    const place = join(folder, "full");
    mkdirSync(place);
    if (!mount(["-t", "tmpfs", "-o", "size=2m", "tmpfs", place])) skip("mounting is not permitted here");
    const store = await openSqliteStore(join(place, "x.db"));
    const ballast = join(place, "ballast");
    const disk = { fill: () => fillUp(ballast), empty: () => rmSync(ballast) };
    expect(await actOnFullDisk(await sceneOf(store), disk)).toEqual(SURVIVED);
    await store.close();
  });
});

describe("a large file that is damaged in the middle", () => {
  it("opens without reading it all, and answers STORE_CORRUPT for what is damaged alone", async () => {
    const path = freshPath();
    await fillFile(path, 6_000);
    const bytes = readFileSync(path);
    bytes.fill(0xff, 500 * 4_096, 900 * 4_096);
    writeFileSync(path, bytes);
    const store = await openSqliteStore(path);
    expect(await store.loadMemory(1).catch((error: StepwellError) => error)).toMatchObject({ code: "STORE_CORRUPT" });
    expect((await store.listWorkers(0)).length).toBe(1);
    await store.close();
  });
});
