/**
 * Scene: what a worker tells, as lines for people; one per thing that happened.
 */
import { formatMoney } from "../growthcorp/money.ts";
import type { Terminal } from "../growthcorp/terminal.ts";
import type { WorldEvent } from "../growthcorp/world/world.ts";
import { CAST, KILLED_ID } from "./demo-cast.ts";
import type { WorkerMessage } from "./worker-process.ts";

/** What happened in words, by operation and answer. */
const WORDS: Readonly<Record<string, string>> = {
  "look ok": "cart is valid",
  "charge ok": "paid",
  "charge timeout": "gateway timed out, will try again",
  "charge unavailable": "gateway is down, will try again",
  "charge card_declined": "card declined",
  "void ok": "first gateway's key is closed",
  "refund ok": "money given back",
  "reserve ok": "pieces set aside",
  "reserve not_available": "out of stock",
  "release ok": "pieces back on the shelf",
  "insert ok": "order written",
  "send ok": "confirmation sent",
  "send unavailable": "mail service is down, will try again",
};

const WORRIES: ReadonlySet<string> = new Set(["timeout", "unavailable", "card_declined", "not_available"]);

/** Prints what workers tell; times count from the making of the scene. */
export function openScene(terminal: Terminal): (message: WorkerMessage) => void {
  const { print, paint } = terminal;
  const startedMs = performance.now();
  const ended = new Set<string>();
  return (message) => {
    const line = message.kind === "world" ? worldLine(terminal, message.event) : endLine(terminal, message, ended);
    if (line === null) return;
    const time = `${((performance.now() - startedMs) / 1_000).toFixed(2)} s`;
    print(`${paint.dim(time.padStart(8))}  ${line}`);
  };
}

function worldLine({ paint }: Terminal, event: WorldEvent): string | null {
  if (event.kind === "acted" && event.operation === "charge" && event.reference === KILLED_ID) {
    return `${paint.cyan(event.reference)}  ${paint.dim(`${amountOf(event.reference)} charged, answer on its way`)}`;
  }
  if (event.kind !== "answered") return null;
  const amount = event.operation === "charge" && event.code === "ok" ? ` ${amountOf(event.reference)}` : "";
  const said = WORDS[`${event.operation} ${event.code}`] ?? `${event.service} ${event.operation}: ${event.code}`;
  const words = said + amount;
  const replayed = event.replayed ? paint.bold(" (same key: charged once)") : "";
  const told = WORRIES.has(event.code) ? paint.yellow(words) : words;
  return `${paint.cyan(event.reference)}  ${told}${replayed}`;
}

/** A second worker that starts an ended order again only hears how it ended. */
function endLine({ paint }: Terminal, message: WorkerMessage, ended: Set<string>): string | null {
  if (message.kind !== "ended") return null;
  if (ended.has(message.id)) return `${paint.cyan(message.id)}  ${paint.dim("ended before the crash, not run again")}`;
  ended.add(message.id);
  const done = message.state === "completed" ? paint.green("completed") : paint.red(`failed: ${message.error}`);
  return `${paint.cyan(message.id)}  ${paint.bold("■")} ${done}`;
}

function amountOf(id: string): string {
  const role = CAST.find((candidate) => candidate.id === id);
  return role === undefined ? "" : formatMoney(role.order.payment_info.amount, role.order.payment_info.currency);
}
