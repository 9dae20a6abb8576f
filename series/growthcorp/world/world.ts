/**
 * World: the systems around a program, simulated in-process on one SQLite file of
 * their own. Their state, their log and their faults survive a kill -9 of the program.
 *
 *   W1. The same key has one effect and one result; the log shows every call.
 *   W2. The same key with another request is refused (`idempotency_conflict`).
 *   W3. An effect and its stored result commit together, before anything is answered.
 */
import { setTimeout as delay } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { CATALOGUE } from "../catalogue.ts";
import type { Answer, CallOptions, Refusal, TroubleCode } from "../clients.ts";
import { strikeFaults, type ServiceName, type Trouble } from "./fault.ts";
import { WORLD_SCHEMA } from "./schema.ts";

/** How fast the world is; all in milliseconds. */
export type Pace = {
  /** Every call takes at least so long. */
  readonly answerMs: number;
  /** How long a caller waits before it hears `timeout`. */
  readonly timeoutMs: number;
  /** `Retry-After` of the token test_rate_limit. */
  readonly retryAfterMs: number;
};

/** Fast enough for tests. */
export const PACE_TEST: Pace = { answerMs: 0, timeoutMs: 5, retryAfterMs: 30 };

/** Told while a call is under way: it arrived, it was acted on (for the first time), it was answered. */
export type WorldEvent = {
  readonly kind: "called" | "acted" | "answered";
  readonly service: ServiceName;
  readonly operation: string;
  readonly reference: string;
  /** `ok` or the refusal's code; empty until answered. */
  readonly code: string;
  /** Answered from the stored result of an earlier call with the same key. */
  readonly replayed: boolean;
};

/** An open world. */
export type World = {
  readonly db: DatabaseSync;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  readonly pace: Pace;
  readonly watch: ((event: WorldEvent) => void) | null;
};

/** Options of {@link openWorld}; `path` may be `:memory:`. */
export type WorldOptions = {
  readonly path: string;
  readonly nowMs: () => number;
  readonly pace?: Pace;
  readonly watch?: (event: WorldEvent) => void;
};

/** Longest wait for another process that writes the same file. */
const BUSY_MS = 10_000;

/** Open the world's file, and load the catalogue's stock if it is new. */
export function openWorld(options: WorldOptions): World {
  const db = new DatabaseSync(options.path, { timeout: BUSY_MS });
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  const world: World = { db, nowMs: options.nowMs, pace: options.pace ?? PACE_TEST, watch: options.watch ?? null };
  inTransaction(db, () => {
    db.exec(WORLD_SCHEMA);
    const insert = db.prepare("INSERT INTO stock (product_id, on_hand) VALUES (?, ?) ON CONFLICT DO NOTHING");
    for (const product of CATALOGUE) insert.run(product.id, product.stock);
  });
  return world;
}

/** Close the file; calls under way fail. */
export function closeWorld(world: World): void {
  world.db.close();
}

/** One call, as the log keeps it. `stored` calls have an effect and are idempotent by key; others only look. */
export type Call = {
  readonly service: ServiceName;
  readonly operation: string;
  readonly stored: boolean;
  readonly request: unknown;
  readonly options: CallOptions;
};

/**
 * Carry a call through: log it, let planned faults strike, act once per key, log the answer.
 *
 * @param act decides and changes the service's own tables; runs inside the transaction that stores its result
 * @throws the signal's reason when the caller gave up
 */
export async function performCall<Value, Code extends string>(
  world: World,
  call: Call,
  act: () => Answer<Value, Code>,
): Promise<Answer<Value, Code | TroubleCode>> {
  const { callId, troubles } = receive(world, call);
  await pause(world.pace.answerMs + delayOf(troubles, "before"), call.options.signal);
  const refused = troubles.find((trouble) => trouble.kind === "refuse");
  if (refused !== undefined) {
    return finish(world, call, callId, { answer: toRefusal<Code>(call, refused), replayed: false });
  }

  const { answer, replayed } = inTransaction(world.db, () => actOnce(world, call, act));
  if (answer.ok && !replayed) tell(world, call, { kind: "acted", code: "", replayed });
  await pause(delayOf(troubles, "after"), call.options.signal);
  const lost = troubles.some((trouble) => trouble.kind === "lose_answer");
  const heard = lost ? refuse<Code | TroubleCode>("timeout", "no answer in time") : answer;
  return finish(world, call, callId, { answer: heard, replayed });
}

/** Make a refusal. */
export function refuse<Code extends string>(code: Code, message: string, retryAfterMs?: number): Refusal<Code> {
  return { ok: false, code, message, retryAfterMs: retryAfterMs ?? null };
}

/** How often this key was called so far, the present call included. */
export function countCalls(world: World, call: Pick<Call, "service" | "operation" | "options">): number {
  const row = world.db
    .prepare("SELECT count(*) AS n FROM calls WHERE service = ? AND operation = ? AND key = ?")
    .get(call.service, call.operation, call.options.idempotencyKey);
  return row?.n as number;
}

