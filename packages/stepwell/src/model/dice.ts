/**
 * Dice: seeded randomness that can be split, the same on every machine and in a browser.
 *
 * 32-bit integer arithmetic only. Seeding is cyrb128 (bryc, public domain:
 * github.com/bryc/code/blob/master/jshash/PRNGs.md). The stream is sfc32 of Chris
 * Doty-Humphrey's PractRand (public domain, src/RNGs/sfc.cpp), warmed up 12 rounds as there.
 * Good for ids, jitter and simulation; not for secrets.
 */
import { StepwellError } from "./codes.ts";

/** A stream of random numbers. Every call but `split` advances it. */
export type Dice = {
  /** In [0, 1), with 53 random bits. */
  readonly next: () => number;
  /** Whole number in [0, below), each equally likely; `below` from 1 to 2^32. */
  readonly integer: (below: number) => number;
  /** True with probability `p`; always for 1, never for 0. */
  readonly chance: (p: number) => boolean;
  /** One of the elements; OPTION_INVALID when there is none. */
  readonly pick: <T>(from: readonly T[]) => T;
  /** An independent stream that depends on the seed and the label alone, not on what was drawn before. */
  readonly split: (label: string) => Dice;
  /** A UUID in the layout of version 4 (RFC 9562), its 122 bits from this stream. */
  readonly uuid: () => string;
};

type Words = readonly [number, number, number, number];

const TWO_32 = 4_294_967_296;
const WARM_UP_ROUNDS = 12;

/** The stream of a seed: the same seed, the same numbers. */
export function openDice(seed: string): Dice {
  return diceOf(hashWords(seed));
}

function diceOf(seed: Words): Dice {
  const draw = openStream(seed);
  const next = (): number => ((draw() >>> 5) * 67_108_864 + (draw() >>> 6)) / 9_007_199_254_740_992;
  const integer = (below: number): number => drawBelow(draw, below);
  return {
    next,
    integer,
    chance: (p) => next() < p,
    pick: (from) => from[integer(from.length)]!,
    split: (label) => diceOf(hashWords(`${seed.map(toHex).join("")}/${label}`)),
    uuid: () => uuidOf(draw),
  };
}

/** sfc32: three words of state and a counter. Returns unsigned 32-bit words. */
function openStream(seed: Words): () => number {
  let [a, b, c, counter] = seed;
  const draw = (): number => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word >>> 0;
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) draw();
  return draw;
}

/** cyrb128: 128 bits from a text, by UTF-16 code unit. */
function hashWords(text: string): Words {
  let h1 = 1_779_033_703;
  let h2 = 3_144_134_277;
  let h3 = 1_013_904_242;
  let h4 = 2_773_480_762;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    h1 = h2 ^ Math.imul(h1 ^ unit, 597_399_067);
    h2 = h3 ^ Math.imul(h2 ^ unit, 2_869_860_233);
    h3 = h4 ^ Math.imul(h3 ^ unit, 951_274_213);
    h4 = h1 ^ Math.imul(h4 ^ unit, 2_716_044_179);
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597_399_067);
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2_869_860_233);
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951_274_213);
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2_716_044_179);
  h1 ^= h2 ^ h3 ^ h4;
  return [h1 >>> 0, (h2 ^ h1) >>> 0, (h3 ^ h1) >>> 0, (h4 ^ h1) >>> 0];
}

/** Words above the largest multiple of `below` are drawn again, so that no result is likelier. */
function drawBelow(draw: () => number, below: number): number {
  if (!Number.isInteger(below) || below < 1 || below > TWO_32) {
    throw new StepwellError("OPTION_INVALID", `dice: a choice among ${below} is impossible; 1 to 2^32 are`);
  }
  const fairBelow = TWO_32 - (TWO_32 % below);
  let word = draw();
  while (word >= fairBelow) word = draw();
  return word % below;
}

function uuidOf(draw: () => number): string {
  const a = toHex(draw());
  const b = toHex((draw() & 0xffff0fff) | 0x4000);
  const c = toHex((draw() & 0x3fffffff) | 0x80000000);
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${toHex(draw())}`;
}

function toHex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
