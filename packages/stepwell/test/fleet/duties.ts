/**
 * Duties: what a fleet executes: the shapes of the simulation, and three more that never fail, so that whatever fails is
 * the fault of somebody else.
 */
import { workflow, type Workflow } from "../../src/engine/workflow.ts";
import { type ShapeInput, SOUND } from "../../src/testing/simulation/behaviour.ts";
import { type Behaviour, type Desk, openScribe } from "../../src/testing/simulation/scribe.ts";
import { type CodeVersion, openShapes, type ShapeName } from "../../src/testing/simulation/shapes.ts";

/** `checkout`: four steps without a pause; `brisk`: four short ones; `patient`: two that take their time. */
export type FleetShape = ShapeName | "checkout" | "brisk" | "patient";

/** The longest that a step of `patient` takes. */
const PATIENT_MS_MAX = 6_000;

/** The longest that a step of `brisk` takes. */
const BRISK_MS_MAX = 100;

const CHECKOUT = ["reserve", "charge", "ship", "thank"];
const PATIENT = ["dig", "build"];

/** All of them, their step code writing at `desk`. */
export function openDuties(desk: Desk, version: CodeVersion): readonly Workflow<ShapeInput, unknown>[] {
  const chain = (name: string, steps: readonly string[], behaviour: Behaviour): Workflow<ShapeInput, unknown> =>
    workflow<ShapeInput, unknown>(`sim/${name}`, { version }, async (ctx) => {
      const s = openScribe(desk, ctx);
      for (const step of steps) await s.see(step, ctx.step(step, s.work(behaviour)));
      return steps.length;
    });
  return [
    ...openShapes(desk, version),
    chain("checkout", CHECKOUT, { ...SOUND, msMax: 0 }),
    chain("brisk", CHECKOUT, { ...SOUND, msMax: BRISK_MS_MAX }),
    chain("patient", PATIENT, { ...SOUND, msMax: PATIENT_MS_MAX }),
  ];
}

/** The workflow that executes a shape. */
export function workflowOf(shape: FleetShape): string {
  return `sim/${shape}`;
}