/** The stored result of an effect by key, or null. */
export function findEffect(world: World, service: ServiceName, operation: string, key: string): unknown {
  const row = world.db
    .prepare("SELECT result FROM effects WHERE service = ? AND operation = ? AND key = ?")
    .get(service, operation, key);
  return row === undefined ? null : JSON.parse(row.result as string);
}

/** Whether an effect of that operation names `key` in that field of its request: how keys are closed. */
export function isClosed(
  world: World,
  closing: Pick<Call, "service" | "operation">,
  field: string,
  key: string,
): boolean {
  const find = "SELECT 1 FROM effects WHERE service = ? AND operation = ? AND request ->> ? = ?";
  return world.db.prepare(find).get(closing.service, closing.operation, field, key) !== undefined;
}

/** Store an effect; part of the transaction under way. */
export function storeEffect(world: World, call: Omit<Call, "stored">, result: unknown): void {
  world.db
    .prepare(
      `INSERT INTO effects (at_ms, service, operation, key, reference, request, result) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      world.nowMs(),
      call.service,
      call.operation,
      call.options.idempotencyKey,
      call.options.reference,
      JSON.stringify(call.request),
      JSON.stringify(result),
    );
}

function receive(world: World, call: Call): { callId: number; troubles: readonly Trouble[] } {
  const { service, operation, options } = call;
  const received = inTransaction(world.db, () => {
    const inserted = world.db
      .prepare("INSERT INTO calls (at_ms, service, operation, key, reference, request) VALUES (?, ?, ?, ?, ?, ?)")
      .run(world.nowMs(), service, operation, options.idempotencyKey, options.reference, JSON.stringify(call.request));
    const troubles = strikeFaults(world.db, { service, operation, reference: options.reference });
    for (const trouble of troubles) if (trouble.kind === "sell_out") sellOut(world, call, trouble.productId);
    return { callId: Number(inserted.lastInsertRowid), troubles };
  });
  tell(world, call, { kind: "called", code: "", replayed: false });
  return received;
}

/** The competing sale is an effect as well, so that the stock can be reconciled. */
function sellOut(world: World, call: Call, productId: string): void {
  const row = world.db.prepare("SELECT on_hand FROM stock WHERE product_id = ?").get(productId);
  const quantity = (row?.on_hand as number | undefined) ?? 0;
  if (quantity === 0) return;
  world.db.prepare("UPDATE stock SET on_hand = 0 WHERE product_id = ?").run(productId);
  const key = `elsewhere:${productId}:${call.options.idempotencyKey}`;
  const sale = {
    service: "inventory",
    operation: "sell_elsewhere",
    request: { product_id: productId, quantity },
  } as const;
  storeEffect(world, { ...sale, options: { idempotencyKey: key, reference: "elsewhere" } }, { quantity });
}

/** W1, W2, W3. */
function actOnce<Value, Code extends string>(
  world: World,
  call: Call,
  act: () => Answer<Value, Code>,
): { answer: Answer<Value, Code | TroubleCode>; replayed: boolean } {
  if (!call.stored) return { answer: act(), replayed: false };
  const known = world.db
    .prepare("SELECT request, result FROM effects WHERE service = ? AND operation = ? AND key = ?")
    .get(call.service, call.operation, call.options.idempotencyKey);
  if (known === undefined) {
    const answer = act();
    if (answer.ok) storeEffect(world, call, answer.value);
    return { answer, replayed: false };
  }
  if (known.request !== JSON.stringify(call.request)) {
    return { answer: refuse("idempotency_conflict", "this key was used for another request"), replayed: false };
  }
  return { answer: { ok: true, value: JSON.parse(known.result as string) as Value }, replayed: true };
}

/** Log the answer and hand it over; a `timeout` is heard, and logged, after the time it takes. */
async function finish<Value, Code extends string>(
  world: World,
  call: Call,
  callId: number,
  heard: { readonly answer: Answer<Value, Code>; readonly replayed: boolean },
): Promise<Answer<Value, Code>> {
  const { answer, replayed } = heard;
  const code = answer.ok ? "ok" : answer.code;
  if (code === "timeout") await pause(world.pace.timeoutMs, call.options.signal);
  world.db
    .prepare("INSERT INTO answers (call_id, at_ms, code, replayed) VALUES (?, ?, ?, ?)")
    .run(callId, world.nowMs(), code, replayed ? 1 : 0);
  tell(world, call, { kind: "answered", code, replayed });
  return answer;
}

function toRefusal<Code extends string>(
  call: Call,
  trouble: Extract<Trouble, { kind: "refuse" }>,
): Refusal<Code | TroubleCode> {
  const message = `${call.service} refused ${call.operation}: ${trouble.code}`;
  return refuse(trouble.code as Code, message, trouble.retryAfterMs);
}

function delayOf(troubles: readonly Trouble[], moment: "before" | "after"): number {
  let delayMs = 0;
  for (const trouble of troubles) if (trouble.kind === "delay" && trouble.moment === moment) delayMs += trouble.delayMs;
  return delayMs;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (ms <= 0) return;
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  }
}

function tell(world: World, call: Call, event: Pick<WorldEvent, "kind" | "code" | "replayed">): void {
  const { service, operation, options } = call;
  world.watch?.({ ...event, service, operation, reference: options.reference });
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
