/**
 * Terminal: what may be shown where. Colours only on a terminal, and none with NO_COLOR
 * (no-color.org) or TERM=dumb; lines as wide as the terminal, up to a width that reads well.
 */
import pc from "picocolors";

/** Functions that colour a text, or leave it as it is. */
export type Paint = ReturnType<typeof pc.createColors>;

/** A place to print to. */
export type Terminal = {
  readonly paint: Paint;
  /** Characters per line. */
  readonly columns: number;
  readonly print: (line?: string) => void;
};

/** Wider lines are hard to read. */
const COLUMNS_MAX = 88;
const COLUMNS_MIN = 40;
/** Where nothing is known, as in a pipe. */
const COLUMNS_DEFAULT = 80;

/** The terminal behind an output stream. */
export function openTerminal(
  out: { readonly isTTY?: boolean; readonly columns?: number; readonly write: (text: string) => unknown },
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const coloured = out.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  const columns = Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, out.columns ?? COLUMNS_DEFAULT));
  return { paint: pc.createColors(coloured), columns, print: (line = "") => void out.write(`${line}\n`) };
}

/** When the reader of a pipe has left (`| head`), end as quietly as other programs do. */
export function endWithReader(out: { readonly on: (event: "error", ended: () => void) => unknown }): void {
  out.on("error", () => process.exit(0));
}

/** Break a text into lines of at most `width` characters, at spaces where there are any. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
