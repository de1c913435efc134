/** Cases of a data set in words: what goes in, what ought to come out, and expected calls as they are typed. */
import type { Case, CaseCall } from "../api/schema";
import { duration } from "./format";

export const KINDS: Record<Case["input"]["kind"], string> = {
  text: "Text",
  audio: "Sound",
  turn: "One turn of a call",
  session: "A whole call",
  simulation: "Simulated user",
  value: "Value",
};

const short = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** A case of a whole call goes by the call's title, which is its first words, and its length. */
function callName(metadata: Case["metadata"]): string {
  const { title, duration_ms: ms } = metadata ?? {};
  const name = typeof title === "string" && title ? title : "A recorded call";
  return typeof ms === "number" ? `${name} · ${duration(ms)}` : name;
}

export function inputText({ input, id, metadata }: Case): string {
  if (input.text) return input.text;
  const ms = input.clips?.reduce((sum, clip) => sum + (clip.duration_ms ?? 0), 0) ?? 0;
  if (input.kind === "audio") return ms > 0 ? `${duration(ms)} of sound` : "sound";
  if (input.kind === "turn") return `Turn ${(input.turn ?? 0) + 1} of a recorded call`;
  if (input.kind === "session") return callName(metadata);
  if (input.kind === "simulation") return short(input.scenario?.first_turn ?? input.scenario?.goal ?? id);
  return short(input.value ?? null) ?? "";
}

export function callText({ name, arguments: given }: CaseCall): string {
  return given == null ? `${name}(…)` : `${name}(${JSON.stringify(given)})`;
}

export function expectedText({ expected }: Case): string {
  const { transcript, tool_calls: calls, value } = expected ?? {};
  const parts = [
    ...(calls ? (calls.length > 0 ? calls.map(callText) : ["no tool call"]) : []),
    ...(transcript ? [`“${transcript}”`] : []),
    ...(value != null ? [short(value)] : []),
  ];
  return parts.join(" · ");
}

export interface ExpectedDraft {
  transcript: string;
  /** JSON; empty: nothing is expected of them. */
  calls: string;
  value: string;
}

const pretty = (value: unknown) => (value == null ? "" : JSON.stringify(value, null, 2));

export function draftOf({ expected }: Case): ExpectedDraft {
  return {
    transcript: expected?.transcript ?? "",
    calls: pretty(expected?.tool_calls),
    value: typeof expected?.value === "string" ? expected.value : pretty(expected?.value),
  };
}

function readCalls(text: string): { calls: CaseCall[] | null; wrong: string } {
  if (!text.trim()) return { calls: null, wrong: "" };
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    return { calls: null, wrong: `No JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!Array.isArray(read)) return { calls: null, wrong: 'A list: [{"name": "…", "arguments": {…}}]' };
  const calls: CaseCall[] = [];
  for (const one of read as unknown[]) {
    const { name, arguments: given = null, ...more } = (one ?? {}) as Record<string, unknown>;
    if (typeof name !== "string" || !name) return { calls: null, wrong: "Each call needs a “name”." };
    if (given !== null && (typeof given !== "object" || Array.isArray(given))) {
      return { calls: null, wrong: `The arguments of “${name}” are an object, or null for any.` };
    }
    const unknown = Object.keys(more)[0];
    if (unknown) return { calls: null, wrong: `“${unknown}” is no part of a call.` };
    calls.push({ name, arguments: given as Record<string, unknown> | null });
  }
  return { calls, wrong: "" };
}

/** A text that is JSON is what it says; any other is itself. */
function readValue(text: string): unknown {
  if (!text.trim()) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The draft as it is sent, or what is wrong with it. */
export function readDraft(draft: ExpectedDraft): { expected: Case["expected"]; wrong: string } {
  const { calls, wrong } = readCalls(draft.calls);
  return {
    expected: {
      transcript: draft.transcript.trim() || null,
      tool_calls: calls,
      value: readValue(draft.value),
    },
    wrong,
  };
}
