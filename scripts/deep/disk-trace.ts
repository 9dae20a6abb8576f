/**
 * Disk trace: what a process did to its files, read from the output of strace, in the order in which it happened.
 */
import { basename } from "node:path";

/** One thing that a process did. Files go by their base name; offsets and lengths are bytes. */
export type DiskEvent =
  | { readonly kind: "open"; readonly name: string; readonly create: boolean; readonly truncate: boolean }
  | { readonly kind: "write"; readonly name: string; readonly offset: number | null; readonly data: Buffer }
  | { readonly kind: "sync"; readonly name: string }
  | { readonly kind: "truncate"; readonly name: string; readonly length: number }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "rename"; readonly name: string; readonly to: string };

/** The calls that {@link parseTrace} understands. */
export const TRACED_CALLS: string = "openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename";

/** Flags of strace under which its output can be read here: names of descriptors, all data, in hexadecimal. */
export const TRACE_FLAGS: readonly string[] = ["-y", "-xx", "-s", "1000000", "-e", `trace=${TRACED_CALLS}`];

/**
 * The events of a trace. Calls that failed changed nothing and are left out.
 *
 * @throws Error for a line that is none of the traced calls: a trace with a gap would prove nothing
 */
export function parseTrace(text: string): readonly DiskEvent[] {
  const unfinished = new Map<string, string>();
  const events: DiskEvent[] = [];
  for (const line of text.split("\n")) {
    const [, pid = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest === "" || rest.startsWith("+++") || rest.startsWith("---")) continue;
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    if (begun !== null) {
      unfinished.set(pid, begun[1]!);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const event = parseCall(resumed === null ? rest : `${unfinished.get(pid) ?? ""}${resumed[1]}`);
    if (event !== null) events.push(event);
  }
  return events;
}

const CALL = /^(\w+)\((.*)\) += (-?\d+)/;

/** Null: it failed, or was one that changes nothing. */
function parseCall(text: string): DiskEvent | null {
  const [, call = "", args = "", result = ""] = CALL.exec(text) ?? [];
  if (Number(result) < 0) return null;
  switch (call) {
    case "openat":
      return parseOpen(args);
    case "write":
    case "pwrite64":
      return parseWrite(call, args, Number(result));
    case "fsync":
    case "fdatasync":
      return { kind: "sync", name: descriptorName(args) };
    case "ftruncate":
      return { kind: "truncate", name: descriptorName(args), length: Number(args.split(", ").at(-1)) };
    case "unlink":
      return { kind: "unlink", name: baseOf(args) };
    case "rename": {
      const [from = "", to = ""] = args.split(", ");
      return { kind: "rename", name: baseOf(from), to: baseOf(to) };
    }
    default:
      throw new Error(`the trace holds what cannot be read: ${text.slice(0, 200)}`);
  }
}

function parseOpen(args: string): DiskEvent {
  const [, path = "", flags = ""] = /, ("[^"]*"), ([A-Z_|]+)/.exec(args) ?? [];
  return { kind: "open", name: baseOf(path), create: flags.includes("O_CREAT"), truncate: flags.includes("O_TRUNC") };
}

/** A short write wrote only its beginning. */
function parseWrite(call: string, args: string, written: number): DiskEvent {
  const [, data = "", offset = ""] = /, "([^"]*)", \d+(?:, (\d+))?$/.exec(args) ?? [];
  const bytes = bytesOf(data).subarray(0, written);
  if (bytes.length !== written) throw new Error(`the trace cut off the data of a write: ${args.slice(0, 200)}`);
  return {
    kind: "write",
    name: descriptorName(args),
    offset: call === "pwrite64" ? Number(offset) : null,
    data: bytes,
  };
}

/** Of `21</path/to/x.db>, …`; strace may write that path in hexadecimal, too. */
function descriptorName(args: string): string {
  return basename(bytesOf(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "").toString());
}

function baseOf(quoted: string): string {
  return basename(bytesOf(quoted.replaceAll('"', "")).toString());
}

/** `\x78\x2e` is bytes; anything else is itself. */
function bytesOf(text: string): Buffer {
  return text.startsWith("\\x") ? Buffer.from(text.replaceAll("\\x", ""), "hex") : Buffer.from(text);
}
