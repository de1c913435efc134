import { expect, test } from "vitest";
import { bars, barsPath, ticks, unheard } from "./waveform";

const peaks = [0, 0.1, 0.9, 0.2, 0, 0, 0.5, 0];

test("each bar is the loudest peak under it", () => {
  expect(bars(peaks, 4, 0, 2000, 4)).toEqual([0.1, 0.9, 0, 0.5]);
});

test("more bars than peaks repeat a peak and never skip one", () => {
  expect(bars(peaks, 4, 0, 1000, 8)).toEqual([0, 0, 0.1, 0.1, 0.9, 0.9, 0.2, 0.2]);
});

test("time without peaks is silent", () => {
  expect(bars(peaks, 4, 2000, 3000, 2)).toEqual([0, 0]);
  expect(bars([], 50, 0, 1000, 2)).toEqual([0, 0]);
});

test("what was generated and not heard stands out", () => {
  expect(unheard([0.5, 0.5, 0.5], [0.5, 0.01])).toEqual([0, 0.5, 0.5]);
});

test("a path has one stroke per bar, and none for silence when asked", () => {
  expect(barsPath([0, 1], 3, 10, 8).match(/M/g)).toHaveLength(2);
  expect(barsPath([0, 1], 3, 10, 8, false)).toBe("M4.5 2.0v16.0");
});

test("ticks are round and far enough apart", () => {
  expect(ticks(0, 10_000, 640)).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]);
  expect(ticks(3_000, 3_600_000, 640)).toEqual([
    600_000, 1_200_000, 1_800_000, 2_400_000, 3_000_000, 3_600_000,
  ]);
});
