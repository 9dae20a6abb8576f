/**
 * Conformance: the one suite that every store passes, ours and third parties'.
 *
 *     testStore("my store", openEmptyStore, { describe, it, expect });
 *
 * Test names begin with the promise they hold: S1 to S7 of store/store.ts, P1 to P12
 * of the engine.
 */
import type { Store } from "../../store/store.ts";
import { claims } from "./claims.ts";
import { flushes } from "./flushes.ts";
import { histories } from "./histories.ts";
import { inboxes } from "./inboxes.ts";
import { runs } from "./runs.ts";
import { type Chapter, type Kit, playOn } from "./scene.ts";
import { transitions } from "./transitions.ts";
import { workers } from "./workers.ts";

const CHAPTERS: Readonly<Record<string, Chapter>> = {
  runs,
  claims,
  flushes,
  transitions,
  inboxes,
  workers,
  histories,
};

/**
 * Declare the suite.
 *
 * @param name of the store, as the tests' heading
 * @param open gives an empty store each time; the suite closes it
 * @param kit  describe, it and expect of the test runner
 */
export function testStore(name: string, open: () => Promise<Store>, kit: Kit): void {
  const play = playOn(kit, open);
  kit.describe(`${name} store`, () => {
    for (const [chapter, declare] of Object.entries(CHAPTERS)) kit.describe(chapter, () => declare(kit, play));
  });
}
