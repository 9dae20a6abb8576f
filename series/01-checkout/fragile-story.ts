/**
 * Fragile stories: the naive checkout on its bad nights, and what its customers got.
 */
import { join } from "node:path";
import { formatMoney } from "../growthcorp/money.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { type Fault, planFault } from "../growthcorp/world/fault.ts";
import { countEffects, type Effects, sumMoney } from "../growthcorp/world/ledger.ts";
import { closeWorld, openWorld, PACE_TEST, type World } from "../growthcorp/world/world.ts";
import { fragileCheckout } from "./fragile.ts";
import { killWorker } from "./play.ts";
import { sampleOrder } from "./sample-order.ts";
import type { Kill } from "./scenarios.ts";

/** One bad night. `bug` is what the naive checkout does wrong, told by its effects. */
export type FragileStory = {
  readonly name: string;
  readonly shows: string;
  readonly faults: readonly Fault[];
  readonly kill?: Kill;
  /** True when the fault shows in these effects. */
  readonly bug: (effects: Effects) => boolean;
};

/** Charged twice by a crash, twice by a lost answer, and once for nothing. */
export const FRAGILE_STORIES: readonly FragileStory[] = [
  {
    name: "crash after the charge",
    shows: "The process is killed with -9 after the gateway charged. The customer tries again.",
    faults: [],
    kill: { service: "gateway-primary", operation: "charge", moment: "after" },
    bug: (effects) => effects.charges === 2 && effects.refunds === 0 && effects.orders === 1,
  },
  {
    name: "lost answer",
    shows: "The gateway charges, its answer is lost, the retry charges again.",
    faults: [{ service: "gateway-primary", operation: "charge", times: 1, trouble: { kind: "lose_answer" } }],
    bug: (effects) => effects.charges === 2 && effects.refunds === 0 && effects.orders === 1,
  },
  {
    name: "out of stock after the charge",
    shows: "The last keyboard is gone when the warehouse is asked. The money is not.",
    faults: [
      { service: "inventory", operation: "reserve", times: 1, trouble: { kind: "sell_out", productId: "keyboard" } },
    ],
    bug: (effects) => effects.charges === 1 && effects.refunds === 0 && effects.orders === 0,
  },
];

const ORDER_ID = "order:1";

/** Play a story in `dir`, an empty folder; the lines say what was left behind. */
export async function playFragile(story: FragileStory, dir: string): Promise<readonly string[]> {
  const worldPath = join(dir, "world.db");
  const world = openWorld({ path: worldPath, nowMs: Date.now });
  try {
    const said = await sell(world, story, worldPath);
    const effects = countEffects(world);
    const kept = Object.values(sumMoney(world)).reduce((sum, cents) => sum + cents, 0);
    return [
      `the checkout said: ${said}`,
      `charges ${effects.charges}, refunds ${effects.refunds}, orders ${effects.orders}, e-mails ${effects.emails}`,
      `the order was over ${formatMoney(sampleOrder().payment_info.amount)}, the customer paid ${formatMoney(kept)}`,
      story.bug(effects) ? "this is the bug" : "the bug did not show",
    ];
  } finally {
    closeWorld(world);
  }
}

async function sell(world: World, story: FragileStory, worldPath: string): Promise<string> {
  for (const fault of story.faults) planFault(world.db, fault);
  const order = sampleOrder();
  if (story.kill !== undefined) {
    const task = { store: "", worldPath, pace: PACE_TEST, retryBase: 0, orders: [{ id: ORDER_ID, order }] };
    await killWorker(world, story.kill, { ...task, checkout: "fragile" });
  }
  let calls = 0;
  try {
    await fragileCheckout(openClients(world), ORDER_ID, order, () => `call-${(calls += 1)}`);
    return story.kill === undefined ? "ok" : "nothing, then ok";
  } catch (error) {
    return `sorry (${error instanceof Error ? error.message : String(error)})`;
  }
}
