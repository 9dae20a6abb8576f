/**
 * Statements find their rows by an index, with 100,000 in each table, as a server plans that knows nothing of our
 * settings: a pooler may not pass them on. What a claim costs follows what it takes, not what waits.
 */
import { readFileSync } from "node:fs";
import type { Client, QueryConfig } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { connect } from "../../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { composeFlush, type Draft, enterWrite, orderChanges, parametersOf } from "../../../src/store/postgres/parts.ts";
import { type QueryName, statementOf, toConfig, type Values } from "../../../src/store/postgres/query.ts";
import { toRounds } from "../../../src/store/postgres/rounds.ts";
import type { Owner } from "../../../src/model/run.ts";
import type { Write } from "../../../src/store/write.ts";
import {
  aRun,
  attemptOf,
  aWorker,
  checkpointOf,
  insertOf,
  NOW,
  parkOf,
  postOf,
  transitionOf,
  WORKFLOW,
} from "../../../src/testing/conformance/scene.ts";

const url = useFreshDatabase();

/** All but the group commit, which is below, and what follows it, see explain.sql. */
const STATEMENTS = ["queries.sql", "look.sql", "breaker.sql", "approval.sql"].flatMap((file) => {
  const text = readFileSync(new URL(`../../../src/store/postgres/${file}`, import.meta.url), "utf8");
  const names = [...text.matchAll(/^-- name: (\w+)$/gm)].map(([, name]) => name as QueryName);
  return names.filter((name) => !name.startsWith("flush"));
});

const APPROVALS: readonly QueryName[] = ["updateApproval", "findApproval", "listApprovals", "listApprovalsFor"];

const RUNS_FEW = 2_000;
const RUNS_MANY = 100_000;
const LARGE = ["runs", "steps", "attempts", "inbox", "notes", "attributes", "approvals", "approval_addressees"];

/** Of ten runs one is held, one on probation, one paused, and one has ended; six are due, the newest first. Three versions. */
const FILL = [
  `INSERT INTO runs (
     workflow_id, version_id, public_id, state, worker_id, crashes, due_at_ms, ended_at_ms, seed, actor, input, created_at_ms
   )
   SELECT (SELECT min(id) FROM workflows), (SELECT min(id) FROM versions) + i % 3, 'r' || i,
          CASE i % 10 WHEN 1 THEN 'running' WHEN 3 THEN 'paused' WHEN 4 THEN 'completed' ELSE 'pending' END,
          CASE i % 10 WHEN 1 THEN (SELECT max(id) FROM workers) + i % 1000 END,
          CASE i % 10 WHEN 2 THEN 2 ELSE 0 END,
          CASE WHEN i % 10 NOT IN (1, 3, 4) THEN ${NOW} - i END, CASE i % 10 WHEN 4 THEN ${NOW} END,
          1, 'kim', repeat('x', 100), ${NOW}
   FROM generate_series((SELECT count(*) + 1 FROM runs), $1) AS i`,
  `INSERT INTO steps (run_id, seq, generation, at_ms, duration_ms, attempt, compensable, kind, outcome, key, value)
   SELECT id, 2, 1, ${NOW}, 1, 1, false, 'step', 'completed', 'a', '1' FROM runs ON CONFLICT DO NOTHING`,
  `INSERT INTO attempts (run_id, key, generation, attempt, seq, kind, state, at_ms, duration_ms)
   SELECT id, 'b', 1, 1, 3, 'step', 'failed', ${NOW}, 1 FROM runs ON CONFLICT DO NOTHING`,
  `INSERT INTO inbox (run_id, seq, kind, name, actor, operation_id, at_ms, payload)
   SELECT id, 1, 'signal', 'go', 'kim', 'op', ${NOW}, '1' FROM runs ON CONFLICT DO NOTHING`,
  `INSERT INTO notes (run_id, seq, kind, at_ms, value)
   SELECT id, 4, 'log', ${NOW}, '1' FROM runs ON CONFLICT DO NOTHING`,
  `INSERT INTO approvals (run_id, key, generation, state, opened_at_ms, closed_at_ms, title, addressees, request)
   SELECT id, 'step', 1, CASE id % 100 WHEN 0 THEN 'open' ELSE 'approved' END, ${NOW},
          CASE id % 100 WHEN 0 THEN NULL ELSE ${NOW} END, 'Refund?', '["kim","heads"]', '{}' FROM runs ON CONFLICT DO NOTHING`,
  `INSERT INTO approval_addressees (name, state, approval_id)
   SELECT name, state, id FROM approvals, unnest('{kim,heads}'::text[]) AS name ON CONFLICT DO NOTHING`,
  `INSERT INTO attributes (name, value, run_id)
   SELECT 'x', CASE id % 100 WHEN 0 THEN '1' ELSE '2' END, id FROM runs ON CONFLICT DO NOTHING`,
];

type World = { readonly client: Client; readonly values: Values };

let opened: Promise<World> | null = null;
afterAll(async () => (await opened)?.client.end());

