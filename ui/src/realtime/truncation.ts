/** From what the worklet played to what the provider must be told: `conversation.item.truncate` events. */
import { framesToMs } from "./pcm";
import type { PlayedItem } from "./playback-queue";

export interface Truncation {
  type: "conversation.item.truncate";
  item_id: string;
  content_index: number;
  audio_end_ms: number;
}

/**
 * One event per item that was cut. Samples handed to the device but still on their way to the loudspeaker
 * (`outputLatencyMs`) were not heard, so they are taken off.
 */
export function truncations(cut: PlayedItem[], outputLatencyMs: number): Truncation[] {
  return cut.map((item) => ({
    type: "conversation.item.truncate",
    item_id: item.itemId,
    content_index: item.contentIndex,
    audio_end_ms: Math.max(0, Math.floor(framesToMs(item.playedFrames) - outputLatencyMs)),
  }));
}
