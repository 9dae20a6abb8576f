/** The simulated systems are honest: same key, same result; faults and books outlive the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { CallOptions } from "../clients.ts";
import { openClients } from "../world/clients.ts";
import { liftFaults, planFault } from "../world/fault.ts";
import { countEffects, listCalls, stockOf, sumMoney, sumStockMoves } from "../world/ledger.ts";
import { closeWorld, openWorld, type World } from "../world/world.ts";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

function setup(path = ":memory:") {
  let nowMs = 1_763_640_000_000;
  const world = openWorld({
    path,
    nowMs: () => (nowMs += 1),
    pace: { answerMs: 0, timeoutMs: 0, retryAfterMs: 30_000 },
  });
  cleanups.push(() => world.db.isOpen && closeWorld(world));
  return { world, ...openClients(world) };
}

const key = (idempotencyKey: string, reference = "order:1"): CallOptions => ({ idempotencyKey, reference });
const charge = (token: string) => ({ amount: 12_476, currency: "USD", method: "credit_card", token }) as const;
const code = (answer: { ok: boolean; code?: string }): string => (answer.ok ? "ok" : (answer.code ?? ""));

/** Makes the stored order look like one of another key, which is how a collision of hashes would look. */
function forgetKey(world: World, idempotencyKey: string): void {
  world.db.exec("DROP TRIGGER effects_kept");
  world.db.prepare("UPDATE effects SET key = 'another' WHERE key = ?").run(idempotencyKey);
}

