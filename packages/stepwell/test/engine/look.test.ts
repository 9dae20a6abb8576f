/** When a worker looks next, as a table: as early as somebody wants, and no later than its poll. */
import { expect, it } from "vitest";
import type { Deps } from "../../src/engine/deps.ts";
import { forgetLook, planLook } from "../../src/engine/look.ts";
import { newSlots } from "../../src/engine/slots.ts";
import { openClock } from "../../src/testing/kit/clock.ts";

/** `looks`: the moments of all looks until no more is planned. */
function aPlan() {
  const clock = openClock(0);
  const host = { monotonicMs: clock.nowMs, timer: clock.timer };
  const deps = { host, settings: { pollMs: 1_000 } } as unknown as Deps;
  const slots = newSlots(1);
  const seen: number[] = [];
  const look = (): void => void seen.push(clock.nowMs());
  const looks = (): readonly number[] => {
    while (clock.nextAtMs() !== null) clock.fireNext();
    return seen;
  };
  return { clock, looks, plan: (inMs: number) => planLook(deps, slots, inMs, look), forget: () => forgetLook(slots) };
}

it("an earlier moment takes the place of a later one", () => {
  const { looks, plan } = aPlan();
  plan(500);
  plan(200);
  expect(looks()).toEqual([200]);
});

it("a later moment does not put off an earlier one", () => {
  const { looks, plan } = aPlan();
  plan(200);
  plan(500);
  expect(looks()).toEqual([200]);
});

it("no look is later than the poll", () => {
  const { looks, plan } = aPlan();
  plan(Infinity);
  expect(looks()).toEqual([1_000]);
});

it("a look that has begun holds up no other", () => {
  const { looks, plan } = aPlan();
  plan(200);
  looks();
  plan(500);
  expect(looks()).toEqual([200, 700]);
});

it("what is forgotten does not come, and holds up no other", () => {
  const { looks, plan, forget } = aPlan();
  plan(200);
  forget();
  plan(500);
  expect(looks()).toEqual([500]);
});
