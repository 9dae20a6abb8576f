/** The guard: whoever owns a server, and however he ends, nothing stays behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { whyNoOwnServer } from "./for-tests.ts";
import { connect, query } from "./query.ts";

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const NAMELESS = 54_321;
const OWNER = join(import.meta.dirname, "programs/owner.ts");

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "stepwell-guard-"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

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

function isOpenToAll(path: string): boolean {
  const parent = dirname(path);
  return (statSync(path).mode & 0o005) !== 0 && (parent === path || isOpenToAll(parent));
}

describe("an owner that is killed leaves neither process nor folder", () => {
  it.for([
    ["an ordinary user", NOBODY],
    ["a user whom the system does not know", NAMELESS],
  ] as const)("if he is %s", async ([_, uid], test) => {
    if (!IS_ROOT) test.skip("only root can be somebody else");
    const owner = await startOwner(test, uid);
    expect(await query(owner.server.url, "SELECT 1")).toEqual([1]);
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("behind a server that runs", async (test) => {
    const owner = await startOwner(test);
    await connect(owner.server.url);
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(existsSync(`/proc/${owner.server.pid}`)).toBe(false);
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
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("behind a server that is being started", async (test) => {
    const owner = spawnOwner(test);
    await vi.waitUntil(() => readdirSync(scratch).length > 0, { interval: 2, timeout: 10_000 });
    owner.process.kill("SIGKILL");
    await owner.left;
    expect(readdirSync(scratch)).toEqual([]);
  });
});

it("an owner whom Ctrl-C does not end keeps his server", async (test) => {
  const owner = await startOwner(test);
  process.kill(-owner.process.pid!, "SIGINT");
  await once(owner.process.stdout!, "data");
  expect(await query(owner.server.url, "SELECT 1")).toEqual([1]);
});
