/**
 * The documents: their code compiles and prints what they say, their commands exist, their links lead somewhere.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLinks, type Document, parseDocument, readDocument } from "./document.ts";
import {
  compile,
  consoleSessions,
  listPlays,
  misquotes,
  play,
  RUN_MS_MAX,
  type Stage,
  stageDocuments,
} from "./document-code.ts";

const ROOT = join(import.meta.dirname, "..");
const TIMEOUT_MS = 60_000;

/** Pages for readers of the repository; of ARCHITECTURE.md and CONTRIBUTING.md the code is no example to be run. */
const PAGES = globSync(["*.md", "docs/**/*.md", "series/**/README.md", "packages/*/README.md"], { cwd: ROOT })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => !path.includes("node_modules"))
  .sort();
const DOCUMENTS = PAGES.map((path) => readDocument(ROOT, path));

/** Blocks of other kinds would slip past the tests below. */
const LANGUAGES = ["ts", "sh", "console", "text", "json", "sql"];

/** Commands that documents may show: what is typed, and the file that runs it with the words that say so. */
const COMMANDS: readonly (readonly [command: RegExp, runBy: string, words: string])[] = [
  [/^npm ci$/, ".ci/run", "npm ci"],
  [/^npm run check$/, ".ci/run", "npm run --silent check"],
  [/^npm test( -- .*)?$/, "scripts/check.ts", 'script: "test"'],
  [/^npm run (typecheck|lint|doors|knip|format:check|generate:check|build:check)$/, "scripts/check.ts", "PARTS"],
  [/^npm run build$/, "packages/stepwell/package.json", "scripts/build.ts"],
  [/^npm install stepwell( pg)?$/, "scripts/consume.ts", '"node_modules/stepwell"'],
  [/^npm run demo( -- --keep)?$/, "series/01-checkout/test/demo.test.ts", "series/01-checkout/demo.ts"],
  [
    /^npm run series -- 1 --(list|test|fragile|scenario [\w-]+)$/,
    "series/01-checkout/test/run.test.ts",
    "series/run.ts",
  ],
  // Interactive, or npm's own on nothing of ours.
  [/^npm run changeset$/, "package.json", '"changeset":'],
  [/^npm (init -y|pkg set type=module)$/, "package.json", ""],
];

const BROKEN = parseDocument(
  "broken.md",
  [
    ...["```ts", 'import { workflow } from "stepwell";', 'workflow("a/b", { version: 1 }, async () => 1);', "```"],
    ...["```ts", "await ctx.slep(1);", "```"],
    ...[
      "```ts",
      "// says-nothing.ts",
      'import "stepwell";',
      "```",
      "```console",
      "$ node says-nothing.ts",
      "hello",
      "```",
    ],
    ...["```ts test", "// wrong.test.ts", 'import { expect, it } from "vitest";'],
    ...['it("is wrong", () => expect(1).toBe(2));', "```"],
    ...["```ts test", "// right.test.ts", 'import { expect, it } from "vitest";'],
    ...['it("is right", () => expect(1).toBe(1));', "```"],
    ...[
      "```ts test",
      'import { it } from "node:test";',
      'it("throws", () => {',
      '  throw new Error("no");',
      "});",
      "```",
    ],
  ].join("\n"),
);

let stage: Stage;
let errors: readonly string[];

beforeAll(async () => {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  stage = stageDocuments(ROOT, mkdtempSync(join(ROOT, "dist/documents-")), [...DOCUMENTS, BROKEN]);
  errors = await compile(stage);
}, TIMEOUT_MS);

afterAll(() => rmSync(stage.folder, { recursive: true, force: true }));

it("the guides are among the documents", () => {
  const guides = globSync("docs/guides/*.md", { cwd: ROOT }).map((path) => path.replaceAll("\\", "/"));
  expect(PAGES).toEqual(expect.arrayContaining(guides));
});

describe.each(DOCUMENTS.map((document) => [document.path, document] as const))("%s", (path, document) => {
  it("has links that lead somewhere", () => {
    expect(deadLinks(ROOT, document)).toEqual([]);
  });

  it("has blocks that compile, in languages that are tested", () => {
    expect(errors.filter((error) => error.startsWith(`${path}:`))).toEqual([]);
    const odd = document.fences.filter(({ language }) => !LANGUAGES.includes(language));
    expect(
      odd.map(({ language, line }) => `${path}:${line}: "${language}"; known are ${LANGUAGES.join(", ")}`),
    ).toEqual([]);
  });

  it("quotes files as they are", () => {
    expect(misquotes(ROOT, document)).toEqual([]);
  });

  it("shows commands that are run somewhere", () => {
    const unknown = commandsOf(document).filter((command) => !COMMANDS.some(([pattern]) => pattern.test(command)));
    expect(unknown).toEqual([]);
  });

  it("prints what it says, and its tests pass", { timeout: TIMEOUT_MS + programs(document) * RUN_MS_MAX }, async () => {
    const { folder, sessions } = listPlays(stage).find((one) => one.path === path) ?? { folder: "", sessions: [] };
    for (const session of sessions) {
      const { where, command, expected } = session;
      expect(`${where} ${command}\n${await play(folder, session)}`).toBe(`${where} ${command}\n${expected}`);
    }
  });
});

