/** Colours and widths fit the place that is printed to. */
import { describe, expect, it } from "vitest";
import { openTerminal, wrapText } from "../terminal.ts";

const out = (isTTY: boolean, columns?: number) => ({
  isTTY,
  write: () => true,
  ...(columns === undefined ? {} : { columns }),
});

describe("terminal", () => {
  it("colours on a terminal and nowhere else", () => {
    expect(openTerminal(out(true), {}).paint.red("x")).toContain("\u001b[");
    expect(openTerminal(out(false), {}).paint.red("x")).toBe("x");
  });

  it("honours NO_COLOR unless it is empty, and TERM=dumb", () => {
    expect(openTerminal(out(true), { NO_COLOR: "1" }).paint.red("x")).toBe("x");
    expect(openTerminal(out(true), { NO_COLOR: "" }).paint.red("x")).toContain("\u001b[");
    expect(openTerminal(out(true), { TERM: "dumb" }).paint.red("x")).toBe("x");
  });

  it("keeps the width within what reads well", () => {
    expect(openTerminal(out(true, 60), {}).columns).toBe(60);
    expect(openTerminal(out(true, 300), {}).columns).toBe(88);
    expect(openTerminal(out(true, 10), {}).columns).toBe(40);
    expect(openTerminal(out(false), {}).columns).toBe(80);
  });

  it("wraps at spaces and leaves a long word alone", () => {
    expect(wrapText("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrapText("a-very-long-word b", 5)).toEqual(["a-very-long-word", "b"]);
    expect(wrapText("", 5)).toEqual([""]);
  });
});
