/**
 * Every error the engine can raise, in one table.
 *
 * Callers branch on `error.code`, never on the message. Each code has a heading
 * of the same name in docs/errors.md; a test holds the two together.
 *
 * Waiting is not an error: a run that sleeps or awaits a signal is parked, and
 * nothing is thrown. Users import from errors.ts; this file stands alone so that
 * duration.ts can raise an error and errors.ts can read a duration.
 */

/** Code → why it happens, and what to do next. One sentence each. */
export const ERROR_CODES = {
  // Payloads
  NOT_SERIALISABLE: {
    cause: "A value that has to be stored holds something that stored data cannot represent.",
    cure: "Pass plain data, Date, BigInt, Map, Set, Uint8Array or Error; of a class instance pass its fields.",
  },
  PAYLOAD_TOO_LARGE: {
    cause: "A value is longer than the limit on one stored payload.",
    cure: "Keep the data in a file, bucket or table of its own and pass a reference to it.",
  },
  PAYLOAD_TOO_DEEP: {
    cause: "A value is nested more deeply than the limit on one stored payload.",
    cure: "Pass a flat list whose entries name their parents, or split the value over several steps.",
  },
  PAYLOAD_TOO_MANY_KEYS: {
    cause: "One object of a value has more keys than the limit allows.",
    cure: "Pass an array or a Map of entries instead of one wide object.",
  },
  PAYLOAD_CORRUPT: {
    cause: "Stored text is not what the codec wrote, so it cannot be read back.",
    cure: "Restore the row from a backup, and look for what else writes to these tables.",
  },

  // Steps and ctx
  STEP_NAME_REUSED: {
    cause: "Two steps of one scope have the same name, so their checkpoints could not be told apart.",
    cure: 'Give each its own name, for example ctx.step(["ship", item.id], …), or use ctx.map.',
  },
  STEP_NAME_INVALID: {
    cause: "A step's name is empty, too long, holds control characters, or begins with @, which is the engine's own.",
    cure: "Use a short text that is the same each time the body runs, such as an entity's id.",
  },
  STEP_TIMEOUT: {
    cause: "An attempt of a step took longer than its timeout allows.",
    cure: "Lengthen .timeout(…), or hand s.signal to what the step awaits so that it stops early.",
  },
  STEP_HEARTBEAT_MISSED: {
    cause: "An attempt of a step gave no heartbeat for longer than was agreed.",
    cure: "Call s.heartbeat() more often than .heartbeat(…) says, or hand s.signal to what the step hangs in.",
  },
  BREAKER_OPEN: {
    cause: "A step was not tried, because the service behind its circuit breaker keeps failing.",
    cure: 'Give .retry(…) attempts enough to outlast it, handle it with .onError, or let the step wait: open: "wait".',
  },
  BREAKER_NOT_FOUND: {
    cause: "No step has asked a circuit breaker of that name yet.",
    cure: "Read its name off engine.breakers.list().",
  },
  RACE_LOST: {
    cause: "A call was cancelled because another contender of its race came first.",
    cure: "Await the race alone; what has to end in any case does not belong in it.",
  },
  STEP_FLOATING: {
    cause: "The body ended while a step it had started was still running.",
    cure: "Await every step, also in a branch that nobody reads: await Promise.all([…]).",
  },
  CTX_IN_STEP: {
    cause: "A ctx call was made inside the code of a step, where it could not be replayed.",
    cure: "Return from the step first and call ctx in the body, between steps.",
  },
  TX_TIMEOUT: {
    cause: "The code of a transaction took longer than a transaction may hold up others; it was taken back.",
    cure: "Do slow work, such as calls over the network, in a step before it, and only write in the transaction.",
  },
  TX_OVER: {
    cause: "The handle of a transaction was used after the transaction had ended.",
    cure: "Await every statement before the function that was given to ctx.tx or engine.tx returns.",
  },
  TX_NESTED: {
    cause: "The engine was called inside the code of a transaction, which would not be part of it.",
    cure: "Start runs with tx.start, which is part of it, and make all other calls after the transaction.",
  },
  TX_STATEMENT: {
    cause: "A transaction was asked for a statement that would end it or change its frame, or for several in one text.",
    cure: "Give one statement at a time; throw to take the transaction back, or use SAVEPOINT and ROLLBACK TO.",
  },
  TX_BROKEN: {
    cause: "A transaction ended before its time, or in failure, so that nothing of it was stored.",
    cure: "Let errors of statements be thrown on, or catch them around a SAVEPOINT, and avoid OR ROLLBACK.",
  },
  CTX_AFTER_END: {
    cause: "A ctx call was made after the body had returned or thrown.",
    cure: "Await all work that uses ctx before the body returns.",
  },
  CHAIN_STARTED: {
    cause: "A step was configured after it had started.",
    cure: "Write .retry, .timeout, .compensate and the like in the same expression as ctx.step.",
  },
  COMPENSATION_FAILED: {
    cause: "A compensation failed in all its attempts, so the run ended partly undone.",
    cure: "Read in `details.steps` which they are, and put their effects right by hand; all others were undone.",
  },
  COMPENSATION_MISSING: {
    cause: "A completed step had a compensation that the workflow's present code no longer declares.",
    cure: "Deploy the code with that .compensate again; the run continues when that process starts.",
  },
  REPLAY_DIVERGED: {
    cause: "On replay the body asked for something else than its history holds.",
    cure: "Keep the names and kinds of recorded steps, or release a new major version; the run continues when code that fits starts.",
  },

  // Workflows, runs, signals
  WORKFLOW_NOT_REGISTERED: {
    cause: "This engine knows no workflow of that name, or no version of it that may continue the run.",
    cure: "Add the workflow to `workflows` of openEngine, or run a worker that has the version.",
  },
  WORKFLOW_DUPLICATE: {
    cause: "Two workflows given to one engine have the same namespace, name and version.",
    cure: "Give one of them another name or version.",
  },
  WORKFLOW_INVALID: {
    cause: "A workflow's name or version is malformed.",
    cure: 'Write a name like "orders/fulfil" in lower case and a version like "2.0.0".',
  },
  OUTPUT_INVALID: {
    cause: "A handler returned something that does not fit its output schema.",
    cure: "Correct the handler or its schema; the step's effect has happened, so it is not tried again.",
  },
  INPUT_INVALID: {
    cause: "The input does not satisfy the workflow's schema.",
    cure: "Correct the fields listed; nothing was stored.",
  },
  SIGNAL_INVALID: {
    cause: "The payload does not satisfy the signal's schema.",
    cure: "Correct the fields listed; nothing was delivered.",
  },
  RUN_ID_CONFLICT: {
    cause: "A run of this id exists and was started with another input.",
    cure: "Use another id for another input; the same id and input return the same run.",
  },
  RUN_ID_INVALID: {
    cause: "A run's id is empty, too long or holds control characters.",
    cure: 'Use a short text such as "order:42".',
  },
  RUN_NOT_FOUND: {
    cause: "The store holds no run of this workflow and id.",
    cure: "Check namespace, workflow and id, and that both sides open the same store.",
  },
  RUN_ENDED: {
    cause: "The run has ended and takes no more signals or requests.",
    cure: "Read its outcome with run.outcome(), or start another run.",
  },
  RUN_NOT_PAUSED: {
    cause: "The run goes on already: nobody has paused it, and it is not in quarantine.",
    cure: "Look at run.status() first; a run that waits shows what for.",
  },
  RUN_NOT_ENDED: {
    cause: "The run has not ended, so there is nothing to try again.",
    cure: "Wait for its end; let one that is paused or in quarantine go on with run.resume().",
  },
  RUN_NOT_FAILED: {
    cause: "The run has completed; only one that failed or was cancelled can go on from where it stopped.",
    cure: "Start another run.",
  },
  BULK_FILTER_EMPTY: {
    cause: "A bulk operation was given a filter without fields: it would be about every run of the store.",
    cure: "Say which runs: by workflow, namespace, state, attributes or the moment of their start.",
  },
  BULK_MATCHES_NOTHING: {
    cause: "No run matches the filter in a state in which it could be asked for this.",
    cure: "Look with engine.list() and the same filter.",
  },
  BULK_MATCHES_TOO_MANY: {
    cause: "More runs match the filter than `max` allows. Nothing was changed.",
    cure: "Narrow the filter, look at it with { dryRun: true }, or raise `max`.",
  },
  STEP_UNCERTAIN: {
    cause:
      "An attempt of the step began, and its process died or it ran out of time: it may have taken effect, or not.",
    cure: "Find out whether it did; then run.retry() to make it again, or run.resolve() to give the step its value.",
  },
  STEP_NOT_FOUND: {
    cause: "The run has no recorded step of that key.",
    cure: "Take a key from the run's history; `details.steps` lists them. The key of an item is `name/item`.",
  },
  STEP_NOT_FAILED: {
    cause: "The step did not fail, so an operator has nothing to resolve.",
    cure: "Take a key from `details.failed`: the failed steps that a retry would perform again.",
  },
  RUN_FAILED: {
    cause: "The run whose result was asked for has failed.",
    cure: "Read `cause` for the error that ended it, or call run.outcome() to branch instead of catching.",
  },
  RUN_CANCELLED: {
    cause: "The run whose result was asked for was cancelled.",
    cure: "Read `cause` for the reason given, or call run.outcome() to branch instead of catching.",
  },
  RUN_TIMEOUT: {
    cause: "The run as a whole took longer than its timeout allows.",
    cure: "Lengthen `timeout` of the workflow or of start, or find in its history what it waited for.",
  },
  RUN_QUARANTINED: {
    cause: "Every worker that executed the run died, the last one while it executed nothing else.",
    cure: "Find in its history the step under way each time, which exhausts memory or ends the process; the run is set aside and may be cancelled.",
  },
  HISTORY_LIMIT: {
    cause: "The run has recorded as many events as one run may.",
    cure: "Move part of the work into child workflows.",
  },

  // Approvals
  APPROVAL_NOT_FOUND: {
    cause: "The run has not asked for an approval of that name.",
    cure: "Take workflow, run and name from engine.approvals.list; a run asks only when its body comes to ctx.approve.",
  },
  APPROVAL_CLOSED: {
    cause: "The approval is over: decided, out of time, or its run has ended or gone on without it.",
    cure: "Read how it came out with engine.approvals.get; what was decided stays.",
  },
  APPROVAL_FOUR_EYES: {
    cause: "Whoever asks for something may not approve it as well.",
    cure: "Let somebody else approve, or say fourEyes: false in ctx.approve where that is meant.",
  },
  APPROVAL_DECIDED: {
    cause: "That person has decided on this approval already, and each counts once.",
    cure: "Let somebody else decide; to send one decision again, give it the same id.",
  },
  APPROVAL_FORM_INVALID: {
    cause: "What was filled in does not fit the form that the approval asks for.",
    cure: "Correct the fields listed and approve again; the approval is still open.",
  },

  // Options
  OPTION_UNKNOWN: {
    cause: "An option was given that does not exist there.",
    cure: "Correct or remove it.",
  },
  OPTION_INVALID: {
    cause: "An option has a value outside of what it accepts.",
    cure: "Give a value in the range named.",
  },
  DURATION_INVALID: {
    cause: "A duration cannot be read, is negative, or is longer than ten years.",
    cure: 'Write milliseconds as a number, or a text such as "250ms", "30s", "1h30m" or "2d".',
  },
  ATTRIBUTE_INVALID: {
    cause: "A search attribute has a name or a value that cannot be stored, or the run has too many of them.",
    cure: "Use at most 32 names such as customerId, with texts of up to 256 characters, finite numbers, booleans, or null to remove.",
  },
  MOMENT_INVALID: {
    cause: "A moment in time is neither a valid Date nor a number of milliseconds since 1970.",
    cure: "Pass a Date, or milliseconds as Date.now() gives them; for a length of time use ctx.sleep.",
  },

  // Engine and store
  ENGINE_CLOSED: {
    cause: "The engine was closed before or during the call.",
    cure: "Call it before engine.close(), or open the engine again.",
  },
  LEASE_LOST: {
    cause: "Another worker owns the run now, so what this one tried to write was refused.",
    cure: "Nothing is lost: the run goes on elsewhere. If it repeats, look for code that blocks the event loop.",
  },
  STORE_URL_INVALID: {
    cause: "The store's address cannot be read.",
    cure: 'Write "sqlite:./app.db", "sqlite::memory:" or "postgres://user:password@host:5432/database".',
  },
  STORE_DRIVER_MISSING: {
    cause: "The package that talks to this kind of database is not installed.",
    cure: "For PostgreSQL, run npm install pg in the project that uses Stepwell.",
  },
  STORE_UNREACHABLE: {
    cause: "No connection to the database server comes about, or the one there was has been lost.",
    cure: "See that the server runs and that host and port are right; what needs it goes on by itself once it answers.",
  },
  STORE_LOGIN_REFUSED: {
    cause: "The database server does not let this user in, or has no such database.",
    cure: "Correct user, password and database in the store's URL, or the server's pg_hba.conf.",
  },
  STORE_RIGHTS_MISSING: {
    cause: "The database's user lacks a right that an engine needs.",
    cure: "Let the owner of the tables grant it, as docs/guides/postgres.md shows.",
  },
  STORE_UNSUPPORTED: {
    cause: "The database is of a version, or set up in a way, that cannot keep what a store promises.",
    cure: "Use a version and a setting as named.",
  },
  STORE_FOREIGN: {
    cause: "What is found there is not Stepwell's.",
    cure: "Give Stepwell a file, or a schema, of its own.",
  },
  STORE_NEWER: {
    cause: "The database was migrated by a newer Stepwell than this one.",
    cure: "Update this process; an older version must not write to a newer schema.",
  },
  STORE_CORRUPT: {
    cause: "The database reports that its file or an index of it is damaged.",
    cure: "Stop all workers, copy the file, and restore the newest backup that passes an integrity check.",
  },
  STORE_READ_ONLY: {
    cause: "The database refuses writes.",
    cure: "Give the process write access to the file and its folder, or connect to the primary server.",
  },
  STORE_FULL: {
    cause: "The disk, or the quota of the database, is full.",
    cure: "Make space; nothing was written in part, and work resumes by itself.",
  },
  STORE_BUSY: {
    cause: "The database was held by others for longer than the time allowed for waiting.",
    cure: "Try again, and look for a long transaction or a backup that holds the write lock.",
  },
  STORE_FAILED: {
    cause: "The database answered with an error that has no code of its own here.",
    cure: "Read `cause` for the driver's own error.",
  },
  STORE_OUTCOME_UNKNOWN: {
    cause: "The connection was lost during a commit, and whether it took place is not known yet.",
    cure: "Repeat the call with the same id once the store answers; it takes effect once.",
  },
  STORE_WRITE_REFUSED: {
    cause: "The database refused this one row, while the rest of its batch was stored.",
    cure: "Read `cause` for the constraint or value that it names.",
  },
} as const satisfies Readonly<Record<string, { readonly cause: string; readonly cure: string }>>;

/** Stable, documented identifier of an engine error. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What a StepwellError may carry beyond its message. `details` is plain JSON, so that it can be stored and shown. */
export type StepwellErrorOptions = { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown };

/** The engine's own error. The message is two sentences: what happened where, and the cure of its code. */
export class StepwellError extends Error {
  declare readonly name: "StepwellError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  static {
    Object.defineProperty(this.prototype, "name", { value: "StepwellError", writable: true, configurable: true });
  }

  /** `what` names the place; a full stop is added where it ends without one. */
  constructor(code: ErrorCode, what: string, options: StepwellErrorOptions = {}) {
    const message = `${code}: ${asSentence(what)} ${ERROR_CODES[code].cure}`;
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details ?? {};
  }
}

function asSentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}
