import { describe, expect, test } from "vitest";
import type { SessionDetail, Span } from "../api/types";
import {
  cacheOf,
  clipOf,
  conversation,
  errorText,
  interruptionOf,
  metric,
  normalised,
  sessionLength,
  soundOf,
  soundState,
  spanText,
  splitHeard,
  textOf,
  toolArguments,
  toolResult,
  tree,
  unrecordedText,
  waits,
} from "./trace";

const BASE: Span = {
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
};
const span = (fields: Partial<Span>): Span => ({ ...BASE, ...fields });

test("what the cache had to do with a request", () => {
  const answered = (cache: unknown) => [BASE, span({ type: "response", output: { text: "Hi", cache } })];
  expect(cacheOf(answered({ result: "hit", age_seconds: 7 }))).toEqual({
    result: "hit",
    ageMs: 7000,
    reason: "",
  });
  expect(cacheOf(answered({ result: "bypass", reason: "no seed" }))?.reason).toBe("no seed");
  expect(cacheOf(answered(null))).toBeNull();
});

const CALL: Span[] = [
  span({ id: "s", type: "session", name: "session", end_ms: 9000 }),
  span({ id: "t2", parent_id: "s", type: "turn", name: "turn 2", start_ms: 5000, end_ms: 9000 }),
  span({ id: "t1", parent_id: "s", type: "turn", name: "turn 1", start_ms: 500, end_ms: 5000 }),
  span({
    id: "u1",
    parent_id: "t1",
    type: "user",
    start_ms: 500,
    end_ms: 2000,
    input: { transcript: "Weather?" },
  }),
  span({ id: "r1", parent_id: "t1", type: "response", start_ms: 2100, end_ms: 2400 }),
  span({ id: "f1", parent_id: "r1", type: "tool", name: "get_weather", start_ms: 2400, end_ms: 2600 }),
  span({
    id: "r2",
    parent_id: "t1",
    type: "response",
    start_ms: 2700,
    end_ms: 4000,
    output: { transcript: "It is sunny today." },
    metrics: {
      endpointing_delay: 500,
      commit_to_response: 20,
      model_ttfa: 300,
      lead_silence: null,
      v2v_heard: 840,
    },
  }),
  span({ id: "u2", parent_id: "t2", type: "user", start_ms: 5000, end_ms: 6000, output: "Thanks" }),
];

describe("texts", () => {
  test.each([
    ["plain", "plain"],
    [{ transcript: "a" }, "a"],
    [{ text: "b" }, "b"],
    [{ transcript: "", text: "c" }, "c"],
    [[{ type: "input_text", text: "d" }, { transcript: "e" }], "d e"],
    [{ content: [{ transcript: "f" }] }, "f"],
    [null, ""],
    [{ other: 1 }, ""],
  ])("are found in %j", (value, expected) => {
    expect(textOf(value)).toBe(expected);
  });

  test("a user's words may be the input or the output", () => {
    expect(CALL.filter((one) => one.type === "user").map(spanText)).toEqual(["Weather?", "Thanks"]);
  });

  test("errors are shown with message and code", () => {
    expect(errorText({ message: "No quota", code: "insufficient_quota" })).toBe(
      "No quota · insufficient_quota",
    );
    expect(errorText("plain")).toBe("plain");
    expect(errorText(null)).toBe("");
  });
});

describe("metrics", () => {
  test("a value may be bare or wrapped, and null is not 0", () => {
    expect(metric({ a: 1 }, "a")).toBe(1);
    expect(metric({ a: { value: 2, reason: null } }, "a")).toBe(2);
    expect(metric({ a: null, b: 3 }, "a", "b")).toBe(3);
    expect(metric({ a: null }, "a")).toBeNull();
  });
});

describe("conversation", () => {
  test("is in time order, with turns, and leaves out answers that only called a tool", () => {
    expect(conversation(CALL).map((entry) => [entry.span.id, entry.kind, entry.turn])).toEqual([
      ["u1", "user", 1],
      ["f1", "tool", 1],
      ["r2", "assistant", 1],
      ["u2", "user", 2],
    ]);
  });

  test("an interrupted answer is split where the sound was cut", () => {
    const cut = span({
      type: "response",
      status: "cancelled",
      output: { transcript: "one two three four" },
      metrics: { audio_heard_ms: 1000, audio_generated_ms: 2000 },
    });
    expect(interruptionOf(cut)).toEqual({ heardMs: 1000, generatedMs: 2000, estimated: false });
    expect(conversation([cut])[0]).toMatchObject({ text: "one two ", unheardText: "three four" });
  });

  test("an answer that was heard to its end is not interrupted", () => {
    const whole = span({
      type: "response",
      status: "completed",
      metrics: { audio_heard_ms: 1990, audio_generated_ms: 2000 },
    });
    expect(interruptionOf(whole)).toBeNull();
    expect(splitHeard("all of it", null)).toEqual(["all of it", ""]);
  });

  test("the clip that was heard goes before the one that was generated", () => {
    const clip = (track: string) => ({
      id: track,
      name: track,
      content_type: "audio/wav",
      duration_ms: 1,
      url: "",
      track,
    });
    const both = span({ type: "response", attachments: [clip("assistant"), clip("heard")] });
    expect(clipOf(both)?.track).toBe("heard");
    expect(clipOf(both, "assistant")?.track).toBe("assistant");
    expect(clipOf(span({ type: "response" }))).toBeNull();
  });
});

