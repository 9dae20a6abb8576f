/**
 * Scene: what a worker tells, as lines for people; one per thing that happened.
 */
import { formatMoney } from "../growthcorp/money.ts";
import type { Terminal } from "../growthcorp/terminal.ts";
import type { WorldEvent } from "../growthcorp/world/world.ts";
import type { Role } from "./demo-cast.ts";
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

/** What the service has not done again, by operation. */
const REPLAYED: Readonly<Record<string, string>> = {
  charge: "charged",
  insert: "written",
  reserve: "set aside",
  send: "sent",
};

const WORRIES: ReadonlySet<string> = new Set(["timeout", "unavailable", "card_declined", "not_available"]);

/** Prints what the workers of one task tell; times count from the making of the scene. */
export function openScene(terminal: Terminal, cast: readonly Role[]): (message: WorkerMessage) => void {
  const { paint } = terminal;
  const tell = openClock(terminal);
  const ended = new Set<string>();
  return (message) => {
    if (message.kind === "ready") return;
    const id = message.kind === "world" ? message.event.reference : message.id;
    const text =
      message.kind === "world" ? eventText(terminal, cast, message.event) : endText(terminal, message, ended.has(id));
    if (message.kind === "ended") ended.add(id);
    if (text !== null) tell(`${paint.cyan(id)}  ${text}`);
  };
}

/** Prints lines with the time that has passed since it was made. */
export function openClock({ print, paint }: Terminal): (line: string) => void {
  const startedMs = performance.now();
  return (line) => {
    const time = `${((performance.now() - startedMs) / 1_000).toFixed(2)} s`;
    print(`${paint.dim(time.padStart(8))}  ${line}`);
  };
}

/** What happened at a service, in words; null: nothing worth telling. */
export function eventText({ paint }: Terminal, cast: readonly Role[], event: WorldEvent): string | null {
  const { kind, operation, reference } = event;
  const role = cast.find((candidate) => candidate.id === reference);
  const amount = role === undefined ? "" : amountOf(role);
  if (kind === "acted" && operation === role?.killedDuring) {
    return paint.dim(`${operation === "charge" ? `${amount} charged` : "order written"}, answer on its way`);
  }
  if (kind !== "answered") return null;
  const said = WORDS[`${operation} ${event.code}`] ?? `${event.service} ${operation}: ${event.code}`;
  const words = operation === "charge" && event.code === "ok" ? `${said} ${amount}` : said;
  const told = WORRIES.has(event.code) ? paint.yellow(words) : words;
  return event.replayed ? told + paint.bold(` (same key: ${REPLAYED[operation] ?? "done"} once)`) : told;
}

/** How a run ended. A second worker that starts an ended order again only hears of it: `again`. */
export function endText({ paint }: Terminal, { state, error }: Pick<Ended, "state" | "error">, again = false): string {
  if (again) return paint.dim("ended before the crash, not run again");
  return `${paint.bold("■")} ${state === "completed" ? paint.green("completed") : paint.red(`failed: ${error}`)}`;
}

type Ended = Extract<WorkerMessage, { kind: "ended" }>;

function amountOf({ order }: Role): string {
  return formatMoney(order.payment_info.amount, order.payment_info.currency);
}
