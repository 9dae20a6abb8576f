/**
 * Orders: what a process of a fleet is told, and how it is told.
 */
import type { CodeVersion } from "../../src/testing/simulation/shapes.ts";
import type { FleetShape } from "./duties.ts";
import type { ShapeInput } from "../../src/testing/simulation/behaviour.ts";

/** A run that a process asks for. */
export type Wanted = {
  readonly shape: FleetShape;
  readonly id: string;
  readonly input: ShapeInput;
  readonly cancelled: boolean;
};

/** Where a process kills itself: at the n-th event of that kind. */
export type DeathPoint = {
  readonly at: "before flush" | "after flush" | "after claim" | "step start" | "step end" | "acknowledged";
  readonly count: number;
};

/** The true time, for a process whose own clock is wrong: that of the machine, which all its processes share. */
export type ClockAnchor = { readonly wallMs: number; readonly machineMs: number };

/** What a process is told. Files are appended to. */
export type Orders = {
  /** Which start this is, from 1; numbers all that the process writes down. */
  readonly start: number;
  readonly seed: string;
  /** URL of the store. */
  readonly store: string;
  readonly witness: string;
  readonly requests: string;
  /** What the engine logs. */
  readonly log: string;
  /**
   * Runs that it asks for, so many at a time: it ends with 0 when it has seen the end of each, or, after a SIGTERM, of
   * those it has asked for. Null: it asks for none and ends at a SIGTERM.
   */
  readonly asks: { readonly runs: readonly Wanted[]; readonly lanes: number } | null;
  /** Runs that it executes at a time; null: none. */
  readonly slots: number | null;
  readonly lease: string;
  readonly code: CodeVersion;
  /** A store that fails is asked again, as a caller would. */
  readonly patient: boolean;
  readonly clock: ClockAnchor | null;
  readonly death: DeathPoint | null;
};

/** Name of a process, as its witness signs. */
export function nameOf(start: number): string {
  return `child-${start}`;
}

/** The clock that all processes of a machine share, whatever they are told of the time. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
