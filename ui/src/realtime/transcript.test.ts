import { expect, test } from "vitest";
import type { ServerEvent } from "./events";
import { EMPTY, reduceTranscript, type Transcript, withToolOutput } from "./transcript";

const play = (events: ServerEvent[], from: Transcript = EMPTY) =>
  events.reduce((state, event) => reduceTranscript(state, event), from);

const ANSWER: ServerEvent[] = [
  { type: "response.created", response: { id: "resp_1" } },
  {
    type: "response.output_item.added",
    response_id: "resp_1",
    item: { id: "item_a", type: "message", role: "assistant" },
  },
  { type: "response.output_audio_transcript.delta", item_id: "item_a", delta: "It is " },
  { type: "response.output_audio.delta", item_id: "item_a", delta: "A".repeat(6400) },
  { type: "response.output_audio_transcript.delta", item_id: "item_a", delta: "sunny." },
];

test("a spoken turn goes from listening to its transcript, under one item", () => {
  const started = play([{ type: "input_audio_buffer.speech_started", item_id: "item_u" }]);
  expect(started.entries).toMatchObject([{ id: "item_u", role: "user", state: "listening", text: "" }]);
  const done = play(
    [
      { type: "input_audio_buffer.speech_stopped", item_id: "item_u" },
      { type: "input_audio_buffer.committed", item_id: "item_u" },
      {
        type: "conversation.item.added",
        item: {
          id: "item_u",
          type: "message",
          role: "user",
          content: [{ type: "input_audio", transcript: null }],
        },
      },
      { type: "conversation.item.input_audio_transcription.delta", item_id: "item_u", delta: "What is " },
      {
        type: "conversation.item.input_audio_transcription.completed",
        item_id: "item_u",
        transcript: "What is the weather?",
      },
    ],
    started,
  );
  expect(done.entries).toMatchObject([{ id: "item_u", state: "done", text: "What is the weather?" }]);
});

test("a transcript that arrives after the answer began stays with its own item", () => {
  const state = play([
    { type: "input_audio_buffer.committed", item_id: "item_u" },
    ...ANSWER,
    { type: "conversation.item.input_audio_transcription.completed", item_id: "item_u", transcript: "Hello" },
  ]);
  expect(state.entries.map((entry) => [entry.role, entry.text])).toEqual([
    ["user", "Hello"],
    ["assistant", "It is sunny."],
  ]);
});

test("generated sound is counted from the base64 length", () => {
  expect(play(ANSWER).entries[0]?.generatedMs).toBeCloseTo(100);
});

test("a response is active until it is done", () => {
  expect(play(ANSWER).active).toEqual(["resp_1"]);
  const done = play([...ANSWER, { type: "response.done", response: { id: "resp_1", status: "completed" } }]);
  expect(done.active).toEqual([]);
  expect(done.entries[0]?.state).toBe("done");
});

test("an interrupted answer tells how much was heard", () => {
  const state = play([
    ...ANSWER,
    {
      type: "response.done",
      response: { id: "resp_1", status: "cancelled", status_details: { reason: "turn_detected" } },
    },
    { type: "conversation.item.truncated", item_id: "item_a", content_index: 0, audio_end_ms: 40 },
  ]);
  expect(state.entries[0]).toMatchObject({ state: "interrupted", heardMs: 40, text: "It is sunny." });
});

test("a tool call gathers its arguments and its output", () => {
  const called = play([
    {
      type: "response.output_item.added",
      response_id: "r",
      item: { id: "item_t", type: "function_call", name: "get_weather", call_id: "call_1" },
    },
    { type: "response.function_call_arguments.delta", item_id: "item_t", delta: '{"city":' },
    { type: "response.function_call_arguments.done", item_id: "item_t", arguments: '{"city":"Oslo"}' },
  ]);
  expect(called.entries[0]?.tool).toMatchObject({
    name: "get_weather",
    arguments: '{"city":"Oslo"}',
    output: null,
  });
  expect(withToolOutput(called, "call_1", "{}").entries[0]).toMatchObject({
    state: "done",
    tool: { output: "{}" },
  });
});

test("typed text shows up as the user's entry", () => {
  const item = { id: "item_x", type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] };
  expect(play([{ type: "conversation.item.added", item }]).entries).toMatchObject([
    { role: "user", text: "Hi", state: "done" },
  ]);
});

test("errors and failed responses are shown with the provider's message", () => {
  const state = play([
    { type: "error", event_id: "e1", error: { message: "Unknown voice" } },
    {
      type: "response.done",
      response: { id: "r2", status: "failed", status_details: { error: { message: "Overloaded" } } },
    },
  ]);
  expect(state.entries.map((entry) => [entry.role, entry.text])).toEqual([
    ["error", "Unknown voice"],
    ["error", "Overloaded"],
  ]);
});

test("events that are not known change nothing", () => {
  const state = play(ANSWER);
  expect(reduceTranscript(state, { type: "rate_limits.updated" })).toBe(state);
  expect(reduceTranscript(state, { type: "toString" })).toBe(state);
});
