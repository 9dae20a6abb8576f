/** Wanted: which runs a fleet is asked for. */
import type { Dice } from "../../src/model/dice.ts";
import type { FleetShape } from "./duties.ts";
import type { Wanted } from "./orders.ts";

/** What to draw runs from. */
export type Draw = {
  readonly dice: Dice;
  /** What every id begins with. */
  readonly name: string;
  readonly shapes: readonly FleetShape[];
  readonly count: number;
  /** Whether every ninth is cancelled once it has been started. */
  readonly cancelling: boolean;
};

/** The shapes in turn; the same dice, the same runs. */
export function drawRuns({ dice, name, shapes, count, cancelling }: Draw): readonly Wanted[] {
  return Array.from({ length: count }, (_, index) => ({
    shape: shapes[index % shapes.length]!,
    id: `${name}-${index}`,
    input: { salt: dice.integer(12), size: 1 + dice.integer(3) },
    cancelled: cancelling && index % 9 === 5 && index > 9,
  }));
}
