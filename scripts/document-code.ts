/**
 * Code of the documents: written to a folder as its readers would, compiled, run, and compared with what is promised.
 *
 *     ```ts            must compile: with imports as a module of its own, without as a fragment (document-scenery.ts)
 *     ```ts            whose first line is `// workflow.ts`, a file beside the document: quotes that file
 *     ```ts signature  shows a declaration, and is only read (build-api.ts writes those)
 *     ```ts run        is run as well; the next ```text block is what it prints
 *     ```console       `$ node order.ts` runs the block whose first line is `// order.ts`; below it, what it prints
 *
 * All blocks of one document share a folder, so that programs find what earlier ones have stored.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Document, Fence } from "./document.ts";
import { fragmentOpening, SCENERY } from "./document-scenery.ts";

/** A `ts` block in the scratch folder. */
type Staged = {
  readonly document: Document;
  readonly fence: Fence;
  /** Absolute. */
  readonly path: string;
  /** Lines that stand before the block's own. */
  readonly before: number;
};

/** The documents' code in a folder of its own below the repository, where `stepwell` is found. */
export type Stage = { readonly root: string; readonly folder: string; readonly staged: readonly Staged[] };

/** A command of a document, what must come out, and where that is written. */
export type Session = {
  readonly where: string;
  readonly command: string;
  readonly expected: string;
  readonly args: readonly string[];
};

/** Programs of one document, in the order in which they must run, and the folder they run in. */
export type Play = { readonly path: string; readonly folder: string; readonly sessions: readonly Session[] };

/** How long a program of a document may take: where a dead process cannot be told from a live one, a lease must run out first. */
const RUN_MS_MAX = 30_000;

