/**
 * Proxy: a line to a PostgreSQL that is as bad as one wants, to the statement.
 *
 * It hands on whole requests and whole answers, and asks before each request what shall become of it. So "the server never
 * saw it" and "the server has committed it, and nobody was told" are facts, not guesses about time.
 */
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { isFailure, isIdle, isReady, openAssembler, openCutter, type Request } from "./wire.ts";

/** How a line ends: in good order, or by a reset. */
export type Cut = "fin" | "rst";

/** What becomes of one request. */
export type Fate =
  | { readonly kind: "pass"; readonly delayMs: number }
  /**
   * The line is cut. `before`: the server has seen nothing of the request; `torn`: one half of it; `after`: it has
   * answered, and the driver has not heard; `mid-answer`: the driver has heard one half of it.
   */
  | { readonly kind: "cut"; readonly when: "before" | "torn" | "after" | "mid-answer"; readonly how: Cut }
  /** The line is cut, and the server gets the request when it is delivered: perhaps after its repetition. */
  | { readonly kind: "late"; readonly how: Cut }
  /** The line stays open, and nothing passes any more: from the request on, or from its answer on. */
  | { readonly kind: "silence"; readonly when: "before" | "after" };

/** A request that came to harm. */
export type Strike = {
  readonly text: string;
  readonly fate: Fate;
  /** The server has carried it out and left no transaction open. */
  readonly committed: boolean;
  /** Of a late one: let the server have it; resolves when it has done with it. */
  readonly deliver: () => Promise<void>;
};

/** See the header. */
export type Proxy = {
  /** The server's URL by way of this proxy. */
  readonly url: string;
  /** Decides about every request; `text` is the statement's. At first all pass. */
  readonly decide: (fateOf: (text: string) => Fate) => void;
  /** Nothing passes on any line, old or new, in either direction; false: new ones work again, and old ones are cut. */
  readonly silence: (silent: boolean) => void;
  /** Cut all lines now. */
  readonly cutAll: (how: Cut) => void;
  /** Hears of each request that came to harm, once its line is cut or silent. */
  readonly onStrike: (told: (strike: Strike) => void) => void;
  readonly close: () => Promise<void>;
};

/** Nothing happens to it. */
export const PASS: Fate = { kind: "pass", delayMs: 0 };

type State = {
  readonly host: string;
  readonly port: number;
  readonly lines: Set<Line>;
  fateOf: (text: string) => Fate;
  told: (strike: Strike) => void;
  silent: boolean;
};

/** A driver's connection and ours to the server. `answered` gets the server's answer to the request under way. */
type Line = {
  readonly driver: Socket;
  readonly server: Socket;
  silent: boolean;
  fate: Fate;
  text: string;
  answer: Buffer[];
  failed: boolean;
  /** The driver has gone, but the server has yet to get its last request, or to answer it. */
  late: boolean;
  /** Requests are looked at one after the other, also where one is delayed. */
  turn: Promise<void>;
};

/** Open one before the server of that URL, on a free port of the loopback interface. */
export async function openProxy(url: string): Promise<Proxy> {
  const { hostname, port } = new URL(url);
  const state: State = {
    host: hostname,
    port: Number(port),
    lines: new Set(),
    fateOf: () => PASS,
    told: () => {},
    silent: false,
  };
  const listener = createServer({ noDelay: true }, (driver) => openLine(state, driver));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String((listener.address() as AddressInfo).port);
  const cutAll = (how: Cut): void => {
    for (const line of state.lines) cut(line, how);
  };
  return {
    url: through.href,
    decide: (fateOf) => void (state.fateOf = fateOf),
    silence: (silent) => {
      state.silent = silent;
      if (!silent) cutAll("rst");
    },
    cutAll,
    onStrike: (told) => void (state.told = told),
    close: async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      cutAll("rst");
      await closed;
    },
  };
}

function openLine(state: State, driver: Socket): void {
  const server = connect({ host: state.host, port: state.port, noDelay: true });
  const line: Line = {
    driver,
    server,
    silent: false,
    fate: PASS,
    text: "",
    answer: [],
    failed: false,
    late: false,
    turn: Promise.resolve(),
  };
  state.lines.add(line);
  // On a silent line neither end hears that the other has gone.
  const ended = (): void => {
    if (!line.late && !isSilent(state, line)) hangUp(state, line);
  };
  for (const socket of [driver, server]) socket.on("error", ended).on("close", ended).on("end", ended);
  const cutRequests = openCutter(false);
  const assemble = openAssembler();
  driver.on("data", (chunk: Buffer) => {
    for (const message of cutRequests(chunk)) {
      const request = assemble(message);
      if (request !== null) line.turn = line.turn.then(() => meet(state, line, request));
    }
  });
  const cutAnswers = openCutter(true);
  server.on("data", (chunk: Buffer) => {
    for (const message of cutAnswers(chunk)) {
      line.answer.push(message.bytes);
      line.failed ||= isFailure(message);
      if (line.fate.kind === "pass" || isReady(message)) answer(state, line, isIdle(message));
    }
  });
}

/** A request is there, as a whole. */
async function meet(state: State, line: Line, request: Request): Promise<void> {
  if (isSilent(state, line)) return;
  const fate = request.text === "" ? PASS : state.fateOf(request.text);
  line.fate = fate;
  line.text = request.text;
  line.failed = false;
  if (fate.kind === "pass" && fate.delayMs > 0) await new Promise((resolve) => void setTimeout(resolve, fate.delayMs));
  if (fate.kind === "late") return postpone(state, line, request);
  if (fate.kind !== "pass" && (fate.when === "before" || fate.when === "torn")) {
    if (fate.when === "torn") line.server.write(request.bytes.subarray(0, request.bytes.length >> 1));
    return strike(state, line, false);
  }
  line.server.write(request.bytes);
}

function postpone(state: State, line: Line, { text, bytes }: Request): void {
  const { driver, server, fate } = line;
  line.late = true;
  hangUpOn(driver, fate.kind === "late" ? fate.how : "fin");
  const deliver = (): Promise<void> =>
    new Promise((resolve) => {
      server.once("close", resolve);
      line.late = false;
      server.end(bytes);
    });
  state.told({ text, fate, committed: false, deliver });
}

/** The server has said something; all that belongs to one request, when that is to come to harm. */
function answer(state: State, line: Line, idle: boolean): void {
  const bytes = Buffer.concat(line.answer.splice(0));
  if (isSilent(state, line)) return;
  if (line.driver.destroyed) return;
  if (line.fate.kind === "pass" || line.fate.kind === "late") return void line.driver.write(bytes);
  if (line.fate.when !== "mid-answer") return strike(state, line, idle && !line.failed);
  line.driver.write(bytes.subarray(0, bytes.length >> 1), () => strike(state, line, idle && !line.failed));
}

function strike(state: State, line: Line, committed: boolean): void {
  const { fate, text } = line;
  if (fate.kind === "cut") cut(line, fate.how);
  else line.silent = true;
  state.told({ text, fate, committed, deliver: async () => {} });
}

/** What has been written to the server is not taken back. */
function cut({ driver, server }: Line, how: Cut): void {
  hangUpOn(driver, how);
  server.destroySoon();
}

function hangUpOn(driver: Socket, how: Cut): void {
  if (how === "fin") driver.destroySoon();
  else driver.resetAndDestroy();
}

function hangUp(state: State, line: Line): void {
  state.lines.delete(line);
  line.driver.destroy();
  line.server.destroy();
}

function isSilent(state: State, line: Line): boolean {
  return state.silent || line.silent;
}
