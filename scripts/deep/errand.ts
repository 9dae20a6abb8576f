/**
 * Errand: the workflow whose runs are put in danger by the deep checks, and how a finished one must look.
 *
 * Each execution of a step gives a value of its own (`nonce`) and writes it into a witness log before it returns, so
 * that a checkpoint can be held against what really ran.
 */
import { signal } from "../../packages/stepwell/src/engine/signal.ts";
import type { Ctx, Workflow } from "../../packages/stepwell/src/engine/workflow.ts";
import { workflow } from "../../packages/stepwell/src/engine/workflow.ts";

/** What a step gives. `pad` makes a row of ordinary length. */
type Parcel = { readonly nonce: string; readonly pad: string };

/** What a run gives: the nonces of its steps, as its body saw them. */
export type Delivered = Readonly<Record<string, string>>;

/** The signal that every run waits for. */
export const GO = signal<string>("go");

/** The full name of the workflow. */
export const ERRAND = "deep/errand";

/** Keys of the checkpoints that a completed run has, with the wait and the sleep. */
export const STEP_KEYS: readonly string[] = ["fetch", "pack/0", "pack/1", "pack/2", "ship"];

/** Rows of `steps` of a completed run: its steps, a sleep and a wait for a signal. */
export const ROWS_PER_RUN: number = STEP_KEYS.length + 2;

/** One execution of a step. */
export type Sight = { readonly run: string; readonly key: string; readonly nonce: string };

/** The workflow; `witness` hears of every execution before it returns. */
export function openErrand(witness: (sight: Sight) => void): Workflow<number, Delivered> {
  let executions = 0;
  const work = (run: string, key: string): Parcel => {
    const nonce = `${process.pid}-${(executions += 1)}-${Math.random().toString(36).slice(2)}`;
    witness({ run, key, nonce });
    return { nonce, pad: "x".repeat(150) };
  };
  return workflow(ERRAND, { version: "1.0.0" }, async (ctx: Ctx, number: number): Promise<Delivered> => {
    const fetched = await ctx.step("fetch", () => work(ctx.runId, "fetch"));
    const packed = await ctx.map("pack", [0, 1, 2], {}, (item) => work(ctx.runId, `pack/${item}`));
    await ctx.sleep("rest", 5 + (number % 10));
    await ctx.waitFor(GO);
    const shipped = await ctx.step("ship", () => work(ctx.runId, "ship"));
    const nonces = [fetched, ...packed, shipped].map((parcel) => parcel.nonce);
    return Object.fromEntries(STEP_KEYS.map((key, at) => [key, nonces[at]!]));
  });
}

/** The id of a run by its number. */
export function errandId(number: number): string {
  return `errand-${number}`;
}
