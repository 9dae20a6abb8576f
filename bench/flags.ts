/**
 * Flags of `npm run bench`.
 */
import { parseArgs } from "node:util";
import { type Workload, WORKLOADS } from "./job.ts";

/** One of `--only`; `concurrency` null: all that the plan has. */
export type Chosen = { readonly workload: Workload; readonly concurrency: number | null };

/** What was asked for. */
export type Flags = {
  readonly quick: boolean;
  readonly json: boolean;
  readonly save: boolean;
  readonly help: boolean;
  readonly rounds: number;
  /** Null: all. */
  readonly only: readonly Chosen[] | null;
};

/** Flags, or what is wrong with them, in one line. */
export type ParsedFlags =
  | { readonly ok: true; readonly flags: Flags }
  | { readonly ok: false; readonly message: string };

/** Told for --help, and after a complaint. At most 80 columns. */
export const USAGE = `npm run bench -- [options]

  --quick         shorter and smaller: all within 50 s; else about 4 minutes
  --json          print JSON lines only; npm run --silent keeps npm quiet, too
  --only a,b@n    only a at every concurrency, and b at n alone; known are
                  ${WORKLOADS.slice(0, 6).join(", ")},
                  ${WORKLOADS.slice(6).join(", ")}
  --rounds n      take turns n times (1 to 99), then print the medians
  --save          also write bench/results/latest.jsonl and latest.svg
  --help          print this`;

const ROUNDS_MAX = 99;

/** Parse the arguments after the script's name. */
export function parseFlags(args: readonly string[]): ParsedFlags {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        rounds: { type: "string", default: "1" },
        only: { type: "string" },
      },
    });
    const { only, rounds, ...switches } = values;
    return {
      ok: true,
      flags: { ...switches, rounds: parseRounds(rounds), only: only === undefined ? null : parseOnly(only) },
    };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message.split(". ")[0]! : String(error) };
  }
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (/^\d+$/.test(text) && rounds >= 1 && rounds <= ROUNDS_MAX) return rounds;
  throw new Error(`--rounds takes a whole number from 1 to ${ROUNDS_MAX}, not "${text}"`);
}

function parseOnly(text: string): readonly Chosen[] {
  return text.split(",").map((part) => {
    const [, name, concurrency] = /^\s*([a-z]+)(?:@([1-9]\d*))?\s*$/.exec(part) ?? [];
    const workload = WORKLOADS.find((known) => known === name);
    if (workload === undefined) throw new Error(`--only does not know "${part}"`);
    return { workload, concurrency: concurrency === undefined ? null : Number(concurrency) };
  });
}
