/**
 * Storage faults, by real means: EIO and ENOSPC injected with strace into every kind of system call that SQLite makes
 * on its files, once, for a while and for good, at a sweep of places (F4, F5 of the reliability specification).
 *
 * After each: the process resumed by itself or had clear codes; no run failed for it; nothing acknowledged is lost; a
 * fresh process finishes every run, with one checkpoint per step.
 */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "../../packages/stepwell/src/engine/open.ts";
import { workflow } from "../../packages/stepwell/src/engine/workflow.ts";
import { type Acknowledged, findLosses, findRepeats, finishErrands, readAcks, readWitness } from "./aftermath.ts";
import { EXIT } from "./courier.ts";
import { deepPart } from "./part.ts";
import { courierAt, openPlace, type Place } from "./place.ts";
import { type Ended, runTraced, whyNoStrace } from "./strace.ts";

const HELP = `node scripts/deep/storage-faults.ts [flags]

Inject EIO and ENOSPC into the system calls that SQLite makes, one process per fault, and hold what is left against
what was acknowledged. --places: how many places of each call are tried; --only: calls whose names begin so, as
"fsync" or "pwrite64 wal"; --at: this place alone; --quick: four places of each.`;

const RUNS = 12;
const CLIENTS = 4;
/** The engine tries a flush again after up to a second. */
const PATIENCE_MS = 12_000;
/** For good is for so long: then the process gives up. */
const HOPELESS_MS = 1_500;
const COURIER_MS_MAX = 90_000;
/** Calls hit one after another by a fault that lasts a while. */
const WHILE_CALLS = 8;

/** System calls by the file they work on; what a disk may answer to them. */
const CALLS: ReadonlyMap<string, readonly string[]> = new Map([
  ["openat", ["EIO", "ENOSPC"]],
  ["pread64", ["EIO"]],
  ["pwrite64", ["EIO", "ENOSPC"]],
  ["fsync", ["EIO", "ENOSPC"]],
  ["fdatasync", ["EIO", "ENOSPC"]],
  ["ftruncate", ["EIO", "ENOSPC"]],
  ["fallocate", ["EIO", "ENOSPC"]],
  ["mmap", ["ENOMEM"]],
  ["unlink", ["EIO"]],
  ["fstat", ["EIO"]],
  ["fcntl", ["EIO"]],
]);
const FILES = ["db", "wal", "shm", "folder"] as const;
type File = (typeof FILES)[number];

/** `while`: some calls in a row; `good`: from there on, all. */
type Lasting = "once" | "while" | "good";
type Site = {
  readonly call: string;
  readonly file: File;
  readonly errors: readonly string[];
  /** Whether the file holds many ended runs at the beginning, so that there is something to read. */
  readonly filled: boolean;
  /** How often an undisturbed process makes the call. */
  readonly count: number;
};
type Fault = Site & { readonly error: string; readonly at: number; readonly lasting: Lasting };

type Folder = { readonly folder: string };
type Tally = { readonly refusals: Map<string, number>; resumed: number; hopeless: number };

/** How often an undisturbed process makes each call on each file; reads are tried on a file that holds something. */
async function countCalls(frame: Folder): Promise<readonly Site[]> {
  const sites: Site[] = [];
  for (const filled of [false, true]) {
    for (const file of FILES) {
      for (const [call, count] of await countCallsOn(frame, file, filled)) {
        const errors = CALLS.get(call) ?? [];
        if (!filled || call === "pread64") sites.push({ call, file, errors, filled, count });
      }
    }
  }
  return sites;
}

