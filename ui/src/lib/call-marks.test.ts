import { expect, test } from "vitest";
import type { SessionDetail, Span } from "../api/types";
import { callMarks, eventMarks, fits, gathered, merged, spanTitle, speechTitle } from "./call-marks";

const span = (fields: Partial<Span>): Span => ({
  id: "",
  parent_id: null,
  type: "session",
  name: "",
  start_ms: 0,
  end_ms: null,
  status: "ok",
  error: null,
  input: null,
  output: null,
  ...fields,
});

const CUT = span({
  id: "r",
  type: "response",
  start_ms: 900,
  end_ms: 1_500,
  output: { interrupted: true, play_start_ms: 1_000 },
  metrics: { audio_heard_ms: 3_650, audio_generated_ms: 6_500 },
});
const USER = span({
  id: "u",
  type: "user",
  start_ms: 4_100,
  end_ms: 6_000,
  input: { kind: "speech", vad: "server_vad" },
  metrics: { barge_in: true, true_speech_start_ms: 4_200 },
});
const call = (...spans: Span[]) => ({ id: "s", spans, scores: [] }) as unknown as SessionDetail;

test("what was generated and not heard is a block with its length", () => {
  const [cut] = callMarks(call(CUT), 9_000).cuts;
  expect(cut).toMatchObject({ fromMs: 4_650, toMs: 7_500, label: "not heard 2.85 s", spanId: "r" });
});

test("a barge-in overlaps until the assistant is silent", () => {
  expect(callMarks(call(CUT, USER), 9_000).overlaps).toMatchObject([{ fromMs: 4_200, toMs: 4_650 }]);
  expect(callMarks(call(USER), 9_000).overlaps).toEqual([]);
});

test("the provider's marks have the name of its detector; text has none", () => {
  expect(callMarks(call(USER), 9_000).vad).toMatchObject([
    { fromMs: 4_100, toMs: 6_000, label: "server_vad" },
  ]);
  const [marked] = callMarks(call(USER), 9_000).vad;
  expect(marked && speechTitle(marked)).toBe("server_vad: speech from 0:04.10 to 0:06.00");
  const typed = span({ id: "t", type: "user", input: { kind: "text", vad: null } });
  expect(callMarks(call(typed), 9_000).vad).toEqual([]);
});

test("what still runs reaches until now, and what failed is bad", () => {
  const tool = span({ id: "f", type: "tool", name: "look_up", start_ms: 100, status: "failed" });
  expect(callMarks(call(tool), 9_000).tools).toMatchObject([{ fromMs: 100, toMs: 9_000, tone: "bad" }]);
});

test("evidence of scores has its stretch", () => {
  const score = { id: "x", name: "tone", value: 0, label: null, comment: null, span_id: "r" };
  const evidence = [{ span_id: null, start_ms: 5, end_ms: 3 }];
  const session = { ...call(CUT), scores: [{ ...score, evidence }] } as unknown as SessionDetail;
  expect(callMarks(session, 1).evidence).toMatchObject([{ fromMs: 5, toMs: 5, spanId: "r", tone: "bad" }]);
});

test("events have words, and those that lie on each other are one", () => {
  const marks = eventMarks([
    { t_ms: 10, type: "config", level: "info", changed: ["voice"] },
    { t_ms: 12, type: "error", level: "error", error: { message: "No such voice" } },
    { t_ms: 900, type: "rate_limits", limits: [{ name: "tokens", limit: 10, remaining: 3 }] },
    "nonsense",
  ]);
  expect(marks.map((mark) => mark.label)).toEqual(["settings", "error", "rate limits"]);
  expect(marks[2]?.title).toContain("tokens 3 of 10 left");
  const [first, second] = gathered(marks, 1);
  expect(first).toMatchObject({ ms: 10, tone: "bad", label: "error" });
  expect(first?.title).toContain("voice");
  expect(first?.title).toContain("No such voice");
  expect(second).toMatchObject({ ms: 900 });
});

test("a tool whose result is an error is bad, as one that failed", () => {
  const tool = span({ id: "f", type: "tool", name: "look_up", output: { result: { error: "no" } } });
  expect(callMarks(call(tool), 9_000).tools).toMatchObject([{ tone: "bad" }]);
});

test("words stand only where they end before the next block", () => {
  const block = (fromMs: number) => ({
    id: "",
    spanId: null,
    fromMs,
    toMs: fromMs,
    label: "",
    title: "",
    tone: "" as const,
  });
  const blocks = [block(0), block(50), block(500)];
  expect(blocks.map((_, n) => fits(blocks, n, 1, 10, 520))).toEqual([false, true, false]);
});

test("blocks that a pointer could not tell apart become one, which leads to the first", () => {
  const turns = [0, 1, 2, 3].map((n) =>
    span({ id: `t${n}`, type: "turn", name: `turn ${n + 1}`, start_ms: n * 1_000, end_ms: n * 1_000 + 900 }),
  );
  turns[1] = { ...(turns[1] as Span), status: "failed" };
  const { turns: blocks } = callMarks(call(...turns), 9_000);
  expect(merged(blocks, 0.1, spanTitle)).toMatchObject(blocks);
  const [first, second, ...more] = merged(blocks, 0.0031, spanTitle);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ spanId: "t0", fromMs: 0, toMs: 1_900, label: "", tone: "bad" });
  expect(first?.title).toBe("Turn 1 900 ms · from 0:00.0, and 1 more");
  expect(second).toMatchObject({ spanId: "t2", fromMs: 2_000, toMs: 3_900, tone: "" });
  expect(blocks[0]).toMatchObject({ toMs: 900, label: "Turn 1" });
});

test("while a call goes on only what still runs becomes another block, and none holds words that are not shown", () => {
  const ended = span({ id: "t1", type: "turn", name: "turn 1", start_ms: 0, end_ms: 900 });
  const running = span({ id: "t2", type: "turn", name: "turn 2", start_ms: 1_000 });
  const before = callMarks(call(ended, USER, running), 9_000);
  const after = callMarks(call(ended, USER, running), 9_250);
  expect(after.turns[0]).toBe(before.turns[0]);
  expect(after.vad[0]).toBe(before.vad[0]);
  expect(after.turns.map((block) => block.toMs)).toEqual([900, 9_250]);
  expect([...after.turns, ...after.vad].map((block) => block.title)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
