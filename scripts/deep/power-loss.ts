/**
 * Power loss: the writes of a working process are traced, and disks are built as they may be found when the power
 * failed at any moment of it. With the library's own settings no acknowledged start, signal or end may be missing (F3);
 * with synchronous=NORMAL some must be, or these disks would prove nothing.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDice } from "../../packages/stepwell/src/model/dice.ts";
import { findLosses, finishErrands, parseAcks, readWitness } from "./aftermath.ts";
import { openDisk, type Remains, REMAINS } from "./disk-image.ts";
import { type DiskEvent, parseTrace, TRACE_FLAGS } from "./disk-trace.ts";
import type { Sight } from "./errand.ts";
import { deepPart } from "./part.ts";
import { courierAt, openPlace } from "./place.ts";
import { runTraced, whyNoStrace } from "./strace.ts";

const HELP = `node scripts/deep/power-loss.ts [flags]

Trace the writes of a process and look at so many disks as a power failure may leave them, half of them with settings
that are known to lose. --runs: errands of the process; --finish: every so many-th disk is worked on to its end.`;

const CLIENTS = 8;
const COURIER_MS_MAX = 300_000;
const PATIENCE_MS = 60_000;

/** A traced process: what it did, what it acknowledged along the way, and what its steps witnessed. */
type Trace = { readonly events: readonly DiskEvent[]; readonly witness: readonly Sight[] };

/** What was found on the disks. */
type Findings = {
  images: number;
  /** Disks that had un-synced writes when the power failed. */
  dirty: number;
  /** Acknowledgements that had to be there, over all disks. */
  owed: number;
  finished: number;
  readonly losses: string[];
};

async function traceCourier(folder: string, runs: number, synchronous: "NORMAL" | null): Promise<Trace> {
  const place = openPlace(folder, synchronous ?? "default");
  const { data, database, acks } = place;
  const trace = join(place.folder, "trace");
  const paths = [data, database, `${database}-wal`, `${database}-journal`, acks].flatMap((path) => ["-P", path]);
  const ended = await runTraced(
    ["-o", trace, ...TRACE_FLAGS, ...paths],
    courierAt(place, { runs, clients: CLIENTS, patienceMs: PATIENCE_MS, synchronous }),
    COURIER_MS_MAX,
  );
  if (ended.code !== 0) throw new Error(`the traced process ended with ${ended.code}: ${ended.errors}`);
  return { events: parseTrace(readFileSync(trace, "latin1")), witness: readWitness(place.witness) };
}

/** Fail the power at `count` moments of a trace, and look at each disk. */
async function failPower(
  folder: string,
  { events, witness }: Trace,
  plan: { readonly seed: string; readonly count: number; readonly finishEvery: number; readonly runs: number },
): Promise<Findings> {
  const dice = openDice(plan.seed);
  const findings: Findings = { images: 0, dirty: 0, owed: 0, finished: 0, losses: [] };
  const moments = drawMoments(events, plan.count, dice.integer);
  const disk = openDisk("data");
  let told = "";
  for (const [index, event] of events.entries()) {
    if (event.name === "acks") told += event.kind === "write" ? event.data.toString() : "";
    else disk.apply(event);
    for (let left = moments.get(index) ?? 0; left > 0; left -= 1) {
      const remains = REMAINS[findings.images % REMAINS.length]!;
      const database = writeImage(join(folder, "image"), disk.crash(remains, dice));
      findings.images += 1;
      findings.dirty += disk.unsynced() > 0 ? 1 : 0;
      const losses = await lookAt(database, { told, findings, witness: [...witness], ...plan });
      findings.losses.push(...losses.map((loss) => `${momentText(index, events.length, remains)}: ${loss}`));
    }
  }
  return findings;
}

/** After the first acknowledgement; how often at each. */
function drawMoments(
  events: readonly DiskEvent[],
  count: number,
  integer: (below: number) => number,
): Map<number, number> {
  const first = events.findIndex((event) => event.name === "acks" && event.kind === "write");
  const moments = new Map<number, number>();
  for (let left = count; left > 0; left -= 1) {
    const at = first + integer(events.length - first);
    moments.set(at, (moments.get(at) ?? 0) + 1);
  }
  return moments;
}

function writeImage(folder: string, files: ReadonlyMap<string, Buffer>): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  return join(folder, "x.db");
}

type Look = {
  readonly told: string;
  readonly findings: Findings;
  readonly witness: Sight[];
  readonly finishEvery: number;
  readonly runs: number;
};

async function lookAt(
  database: string,
  { told, findings, witness, finishEvery, runs }: Look,
): Promise<readonly string[]> {
  const acks = parseAcks(told);
  findings.owed += acks.starts.size + acks.signals.size + acks.ends.size;
  try {
    const losses = findLosses(database, acks);
    if (losses.length > 0 || findings.images % finishEvery !== 0) return losses;
    findings.finished += 1;
    return await finishErrands(database, runs, witness);
  } catch (error) {
    return [`the file cannot be opened: ${String(error)}`];
  }
}

function momentText(index: number, length: number, remains: Remains): string {
  return `power failed after call ${index + 1} of ${length}, ${remains} of the un-synced writes kept`;
}

await deepPart({ help: HELP, flags: { images: "1000", runs: "200", finish: "20", seed: "power" } }, async (frame) => {
  const why = whyNoStrace();
  if (why !== null) return frame.skip("power loss", why);
  const [count, runs] = [Math.ceil(frame.whole("images", 2) / 2), frame.whole("runs", 1)];
  const plan = { seed: frame.flags.seed, count, finishEvery: frame.whole("finish", 1), runs };
  await frame.check("with the library's settings nothing acknowledged is lost", async (remark) => {
    const trace = await traceCourier(frame.folder, runs, null);
    const found = await failPower(frame.folder, trace, plan);
    remark(`${found.images} disks`);
    const checkpoints = trace.events.filter(({ kind, name }) => kind === "sync" && name === "x.db").length;
    frame.tell(
      `${found.images} disks from ${trace.events.length} calls (${checkpoints} syncs of the database file), ` +
        `${found.dirty} with un-synced writes: ${found.losses.length} of ${found.owed} acknowledgements lost, ` +
        `${found.finished} disks worked on to their end`,
    );
    return found.losses;
  });
  await frame.check("with synchronous=NORMAL something is lost", async (remark) => {
    const trace = await traceCourier(frame.folder, runs, "NORMAL");
    const found = await failPower(frame.folder, trace, { ...plan, finishEvery: Infinity });
    remark(`${found.losses.length} of ${found.owed} acknowledgements lost, as must be`);
    frame.tell(
      `control with synchronous=NORMAL: ${found.losses.length} of ${found.owed} acknowledgements lost on ${found.images} disks`,
    );
    const damaged = found.losses.filter((loss) => !/acknowledged|was told/.test(loss));
    return found.losses.length === 0 ? ["the control lost nothing, so these disks prove nothing"] : damaged;
  });
});
