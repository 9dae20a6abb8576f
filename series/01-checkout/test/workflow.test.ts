/** The checkout as a whole: its door, its ids, many at once, and what a run leaves in its history. */
import { openEngine } from "stepwell";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openClients } from "../../growthcorp/world/clients.ts";
import { planFault } from "../../growthcorp/world/fault.ts";
import { countEffects, listCalls, sumMoney } from "../../growthcorp/world/ledger.ts";
import { closeWorld, openWorld, type World, type WorldEvent } from "../../growthcorp/world/world.ts";
import { generateOrders, sampleOrder } from "../sample-order.ts";
import { processOrder } from "../workflow.ts";

let world: World;
let watch: (event: WorldEvent) => void;
let closeEngine: () => Promise<void>;
let open: Awaited<ReturnType<typeof setup>>;

async function setup() {
  watch = () => {};
  const pace = { answerMs: 0, timeoutMs: 1, retryAfterMs: 60 };
  world = openWorld({ path: ":memory:", nowMs: Date.now, pace, watch: (event) => watch(event) });
  const checkout = processOrder(openClients(world), { retryBase: 2 });
  const engine = await openEngine({ store: "sqlite::memory:", workflows: [checkout] });
  closeEngine = engine.close;
  return { checkout, engine };
}

beforeEach(async () => {
  open = await setup();
});
afterEach(async () => {
  await closeEngine();
  closeWorld(world);
});

describe("a checkout", () => {
  it("gives the golden case its receipt", async () => {
    const { engine, checkout } = open;
    const run = await engine.start(checkout, sampleOrder(), { id: "order:golden" });
    const receipt = await run.result();
    expect(receipt).toMatchObject({ total: 12_476, status: "confirmed", gateway: "gateway-primary" });
    expect(receipt.order_id).toMatch(/^ORD-\d{8}-[0-9A-F]{8}$/);
    expect(receipt.message_id).toMatch(/^msg_/);
  });

  it("refuses at the door what is no order, before anything is stored or called", async () => {
    const { engine, checkout } = open;
    const order = sampleOrder();
    const spoilt = { ...order, payment_info: { ...order.payment_info, amount: 124.76 } };
    await expect(engine.start(checkout, spoilt, { id: "order:1" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    expect(await engine.list()).toEqual({ runs: [], cursor: null });
    expect(listCalls(world)).toEqual([]);
  });

  it("is the same run for the same id and order, and a conflict for another order", async () => {
    const { engine, checkout } = open;
    const first = await engine.start(checkout, sampleOrder(), { id: "order:1" });
    await first.result();
    const again = await engine.start(checkout, sampleOrder(), { id: "order:1" });
    expect(await again.result()).toEqual(await first.result());
    const other = engine.start(checkout, sampleOrder({ cart: { mat: 1 } }), { id: "order:1" });
    await expect(other).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    expect(countEffects(world)).toMatchObject({ charges: 1, orders: 1, emails: 1 });
  });

  it("undoes in reverse order of what was done", async () => {
    const { engine, checkout } = open;
    const run = await engine.start(checkout, sampleOrder({ email: "nobody@example.com" }), { id: "order:1" });
    expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "EMAIL_INVALID" } });
    const undone = listCalls(world).map((call) => call.operation);
    expect(undone.slice(-3)).toEqual(["cancel", "release", "refund"]);
  });

  it("waits as long as Retry-After says, not as long as its own backoff", async () => {
    const { engine, checkout } = open;
    const run = await engine.start(checkout, sampleOrder({ token: "test_rate_limit" }), { id: "order:1" });
    await run.result();
    const failed = (await run.history()).find((event) => event.kind === "attempt_failed");
    const { atMs, dueAtMs } = failed as unknown as { atMs: number; dueAtMs: number };
    expect(dueAtMs - atMs).toBe(60);
  });

  it("voids a key before it fails when the gateway locks us out after a lost answer", async () => {
    const { engine, checkout } = open;
    const at = { service: "gateway-primary", operation: "charge" } as const;
    planFault(world.db, { ...at, times: 1, trouble: { kind: "lose_answer" } });
    watch = (event) => {
      if (event.kind !== "acted" || event.operation !== "charge") return;
      planFault(world.db, { ...at, times: "always", trouble: { kind: "refuse", code: "unauthorised" } });
    };
    const run = await engine.start(checkout, sampleOrder(), { id: "order:1" });
    expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "GATEWAY_UNAUTHORISED" } });
    expect(countEffects(world)).toMatchObject({ charges: 1, refunds: 1, voids: 1, orders: 0 });
    expect(listCalls(world).some((call) => call.service === "gateway-fallback")).toBe(false);
  });

  it("keeps many orders apart: each is charged its own total, once", async () => {
    const { engine, checkout } = open;
    const orders = generateOrders(4_711, 40);
    planFault(world.db, {
      service: "orders",
      operation: "insert",
      times: 15,
      trouble: { kind: "refuse", code: "deadlock" },
    });
    planFault(world.db, {
      service: "gateway-primary",
      operation: "charge",
      times: 10,
      trouble: { kind: "lose_answer" },
    });
    const runs = await Promise.all(orders.map((order, n) => engine.start(checkout, order, { id: `order:${n}` })));
    const outcomes = await Promise.all(runs.map((run) => run.outcome()));
    for (const [n, outcome] of outcomes.entries()) {
      const id = `order:${n}`;
      const kept = Object.values(sumMoney(world, id)).reduce((sum, cents) => sum + cents, 0);
      expect([id, kept]).toEqual([id, outcome.state === "completed" ? orders[n]?.payment_info.amount : 0]);
      if (outcome.state !== "completed") continue;
      expect(countEffects(world, id)).toMatchObject({ charges: 1, refunds: 0, orders: 1, emails: 1 });
    }
    expect(outcomes.filter((outcome) => outcome.state === "completed").length).toBeGreaterThan(30);
  });
});
