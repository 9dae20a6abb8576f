/** The server for tests: it starts for anybody, stops as told, keeps its data, and leaves nothing behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, inject, it, type TestContext, vi } from "vitest";
import { startOwnServer, useOwnServer, whyNoOwnServer } from "./for-tests.ts";
import { type OwnServer, PostgresMissing, type PostgresOptions, startPostgres } from "./server.ts";

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const NAMELESS = 54_321;
const OWNER = join(import.meta.dirname, "programs/owner.ts");

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "stepwell-harness-"));
  chmodSync(scratch, 0o755);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  // A stopping server ends connections; that is no error of a test.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Not `once`, which an error would reject. */
function endOf(client: Client): Promise<unknown> {
  return new Promise((resolve) => void client.once("end", () => resolve(null)));
}

async function query(url: string, ...statements: readonly string[]): Promise<unknown> {
  const client = await connect(url);
  try {
    let rows: unknown[][] = [];
    for (const text of statements) ({ rows } = await client.query<unknown[]>({ text, rowMode: "array" }));
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
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
    expect(await query(url, "SELECT 1")).toBe(1);
  });

  it.for([
    ["an ordinary user", NOBODY],
    ["a user whom the system does not know", NAMELESS],
  ] as const)("for %s", async ([_, uid], test) => {
    if (!IS_ROOT) test.skip("only root can be somebody else");
    const owner = await startOwner(test, uid);
    expect(await query(owner.server.url, "SELECT 1")).toBe(1);
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("beside another that starts at the same time, with nothing prepared", async (test) => {
    const cacheDir = join(scratch, "cache");
    const servers = await Promise.all([start(test, { cacheDir }), start(test, { cacheDir })]);
    expect(await Promise.all(servers.map(({ url }) => query(url, "SELECT 1")))).toEqual([1, 1]);
    expect(new Set(servers.map(({ dataDir }) => dataDir)).size).toBe(2);
    expect(readdirSync(cacheDir)).toEqual([expect.stringMatching(/\.tar$/)]);
  });

  it("after another that was killed while it kept what initdb had made", async (test) => {
    const cacheDir = join(scratch, "cache");
    const tar = "#!/bin/sh\nhead -c 100000 /dev/zero\nkill -9 $PPID\nexit 1\n";
    writeFileSync(join(scratch, "tar"), tar, { mode: 0o755 });
    vi.stubEnv("PATH", [scratch, process.env["PATH"]].join(delimiter));
    vi.stubEnv("TMPDIR", scratch);
    await expect(start(test, { cacheDir })).rejects.toThrow(/the guard .* has died|tar ended with 1/);
    vi.unstubAllEnvs();
    const { url } = await start(test, { cacheDir });
    expect(await query(url, "SELECT 1")).toBe(1);
  });

  it("with settings, and as a rule with fsync", async (test) => {
    const { url, version } = await startOwnServer(test, { settings: { max_connections: "17" } });
    expect(await query(url, "SHOW fsync")).toBe("on");
    expect(await query(url, "SHOW max_connections")).toBe("17");
    expect(await query(url, "SHOW server_version")).toContain(version);
  });

  it("not with a setting that does not exist, and says so", async (test) => {
    await expect(start(test, { settings: { colour: "red" } })).rejects.toThrow(/unrecognized .* "colour"/);
  });

  it("not at a port that is taken, and says so", async (test) => {
    const port = Number(new URL(sharedUrl(test)).port);
    await expect(start(test, { port })).rejects.toThrow("Address already in use");
  });
});

describe("a password", () => {
  it("is asked for", async (test) => {
    const { url } = await start(test, { password: "it's a / secret" });
    expect(await query(url, "SELECT 1")).toBe(1);
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
    expect(await query(second.url, "SELECT n FROM kept")).toBe(42);
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
    expect(await query(server().url, "SELECT n FROM kept")).toBe(42);
  });

  it("that is smart waits until the last client has left", async () => {
    const client = await connect(server().url);
    const restarted = server().restart("smart");
    await vi.waitUntil(() => log().includes("received smart shutdown request"));
    expect(await client.query("SELECT 1")).toMatchObject({ rowCount: 1 });
    await client.end();
    await restarted;
    expect(await query(server().url, "SELECT 1")).toBe(1);
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
    expect(await query(server().url, "SELECT n FROM kept")).toBe(42);
  });
});

