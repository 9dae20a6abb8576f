/**
 * Listen: telling other processes what has been committed here, and hearing it from them (S8).
 *
 * The server passes messages on between its connections (NOTIFY, LISTEN). One in each commit would make commits wait for
 * each other, at 3.5 times the cost (measured), so what has changed is collected and told beside them:
 *
 *   N1. At most one message in 5 ms, and in 20 ms where it says only that runs have ended, which hardly anybody waits for.
 *   N2. A message that is lost does no harm: everybody looks all the same, less often while messages come through.
 *   N3. Whether they do is tried, every half a minute, by one to ourselves that is sent on another connection: behind a
 *       pooler a LISTEN succeeds and nothing follows.
 *   N4. Whoever watches is told that everything may have changed when messages begin to come through.
 *   N5. While nobody watches, there is no connection and nothing is asked; it stays for ten seconds in case somebody comes.
 */
import type pg from "pg";
import type { Pace } from "../pace.ts";
import type { Change, Store } from "../store.ts";
import { toStatement } from "./query.ts";
import { send, type Session } from "./session.ts";

/** The store's ears, and the end of them, which tells what has not been told yet. */
export type Listening = Pick<Store, "watch" | "pollMs"> & { readonly stop: () => Promise<void> };

/** What it goes by. */
export type ListenOptions = {
  /** Null: nobody waits here, nobody is told. */
  readonly pace: Pace | null;
  /** A connection that LISTENs to the channel; null: changes are looked for instead. */
  readonly connect: ((channel: string) => Promise<pg.Client>) | null;
  readonly channel: string;
  /** Begins our messages, so that we do not hear ourselves. */
  readonly token: string;
};

/** Longest pause between two looks while messages come through, and while not. */
const POLL_MS_HEARING = 10_000;
const POLL_MS_DEAF = 2_000;

const TELL_MS_MIN = 5;
const TELL_ENDED_MS_MIN = 20;

const TRY_MS = 30_000;
const TRY_ANSWER_MS_MAX = 3_000;
const LINGER_MS = 10_000;

/** Pause before the connection is opened again: doubles from the first to the last, and is cut by up to a half. */
const AGAIN_MS_MIN = 100;
const AGAIN_MS_MAX = 30_000;

const EVERYTHING: Change = { due: true, inbox: true, ended: true, workers: true };

/** How a message says what has changed. */
const LETTERS = { due: "d", inbox: "i", ended: "e", workers: "w" } as const;
const KINDS = Object.keys(LETTERS) as readonly (keyof Change)[];

/** Instead of letters: N3. */
const TRYING = "?";

const TELL = toStatement("tell", "SELECT pg_notify(:channel, :message)");

type State = {
  readonly session: Session;
  readonly pace: Pace;
  readonly options: ListenOptions;
  readonly watchers: Set<{ readonly onChange: (change: Change) => void }>;
  client: pg.Client | null;
  connecting: boolean;
  /** Messages come through. */
  hearing: boolean;
  /** In a row. */
  failures: number;
  closed: boolean;
  /** Withdraws what is planned for the connection: opening, trying, or giving it up. */
  cancel: () => void;
  cancelFarewell: () => void;
  readonly news: Set<keyof Change>;
  telling: boolean;
  toldAtMs: number;
  cancelTelling: () => void;
};

/** Tell others what has been committed here. */
export function tell(session: Session, change: Change): void {
  session.tell(change);
}

/** Open the store's ears and its mouth: `session.tell`. */
export function openListening(session: Session, options: ListenOptions): Listening {
  const { pace } = options;
  if (pace === null) return { watch: () => () => {}, pollMs: () => POLL_MS_DEAF, stop: async () => {} };
  const state: State = {
    session,
    pace,
    options,
    watchers: new Set(),
    client: null,
    connecting: false,
    hearing: false,
    failures: 0,
    closed: false,
    cancel: () => {},
    cancelFarewell: () => {},
    news: new Set(),
    telling: false,
    toldAtMs: -Infinity,
    cancelTelling: () => {},
  };
  session.tell = (change) => collect(state, change);
  return {
    watch: (onChange) => watch(state, onChange),
    pollMs: () => (state.hearing ? POLL_MS_HEARING : POLL_MS_DEAF),
    stop: () => stop(state),
  };
}

// ---- hearing

function watch(state: State, onChange: (change: Change) => void): () => void {
  if (state.closed) return () => {};
  const watcher = { onChange };
  state.watchers.add(watcher);
  state.cancelFarewell();
  if (state.client === null && !state.connecting) void connect(state);
  return () => {
    if (!state.watchers.delete(watcher) || state.watchers.size > 0) return;
    state.cancelFarewell = state.pace.timer(LINGER_MS, () => hangUp(state));
  };
}

