/**
 * Programs: the binaries of a PostgreSQL, seen to run here. The system may lack a library, the account a right or a name.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { type Account, giveTo, runAs } from "./account.ts";
import { type Binaries, makeLinks } from "./binaries.ts";

/** Programs that run, and for whom. `version` as PostgreSQL says it: `18.4`. */
export type Programs = {
  readonly name: string;
  readonly version: string;
  readonly bin: string;
  readonly account: Account;
};

/**
 * Find an account for which the programs run: where they lie, or else as a copy in `folder`, for a checkout may lie where
 * the account may not look, or be one that nobody may write to.
 *
 * @param folder exists, is empty, and is given to the account
 */
export function openPrograms(
  { name, root, links }: Binaries,
  folder: string,
  accounts: readonly Account[],
): Programs | { readonly missing: string } {
  const complaints: string[] = [];
  const tryIn = (place: string): Programs | undefined => {
    makeLinks(place, links);
    for (const account of accounts) {
      giveTo(account, folder);
      try {
        const bin = join(place, "bin");
        return { name, version: probe(account, bin, folder), bin, account };
      } catch (error) {
        complaints.push(`as ${account}: ${String(error)}`);
      }
    }
    return undefined;
  };
  return tryIn(root) ?? tryIn(copy(root, join(folder, "programs"))) ?? { missing: complaints.join("; ") };
}

function copy(root: string, place: string): string {
  cpSync(root, place, { recursive: true, verbatimSymlinks: true });
  return place;
}

/**
 * Ask for the version, and let initdb tell its settings: it looks at everything that it needs before.
 *
 * @throws Error when it is not all there
 */
function probe(account: Account, bin: string, cwd: string): string {
  const said = runAs(account, [join(bin, "postgres"), "--version"], { cwd });
  const version = /\(PostgreSQL\) (\S+)/.exec(said)?.[1];
  if (version === undefined) throw new Error(`postgres --version said ${said}`);
  runAs(account, [join(bin, "initdb"), "--show", "-D", join(cwd, "data")], { cwd });
  return version;
}
