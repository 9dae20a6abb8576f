/**
 * Invariants of whole runs: acknowledgements, identity, the end, the history.
 */
import { decode } from "../../model/json.ts";
import type { ErrorCode } from "../../model/errors.ts";
import { parseFailure } from "../../model/failure.ts";
import type { HistoryEvent } from "../../model/history.ts";
import { isTerminal, type RunState } from "../../model/run.ts";
import { type Case, type Finding, type Invariant, toJson } from "./case.ts";
import { runText, type Story } from "./evidence.ts";

const ACKNOWLEDGED: Invariant = {
  id: "I1",
  title: "what was acknowledged is in the store: starts, signals, requests, outcomes (P1)",
  check: (c) => [
    ...lostStarts(c),
    ...lostSignals(c),
    ...REQUESTS.flatMap((kind) => lostRequests(c, kind)),
    ...wrongOutcomes(c),
  ],
};

const ONE_RUN: Invariant = {
  id: "I2",
  title: "one run per workflow and id",
  check: (c) => {
    const names = c.evidence.stories.map((story) => runText(story.run));
    const inserted = c.ledger.inserted.map((one) => `version ${one.versionId}, id ${one.id}`);
    return [...repeated(names), ...repeated(inserted)].map((name) => ({ run: name, what: "stored more than once" }));
  },
};

const ONE_END: Invariant = {
  id: "I3",
  title: "a run ends at most once, and nothing leaves that state (P8)",
  check: (c) => [...c.evidence.stories.flatMap((story) => badEnd(c, story)), ...leftTerminal(c)],
};

const GAPLESS: Invariant = {
  id: "I11",
  title: "the history is numbered 1 to n without gaps, and every cause stands before its effect",
  check: (c) =>
    c.evidence.stories.flatMap((story) =>
      [...numberFaults(story), ...orderFaults(story.history)].map((what) => ({ run: runText(story.run), what })),
    ),
};

const ACCOUNTED: Invariant = {
  id: "I20",
  title: "at every moment all accepted runs are open or ended: none vanishes, none appears",
  check: (c) =>
    c.evidence.snapshots.flatMap((snapshot) => {
      const accepted = c.ledger.inserted.filter((one) => one.at < snapshot.at).length;
      if (accepted === snapshot.runs.length) return [];
      return [
        {
          run: null,
          what: `at ${snapshot.trueMs} ms ${accepted} were accepted, ${snapshot.runs.length} are in the store`,
        },
      ];
    }),
};

const ENDS: Invariant = {
  id: "I21",
  title: "once faults have ended every run ends in time",
  check: (c) => c.evidence.stories.flatMap((story) => lateEnd(c, story)),
};

const CHILDREN: Invariant = {
  id: "I22",
  title: "a parent is told of its child's end exactly as it was",
  check: (c) => c.evidence.stories.flatMap((story) => wrongChild(c, story)),
};

const REPLAYS: Invariant = {
  id: "I12",
  title: "a replay of a history asks for the same steps, for no others, and ends alike",
  check: (c) =>
    c.evidence.replays.flatMap(({ run, recorded, writes }) => {
      const fresh = writes.find((write) => write.fresh);
      const end = writes.find((write) => !write.fresh)?.text ?? "no end";
      if (fresh !== undefined) return [{ run, what: `its replay asked for ${fresh.text}` }];
      return end === recorded ? [] : [{ run, what: `ended ${recorded}, its replay ${end}` }];
    }),
};

const STRAYS: Invariant = {
  id: "I26",
  title: "no error escapes from the engine, and the store refuses none of its writes",
  check: (c) => [
    ...c.evidence.strays.map((stray) => ({ run: null, what: `${stray.process} at ${stray.trueMs} ms: ${stray.text}` })),
    ...c.ledger.breaches
      .filter((breach) => breach.rule === "refusal")
      .map((breach) => ({ run: c.nameOf(breach.rowId), what: breach.what })),
  ],
};

/** Codes of mistakes in the code of a body: the shapes make none. */
const MISTAKES: readonly string[] = [
  "STEP_NAME_REUSED",
  "STEP_NAME_INVALID",
  "CTX_IN_STEP",
  "CTX_AFTER_END",
  "CHAIN_STARTED",
  "OPTION_INVALID",
  "OPTION_UNKNOWN",
  "NOT_SERIALISABLE",
  "MOMENT_INVALID",
  "ATTRIBUTE_INVALID",
  "HISTORY_LIMIT",
] satisfies readonly ErrorCode[];

