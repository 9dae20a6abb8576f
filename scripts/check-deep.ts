/**
 * `npm run check:deep`: everything of `npm run check`, and the proofs that take long or need tools of the system:
 * faults of the storage, power loss, endurance, many seeds, many kills. Takes hours; each part runs alone, too.
 *
 *     npm run check:deep                             everything
 *     npm run check:deep -- --only power-loss,soak   parts by name, of both checks
 *     npm run check:deep -- --quick                  every deep part at a small size, to see that it works
 *     npm run check:deep -- --only soak --minutes 5  a shorter soak
 *
 * Ends with a line `N passed, N failed, N skipped`, and with status 1 when anything failed. What cannot be done here
 * is skipped, with its reason.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PARTS as CHECK_PARTS } from "./check.ts";
import { checkParts, type Part, shellRunner } from "./parts.ts";

/** A part at its full size, and at one to try it out. */
type DeepPart = { readonly name: string; readonly script: string; readonly full: string; readonly quick: string };

/** The longest first, two at a time. Each but the npm scripts takes --help. */
export const DEEP_PARTS: readonly DeepPart[] = [
  { name: "soak", script: "scripts/deep/soak.ts", full: "--minutes 30", quick: "--minutes 1" },
  { name: "repeat", script: "scripts/deep/repeat.ts", full: "--times 20", quick: "--times 1" },
  {
    name: "chaos",
    script: "scripts/deep/chaos.ts",
    full: "",
    quick: "--kills 20 --runs 200 --blows 1 --drops 100 --seconds 5 --rounds 1",
  },
  { name: "kills", script: "scripts/deep/kills.ts", full: "--kills 500", quick: "--kills 20" },
  {
    name: "differential",
    script: "scripts/deep/differential.ts",
    full: "--operations 1000000",
    quick: "--operations 20000",
  },
  { name: "simulation", script: "scripts/deep/seeds.ts", full: "--seeds 20000", quick: "--seeds 200 --hours 1" },
  { name: "planted-bugs", script: "planted-bugs", full: "--unaided --seeds 10000", quick: "--seeds 40" },
  { name: "interleavings", script: "scripts/deep/interleavings.ts", full: "--which all", quick: "--which sample" },
  { name: "storage-faults", script: "scripts/deep/storage-faults.ts", full: "", quick: "--quick" },
  { name: "power-loss", script: "scripts/deep/power-loss.ts", full: "--images 1000", quick: "--images 200" },
  { name: "postgres-15", script: "scripts/deep/postgres-15.ts", full: "", quick: "" },
  { name: "codec", script: "scripts/deep/codec.ts", full: "--cases 100000", quick: "--cases 5000" },
  { name: "disks", script: "scripts/deep/disks.ts", full: "", quick: "" },
];

type Wish = { readonly quick: boolean; readonly only: readonly string[] | null; readonly minutes: string | null };

/** What was asked for, as parts; the name of a part that does not exist otherwise. */
export function chooseParts(wish: Wish): readonly Part[] | string {
  const deep = DEEP_PARTS.map((part) => toPart(part, wish));
  const all = [...CHECK_PARTS, ...deep];
  const unknown = wish.only?.find((name) => !all.some((part) => part.name === name));
  if (unknown !== undefined) return unknown;
  if (wish.only !== null) return all.filter((part) => wish.only!.includes(part.name));
  // What is quick to fail comes first.
  return wish.quick ? deep : all;
}

function toPart({ name, script, full, quick }: DeepPart, wish: Wish): Part {
  const minutes = name === "soak" && wish.minutes !== null ? `--minutes ${wish.minutes}` : "";
  const args = [wish.quick ? quick : full, minutes].filter((text) => text !== "");
  // The npm scripts write no report; their last line is enough.
  if (!script.includes("/")) return { name, script, args: args.join(" ") };
  const report = `coverage/deep-${name}.json`;
  return { name, script, args: [...args, `--report ${report}`].join(" "), report };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      minutes: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const all = [...CHECK_PARTS, ...DEEP_PARTS].map((part) => part.name).join(", ");
  if (values.help) {
    console.log(`npm run check:deep -- [--only NAME,NAME] [--quick] [--minutes N]\n\nparts: ${all}`);
    return 0;
  }
  const only = values.only?.split(",").map((name) => name.trim()) ?? null;
  const parts = chooseParts({ quick: values.quick, only, minutes: values.minutes ?? null });
  if (typeof parts === "string") {
    console.error(`There is no part "${parts}"; there are ${all}.`);
    return 2;
  }
  const root = join(import.meta.dirname, "..");
  spawnSync("sh", [join(root, "scripts/deep/install-tools.sh")], { stdio: "inherit" });
  const bench = { run: shellRunner(root), print: console.log, nowMs: () => performance.now(), width: 2 };
  return (await checkParts(bench, parts)) ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
