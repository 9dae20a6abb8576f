/**
 * Place: the folder of one courier. Its database stands alone in a folder, which may be a disk of its own; what must
 * survive every fault, the acknowledgements and the witness log, stands beside it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CourierOrders } from "./courier.ts";

/** Where things are. */
export type Place = {
  readonly folder: string;
  /** Holds the database and nothing else. */
  readonly data: string;
  readonly database: string;
  readonly acks: string;
  readonly witness: string;
};

/** Make the folders. */
export function openPlace(parent: string, name: string): Place {
  const folder = join(parent, name);
  const data = join(folder, "data");
  mkdirSync(data, { recursive: true });
  return { folder, data, database: join(data, "x.db"), acks: join(folder, "acks"), witness: join(folder, "witness") };
}

/** What Node is to run for a courier at that place. */
export function courierAt(
  { database, acks, witness }: Place,
  rest: Omit<CourierOrders, "database" | "acks" | "witness">,
): readonly [file: string, orders: string] {
  const orders: CourierOrders = { database, acks, witness, ...rest };
  return [join(import.meta.dirname, "courier.ts"), JSON.stringify(orders)];
}
