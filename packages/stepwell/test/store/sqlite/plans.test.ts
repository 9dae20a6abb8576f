/** Hot queries walk the index meant for them: cost follows what is asked for, not what is stored. */
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { migrate } from "../../../src/store/sqlite/migrate.ts";
import { QUERIES } from "../../../src/store/sqlite/sql.generated.ts";

const db = new DatabaseSync(":memory:");
migrate(db, ":memory:");

/** The plan, one line per node. */
function planOf(sql: string): string {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
  return rows.map((row) => String(row["detail"])).join("\n");
}

const BY_INDEX: readonly (readonly [query: keyof typeof QUERIES, plan: string])[] = [
  ["listDueRuns", "SEARCH runs USING INDEX runs_due (version_id=? AND due_at_ms<?)"],
  ["listDueSuspects", "SEARCH runs USING INDEX runs_suspect (version_id=? AND due_at_ms<?)"],
  ["findNextDue", "SEARCH runs USING INDEX runs_due (version_id=? AND due_at_ms>?)"],
  ["findNextSuspect", "SEARCH runs USING INDEX runs_suspect (version_id=? AND due_at_ms>?)"],
  ["claimRun", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["listHeldRuns", "SEARCH runs USING INDEX runs_owned (worker_id=?)"],
  ["freeRun", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["findLastSeq", "SEARCH steps USING INDEX sqlite_autoindex_steps_1 (run_id=?)"],
  ["listAttempts", "SEARCH attempts USING PRIMARY KEY (run_id=?)"],
  ["listInbox", "SEARCH inbox USING PRIMARY KEY (run_id=? AND seq>?)"],
  ["findItem", "SEARCH inbox USING INDEX inbox_operation (run_id=? AND operation_id=?)"],
  ["consumeItem", "SEARCH inbox USING PRIMARY KEY (run_id=? AND seq=?)"],
  ["saveCheckpoint", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["saveAttempt", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["completeRun", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["parkRun", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["findCheckpoint", "SEARCH steps USING INDEX sqlite_autoindex_steps_1 (run_id=? AND key=? AND generation=?)"],
  ["findAddressee", "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (workflow_id=? AND public_id=?)"],
  ["findRunByPublicId", "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (workflow_id=? AND public_id=?)"],
  ["wakeForItem", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["saveBeat", "SEARCH attempts USING PRIMARY KEY (run_id=? AND key=? AND generation=? AND attempt=?)"],
  ["listActiveSteps", "SEARCH attempts USING PRIMARY KEY (run_id=?)"],
  ["listRunsToFree", "SEARCH runs USING INDEX runs_owned (worker_id=?)"],
  ["listRuns", "SEARCH runs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"],
  ["countAttribute", "SEARCH attributes USING PRIMARY KEY (name=? AND value=? AND run_id<?)"],
  ["listRunsByAttribute", "SEARCH attributes USING PRIMARY KEY (name=? AND value=? AND run_id>? AND run_id<?)"],
  ["listRunsByAttribute", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["listRunsByAttribute", "SEARCH other USING PRIMARY KEY (name=? AND value=? AND run_id=?)"],
  ["deleteAttribute", "SEARCH attributes USING PRIMARY KEY (name=? AND value=? AND run_id=?)"],
  ["listApprovals", "SEARCH approvals USING COVERING INDEX approvals_state (state=? AND id<?)"],
  ["listApprovalsFor", "SEARCH approval_addressees USING PRIMARY KEY (name=? AND state=? AND approval_id<?)"],
  ["findApproval", "SEARCH approvals USING INDEX sqlite_autoindex_approvals_1 (run_id=? AND key=?)"],
  [
    "findOpenApproval",
    "SEARCH approvals USING INDEX sqlite_autoindex_approvals_1 (run_id=? AND key=? AND generation=?)",
  ],
  ["closeApproval", "SEARCH approvals USING INDEX sqlite_autoindex_approvals_1 (run_id=? AND key=? AND generation=?)"],
  ["listDecisions", "SEARCH inbox USING PRIMARY KEY (run_id=?)"],
  ["listDecisions", "SEARCH steps USING INDEX sqlite_autoindex_steps_1 (run_id=? AND key=?)"],
  ["listEnded", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["findBreaker", "SEARCH breakers USING PRIMARY KEY (name=?)"],
  ["findBreaker", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["saveBreaker", "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"],
  ["listBreakers", "SEARCH breakers USING PRIMARY KEY (name>?)"],
  ["listBreakers", "SEARCH prober USING INTEGER PRIMARY KEY (rowid=?)"],
];

/** One run's rows, or one page, are put in order; a claim, an inbox and a wake never are. */
const SORTED: readonly string[] = ["listCheckpoints", "listAttempts", "listActiveSteps"];

/** The registries are read whole, and so are a filter's own lists, what is left of a walk that ended, and one row made up. */
const SCANNED: readonly string[] = [
  "countAttribute",
  "listRunsByAttribute",
  "listVersions",
  "findOthers",
  "listWorkers",
  "savePlainSteps",
  "findBreaker",
];

describe("query plans", () => {
  it.each(BY_INDEX)("%s goes by its index", (query, plan) => {
    expect(planOf(QUERIES[query])).toContain(plan);
  });

  it("a replay reads its steps by run", () => {
    expect(planOf(QUERIES.listCheckpoints)).toContain("SEARCH steps USING INDEX sqlite_autoindex_steps_1 (run_id=?");
  });

  const queries = Object.entries(QUERIES).filter(([, sql]) => /^(SELECT|INSERT|UPDATE|DELETE)/.test(sql));

  it.each(queries)("%s scans no table and sorts no more than one run", (name, sql) => {
    const plan = planOf(sql).replaceAll(/SCAN (CONSTANT ROW|json_each)/g, "");
    expect(plan.includes("TEMP B-TREE")).toBe(SORTED.includes(name));
    if (!SCANNED.includes(name)) expect(plan).not.toContain("SCAN");
    expect(plan).not.toMatch(/SCAN (runs|steps|attempts|inbox|notes|attributes|breakers)\b/);
  });
});
