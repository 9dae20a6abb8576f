/**
 * World: several stores that are told the same, from empty on, and asked whether they agree.
 */
import { isDeepStrictEqual } from "node:util";
import type { Store } from "../../store/store.ts";
import { openNames } from "./names.ts";
import { type Operation, perform, type Side } from "./operation.ts";

/** A store that takes part in a comparison. */
export type Contender = {
  /** As a divergence calls it. */
  readonly name: string;
  /** Gives an empty store; the comparison closes it. */
  readonly open: () => Promise<Store>;
};

/** An operation, and what each store answered. */
export type Round = {
  readonly operation: Operation;
  readonly answers: readonly { readonly name: string; readonly answer: unknown }[];
  readonly agreed: boolean;
};

/** Do something with empty stores, and close them. */
export async function inWorld<T>(
  contenders: readonly Contender[],
  work: (sides: readonly Side[]) => Promise<T>,
): Promise<T> {
  const sides: Side[] = [];
  try {
    for (const { name, open } of contenders) sides.push({ name, store: await open(), names: openNames() });
    return await work(sides);
  } finally {
    for (const { store } of sides) await store.close();
  }
}

/** Put one operation to each store in turn. */
export async function putToAll(sides: readonly Side[], operation: Operation): Promise<Round> {
  const answers: { name: string; answer: unknown }[] = [];
  for (const side of sides) answers.push({ name: side.name, answer: await perform(side, operation) });
  const agreed = answers.every(({ answer }) => isDeepStrictEqual(answer, answers[0]?.answer));
  return { operation, answers, agreed };
}

/** One after the other. The first round without agreement; null: there is none. */
export async function findDisagreement(
  sides: readonly Side[],
  operations: readonly Operation[],
): Promise<Round | null> {
  for (const operation of operations) {
    const round = await putToAll(sides, operation);
    if (!round.agreed) return round;
  }
  return null;
}
