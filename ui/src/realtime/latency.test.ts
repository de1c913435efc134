import { expect, test } from "vitest";
import { LatencyMeter, medianHeard } from "./latency";

function spoken(meter: LatencyMeter, from: number, to: number, level = 0.7) {
  for (let at = from; at <= to; at += 40) meter.captured(level, at);
}

test("the wait begins where the voice ended, not where the provider noticed it", () => {
  const meter = new LatencyMeter();
  spoken(meter, 0, 2_000);
  spoken(meter, 2_040, 2_520, 0.1);
  meter.turnEnded(2_600);
  meter.answerCame(2_900);
  meter.answerHeard(3_000);
  expect(meter.turns).toEqual([
    { number: 1, by: "voice", endedAt: 2_000, noticedMs: 600, answeredMs: 900, heardMs: 1_000 },
  ]);
});

test("only the first sound of an answer counts", () => {
  const meter = new LatencyMeter();
  meter.textSent(100);
  expect([meter.answerCame(300), meter.answerCame(400)]).toEqual([true, false]);
  expect([meter.answerHeard(350), meter.answerHeard(900)]).toEqual([true, false]);
  expect(meter.turns[0]).toMatchObject({ by: "text", answeredMs: 200, heardMs: 250 });
});

test("sound that nobody asked for is no answer", () => {
  const meter = new LatencyMeter();
  expect(meter.answerCame(10)).toBe(false);
  expect(meter.answerHeard(10)).toBe(false);
});

test("a pause in what the user says makes no second turn", () => {
  const meter = new LatencyMeter();
  spoken(meter, 0, 1_000);
  meter.turnEnded(1_500);
  spoken(meter, 1_600, 2_400);
  meter.turnEnded(2_900);
  meter.answerCame(3_000);
  expect(meter.turns).toHaveLength(1);
  expect(meter.turns[0]).toMatchObject({ number: 1, endedAt: 2_400, noticedMs: 500 });
});

test("the median is of the turns by voice that were heard", () => {
  const meter = new LatencyMeter();
  for (const [start, wait] of [
    [0, 700],
    [10_000, 900],
    [20_000, 2_000],
  ] as const) {
    spoken(meter, start, start + 1_000);
    meter.turnEnded(start + 1_200);
    meter.answerCame(start + 1_100 + wait);
    meter.answerHeard(start + 1_000 + wait);
  }
  meter.textSent(30_000);
  meter.answerCame(30_001);
  meter.answerHeard(30_002);
  expect(medianHeard(meter.turns)).toBe(900);
  expect(medianHeard([])).toBeNull();
});
