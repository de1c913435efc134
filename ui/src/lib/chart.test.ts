import { describe, expect, it } from "vitest";
import { barsPath, between, bucketAt, bucketLabel, largest, linePath, niceMax } from "./chart";

describe("scales", () => {
  it("end at a round number that is not below the largest value", () => {
    expect([0, 0.003, 1, 7, 21, 100, 101, 1931].map(niceMax)).toEqual([1, 0.003, 1, 8, 25, 100, 120, 2000]);
    expect(niceMax(0.30000000000000004)).toBeCloseTo(0.3);
    expect(largest([[1, null, 3], [null]])).toBe(3);
  });

  it("finds the bucket under a place, also at the borders", () => {
    expect([-5, 0, 49.9, 50, 100, 120].map((x) => bucketAt(x, 100, 2))).toEqual([0, 0, 0, 1, 1, 1]);
  });
});

describe("paths", () => {
  it("leave a gap where nothing was measured, and show one value alone", () => {
    expect(linePath([10, null, 5, 0], 10, 40, 20)).toBe("M5.0 0.0h0.01M25.0 10.0L35.0 20.0");
    expect(linePath([null, null], 1, 10, 10)).toBe("");
  });

  it("draw no bar for nothing, and at least a line for something", () => {
    expect(barsPath([0, null, 1], 1000, 30, 100)).toBe("M20.00 100v-1.0h8.50v1.0z");
  });
});

describe("times", () => {
  it("are as precise as the bucket", () => {
    expect(bucketLabel("2026-11-23T10:05:00.000Z", 300, "en-GB", "UTC")).toMatch(/Mon.* 23 Nov.*10:05/);
    expect(bucketLabel("2026-11-23T00:00:00.000Z", 86_400, "en-GB", "UTC")).toMatch(/^Mon,? 23 Nov$/);
  });

  it("become a filter that the server reads", () => {
    expect(between("2026-11-23T10:00:00.000Z", "2026-11-23T10:05:07.500Z")).toBe(
      "started>=2026-11-23T10:00Z started<2026-11-23T10:05:07Z",
    );
  });
});
