/**
 * Document: a Markdown file as its readers use it. Fenced blocks, links, headings; no more of Markdown than that.
 *
 * Held against the repository by documents.test.ts.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";

/** A fenced block. `line` is that of its first line of content, 1-based. */
export type Fence = {
  /** First word of the info string; empty when there is none. */
  readonly language: string;
  /** The words after it, as in "ts run". */
  readonly flags: readonly string[];
  readonly text: string;
  readonly line: number;
};

/** A target as written: "docs/errors.md#step_timeout". */
export type Link = { readonly target: string; readonly line: number };

/** See the header. `path` is from the root of the repository, with forward slashes. */
export type Document = {
  readonly path: string;
  readonly fences: readonly Fence[];
  readonly links: readonly Link[];
  /** What "#…" may point at. */
  readonly anchors: ReadonlySet<string>;
  /** Code spans in running text. */
  readonly spans: readonly { readonly text: string; readonly line: number }[];
};

/** @throws Error for a fence that is never closed */
export function parseDocument(path: string, text: string): Document {
  const fences: Fence[] = [];
  const prose: { readonly text: string; readonly line: number }[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const opening = /^\s*(`{3,})\s*(.*)$/.exec(lines[at]!);
    if (opening === null) {
      prose.push({ text: lines[at]!, line: at + 1 });
      continue;
    }
    const end = lines.findIndex((line, index) => index > at && line.trim() === opening[1]);
    if (end === -1) throw new Error(`${path}:${at + 1}: this block is never closed`);
    const [language = "", ...flags] = opening[2]!.split(/\s+/);
    fences.push({ language, flags, text: lines.slice(at + 1, end).join("\n"), line: at + 2 });
    at = end;
  }
  return {
    path,
    fences,
    links: prose.flatMap(({ text, line }) => linksIn(text).map((target) => ({ target, line }))),
    anchors: anchorsIn(prose.map((line) => line.text)),
    spans: prose.flatMap(({ text, line }) => [...text.matchAll(CODE)].map((match) => ({ text: match[1]!, line }))),
  };
}

/** @param root of the repository */
export function readDocument(root: string, path: string): Document {
  return parseDocument(path, readFileSync(join(root, path), "utf8"));
}

/** A complaint for each link into the repository that leads nowhere. */
export function deadLinks(root: string, document: Document): readonly string[] {
  return document.links.flatMap(({ target, line }) => {
    const why = whyDead(root, document, target);
    return why === null ? [] : [`${document.path}:${line}: ${target}: ${why}`];
  });
}

function whyDead(root: string, document: Document, target: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return null;
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? document.path : normalize(join(dirname(document.path), decodeURI(file)));
  if (path.startsWith("..")) return "outside of the repository";
  if (file !== "" && !existsSync(join(root, path))) return "no such file";
  if (anchor === undefined) return null;
  const { anchors } = file === "" ? document : readDocument(root, path);
  return anchors.has(anchor) ? null : "no such heading";
}

const CODE = /`+([^`]+)`+/g;
const INLINE_LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;
const REFERENCE = /^\s*\[[^\]]+\]:\s*(\S+)/g;
const ATTRIBUTE = /\b(?:src|srcset|href)="([^"]+)"/g;

function linksIn(line: string): readonly string[] {
  const text = line.replaceAll(CODE, "");
  return [INLINE_LINK, REFERENCE, ATTRIBUTE].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1]!),
  );
}

/** As GitHub makes them: lower case, spaces to hyphens, no punctuation; the second of a name ends in -1. */
function anchorsIn(prose: readonly string[]): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    for (const match of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(match[1]!);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = toSlug(heading);
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function toSlug(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
