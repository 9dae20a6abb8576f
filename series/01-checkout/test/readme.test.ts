/** The README tells the truth: its commands run and print what it shows, its code is in the files it names, its links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Ended, runLine } from "./command.ts";
import { withScratch } from "./scratch.ts";

const CHAPTER = dirname(dirname(fileURLToPath(import.meta.url)));
const TEXT = readFileSync(join(CHAPTER, "README.md"), "utf8");
const TIMEOUT_MS = 120_000;

/** Stands for lines that are left out, in transcripts and (as a comment) in code. */
const ELLIPSIS = "…";

function listBlocks(language: string): string[] {
  return [...TEXT.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1] ?? "");
}

/** What differs from one machine and run to the next: times, and how often an order was tried besides the killed one. */
function steady(line: string): string {
  return line
    .replace(/\d+(\.\d+)? (ms|s)\b/g, "TIME")
    .replace(/^(order:100[2-6]) +\d+/, "$1 TRIES")
    .replace(/ +/g, " ")
    .trim();
}

/** The first part that does not occur, each in one piece and in this order; null: all do. */
function findMissing(lines: readonly string[], parts: readonly (readonly string[])[]): readonly string[] | null {
  let from = 0;
  for (const part of parts) {
    const at = lines.findIndex((_, index) => index >= from && part.every((line, n) => lines[index + n] === line));
    if (at < 0) return part;
    from = at + part.length;
  }
  return null;
}

/** `left`: its own temporary files that the command did not remove. */
function runTidily(command: string): Promise<Ended & { readonly left: readonly string[] }> {
  return withScratch(async (dir) => {
    const ended = await runLine(command, dir);
    return { ...ended, left: readdirSync(dir).filter((name) => name.startsWith("stepwell-")) };
  });
}

function splitAt(lines: readonly string[], isEllipsis: (line: string) => boolean): string[][] {
  const parts: string[][] = [[]];
  for (const line of lines) {
    if (isEllipsis(line)) parts.push([]);
    else parts.at(-1)?.push(line);
  }
  return parts.filter((part) => part.length > 0);
}

describe("README.md", () => {
  const transcripts = listBlocks("console").map((block) => {
    const [command = "", ...shown] = block.trimEnd().split("\n");
    return { command: command.replace("$ ", ""), shown };
  });

  it("has transcripts of the fragile version, three scenarios and the demo", () => {
    expect(transcripts.map(({ command }) => command)).toHaveLength(5);
  });

  it.each(transcripts)("shows what `$command` prints", { timeout: TIMEOUT_MS }, async ({ command, shown }) => {
    const { code, stdout, stderr, left } = await runTidily(command);
    expect([code, stderr, left]).toEqual([0, "", []]);
    const parts = splitAt(shown, (line) => line === ELLIPSIS).map((part) => part.map(steady));
    expect(findMissing(stdout.split("\n").map(steady), parts), stdout).toBeNull();
  });

  it.each(listBlocks("sh").flatMap((block) => block.trimEnd().split("\n")))(
    "has the command `%s`, which succeeds",
    { timeout: TIMEOUT_MS },
    async (command) => {
      const { code, stderr, left } = await runTidily(command);
      expect([code, stderr, left]).toEqual([0, "", []]);
    },
  );

  it.each(listBlocks("ts").map((block) => block.trimEnd().split("\n")))(
    "quotes %s as it stands",
    (first, ...quoted) => {
      const name = first.replace("// ", "");
      const lines = readFileSync(join(CHAPTER, name), "utf8").split("\n");
      const parts = splitAt(quoted, (line) => line.trim() === `// ${ELLIPSIS}`);
      expect(findMissing(lines, parts)).toBeNull();
    },
  );

  it.each([...TEXT.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] ?? ""))("links to %s, which exists", (link) => {
    expect(existsSync(join(CHAPTER, link))).toBe(true);
  });
});
