/**
 * Plot: the rows as one SVG picture, a strip for each store. Left: runs per second by concurrency, the engine beside the
 * bare loop. Right: latency of one run at a time. Strips have the same scales, so that they can be compared.
 *
 * A pure function of the rows; every length in it is in pixels.
 */
import { type StoreName, STORES } from "./base.ts";
import type { Row } from "./row.ts";
import { STORE_TITLES } from "./table.ts";

/** Draw. Panels without rows say so. */
export function plotSvg(rows: readonly Row[]): string {
  const stores = STORES.filter((store) => rows.some((row) => row.store === store));
  const strips = toStrips(rows, stores.length === 0 ? [STORES[0]] : stores);
  const height = strips.length * HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img"`,
    `  aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<title id="title">Stepwell benchmark</title>`,
    `<desc id="desc">${escaped(description(rows))}</desc>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...strips.flatMap((strip, index) => [
      `<g transform="translate(0,${index * HEIGHT})">`,
      ...drawStrip(strip),
      "</g>",
    ]),
    "</svg>",
    "",
  ].join("\n");
}

/** What is drawn of one store. */
type Strip = { readonly panels: readonly [throughput: Panel, latency: Panel]; readonly caption: string };

/** A store is named where there are several. */
function toStrips(rows: readonly Row[], stores: readonly StoreName[]): readonly Strip[] {
  const tops = [axisTop(throughputGroups(rows)), axisTop(latencyGroups(rows))] as const;
  return stores.map((store) => {
    const own = rows.filter((row) => row.store === store);
    const where = stores.length > 1 ? ` on ${STORE_TITLES[store]}` : "";
    const panels = [
      { title: `Runs per second${where}, by runs at once`, groups: throughputGroups(own), top: tops[0] },
      { title: `Milliseconds per run${where}, one at a time`, groups: latencyGroups(own), top: tops[1] },
    ] as const;
    return { panels, caption: caption(own) };
  });
}

function drawStrip({ panels, caption }: Strip): readonly string[] {
  return [
    ...drawPanel(panels[0], MARGIN),
    ...drawPanel(panels[1], MARGIN + PANEL_WIDTH + GAP),
    drawText({ x: MARGIN, y: HEIGHT - 14, text: caption, anchor: "start", colour: FAINT }),
  ];
}

/** Bars that stand together under one label. */
type Group = { readonly label: string; readonly bars: readonly Bar[] };
type Bar = { readonly series: Series; readonly value: number };
/** `top`: the value at the upper end of the axis. */
type Panel = { readonly title: string; readonly groups: readonly Group[]; readonly top: number };
type Series = "stepwell" | "bare loop" | "p50" | "p99";

/** Told apart also without colour vision, and in grey. */
const COLOURS: Readonly<Record<Series, string>> = {
  stepwell: "#0b5fa5",
  "bare loop": "#b9c2cc",
  p50: "#0b5fa5",
  p99: "#e08a1e",
};

const INK = "#1c2733";
const FAINT = "#667380";
const WIDTH = 880;
const HEIGHT = 380;
const MARGIN = 56;
const GAP = 72;
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP) / 2;
const TOP = 84;
const BOTTOM = HEIGHT - 74;
const BAR_WIDTH_MAX = 40;

function throughputGroups(rows: readonly Row[]): readonly Group[] {
  const engine = rows.filter((row) => row.workload === "checkout");
  const bare = rows.filter((row) => row.workload === "bare");
  const concurrencies = [...new Set([...engine, ...bare].map((row) => row.concurrency))].sort((a, b) => a - b);
  return concurrencies.map((concurrency) => ({
    label: concurrency.toLocaleString("en-US"),
    bars: [...barsOf(engine, concurrency, "stepwell"), ...barsOf(bare, concurrency, "bare loop")],
  }));
}

function barsOf(rows: readonly Row[], concurrency: number, series: Series): readonly Bar[] {
  return rows.filter((row) => row.concurrency === concurrency).map((row) => ({ series, value: row.runsPerSecond }));
}

function latencyGroups(rows: readonly Row[]): readonly Group[] {
  const named = [
    ["latency", "1 step"],
    ["checkout", "5 steps"],
    ["bare", "5 steps, bare"],
  ] as const;
  return named.flatMap(([workload, label]) => {
    const found = rows.filter((row) => row.workload === workload && row.concurrency === 1);
    const bars = found.flatMap(({ p50Ms, p99Ms }): readonly Bar[] => {
      if (p50Ms === null || p99Ms === null) return [];
      return [
        { series: "p50", value: p50Ms },
        { series: "p99", value: p99Ms },
      ];
    });
    return bars.length === 0 ? [] : [{ label, bars }];
  });
}

function drawPanel(panel: Panel, left: number): readonly string[] {
  const title = drawText({ x: left, y: 34, text: panel.title, anchor: "start", size: 15 });
  if (panel.groups.length === 0) {
    return [title, drawText({ x: left, y: TOP, text: "not measured", anchor: "start", colour: FAINT })];
  }
  const { top } = panel;
  const yOf = (value: number): number => BOTTOM - (value / top) * (BOTTOM - TOP);
  const slot = PANEL_WIDTH / panel.groups.length;
  const groups = panel.groups.flatMap((group, index) => drawGroup(group, left + slot * index, slot, yOf));
  return [title, ...drawLegend(panel, left), ...drawAxis(top, left, yOf), ...groups];
}

function drawLegend(panel: Panel, left: number): readonly string[] {
  const series = [...new Set(panel.groups.flatMap((group) => group.bars.map((bar) => bar.series)))];
  return series.flatMap((name, index) => {
    const x = left + index * 96;
    return [
      `<rect x="${x}" y="46" width="11" height="11" fill="${COLOURS[name]}"/>`,
      drawText({ x: x + 17, y: 56, text: name, anchor: "start", colour: FAINT }),
    ];
  });
}

function drawAxis(top: number, left: number, yOf: (value: number) => number): readonly string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((part) => {
    const y = fixed(yOf(top * part));
    const colour = part === 0 ? FAINT : "#e3e7eb";
    return [
      `<line x1="${fixed(left)}" y1="${y}" x2="${fixed(left + PANEL_WIDTH)}" y2="${y}" stroke="${colour}"/>`,
      drawText({ x: left - 6, y: yOf(top * part) + 4, text: numberText(top * part), anchor: "end", colour: FAINT }),
    ];
  });
}

function drawGroup(group: Group, left: number, slot: number, yOf: (value: number) => number): readonly string[] {
  const width = Math.min(BAR_WIDTH_MAX, (slot * 0.7) / group.bars.length);
  const begin = left + (slot - width * group.bars.length) / 2;
  const label = drawText({ x: left + slot / 2, y: BOTTOM + 20, text: group.label, anchor: "middle" });
  const bars = group.bars.flatMap(({ series, value }, index) => {
    const x = begin + index * width;
    const y = yOf(value);
    return [
      `<rect x="${fixed(x + 1)}" y="${fixed(y)}" width="${fixed(width - 2)}" height="${fixed(BOTTOM - y)}" ` +
        `fill="${COLOURS[series]}"/>`,
      drawText({ x: x + width / 2, y: y - 5, text: numberText(value), anchor: "middle", size: 11 }),
    ];
  });
  return [...bars, label];
}

function drawText(at: {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly anchor: "start" | "middle" | "end";
  readonly size?: number;
  readonly colour?: string;
}): string {
  const size = at.size === undefined ? "" : ` font-size="${at.size}"`;
  const colour = at.colour === undefined ? "" : ` fill="${at.colour}"`;
  const place = `x="${fixed(at.x)}" y="${fixed(at.y)}" text-anchor="${at.anchor}"`;
  return `<text ${place}${size}${colour}>${escaped(at.text)}</text>`;
}

/** The smallest 1, 2, 4 or 8 times a power of ten that leaves room for the label above the highest bar. */
function axisTop(groups: readonly Group[]): number {
  const highest = Math.max(0, ...groups.flatMap((group) => group.bars.map((bar) => bar.value)));
  const least = Math.max(highest * 1.05, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 4, 8, 10].find((candidate) => candidate * power >= least) ?? 10;
  return factor * power;
}

function caption(rows: readonly Row[]): string {
  const [row] = rows;
  if (row === undefined) return "";
  const { machine, versions, fdatasyncPerSecond, settings } = row;
  const database =
    versions.postgres === null
      ? `synchronous=FULL; SQLite ${versions.sqlite}`
      : `fsync ${settings["fsync"]}, synchronous_commit ${settings["synchronous_commit"]}; PostgreSQL ${versions.postgres}`;
  const disk = `${numberText(fdatasyncPerSecond)} fdatasync/s, ${database}`;
  return `${machine.cpu}, ${machine.cores} cores; ${disk}, Node ${versions.node}`;
}

function description(rows: readonly Row[]): string {
  const several = new Set(rows.map(({ store }) => store)).size > 1;
  return rows
    .filter((row) => row.workload === "checkout" || row.workload === "bare")
    .map(({ store, workload, concurrency, runsPerSecond }) => {
      const where = several ? ` on ${STORE_TITLES[store]}` : "";
      return `${workload}${where} at ${concurrency}: ${numberText(runsPerSecond)} runs per second`;
    })
    .join("; ");
}

/** Three digits that matter, grouped. */
function numberText(value: number): string {
  return Number(value.toPrecision(value >= 1_000 ? 4 : 3)).toLocaleString("en-US");
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
