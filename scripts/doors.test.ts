/**
 * The door rules trip when they should. `npm run doors` holds the repository to them; here each is broken once,
 * in a scratch copy of the layout.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const LIBRARY = "packages/stepwell/src";

/** File, what it imports (names separated by spaces), the rules that this breaks, and whether it imports types only. */
const CASES: readonly (readonly [file: string, imports: string, rules: readonly string[], only?: "types"])[] = [
  ["model/a.ts", "./b.ts", []],
  ["model/circle.ts", "./circle-too.ts", ["no-circles"]],
  ["model/circle-too.ts", "./circle.ts", ["no-circles"]],
  ["model/lost.ts", "./nowhere.ts", ["no-dead-ends"]],
  ["model/up.ts", "../store/store.ts", ["model-door"], "types"],
  ["model/node.ts", "node:fs", ["model-is-portable"]],
  ["model/npm.ts", "zod", ["model-is-portable"]],
  ["model/schema.ts", "@standard-schema/spec", [], "types"],
  ["model/schema-code.ts", "@standard-schema/spec", ["schemas-are-types"]],
  ["store/sqlite/sqlite.ts", "../store.ts", []],
  ["store/sqlite/up.ts", "../../engine/a.ts", ["store-door"]],
  ["engine/a.ts", "../store/store.ts", []],
  ["engine/a.ts", "../store/write.ts", []],
  ["engine/adapter.ts", "../store/sqlite/sqlite.ts", ["engine-door"]],
  ["engine/up.ts", "../definition/a.ts", ["engine-door"]],
  ["engine/open.ts", "../store/sqlite/sqlite.ts ../definition/b.ts", ["open-door"]],
  ["definition/a.ts", "../engine/workflow.ts", []],
  ["definition/run.ts", "../engine/a.ts", ["definition-door"]],
  ["definition/adapter.ts", "../store/sqlite/sqlite.ts", ["definition-door"]],
  ["index.ts", "./store/sqlite/sqlite.ts", []],
  ["front.ts", "./testing/index.ts", ["tests-stay-out"]],
  ["testing/index.ts", "../store/sqlite/sqlite.ts", []],
  ["testing/simulation/kernel.ts", "./clock.ts", ["kernel-is-portable"]],
  ["testing/simulation/clock.ts", "node:timers/promises", []],
  ["../test/a.ts", "../src/engine/a.ts", []],
  ["../../server/src/a.ts", "../../stepwell/src/engine/a.ts", ["front-door-only-between-packages"]],
  ["../../../series/name.ts", "stepwell", []],
  ["../../../scripts/name.ts", "stepwell", []],
  ["../../../scripts/path.ts", "../packages/stepwell/src/index.ts", []],
  ["../../../series/path.ts", "../packages/stepwell/src/index.ts", ["front-door-only"]],
  ["../../../bench/path.ts", "../packages/stepwell/src/index.ts", ["front-door-only"]],
];

/** Files that others import and that import nothing. */
const LEAVES = ["model/b.ts", "store/store.ts", "store/write.ts", "engine/workflow.ts", "definition/b.ts"];

type Violation = {
  readonly from: string;
  readonly rule: { readonly name: string };
  readonly cycle?: readonly { readonly name: string }[];
};

type Report = { readonly summary: { readonly violations: readonly Violation[] } };

/** A program is started, maybe on a busy machine. */
const LOAD_MS_MAX = 60_000;

const config = join(ROOT, ".dependency-cruiser.cjs");
const scratch = mkdtempSync(join(tmpdir(), "stepwell-doors-"));
const broken = new Map<string, string[]>();

beforeAll(() => {
  const write = (file: string, text: string): void => {
    const path = join(scratch, LIBRARY, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  for (const file of LEAVES) write(file, "export const a = 1;\n");
  for (const [file, imports, , only] of CASES) {
    const lines = imports.split(" ").map((name, at) => `import ${only ? "type " : ""}{ a as a${at} } from "${name}";`);
    write(file, `${lines.join("\n")}\nexport { a0 as a };\n`);
  }
  furnish();
  const cli = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
  const args = [cli, "--config", config, "--output-type", "json", "packages", "series", "bench", "scripts"];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: scratch, encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  for (const { from, cycle, rule } of (JSON.parse(stdout) as Report).summary.violations) {
    for (const file of cycle?.map((member) => member.name) ?? [from]) {
      broken.set(file, [...(broken.get(file) ?? []), rule.name]);
    }
  }
}, LOAD_MS_MAX);

/** Give the scratch copy the packages that its files import; `stepwell` is its own. */
function furnish(): void {
  for (const manifest of ["package.json", "packages/stepwell/package.json", "series/package.json"]) {
    cpSync(join(ROOT, manifest), join(scratch, manifest));
  }
  mkdirSync(join(scratch, "node_modules/@standard-schema"), { recursive: true });
  symlinkSync(join(scratch, "packages/stepwell"), join(scratch, "node_modules/stepwell"), "junction");
  for (const name of ["zod", "@standard-schema/spec"]) {
    symlinkSync(join(ROOT, "node_modules", name), join(scratch, "node_modules", name), "junction");
  }
}

afterAll(() => rmSync(scratch, { recursive: true }));

describe("doors", () => {
  for (const [file, imports, rules] of CASES) {
    it(`${file} ▸ ${imports}: ${rules.join() || "welcome"}`, () => {
      expect(broken.get(join(LIBRARY, file).replaceAll("\\", "/")) ?? []).toEqual(rules);
    });
  }

  it("each rule trips above", () => {
    const { forbidden } = createRequire(import.meta.url)(config) as { forbidden: readonly { readonly name: string }[] };
    const tripped = new Set(CASES.flatMap(([, , rules]) => rules));
    expect(forbidden.map((rule) => rule.name).filter((name) => !tripped.has(name))).toEqual([]);
  });
});
