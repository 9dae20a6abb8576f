/** Gathering: what many ask in one turn is asked once. */
import { describe, expect, it } from "vitest";
import { gathered } from "../../../src/store/postgres/gather.ts";

function openDouble(fail: (key: number) => boolean = () => false) {
  const queries: (readonly number[])[] = [];
  const double = gathered(async (keys: readonly number[]) => {
    queries.push(keys);
    if (keys.includes(-1)) throw new RangeError("the server is gone");
    return keys.map((key) => (fail(key) ? new RangeError(`no ${key}`) : key * 2));
  });
  return { double, queries };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("gathered", () => {
  it("asks for all keys of one turn by one query, and answers each with its own", async () => {
    const { double, queries } = openDouble();
    const later = Promise.resolve().then(() => double(3));
    expect(await Promise.all([double(1), double(2), double(1), later])).toEqual([2, 4, 2, 6]);
    expect(queries).toEqual([[1, 2, 1, 3]]);
    await turn();
    expect(await double(4)).toBe(8);
    expect(queries.length).toBe(2);
  });

  it("asks for no more than 256 at once", async () => {
    const { double, queries } = openDouble();
    const keys = Array.from({ length: 600 }, (_, index) => index);
    expect(await Promise.all(keys.map(double))).toEqual(keys.map((key) => key * 2));
    expect(queries.map((query) => query.length)).toEqual([256, 256, 88]);
  });

  it("fails those alone for which there is no answer, and all when there is none at all", async () => {
    const { double } = openDouble((key) => key === 2);
    const settled = await Promise.allSettled([double(1), double(2), double(3)]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const failed = await Promise.allSettled([double(1), double(-1)]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await double(5)).toBe(10);
  });
});
