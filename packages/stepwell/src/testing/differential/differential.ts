/**
 * Differential: the same random operations for several stores, every answer compared.
 *
 *     const model = { name: "model", open: async () => openModelStore() };
 *     const { divergence } = await compareStores([model, { name: "mine", open }], { seed: 1, operations: 20_000 });
 *
 * A world is some hundred operations from empty stores on. Runs, keys, workers and operations
 * are few, so that collisions are the rule: stale fences, writes submitted again, two workers
 * for one run, takeovers, parks with and without news, clocks that are set back. Every so
 * often everything that the port shows is compared as well. The seed of a world decides all.
 */
import { openDice } from "../../model/dice.ts";
import { StepwellError } from "../../model/errors.ts";
import { drawOperations } from "./draw-operation.ts";
import { lookAround } from "./look-around.ts";
import type { Operation, Side } from "./operation.ts";
import { describeRound, describeWay } from "./report.ts";
import { shrink } from "./shrink.ts";
import { closeTally, type OpenTally, type Tally, tallyAnswer } from "./tally.ts";
import { IDENTITIES, openView } from "./view.ts";
import { type Contender, findDisagreement, inWorld, putToAll, type Round } from "./world.ts";

/** How long and from where to compare. */
export type ComparisonOptions = {
  /** Whole number; the seed of the first world. Each next one has the next. */
  readonly seed: number;
  /** How many are drawn, in all worlds together; at least one world is played to its end. */
  readonly operations: number;
  /** False: more than the seed decides, so a disagreement is told as it was met and not looked for again. Default: true. */
  readonly repeatable?: boolean;
  /** Called after each world with how many operations were drawn so far. */
  readonly onWorld?: (operations: number) => void;
};

/** What a comparison came to. */
export type Comparison = {
  /** How many were drawn. */
  readonly operations: number;
  /** How often it began again from empty stores. */
  readonly worlds: number;
  /** What they came to, counted. */
  readonly tally: Tally;
  /** Null: the stores agree. */
  readonly divergence: Divergence | null;
};

/** Stores that answer differently. */
export type Divergence = {
  /** Of the world in which they do. */
  readonly seed: number;
  /** How many operations lead there, as few as could be found. */
  readonly operations: number;
  /** Seed, operations, and who answered what. */
  readonly text: string;
};

/** Operations of one world; longer ones cost more for what everything looks like. */
const WORLD_OPERATIONS = 300;

/** So often everything is compared. */
const LOOK_EVERY = 50;

/**
 * Put the same random operations to several stores, and compare every answer, until they disagree or so many are done.
 *
 * @param contenders two or more; by the first one it is chosen what is asked next, so let it be the model
 */
export async function compareStores(
  contenders: readonly Contender[],
  { seed, operations, repeatable = true, onWorld }: ComparisonOptions,
): Promise<Comparison> {
  if (contenders.length < 2) throw new StepwellError("OPTION_INVALID", "compareStores needs two stores or more");
  const tally: OpenTally = new Map();
  let drawn = 0;
  let worlds = 0;
  for (; drawn < operations; worlds += 1) {
    const played = await inWorld(contenders, (sides) => playWorld(sides, seed + worlds, tally));
    drawn += played.done.length;
    if (played.disagreement !== null) {
      const divergence = await explain(repeatable ? contenders : null, seed + worlds, played);
      return { operations: drawn, worlds: worlds + 1, tally: closeTally(tally), divergence };
    }
    onWorld?.(drawn);
  }
  return { operations: drawn, worlds, tally: closeTally(tally), divergence: null };
}

/** All that was done, up to the operation, or the look after it, that showed a disagreement. */
type Played = { readonly done: readonly Operation[]; readonly disagreement: Round | null };

async function playWorld(sides: readonly Side[], seed: number, tally: OpenTally): Promise<Played> {
  const view = openView(openDice(`differential ${seed}`), sides[0]!);
  const done: Operation[] = [];
  const follow: Operation[] = IDENTITIES.slice(1).map((identity) => ({ call: "ensureVersion", identity }));
  while (done.length < WORLD_OPERATIONS) {
    if (follow.length === 0) follow.push(...(await drawOperations(view)));
    const operation = follow.shift()!;
    done.push(operation);
    const round = await putToAll(sides, operation);
    tallyAnswer(tally, operation, round.answers[0]!.answer);
    if (!round.agreed) return { done, disagreement: round };
    if (done.length % LOOK_EVERY !== 0 && done.length < WORLD_OPERATIONS) continue;
    const disagreement = await findDisagreement(sides, lookAround(view));
    if (disagreement !== null) return { done, disagreement };
  }
  return { done, disagreement: null };
}

/** @param contenders who are to do it all again; null: nobody */
async function explain(
  contenders: readonly Contender[] | null,
  seed: number,
  { done, disagreement }: Played,
): Promise<Divergence> {
  const way = contenders === null ? null : await shrink(contenders, done);
  if (way !== null) return { seed, operations: way.operations.length, text: describeWay(way, seed, done.length) };
  const again = contenders === null ? "" : ", and not when they were done again";
  const led = `Seed ${seed} led to a disagreement after ${done.length} operations${again}.`;
  const met = disagreement === null ? "" : `\n${describeRound(disagreement)}`;
  return { seed, operations: done.length, text: `${led}${met}` };
}
