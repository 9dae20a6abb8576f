/**
 * Orders: the simulated orders database. It gives out the order ids.
 */
import { createHash } from "node:crypto";
import type { Answer, NewOrder, Orders, OrdersCode } from "../clients.ts";
import { findEffect, isClosed, performCall, refuse, type World } from "./world.ts";

const CLOSING = { service: "orders", operation: "cancel" } as const;

/** An orders database on the world's file. */
export function openOrders(world: World): Orders {
  const service = "orders";
  return {
    insert: (request, options) => {
      const call = { service, operation: "insert", stored: true, request, options } as const;
      return performCall(world, call, () => insert(world, request, options.idempotencyKey));
    },
    cancel: (request, options) => {
      const call = { service, operation: "cancel", stored: true, request, options } as const;
      return performCall(world, call, () => cancel(world, request.order_key));
    },
  };
}

/**
 * `ORD-YYYYMMDD-HEX8`: the date in UTC, and eight hex digits of a hash. Eight digits collide
 * one day, so `nonce` counts up until the id is free.
 */
export function orderIdFor(orderedAtMs: number, key: string, nonce: number): string {
  const date = new Date(orderedAtMs).toISOString().slice(0, 10).replaceAll("-", "");
  const hash = createHash("sha256").update(`${key}:${nonce}`).digest("hex").slice(0, 8);
  return `ORD-${date}-${hash.toUpperCase()}`;
}

function insert(
  world: World,
  order: NewOrder,
  key: string,
): Answer<{ order_id: string; status: "confirmed" }, OrdersCode> {
  if (order.lines.length === 0 || order.total <= 0) return refuse("invalid_order", "an order needs lines and a total");
  if (isClosed(world, CLOSING, "order_key", key)) return refuse("closed", "this key was closed");
  let nonce = 0;
  while (isTaken(world, orderIdFor(order.ordered_at_ms, key, nonce))) nonce += 1;
  return { ok: true, value: { order_id: orderIdFor(order.ordered_at_ms, key, nonce), status: "confirmed" } };
}

function isTaken(world: World, orderId: string): boolean {
  const find = "SELECT 1 FROM effects WHERE service = 'orders' AND operation = 'insert' AND result ->> 'order_id' = ?";
  return world.db.prepare(find).get(orderId) !== undefined;
}

function cancel(world: World, orderKey: string): Answer<{ had_order: boolean }, OrdersCode> {
  const written = findEffect(world, "orders", "insert", orderKey) !== null;
  return { ok: true, value: { had_order: written && !isClosed(world, CLOSING, "order_key", orderKey) } };
}
