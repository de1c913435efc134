import { expect, test } from "vitest";
import { bytes, clock, cost, duration, millis, moment, percent, plural, relative } from "./format";

test.each([
  [null, "–"],
  [0, "0 ms"],
  [850, "850 ms"],
  [12_440, "12.4 s"],
  [185_000, "3 min 05 s"],
  [3_720_000, "1 h 02 min"],
])("a duration of %s ms reads %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [0, "0:00.0"],
  [13_640, "0:13.6"],
  [59_990, "0:59.9"],
  [3_723_400, "1:02:03.4"],
])("%i ms into a call reads %s", (ms, text) => {
  expect(clock(ms)).toBe(text);
});

test("amounts carry their unit, and nothing is shown as 0 that was not measured", () => {
  expect([cost(0.0418), cost(12.3), cost(0), cost(null)]).toEqual(["$0.0418", "$12.30", "$0", "–"]);
  expect([millis(1080), millis(null)]).toEqual(["1,080 ms", "–"]);
  expect([percent(0.71), bytes(6600), plural(1, "turn"), plural(3, "turn")]).toEqual([
    "71 %",
    "6.4 KiB",
    "1 turn",
    "3 turns",
  ]);
});

test("moments come as text, seconds, milliseconds or nanoseconds", () => {
  const iso = "2026-11-22T10:00:00.000Z";
  const ms = Date.parse(iso);
  for (const value of [iso, ms, ms / 1000, ms * 1e6]) expect(moment(value)?.toISOString()).toBe(iso);
  expect(moment("never")).toBeNull();
});

test.each([
  [2, "just now"],
  [42, "42 s ago"],
  [600, "10 min ago"],
  [7200, "2 h ago"],
  [3 * 86_400, "3 d ago"],
])("%i seconds before now reads %s", (seconds, text) => {
  expect(relative(new Date(1_000_000_000), 1_000_000_000 + seconds * 1000)).toBe(text);
});
