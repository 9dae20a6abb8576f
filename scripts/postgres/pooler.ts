/**
 * Pooler: a PgBouncer before a server, which lends a connection of the server for one transaction at a time.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One that runs. */
export type Pooler = {
  /** By which the database is reached through it. */
  readonly url: string;
  /** Kill it, and start it at the same port. */
  readonly restart: () => Promise<void>;
  /** End it, and remove what it leaves. */
  readonly stop: () => Promise<void>;
};

const PROGRAM = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find(
  (path) => spawnSync(path, ["--version"]).status === 0,
);

/** Why there is no pooler here; null: there is one. */
export function whyNoPooler(): string | null {
  return PROGRAM === undefined ? "pgbouncer is not installed; see scripts/deep/install-tools.sh" : null;
}

/**
 * Start one before the server of `url`, on a free port of the loopback interface.
 *
 * @param connections to the server, at most
 */
export async function startPooler(url: string, connections: number): Promise<Pooler> {
  const through = new URL(url);
  const folder = mkdtempSync(join(tmpdir(), "stepwell-pooler-"));
  chmodSync(folder, 0o755);
  const port = await freePort();
  writeFileSync(join(folder, "users.txt"), `"${through.username}" ""\n`);
  const config = [
    ...["[databases]", `* = host=${through.hostname} port=${through.port}`],
    ...["[pgbouncer]", "listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir ="],
    ...["pool_mode = transaction", `default_pool_size = ${connections}`, "max_client_conn = 500"],
    ...["auth_type = trust", `auth_file = ${join(folder, "users.txt")}`],
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), `${config.join("\n")}\n`);
  through.port = String(port);
  let child = await run(folder);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  };
  return {
    url: through.href,
    restart: async () => {
      await end("SIGKILL");
      child = await run(folder);
    },
    stop: async () => {
      await end("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ready for connections. */
function run(folder: string): Promise<ChildProcess> {
  const account = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const config = join(folder, "pgbouncer.ini");
  const child = spawn(PROGRAM!, [...account, config], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  return new Promise((resolve, reject) => {
    child.stderr.on("data", (data: Buffer) => {
      said += String(data);
      if (said.includes("process up")) resolve(child);
    });
    child.once("exit", () => reject(new Error(`pgbouncer did not start: ${said}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