/** One for all tests. */
function world(): Promise<World> {
  opened ??= open();
  return opened;
}

async function open(): Promise<World> {
  const store = await openPostgresStore(url());
  const { versionId } = await store.ensureVersion(WORKFLOW);
  const workerId = await aWorker(store);
  await store.close();
  const client = await connect(url());
  await client.query("SET search_path = stepwell");
  const ids = Array.from({ length: 256 }, (_, index) => 1 + index * 300);
  const run = { rowId: 40_000, rowIds: ids, afterSeq: 0, beforeRowId: 90_000, publicIds: ids.map((id) => `r${id}`) };
  const claim = {
    workerId,
    claimNo: 7,
    versionIds: [versionId, versionId + 1, versionId + 2, versionId + 3],
    limit: 256,
    nowMs: NOW,
  };
  const list = { states: ["failed"], anyWorkflow: false, createdFromMs: 1, createdBeforeMs: NOW * 2, lookMax: 10_000 };
  const attribute = { names: ["x", "x"], values: ["1", "2"], countMax: 500 };
  const worker = { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "0", workflows: "[]" };
  const lease = {
    concurrency: 1,
    leaseMs: 1.5,
    executing: 1,
    gone: true,
    died: true,
    noteKind: "takeover",
    note: "{}",
  };
  const aside = { suspectIds: [5], suspectFences: [0], suspectErrors: ["{}"], suspectNotes: ["{}"], asideKind: "x" };
  const names = { namespaces: ids.map(() => "test"), namespace: "test", version: "1.0.0" };
  return { client, values: { ...run, ...claim, ...list, ...worker, ...lease, ...aside, ...names, ...attribute } };
}

let filled = 0;

/** Up to so many runs. */
async function fill({ client }: World, runs: number): Promise<void> {
  if (runs <= filled) return;
  filled = runs;
  for (const statement of FILL) await client.query(statement, statement.includes("$1") ? [runs] : []);
  await client.query("ANALYZE");
}

type Plan = {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Filter?: string;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Plan[];
};

/** Its tables are large. */
async function largeWorld(): Promise<World> {
  const here = await world();
  await fill(here, RUNS_MANY);
  return here;
}

/** The plan of a statement of the .sql files; it takes no effect. */
async function explain({ client, values }: World, name: QueryName, options = "FORMAT JSON"): Promise<Plan> {
  // Where a query has names of workflows, each of those tried is one.
  const approval = {
    key: "step",
    title: "t",
    addressees: '["kim"]',
    request: "{}",
    publicId: "r5",
    rowId: 5,
    fence: 0,
  };
  const filter = { state: "open", beforeId: 90_000, to: ["kim", "lee"], namespace: "test", name: "work" };
  if (APPROVALS.includes(name)) {
    return explainText(client, toConfig(statementOf(name), { ...values, ...approval, ...filter }, false), options);
  }
  const named =
    name === "findRuns" ? { ...values, names: (values["publicIds"] as string[]).map(() => "work") } : values;
  return explainText(client, toConfig(statementOf(name), named, false), options);
}

async function explainText(client: Client, { text, values: bound }: QueryConfig, options: string): Promise<Plan> {
  await client.query("BEGIN");
  try {
    const { rows } = await client.query<{ "QUERY PLAN": readonly [{ readonly Plan: Plan }] }>(
      `EXPLAIN (${options}) ${text}`,
      bound as unknown[],
    );
    return rows[0]!["QUERY PLAN"][0].Plan;
  } finally {
    await client.query("ROLLBACK");
  }
}

function nodesOf(plan: Plan): readonly Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Reads of large tables that do not go to where the rows are. The first row of an index is there. */
function wholeReads(plan: Plan, parent = ""): readonly string[] {
  const { "Node Type": type, "Relation Name": table = "", "Index Name": index = "" } = plan;
  const large = LARGE.includes(table) || LARGE.some((one) => index.startsWith(`${one}_`));
  const scans = type.endsWith("Scan") && type !== "Bitmap Heap Scan" && plan["Index Cond"] === undefined;
  const first = parent === "Limit" && index !== "" && plan.Filter === undefined;
  const found = large && scans && !first ? [`${type} of ${index === "" ? table : index}`] : [];
  return [...found, ...(plan.Plans ?? []).flatMap((node) => wholeReads(node, type))];
}

/** Pages that a claim of ten touches. */
async function claimPages(here: World, name: QueryName): Promise<number> {
  const ten = { ...here, values: { ...here.values, limit: 10 } };
  await explain(ten, name, "ANALYZE, BUFFERS, FORMAT JSON");
  const plan = await explain(ten, name, "ANALYZE, BUFFERS, FORMAT JSON");
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}