describe("a call", () => {
  it("has one effect and one result per key, and the log shows both calls", async () => {
    const { world, gateways } = setup();
    const first = await gateways.primary.charge(charge("test_success"), key("k1"));
    const second = await gateways.primary.charge(charge("test_success"), key("k1"));
    expect(second).toEqual(first);
    expect(countEffects(world).charges).toBe(1);
    expect(listCalls(world).map((call) => call.replayed)).toEqual([false, true]);
  });

  it("is refused when the key was used for another request", async () => {
    const { world, gateways } = setup();
    await gateways.primary.charge(charge("test_success"), key("k1"));
    const other = await gateways.primary.charge({ ...charge("test_success"), amount: 1 }, key("k1"));
    expect(code(other)).toBe("idempotency_conflict");
    expect(sumMoney(world)).toEqual({ "gateway-primary": 12_476 });
  });

  it("is refused by a planned fault so often and no more", async () => {
    const { world, mailer } = setup();
    planFault(world.db, {
      service: "mailer",
      operation: "send",
      times: 2,
      trouble: { kind: "refuse", code: "unavailable" },
    });
    const send = () => mailer.send({ to: "a@example.com", subject: "s", body: "b" }, key("m"));
    expect([code(await send()), code(await send()), code(await send())]).toEqual(["unavailable", "unavailable", "ok"]);
    expect(countEffects(world).emails).toBe(1);
  });

  it("is refused until the fault is lifted, when it strikes always", async () => {
    const { world, orders } = setup();
    planFault(world.db, {
      service: "orders",
      operation: "cancel",
      times: "always",
      trouble: { kind: "refuse", code: "deadlock" },
    });
    for (let call = 0; call < 5; call += 1) {
      expect(code(await orders.cancel({ order_key: "x" }, key("c")))).toBe("deadlock");
    }
    liftFaults(world.db, "orders");
    expect(code(await orders.cancel({ order_key: "x" }, key("c")))).toBe("ok");
  });

  it("is spared by a fault of another order", async () => {
    const { world, mailer } = setup();
    const trouble = { kind: "refuse", code: "unavailable" } as const;
    planFault(world.db, { service: "mailer", operation: "send", reference: "order:2", times: 1, trouble });
    const mail = { to: "a@example.com", subject: "s", body: "b" };
    expect(code(await mailer.send(mail, key("m1", "order:1")))).toBe("ok");
    expect(code(await mailer.send(mail, key("m2", "order:2")))).toBe("unavailable");
  });

  it("takes effect when only its answer is lost", async () => {
    const { world, gateways } = setup();
    planFault(world.db, {
      service: "gateway-primary",
      operation: "charge",
      times: 1,
      trouble: { kind: "lose_answer" },
    });
    expect(code(await gateways.primary.charge(charge("test_success"), key("k1")))).toBe("timeout");
    expect(countEffects(world).charges).toBe(1);
    expect(code(await gateways.primary.charge(charge("test_success"), key("k1")))).toBe("ok");
    expect(countEffects(world).charges).toBe(1);
  });

  it("rejects with the caller's reason when the caller gives up, and has no effect before it acted", async () => {
    const { world, inventory } = setup();
    const trouble = { kind: "delay", moment: "before", delayMs: 60_000 } as const;
    planFault(world.db, { service: "inventory", operation: "look", times: 1, trouble });
    const controller = new AbortController();
    const looking = inventory.look({ product_ids: ["mouse"] }, { ...key("l"), signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(looking).rejects.toThrow("enough");
    expect(listCalls(world)).toEqual([expect.objectContaining({ operation: "look", code: null })]);
  });

  it("leaves books that cannot be changed", async () => {
    const { world, gateways } = setup();
    await gateways.primary.charge(charge("test_success"), key("k1"));
    for (const table of ["calls", "answers", "effects"]) {
      expect(() => world.db.exec(`DELETE FROM ${table}`)).toThrow("append-only");
      expect(() => world.db.exec(`UPDATE ${table} SET at_ms = 0`)).toThrow("append-only");
    }
  });
});

describe("the world's file", () => {
  it("keeps effects, log, stock and struck faults over a reopening", async () => {
    const dir = mkdtempSync(join(tmpdir(), "stepwell-world-"));
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
    const path = join(dir, "world.db");
    const before = setup(path);
    const trouble = { kind: "refuse", code: "timeout" } as const;
    planFault(before.world.db, { service: "inventory", operation: "reserve", times: 1, trouble });
    const lines = [{ product_id: "mouse", quantity: 3 }];
    const reserve = (of: typeof before) => of.inventory.reserve({ customer_id: "c", lines, hold_ms: 1 }, key("r"));
    expect(code(await reserve(before))).toBe("timeout");
    await before.gateways.primary.charge(charge("test_success"), key("k1"));
    closeWorld(before.world);

    const after = setup(path);
    expect(code(await reserve(after))).toBe("ok");
    expect(countEffects(after.world)).toMatchObject({ charges: 1, reservations: 1 });
    expect(stockOf(after.world, "mouse")).toBe(397);
    expect(listCalls(after.world)).toHaveLength(3);
  });
});

describe("a gateway", () => {
  it.each([
    ["test_success", ["ok"]],
    ["test_insufficient", ["insufficient_funds", "insufficient_funds"]],
    ["test_declined", ["card_declined", "card_declined"]],
    ["test_invalid", ["invalid_card"]],
    ["anything else", ["invalid_card"]],
    ["test_timeout", ["timeout", "timeout", "ok"]],
    ["test_rate_limit", ["rate_limited", "ok"]],
    ["test_unavailable", ["unavailable", "unavailable", "unavailable", "unavailable"]],
  ])("answers the token %s with %j", async (token, codes) => {
    const { gateways } = setup();
    const heard: string[] = [];
    for (const _ of codes) heard.push(code(await gateways.primary.charge(charge(token), key("k1"))));
    expect(heard).toEqual(codes);
  });

  it("says when to come back", async () => {
    const { gateways } = setup();
    const answer = await gateways.primary.charge(charge("test_rate_limit"), key("k1"));
    expect(answer).toMatchObject({ ok: false, retryAfterMs: 30_000 });
  });

  it("declines at the fallback what any bank declines, and charges what only the primary could not", async () => {
    const { gateways } = setup();
    expect(code(await gateways.fallback.charge(charge("test_declined"), key("k1")))).toBe("card_declined");
    expect(code(await gateways.fallback.charge(charge("test_unavailable"), key("k2")))).toBe("ok");
  });

  it("refunds a payment once, whatever the key, and an unknown one never", async () => {
    const { world, gateways } = setup();
    const paid = await gateways.primary.charge(charge("test_success"), key("k1"));
    const payment_id = paid.ok ? paid.value.payment_id : "";
    expect(code(await gateways.primary.refund({ payment_id }, key("r1")))).toBe("ok");
    expect(code(await gateways.primary.refund({ payment_id }, key("r1")))).toBe("ok");
    expect(code(await gateways.primary.refund({ payment_id }, key("r2")))).toBe("already_refunded");
    expect(code(await gateways.fallback.refund({ payment_id }, key("r3")))).toBe("unknown_payment");
    expect(countEffects(world)).toMatchObject({ charges: 1, refunds: 1 });
    expect(sumMoney(world)).toEqual({ "gateway-primary": 0 });
  });

  it("gives a charged key's money back when it is voided, once", async () => {
    const { world, gateways } = setup();
    await gateways.primary.charge(charge("test_success"), key("k1"));
    const closed = await gateways.primary.void({ charge_key: "k1" }, key("v1"));
    expect(closed).toMatchObject({ ok: true, value: { had_charged: true } });
    await gateways.primary.void({ charge_key: "k1" }, key("v2"));
    expect(countEffects(world)).toMatchObject({ charges: 1, refunds: 1 });
  });

  it("refuses a charge that arrives after its key was voided", async () => {
    const { world, gateways } = setup();
    const closed = await gateways.primary.void({ charge_key: "k1" }, key("v1"));
    expect(closed).toMatchObject({ ok: true, value: { had_charged: false } });
    expect(code(await gateways.primary.charge(charge("test_success"), key("k1")))).toBe("voided");
    expect(countEffects(world).charges).toBe(0);
  });
});

describe("the warehouse", () => {
  const lines = (quantity: number, product_id = "camera") => [{ product_id, quantity }];

  it("reserves all lines or none", async () => {
    const { world, inventory } = setup();
    const both = [...lines(2, "mouse"), ...lines(2, "camera")];
    expect(code(await inventory.reserve({ customer_id: "c", lines: both, hold_ms: 1 }, key("r")))).toBe(
      "not_available",
    );
    expect([stockOf(world, "mouse"), stockOf(world, "camera")]).toEqual([400, 1]);
  });

  it("counts two lines of one product together", async () => {
    const { inventory } = setup();
    const twice = [...lines(1), ...lines(1)];
    expect(code(await inventory.reserve({ customer_id: "c", lines: twice, hold_ms: 1 }, key("r")))).toBe(
      "not_available",
    );
  });

  it("takes pieces off the shelf, holds them for the time asked, and puts them back once", async () => {
    const { world, inventory } = setup();
    const answer = await inventory.reserve({ customer_id: "c", lines: lines(3, "dock"), hold_ms: 900_000 }, key("r"));
    const reserved = answer.ok ? answer.value : { reservations: [], changes: [] };
    expect(reserved.changes).toEqual([{ product_id: "dock", from: 60, to: 57 }]);
    expect((reserved.reservations[0]?.expires_at_ms ?? 0) - world.nowMs()).toBeGreaterThan(899_000);
    for (const again of ["u", "u", "u2"]) {
      expect(code(await inventory.release({ hold_key: "r" }, key(again)))).toBe("ok");
      expect(stockOf(world, "dock")).toBe(60);
    }
    expect(countEffects(world)).toMatchObject({ reservations: 1, releases: 1 });
    expect(sumStockMoves(world, "dock")).toBe(0);
  });

  it("refuses a reservation that arrives after its key was closed", async () => {
    const { world, inventory } = setup();
    const closed = await inventory.release({ hold_key: "r" }, key("u"));
    expect(closed).toMatchObject({ ok: true, value: { had_held: false } });
    const late = await inventory.reserve({ customer_id: "c", lines: lines(1), hold_ms: 1 }, key("r"));
    expect([code(late), stockOf(world, "camera"), countEffects(world).releases]).toEqual(["closed", 1, 0]);
  });

  it("can be emptied by somebody else, and its books still add up", async () => {
    const { world, inventory } = setup();
    const trouble = { kind: "sell_out", productId: "chair" } as const;
    planFault(world.db, { service: "inventory", operation: "reserve", times: 1, trouble });
    const request = { customer_id: "c", lines: lines(1, "chair"), hold_ms: 1 };
    expect(code(await inventory.reserve(request, key("r")))).toBe("not_available");
    expect(stockOf(world, "chair")).toBe(0);
    expect(sumStockMoves(world, "chair")).toBe(-12);
  });
});

describe("the orders database", () => {
  const order = {
    customer_id: "c",
    payment_id: "p",
    reservation_ids: [],
    lines: [{ product_id: "mouse", quantity: 1 }],
    total: 1,
    currency: "USD",
    address: "a",
    ordered_at_ms: Date.UTC(2026, 10, 20, 23, 59),
  } as const;

  it("gives each key one id of the published form", async () => {
    const { world, orders } = setup();
    const first = await orders.insert(order, key("o1"));
    const again = await orders.insert(order, key("o1"));
    const other = await orders.insert(order, key("o2"));
    const id = first.ok ? first.value.order_id : "";
    expect(id).toMatch(/^ORD-20261120-[0-9A-F]{8}$/);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(countEffects(world).orders).toBe(2);
  });

  it("goes on to the next id when one is taken", async () => {
    const { world, orders } = setup();
    const taken = await orders.insert(order, key("o1"));
    const id = taken.ok ? taken.value.order_id : "";
    forgetKey(world, "o1");
    const next = await orders.insert(order, key("o1"));
    expect(next.ok && next.value.order_id).toMatch(/^ORD-20261120-[0-9A-F]{8}$/);
    expect(next.ok && next.value.order_id).not.toBe(id);
  });

  it("cancels what was written under a key once, and refuses what arrives late", async () => {
    const { world, orders } = setup();
    await orders.insert(order, key("o1"));
    await orders.cancel({ order_key: "o1" }, key("c1"));
    await orders.cancel({ order_key: "o1" }, key("c2"));
    await orders.cancel({ order_key: "o2" }, key("c3"));
    expect(code(await orders.insert(order, key("o2")))).toBe("closed");
    expect(countEffects(world)).toMatchObject({ orders: 1, cancellations: 1 });
  });

  it("refuses an order without lines", async () => {
    const { orders } = setup();
    expect(code(await orders.insert({ ...order, lines: [] }, key("o")))).toBe("invalid_order");
  });
});
