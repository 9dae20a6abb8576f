/** The plot is well-formed and says what it shows. */
import { describe, expect, it } from "vitest";
import { plotSvg } from "../plot.ts";
import { aPostgresRow, aRow } from "./a-row.ts";

const ROWS = [1, 64, 512]
  .flatMap((concurrency) => [
    aRow({ workload: "bare", concurrency, runsPerSecond: 30 * concurrency, p50Ms: 0.9, p99Ms: 1.4 }),
    aRow({ concurrency, runsPerSecond: 20 * concurrency, p50Ms: 1.2, p99Ms: 2.5 }),
  ])
  .concat(aRow({ workload: "latency", concurrency: 1, p50Ms: 0.41, p99Ms: 0.9 }));

describe("plotSvg", () => {
  it.each([
    ["all rows", ROWS],
    ["two stores", [...ROWS, ...ROWS.map((row) => aPostgresRow({ ...row, store: "postgres" }))]],
    ["no rows", []],
    ["one row", ROWS.slice(0, 1)],
    ["a row without latencies", [aRow({ workload: "recovery", p50Ms: null, p99Ms: null })]],
  ])("is well-formed with %s", (_, rows) => {
    const svg = plotSvg(rows);
    expect(faultOf(svg)).toBeNull();
    expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  it("notices a plot that is not well-formed", () => {
    expect(faultOf("<svg><text>a</svg>")).toBe("</svg> closes <text>");
    expect(faultOf("<svg>a & b</svg>")).toBe("bare & in the text");
  });

  it("shows the engine beside the bare loop, and the latencies, with their values", () => {
    const svg = plotSvg(ROWS);
    for (const text of [
      ">stepwell<",
      ">bare loop<",
      ">p50<",
      ">p99<",
      ">64<",
      ">512<",
      ">15,360<",
      ">10,240<",
      ">0.41<",
    ]) {
      expect(svg).toContain(text);
    }
    expect(svg.match(/<rect /g)).toHaveLength(1 + 4 + 6 + 6);
  });

  it("keeps every bar within the picture", () => {
    const bars = [...plotSvg(ROWS).matchAll(/<rect x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"/g)];
    for (const [, x, y, width, height] of bars) {
      expect(Number(x)).toBeGreaterThanOrEqual(0);
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(880);
      expect(Number(y)).toBeGreaterThanOrEqual(0);
      expect(Number(y) + Number(height)).toBeLessThanOrEqual(380);
    }
  });

  it("draws a strip for each store, with the same scales", () => {
    const slow = ROWS.map((row) => aPostgresRow({ ...row, store: "postgres", runsPerSecond: row.runsPerSecond / 10 }));
    const svg = plotSvg([...ROWS, ...slow]);
    expect(svg).toContain('viewBox="0 0 880 760"');
    expect(svg).toContain(">Runs per second on SQLite, by runs at once<");
    expect(svg).toContain(">Milliseconds per run on PostgreSQL, one at a time<");
    expect(svg).toContain("fsync on, synchronous_commit on; PostgreSQL 18.4");
    const [, upper = "", lower = ""] = svg.split("<g transform");
    const axisOf = (strip: string): readonly string[] => strip.match(/text-anchor="end"[^>]*>[^<]+/g) ?? [];
    expect(axisOf(upper)).toHaveLength(10);
    expect(axisOf(lower)).toEqual(axisOf(upper));
  });
});

/** Enough of an XML parser for what plotSvg writes: tags in pairs, quoted attributes, no bare & or <. */
function faultOf(svg: string): string | null {
  const open: string[] = [];
  for (const [, text, close, name, attributes, single] of svg.matchAll(
    /([^<]*)(?:<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)(\/?)>|$)/g,
  )) {
    if (/&(?!(amp|lt|gt);)/.test(`${text}${attributes ?? ""}`)) return "bare & in the text";
    if (name === undefined) return text === "" || text === "\n" ? null : `text after the end: ${text}`;
    if (close === "/" && open.at(-1) !== name) return `</${name}> closes <${open.at(-1)}>`;
    if (close === "/") open.pop();
    else if (single === "") open.push(name);
  }
  return open.length === 0 ? "no end" : `<${open.at(-1)}> is not closed`;
}
