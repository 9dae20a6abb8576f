/**
 * Server: a real PostgreSQL for tests, benchmarks and demonstrations, from npm, without Docker.
 *
 *     const server = await startPostgres();
 *     new Client({ connectionString: server.url });
 *     await server.stop();
 *
 * Runs under any user, listens on the loopback interface alone, and leaves neither process nor folder behind, also when
 * its owner is killed: see guard.ts.
 *
 * The variable STEPWELL_TEST_PG chooses for all who do not say which they want: `postgres://…`, a server that runs
 * already; `debian-15`, Debian's binaries instead of npm's; `none`, to go without.
 */
import { fork } from "node:child_process";
import { join, resolve } from "node:path";
import type { Account } from "./account.ts";
import type { BinariesName } from "./binaries.ts";
import { CACHE } from "./cluster.ts";
import type { Order, Plan, Reply } from "./guard.ts";
import type { StopMode } from "./postmaster.ts";
import { query } from "./query.ts";

/** What kind of server; everything may be left out. */
export type PostgresOptions = {
  /** Of a server that runs already; then nothing else here counts. */
  readonly url?: string;
  /** The default is `npm`, PostgreSQL 18. */
  readonly binaries?: BinariesName;
  /** As in postgresql.conf: `{ max_connections: "10" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the databases are, and stay when the server is stopped; made if need be. Default: a folder that goes with it. */
  readonly dataDir?: string;
  /** The default is a free one. */
  readonly port?: number;
  /** Of the user postgres, asked for by SCRAM. By default everybody is let in. */
  readonly password?: string;
  /** False: no fsync. A crash of the server loses nothing even so, but one of the machine does. */
  readonly durable?: boolean;
  /** Where what initdb made is kept for the next time; the default is below node_modules/.cache. */
  readonly cacheDir?: string;
  /** As whom it runs; chosen by default. */
  readonly account?: Account;
};

/** A server of this process, or one that somebody else runs, which can be neither restarted nor killed. */
export type PostgresServer = OwnServer | BorrowedServer;

/** A server that goes when this process does, which it keeps alive until it is stopped. */
export type OwnServer = {
  readonly kind: "own";
  readonly url: string;
  /** As PostgreSQL says it: `18.4`. */
  readonly version: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of its first process; another one after each restart. */
  readonly pid: () => number;
  /** End it, `fast` by default, and remove what it leaves. May be called again. */
  readonly stop: (mode?: StopMode) => Promise<void>;
  /** Stop it, `fast` by default, unless it is dead already, and start it at the same port with the same data. */
  readonly restart: (mode?: StopMode) => Promise<void>;
  /** SIGKILL to all of its processes at once. Restart or stop it afterwards. */
  readonly kill: () => Promise<void>;
};

/** The server whose URL was given, or is in STEPWELL_TEST_PG; stopping it does nothing. */
export type BorrowedServer = {
  readonly kind: "borrowed";
  readonly url: string;
  readonly version: string;
  readonly stop: () => Promise<void>;
};

type Running = Extract<Reply, { kind: "running" }>;

/** There is no PostgreSQL that could run here; the message says why. */
export class PostgresMissing extends Error {
  override readonly name = "PostgresMissing";
}

/**
 * Start one, or connect to the one whose URL is given or in STEPWELL_TEST_PG.
 *
 * @throws PostgresMissing when there is none for this machine, or none that runs
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const named = options.url ?? options.binaries ?? process.env["STEPWELL_TEST_PG"] ?? "";
  if (/^postgres(ql)?:\/\//.test(named)) return borrow(named);
  switch (named) {
    case "":
      return start(toPlan(options, "npm"));
    case "npm":
    case "debian-15":
      return start(toPlan(options, named));
    case "none":
      throw new PostgresMissing("STEPWELL_TEST_PG says none");
    default:
      throw new Error(`STEPWELL_TEST_PG is "${named}"; it should be postgres://…, npm, debian-15 or none`);
  }
}

async function borrow(url: string): Promise<BorrowedServer> {
  const [version] = await query(url, "SHOW server_version");
  return { kind: "borrowed", url, version: String(version), stop: async () => {} };
}

async function start(plan: Plan): Promise<OwnServer> {
  const guard = openGuard();
  const run = async (order: Order): Promise<Running> => {
    const reply = await guard.ask(order);
    if (reply.kind === "running") return reply;
    if (order.kind === "start") await guard.dismiss();
    throw toError(reply);
  };
  let server = await run({ kind: "start", plan });
  const stop = async (mode: StopMode): Promise<void> => {
    const reply = await guard.ask({ kind: "stop", mode });
    await guard.dismiss();
    if (reply.kind !== "ended") throw toError(reply);
  };
  let stopped: Promise<void> | null = null;
  const login = plan.password === null ? "postgres" : `postgres:${encodeURIComponent(plan.password)}`;
  const { version, port, dataDir } = server;
  return {
    kind: "own",
    url: `postgres://${login}@127.0.0.1:${port}/postgres`,
    version,
    port,
    dataDir,
    pid: () => server.pid,
    stop: (mode = "fast") => (stopped ??= stop(mode)),
    restart: async (mode = "fast") => {
      server = await run({ kind: "restart", mode });
    },
    kill: async () => {
      const reply = await guard.ask({ kind: "kill" });
      if (reply.kind !== "killed") throw toError(reply);
    },
  };
}

function toPlan(options: PostgresOptions, binaries: BinariesName): Plan {
  return {
    binaries,
    dataDir: options.dataDir === undefined ? null : resolve(options.dataDir),
    cacheDir: options.cacheDir ?? CACHE,
    port: options.port ?? null,
    password: options.password ?? null,
    durable: options.durable ?? true,
    settings: options.settings ?? {},
    account: options.account ?? null,
  };
}

function toError(reply: Reply): Error {
  if (reply.kind === "missing") return new PostgresMissing(reply.why);
  return new Error(reply.kind === "failed" ? reply.why : `the server is ${reply.kind}`);
}

type Guard = {
  /** Orders are obeyed one after the other. */
  readonly ask: (order: Order) => Promise<Reply>;
  /** Let it go, and wait until it has. */
  readonly dismiss: () => Promise<void>;
};

function openGuard(): Guard {
  const child = fork(join(import.meta.dirname, "guard.ts"), [], {
    detached: true,
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const waiting: ((reply: Reply) => void)[] = [];
  child.on("message", (reply: Reply) => waiting.shift()?.(reply));
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  void gone.then(() => {
    for (const resolve of waiting) resolve({ kind: "failed", why: "the guard of the server has died" });
  });
  return {
    ask: (order) => {
      const { promise, resolve } = Promise.withResolvers<Reply>();
      waiting.push(resolve);
      child.send(order);
      return promise;
    },
    dismiss: async () => {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}