async function connect(state: State): Promise<void> {
  const { options } = state;
  state.cancel();
  if (options.connect === null || state.closed || state.watchers.size === 0) return;
  state.connecting = true;
  let client: pg.Client | null = null;
  try {
    client = await options.connect(options.channel);
  } catch {
    // Whoever needs the server is told what is wrong with it.
  }
  state.connecting = false;
  if (state.closed || state.watchers.size === 0) return void client?.end().catch(() => {});
  if (client === null) return connectAgain(state);
  state.client = client;
  client.on("notification", ({ payload }) => hear(state, payload ?? ""));
  client.on("end", () => lose(state, client));
  tryHearing(state, client);
}

/** N3. */
function tryHearing(state: State, client: pg.Client): void {
  const { session, pace, options } = state;
  state.cancel();
  state.cancel = pace.timer(TRY_ANSWER_MS_MAX, () => lose(state, client));
  const message = `${options.token} ${TRYING}`;
  send(session, "claim", TELL, { channel: options.channel, message }).catch(() => lose(state, client));
}

function hear(state: State, message: string): void {
  const [token, letters = ""] = message.split(" ");
  if (token !== state.options.token) return letters === TRYING ? undefined : announce(state, toChange(letters));
  const { client } = state;
  if (letters !== TRYING || client === null) return;
  state.cancel();
  state.cancel = state.pace.timer(TRY_MS, () => tryHearing(state, client));
  if (state.hearing) return;
  state.hearing = true;
  state.failures = 0;
  announce(state, EVERYTHING);
}

function toChange(letters: string): Change {
  const has = (kind: keyof Change): boolean => letters.includes(LETTERS[kind]);
  return { due: has("due"), inbox: has("inbox"), ended: has("ended"), workers: has("workers") };
}

function announce(state: State, change: Change): void {
  for (const { onChange } of [...state.watchers]) onChange(change);
}

function lose(state: State, client: pg.Client): void {
  if (state.client !== client) return;
  hangUp(state);
  if (state.watchers.size > 0 && !state.closed) connectAgain(state);
}

function connectAgain(state: State): void {
  const { pace } = state;
  const pauseMs = Math.min(AGAIN_MS_MIN * 2 ** state.failures, AGAIN_MS_MAX);
  state.failures += 1;
  state.cancel = pace.timer(pauseMs * (0.5 + pace.random() / 2), () => void connect(state));
}

function hangUp(state: State): void {
  const { client } = state;
  state.cancel();
  state.client = null;
  state.hearing = false;
  void client?.end().catch(() => {});
}

// ---- telling

function collect(state: State, change: Change): void {
  if (state.closed) return;
  for (const kind of KINDS) if (change[kind]) state.news.add(kind);
  if (!state.telling) planTelling(state);
}

/** N1. */
function planTelling(state: State): void {
  const { pace, news } = state;
  if (news.size === 0) return;
  const pauseMs = news.size === 1 && news.has("ended") ? TELL_ENDED_MS_MIN : TELL_MS_MIN;
  const waitMs = state.toldAtMs + pauseMs - pace.monotonicMs();
  state.cancelTelling();
  if (waitMs > 0) state.cancelTelling = pace.timer(waitMs, () => void tellNow(state));
  else void tellNow(state);
}

async function tellNow(state: State): Promise<void> {
  const { session, pace, options, news } = state;
  const message = `${options.token} ${KINDS.flatMap((kind) => (news.has(kind) ? [LETTERS[kind]] : [])).join("")}`;
  news.clear();
  state.telling = true;
  state.toldAtMs = pace.monotonicMs();
  try {
    await say(state, message);
  } catch {
    // N2. Once the server is there again, those who listen are told that everything may have changed.
  }
  state.telling = false;
  if (!session.closed) planTelling(state);
}

/** The connection that listens has nothing else to do. */
async function say(state: State, message: string): Promise<void> {
  const { session, options, client } = state;
  if (client === null || !state.hearing) {
    await send(session, "claim", TELL, { channel: options.channel, message });
    return;
  }
  try {
    await client.query("SELECT pg_notify($1, $2)", [options.channel, message]);
  } catch (error) {
    lose(state, client);
    throw error;
  }
}

async function stop(state: State): Promise<void> {
  state.watchers.clear();
  state.cancelFarewell();
  state.cancelTelling();
  if (state.news.size > 0 && !state.telling) await tellNow(state);
  state.closed = true;
  hangUp(state);
}
