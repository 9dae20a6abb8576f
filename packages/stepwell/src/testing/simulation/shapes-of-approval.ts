/**
 * Shapes of approval: a run that asks people, who are many, quick, slow, careless and sometimes wrong. See shapes.ts.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Ctx } from "../../engine/workflow.ts";
import { type ShapeInput, SOUND, step } from "./behaviour.ts";
import type { Scribe } from "./scribe.ts";

/** Who asks: not who started the run. */
export const REQUESTER = "p0";

/** What the form of "sign" holds. */
export type Form = { readonly n: number };

/** What "sign" asks for, for this input; the checker goes by it as well. */
export function askedOf({ salt }: ShapeInput): {
  readonly quorum: number;
  readonly timeoutMs: number;
  readonly escalateMs: number;
} {
  return { quorum: 1 + (salt % 3), timeoutMs: 1_000 + salt * 300, escalateMs: 300 + salt * 130 };
}

/** A form that fits. */
export function isFit(form: unknown): boolean {
  return ((form as Partial<Form> | undefined)?.n ?? 1) % 2 === 0;
}

const EVEN: StandardSchemaV1<unknown, Form> = {
  "~standard": {
    version: 1,
    vendor: "simulation",
    validate: async (value) => (isFit(value) ? { value: value as Form } : { issues: [{ message: "odd" }] }),
  },
};

/** Several people sign in time, or do not; then one is asked who is often too slow. */
export async function approvals(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const { quorum, timeoutMs, escalateMs } = askedOf(input);
  const ask = { title: "Sign", to: "team", form: EVEN, quorum, timeout: timeoutMs, requestedBy: REQUESTER };
  const escalate = { after: escalateMs, to: "heads" };
  const signed = await s.see("sign", ctx.approve("sign", { ...ask, escalate }));
  const people = signed.decisions.map(({ actor }) => actor).join("-");
  await step(ctx, s, `${signed.state}-by-${people}`, SOUND);
  const contenders = {
    hurry: ctx.approve("hurry", { title: "Quick", to: "team" }),
    patience: ctx.sleep("patience", 300 + input.salt * 100),
  };
  const { winner } = await s.see("first", ctx.race("first", contenders));
  if (input.size === 1) void ctx.approve("left", { title: "Left open", to: "team" });
  return step(ctx, s, `first-was-${winner}`, SOUND);
}
