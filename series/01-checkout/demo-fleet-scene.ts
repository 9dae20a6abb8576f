/**
 * Scene of the demo on PostgreSQL: what four workers tell, and who holds which order, as lines for people.
 */
import type { Terminal } from "../growthcorp/terminal.ts";
import type { WorldEvent } from "../growthcorp/world/world.ts";
import type { Role } from "./demo-cast.ts";
import { endText, eventText, openClock } from "./demo-scene.ts";

/** An order that went on with another worker. `afterMs`: from the kill to the first call that it made there. */
export type Takeover = { readonly id: string; readonly from: string; readonly by: string; readonly afterMs: number };

/** What the scene is told, and what it has seen. */
export type FleetScene = {
  readonly event: (worker: string, event: WorldEvent) => void;
  readonly killed: (worker: string) => void;
  readonly ended: (id: string, state: string, error: string) => void;
  /** Orders that a worker held when it was killed. */
  readonly orphans: () => readonly string[];
  readonly takeovers: () => readonly Takeover[];
};

/** Times count from the making of the scene. */
export function openFleetScene(terminal: Terminal, cast: readonly Role[]): FleetScene {
  const { paint } = terminal;
  const tell = openClock(terminal);
  const line = (worker: string, id: string, text: string): void =>
    tell(`${paint.bold(worker)}  ${paint.cyan(id)}  ${text}`);
  const held = new Map<string, string>();
  const deathMs = new Map<string, number>();
  const orphans = new Set<string>();
  const takeovers: Takeover[] = [];
  const hold = (by: string, id: string): void => {
    const from = held.get(id);
    held.set(id, by);
    const diedMs = from === undefined || from === by ? undefined : deathMs.get(from);
    if (from === undefined || diedMs === undefined) return;
    const afterMs = performance.now() - diedMs;
    takeovers.push({ id, from, by, afterMs });
    line(by, id, paint.yellow(`» from ${from}, ${formatSeconds(afterMs)} after its death`));
  };
  return {
    event: (worker, event) => {
      hold(worker, event.reference);
      const text = eventText(terminal, cast, event);
      if (text !== null) line(worker, event.reference, text);
    },
    killed: (worker) => {
      deathMs.set(worker, performance.now());
      for (const [id, holder] of held) if (holder === worker) orphans.add(id);
    },
    ended: (id, state, error) => {
      line(held.get(id) ?? " ", id, endText(terminal, { state, error }));
      held.delete(id);
    },
    orphans: () => [...orphans],
    takeovers: () => takeovers,
  };
}

/** Who took which order, as a table of at most 60 columns. */
export function printTakeovers(takeovers: readonly Takeover[], { print, paint }: Terminal): void {
  print(`\n${paint.bold("Taken over")}\n`);
  for (const { id, from, by, afterMs } of takeovers) {
    const seconds = formatSeconds(afterMs).padStart(6);
    print(`  ${paint.cyan(id)}  from ${paint.bold(from)} by ${paint.bold(by)}  ${seconds} after the kill`);
  }
}

function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
