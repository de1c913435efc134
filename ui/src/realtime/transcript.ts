/** Server events in, the transcript of a running call out: a pure reduction, one entry per item. */
import { wireMs } from "./codec";
import type { ServerEvent } from "./events";
import type { WireFormat } from "./settings";

export type EntryState = "listening" | "transcribing" | "generating" | "done" | "interrupted" | "failed";

export interface TranscriptEntry {
  id: string;
  role: "user" | "assistant" | "tool" | "error";
  text: string;
  /** Data URLs of what the user showed. */
  images: readonly string[];
  state: EntryState;
  responseId: string | null;
  generatedMs: number;
  /** Set when the item was truncated: how much of it was heard. */
  heardMs: number | null;
  tool: { name: string; callId: string; arguments: string; output: string | null } | null;
}

export interface Transcript {
  entries: TranscriptEntry[];
  /** Responses that the provider is still generating. */
  active: string[];
}

export const EMPTY: Transcript = { entries: [], active: [] };

type Fields = Record<string, unknown>;
type Change = Partial<TranscriptEntry> | ((entry: TranscriptEntry) => Partial<TranscriptEntry>);

const fields = (value: unknown): Fields => (value && typeof value === "object" ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");

function blank(id: string, role: TranscriptEntry["role"]): TranscriptEntry {
  const state: EntryState = role === "user" ? "listening" : "generating";
  const empty = { text: "", images: [], responseId: null, generatedMs: 0, heardMs: null, tool: null };
  return { id, role, state, ...empty };
}

/** Changes the entry of an item; an item that is not known yet gets one at the end. */
function change(state: Transcript, id: string, role: TranscriptEntry["role"], by: Change): Transcript {
  const known = state.entries.some((entry) => entry.id === id);
  const entries = known ? state.entries : [...state.entries, blank(id, role)];
  return {
    ...state,
    entries: entries.map((entry) =>
      entry.id === id ? { ...entry, ...(typeof by === "function" ? by(entry) : by) } : entry,
    ),
  };
}

function drop(state: Transcript, id: string): Transcript {
  return { ...state, entries: state.entries.filter((entry) => entry.id !== id) };
}

function contentText(item: Fields): string {
  const parts = Array.isArray(item.content) ? item.content.map(fields) : [];
  return parts
    .map((part) => text(part.text) || text(part.transcript))
    .filter(Boolean)
    .join(" ");
}

/** Only what the page itself may show: a picture inside the message, never one to be fetched. */
function contentImages(item: Fields): string[] {
  const parts = Array.isArray(item.content) ? item.content.map(fields) : [];
  return parts.map((part) => text(part.image_url)).filter((url) => url.startsWith("data:image/"));
}

function itemAdded(state: Transcript, event: ServerEvent): Transcript {
  const item = fields(event.item);
  const id = text(item.id);
  if (!id || item.type !== "message" || item.role !== "user") return state;
  const said = contentText(item);
  const images = contentImages(item);
  return change(state, id, "user", (entry) => ({
    text: said || entry.text,
    images: images.length > 0 ? images : entry.images,
    state: said || images.length > 0 ? "done" : "transcribing",
  }));
}

function outputItemAdded(state: Transcript, event: ServerEvent): Transcript {
  const item = fields(event.item);
  const id = text(item.id);
  const responseId = text(event.response_id) || null;
  if (item.type === "function_call") {
    const tool = { name: text(item.name), callId: text(item.call_id), arguments: "", output: null };
    return change(state, id, "tool", { responseId, tool });
  }
  return item.type === "message" ? change(state, id, "assistant", { responseId }) : state;
}

function toolArguments(state: Transcript, event: ServerEvent, done: boolean): Transcript {
  return change(state, text(event.item_id), "tool", (entry) => {
    const before = entry.tool ?? {
      name: text(event.name),
      callId: text(event.call_id),
      arguments: "",
      output: null,
    };
    const args = done ? text(event.arguments) : before.arguments + text(event.delta);
    return { tool: { ...before, arguments: args } };
  });
}

function assistantText(state: Transcript, event: ServerEvent, done: boolean): Transcript {
  return change(state, text(event.item_id), "assistant", (entry) => {
    if (!done) return { text: entry.text + text(event.delta) };
    return { text: text(event.transcript) || text(event.text) || entry.text };
  });
}

function assistantAudio(state: Transcript, event: ServerEvent, format: WireFormat): Transcript {
  const ms = wireMs(format, text(event.delta).length);
  return change(state, text(event.item_id), "assistant", (entry) => ({
    generatedMs: entry.generatedMs + ms,
  }));
}

function endState(status: string): EntryState {
  if (status === "cancelled") return "interrupted";
  return status === "failed" || status === "incomplete" ? "failed" : "done";
}

function responseDone(state: Transcript, event: ServerEvent): Transcript {
  const response = fields(event.response);
  const id = text(response.id);
  const end = endState(text(response.status));
  const entries = state.entries.map((entry) =>
    entry.responseId === id && entry.state === "generating" ? { ...entry, state: end } : entry,
  );
  const next = { entries, active: state.active.filter((one) => one !== id) };
  const error = fields(fields(response.status_details).error);
  return end === "failed" && error.message ? withError(next, `${id}-error`, text(error.message)) : next;
}

/** Adds an error to the transcript, where the people who wait for an answer look. */
export function withError(state: Transcript, id: string, message: string): Transcript {
  return change(state, id, "error", { text: message, state: "failed" });
}

export function withToolOutput(state: Transcript, callId: string, output: string): Transcript {
  const entries = state.entries.map((entry) =>
    entry.tool?.callId === callId
      ? { ...entry, state: "done" as const, tool: { ...entry.tool, output } }
      : entry,
  );
  return { ...state, entries };
}

function transcriptionFailed(state: Transcript, event: ServerEvent): Transcript {
  const message = text(fields(event.error).message) || "no reason given";
  return change(state, text(event.item_id), "user", {
    text: `(not transcribed: ${message})`,
    state: "failed",
  });
}

function truncated(state: Transcript, event: ServerEvent): Transcript {
  const heardMs = typeof event.audio_end_ms === "number" ? event.audio_end_ms : null;
  return change(state, text(event.item_id), "assistant", { heardMs, state: "interrupted" });
}

type Step = (state: Transcript, event: ServerEvent, format: WireFormat) => Transcript;

const STEPS: Record<string, Step> = {
  error: (state, event) =>
    withError(state, event.event_id ?? `error-${state.entries.length}`, text(fields(event.error).message)),
  "conversation.item.added": itemAdded,
  "conversation.item.created": itemAdded,
  "conversation.item.truncated": truncated,
  "conversation.item.deleted": (state, event) => drop(state, text(event.item_id)),
  "conversation.item.input_audio_transcription.delta": (state, event) =>
    change(state, text(event.item_id), "user", (entry) => ({ text: entry.text + text(event.delta) })),
  "conversation.item.input_audio_transcription.completed": (state, event) =>
    change(state, text(event.item_id), "user", { text: text(event.transcript).trim(), state: "done" }),
  "conversation.item.input_audio_transcription.failed": transcriptionFailed,
  "input_audio_buffer.speech_started": (state, event) =>
    change(state, text(event.item_id), "user", { state: "listening" }),
  "input_audio_buffer.speech_stopped": (state, event) =>
    change(state, text(event.item_id), "user", { state: "transcribing" }),
  "input_audio_buffer.committed": (state, event) =>
    change(state, text(event.item_id), "user", { state: "transcribing" }),
  "response.created": (state, event) => ({
    ...state,
    active: [...state.active, text(fields(event.response).id)],
  }),
  "response.output_item.added": outputItemAdded,
  "response.output_audio.delta": assistantAudio,
  "response.output_audio_transcript.delta": (state, event) => assistantText(state, event, false),
  "response.output_audio_transcript.done": (state, event) => assistantText(state, event, true),
  "response.output_text.delta": (state, event) => assistantText(state, event, false),
  "response.output_text.done": (state, event) => assistantText(state, event, true),
  "response.function_call_arguments.delta": (state, event) => toolArguments(state, event, false),
  "response.function_call_arguments.done": (state, event) => toolArguments(state, event, true),
  "response.done": responseDone,
};

/** `format` is that of the assistant's sound. */
export function reduceTranscript(
  state: Transcript,
  event: ServerEvent,
  format: WireFormat = "audio/pcm",
): Transcript {
  const step = Object.hasOwn(STEPS, event.type) ? STEPS[event.type] : undefined;
  return step ? step(state, event, format) : state;
}
