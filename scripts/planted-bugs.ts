/**
 * Planted bugs: proof that tests can fail. Each patch in scripts/planted-bugs breaks one promise in a copy of the library,
 * and whoever the patch names must catch it: the simulation by an invariant, or a test.
 *
 *     npm run planted-bugs                       all, up to 1,000 seeds each
 *     npm run planted-bugs -- --seeds 20 fence   those whose names contain "fence", few seeds
 *     npm run planted-bugs -- --record           and note in each patch which seed caught it
 *     npm run planted-bugs -- --unaided          without the seeds that are known to catch them
 *
 * A patch begins with what it breaks, the invariant that must notice, and seeds that
 * are tried first:
 *
 *     The fence is ignored when a checkpoint is saved.
 *     invariant: I10
 *     seeds: 12 345
 *
 * or with a test, by its file below packages/stepwell/test and a part of its name:
 *
 *     A park does not ask whether the inbox holds more.
 *     test: store/postgres/interleavings.test.ts
 *     named: F29: a signal and the park of its run
 *
 * followed by a unified diff against packages/stepwell. The working tree is never touched.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { PostgresMissing, type PostgresServer, startPostgres } from "./postgres/server.ts";

/** One patch, read. */
export type PlantedBug = {
  readonly name: string;
  readonly path: string;
  /** What the patch breaks, in a sentence. */
  readonly what: string;
  readonly catcher: Catcher;
};

/** Who must notice. `seeds` are tried before all others. */
export type Catcher =
  | { readonly kind: "invariant"; readonly id: string; readonly seeds: readonly number[] }
  | { readonly kind: "test"; readonly file: string; readonly named: string };

/** How hard to look. `postgres`: URL of a server for tests; null where there is none. */
export type Search = { readonly seedsMax: number; readonly postgres: string | null };

/** What became of a bug. `stale`: the patch does not apply any more; `broken`: whoever should notice failed itself. */
export type Verdict =
  | { readonly kind: "caught"; readonly seed: number | null; readonly what: string }
  | { readonly kind: "survived"; readonly others: readonly string[] }
  | { readonly kind: "stale"; readonly why: string }
  | { readonly kind: "broken"; readonly why: string };

const ROOT = join(import.meta.dirname, "..");
const PATCHES = join(import.meta.dirname, "planted-bugs");
/** Longest time for one bug: so much, or so much per seed if that is more. */
const BUG_MS_MAX = 300_000;
const SEED_MS_MAX = 120;

/** All patches, by name. */
export function listPlantedBugs(): readonly PlantedBug[] {
  const files = readdirSync(PATCHES).filter((file) => file.endsWith(".patch"));
  return files.toSorted().map((file) => parsePatch(join(PATCHES, file)));
}

/** Why the patch does not apply any more; null: it does. */
export function whyStale(bug: PlantedBug): string | null {
  return applyPatch(bug, ROOT, "--check");
}

/** Plant one bug in a copy, and look whether it is caught. */
export async function plant(bug: PlantedBug, search: Search): Promise<Verdict> {
  const copy = mkdtempSync(join(tmpdir(), "planted-"));
  try {
    copyLibrary(copy, bug.catcher);
    const why = applyPatch(bug, copy);
    if (why !== null) return { kind: "stale", why };
    const { catcher } = bug;
    return await (catcher.kind === "test" ? testIn(copy, catcher, search) : simulateIn(copy, catcher, search));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function parsePatch(path: string): PlantedBug {
  const [head = ""] = readFileSync(path, "utf8").split(/^--- /m);
  const field = (name: string): string => new RegExp(`^${name}: *(.*)$`, "m").exec(head)?.[1] ?? "";
  const [id, file] = [field("invariant"), field("test")];
  if ((id === "") === (file === "")) throw new Error(`${path}: the head names an invariant or a test, one of them.`);
  const seeds = field("seeds").split(/\s+/).filter(Boolean).map(Number);
  const catcher: Catcher =
    file === "" ? { kind: "invariant", id, seeds } : { kind: "test", file, named: field("named") };
  return { name: basename(path, ".patch"), path, what: head.split("\n")[0] ?? "", catcher };
}

const LIBRARY = ["packages/stepwell/src", "packages/stepwell/package.json", "package.json"];
const TESTS = ["packages/stepwell/test", "scripts", "vitest.config.ts"];

function copyLibrary(copy: string, catcher: Catcher): void {
  for (const part of catcher.kind === "test" ? [...LIBRARY, ...TESTS] : LIBRARY) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
}

/** @returns why it does not apply; null when it does */
function applyPatch(bug: PlantedBug, cwd: string, ...flags: readonly string[]): string | null {
  const args = ["apply", ...flags, "--directory=packages/stepwell", bug.path];
  try {
    // Outside a repository git applies to plain files; the ceiling keeps it from finding one above.
    execFileSync("git", args, { cwd, stdio: "pipe", env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() } });
    return null;
  } catch (error) {
    return String((error as { readonly stderr?: unknown }).stderr ?? error).trim();
  }
}

/** In a process of its own: a broken engine may break more than itself. */
async function simulateIn(
  copy: string,
  { id, seeds }: Extract<Catcher, { kind: "invariant" }>,
  { seedsMax }: Search,
): Promise<Verdict> {
  const entry = join(copy, "packages/stepwell/src/testing/simulation/simulate.ts");
  const work = JSON.stringify({ entry, invariant: id, first: seeds, seedsMax });
  const args = ["--input-type=module", "--eval", HUNT, work];
  const { stdout, fault } = await run(args, copy, { timeout: Math.max(BUG_MS_MAX, seedsMax * SEED_MS_MAX) });
  return fault === null ? (JSON.parse(stdout.trim().split("\n").at(-1)!) as Verdict) : { kind: "broken", why: fault };
}

/** What the vitest of the copy says of that test. */
async function testIn(
  copy: string,
  { file, named }: Extract<Catcher, { kind: "test" }>,
  { postgres }: Search,
): Promise<Verdict> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const pattern = named.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const report = join(copy, "report.json");
  const flags = ["--reporter=json", `--outputFile=${report}`];
  const args = [vitest, "run", `packages/stepwell/test/${file}`, "-t", pattern, ...flags];
  const env = { ...process.env, STEPWELL_TEST_PG: postgres ?? "none" };
  const { fault } = await run(args, copy, { timeout: BUG_MS_MAX, env });
  if (!existsSync(report)) return { kind: "broken", why: fault ?? "vitest wrote no report" };
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as TestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === "failed");
  if (failed !== undefined) {
    return { kind: "caught", seed: null, what: `${failed.title} ${failed.failureMessages.join(" ")}` };
  }
  if (tests.some(({ status }) => status === "passed")) return { kind: "survived", others: [] };
  return { kind: "broken", why: `no test of that name ran: ${fault ?? "there is none, or it was skipped"}` };
}

