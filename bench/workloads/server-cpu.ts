/**
 * Server CPU: what a PostgreSQL on this machine has used so far, all of its processes together: those that serve
 * connections, write the log and the tables, clean up.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts processor time for others to read in hundredths of a second, on every machine. */
const US_PER_TICK = 10_000;

/**
 * User and system time in microseconds.
 *
 * @param pid the server's first process; null: not ours to look at
 */
export function readServerCpuUs(pid: number | null): number | null {
  if (pid === null) return null;
  const first = lookAt(pid);
  if (first === null) return null;
  // Processes that have ended are in the first one's sum.
  let ticks = first.ticks + first.endedTicks;
  for (const name of readdirSync("/proc")) {
    const child = /^\d+$/.test(name) ? lookAt(Number(name)) : null;
    if (child?.parent === pid) ticks += child.ticks;
  }
  return ticks * US_PER_TICK;
}

/** See proc(5): the fields after the name, which stands in brackets and may hold anything. */
function lookAt(pid: number): { readonly parent: number; readonly ticks: number; readonly endedTicks: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number) as [number, number, number, number];
    return { parent: Number(fields[1]), ticks: user + system, endedTicks: endedUser + endedSystem };
  } catch {
    // It has ended while we looked.
    return null;
  }
}
