/**
 * Report: one played scenario as lines for people.
 */
import { formatMoney } from "../growthcorp/money.ts";
import { renderTimeline, type TimelineStyle } from "../growthcorp/timeline.ts";
import type { Effects, LoggedCall } from "../growthcorp/world/ledger.ts";
import { wrapText } from "../growthcorp/terminal.ts";
import type { Report } from "./play.ts";

/** What happened step by step, every call that the services saw, then effects against expectation. */
export function renderReport(report: Report, style: TimelineStyle): readonly string[] {
  const { paint, columns } = style;
  const { scenario } = report;
  return [
    paint.bold(scenario.name),
    ...wrapText(scenario.shows, columns),
    "",
    paint.bold("The run"),
    ...renderTimeline(report.history, style),
    "",
    paint.bold("What the services saw"),
    ...report.calls.map((call) => renderCall(call, style)),
    "",
    paint.bold("Effects"),
    ...renderEffects(report, style),
    "",
    ...renderVerdict(report, style),
  ];
}

/** One line per scenario, for lists of many. */
export function renderVerdictLine(report: Report, { paint }: TimelineStyle): string {
  const mark = report.problems.length === 0 ? paint.green("✓") : paint.red("✗");
  return `${mark} ${report.scenario.name.padEnd(32)} ${paint.dim(report.error === "" ? report.state : report.error)}`;
}

/** All problems of a report, one per line; or that there are none. */
export function renderVerdict(report: Report, { paint }: TimelineStyle): readonly string[] {
  if (report.problems.length === 0) return [paint.green("✓ as expected")];
  return [paint.red("✗ not as expected"), ...report.problems.map((problem) => `  ${problem}`)];
}

function renderCall(call: LoggedCall, { paint }: TimelineStyle): string {
  const what = `  ${call.service.padEnd(17)} ${call.operation.padEnd(14)}`;
  if (call.code === null) return `${what} ${paint.red("never answered: killed")}`;
  if (call.code !== "ok") return `${what} ${paint.red(call.code)}`;
  return `${what} ${paint.green("ok")}${call.replayed ? paint.dim(", as the first time") : ""}`;
}

function renderEffects(report: Report, { paint }: TimelineStyle): readonly string[] {
  const { expected } = report.scenario;
  const line = (name: string, is: string, should: string): string => {
    const verdict = is === should ? paint.green("✓") : paint.red(`✗ expected ${should}`);
    return `  ${name.padEnd(17)} ${is.padStart(8)} ${verdict}`;
  };
  const names = Object.keys(expected.effects) as (keyof Effects)[];
  const counted = names.filter((name) => report.effects[name] > 0 || expected.effects[name] > 0);
  return [
    ...counted.map((name) => line(name, String(report.effects[name]), String(expected.effects[name]))),
    line("money kept", formatMoney(report.kept), formatMoney(expected.kept)),
  ];
}
