/** A user's program for runtimes.ts: `runtime-smoke.ts URL` starts an order or goes on with it; with `crash` it dies in its second step. */
import { openEngine, workflow } from "stepwell";
import { runtimeTitle } from "./runtime-title.ts";

const [, , store = "", crash] = process.argv;

const fulfil = workflow("smoke/fulfil", { version: "1.0.0" }, async (ctx, order: { item: string; cents: number }) => {
  const payment = await ctx.step("charge", () => {
    console.log(`charges ${order.cents} cents`);
    return { number: 1 };
  });
  await ctx.sleep("cool-off", "100ms");
  const parcel = await ctx.step("ship", () => {
    if (crash === "crash") process.kill(process.pid, "SIGKILL");
    console.log(`ships the ${order.item}`);
    return { number: 1 };
  });
  return { payment, parcel };
});

console.log(`runs on ${runtimeTitle()}`);
const engine = await openEngine({ store, workflows: [fulfil], work: { drainOn: ["SIGTERM"] } });
const run = await engine.start(fulfil, { item: "lamp", cents: 5_998 }, { id: "order:42" });
const { payment, parcel } = await run.result();
const { id, state } = await run.status();
console.log(`${id} ${state}, parcel ${parcel.number} for payment ${payment.number}`);
await engine.close();
