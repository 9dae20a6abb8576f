/**
 * Limits: how large one stored payload may be (P11).
 */

/** Bounds of one payload. */
export type Limits = {
  /** Length of the text in UTF-8. */
  readonly bytesMax: number;
  /** Containers inside one another; 0 allows none. At most 1,000: the walk recurses. */
  readonly depthMax: number;
  /** Keys of one object. Arrays, Maps and Sets are bounded by `bytesMax` alone. */
  readonly keysMax: number;
};

/** 2 MiB, depth 100, 10,000 keys. */
export const LIMITS_DEFAULT: Limits = { bytesMax: 2 * 1_024 * 1_024, depthMax: 100, keysMax: 10_000 };
