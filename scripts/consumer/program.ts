/** What somebody writes on the first day with Stepwell installed; run by consume.ts against the packed package. */
import { openEngine, workflow } from "stepwell";
import { expectRun, openTestEngine } from "stepwell/testing";

const greet = workflow("first-day/greet", { version: "1.0.0" }, async (ctx, name: string) => {
  const greeting: string = await ctx.step("greet", () => `Hello, ${name}`);
  return { greeting };
});

const engine = await openEngine({ store: "sqlite::memory:", workflows: [greet] });
const run = await engine.start(greet, "Kim", { id: "kim" });
const { greeting }: { readonly greeting: string } = await run.result();
await engine.close();

if (greeting !== "Hello, Kim") throw new Error(`the run returned ${greeting}`);

const t = await openTestEngine({ workflows: [greet] });
const tested = await t.start(greet, "Lee");
await t.crash();
await t.finish(tested);
await expectRun(tested).completed({ greeting: "Hello, Lee" }).ranStep("greet", { times: 1 });
await t.close();