describe("tree", () => {
  test("has parents before children, in time order", () => {
    expect(tree(CALL).map((row) => `${row.depth}${row.span.id}`)).toEqual([
      "0s",
      "1t1",
      "2u1",
      "2r1",
      "3f1",
      "2r2",
      "1t2",
      "2u2",
    ]);
  });

  test("a span whose parent is missing is kept as a root", () => {
    expect(tree([span({ id: "x", parent_id: "gone" })])).toHaveLength(1);
  });
});

test("waits add up their parts and leave out what is not measured", () => {
  expect(waits(CALL)).toMatchObject([
    {
      label: "Turn 1",
      totalMs: 840,
      parts: [
        { name: "endpointing", ms: 500 },
        { name: "commit", ms: 20 },
        { name: "model", ms: 300 },
      ],
    },
  ]);
});

test("a live call is as long as its spans reach", () => {
  expect(sessionLength({ duration_ms: null, spans: CALL })).toBe(9000);
});

test("an answer is placed where its sound was played, not where it was generated", () => {
  const answer = span({
    type: "response",
    start_ms: 1000,
    end_ms: 1200,
    output: { transcript: "Hello", play_start_ms: 1150 },
    metrics: { audio_heard_ms: 2000 },
  });
  expect(soundOf(answer)).toEqual({ startMs: 1150, endMs: 3150 });
  expect(soundOf(span({ type: "user", start_ms: 5, end_ms: 9 }))).toEqual({ startMs: 5, endMs: 9 });
});

test("a tool shows its arguments and its result", () => {
  const called = span({ type: "tool", input: { call_id: "c", arguments: { city: "Oslo" } } });
  expect(toolArguments(called)).toEqual({ city: "Oslo" });
  expect(toolResult(called)).toBeUndefined();
  expect(toolResult({ ...called, output: { result: null } })).toBeNull();
});

test("the words that the server counts as heard go before an estimate", () => {
  const cut = { heardMs: 1, generatedMs: 1000, estimated: false };
  expect(splitHeard("one two three", cut, "one two")).toEqual(["one two ", "three"]);
  expect(splitHeard("one two three", null, "one two")).toEqual(["one two three", ""]);
});

test("errors that belong to no response stand in the conversation at their time", () => {
  const errors = [
    { t_ms: 2200, source: "provider", message: "Unknown voice" },
    { t_ms: 3000, source: "response", message: "shown at its response", response_id: "r" },
  ];
  const found = conversation(CALL, errors);
  expect(found.map((entry) => entry.kind)).toEqual(["user", "error", "tool", "assistant", "user"]);
});

test("a span without a start stands where its parent does", () => {
  const turn = span({ id: "t", type: "turn", start_ms: 700 });
  const pending = { ...span({ id: "u", parent_id: "t", type: "user" }), start_ms: null as unknown as number };
  const session = { spans: [turn, pending] } as unknown as SessionDetail;
  expect(normalised(session).spans.map((one) => one.start_ms)).toEqual([700, 700]);
});

test("the whole sound is there when the recorder mixed it", () => {
  const session = (status: string, tracks: object) => ({ status, tracks }) as unknown as SessionDetail;
  expect(soundState(session("live", { user: {} }))).toBe("live");
  expect(soundState(session("complete", { user: {} }))).toBe("making");
  expect(soundState(session("complete", { user: {}, mix: {} }))).toBe("ready");
  expect(soundState(session("failed", {}))).toBe("none");
});

test("what the credential wanted not recorded is said, while the call runs too", () => {
  const unrecorded = (recorded: SessionDetail["recorded"], status = "complete") =>
    ({ id: "s", status, spans: [], tracks: {}, recorded }) as unknown as SessionDetail;
  expect(soundState(unrecorded({ audio: false, text: true }))).toBe("unrecorded");
  expect(soundState(unrecorded({ audio: false, text: true }, "live"))).toBe("unrecorded");
  expect(unrecordedText(unrecorded({ audio: false, text: true }))).toBe("sound not recorded");
  expect(unrecordedText(unrecorded({ audio: false, text: false }))).toBe("sound and words not recorded");
  expect(unrecordedText(unrecorded({ audio: true, text: true }))).toBe("");
  expect(unrecordedText(unrecorded(null))).toBe("");
});

test("while a call goes on the lists of it share what is made of the spans that stay the same", () => {
  const later = span({ id: "later", type: "user", start_ms: 90_000, input: { transcript: "And then?" } });
  const [before, after] = [conversation(CALL), conversation([...CALL, later])];
  expect(after.length).toBe(before.length + 1);
  before.forEach((entry, n) => {
    expect(after[n]).toBe(entry);
  });
  expect(waits([...CALL, later])[0]).toBe(waits(CALL)[0]);
  // An answer that has changed is another span.
  const changed = CALL.map((one) =>
    one.type === "response" ? { ...one, output: { transcript: "Changed" } } : one,
  );
  expect(conversation(changed).map((entry) => entry.text)).toContain("Changed");
});
