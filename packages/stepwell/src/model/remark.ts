/**
 * Remark: what operators write down about a run that failed or is in quarantine. It changes nothing in the run.
 */

/** `dismissed`: nothing more will be done about how this generation ended. */
export type RemarkKind = "note" | "dismissed";

/** One remark, as stored. */
export type Remark = {
  readonly kind: RemarkKind;
  /** Of the run when it was made. */
  readonly generation: number;
  readonly actor: string;
  readonly text: string;
  /** Epoch milliseconds by the store's clock. */
  readonly atMs: number;
};

/** A remark that is to be stored; once per operation. */
export type NewRemark = Omit<Remark, "atMs"> & { readonly operationId: string };