async function countCallsOn(frame: Folder, file: File, filled: boolean): Promise<ReadonlyMap<string, number>> {
  const place = placeOf(frame.folder, "count", filled);
  const trace = join(place.folder, "trace");
  const calls = [...CALLS.keys()].join(",");
  const flags = ["-o", trace, "-P", pathOf(place, file), "-e", `trace=${calls}`];
  const ended = await runTraced(flags, courier(place, PATIENCE_MS), COURIER_MS_MAX);
  if (ended.code !== 0) throw new Error(`the undisturbed process ended with ${ended.code}: ${ended.errors}`);
  const names = readFileSync(trace, "utf8").match(/(?<=^\d+ +)[a-z0-9]+(?=\()/gm) ?? [];
  rmSync(place.folder, { recursive: true });
  return new Map([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

/** Places close together at the beginning, where a file is made, and further apart later. */
function drawFaults(site: Site, places: number): readonly Fault[] {
  const ats = new Set(
    Array.from({ length: places }, (_, index) => Math.max(1, Math.round(site.count ** ((index + 0.5) / places)))),
  );
  return [...ats].flatMap((at, index) => faultsAt(site, at, index));
}

/** Every fault once; of four places, two a while and one for good. */
function faultsAt(site: Site, at: number, index: number): readonly Fault[] {
  const lastings: readonly Lasting[] =
    index % 4 === 3 ? ["once", "while", "good"] : index % 2 === 1 ? ["once", "while"] : ["once"];
  return site.errors.flatMap((error) => lastings.map((lasting) => ({ ...site, error, at, lasting })));
}

function faultText({ call, file, filled, error, at, lasting }: Fault): string {
  const from = { once: "once at", while: `${WHILE_CALLS} times from`, good: "for good from" }[lasting];
  return `${error} of ${call} on the ${filled ? "filled " : ""}${file}, ${from} call ${at}`;
}

async function suffer(
  frame: Folder,
  fault: Fault,
  { tally, remark }: { readonly tally: Tally; readonly remark: (text: string) => void },
): Promise<readonly string[]> {
  const place = placeOf(frame.folder, faultText(fault).replace(/[^A-Za-z0-9]+/g, "-"), fault.filled);
  const when = { once: `${fault.at}`, while: `${fault.at}..${fault.at + WHILE_CALLS - 1}`, good: `${fault.at}+` }[
    fault.lasting
  ];
  const ended = await runTraced(
    [
      "-o",
      "/dev/null",
      "-P",
      pathOf(place, fault.file),
      "-e",
      `trace=${fault.call}`,
      "-e",
      `inject=${fault.call}:error=${fault.error}:when=${when}`,
    ],
    courier(place, patienceMs(fault)),
    COURIER_MS_MAX,
  );
  const acks = readAcks(place.acks);
  for (const [what, count] of acks.refusals) tally.refusals.set(what, (tally.refusals.get(what) ?? 0) + count);
  if (ended.code === 0) tally.resumed += 1;
  if (ended.code === EXIT.patience) tally.hopeless += 1;
  remark(`exit ${ended.code}${acks.refusals.size === 0 ? "" : `, refused: ${[...acks.refusals.keys()].join(", ")}`}`);
  const witness = [...readWitness(place.witness)];
  const violations = [
    ...judgeEnd(fault, ended, acks),
    ...(ended.code === 0 ? findRepeats(witness) : []),
    ...findLosses(place.database, acks),
    ...(await finishErrands(place.database, RUNS, witness)),
  ];
  if (violations.length === 0) rmSync(place.folder, { recursive: true });
  return violations;
}

function patienceMs({ lasting }: Fault): number {
  return lasting === "good" ? HOPELESS_MS : PATIENCE_MS;
}

function judgeEnd({ call, lasting }: Fault, ended: Ended, acks: Acknowledged): readonly string[] {
  const clear = call === "pread64" ? CLEAR_CODES_OF_READS : CLEAR_CODES;
  const foreign = [...acks.refusals.keys()].filter((refusal) => !clear.test(refusal));
  const allowed: readonly (number | null)[] = lasting === "good" ? [0, EXIT.patience] : [0];
  return [
    ...foreign.map((refusal) => `not a clear code: refused ${refusal}`),
    ...(ended.late ? [`the process had not ended after ${COURIER_MS_MAX} ms`] : []),
    ...(ended.late || allowed.includes(ended.code)
      ? []
      : [`the process ended with ${ended.code}: ${ended.errors.trim()}`]),
  ];
}

/** What callers may be told. That an outcome is unknown only at the opening, which can be repeated: else it is found out. */
const CLEAR_CODES = /^(\w+ (STORE_FULL|STORE_FAILED|STORE_BUSY|STORE_READ_ONLY)|open STORE_OUTCOME_UNKNOWN)$/;

/** SQLite takes a sector that cannot be read for damage of the file (SQLITE_IOERR_CORRUPTFS becomes SQLITE_CORRUPT). */
const CLEAR_CODES_OF_READS = new RegExp(`${CLEAR_CODES.source}|^\\w+ STORE_CORRUPT$`);

/** @param filled begins with a copy of the file that {@link fillFile} made */
function placeOf(parent: string, name: string, filled: boolean): Place {
  const place = openPlace(parent, name);
  if (filled) cpSync(join(parent, FILLED), place.database);
  return place;
}

const FILLED = "filled.db";

/** A closed file with many ended runs, of another workflow. */
async function fillFile(folder: string): Promise<void> {
  const old = workflow("deep/old", { version: "1.0.0" }, async (ctx) => {
    await ctx.map("page", [1, 2, 3, 4, 5, 6], {}, () => "x".repeat(1_000));
  });
  const engine = await openEngine({ store: `sqlite:${join(folder, FILLED)}`, workflows: [old] });
  await Promise.all(Array.from({ length: 300 }, () => engine.run(old)));
  await engine.close();
}

function pathOf({ data, database }: Place, file: File): string {
  return { db: database, wal: `${database}-wal`, shm: `${database}-shm`, folder: data }[file];
}

function courier(place: Place, patienceMs: number): readonly [string, string] {
  return courierAt(place, { runs: RUNS, clients: CLIENTS, patienceMs, synchronous: null });
}

/** Two at a time: each waits more than it computes. */
async function inPairs<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

await deepPart({ help: HELP, flags: { places: "10", only: "", at: "", quick: false } }, async (frame) => {
  const why = whyNoStrace();
  if (why !== null) return frame.skip("injected faults", why);
  await fillFile(frame.folder);
  const sites = await countCalls(frame);
  frame.say(
    `calls of an undisturbed process: ${sites.map(({ call, file, count }) => `${call} ${file} ${count}`).join(", ")}`,
  );
  const places = frame.flags.quick ? 4 : frame.whole("places", 1);
  const faults = sites
    .filter(({ call, file }) => `${call} ${file}`.startsWith(frame.flags.only))
    .flatMap((site) => (frame.flags.at === "" ? drawFaults(site, places) : faultsAt(site, frame.whole("at", 1), 3)));
  const tally: Tally = { refusals: new Map(), resumed: 0, hopeless: 0 };
  await inPairs(faults, (fault) => frame.check(faultText(fault), (remark) => suffer(frame, fault, { tally, remark })));
  const codes = [...tally.refusals].map(([what, count]) => `${what} ${count}`).toSorted();
  frame.tell(
    `${faults.length} faults in ${sites.length} kinds of calls; ${tally.resumed} processes resumed, ${tally.hopeless} gave up`,
  );
  frame.tell(`refused meanwhile: ${codes.join(", ") || "nothing"}`);
});
