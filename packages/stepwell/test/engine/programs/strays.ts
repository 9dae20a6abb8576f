/**
 * A worker whose step code misbehaves after it has ended: `--rejections` too; and with `--own-fault` an error that is
 * nobody's. Run by host.test.ts.
 */
import { openEngine, workflow } from "stepwell";

const w = workflow("t/strays", { version: "1.0.0" }, async (ctx) => {
  await ctx.step("rejects-late", () => {
    if (process.argv.includes("--rejections")) {
      setTimeout(() => void Promise.reject(new Error("late rejection")), 5);
    }
    return 1;
  });
  await ctx.step("throws-late", () => {
    setTimeout(() => {
      throw new Error("late throw");
    }, 5);
    return 2;
  });
  await ctx.step("rejects-twice", () => new Promise((resolve, reject) => (resolve(3), reject(new Error("second")))));
  await ctx.sleep("a moment", "50ms");
  return "survived";
});

const strays: string[] = [];
const engine = await openEngine({
  store: "sqlite::memory:",
  workflows: [w],
  log: (entry) => void strays.push(`${entry.run}: ${entry.message}`),
});
console.log(await (await engine.start(w, undefined, { id: "r" })).result());
console.log(strays.sort().join("\n"));
if (process.argv.includes("--own-fault")) void Promise.reject(new Error("the program's own"));
else await engine.close();