describe("a claim", () => {
  it("costs the same whether thousands or a hundred thousand wait", { timeout: 60_000 }, async () => {
    const here = await world();
    await fill(here, RUNS_FEW);
    const few = [await claimPages(here, "claimRuns"), await claimPages(here, "claimSuspects")];
    await fill(here, RUNS_MANY);
    const many = [await claimPages(here, "claimRuns"), await claimPages(here, "claimSuspects")];
    expect(many[0]!).toBeLessThan(few[0]! * 1.5);
    expect(many[1]!).toBeLessThan(few[1]! * 1.5);
  });

  it.each([
    ["claimRuns", "runs_due"],
    ["claimSuspects", "runs_suspect"],
  ] as const)("%s walks its part of %s in order, and locks no more than it takes", async (name, index) => {
    const nodes = nodesOf(await explain(await largeWorld(), name, "ANALYZE, FORMAT JSON"));
    const lock = nodes.find((node) => node["Node Type"] === "LockRows")!;
    expect(lock["Actual Rows"]! * lock["Actual Loops"]!).toBeLessThan(256 + 3);
    const [scan] = lock.Plans!;
    expect([scan!["Node Type"], scan!["Index Name"]]).toEqual(["Index Scan", index]);
    expect(scan!["Index Cond"]).toMatch(/version_id = .* AND \(due_at_ms <= /);
  });
});

describe.each(["force_custom_plan", "force_generic_plan"])("with %s", (mode) => {
  it.each(STATEMENTS)("%s reads no large table as a whole", async (name) => {
    const here = await largeWorld();
    await here.client.query(`SET plan_cache_mode = ${mode}`);
    expect(wholeReads(await explain(here, name))).toEqual([]);
  });
});

const SCENE = { store: null as never, versionId: 1, workerId: 1 };
const ownerOf = (rowId: number): Owner => ({ rowId, workerId: 1, fence: 0 });

/** A write of each kind, about a run. */
const KINDS: Readonly<Record<string, (rowId: number) => Write>> = {
  checkpoint: (rowId) => checkpointOf(ownerOf(rowId)),
  "later checkpoint": (rowId) => ({ ...checkpointOf(ownerOf(rowId), { attempt: 2 }, 1), clearsCrashes: true }) as Write,
  attempt: (rowId) => attemptOf(ownerOf(rowId)),
  opening: (rowId) => {
    const opens = { key: "step", title: "Refund?", to: ["kim", "heads"], request: "{}" };
    return { ...attemptOf(ownerOf(rowId), { kind: "approval", state: "waiting" }), opens } as Write;
  },
  closing: (rowId) => checkpointOf(ownerOf(rowId), { kind: "approval", value: '{"state":"approved"}' }, 1),
  beat: (rowId) => ({ kind: "beat", owner: ownerOf(rowId), key: "step", attempt: 1, value: "1" }),
  note: (rowId) => ({ kind: "note", owner: ownerOf(rowId), note: "log", value: "1", seq: 2, consumes: 1 }),
  progress: (rowId) => ({ kind: "progress", owner: ownerOf(rowId), value: "1" }),
  attributes: (rowId) => ({ kind: "attributes", owner: ownerOf(rowId), values: '{"x":1}' }),
  wake: (rowId) => ({ kind: "wake", rowId, fence: 0 }),
  start: (rowId) => insertOf(aRun(SCENE, { id: `new ${rowId}` })),
  end: (rowId) => {
    const parent = { rowId: rowId + 1, key: "child", awaited: true };
    return transitionOf(ownerOf(rowId), { kind: "complete", output: "1" }, { consumes: 1, parent });
  },
  park: (rowId) => parkOf(ownerOf(rowId)),
  post: (rowId) => postOf(`r${rowId}`),
};

/** As many writes, of these kinds in turn, each about a run of its own. */
function writesOf(count: number, kinds: readonly ((rowId: number) => Write)[]): readonly Write[] {
  return Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!(1 + index * 90));
}

/** The statements of a flush, as flush.ts puts them together. */
function statementsOf(writes: readonly Write[]): readonly QueryConfig[] {
  return toRounds(writes).map((round) => {
    const draft: Draft = { parts: new Set(), rows: {} };
    for (const index of round) enterWrite(draft, writes[index]!, 1);
    const changedRunIds = orderChanges(draft);
    const values = { ...parametersOf(draft), changedRunIds, workers: [1], nowMs: NOW };
    return toConfig(composeFlush(draft.parts), values, false);
  });
}

describe.each(["force_custom_plan", "force_generic_plan"])("a group commit, with %s", (mode) => {
  const sizes = [64, 512, 1_024];
  const mixes = [
    ["every kind", Object.values(KINDS)] as const,
    ...Object.entries(KINDS).map(([name, kind]) => [name, [kind]] as const),
  ];

  it.each(mixes)("of %s reads no large table as a whole", async (_, kinds) => {
    const { client } = await largeWorld();
    await client.query(`SET plan_cache_mode = ${mode}`);
    for (const statement of sizes.flatMap((size) => statementsOf(writesOf(size, kinds)))) {
      expect(wholeReads(await explainText(client, statement, "FORMAT JSON"))).toEqual([]);
    }
  });
});
