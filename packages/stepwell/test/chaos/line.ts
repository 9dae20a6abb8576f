/**
 * Line: workers, and the client that asks them, reach the database by lines that delay, break, and fall silent (F9, F10).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import type { Harbour, Verdict } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";
import { DROPS } from "./network.ts";
import { type Fate, openProxy, PASS, type Proxy } from "./proxy.ts";

/** How bad, how long. */
export type Badness = {
  readonly dice: Dice;
  readonly workers: number;
  readonly lanes: number;
  /** Of a statement, to be struck. */
  readonly chance: number;
  /** Longest delay of a statement, of one in ten. */
  readonly delayMsMax: number;
  readonly ms: number;
};

/** What came of it. `strikes`: statements that came to harm; `silences`: times that nothing passed for a while. */
export type Disturbed = Verdict & { readonly strikes: number; readonly silences: number };

/** Disturb them all, each in its own way. */
export async function disturbLines(harbour: Harbour, badness: Badness): Promise<Disturbed> {
  const { dice, workers: count, lanes, ms } = badness;
  const proxies: Proxy[] = [];
  let [strikes, silences] = [0, 0];
  for (let index = 0; index <= count; index += 1) {
    const proxy = await openProxy(harbour.store);
    proxy.onStrike(() => (strikes += 1));
    proxies.push(proxy);
  }
  const [line, ...lines] = proxies;
  const load = { dice, lanes, workers: lines.map(({ url }) => ({ store: url })), client: { store: line!.url } };
  const verdict = await underLoad(harbour, load, async () => {
    for (const proxy of proxies) proxy.decide(() => drawFate(badness));
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs) {
      await sleep(300 + dice.integer(1_000));
      silences += await disturb(dice.pick(proxies), dice);
    }
    for (const proxy of proxies) proxy.decide(() => PASS);
  });
  await Promise.all(proxies.map((proxy) => proxy.close()));
  return { ...verdict, strikes, silences };
}

function drawFate({ dice, chance, delayMsMax }: Badness): Fate {
  if (dice.chance(chance)) return dice.pick(AT_ONCE);
  return dice.chance(0.1) ? { kind: "pass", delayMs: dice.integer(delayMsMax) } : PASS;
}

/** Nobody is there to deliver what is late. */
const AT_ONCE = DROPS.filter(({ kind }) => kind === "cut");

/** Cut all lines of one, or let them be silent; then 1 is returned. */
async function disturb(proxy: Proxy, dice: Dice): Promise<number> {
  if (dice.chance(0.5)) {
    proxy.cutAll(dice.chance(0.5) ? "fin" : "rst");
    return 0;
  }
  proxy.silence(true);
  await sleep(dice.integer(2_500));
  proxy.silence(false);
  return 1;
}
