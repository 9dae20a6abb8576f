/**
 * Inventory: the simulated warehouse. A reservation takes its pieces off the shelf
 * at once; releasing puts them back. It notes when a reservation expires, and leaves
 * the clearing of expired ones to a person.
 */
import { createHash } from "node:crypto";
import type { Answer, Inventory, InventoryCode, Line, Reservation, StockChange } from "../clients.ts";
import { findEffect, isClosed, performCall, refuse, type World } from "./world.ts";

type Reserved = { readonly reservations: readonly Reservation[]; readonly changes: readonly StockChange[] };

/** A warehouse on the world's file. */
export function openInventory(world: World): Inventory {
  const service = "inventory";
  return {
    look: (request, options) => {
      const call = { service, operation: "look", stored: false, request, options } as const;
      return performCall<Readonly<Record<string, number>>, InventoryCode>(world, call, () => ({
        ok: true,
        value: look(world, request.product_ids),
      }));
    },
    reserve: (request, options) => {
      const call = { service, operation: "reserve", stored: true, request, options } as const;
      const key = options.idempotencyKey;
      return performCall(world, call, () => reserve(world, request.lines, { key, holdMs: request.hold_ms }));
    },
    release: (request, options) => {
      const call = { service, operation: "release", stored: true, request, options } as const;
      return performCall(world, call, () => release(world, request.hold_key));
    },
  };
}

function look(world: World, productIds: readonly string[]): Record<string, number> {
  const find = world.db.prepare("SELECT on_hand FROM stock WHERE product_id = ?");
  const onHand: [string, number][] = [];
  for (const id of productIds) {
    const row = find.get(id);
    if (row !== undefined) onHand.push([id, row.on_hand as number]);
  }
  return Object.fromEntries(onHand);
}

/** Two lines of one product count together, so the check comes before the first change. */
function reserve(
  world: World,
  lines: readonly Line[],
  hold: { readonly key: string; readonly holdMs: number },
): Answer<Reserved, InventoryCode> {
  const closing = { service: "inventory", operation: "release" } as const;
  if (isClosed(world, closing, "hold_key", hold.key)) return refuse("closed", "this key was closed");
  const wanted = new Map<string, number>();
  for (const line of lines) wanted.set(line.product_id, (wanted.get(line.product_id) ?? 0) + line.quantity);
  const onHand = look(world, [...wanted.keys()]);
  for (const [productId, quantity] of wanted) {
    const there = onHand[productId];
    if (there === undefined) return refuse("unknown_product", `no product ${productId}`);
    if (there < quantity) return refuse("not_available", `${productId}: ${quantity} wanted, ${there} on hand`);
  }
  const changes = [...wanted].map(([productId, quantity]) => move(world, productId, -quantity));
  const expiresAtMs = world.nowMs() + hold.holdMs;
  const reservations = lines.map((line, index) => ({
    ...line,
    reservation_id: `res_${createHash("sha256").update(`${hold.key}:${index}`).digest("hex").slice(0, 12)}`,
    expires_at_ms: expiresAtMs,
  }));
  return { ok: true, value: { reservations, changes } };
}

function release(
  world: World,
  holdKey: string,
): Answer<{ had_held: boolean; changes: readonly StockChange[] }, InventoryCode> {
  const reserved = findEffect(world, "inventory", "reserve", holdKey) as Reserved | null;
  const released = isClosed(world, { service: "inventory", operation: "release" }, "hold_key", holdKey);
  if (reserved === null || released) return { ok: true, value: { had_held: false, changes: [] } };
  const changes = reserved.changes.map((change) => move(world, change.product_id, change.from - change.to));
  return { ok: true, value: { had_held: true, changes } };
}

function move(world: World, productId: string, by: number): StockChange {
  const row = world.db
    .prepare("UPDATE stock SET on_hand = on_hand + ? WHERE product_id = ? RETURNING on_hand")
    .get(by, productId);
  const to = row?.on_hand as number;
  return { product_id: productId, from: to - by, to };
}