describe("an owner that is killed leaves neither process nor folder", () => {
  it("behind a server that runs", async (test) => {
    const owner = await startOwner(test);
    await connect(owner.server.url);
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(isAlive(owner.server.pid)).toBe(false);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("behind a server that waits for a client", async (test) => {
    const owner = await startOwner(test);
    const { url, pid, dataDir } = owner.server;
    await connect(url);
    owner.process.stdin!.write("stop\n");
    await vi.waitUntil(() => readFileSync(join(dataDir, "postgres.log"), "utf8").includes("received smart shutdown"));
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("but keeps its server when Ctrl-C does not end it", async (test) => {
    const owner = await startOwner(test);
    process.kill(-owner.process.pid!, "SIGINT");
    await once(owner.process.stdout!, "data");
    expect(await query(owner.server.url, "SELECT 1")).toBe(1);
  });

  it("behind a server that is being started", async (test) => {
    const owner = spawnOwner(test);
    await vi.waitUntil(() => readdirSync(scratch).length > 0, { interval: 2, timeout: 10_000 });
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(readdirSync(scratch)).toEqual([]);
  });
});

describe("STEPWELL_TEST_PG", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("names a server that runs already, which is left alone", async (test) => {
    const url = sharedUrl(test);
    vi.stubEnv("STEPWELL_TEST_PG", url);
    const borrowed = await startPostgres();
    expect(borrowed).toMatchObject({ kind: "borrowed", url, version: await query(url, "SHOW server_version") });
    await borrowed.stop();
    expect(await query(url, "SELECT 1")).toBe(1);
  });

  it("names Debian's PostgreSQL 15", async (test) => {
    vi.stubEnv("STEPWELL_TEST_PG", "debian-15");
    const { url } = await start(test);
    expect(await query(url, "SHOW server_version")).toMatch(/^15\./);
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

// ---- owners and traces

type Owner = {
  readonly process: ChildProcess;
  /** The owner has gone, and so has the guard, which holds the owner's standard error. */
  readonly left: Promise<unknown>;
};
type Told = { readonly url: string; readonly pid: number; readonly dataDir: string };

/** A process that starts a server, with all that belongs to it in `scratch`. */
function spawnOwner(test: TestContext, uid?: number): Owner {
  const why = whyNoOwnServer();
  if (why !== null) test.skip(why);
  if (uid !== undefined) {
    if (!isOpenToAll(OWNER)) test.skip("the checkout is open to root alone");
    chownSync(scratch, uid, uid);
  }
  const child = spawn(process.execPath, [OWNER, JSON.stringify({ durable: false })], {
    env: { ...process.env, TMPDIR: scratch },
    // A process group of its own, as a shell gives to a command.
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  test.onTestFinished(() => void child.kill("SIGKILL"));
  return { process: child, left: once(child, "close") };
}

async function startOwner(test: TestContext, uid?: number): Promise<Owner & { readonly server: Told }> {
  const owner = spawnOwner(test, uid);
  const complaints = text(owner.process.stderr!);
  for await (const line of createInterface(owner.process.stdout!)) {
    return { ...owner, server: JSON.parse(line) as Told };
  }
  const missing = /PostgresMissing: (.*)/.exec(await complaints)?.[1];
  if (missing !== undefined) test.skip(missing);
  throw new Error(await complaints);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** Segments that it has created; the system's table has that process in its fifth column. */
function sharedMemoryOf(pid: number): readonly string[] {
  const lines = readFileSync("/proc/sysvipc/shm", "utf8").split("\n");
  return lines.filter((line) => line.trim().split(/ +/)[4] === `${pid}`);
}

function isOpenToAll(path: string): boolean {
  const parent = dirname(path);
  return (statSync(path).mode & 0o005) !== 0 && (parent === path || isOpenToAll(parent));
}