type TestReport = {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly title: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
};

/** `fault`: it ended with another status than 0, or not in time. */
async function run(
  args: readonly string[],
  cwd: string,
  options: { readonly timeout: number; readonly env?: NodeJS.ProcessEnv },
): Promise<{ readonly stdout: string; readonly fault: string | null }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, maxBuffer: 2 ** 26, ...options });
    return { stdout, fault: null };
  } catch (error) {
    const { stdout = "", stderr, killed } = error as { stdout?: string; stderr?: string; killed?: boolean };
    return { stdout, fault: killed === true ? `no end after ${options.timeout} ms` : (stderr ?? String(error)) };
  }
}

/** What the child runs: seeds, until the invariant is violated. */
const HUNT = `
  const { entry, invariant, first, seedsMax } = JSON.parse(process.argv[1]);
  const { simulate } = await import(entry);
  const seeds = new Set([...first, ...Array.from({ length: seedsMax }, (_, index) => index + 1)]);
  const others = new Set();
  let verdict = null;
  for (const seed of seeds) {
    const { violations } = await simulate(seed);
    const found = violations.find((violation) => violation.invariant === invariant);
    if (found) { verdict = { kind: "caught", seed, what: (found.run ?? "") + " " + found.what }; break; }
    for (const violation of violations) others.add(violation.invariant);
  }
  console.log(JSON.stringify(verdict ?? { kind: "survived", others: [...others] }));
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      record: { type: "boolean", default: false },
      unaided: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const bugs = listPlantedBugs().filter((bug) => positionals.every((part) => bug.name.includes(part)));
  const server = await openServer(bugs);
  const search: Search = { seedsMax: Number(values.seeds), postgres: server?.url ?? null };
  let failed = 0;
  for (const bug of bugs) {
    const verdict = await plant(values.unaided ? withoutSeeds(bug) : bug, search);
    if (verdict.kind !== "caught") failed += 1;
    else if (values.record && verdict.seed !== null) recordSeed(bug, verdict.seed);
    console.log(rowText(bug, verdict));
  }
  await server?.stop();
  console.log(`${bugs.length - failed} of ${bugs.length} planted bugs were caught.`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** For those that a test must catch; null: none of them, or no PostgreSQL here, which their verdicts will tell. */
async function openServer(bugs: readonly PlantedBug[]): Promise<PostgresServer | null> {
  if (bugs.every(({ catcher }) => catcher.kind !== "test")) return null;
  try {
    return await startPostgres({ durable: false });
  } catch (error) {
    if (!(error instanceof PostgresMissing)) throw error;
    console.error(`no PostgreSQL: ${error.message}`);
    return null;
  }
}

function withoutSeeds(bug: PlantedBug): PlantedBug {
  return bug.catcher.kind === "test" ? bug : { ...bug, catcher: { ...bug.catcher, seeds: [] } };
}

function recordSeed(bug: PlantedBug, seed: number): void {
  const text = readFileSync(bug.path, "utf8");
  writeFileSync(bug.path, text.replace(/^seeds:.*$/m, `seeds: ${seed}`));
}

/** One line of the table: bug, who must catch it, by which seed. */
function rowText(bug: PlantedBug, verdict: Verdict): string {
  const row = `${bug.name.padEnd(40)} ${(bug.catcher.kind === "test" ? "test" : bug.catcher.id).padEnd(4)}`;
  switch (verdict.kind) {
    case "caught": {
      const seed = verdict.seed === null ? "" : `seed ${verdict.seed}`;
      return `${row} ${seed.padEnd(11)} ${verdict.what.replaceAll(/\s+/g, " ").slice(0, 160)}`;
    }
    case "survived":
      return `${row} SURVIVED    noticed by ${verdict.others.length === 0 ? "nothing" : verdict.others.join(", ")}`;
    case "broken":
      return `${row} BROKEN      ${verdict.why}`;
    case "stale":
      return `${row} STALE       the code has moved: change it again by hand and write the diff anew. ${verdict.why}`;
  }
}

if (import.meta.main) await main();
