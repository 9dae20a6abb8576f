/**
 * Arguments of the series' runner: read here, given by run.ts.
 */
import { type Scenario, SCENARIOS } from "./01-checkout/scenarios.ts";

/** How the runner is called. */
export const USAGE = `Usage: npm run series -- CHAPTER ACTION

  CHAPTER            1 (checkout)

  ACTION
    --list             the scenarios of the chapter
    --scenario NAME    play one and show what happened
    --fragile          what the checkout did before it was durable
    --test             play all; exit code 1 if one ends otherwise than expected`;

/** What is to be done. `why` says what is wrong with the arguments. */
export type Action =
  | { readonly kind: "help" | "list" | "fragile" | "test" }
  | { readonly kind: "scenario"; readonly scenario: Scenario }
  | { readonly kind: "wrong"; readonly why: string };

const ACTIONS = ["list", "fragile", "test"] as const;

/** Arguments to action; the first thing that is wrong ends the reading. */
export function parseArguments(args: readonly string[]): Action {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) return { kind: "help" };
  const [chapter, flag, name, ...rest] = args;
  if (chapter !== "1") return { kind: "wrong", why: `there is no chapter "${chapter}" yet; try 1` };
  if (flag === undefined) return { kind: "wrong", why: "say what to do: --list, --scenario NAME, --fragile or --test" };
  if (flag === "--scenario") return rest.length > 0 ? surplus(rest[0]) : findScenario(name);
  const kind = ACTIONS.find((action) => flag === `--${action}`);
  if (kind === undefined) return { kind: "wrong", why: `unknown action "${flag}"` };
  if (name !== undefined) return surplus(name);
  return { kind };
}

function surplus(argument: string | undefined): Action {
  return { kind: "wrong", why: `"${argument}" is one argument too many` };
}

function findScenario(name: string | undefined): Action {
  if (name === undefined) return { kind: "wrong", why: "--scenario needs a name; --list shows them" };
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario !== undefined) return { kind: "scenario", scenario };
  const near = SCENARIOS.filter((candidate) => candidate.name.includes(name)).map((candidate) => candidate.name);
  const hint = near.length > 0 ? `did you mean ${near.slice(0, 3).join(", ")}?` : "--list shows all names";
  return { kind: "wrong", why: `there is no scenario "${name}"; ${hint}` };
}
