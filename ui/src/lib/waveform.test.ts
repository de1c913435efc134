import { expect, test } from "vitest";
import { ticks } from "./waveform";

test("ticks are round and far enough apart", () => {
  expect(ticks(0, 10_000, 640)).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]);
  expect(ticks(3_000, 3_600_000, 640)).toEqual([
    600_000, 1_200_000, 1_800_000, 2_400_000, 3_000_000, 3_600_000,
  ]);
});
