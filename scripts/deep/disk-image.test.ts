/** A trace is read as it happened, and a disk forgets exactly what was never synced. */
import { describe, expect, it } from "vitest";
import { openDice } from "../../packages/stepwell/src/model/dice.ts";
import { openDisk, type Remains } from "./disk-image.ts";
import { type DiskEvent, parseTrace } from "./disk-trace.ts";

const hex = (text: string): string =>
  Buffer.from(text)
    .toString("hex")
    .replaceAll(/../g, String.raw`\x$&`);

describe("parseTrace", () => {
  it("reads calls, puts together what others interrupted, and leaves out what failed", () => {
    const lines = [
      `7 openat(AT_FDCWD</tmp>, "${hex("/tmp/data/x.db")}", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 21<${hex("/tmp/data/x.db")}>`,
      `7 pwrite64(21<${hex("/tmp/data/x.db")}>, "${hex("abcd")}", 4, 4096) = 2`,
      `7 fsync(21</tmp/data/x.db> <unfinished ...>`,
      `8 write(22</tmp/acks>, "${hex("start a\n")}", 8) = 8`,
      `7 <... fsync resumed>) = 0`,
      `7 ftruncate(21</tmp/data/x.db>, 100) = 0`,
      `7 fsync(23</tmp/data>) = -1 EIO (Input/output error) (INJECTED)`,
      `7 unlink("${hex("/tmp/data/x.db-wal")}") = 0`,
      `7 +++ exited with 0 +++`,
    ];
    expect(parseTrace(lines.join("\n"))).toEqual([
      { kind: "open", name: "x.db", create: true, truncate: false },
      { kind: "write", name: "x.db", offset: 4096, data: Buffer.from("ab") },
      { kind: "write", name: "acks", offset: null, data: Buffer.from("start a\n") },
      { kind: "sync", name: "x.db" },
      { kind: "truncate", name: "x.db", length: 100 },
      { kind: "unlink", name: "x.db-wal" },
    ]);
  });

  it("refuses a call that it does not know: a gap would prove nothing", () => {
    expect(() => parseTrace("7 pwritev(21</tmp/x>, [], 0, 0) = 0")).toThrow("cannot be read");
  });
});

describe("a disk whose power fails", () => {
  const open: DiskEvent = { kind: "open", name: "a", create: true, truncate: false };
  const write = (offset: number, text: string): DiskEvent => ({
    kind: "write",
    name: "a",
    offset,
    data: Buffer.from(text),
  });
  const syncFolder: DiskEvent = { kind: "sync", name: "data" };
  const syncFile: DiskEvent = { kind: "sync", name: "a" };

  const after = (remains: Remains, ...events: readonly DiskEvent[]): Readonly<Record<string, string>> => {
    const disk = openDisk("data");
    for (const event of events) disk.apply(event);
    const files = disk.crash(remains, openDice("disk"));
    return Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString()]));
  };

  it.each<[string, Remains, readonly DiskEvent[], Readonly<Record<string, string>>]>([
    ["has what was synced", "nothing", [open, syncFolder, write(0, "old"), syncFile, write(0, "new")], { a: "old" }],
    [
      "may have what was not",
      "everything",
      [open, syncFolder, write(0, "old"), syncFile, write(0, "new")],
      { a: "new" },
    ],
    ["loses a synced file whose name was not", "nothing", [open, write(0, "old"), syncFile], {}],
    ["brings back what was removed", "nothing", [open, syncFolder, { kind: "unlink", name: "a" }], { a: "" }],
    ["keeps the removal that was synced", "nothing", [open, { kind: "unlink", name: "a" }, syncFolder], {}],
    [
      "brings back the length",
      "nothing",
      [open, syncFolder, write(0, "long"), syncFile, { kind: "truncate", name: "a", length: 1 }],
      { a: "long" },
    ],
  ])("%s", (_, remains, events, files) => {
    expect(after(remains, ...events)).toEqual(files);
  });

  it("may lose any page of what was not synced, also when later ones are there", () => {
    const disk = openDisk("data");
    for (const event of [open, syncFolder, write(0, "x".repeat(40_960))]) disk.apply(event);
    expect(disk.unsynced()).toBe(40_960);
    const seen = new Set<string>();
    const dice = openDice("pages");
    for (let time = 0; time < 200; time += 1) {
      const bytes = disk.crash("pages", dice).get("a")!;
      const pages = Array.from({ length: Math.ceil(bytes.length / 4_096) }, (_, page) => bytes[page * 4_096] === 0x78);
      seen.add(pages.join());
    }
    expect([...seen].some((pages) => pages.includes("false,true"))).toBe(true);
    expect(seen.size).toBeGreaterThan(50);
  });
});
