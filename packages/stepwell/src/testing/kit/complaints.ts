/**
 * Complaints: mistakes in the use of Stepwell that a test may overlook, because the run
 * goes on or ends all the same. Collected from what is written, told when the test engine closes.
 */
import type { ErrorCode } from "../../model/errors.ts";
import { parseFailure } from "../../model/failure.ts";
import { decode } from "../../model/json.ts";
import { shorten } from "../../model/plain.ts";
import type { Store } from "../../store/store.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { refusal } from "./refusal.ts";

/** Mistakes that do not show in a run's outcome; docs/errors.md says what to do about each. */
export const COMPLAINT_CODES = [
  "STEP_FLOATING",
  "STEP_NAME_REUSED",
  "CTX_IN_STEP",
  "CTX_AFTER_END",
  "CHAIN_STARTED",
  "REPLAY_DIVERGED",
  "COMPENSATION_MISSING",
] as const satisfies readonly ErrorCode[];

/** A code that the test engine complains about when it closes. */
export type ComplaintCode = (typeof COMPLAINT_CODES)[number];

/** Complaints so far. */
export type Complaints = {
  readonly hear: (writes: readonly Write[], results: readonly WriteResult[]) => void;
  /** An error that tells them all; null: there are none. */
  readonly tell: (store: Store) => Promise<Error | null>;
};

type Complaint = { readonly code: ComplaintCode; readonly rowId: number; readonly text: string };

/** Collect complaints, except those of the codes in `allowed`. */
export function openComplaints(allowed: readonly ComplaintCode[]): Complaints {
  const complaints = new Map<string, Complaint>();
  const collect = (write: Write): void => {
    const complaint = complaintOf(write);
    if (complaint === null || allowed.includes(complaint.code)) return;
    complaints.set(`${complaint.code} ${complaint.rowId} ${complaint.text}`, complaint);
  };
  return {
    hear: (writes, results) => {
      for (const [index, write] of writes.entries()) if (STORED.has(results[index]?.kind ?? "")) collect(write);
    },
    tell: async (store) => {
      if (complaints.size === 0) return null;
      const names = new Map((await store.listRuns({ limit: 1_000 })).runs.map((run) => [run.rowId, nameOf(run)]));
      const lines = [...complaints.values()].map(
        ({ code, rowId, text }) => `  ${names.get(rowId) ?? `run #${rowId}`}: ${code}: ${text}`,
      );
      const codes = [...new Set([...complaints.values()].map(({ code }) => code))];
      const allow = `allow: [${codes.map((code) => `"${code}"`).join(", ")}]`;
      return refusal(
        `the workflows made mistakes that the tests should not pass over:\n${lines.join("\n")}\n` +
          `What each code means stands in docs/errors.md. A test that wants them opens its engine with \`${allow}\`.`,
      );
    },
  };
}

const STORED: ReadonlySet<string> = new Set(["stored", "posted"] satisfies WriteResult["kind"][]);

function complaintOf(write: Write): Complaint | null {
  if (write.kind === "note" && write.note === "floating") {
    const { key } = decode(write.value) as { readonly key: string };
    const text = `the body ended while "${key}" was still under way; nobody awaited it`;
    return { code: "STEP_FLOATING", rowId: write.owner.rowId, text };
  }
  if (write.kind === "transition" && "error" in write.transition) return failureIn(write, write.transition.error);
  if (write.kind === "checkpoint" && write.checkpoint.outcome === "failed") {
    return failureIn(write, write.checkpoint.value);
  }
  return null;
}

function failureIn(write: Extract<Write, { owner: unknown }>, text: string): Complaint | null {
  const { code, message } = parseFailure(text);
  if (write.owner === null || !isComplaint(code)) return null;
  return { code, rowId: write.owner.rowId, text: shorten(message.replace(`${code}: `, ""), 300) };
}

function isComplaint(code: string | undefined): code is ComplaintCode {
  return COMPLAINT_CODES.some((known) => known === code);
}

function nameOf(run: { readonly namespace: string; readonly name: string; readonly id: string }): string {
  return `${run.namespace}/${run.name} ${run.id}`;
}
