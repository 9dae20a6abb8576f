/**
 * A worker process with twenty ordinary runs and one whose step kills it. Ends with 0 once the ordinary ones are
 * completed and the other is set aside; until then it dies each time that one is executed.
 *
 *     node --conditions=stepwell-source poison-child.ts FILE
 */
import { openEngine, workflow } from "stepwell";

const BYSTANDERS = 20;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Long enough that it is under way when the other kills the process. */
const bystander = workflow("kill/bystander", { version: "1.0.0" }, async (ctx, index: number) => {
  await ctx.step("work", () => pause(100));
  return ctx.step("finish", () => index);
});

const poison = workflow("kill/poison", { version: "1.0.0" }, (ctx) =>
  ctx.step("kill", async () => {
    await pause(20);
    process.kill(process.pid, "SIGKILL");
    await pause(10_000);
  }),
);

const engine = await openEngine({ store: `sqlite:${process.argv[2]}`, workflows: [bystander, poison], lease: "2s" });
const runs = await Promise.all(
  Array.from({ length: BYSTANDERS }, (_, index) => engine.start(bystander, index, { id: `b${index}` })),
);
const deadly = await engine.start(poison, undefined, { id: "p" });
await Promise.all(runs.map((run) => run.result()));
while ((await deadly.status()).state !== "quarantined") await pause(50);
await engine.close();
