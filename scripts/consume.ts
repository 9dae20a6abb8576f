/**
 * Second half of `npm run build:check`: pack the library as `npm publish` would, put it where an installation would,
 * and be its user. The folder lies inside the repository, so that the dependencies are found above it.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const consumer = join(root, "dist/consumer");

function run(command: string, args: readonly string[], cwd: string): void {
  const shell = process.platform === "win32";
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", shell });
  if (status === 0) return;
  console.error(`${command} ${args.join(" ")}\n${error?.message ?? stdout + stderr}`);
  process.exit(1);
}

rmSync(consumer, { recursive: true, force: true });
mkdirSync(join(consumer, "node_modules"), { recursive: true });
run("npm", ["pack", "--workspace", "stepwell", "--pack-destination", consumer], root);
const tarball = readdirSync(consumer).find((name) => name.endsWith(".tgz")) ?? "";
run("tar", ["-xzf", tarball], consumer);
renameSync(join(consumer, "package"), join(consumer, "node_modules/stepwell"));

run("publint", ["--strict", tarball], consumer);
cpSync(join(root, "scripts/consumer"), consumer, { recursive: true });
run("tsc", ["-p", consumer], consumer);
run("node", ["program.ts"], consumer);
