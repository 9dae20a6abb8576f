/**
 * Planted bugs: proof that the simulation can fail. Each patch in scripts/planted-bugs
 * breaks one promise in a copy of the library; the simulation must catch it by the
 * invariant that the patch names.
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
 * followed by a unified diff against packages/stepwell. The working tree is never touched.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs, promisify } from "node:util";

/** One patch, read. */
export type PlantedBug = {
  readonly name: string;
  readonly path: string;
  /** What the patch breaks, in a sentence. */
  readonly what: string;
  /** The invariant that must notice. */
  readonly invariant: string;
  /** Tried before all others. */
  readonly seeds: readonly number[];
};

/** What became of a bug. `stale`: the patch does not apply any more; `broken`: the simulation itself failed. */
export type Verdict =
  | { readonly kind: "caught"; readonly seed: number; readonly what: string }
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

/** Plant one bug in a copy, and simulate until its invariant is violated, `seedsMax` times at most. */
export async function plant(bug: PlantedBug, seedsMax: number): Promise<Verdict> {
  const copy = mkdtempSync(join(tmpdir(), "planted-"));
  try {
    copyLibrary(copy);
    const why = applyPatch(copy, bug);
    if (why !== null) return { kind: "stale", why };
    return await simulateIn(copy, bug, seedsMax);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function parsePatch(path: string): PlantedBug {
  const [head = ""] = readFileSync(path, "utf8").split(/^--- /m);
  const field = (name: string): string => new RegExp(`^${name}: *(.*)$`, "m").exec(head)?.[1] ?? "";
  const invariant = field("invariant");
  if (invariant === "") throw new Error(`${path}: the head names no invariant.`);
  return {
    name: basename(path, ".patch"),
    path,
    what: head.split("\n")[0] ?? "",
    invariant,
    seeds: field("seeds").split(/\s+/).filter(Boolean).map(Number),
  };
}

function copyLibrary(copy: string): void {
  for (const part of ["packages/stepwell/src", "packages/stepwell/package.json", "package.json"]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
}

/** @returns why it does not apply; null when it does */
function applyPatch(copy: string, bug: PlantedBug): string | null {
  const args = ["apply", "--directory=packages/stepwell", bug.path];
  try {
    // Outside a repository git applies to plain files; the ceiling keeps it from finding one above.
    execFileSync("git", args, { cwd: copy, stdio: "pipe", env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() } });
    return null;
  } catch (error) {
    return String((error as { readonly stderr?: unknown }).stderr ?? error).trim();
  }
}

/** In a process of its own: a broken engine may break more than itself. */
async function simulateIn(copy: string, bug: PlantedBug, seedsMax: number): Promise<Verdict> {
  const entry = join(copy, "packages/stepwell/src/testing/simulation/simulate.ts");
  const work = JSON.stringify({ entry, invariant: bug.invariant, first: bug.seeds, seedsMax });
  const args = ["--input-type=module", "--eval", HUNT, work];
  const timeout = Math.max(BUG_MS_MAX, seedsMax * SEED_MS_MAX);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: copy, timeout });
    return JSON.parse(stdout.trim().split("\n").at(-1)!) as Verdict;
  } catch (error) {
    const { stderr, killed } = error as { readonly stderr?: string; readonly killed?: boolean };
    return { kind: "broken", why: killed === true ? `no end after ${timeout} ms` : (stderr ?? String(error)) };
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
  let failed = 0;
  for (const bug of bugs) {
    const verdict = await plant(values.unaided ? { ...bug, seeds: [] } : bug, Number(values.seeds));
    if (verdict.kind !== "caught") failed += 1;
    else if (values.record) recordSeed(bug, verdict.seed);
    console.log(rowText(bug, verdict));
  }
  console.log(`${bugs.length - failed} of ${bugs.length} planted bugs were caught.`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function recordSeed(bug: PlantedBug, seed: number): void {
  const text = readFileSync(bug.path, "utf8");
  writeFileSync(bug.path, text.replace(/^seeds:.*$/m, `seeds: ${seed}`));
}

/** One line of the table: bug, invariant, seed. */
function rowText(bug: PlantedBug, verdict: Verdict): string {
  const row = `${bug.name.padEnd(40)} ${bug.invariant.padEnd(4)}`;
  switch (verdict.kind) {
    case "caught":
      return `${row} seed ${String(verdict.seed).padEnd(6)} ${verdict.what.slice(0, 160)}`;
    case "survived":
      return `${row} SURVIVED    noticed by ${verdict.others.length === 0 ? "nothing" : verdict.others.join(", ")}`;
    case "broken":
      return `${row} BROKEN      ${verdict.why}`;
    case "stale":
      return `${row} STALE       the code has moved: change it again by hand and write the diff anew. ${verdict.why}`;
  }
}

if (import.meta.main) await main();
