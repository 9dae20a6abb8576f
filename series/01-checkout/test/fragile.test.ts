/** The naive checkout has the faults that it is kept for. */
import { describe, expect, it } from "vitest";
import { FRAGILE_STORIES, playFragile } from "../fragile-story.ts";
import { withScratch } from "./scratch.ts";

const PAID: Readonly<Record<string, string>> = {
  "crash after the charge": "$249.52",
  "lost answer": "$249.52",
  "out of stock after the charge": "$124.76",
};

describe("the fragile checkout, for an order over 124.76 or for none at all", () => {
  it.each(FRAGILE_STORIES)("$name: $shows", { timeout: 60_000 }, async (story) => {
    const lines = await withScratch((dir) => playFragile(story, dir));
    expect(lines.slice(-2)).toEqual([
      `the order was over $124.76, the customer paid ${PAID[story.name]}`,
      "this is the bug",
    ]);
  });
});
