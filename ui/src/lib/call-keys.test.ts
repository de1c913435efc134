import { expect, test } from "vitest";
import type { Span } from "../api/types";
import { jump, type Landmarks } from "./call-keys";

const span = (type: Span["type"], start_ms: number, more: Partial<Span> = {}): Span => ({
  id: `${type}-${start_ms}`,
  parent_id: null,
  type,
  name: type,
  start_ms,
  end_ms: start_ms + 1_000,
  status: "completed",
  error: null,
  input: null,
  output: null,
  ...more,
});
const CUT = span("response", 6_000, {
  output: { interrupted: true, play_start_ms: 6_100 },
  metrics: { audio_heard_ms: 500, audio_generated_ms: 2_000 },
});
const CALL: Landmarks = {
  spans: [span("turn", 5_000), span("turn", 1_000), CUT, span("tool", 7_500, { status: "failed" })],
  deadAir: [{ fromMs: 2_000, toMs: 5_500 }],
  errors: [{ t_ms: 9_000, message: "x" }],
};

test("J and K go from turn to turn, and J from a turn's middle to its beginning", () => {
  expect(jump("k", CALL, 0)).toBe(1_000);
  expect(jump("K", CALL, 1_000)).toBe(5_000);
  expect(jump("k", CALL, 5_000)).toBeUndefined();
  expect(jump("j", CALL, 7_000)).toBe(5_000);
  expect(jump("j", CALL, 5_100)).toBe(1_000);
  expect(jump("j", CALL, 900)).toBe(0);
});

test("I goes to where an answer was cut, D to silence, E to what failed", () => {
  expect(jump("i", CALL, 0)).toBe(6_600);
  expect(jump("d", CALL, 0)).toBe(2_000);
  expect(jump("d", CALL, 2_000)).toBeUndefined();
  expect(jump("e", CALL, 0)).toBe(7_500);
  expect(jump("e", CALL, 7_500)).toBe(9_000);
});

test("arrows go two seconds, not before the beginning; other keys mean nothing", () => {
  expect(jump("ArrowLeft", CALL, 500)).toBe(0);
  expect(jump("ArrowRight", CALL, 500)).toBe(2_500);
  expect(jump("x", CALL, 500)).toBeUndefined();
});