const FAULTLESS: Invariant = {
  id: "I32",
  title: "no run is told of a mistake that its code does not make (P12)",
  check: (c) =>
    c.evidence.stories.flatMap(({ run }) => {
      const code = run.error === null ? undefined : parseFailure(run.error).code;
      return code !== undefined && MISTAKES.includes(code) ? [{ run: runText(run), what: `ended with ${code}` }] : [];
    }),
};

/** See the header. */
export const RUN_INVARIANTS: readonly Invariant[] = [
  ACKNOWLEDGED,
  ONE_RUN,
  ONE_END,
  GAPLESS,
  REPLAYS,
  ACCOUNTED,
  ENDS,
  CHILDREN,
  STRAYS,
  FAULTLESS,
];

function lostStarts(c: Case): Finding[] {
  return c.requestsOf("start").flatMap((request) => {
    const story = c.storyOf.get(request.run);
    if (request.answeredAt === null) return [];
    if (story === undefined) {
      return [{ run: request.run, what: "its start was acknowledged, but there is no such run" }];
    }
    const stored = toJson(decode(story.run.input));
    return stored === request.input
      ? []
      : [{ run: request.run, what: `started with ${request.input}, stored is ${stored}` }];
  });
}

/** Each signal stands in the inbox once, however often it was sent. */
function lostSignals(c: Case): Finding[] {
  const bySignal = Map.groupBy(c.requestsOf("signal"), (one) => `${one.run} ${one.name} ${one.payload}`);
  return [...bySignal.values()].flatMap((requests) => {
    const { run, name, payload } = requests[0]!;
    const history = c.storyOf.get(run)?.history ?? [];
    const stored = history.filter((event) => isSignal(event, name, payload)).length;
    const answered = requests.filter((one) => one.answeredAt !== null).length;
    const what = `signal ${name} ${payload}: ${requests.length} sent, ${answered} acknowledged, ${stored} stored`;
    return stored < answered || stored > requests.length ? [{ run, what }] : [];
  });
}

function isSignal(event: HistoryEvent, name: string, payload: string): boolean {
  return (
    event.kind === "received" &&
    event.item === "signal" &&
    event.name === name &&
    toJson(decode(event.value)) === payload
  );
}

const REQUESTS = ["cancel", "pause", "resume"] as const;

/** A run that had ended before is none the worse for a request. */
function lostRequests(c: Case, kind: (typeof REQUESTS)[number]): Finding[] {
  return c.requestsOf(kind).flatMap((request) => {
    const story = c.storyOf.get(request.run);
    if (request.answeredAt === null) return [];
    const received = story?.history.some((event) => event.kind === "received" && event.item === kind) === true;
    const end = c.ledger.transitions.find(
      (one) => one.rowId === story?.run.rowId && END_KINDS.includes(one.entry.kind),
    );
    const tooLate = story !== undefined && isTerminal(story.run.state) && (end?.at ?? 0) < request.answeredAt;
    return received || tooLate
      ? []
      : [{ run: request.run, what: `a ${kind} was acknowledged, but is not in its history` }];
  });
}

function wrongOutcomes(c: Case): Finding[] {
  return c.requestsOf("outcome").flatMap((request) => {
    const story = c.storyOf.get(request.run);
    if (request.answer === null || story === undefined) return [];
    const told = `${request.answer.state} ${request.answer.value}`;
    const stored = `${story.run.state} ${endValue(story)}`;
    return told === stored ? [] : [{ run: request.run, what: `its handle told ${told}, stored is ${stored}` }];
  });
}

function endValue({ run }: Story): string {
  if (run.state === "completed") return toJson(decode(run.output ?? "null"));
  return JSON.stringify(run.error === null ? "" : parseFailure(run.error).message);
}

function badEnd(c: Case, { run, history }: Story): Finding[] {
  const ends = history.filter((event) => event.kind === "ended");
  const accepted = c.ledger.transitions.filter((one) => one.rowId === run.rowId && END_KINDS.includes(one.entry.kind));
  const findings: Finding[] = [];
  if (ends.length > 1 || accepted.length > 1) {
    findings.push({ run: runText(run), what: `ended ${Math.max(ends.length, accepted.length)} times` });
  }
  const decided = accepted[0]?.entry.kind;
  if (decided !== undefined && END_STATES[decided] !== run.state) {
    findings.push({ run: runText(run), what: `was to ${decided}, but is ${run.state}` });
  }
  if (isTerminal(run.state) !== ends.length > 0 || (ends[0] !== undefined && ends[0].state !== run.state)) {
    findings.push({
      run: runText(run),
      what: `is ${run.state}, but its history ends with ${ends[0]?.state ?? "no end"}`,
    });
  }
  return findings;
}

