/**
 * Disks that are full, read-only or locked, by real means: a small tmpfs that is filled while runs proceed and freed
 * again, mounts that may only be read, and another process that holds the file (F4, F6).
 *
 * Always: callers hear a clear code, reads go on, nothing fails for it, nothing acknowledged is lost, and when the
 * fault is over the work is done without anybody's help.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Acknowledged, findLosses, findRepeats, finishErrands, readAcks, readWitness } from "./aftermath.ts";
import { EXIT } from "./courier.ts";
import { deepPart } from "./part.ts";
import { courierAt, openPlace, type Place } from "./place.ts";

const HELP = `node scripts/deep/disks.ts [flags]

Fill a small disk and free it again, take the right to write away, hold the file's lock. Mounting takes root.
--runs: errands of each process.`;

const CLIENTS = 8;
const DISK = "24m";
/** Nobody is told to wait longer than this. */
const WAIT_MS_MAX = 60_000;

type Courier = {
  readonly place: Place;
  readonly acks: () => Acknowledged;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
};

const children = new Set<ChildProcess>();
const mounts: string[] = [];

function openCourier(place: Place, runs: number, patienceMs: number = WAIT_MS_MAX): Courier {
  const [file, orders] = courierAt(place, { runs, clients: CLIENTS, patienceMs, synchronous: null });
  const child = spawn(process.execPath, [file, orders], { stdio: ["ignore", "ignore", "inherit"] });
  children.add(child);
  const timer = setTimeout(() => child.kill("SIGKILL"), 3 * WAIT_MS_MAX);
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      children.delete(child);
      resolve(code);
    });
  });
  return { place, acks: () => readAcks(place.acks), ended };
}

/** Wait until the courier has told of something. @throws Error when it does not, in time */
async function until(courier: Courier, what: string, holds: (acks: Acknowledged) => boolean): Promise<void> {
  const untilMs = performance.now() + WAIT_MS_MAX;
  while (!holds(courier.acks())) {
    if (performance.now() > untilMs) throw new Error(`no sign of this within ${WAIT_MS_MAX} ms: ${what}`);
    await sleep(20);
  }
}

/** Its end, what it told, and what a fresh process finds. `codes`: what callers may have heard. */
async function judge(courier: Courier, runs: number, codes: readonly string[]): Promise<readonly string[]> {
  const code = await courier.ended;
  const { place } = courier;
  const acks = courier.acks();
  const witness = [...readWitness(place.witness)];
  const foreign = [...acks.refusals.keys()].filter((refusal) => !codes.includes(refusal.split(" ")[1] ?? ""));
  return [
    ...(code === 0 ? [] : [`the process ended with ${code}`]),
    ...(acks.ends.size === runs ? [] : [`${acks.ends.size} of ${runs} ends were told`]),
    ...foreign.map((refusal) => `not a clear code: refused ${refusal}`),
    ...findRepeats(witness),
    ...findLosses(place.database, acks),
    ...(await finishErrands(place.database, runs, witness)),
  ];
}

function refusalText({ refusals }: Acknowledged): string {
  const texts = [...refusals].map(([what, count]) => `${what} ${count}`);
  return texts.length === 0 ? "nothing was refused" : `refused: ${texts.join(", ")}`;
}

// ---- a full disk

async function fillAndFree(place: Place, runs: number, remark: (text: string) => void): Promise<readonly string[]> {
  const ballast = join(place.data, "ballast");
  const courier = openCourier(place, runs);
  await until(courier, "the first ends", (acks) => acks.ends.size >= 20);
  const bytes = fillDisk(ballast);
  // When every caller waits for an end, nobody is refused anything; then the engine's own log tells.
  await until(courier, "STORE_FULL, by a refusal or in the log", ({ refusals, logs }) =>
    [...refusals.keys(), ...logs].some((line) => line.includes("STORE_FULL")),
  );
  const before = courier.acks();
  const reads = countRuns(place.database);
  await sleep(2_000);
  const during = courier.acks();
  rmSync(ballast);
  const freedMs = performance.now();
  await until(courier, "work after space was freed", (acks) => acks.ends.size > during.ends.size);
  remark(
    `${bytes >> 20} MiB of ballast, ${refusalText(during)}; ` +
      `first end ${Math.round(performance.now() - freedMs)} ms after space was freed`,
  );
  return [
    ...(reads >= before.starts.size ? [] : [`a reader saw ${reads} runs of ${before.starts.size} on the full disk`]),
    ...(await judge(courier, runs, ["STORE_FULL"])),
  ];
}

