/** What the page and the two audio worklets say to each other. */
import type { PlayedItem } from "./playback-queue";

export type PlaybackCommand =
  | { type: "push"; itemId: string; contentIndex: number; samples: Float32Array }
  | { type: "flush"; id: number };

export type PlaybackReport =
  | { type: "playing"; playing: boolean; level: number; pendingFrames: number }
  | { type: "flushed"; id: number; cut: PlayedItem[] };

export interface CapturedPiece {
  samples: Int16Array;
  level: number;
}
