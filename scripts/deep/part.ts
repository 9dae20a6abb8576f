/**
 * The frame of a deep part: flags, named checks told one per line, numbers, and the report for `npm run check:deep`.
 *
 * A part is a script that runs alone. It ends with status 1 when a check found a violation.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, type ParseArgsOptionDescriptor, styleText } from "node:util";
import type { TestReport } from "../test-report.ts";

/** What a part is told on the command line: `--name value`, or `--name` alone where the default is false. */
export type Flags = { readonly [name: string]: string | boolean };

/** What a script says of itself. */
export type PartText<F extends Flags> = {
  /** Below the line that names the script; what --help prints. */
  readonly help: string;
  /** Every flag with its default. */
  readonly flags: F;
};

/** What the work of a part is done with. */
export type Frame<F extends Flags> = {
  readonly flags: { readonly [Name in keyof F]: F[Name] extends boolean ? boolean : string };
  /** A flag as a whole number. @throws Error for anything else, or one below `least` */
  readonly whole: (name: keyof F & string, least: number) => number;
  /** Removed at the end; kept when something failed. */
  readonly folder: string;
  /** Do one named check; it gives what it found wrong. What it throws is a violation, too. */
  readonly check: (name: string, work: (remark: (text: string) => void) => Promise<readonly string[]>) => Promise<void>;
  /** A check that cannot be done here. */
  readonly skip: (name: string, why: string) => void;
  /** Say something in numbers; repeated below the part's line by `npm run check:deep`. */
  readonly tell: (line: string) => void;
  /** Progress, for those who watch. */
  readonly say: (line: string) => void;
};

type Books = { passed: number; failed: number; skipped: { name: string; why: string }[]; numbers: string[] };

/** Parse the flags, do the work, and end the process's book-keeping. */
export async function deepPart<const F extends Flags>(
  text: PartText<F>,
  work: (frame: Frame<F>) => Promise<void>,
): Promise<void> {
  const values = readFlags(text);
  if (values === null) return;
  const books: Books = { passed: 0, failed: 0, skipped: [], numbers: [] };
  const folder = mkdtempSync(join(tmpdir(), "stepwell-deep-"));
  const sweep = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  process.once("exit", sweep);
  const frame = openFrame(values as Frame<F>["flags"], books, folder);
  try {
    await work(frame);
  } catch (error) {
    books.failed += 1;
    console.log(`FAIL  ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  conclude(books, values["report"]);
  if (books.failed === 0) return;
  process.off("exit", sweep);
  console.log(`What it worked on is left in ${folder}`);
}

/** Null: help was asked for, or the flags make no sense; said so. */
function readFlags<F extends Flags>({ help, flags }: PartText<F>): Flags | null {
  const options: Record<string, ParseArgsOptionDescriptor> = {};
  for (const [name, value] of Object.entries(flags)) {
    options[name] =
      typeof value === "boolean" ? { type: "boolean", default: value } : { type: "string", default: value };
  }
  const own = { help: { type: "boolean" as const, default: false }, report: { type: "string" as const } };
  try {
    const values = parseArgs({ options: { ...options, ...own } }).values as Flags;
    if (values["help"] !== true) return values;
    console.log(usage(help, flags));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message.split(". ")[0] : String(error)}\n\n${usage(help, flags)}`);
    process.exitCode = 2;
  }
  return null;
}

function usage(help: string, flags: Flags): string {
  const lines = Object.entries(flags).map(([name, value]) =>
    typeof value === "boolean" ? `  --${name}` : `  --${name} ${value === "" ? "…" : value}`,
  );
  return [help, "", "Flags, with their defaults:", ...lines, "  --report FILE", "  --help"].join("\n");
}

function openFrame<F extends Flags>(flags: Frame<F>["flags"], books: Books, folder: string): Frame<F> {
  return {
    flags,
    folder,
    whole: (name, least) => {
      const value = Number(flags[name]);
      if (Number.isSafeInteger(value) && value >= least) return value;
      throw new Error(`--${name} takes a whole number from ${least} up, not "${String(flags[name])}"`);
    },
    check: (name, work) => checkOne(books, name, work),
    skip: (name, why) => {
      books.skipped.push({ name, why });
      console.log(`skip  ${name}: ${why}`);
    },
    tell: (line) => {
      books.numbers.push(line);
      console.log(line);
    },
    say: (line) => console.log(line),
  };
}

async function checkOne(
  books: Books,
  name: string,
  work: (remark: (text: string) => void) => Promise<readonly string[]>,
): Promise<void> {
  const startedMs = performance.now();
  let remark = "";
  let violations: readonly string[];
  try {
    violations = await work((text) => (remark = `  ${text}`));
  } catch (error) {
    violations = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const ok = violations.length === 0;
  if (ok) books.passed += 1;
  else books.failed += 1;
  console.log(`${ok ? styleText("green", "ok  ") : styleText("red", "FAIL")}  ${name}  ${seconds} s${remark}`);
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) console.log(`      ${violation}`);
  const more = violations.length - VIOLATIONS_SHOWN;
  if (more > 0) console.log(`      and ${more} more like these`);
}

/** A broken disk can break a promise for every run on it. */
const VIOLATIONS_SHOWN = 10;

function conclude({ passed, failed, skipped, numbers }: Books, path: string | boolean | undefined): void {
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
  if (typeof path !== "string") return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ passed, failed, skipped, numbers } satisfies TestReport));
}
