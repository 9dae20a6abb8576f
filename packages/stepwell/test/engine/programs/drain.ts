/** A worker that drains on SIGTERM. The second step must not begin after the signal. Run by host.test.ts. */
import { openEngine, workflow } from "stepwell";

const [store = "", mode = ""] = process.argv.slice(2);
if (mode === "stuck") process.on("SIGTERM", () => console.log("asked to end"));
const w = workflow("t/drain", { version: "1.0.0" }, async (ctx) => {
  await ctx.step("first", async () => {
    console.log("first begins");
    if (mode !== "resume") await new Promise((resolve) => setTimeout(resolve, mode === "stuck" ? 60_000 : 300));
    console.log("first ends");
  });
  await ctx.step("second", () => console.log("second"));
  return "done";
});
const engine = await openEngine({ store, workflows: [w], work: { drainOn: ["SIGTERM"] } });
const run = await engine.start(w, undefined, { id: "d" });
if (mode === "resume") {
  console.log(await run.result());
  await engine.close();
}
