/**
 * Cluster: the folder that a PostgreSQL keeps its databases in.
 *
 * `initdb` takes half a second and more, so what it made is kept as an archive below node_modules/.cache, and the next
 * cluster is unpacked from there. An archive is put in place by a rename: processes that make one at the same time do not
 * disturb each other.
 */
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { giveTo, runAs, type Streams } from "./account.ts";
import type { Programs } from "./programs.ts";

/** Where archives are kept, unless told otherwise. */
export const CACHE = join(import.meta.dirname, "../../node_modules/.cache/stepwell-postgres");

/**
 * Most servers in the world sort text by a language's rules and not by code points; so does this one, lest anybody rely
 * on the latter.
 */
const INITDB = [
  ...["--username=postgres", "--auth=trust", "--no-sync", "--no-instructions"],
  ...["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"],
];

/** `password` of the user postgres; null lets everybody in. `durable`: the cluster itself survives a power loss, too. */
export type ClusterOptions = {
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly password: string | null;
  readonly durable: boolean;
};

/**
 * Make the cluster, unless there is one in `dataDir`; set who may connect.
 *
 * @throws Error with what a program said, when one fails
 */
export function openCluster(programs: Programs, options: ClusterOptions): void {
  const { dataDir, password, durable } = options;
  const exists = existsSync(join(dataDir, "PG_VERSION"));
  // Made beside its place: what was interrupted is not taken for a cluster.
  const folder = exists ? dataDir : `${dataDir}.unfinished`;
  if (!exists) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o700);
    giveTo(programs.account, folder);
    fill(programs, folder, options.cacheDir);
  }
  writeFileSync(
    join(folder, "pg_hba.conf"),
    `host all all 127.0.0.1/32 ${password === null ? "trust" : "scram-sha-256"}\n`,
  );
  if (password !== null) {
    const statement = `ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'\n`;
    run(programs, ["postgres", "--single", "-D", folder, "postgres"], { cwd: folder, stdin: statement });
  }
  if (exists) return;
  if (durable) run(programs, ["initdb", "--sync-only", "-D", folder], { cwd: folder });
  renameSync(folder, dataDir);
}

function run({ account, bin }: Programs, [program = "", ...args]: readonly string[], streams: Streams): void {
  runAs(account, [join(bin, program), ...args], streams);
}

function fill(programs: Programs, folder: string, cacheDir: string): void {
  const key = createHash("sha256").update(INITDB.join(" ")).digest("hex").slice(0, 8);
  const archive = join(cacheDir, `${programs.name}-${programs.version}-${key}.tar`);
  if (existsSync(archive)) {
    withFile(archive, "r", (stdin) => runAs(programs.account, ["tar", "-xf", "-"], { cwd: folder, stdin }));
    return;
  }
  run(programs, ["initdb", ...INITDB, "-D", folder], { cwd: folder });
  if (mayWriteTo(cacheDir)) keep(programs, folder, archive);
}

/** A checkout may belong to somebody else. */
function mayWriteTo(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function keep({ account }: Programs, folder: string, archive: string): void {
  const unfinished = `${archive}.${process.pid}`;
  try {
    withFile(unfinished, "w", (stdout) => runAs(account, ["tar", "-cf", "-", "."], { cwd: folder, stdout }));
    renameSync(unfinished, archive);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function withFile(path: string, flags: string, use: (file: number) => void): void {
  const file = openSync(path, flags);
  try {
    use(file);
  } finally {
    closeSync(file);
  }
}
