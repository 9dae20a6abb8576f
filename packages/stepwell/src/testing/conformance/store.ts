/**
 * Conformance: the one suite that every store passes, ours and third parties'.
 *
 *     testStore("my store", openEmptyStore, { describe, it, expect });
 *
 * Test names begin with the promise they hold: S1 to S10 of store/store.ts, P1 to P12
 * of the engine.
 */
import type { Store } from "../../store/store.ts";
import { approvals } from "./approvals.ts";
import { attempts } from "./attempts.ts";
import { breakers } from "./breakers.ts";
import { claims } from "./claims.ts";
import { crowds } from "./crowds.ts";
import { finding } from "./finding.ts";
import { flushes } from "./flushes.ts";
import { histories } from "./histories.ts";
import { inboxes } from "./inboxes.ts";
import { runs } from "./runs.ts";
import { others } from "./others.ts";
import { type Chapter, type Kit, type Opening, playOn } from "./scene.ts";
import { reopening } from "./reopening.ts";
import { requests } from "./requests.ts";
import { suspects } from "./suspects.ts";
import { transactions } from "./transactions.ts";
import { transitions } from "./transitions.ts";
import { workers } from "./workers.ts";

const CHAPTERS: Readonly<Record<string, Chapter>> = {
  runs,
  claims,
  flushes,
  crowds,
  transitions,
  transactions,
  inboxes,
  workers,
  histories,
  requests,
  reopening,
  suspects,
  attempts,
  finding,
  others,
  breakers,
  approvals,
};

/**
 * Declare the tests that every store must pass.
 *
 * @param name of the store, as the tests' heading
 * @param open gives an empty store each time; the suite closes it
 * @param kit  describe, it and expect of the test runner
 * @param openPeer gives the database of an open store as another process has it; left out when nobody can share it
 */
export function testStore(
  name: string,
  open: () => Promise<Store>,
  kit: Kit,
  openPeer: Opening["openPeer"] = null,
): void {
  const play = playOn(kit, { open, openPeer });
  kit.describe(`${name} store`, () => {
    for (const [chapter, declare] of Object.entries(CHAPTERS)) kit.describe(chapter, () => declare(kit, play));
  });
}
