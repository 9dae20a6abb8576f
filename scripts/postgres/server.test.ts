/** The server for tests: it starts for anybody, stops as told, keeps its data, and leaves nothing behind. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Client } from "pg";
import { afterEach, beforeEach, describe, expect, inject, it, type TestContext, vi } from "vitest";
import { startOwnServer, useOwnServer } from "./for-tests.ts";
import { connect, query } from "./query.ts";
import { type OwnServer, PostgresMissing, type PostgresOptions, startPostgres } from "./server.ts";

const IS_ROOT = process.getuid?.() === 0;

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "stepwell-harness-"));
  chmodSync(scratch, 0o755);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

/** Not `once`, which an error would reject. */
function endOf(client: Client): Promise<unknown> {
  return new Promise((resolve) => void client.once("end", () => resolve(null)));
}

const start = (test: TestContext, options: PostgresOptions = {}): Promise<OwnServer> =>
  startOwnServer(test, { durable: false, ...options });

function sharedUrl({ skip }: TestContext): string {
  const shared = inject("postgres");
  return "url" in shared ? shared.url : skip(shared.missing);
}

describe("a server runs", () => {
  it("under root, where namespaces are not permitted", async (test) => {
    if (!IS_ROOT) test.skip("only root can be somebody else");
    const { url } = await start(test, { account: "nobody" });
    expect(await query(url, "SELECT 1")).toEqual([1]);
  });

  it("beside another that starts at the same time, with nothing prepared", async (test) => {
    const cacheDir = join(scratch, "cache");
    const servers = await Promise.all([start(test, { cacheDir }), start(test, { cacheDir })]);
    expect(await Promise.all(servers.map(({ url }) => query(url, "SELECT 1")))).toEqual([[1], [1]]);
    expect(new Set(servers.map(({ dataDir }) => dataDir)).size).toBe(2);
    expect(readdirSync(cacheDir)).toEqual([expect.stringMatching(/\.tar$/)]);
  });

  it("with settings, and as a rule with fsync", async (test) => {
    const { url, version } = await startOwnServer(test, { settings: { max_connections: "17" } });
    expect(await query(url, "SHOW fsync")).toEqual(["on"]);
    expect(await query(url, "SHOW max_connections")).toEqual(["17"]);
    expect(await query(url, "SHOW server_version")).toEqual([expect.stringContaining(version)]);
  });

  it("not with a setting that does not exist, and says so", async (test) => {
    await expect(start(test, { settings: { colour: "red" } })).rejects.toThrow(/unrecognized .* "colour"/);
  });

  it("not at a port that is taken, and says so", async (test) => {
    const port = Number(new URL(sharedUrl(test)).port);
    await expect(start(test, { port })).rejects.toThrow("Address already in use");
  });
});

it("a start that is killed while it keeps what initdb made leaves no half of it for the next", async (test) => {
  const cacheDir = join(scratch, "cache");
  const tar = "#!/bin/sh\nhead -c 100000 /dev/zero\nkill -9 $PPID\nexit 1\n";
  writeFileSync(join(scratch, "tar"), tar, { mode: 0o755 });
  vi.stubEnv("PATH", [scratch, process.env["PATH"]].join(delimiter));
  vi.stubEnv("TMPDIR", scratch);
  await expect(start(test, { cacheDir })).rejects.toThrow(/the guard .* has died|tar ended with 1/);
  expect(readdirSync(cacheDir).filter((name) => name.endsWith(".tar"))).toEqual([]);
});

