/** Plant: what runs fail at and operators cure. */
import { PermanentError } from "../../src/index.ts";

/** Who lets them go on, and why. */
export const KIM = { actor: "kim", reason: "cured" } as const;

/** Steps by what they did, of which some fail until they are cured. */
export function aPlant(broken: readonly string[]) {
  const log: string[] = [];
  const ill = new Set(broken);
  const step = (name: string) => (): string => {
    log.push(name);
    if (ill.has(name)) throw new PermanentError(`${name} is broken`);
    return name;
  };
  return { log, step, cure: (name: string) => void ill.delete(name) };
}
