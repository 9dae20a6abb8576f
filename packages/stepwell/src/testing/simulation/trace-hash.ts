/**
 * Trace hash: 64 bits over everything that happened, so that two runs of one seed
 * can be compared without keeping either. Two 32-bit lanes of multiply-and-xor
 * (as in cyrb53); not cryptographic.
 */

/** See the header. */
export type TraceHash = {
  readonly add: (text: string) => void;
  readonly addNumber: (value: number) => void;
  /** 16 hexadecimal digits. */
  readonly text: () => string;
};

/** A hash of nothing yet. */
export function openTraceHash(): TraceHash {
  let high = 0xdeadbeef | 0;
  let low = 0x41c6ce57 | 0;
  const addNumber = (value: number): void => {
    high = Math.imul(high ^ value, 2_654_435_761);
    low = Math.imul(low ^ value, 1_597_334_677);
    high ^= low >>> 15;
    low ^= high >>> 13;
  };
  return {
    addNumber,
    add: (text) => {
      for (let index = 0; index < text.length; index += 1) addNumber(text.charCodeAt(index));
      addNumber(-1);
    },
    text: () => hex(high) + hex(low),
  };
}

/** 22 characters for a text: enough to tell inputs apart in a simulation. */
export function shortHash(text: string): string {
  const hash = openTraceHash();
  hash.add(text);
  return hash.text().padEnd(22, "0");
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
