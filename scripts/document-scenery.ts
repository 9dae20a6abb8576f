/**
 * Scenery: the names that a fragment in the documents may use without saying where they come from.
 *
 * A fragment is a `ts` block without imports. It is compiled inside an async function, with these names, with
 * everything that `stepwell` exports, and with zod's `z`.
 */

/** The module that fragments import their names from. Keep it short: a reader has to guess each name's meaning. */
export const SCENERY = `
import type { Ctx, Engine, Handler, RunHandle, Signal, StepContext, Workflow } from "stepwell";

type Item = { readonly id: string; readonly sku: string };
type Order = { readonly id: string; readonly cents: number; readonly customerId: string; readonly items: readonly Item[]; readonly opensAt: Date };
type Payment = { readonly id: string; readonly status: "paid" };
type Parcel = { readonly id: string };
type Keyed = { readonly idempotencyKey: string; readonly signal?: AbortSignal };

// A body, and what it is given.
export declare const ctx: Ctx;
export declare const order: Order;

// Outside of one.
export declare const engine: Engine;
export declare const run: RunHandle;
export declare const fulfil: Workflow<{ readonly item: string }, { readonly parcel: string }>;
export declare const invoice: Workflow<{ readonly order: Order }, { readonly number: string }>;
export declare const approval: Signal<{ readonly by: string }, { readonly by: string }>;
export declare const validateCart: Handler<{ readonly items: readonly Item[] }, { readonly cents: number }>;

// Services that steps call.
export declare const gateway: {
  readonly charge: (order: Order, call?: Keyed) => Promise<Payment>;
  readonly refund: (paymentId: string, call?: Keyed) => Promise<void>;
};
export declare const courier: {
  readonly ship: (item: Item, call?: Keyed) => Promise<Parcel>;
  readonly recall: (parcelId: string) => Promise<void>;
};
export declare function pay(step: StepContext): Promise<Payment>;
export declare function confirm(order: Order, call: { readonly signal: AbortSignal }): Promise<{ readonly card: string }>;
export declare function ship(item: Item): Promise<Parcel>;
export declare function mail(order: Order): Promise<void>;
export declare function readAll(): Promise<readonly unknown[]>;
export declare function writeTo(address: string): Promise<string>;
export declare function somethingElse(): Promise<void>;
export declare const rows: number;
export declare function copy(row: number, call: { readonly signal: AbortSignal }): Promise<void>;
export declare const url: string;
export declare const row: { readonly id: number; readonly total: number };
export declare class Invoice { constructor(from: unknown); readonly id: number; }
`;

const EXPORTED = [...SCENERY.matchAll(/^export declare (?:const|function|class) (\w+)/gm)].map((match) => match[1]!);

/** What `stepwell` exports as a value. */
const FRONT_DOOR = [
  ...["openEngine", "workflow", "signal", "handler"],
  ...["PermanentError", "RetryableError", "RunFailed", "StepwellError", "ERROR_CODES"],
];

/** First line of a compiled fragment, which begins on the second; `scenery` is where {@link SCENERY} was written. */
export function fragmentOpening(scenery: string): string {
  return [
    `import { ${FRONT_DOOR.join(", ")} } from "stepwell";`,
    `import { z } from "zod";`,
    `import { ${EXPORTED.join(", ")} } from "${scenery}";`,
    "export async function fragment() {",
  ].join(" ");
}
