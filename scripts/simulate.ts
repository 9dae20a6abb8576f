/**
 * Simulate seeds from the command line, see packages/stepwell/src/testing/simulation.
 *
 *     npm run simulate -- --seeds 1000 --from 1     many; exit code 1 when one breaks a promise
 *     npm run simulate -- --seed 42                 one, with its violations
 *     npm run simulate -- --seed 42 --trace         and everything that happened, with stacks
 *     npm run simulate -- --seed 42 --run 'sim/saga run-3'    what is known of one run
 *
 * `--shapes saga,race` restricts the workflows; seeds mean other worlds then.
 */
import { parseArgs } from "node:util";
import { violationText } from "../packages/stepwell/src/testing/simulation/checker.ts";
import { runText } from "../packages/stepwell/src/testing/simulation/evidence.ts";
import { SHAPE_NAMES, type ShapeName } from "../packages/stepwell/src/testing/simulation/shapes.ts";
import { gather, simulate, type SimulateOptions } from "../packages/stepwell/src/testing/simulation/simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    run: { type: "string" },
    shapes: { type: "string" },
  },
});

const shapes = parseShapes(values.shapes);
if (values.seed === undefined) await simulateMany(Number(values.from), Number(values.seeds));
else if (values.run === undefined) await simulateOne(values.seed);
else await tellRun(values.seed, values.run);

async function simulateMany(from: number, count: number): Promise<void> {
  const startedMs = performance.now();
  const byInvariant = new Map<string, number[]>();
  let executions = 0;
  let totalMs = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const { violations, stats, simulatedMs } = await simulate(seed, shapes);
    executions += stats.executions;
    totalMs += simulatedMs;
    for (const id of new Set(violations.map(({ invariant }) => invariant))) {
      byInvariant.set(id, [...(byInvariant.get(id) ?? []), seed]);
    }
    const [first] = violations;
    if (first !== undefined) {
      console.log(`seed ${seed}: ${violationText(first)}\n     npm run simulate -- --seed ${seed}`);
    }
  }
  const elapsedMs = performance.now() - startedMs;
  const hours = `${(totalMs / 3_600_000).toFixed(2)} simulated hours`;
  console.log(
    `${count} seeds, ${executions} executions of steps, ${hours}, ${(elapsedMs / count).toFixed(1)} ms per seed`,
  );
  for (const [id, seeds] of byInvariant) console.log(`${id}: ${seeds.length} seeds: ${seeds.slice(0, 20).join(" ")}`);
  process.exitCode = byInvariant.size === 0 ? 0 : 1;
}

async function simulateOne(seed: string): Promise<void> {
  const trace = values.trace ? { trace: (line: string) => console.log(line), stacks: true } : {};
  const { violations, traceHash, simulatedMs, stats } = await simulate(seed, { ...shapes, ...trace });
  console.log(`seed ${seed}: trace ${traceHash}, ${simulatedMs} ms simulated, ${JSON.stringify(stats)}`);
  for (const violation of violations) console.log(violationText(violation));
  process.exitCode = violations.length === 0 ? 0 : 1;
}

/** The witness log and the history of one run, side by side in time. */
async function tellRun(seed: string, run: string): Promise<void> {
  const { evidence } = await gather(seed, shapes);
  const story = evidence.stories.find((one) => runText(one.run) === run);
  for (const { at, trueMs, process: name, run: whose, wallMs: _wallMs, ...event } of evidence.witness) {
    if (whose === run) console.log(`${at} ${trueMs} ms ${name} ${JSON.stringify(event)}`);
  }
  for (const event of story?.history ?? []) console.log(JSON.stringify(event));
  console.log(story === undefined ? `There is no ${run}.` : JSON.stringify(story.run, null, 2));
}

function parseShapes(text: string | undefined): SimulateOptions {
  if (text === undefined) return {};
  const names = text.split(",");
  const known: readonly string[] = [...SHAPE_NAMES, "deadly", "guarded", "approvals", "again", "banked"];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no shape "${unknown}"; there are ${known.join(", ")}.`);
  return { shapes: names as ShapeName[] };
}
