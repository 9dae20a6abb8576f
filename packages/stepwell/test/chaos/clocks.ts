/**
 * Clocks: workers whose clocks are wrong by an hour, and jump by two while they work (F13). Leases, timers and deadlines go
 * by the database's clock, so nobody notices.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import type { Evidence } from "../../src/testing/simulation/evidence.ts";
import type { Harbour, Hire, Verdict } from "../fleet/fleet.ts";
import { machineMs } from "../fleet/orders.ts";
import { underLoad } from "./load.ts";

/** Debian's; it stands before the C library's clock. */
const LIBRARY = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/faketime/libfaketime.so.1`;

/** Why clocks cannot be put wrong here; null: they can. */
export function whyNoFakeTime(): string | null {
  return existsSync(LIBRARY) ? null : "libfaketime is not installed; see scripts/deep/install-tools.sh";
}

/** How long. */
export type Skewing = { readonly dice: Dice; readonly lanes: number; readonly ms: number };

/** Let workers with right and wrong clocks work together; one of them sees its clock jump, again and again. */
export async function skewClocks(harbour: Harbour, { dice, lanes, ms }: Skewing): Promise<Verdict> {
  const file = join(harbour.folder, `${harbour.name}.clock`);
  writeFileSync(file, AHEAD);
  const workers = [
    {},
    skewed({ FAKETIME: AHEAD }),
    skewed({ FAKETIME: BEHIND }),
    skewed({ FAKETIME_TIMESTAMP_FILE: file }),
  ];
  const client = skewed({ FAKETIME: BEHIND });
  const verdict = await underLoad(harbour, { dice, workers, client, lanes }, async () => {
    const untilMs = performance.now() + ms;
    for (let jumps = 1; performance.now() < untilMs; jumps += 1) {
      await sleep(JUMP_MS);
      writeFileSync(file, jumps % 2 === 0 ? AHEAD : BEHIND);
    }
  });
  return { ...verdict, violations: [...verdict.violations, ...misjudged(verdict.evidence)] };
}

const AHEAD = "+3600s";
const BEHIND = "-3600s";
const JUMP_MS = 700;

/** Its witness goes by the machine's steady clock. */
function skewed(time: NodeJS.ProcessEnv): Hire {
  const env = { LD_PRELOAD: LIBRARY, FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_NO_CACHE: "1", ...time };
  return { env, clock: { wallMs: Date.now(), machineMs: machineMs() } };
}

/** Nobody died, so nobody is to be held for dead. */
function misjudged({ stories }: Evidence): readonly string[] {
  const taken = stories.filter(({ history }) => history.some((one) => one.kind === "note" && one.note === "takeover"));
  return taken.length === 0 ? [] : [`${taken.length} runs were taken from workers that lived`];
}
