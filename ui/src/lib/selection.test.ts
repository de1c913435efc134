import { expect, it } from "vitest";
import { toggled } from "./selection";

const IDS = ["a", "b", "c", "d"];
const after = (before: string[], index: number, anchor: number, range: boolean) =>
  [...toggled(IDS, new Set(before), index, anchor, range)].sort().join("");

it("selects one, and takes it back", () => {
  expect(after([], 1, -1, false)).toBe("b");
  expect(after(["b"], 1, -1, false)).toBe("");
});

it("selects a range in both directions, and one where there was none before", () => {
  expect(after(["b"], 3, 1, true)).toBe("bcd");
  expect(after(["d"], 1, 3, true)).toBe("bcd");
  expect(after([], 2, -1, true)).toBe("c");
  expect(after(["a"], 9, 0, true)).toBe("a");
});
