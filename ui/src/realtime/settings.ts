/** What a call of the playground is set to: chosen on the page, kept in the browser, read by everything else. */
import { DEMO_TOOL, type ToolDraft } from "./tools";

export type TalkMode = "hands-free" | "push-to-talk";
export type WireFormat = "audio/pcm" | "audio/pcmu" | "audio/pcma";
export type VadType = "server_vad" | "semantic_vad";
export type Eagerness = "auto" | "low" | "medium" | "high";

export interface TurnSettings {
  type: VadType;
  threshold: number;
  prefixPaddingMs: number;
  silenceMs: number;
  eagerness: Eagerness;
  /** Speech over the answer ends it. */
  interrupts: boolean;
}

export interface CallSettings {
  model: string;
  voice: string;
  instructions: string;
  /** The model that writes down what the user said; empty: none. */
  transcription: string;
  turns: TurnSettings;
  inputFormat: WireFormat;
  outputFormat: WireFormat;
  demoTool: boolean;
  tools: ToolDraft[];
}

export const VOICES = [
  "marin",
  "cedar",
  "alloy",
  "ash",
  "ballad",
  "coral",
  "echo",
  "sage",
  "shimmer",
  "verse",
];

export const FORMATS: Record<WireFormat, string> = {
  "audio/pcm": "PCM, 16 bit, 24 kHz",
  "audio/pcmu": "G.711 µ-law, 8 kHz",
  "audio/pcma": "G.711 A-law, 8 kHz",
};

export const DEFAULTS: CallSettings = {
  model: "local",
  voice: "marin",
  instructions: "",
  transcription: "whisper-1",
  turns: {
    type: "server_vad",
    threshold: 0.5,
    prefixPaddingMs: 300,
    silenceMs: 500,
    eagerness: "auto",
    interrupts: true,
  },
  inputFormat: "audio/pcm",
  outputFormat: "audio/pcm",
  demoTool: true,
  tools: [],
};

/** All tools of a call: the built-in one first, where it is offered. */
export function toolsOf(settings: CallSettings): ToolDraft[] {
  return settings.demoTool ? [DEMO_TOOL, ...settings.tools] : settings.tools;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What of a stored text has the right shape, over the defaults: an older app may have written it. */
export function restored(text: string | null): CallSettings {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "");
  } catch {
    return DEFAULTS;
  }
  if (!isRecord(stored)) return DEFAULTS;
  const turns = merged(DEFAULTS.turns, isRecord(stored.turns) ? stored.turns : {});
  const tools = Array.isArray(stored.tools) ? stored.tools.filter(isTool) : [];
  return { ...merged(DEFAULTS, stored), turns, tools };
}

function isTool(value: unknown): value is ToolDraft {
  return isRecord(value) && ["id", "definition", "result"].every((name) => typeof value[name] === "string");
}

function merged<T extends object>(defaults: T, stored: Record<string, unknown>): T {
  const kept = Object.entries(defaults).map(([name, value]) => {
    const fits = typeof stored[name] === typeof value;
    return [name, fits ? stored[name] : value];
  });
  return Object.fromEntries(kept) as T;
}
