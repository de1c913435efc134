/**
 * The assistant's sound waiting to be played. It runs inside the playback worklet: chunks go in by item, the audio
 * device pulls samples out, and it knows to the sample how much of each item has been played.
 */

export interface PlayedItem {
  itemId: string;
  contentIndex: number;
  queuedFrames: number;
  playedFrames: number;
}

interface Chunk {
  item: PlayedItem;
  samples: Float32Array;
}

/** Items that were played to their end are forgotten when this many newer ones exist. */
const KEPT_ITEMS = 32;

export class PlaybackQueue {
  private chunks: Chunk[] = [];
  private offset = 0;
  private items: PlayedItem[] = [];

  push(itemId: string, contentIndex: number, samples: Float32Array): void {
    let item = this.items.find((one) => one.itemId === itemId && one.contentIndex === contentIndex);
    if (!item) {
      item = { itemId, contentIndex, queuedFrames: 0, playedFrames: 0 };
      this.items = [...this.items, item].slice(-KEPT_ITEMS);
    }
    item.queuedFrames += samples.length;
    this.chunks.push({ item, samples });
  }

  /** Fills `output` with the next samples, then silence; returns how many samples were sound. */
  pull(output: Float32Array): number {
    let written = 0;
    for (let chunk = this.chunks[0]; chunk && written < output.length; chunk = this.chunks[0]) {
      const part = chunk.samples.subarray(this.offset, this.offset + output.length - written);
      output.set(part, written);
      written += part.length;
      chunk.item.playedFrames += part.length;
      this.offset += part.length;
      if (this.offset >= chunk.samples.length) {
        this.chunks.shift();
        this.offset = 0;
      }
    }
    output.fill(0, written);
    return written;
  }

  get pendingFrames(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.samples.length, 0) - this.offset;
  }

  /** Drops what has not been played; returns the items that were cut, with what was played of each. */
  flush(): PlayedItem[] {
    const cut = this.items
      .filter((item) => item.playedFrames < item.queuedFrames)
      .map((item) => ({ ...item }));
    this.chunks = [];
    this.offset = 0;
    this.items = [];
    return cut;
  }
}