/** @returns bytes */
function fillDisk(path: string): number {
  const file = openSync(path, "w");
  let bytes = 0;
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    const block = Buffer.alloc(size, 1);
    try {
      for (;;) bytes += writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
  return bytes;
}

function countRuns(database: string): number {
  const db = new DatabaseSync(database, { readOnly: true });
  const count = Number(db.prepare("SELECT count(*) AS n FROM runs").get()?.["n"]);
  db.close();
  return count;
}

// ---- a disk or a file that may only be read

async function openReadOnly(
  place: Place,
  { forbid, allow, runs }: { readonly forbid: () => void; readonly allow: () => void; readonly runs: number },
): Promise<readonly string[]> {
  const first = openCourier(place, runs);
  const before = await judge(first, runs, []);
  forbid();
  const second = openCourier(place, 2 * runs, 1_000);
  const code = await second.ended;
  const told = [...second.acks().refusals.keys()];
  allow();
  const losses = findLosses(place.database, first.acks());
  const third = openCourier(place, 2 * runs);
  return [
    ...before,
    ...(code === EXIT.patience ? [] : [`the process on what may only be read ended with ${code}`]),
    ...(told.join() === "open STORE_READ_ONLY" ? [] : [`it was refused: ${told.join(", ") || "nothing"}`]),
    ...losses,
    ...(await judge(third, 2 * runs, ["STORE_READ_ONLY"])),
  ];
}

// ---- a locked file

async function lockFor(
  place: Place,
  { ms, runs, remark }: { readonly ms: number; readonly runs: number; readonly remark: (text: string) => void },
): Promise<readonly string[]> {
  const courier = openCourier(place, runs);
  await until(courier, "the first ends", (acks) => acks.ends.size >= 20);
  const db = new DatabaseSync(place.database, { timeout: 10_000 });
  db.exec("BEGIN EXCLUSIVE");
  await sleep(ms);
  const during = courier.acks();
  db.exec("ROLLBACK");
  db.close();
  const freedMs = performance.now();
  await until(courier, "work after the lock was given up", (acks) => acks.ends.size > during.ends.size);
  remark(`${refusalText(during)}; first end ${Math.round(performance.now() - freedMs)} ms after the lock was given up`);
  return judge(courier, runs, ["STORE_BUSY"]);
}

/** Nobody else may even read while the lock is held, so the courier cannot open the file. */
async function lockAtOpen(place: Place, runs: number, remark: (text: string) => void): Promise<readonly string[]> {
  const db = new DatabaseSync(place.database);
  db.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (x); BEGIN EXCLUSIVE");
  const courier = openCourier(place, runs);
  await sleep(4_000);
  remark(refusalText(courier.acks()));
  db.exec("ROLLBACK; DROP TABLE held");
  db.close();
  return judge(courier, runs, ["STORE_BUSY"]);
}

/** A reader keeps its state of the file from the first moments on; the log grows, and nobody waits. */
async function readFor(place: Place, ms: number, runs: number): Promise<readonly string[]> {
  const courier = openCourier(place, runs);
  await until(courier, "the first ends", (acks) => acks.ends.size >= 20);
  const db = new DatabaseSync(place.database, { readOnly: true });
  const count = db.prepare("SELECT count(*) AS n FROM runs");
  db.exec("BEGIN");
  const first = Number(count.get()?.["n"]);
  await sleep(ms);
  const last = Number(count.get()?.["n"]);
  db.close();
  return [
    ...(first === last ? [] : [`the reader saw ${first} runs, then ${last}, in one transaction`]),
    ...(await judge(courier, runs, [])),
  ];
}

// ---- mounts

function mount(options: readonly string[], place: string): void {
  execFileSync("mount", [...options, place], { stdio: "pipe" });
  if (!mounts.includes(place)) mounts.push(place);
}

function whyNoMounts(place: string): string | null {
  if (process.getuid?.() !== 0) return "mounting takes root";
  try {
    mount(["-t", "tmpfs", "-o", "size=1m", "tmpfs"], place);
    unmountAll();
    return null;
  } catch (error) {
    return `mounting is not possible here: ${String((error as { readonly stderr?: unknown }).stderr ?? error).trim()}`;
  }
}

function unmountAll(): void {
  for (const place of mounts.splice(0).toReversed()) execFileSync("umount", ["--lazy", place], { stdio: "pipe" });
}

process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  unmountAll();
});

await deepPart({ help: HELP, flags: { runs: "500" } }, async ({ folder, whole, check, skip }) => {
  const runs = whole("runs", 100);
  const why = whyNoMounts(openPlace(folder, "probe").data);
  const mounted = async (
    name: string,
    work: (place: Place, remark: (text: string) => void) => Promise<readonly string[]>,
  ) => {
    if (why !== null) return skip(name, why);
    const place = openPlace(folder, name.replaceAll(" ", "-"));
    mount(["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs"], place.data);
    await check(name, (remark) => work(place, remark));
    unmountAll();
  };
  await mounted("a full disk, freed again", (place, remark) => fillAndFree(place, runs, remark));
  await mounted("a disk that may only be read", (place) =>
    openReadOnly(place, {
      forbid: () => mount(["-o", "remount,ro"], place.data),
      allow: () => mount(["-o", "remount,rw"], place.data),
      runs: 100,
    }),
  );
  await check("a file that may only be read", () => {
    const place = openPlace(folder, "file");
    const { forbid, allow } = why === null ? fileMount(place.database) : fileMode(place.database);
    return openReadOnly(place, { forbid, allow, runs: 100 });
  });
  for (const ms of [1_000, 8_000]) {
    await check(`a file locked for ${ms / 1_000} s`, (remark) =>
      lockFor(openPlace(folder, `locked-${ms}`), { ms, runs, remark }),
    );
  }
  await check("a file locked against readers at the opening", (remark) =>
    lockAtOpen(openPlace(folder, "locked"), 100, remark),
  );
  await check("a reader that stays for 3 s", () => readFor(openPlace(folder, "reader"), 3_000, runs));
});

/** Root may write whatever the mode says, but not through a mount that may only be read. */
function fileMount(path: string): { readonly forbid: () => void; readonly allow: () => void } {
  return {
    forbid: () => {
      mount(["--bind", path], path);
      mount(["-o", "remount,ro,bind"], path);
    },
    allow: () => {
      unmountAll();
      if (!existsSync(path) || readFileSync(path).length === 0) throw new Error(`${path} is gone`);
    },
  };
}

function fileMode(path: string): { readonly forbid: () => void; readonly allow: () => void } {
  return { forbid: () => chmodSync(path, 0o444), allow: () => chmodSync(path, 0o644) };
}
