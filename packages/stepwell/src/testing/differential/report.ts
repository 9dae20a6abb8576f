/**
 * Report: a disagreement in words that a person can work with.
 */
import { findDifference } from "./difference.ts";
import type { Way } from "./shrink.ts";
import type { Round } from "./world.ts";

/**
 * The seed, the operations that lead there, and who answered what.
 *
 * @param drawn how many operations there were before they were shrunk
 */
export function describeWay({ operations, disagreement }: Way, seed: number, drawn: number): string {
  const { operation, answers } = disagreement;
  const names = answers.map(({ name }) => name);
  const inIt = operations.at(-1) === operation;
  return [
    `${names.join(" and ")} disagree. Seed ${seed}, ${operations.length} operations of ${drawn}:`,
    ...operations.map((one, index) => `${String(index + 1).padStart(4)}  ${JSON.stringify(one)}`),
    ...(inIt ? ["The last one was answered:", ...describeAnswers(disagreement)] : [describeRound(disagreement)]),
  ].join("\n");
}

/** What was asked, and who answered what. */
export function describeRound(round: Round): string {
  return [`Then ${JSON.stringify(round.operation)} was answered:`, ...describeAnswers(round)].join("\n");
}

function describeAnswers({ answers }: Round): readonly string[] {
  const first = answers[0]!;
  return [
    ...answers.map(({ name, answer }) => `  ${name}: ${JSON.stringify(answer)}`),
    ...answers.slice(1).flatMap(({ name, answer }) => describeDifference(first.name, first.answer, name, answer)),
  ];
}

function describeDifference(name: string, answer: unknown, other: string, otherAnswer: unknown): readonly string[] {
  const difference = findDifference(answer, otherAnswer);
  if (difference === null) return [];
  const [here, there] = difference.values.map((value) => JSON.stringify(value));
  return [
    `First difference of ${other}: at ${difference.path || "the whole"}, ${here} in ${name}, ${there} in ${other}`,
  ];
}
