import { expect, test } from "vitest";
import type { Case } from "../api/schema";
import { draftOf, expectedText, inputText, readDraft } from "./cases";

const made = (more: Partial<Case>): Case => ({ id: "case_1", input: { kind: "text", text: "Hi" }, ...more });

test("a case says what goes in and what is expected", () => {
  expect(inputText(made({}))).toBe("Hi");
  expect(inputText(made({ input: { kind: "turn", turn: 2, recording: "b" } }))).toBe(
    "Turn 3 of a recorded call",
  );
  const call = { input: { kind: "session", recording: "b" } } as const;
  expect(inputText(made(call))).toBe("A recorded call");
  const metadata = { title: "Where is my order?", duration_ms: 62_000 };
  expect(inputText(made({ ...call, metadata }))).toBe("Where is my order? · 1 min 02 s");
  expect(inputText(made({ ...call, metadata: { title: 7, duration_ms: "x" } }))).toBe("A recorded call");
  const clips = [{ content_type: "audio/wav", blob: "b", duration_ms: 2500 }];
  expect(inputText(made({ input: { kind: "audio", clips } }))).toBe("2.5 s of sound");
  const expected = {
    transcript: "Done.",
    tool_calls: [{ name: "refund", arguments: { id: 7 } }],
    value: null,
  };
  expect(expectedText(made({ expected }))).toBe('refund({"id":7}) · “Done.”');
  expect(expectedText(made({ expected: { tool_calls: [] } }))).toBe("no tool call");
});

test("an expectation comes back as it was, and nothing typed expects nothing", () => {
  const expected = {
    transcript: "Done.",
    tool_calls: [{ name: "refund", arguments: null }],
    value: { city: "Oslo" },
  };
  expect(readDraft(draftOf(made({ expected })))).toEqual({ expected, wrong: "" });
  const none = { transcript: null, tool_calls: null, value: null };
  expect(readDraft({ transcript: " ", calls: "", value: "" })).toEqual({ expected: none, wrong: "" });
  expect(readDraft({ transcript: "", calls: "", value: "plain words" }).expected?.value).toBe("plain words");
});

test("a wrong call is said and not sent", () => {
  const wrong = (calls: string) => readDraft({ transcript: "", calls, value: "" }).wrong;
  expect(wrong("[")).toContain("No JSON");
  expect(wrong('{"name": "x"}')).toContain("A list");
  expect(wrong('[{"arguments": {}}]')).toContain("name");
  expect(wrong('[{"name": "x", "arguments": 7}]')).toContain("arguments of “x”");
  expect(wrong('[{"name": "x", "args": {}}]')).toContain("args");
});
