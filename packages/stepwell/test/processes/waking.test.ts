/**
 * What one process stores wakes another, and a dead one's runs go on, without any lease or poll: those are an hour away
 * (child.ts), so that a test which waits for one is out of time, and none depends on how fast the machine is.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Family, openFamily } from "./family.ts";

const TEST_MS_MAX = 60_000;

let family: Family;
beforeEach(() => {
  family = openFamily();
});
afterEach(() => family.end());

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("across processes", () => {
  it(
    "P6: a signal and a cancel reach a run that is executed elsewhere, and its end comes back",
    async () => {
      const [worker, web] = [await family.bear("worker", 4), await family.bear("web")];
      for (const id of ["signalled", "cancelled"]) {
        await web.tell("startHot", id);
        await until(async () => (await web.tell<string>("state", id)) === "running");
      }
      const signalled = await web.tell<{ readonly value: string; readonly ms: number }>("signal", "signalled");
      const cancelled = await web.tell<{ readonly state: string; readonly ms: number }>("cancel", "cancelled");
      console.log(`signal to result ${signalled.ms.toFixed(0)} ms, cancel to end ${cancelled.ms.toFixed(0)} ms`);
      expect([signalled.value, cancelled.state]).toEqual(["went", "cancelled"]);
      await worker.tell("close");
    },
    TEST_MS_MAX,
  );

  it(
    "P6: a decision reaches a run that is executed elsewhere, its verdict comes back, and a kill in between changes nothing",
    async () => {
      const [worker, web] = [await family.bear("worker", 4), await family.bear("web")];
      await web.tell("startAsking", "a");
      await until(async () => (await web.tell<number>("asked")) === 1);
      expect(await web.tell("approve", { id: "a", actor: "kim", n: "none" })).toBe("APPROVAL_FORM_INVALID");
      await worker.kill();
      const told = web.tell("approve", { id: "a", actor: "lee", n: 1 });
      await family.bear("heir", 4);
      expect(await told).toEqual({ state: "accepted", approval: "approved" });
      expect(await web.tell("askResult", "a")).toBe("lee");
      expect(await web.tell("asked")).toBe(0);
    },
    TEST_MS_MAX,
  );

  it(
    "S8: what a web process starts is taken up by an idle worker without waiting for its poll",
    async () => {
      const web = await family.bear("web");
      await family.bear("worker", 4);
      const ids = Array.from({ length: 20 }, (_, index) => `run-${index}`);
      const ms = await web.tell<number>("oneByOne", { ids, work: { steps: 1, stepMs: 0 } });
      console.log(`start to result ${(ms / ids.length).toFixed(0)} ms on average`);
    },
    TEST_MS_MAX,
  );

  it(
    "P9: the runs of a worker that was killed go on in another at once, the web process and its death change nothing",
    async () => {
      const victim = await family.bear("victim", 8);
      const web = await family.bear("web");
      const heir = await family.bear("heir");
      const ids = Array.from({ length: 4 }, (_, index) => `run-${index}`);
      await web.tell("start", { ids, work: { steps: 50, stepMs: 40 } });
      await until(async () => (await web.tell<number>("recorded", ids)) > 0);
      await heir.tell("work", 8);
      await web.kill();
      const beganMs = performance.now();
      await victim.kill();
      const results = await heir.tell<readonly (readonly string[])[]>("results", ids);
      console.log(`all ended ${(performance.now() - beganMs).toFixed(0)} ms after the kill`);
      for (const by of results) {
        expect(by.length).toBe(50);
        expect(by.at(-1)).toBe("heir");
      }
    },
    TEST_MS_MAX,
  );
});
