/** The house rules, run over the whole repository, and over samples that break each of them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inspect } from "./tidy.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["packages", "series", "bench", "scripts"];

/** A line "path:line: complaint" for each fault of every file matched, so that one run shows them all. */
function complaintsAbout(pattern: string): string {
  const paths = globSync(pattern, {
    cwd: ROOT,
    exclude: (name) => /^(node_modules|dist|coverage|fixtures)$/.test(name),
  });
  if (paths.length === 0) return `${pattern}: no file matched`;
  return paths
    .sort()
    .flatMap((path) => {
      const unixPath = path.replaceAll("\\", "/");
      const complaints = inspect(unixPath, readFileSync(join(ROOT, path), "utf8"));
      return complaints.map(({ line, text }) => `${unixPath}:${line}: ${text}`);
    })
    .join("\n");
}

describe("the house is tidy", () => {
  it.each(FOLDERS)("%s/", { timeout: 60_000 }, (folder) => {
    expect(complaintsAbout(`${folder}/**/*.{ts,sql}`)).toBe("");
  });

  it("the root", () => {
    expect(complaintsAbout("*.ts")).toBe("");
  });
});

const IN_SRC = "packages/stepwell/src/engine/x.ts";
const HEADER = "/** What this is for. */\nimport {} from './y.ts';\n";

const MARKER = ["TO", "DO"].join("");
const EXEMPTION = ["oxlint", "disable-next-line"].join("-");

/** The complaints, each up to its remedy. */
function faults(path: string, text: string): readonly string[] {
  return inspect(path, text).map((complaint) => complaint.text.split(";")[0] ?? "");
}

describe("tidy complains about", () => {
  it.each([
    ["a missing header", "const a = 1;\n", ["no header"]],
    ["a long file", HEADER + "a;\n".repeat(399), ["401 lines, 400 allowed"]],
    ["a long function", `${HEADER}function f() {\n${"a;\n".repeat(69)}}\n`, ["function of 71 lines, 70 allowed"]],
    ["a long test", `${HEADER}it("runs", () => {\n${"a;\n".repeat(70)}});\n`, ["function of 72 lines, 70 allowed"]],
    ["five parameters", `${HEADER}const f = (a, b, c, d, e) => a;\n`, ["5 parameters, 4 allowed"]],
    ["an undocumented export", `${HEADER}export const a = 1;\n`, ["export without a doc comment"]],
    [
      "a header posing as a doc comment",
      "/** What this is for. */\nexport const a = 1;\n",
      ["export without a doc comment"],
    ],
    ["a class", `${HEADER}class A {}\n`, ["class that is no error"]],
    ["a class that only implements an error", `${HEADER}class A implements MyError {}\n`, ["class that is no error"]],
    ["a bare error", `${HEADER}throw new Error("no");\n`, ["bare Error"]],
    ["a bare error, passed on", `${HEADER}reject(new Error("no"));\n`, ["bare Error"]],
    ["a leftover marker", `${HEADER}// ${MARKER}: later\n`, ["leftover marker"]],
    ["an exemption", `${HEADER}// ${EXEMPTION} no-console\n`, ["an exemption from a rule"]],
    ["the clock", `${HEADER}const a = { nowMs: Date.now };\n`, ["clock or dice"]],
    ["the clock, dressed as a date", `${HEADER}const a = new Date();\n`, ["clock or dice"]],
    ["dice", `${HEADER}const a = Math.random();\n`, ["clock or dice"]],
    ["imported dice", `${HEADER}import { randomUUID as id } from "node:crypto";\n`, ['clock or dice: "id"']],
    ["the environment", `${HEADER}const a = process.env.HOME;\n`, ["environment or flags"]],
    ["a timer in the engine", `${HEADER}setTimeout(f, 1);\n`, ["a scheduler of its own"]],
  ])("%s", (_, text, expected) => {
    expect(faults(IN_SRC, text)).toEqual(expected);
  });

  it.each([
    ["packages/stepwell/src/model/Run.ts", '"Run.ts" is not kebab-case'],
    ["packages/stepwell/src/model/run_state.ts", '"run_state.ts" is not kebab-case'],
    ["packages/stepwell/src/model/run-types.ts", '"types" names no thing'],
    ["series/helpers/run.ts", '"helpers" names no thing'],
    ["scripts/utils.ts", '"utils" names no thing'],
  ])("the name %s", (path, expected) => {
    expect(faults(path, HEADER)).toEqual([expected]);
  });

  it("SQL without a header", () => {
    expect(faults("packages/stepwell/src/store/sqlite/queries.sql", "SELECT 1;\n")).toEqual(["no header"]);
  });
});

describe("tidy is content with", () => {
  it.each([
    ["an error class", `${HEADER}class Full extends StepwellError {}\n`],
    ["a date of a given moment", `${HEADER}const a = new Date(0);\n`],
    ["a clock that is only spoken of", `${HEADER}// not Date.now()\nconst a = "Math.random()";\n`],
    ["an error read back from the store", `${HEADER}const a = new Error(b);\n`],
    ["an export with a comment", `${HEADER}/** Pi. */\nexport const a = 3;\n`],
    [
      "overloads that share a comment",
      `${HEADER}/** F. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;\nexport function f(a: any) {}\n`,
    ],
  ])("%s", (_, text) => {
    expect(inspect(IN_SRC, text)).toEqual([]);
  });

  it("the clock in the host, and only there", () => {
    expect(inspect("packages/stepwell/src/engine/host.ts", `${HEADER}Date.now();\n`)).toEqual([]);
  });

  it("a long suite of short tests", () => {
    const test = `it("runs", () => {\n${"a;\n".repeat(40)}});\n`;
    expect(inspect(IN_SRC, `${HEADER}describe("x", () => {\n${test.repeat(3)}});\n`)).toEqual([]);
  });

  it("classes, bare errors and clocks in a test", () => {
    const text = `${HEADER}class A {}\nit("runs", () => {\n  if (Date.now()) throw new Error();\n});\n`;
    expect(inspect("packages/stepwell/test/x.test.ts", text)).toEqual([]);
  });

  it("a generated file, whatever is in it", () => {
    expect(inspect("packages/stepwell/src/store/sqlite/Sql.generated.ts", "class A {}\n")).toEqual([]);
  });
});
