/**
 * F9: the server is restarted, or killed, under an open engine. The process lives on, what was acknowledged is there, what
 * was under way is resolved, and work goes on by itself.
 */
import { describe, expect, it, onTestFinished } from "vitest";
import { type OwnServer } from "../../../../../scripts/postgres/server.ts";
import { useOwnServer } from "../../../../../scripts/postgres/for-tests.ts";
import { openEngine } from "../../../src/engine/open.ts";
import { workflow } from "../../../src/engine/workflow.ts";
import { StepwellError } from "../../../src/model/errors.ts";
import { sql } from "./server.ts";

const PASSING = ["STORE_UNREACHABLE", "STORE_BUSY"];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each<[how: string, strike: (server: OwnServer) => Promise<void>]>([
  ["restarted fast", (server) => server.restart("fast")],
  ["restarted immediately", (server) => server.restart("immediate")],
  [
    "killed, and started after a while",
    async (server) => {
      await server.kill();
      await pause(1_500);
      await server.restart();
    },
  ],
])("a server that is %s", (_, strike) => {
  const server = useOwnServer();

  it("F9: ends no process and loses nothing", { timeout: 60_000 }, async () => {
    const executions = new Map<string, number>();
    const work = workflow("t/work", { version: "1.0.0" }, async (ctx, id: string) => {
      let sum = 0;
      for (let n = 1; n <= 4; n += 1) {
        sum += await ctx.step(`step ${n}`, async () => {
          executions.set(`${id} ${n}`, (executions.get(`${id} ${n}`) ?? 0) + 1);
          await pause(20);
          return n;
        });
      }
      return sum;
    });
    const engine = await openEngine({ store: server().url, workflows: [work], log: () => {} });
    onTestFinished(() => engine.close());

    const over = new AbortController();
    const results: Promise<unknown>[] = [];
    const codes = new Set<string>();
    /** As a caller does who was not answered: with the same id, until it is. */
    const startUntilAcknowledged = async (id: string): Promise<void> => {
      for (;;) {
        try {
          const run = await engine.start(work, id, { id });
          results.push(run.result());
          return;
        } catch (error) {
          if (!(error instanceof StepwellError)) throw error;
          codes.add(error.code);
          await pause(50);
        }
      }
    };
    const starting = (async () => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        await startUntilAcknowledged(`run ${n}`);
        await pause(5);
      }
    })();
    await pause(500);
    await strike(server());
    const beforeRecovery = results.length;
    await expect.poll(() => results.length).toBeGreaterThan(beforeRecovery + 20);
    over.abort();
    await starting;
    expect(new Set(await Promise.all(results))).toEqual(new Set([10]));
    expect([...codes].filter((code) => !PASSING.includes(code))).toEqual([]);
    expect(await sql(server().url, "SELECT state, count(*)::int FROM stepwell.runs GROUP BY 1")).toEqual([
      ["completed", results.length],
    ]);
    // No lease was lost: nobody took over, and so no step's code ran twice.
    expect([...executions.values()].filter((times) => times !== 1)).toEqual([]);
  });
});
