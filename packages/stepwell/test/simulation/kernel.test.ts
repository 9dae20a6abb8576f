/** The kernel's promises K1 to K4. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openDice } from "../../src/model/dice.ts";
import { type Kernel, openKernel } from "../../src/testing/simulation/kernel.ts";

function aKernel(seed: string, tasksMax = 10_000): Kernel {
  return openKernel({
    dice: openDice(seed),
    drain: () => new Promise((resolve) => setImmediate(resolve)),
    thrown: (_, error) => {
      throw error;
    },
    tasksMax,
  });
}

const SEEDS = Array.from({ length: 30 }, (_, index) => `seed ${index}`);

describe("kernel", () => {
  it("K1: drains all promise jobs between two tasks", async () => {
    const kernel = aKernel("drain");
    const process = kernel.openProcess("p");
    const log: string[] = [];
    process.defer(() => {
      void (async () => {
        for (let index = 0; index < 20; index += 1) await Promise.resolve();
        log.push("promise jobs");
      })();
    });
    process.defer(() => log.push("next task"));
    await kernel.run(() => false, 1_000);
    expect(log).toEqual(["promise jobs", "next task"]);
  });

  it("K2: runs deferred tasks of one process in the order given, whatever the seed", async () => {
    for (const seed of SEEDS) {
      const kernel = aKernel(seed);
      const process = kernel.openProcess("p");
      const other = kernel.openProcess("q");
      const log: number[] = [];
      for (let index = 0; index < 5; index += 1) {
        process.defer(() => log.push(index));
        other.timer(0, () => {});
      }
      await kernel.run(() => false, 1_000);
      expect(log).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it("K2: interleaves processes in more than one way", async () => {
    const orders = new Set<string>();
    for (const seed of SEEDS) {
      const kernel = aKernel(seed);
      const log: string[] = [];
      for (const name of ["a", "b", "c"]) kernel.openProcess(name).defer(() => log.push(name));
      await kernel.run(() => false, 1_000);
      orders.add(log.join(""));
    }
    expect(orders.size).toBeGreaterThan(4);
  });

  it("K2: fires timers in the order of their moments, never early, and those of one moment in any order", async () => {
    const orders = new Set<string>();
    for (const seed of SEEDS) {
      const kernel = aKernel(seed);
      const process = kernel.openProcess("p");
      const fired: [string, number][] = [];
      for (const [name, ms] of [
        ["late", 50],
        ["x", 10],
        ["y", 10],
        ["soon", 1],
      ] as const) {
        process.timer(ms, () => fired.push([name, kernel.nowMs()]));
      }
      await kernel.run(() => false, 1_000);
      expect(fired.map(([name]) => name).filter((name) => name.length > 1)).toEqual(["soon", "late"]);
      for (const [name, ms] of fired) expect(ms).toBeGreaterThanOrEqual({ late: 50, x: 10, y: 10, soon: 1 }[name]!);
      orders.add(fired.map(([name]) => name).join(" "));
    }
    expect(orders.size).toBe(2);
  });

  it("does not fire a cancelled timer", async () => {
    const kernel = aKernel("cancel");
    const process = kernel.openProcess("p");
    let fired = false;
    const cancel = process.timer(5, () => {
      fired = true;
    });
    process.defer(cancel);
    expect(await kernel.run(() => false, 1_000)).toBe("idle");
    expect(fired).toBe(false);
  });

  it("K3: a crashed process runs nothing any more, and takes nothing new", async () => {
    const kernel = aKernel("crash");
    const process = kernel.openProcess("p");
    let ran = 0;
    let settled = false;
    const task = (): void => void (ran += 1);
    process.defer(task);
    process.timer(3, task);
    void new Promise<void>((resolve) => void process.timer(1, resolve)).then(() => {
      settled = true;
    });
    process.crash();
    process.defer(task);
    process.timer(0, task);
    expect(process.isAlive()).toBe(false);
    expect(await kernel.run(() => false, 1_000)).toBe("idle");
    expect([ran, settled]).toEqual([0, false]);
  });

  it("holds a stalled process back while the others go on", async () => {
    const kernel = aKernel("stall");
    const stalled = kernel.openProcess("stalled");
    const other = kernel.openProcess("other");
    const moments: Record<string, number> = {};
    stalled.stall(500);
    stalled.defer(() => void (moments["stalled"] = kernel.nowMs()));
    other.timer(20, () => void (moments["other"] = kernel.nowMs()));
    await kernel.run(() => false, 10_000);
    expect(moments["other"]).toBeLessThan(100);
    expect(moments["stalled"]).toBeGreaterThanOrEqual(500);
  });

  it("K4: repeats the trace hash of a seed, and differs between seeds", async () => {
    const hashOf = async (seed: string): Promise<string> => {
      const kernel = aKernel(seed);
      const processes = ["a", "b"].map((name) => kernel.openProcess(name));
      for (const process of processes) {
        const again = (left: number): void => {
          if (left > 0) process.timer(left, () => process.defer(() => again(left - 1)));
        };
        again(20);
      }
      await kernel.run(() => false, 10_000);
      return kernel.traceHash();
    };
    expect(await hashOf("one")).toBe(await hashOf("one"));
    expect(new Set(await Promise.all(SEEDS.map(hashOf))).size).toBe(SEEDS.length);
  });

  it("stops when done, at the limit of time, and at the limit of tasks", async () => {
    const spin = (kernel: Kernel): void => {
      const process = kernel.openProcess("p");
      const again = (): void => void process.timer(1, again);
      again();
    };
    const limits = [
      [aKernel("done"), (kernel: Kernel) => kernel.run(() => kernel.nowMs() > 5, 1_000), "done"],
      [aKernel("late"), (kernel: Kernel) => kernel.run(() => false, 30), "late"],
      [aKernel("spun", 10), (kernel: Kernel) => kernel.run(() => false, 1_000), "spun"],
    ] as const;
    for (const [kernel, run, stop] of limits) {
      spin(kernel);
      expect(await run(kernel)).toBe(stop);
    }
  });

  it("reports what a task throws, and goes on", async () => {
    const thrown: string[] = [];
    const kernel = openKernel({
      dice: openDice("thrown"),
      drain: () => Promise.resolve(),
      thrown: (process, error) => thrown.push(`${process}: ${String(error)}`),
    });
    const process = kernel.openProcess("p");
    process.defer(() => {
      throw new Error("odd");
    });
    process.defer(() => thrown.push("next"));
    await kernel.run(() => false, 100);
    expect(thrown).toEqual(["p: Error: odd", "next"]);
  });

  it("runs in a browser: no Node, no clock, no dice of the machine", () => {
    for (const file of ["kernel.ts", "trace-hash.ts"]) {
      const text = readFileSync(join(import.meta.dirname, "../../src/testing/simulation", file), "utf8");
      expect(text).not.toMatch(/from "node:|Date\.now|performance|Math\.random|setTimeout\(|setImmediate\(/);
    }
  });
});
