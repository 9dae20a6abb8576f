/**
 * Bare store: what the bare loop asks of a database.
 */
import type { Figures } from "../job.ts";

/** A database, prepared. Each call but `close` is one commit. */
export type BareStore = {
  /** Runs of these public ids, under way. @returns their row ids, in that order */
  readonly insertRuns: (ids: readonly string[]) => Promise<readonly number[]>;
  readonly saveSteps: (
    rowIds: readonly number[],
    step: { readonly key: string; readonly seq: number },
  ) => Promise<void>;
  /** `seq`: of the last event in each run's history. */
  readonly completeRuns: (rowIds: readonly number[], seq: number) => Promise<void>;
  /** @returns what each run has left */
  readonly close: () => Promise<Pick<Figures, "bytesPerRun" | "rowsPerRun">>;
};

/** What is in the rows. Texts are made once: serialising is the engine's work. */
export type BareText = {
  readonly input: string;
  readonly value: string;
  readonly output: string;
  readonly actor: string;
};