describe("commands", () => {
  it.each(COMMANDS)("%s are run by %s", (_, runBy, words) => {
    expect(readFileSync(join(ROOT, runBy), "utf8")).toContain(words);
  });
});

describe("ARCHITECTURE.md", () => {
  const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");

  it("names files that exist", () => {
    const { spans } = DOCUMENTS.find(({ path }) => path === "ARCHITECTURE.md")!;
    const files = spans.map((span) => span.text).filter((span) => /^[a-z0-9-]+\/[\w./-]+\.(ts|sql|cjs|md)$/.test(span));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => findFile(file) === null)).toEqual([]);
  });

  it("quotes tests that exist", () => {
    const quotes = [...text.matchAll(/`(test\/[\w./-]+)`:((?: "[^"]+",?)+)/g)].flatMap(([, file, names]) =>
      [...names!.matchAll(/"([^"]+)"/g)].map(([, name]) => ({ file: file!, name: name! })),
    );
    expect(quotes.length).toBeGreaterThan(10);
    const missing = quotes.filter(({ file, name }) => !readFileSync(findFile(file)!, "utf8").includes(name));
    expect(missing).toEqual([]);
  });
});

describe("these tests", () => {
  it("notice code that does not compile, and say where", () => {
    const broken = errors.filter((error) => error.startsWith("broken.md:"));
    expect(broken.map((error) => error.split(":")[1])).toEqual(["3", "6"]);
  });

  it("notice a program that prints something else", async () => {
    const { folder, sessions } = listPlays(stage).find((one) => one.path === "broken.md")!;
    expect(await play(folder, sessions[0]!)).not.toBe(sessions[0]!.expected);
  });

  it("notice a test that fails", { timeout: TIMEOUT_MS * 2 }, async () => {
    const { folder, sessions } = listPlays(stage).find((one) => one.path === "broken.md")!;
    const [wrong, right, thrown] = sessions.slice(1);
    expect(await play(folder, wrong!)).toContain("expected 1 to be 2");
    expect(await play(folder, right!)).toBe("");
    expect(await play(folder, thrown!)).toContain("ended with 1");
  });

  it("notice links, anchors and blocks that are broken", () => {
    const text =
      "# A b!\n\n[1](README.md) [2](nowhere.md) [3](#a-b) [4](#c) [5](README.md#nowhere) `[6](x)` [7](https://x.y)\n";
    expect(deadLinks(ROOT, parseDocument("x.md", text)).map((complaint) => complaint.split(" ")[1])).toEqual([
      "nowhere.md:",
      "#c:",
      "README.md#nowhere:",
    ]);
    expect(() => parseDocument("x.md", "```ts\n1\n")).toThrow("x.md:1: this block is never closed");
    const quote = (line: string) => parseDocument("scripts/x.md", `\`\`\`ts\n// document.ts\n// …\n${line}\n\`\`\``);
    expect(misquotes(ROOT, quote("export type Link = {"))).toEqual([]);
    expect(misquotes(ROOT, quote("export type Lynx = {"))).toHaveLength(1);
  });
});

/** Single commands of `sh` and `console` blocks, without comments, and without programs that are run here. */
function commandsOf(document: Document): readonly string[] {
  const lines = document.fences.flatMap((fence) => {
    if (fence.language === "sh") return fence.text.split("\n");
    if (fence.language !== "console") return [];
    return consoleSessions(document, fence).flatMap(({ args, command }) => (args.length > 0 ? [] : [command]));
  });
  return lines
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .flatMap((line) => line.split(/\s*&&\s*/));
}

/** How many programs and tests of a document are run, at most. */
function programs({ fences }: Document): number {
  return fences.reduce((count, { language, flags, text }) => {
    const commands = language === "console" ? text.split("\n").filter((line) => line.startsWith("$ ")).length : 0;
    return count + commands + (flags.includes("run") || flags.includes("test") ? 1 : 0);
  }, 0);
}

/** ARCHITECTURE.md names files from the root, from the library, or from its src. */
function findFile(file: string): string | null {
  const places = ["", "packages/stepwell", "packages/stepwell/src"];
  return (
    globSync(
      places.map((place) => join(place, file)),
      { cwd: ROOT },
    ).map((path) => join(ROOT, path))[0] ?? null
  );
}
