/** The Realtime events that the playground sends and reads (realtime protocol, GA names). */

export interface ServerEvent {
  type: string;
  event_id?: string;
  [field: string]: unknown;
}

export interface ClientEvent {
  type: string;
  [field: string]: unknown;
}

export type TalkMode = "hands-free" | "push-to-talk";

export interface CallSettings {
  model: string;
  voice: string;
  instructions: string;
  mode: TalkMode;
  demoTool: boolean;
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
