/** PgBouncer before a server, for the tests of what it takes away: settings, prepared statements, notifications. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";

const PROGRAM = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find(
  (path) => spawnSync(path, ["--version"]).status === 0,
);

/** @returns the URL by which the database of `url` is reached through a pooler, which goes with the test */
export async function openPooler(test: TestContext, url: string): Promise<string> {
  if (PROGRAM === undefined) return test.skip("pgbouncer is not installed");
  const target = new URL(url);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "stepwell-pooler-"));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "users.txt"), `"${target.username}" ""\n`);
  const config = [
    ...["[databases]", `* = host=${target.hostname} port=${target.port}`],
    ...["[pgbouncer]", "listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir ="],
    ...["pool_mode = transaction", "default_pool_size = 3", "max_client_conn = 100"],
    ...["auth_type = trust", `auth_file = ${join(folder, "users.txt")}`],
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), `${config.join("\n")}\n`);
  const account = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const pooler = spawn(PROGRAM, [...account, join(folder, "pgbouncer.ini")], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const ready = new Promise<void>((resolve, reject) => {
    pooler.stderr.on("data", (data: Buffer) => {
      said += String(data);
      if (said.includes("process up")) resolve();
    });
    pooler.once("exit", () => reject(new Error(`pgbouncer did not start: ${said}`)));
  });
  const gone = new Promise((resolve) => pooler.once("exit", resolve));
  onTestFinished(async () => {
    pooler.kill("SIGTERM");
    await gone;
    rmSync(folder, { recursive: true, force: true });
  });
  await ready;
  target.port = String(port);
  return target.href;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
