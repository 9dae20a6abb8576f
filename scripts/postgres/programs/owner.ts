/**
 * Owner: starts a server, tells of it in one line, and begins to stop it, `smart`, at any word from outside; but it is to
 * be killed before. Ctrl-C it only remarks upon. What becomes of the server is for a test to see.
 */
import { type PostgresOptions, startPostgres } from "../server.ts";

const server = await startPostgres(JSON.parse(process.argv[2] ?? "{}") as PostgresOptions);
if (server.kind === "own") {
  process.on("SIGINT", () => console.log("interrupted"));
  process.stdin.once("data", () => void server.stop("smart"));
  console.log(JSON.stringify({ ...server, pid: server.pid() }));
}