describe("a password", () => {
  it("is asked for", async (test) => {
    const { url } = await start(test, { password: "it's a / secret" });
    expect(await query(url, "SELECT 1")).toEqual([1]);
    const wrong = new URL(url);
    wrong.password = "guessed";
    await expect(query(wrong.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });
});

describe("a stop", () => {
  it("leaves no process, no folder, and may be repeated", async (test) => {
    const server = await start(test);
    await server.stop();
    await server.stop();
    expect(isAlive(server.pid())).toBe(false);
    expect(existsSync(server.dataDir)).toBe(false);
    await expect(connect(server.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("leaves a folder that was given, with all that is in it", async (test) => {
    const dataDir = join(scratch, "kept");
    // As one has left it that was killed while it made the folder.
    mkdirSync(`${dataDir}.unfinished`);
    writeFileSync(`${dataDir}.unfinished/half`, "of a page");
    const first = await start(test, { dataDir });
    await query(first.url, "CREATE TABLE kept AS SELECT 42 AS n");
    await first.stop("immediate");
    const second = await start(test, { dataDir });
    expect(await query(second.url, "SELECT n FROM kept")).toEqual([42]);
    await second.stop();
    expect(readdirSync(scratch)).toEqual(["kept"]);
    expect(readdirSync(dataDir)).not.toContain("half");
  });

  it("after a kill leaves no shared memory either", async (test) => {
    const server = await start(test);
    const pid = server.pid();
    await server.kill();
    expect(sharedMemoryOf(pid)).toHaveLength(1);
    await server.stop();
    expect(sharedMemoryOf(pid)).toEqual([]);
    expect(existsSync(server.dataDir)).toBe(false);
  });
});

describe("a restart", () => {
  const server = useOwnServer({ durable: false });
  const log = (): string => readFileSync(join(server().dataDir, "postgres.log"), "utf8");

  it.each(["fast", "immediate"] as const)("that is %s does not wait for clients, and keeps the data", async (mode) => {
    await query(server().url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 42 AS n");
    const client = await connect(server().url);
    const ended = endOf(client);
    const pid = server().pid();
    await server().restart(mode);
    await ended;
    expect(server().pid()).not.toBe(pid);
    expect(log()).toContain(`received ${mode} shutdown request`);
    expect(await query(server().url, "SELECT n FROM kept")).toEqual([42]);
  });

  it("that is smart waits until the last client has left", async () => {
    const client = await connect(server().url);
    const restarted = server().restart("smart");
    await vi.waitUntil(() => log().includes("received smart shutdown request"));
    expect(await client.query("SELECT 1")).toMatchObject({ rowCount: 1 });
    await client.end();
    await restarted;
    expect(await query(server().url, "SELECT 1")).toEqual([1]);
  });

  it("after a kill finds what was committed", async () => {
    await query(server().url, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 42 AS n");
    const client = await connect(server().url);
    const ended = endOf(client);
    await server().kill();
    await ended;
    await expect(connect(server().url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await server().restart();
    expect(log()).toContain("was not properly shut down");
    expect(await query(server().url, "SELECT n FROM kept")).toEqual([42]);
  });
});

describe("STEPWELL_TEST_PG", () => {
  it("names a server that runs already, which is left alone", async (test) => {
    const url = sharedUrl(test);
    vi.stubEnv("STEPWELL_TEST_PG", url);
    const borrowed = await startPostgres();
    const [version] = await query(url, "SHOW server_version");
    expect(borrowed).toMatchObject({ kind: "borrowed", url, version });
    await borrowed.stop();
    expect(await query(url, "SELECT 1")).toEqual([1]);
  });

  it("names Debian's PostgreSQL 15", async (test) => {
    vi.stubEnv("STEPWELL_TEST_PG", "debian-15");
    const { url } = await start(test);
    expect(await query(url, "SHOW server_version")).toEqual([expect.stringMatching(/^15\./)]);
  });

  it("says that there is none", async () => {
    vi.stubEnv("STEPWELL_TEST_PG", "none");
    await expect(startPostgres()).rejects.toThrow(PostgresMissing);
  });

  it("is no place for anything else", async () => {
    vi.stubEnv("STEPWELL_TEST_PG", "localhost:5432");
    await expect(startPostgres()).rejects.toThrow("it should be postgres://…");
  });
});

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** Segments that it has created; the system's table has that process in its fifth column. */
function sharedMemoryOf(pid: number): readonly string[] {
  const lines = readFileSync("/proc/sysvipc/shm", "utf8").split("\n");
  return lines.filter((line) => line.trim().split(/ +/)[4] === `${pid}`);
}