const END_KINDS: readonly string[] = ["complete", "fail", "cancel"];
const END_STATES: Readonly<Record<string, RunState>> = { complete: "completed", fail: "failed", cancel: "cancelled" };

function leftTerminal(c: Case): Finding[] {
  const ended = new Map<number, RunState>();
  const moments = c.evidence.snapshots.map((snapshot) => snapshot.runs);
  moments.push(
    c.evidence.stories.map(({ run }) => ({ rowId: run.rowId, state: run.state, historySeq: run.historySeq })),
  );
  const findings: Finding[] = [];
  for (const { rowId, state } of moments.flat()) {
    const earlier = ended.get(rowId);
    if (earlier !== undefined && earlier !== state) {
      findings.push({ run: c.nameOf(rowId), what: `was ${earlier}, then ${state}` });
    }
    if (isTerminal(state)) ended.set(rowId, state);
  }
  return findings;
}

function numberFaults({ history }: Story): string[] {
  const numbers = history.flatMap((event) => (event.seq === null ? [] : [event.seq]));
  const gap = numbers.findIndex((seq, index) => seq !== index + 1);
  return gap < 0 ? [] : [`event ${gap + 1} has number ${numbers[gap]} (${numbers.join(" ")})`];
}

function orderFaults(history: readonly HistoryEvent[]): string[] {
  const faults: string[] = [];
  const attempts = new Map<string, number>();
  const done = new Set<string>();
  history.forEach((event, index) => {
    if ((event.kind === "started") !== (index === 0)) faults.push(`${event.kind} stands at place ${index + 1}`);
    if (event.seq !== null && history[index - 1]?.kind === "ended") {
      faults.push(`${event.kind} ${event.seq} follows the end`);
    }
    if (event.kind === "received" && event.seq !== null) {
      const next = history[index + 1]?.kind;
      if (next !== "step" && next !== "ended" && next !== "note") {
        faults.push(`item ${event.seq} was consumed by ${next ?? "nothing"}`);
      }
    }
    if (event.kind !== "step" && event.kind !== "attempt_failed" && event.kind !== "wait_began") return;
    const before = attempts.get(event.key) ?? 0;
    if (done.has(event.key)) faults.push(`${event.kind} of "${event.key}" follows its checkpoint`);
    if (event.kind === "step") done.add(event.key);
    if (event.kind === "attempt_failed" && event.attempt !== before + 1) {
      faults.push(`attempt ${event.attempt} of "${event.key}" follows ${before}`);
    }
    if (event.kind === "attempt_failed") attempts.set(event.key, event.attempt);
    const outOfTurn =
      event.kind === "step" && event.step === "step" && event.attempt !== before + 1 && event.attempt !== before;
    if (outOfTurn) faults.push(`"${event.key}" ended in attempt ${event.attempt} after ${before} failed ones`);
  });
  return faults;
}

function lateEnd(c: Case, { run }: Story): Finding[] {
  const { healedMs, healingMs } = c.evidence;
  if (healedMs === null) return [];
  const ended = c.ledger.transitions.find((one) => one.rowId === run.rowId && END_KINDS.includes(one.entry.kind));
  if (!isTerminal(run.state)) {
    const error = run.error === null ? "" : `: ${parseFailure(run.error).message}`;
    const waits = run.waitingFor.map((wait) => `${wait.kind} ${wait.name}`).join(", ");
    return [
      { run: runText(run), what: `is still ${run.state}${error}${waits === "" ? "" : `, waiting for ${waits}`}` },
    ];
  }
  const lateMs = ended === undefined ? 0 : ended.trueMs - healedMs - healingMs;
  return lateMs <= 0 ? [] : [{ run: runText(run), what: `ended ${lateMs} ms later than it should` }];
}

function wrongChild(c: Case, parent: Story): Finding[] {
  return parent.memory.checkpoints.flatMap((checkpoint) => {
    if (checkpoint.kind !== "child") return [];
    const child = c.evidence.stories.find(
      ({ run }) => run.parent?.rowId === parent.run.rowId && run.parent.key === checkpoint.key && run.parent.awaited,
    );
    if (child === undefined) {
      return [{ run: runText(parent.run), what: `"${checkpoint.key}" has an outcome but no child run` }];
    }
    const completed = child.run.state === "completed";
    const told = checkpoint.outcome === "completed";
    const same = completed === told && (!completed || child.run.output === checkpoint.value);
    if (same || checkpoint.outcome === "handled" || checkpoint.outcome === "cancelled") return [];
    const wasTold = `${checkpoint.outcome} ${checkpoint.value}`;
    const what = `"${checkpoint.key}" is ${wasTold}, its child ${child.run.state} ${child.run.output}`;
    return [{ run: runText(parent.run), what }];
  });
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}
