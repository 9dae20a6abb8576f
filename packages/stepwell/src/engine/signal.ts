/**
 * Signal: a typed, named message to a run, stored even when nobody waits yet.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { stepKey } from "../model/key.ts";

/** A typed, named message to a run. */
export type Signal<Raw = unknown, Value = unknown> = {
  readonly kind: "signal";
  readonly name: string;
  readonly payload: StandardSchemaV1 | undefined;
  /** Carries `Raw` for inference; never called. */
  readonly accepts?: (raw: Raw) => void;
  /** Carries `Value` for inference; never called. */
  readonly yields?: () => Value;
};

/** Define a signal; its payload is validated when it is sent. */
export function signal<S extends StandardSchemaV1>(
  name: string,
  payload: S,
): Signal<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>>;
export function signal<Value = void>(name: string): Signal<Value, Value>;
export function signal(name: string, payload?: StandardSchemaV1): Signal {
  return Object.freeze({ kind: "signal", name: stepKey(name, `signal "${name}"`), payload } as const);
}