/** Write all `ts` blocks into `folder`, which is empty. */
export function stageDocuments(root: string, folder: string, documents: readonly Document[]): Stage {
  const options = {
    extends: relative(folder, join(root, "tsconfig.base.json")).replaceAll("\\", "/"),
    // A reader's sketch may leave things unused; and docs/errors.md shows `error.code` in a catch without narrowing.
    compilerOptions: { noUnusedLocals: false, noImplicitReturns: false, useUnknownInCatchVariables: false },
    include: ["**/*.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  writeFileSync(join(folder, "scenery.ts"), SCENERY);
  const staged = documents.flatMap((document) =>
    document.fences
      .filter((fence) => isCode(fence) && quotedFile(root, document, fence) === null)
      .map((fence) => stageBlock(folder, document, fence)),
  );
  return { root, folder, staged };
}

/** Complaints about blocks that quote a file and are not in it. A line `// …` stands for lines left out. */
export function misquotes(root: string, document: Document): readonly string[] {
  return document.fences.flatMap((fence) => {
    const file = quotedFile(root, document, fence);
    if (file === null) return [];
    const source = readFileSync(file, "utf8");
    const [, ...lines] = fence.text.split("\n");
    const parts = lines.join("\n").split(/^\s*\/\/ …\n?/m);
    let from = 0;
    for (const part of parts) {
      const at = source.indexOf(part, from);
      if (at === -1) return [`${document.path}:${fence.line}: ${relative(root, file)} does not say:\n${part}`];
      from = at + part.length;
    }
    return [];
  });
}

/** One line per error of the compiler: `README.md:42: TS2345: …`. */
export async function compile({ root, folder, staged }: Stage): Promise<readonly string[]> {
  const tsc = join(root, "node_modules/@typescript/native/bin/tsc");
  const { stdout, stderr, code } = await run(folder, [tsc, "-p", folder, "--pretty", "false"]);
  const found = [...stdout.matchAll(/^(\S.*?)\((\d+),\d+\): error (.*(?:\n\s+.*)*)/gm)];
  if (code !== 0 && found.length === 0) throw new Error(`tsc said nothing that can be read:\n${stdout}${stderr}`);
  return found.flatMap(([, file, line, message]) => {
    const block = staged.find(({ path }) => path === join(folder, file!));
    if (block === undefined) return [];
    return [`${block.document.path}:${block.fence.line + Number(line) - 1 - block.before}: ${message}`];
  });
}

/** What is to be run of each document that has something to run. */
export function listPlays(stage: Stage): readonly Play[] {
  return Map.groupBy(stage.staged, ({ document }) => document)
    .entries()
    .map(([document, blocks]): Play => {
      const sessions = document.fences.flatMap((fence, index) => {
        if (fence.language === "console") return consoleSessions(document, fence).filter(({ args }) => args.length > 0);
        if (fence.language !== "ts" || !fence.flags.includes("run")) return [];
        const file = blocks.find((block) => block.fence === fence)!.path;
        return [runSession(document, fence, document.fences[index + 1], file)];
      });
      return { path: document.path, folder: folderOf(stage.folder, document), sessions };
    })
    .filter(({ sessions }) => sessions.length > 0)
    .toArray();
}

/** What the program prints; "Killed" and a bad exit code are told in a last line, as a shell would. */
export async function play(folder: string, { args }: Session): Promise<string> {
  const { stdout, stderr, code, signal } = await run(folder, ["--conditions=stepwell-source", ...args]);
  const end =
    signal === "SIGKILL" ? "Killed" : signal !== null || code !== 0 ? `${stderr}\nended with ${signal ?? code}` : "";
  return `${stdout}${end}`.trimEnd();
}

/** The commands of a `console` block; `args` are those of a program that can be run here, empty for any other command. */
export function consoleSessions(document: Document, fence: Fence): readonly Session[] {
  const sessions: { where: string; command: string; expected: string; args: readonly string[] }[] = [];
  for (const [at, line] of fence.text.split("\n").entries()) {
    const command = /^\$ (.*)$/.exec(line)?.[1];
    if (command !== undefined) {
      const [program, ...args] = command.split(/\s+/);
      const here = program === "node" && named(document).has(args[0] ?? "");
      sessions.push({ where: `${document.path}:${fence.line + at}`, command, expected: "", args: here ? args : [] });
      continue;
    }
    const last = sessions.at(-1);
    if (last !== undefined) last.expected = `${last.expected}\n${line}`.trim();
  }
  return sessions;
}

function runSession(document: Document, fence: Fence, next: Fence | undefined, file: string): Session {
  const where = `${document.path}:${fence.line}`;
  if (next?.language !== "text") throw new Error(`${where}: no "text" block below this "ts run" says what it prints`);
  return { where, command: `node ${file}`, expected: next.text.trim(), args: [file] };
}

function stageBlock(folder: string, document: Document, fence: Fence): Staged {
  const place = folderOf(folder, document);
  mkdirSync(place, { recursive: true });
  const fragment = !/^import /m.test(fence.text);
  const path = join(place, nameOf(fence) ?? `line-${fence.line}.ts`);
  const text = fragment ? `${fragmentOpening("../scenery.ts")}\n${fence.text}\n}\n` : `${fence.text}\n`;
  writeFileSync(path, text, { flag: "wx" });
  return { document, fence, path, before: fragment ? 1 : 0 };
}

function isCode({ language, flags }: Fence): boolean {
  return language === "ts" && !flags.includes("signature");
}

function folderOf(folder: string, { path }: Document): string {
  return join(folder, path.replace(/\.md$/, "").replaceAll("/", "-"));
}

/** A block whose first line is `// order.ts` is called so. */
function nameOf(fence: Fence): string | undefined {
  return /^\/\/ ([a-z0-9/-]+\.ts)$/.exec(fence.text.split("\n", 1)[0] ?? "")?.[1];
}

function quotedFile(root: string, document: Document, fence: Fence): string | null {
  const name = fence.language === "ts" ? nameOf(fence) : undefined;
  const file = join(root, dirname(document.path), name ?? "");
  return name !== undefined && existsSync(file) ? file : null;
}

function named(document: Document): ReadonlySet<string> {
  return new Set(document.fences.flatMap((fence) => (fence.language === "ts" ? (nameOf(fence) ?? []) : [])));
}

type Ended = {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | null;
};

function run(cwd: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_NO_WARNINGS: "1" };
    const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: RUN_MS_MAX });
    const out = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out.stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (out.stderr += chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ ...out, code, signal }));
  });
}
