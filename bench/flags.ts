/**
 * Flags of `npm run bench`.
 */
import { parseArgs } from "node:util";
import { type StoreName, STORES } from "./base.ts";
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
  /** In the order of {@link STORES}. */
  readonly store: readonly StoreName[];
  /** Of a PostgreSQL that runs already; null: see openBase. */
  readonly url: string | null;
};

/** Flags, or what is wrong with them, in one line. */
export type ParsedFlags =
  | { readonly ok: true; readonly flags: Flags }
  | { readonly ok: false; readonly message: string };

/** Told for --help, and after a complaint. At most 80 columns. */
export const USAGE = `npm run bench -- [options]

  --store s       sqlite (if left out), postgres, or sqlite,postgres to compare
                  both in one run
  --url u         a PostgreSQL that runs already, postgres://...; or else the
                  one of STEPWELL_TEST_PG, or one that is started for this
  --quick         shorter and smaller: all within 50 s; else about 4 minutes;
                  on PostgreSQL 80 s, and about 10 minutes
  --json          print JSON lines only; npm run --silent keeps npm quiet, too
  --only a,b@n    only a at every concurrency, and b at n alone; known are
                  ${WORKLOADS.slice(0, 6).join(", ")},
                  ${WORKLOADS.slice(6).join(", ")};
                  the last three on PostgreSQL alone
  --rounds n      take turns n times (1 to 99), then print the medians
  --save          also write the rows and a plot into bench/results
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
        store: { type: "string", default: "sqlite" },
        url: { type: "string" },
      },
    });
    const { only, rounds, store, url, ...switches } = values;
    const stores = parseStores(store);
    return {
      ok: true,
      flags: {
        ...switches,
        rounds: parseRounds(rounds),
        only: only === undefined ? null : parseOnly(only),
        store: stores,
        url: url === undefined ? null : parseUrl(url, stores),
      },
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

function parseStores(text: string): readonly StoreName[] {
  const named = text.split(",").map((part) => part.trim());
  const unknown = named.find((name) => !STORES.some((store) => store === name));
  if (unknown !== undefined) throw new Error(`--store does not know "${unknown}"`);
  return STORES.filter((store) => named.includes(store));
}

function parseUrl(text: string, stores: readonly StoreName[]): string {
  if (!stores.includes("postgres")) throw new Error("--url needs --store postgres");
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new Error(`--url takes postgres://user@host/database, not "${text}"`);
}
