/**
 * Network: a line that breaks before the server has seen a statement, in the middle of it, when it has been committed, and
 * while it is on its way. What was acknowledged is there once, and what was not is found out by asking again (P1, F5, F9).
 */
import type { Dice } from "../../src/model/dice.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { MIGRATIONS } from "../../src/store/postgres/sql.generated.ts";
import type { Store } from "../../src/store/store.ts";
import { compareStores } from "../../src/testing/differential/differential.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";
import { query } from "../../../../scripts/postgres/query.ts";
import { openDoubtfulStore } from "./doubtful-store.ts";
import { type Fate, openProxy, PASS, type Proxy } from "./proxy.ts";

/** Every way to lose an answer that shows at once. */
export const DROPS: readonly Fate[] = [
  { kind: "cut", when: "before", how: "fin" },
  { kind: "cut", when: "before", how: "rst" },
  { kind: "cut", when: "torn", how: "fin" },
  { kind: "cut", when: "after", how: "fin" },
  { kind: "cut", when: "after", how: "rst" },
  { kind: "cut", when: "mid-answer", how: "fin" },
  { kind: "late", how: "fin" },
];

/** Those that show when the driver's patience is at its end. */
export const SILENCES: readonly Fate[] = [
  { kind: "silence", when: "before" },
  { kind: "silence", when: "after" },
];

/** All that changes something: calls of the port, and what a flush writes. */
export const MUTATIONS: readonly string[] = [
  ...["ensureVersion", "registerWorker", "renewWorker", "buryWorker", "releaseRuns", "retireWorker"],
  ...["claimRuns", "resumePaused", "flush"],
  ...["insert_run", "checkpoint", "attempt", "beat", "note", "progress", "attributes", "post", "wake"],
  ...["complete", "fail", "cancel", "park", "pause", "release", "compensate"],
];

/** How much is compared. */
export type Comparing = {
  readonly dice: Dice;
  readonly seed: number;
  readonly operations: number;
  /** How likely an operation is to be struck. */
  readonly chance: number;
  readonly fates: readonly Fate[];
};

/** `drops`: answers lost, by operation and by the way. */
export type Compared = { readonly violations: readonly string[]; readonly drops: ReadonlyMap<string, number> };

/**
 * Put random operations to the model and to a PostgreSQL behind a bad line, and compare every answer, and all that the
 * port shows. The database at `url` is emptied.
 */
export async function compareOverBadLine(url: string, comparing: Comparing): Promise<Compared> {
  const { dice, seed, operations, chance, fates } = comparing;
  const proxy = await openProxy(url);
  const drops = new Map<string, number>();
  const open = async (): Promise<Store> => {
    await dropTables(url);
    return openDoubtfulStore(url, { proxy, dice, chance, fates, tally: drops });
  };
  const contenders = [
    { name: "model", open: async () => openModelStore() },
    { name: "PostgreSQL", open },
  ];
  try {
    const { divergence } = await compareStores(contenders, { seed, operations, repeatable: false });
    return { violations: divergence === null ? [] : [divergence.text], drops };
  } finally {
    await proxy.close();
  }
}

/**
 * Open a store on an empty database while each of its statements in turn is struck in each way, and once more: the first
 * time says that the server was out of reach, the second finds or makes the tables (F7).
 *
 * @param stride only every so manieth statement is struck
 */
export async function openOverBadLine(url: string, stride: number): Promise<Compared> {
  const proxy = await openProxy(url);
  const drops = new Map<string, number>();
  const violations: string[] = [];
  try {
    for (const fate of DROPS) {
      for (let place = 1 + (DROPS.indexOf(fate) % stride), struck = true; struck; place += stride) {
        struck = await openStruck(url, proxy, { fate, place, violations });
        if (struck) drops.set("open", (drops.get("open") ?? 0) + 1);
      }
    }
  } finally {
    await proxy.close();
  }
  return { violations, drops };
}

type Blow = { readonly fate: Fate; readonly place: number; readonly violations: string[] };

/** False: there is no such statement. */
async function openStruck(url: string, proxy: Proxy, { fate, place, violations }: Blow): Promise<boolean> {
  await dropTables(url);
  const late: (() => Promise<void>)[] = [];
  proxy.onStrike(({ deliver }) => late.push(deliver));
  let seen = 0;
  proxy.decide(() => ((seen += 1) === place ? fate : PASS));
  const where = `statement ${place}, ${JSON.stringify(fate)}`;
  const code = await openPostgresStore(proxy.url).then(
    (store) => store.close().then(() => "none"),
    (error: { readonly code?: string; readonly message: string }) => error.code ?? error.message,
  );
  const struck = late.length > 0;
  if (struck !== (code === "STORE_UNREACHABLE")) violations.push(`${where}: opening ended with ${code}`);
  for (const deliver of late) await deliver();
  const store = await openPostgresStore(url);
  await store.ensureVersion({ namespace: "chaos", name: "open", version: "1.0.0" });
  await store.close();
  const numbers = await query(url, "SELECT number FROM stepwell.stepwell_migrations ORDER BY number");
  const applied = numbers.join(" ");
  if (applied !== MIGRATIONS.map(({ number }) => number).join(" ")) violations.push(`${where}: applied are ${applied}`);
  return struck;
}

async function dropTables(url: string): Promise<void> {
  await query(url, "DROP SCHEMA IF EXISTS stepwell CASCADE");
}
