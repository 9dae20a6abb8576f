/** `npm run build`: dist/ of every package that is published, from scratch, so that no deleted module survives. */
import { spawnSync } from "node:child_process";
import { globSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const projects = globSync("packages/*/tsconfig.build.json", { cwd: root });
for (const project of projects) rmSync(join(root, dirname(project), "dist"), { recursive: true, force: true });

const tsc = join(root, "node_modules/@typescript/native/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "-b", "--force", ...projects], { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
