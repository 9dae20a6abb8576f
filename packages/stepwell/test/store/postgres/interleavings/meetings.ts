/** Meetings: who meets whom, and where. */
import { mayMeet, type Operation } from "./operations.ts";
import { PAUSES } from "./pauses.ts";
import { type Meeting, nameOf } from "./theatre.ts";

/** Ways for two operations to meet, of which the first that comes about is enough. */
export type Choice = readonly Meeting[];

/** Of the sample each operation meets every so many of the others. */
const STRIDE = 61;

/** Two operations, either one held up, wherever it can be. */
export function listRace(one: Operation, other: Operation): readonly Choice[] {
  const orders =
    one === other
      ? [[one, other]]
      : [
          [one, other],
          [other, one],
        ];
  return orders.flatMap(([first, second]) => PAUSES.map((pause) => [{ first: first!, second: second!, pause }]));
}

/** All of them, or those whose name has the text. */
export function* listMeetings(operations: readonly Operation[], text: string): Generator<Choice> {
  for (const first of operations) {
    for (const second of operations) {
      if (!mayMeet(first, second)) continue;
      for (const pause of PAUSES) {
        const meeting = { first, second, pause };
        if (nameOf(meeting).includes(text)) yield [meeting];
      }
    }
  }
}

/** A few for each operation, each at one place, another one every time. */
export function* listSample(operations: readonly Operation[]): Generator<Choice> {
  for (const [row, first] of operations.entries()) {
    for (let column = row % STRIDE; column < operations.length; column += STRIDE) {
      const second = operations[column]!;
      if (!mayMeet(first, second)) continue;
      const from = (row + column) % PAUSES.length;
      yield [...PAUSES.slice(from), ...PAUSES.slice(0, from)].map((pause) => ({ first, second, pause }));
    }
  }
}
