/**
 * A sound file in place of a microphone: pieces of 40 ms, no faster than time passes. Before and after the file there is
 * silence, as from a microphone in a quiet room, so that the provider hears the end of the words.
 */
import type { Input, OnPiece } from "./audio";
import { meterLevel, pcm16ToFloat, RATE_HZ } from "./pcm";

const PIECE_FRAMES = RATE_HZ / 25;
const PIECE_MS = 40;
const TICK_MS = 20;
/** After a pause of the page (a sleeping machine) it goes on from now and does not make up for hours of silence. */
const LONGEST_GAP_MS = 5_000;

export interface Clock {
  now(): number;
  every(ms: number, act: () => void): () => void;
}

export const pageClock: Clock = {
  now: () => performance.now(),
  every(ms, act) {
    const timer = setInterval(act, ms);
    return () => clearInterval(timer);
  },
};

export class PacedInput implements Input {
  private at = 0;
  private from: number;
  private sentPieces = 0;
  private playing = false;
  private finished: (() => void) | null = null;
  private readonly stop: () => void;

  constructor(
    readonly label: string,
    private readonly samples: Int16Array,
    private readonly onPiece: OnPiece,
    private readonly clock: Clock = pageClock,
  ) {
    this.from = clock.now();
    this.stop = clock.every(TICK_MS, () => this.tick());
  }

  /** From its beginning; resolves when its last piece has been given out. */
  play(): Promise<void> {
    this.finished?.();
    this.at = 0;
    this.playing = true;
    return new Promise((resolve) => {
      this.finished = resolve;
    });
  }

  get progress(): number {
    return this.playing ? this.at / Math.max(1, this.samples.length) : 0;
  }

  private tick(): void {
    const passed = this.clock.now() - this.from;
    if (passed - this.sentPieces * PIECE_MS > LONGEST_GAP_MS) {
      this.from = this.clock.now();
      this.sentPieces = 0;
      return;
    }
    for (const due = Math.floor(passed / PIECE_MS); this.sentPieces < due; this.sentPieces += 1) this.give();
  }

  private give(): void {
    const piece = new Int16Array(PIECE_FRAMES);
    if (this.playing) {
      piece.set(this.samples.subarray(this.at, this.at + PIECE_FRAMES));
      this.at += PIECE_FRAMES;
    }
    this.onPiece(piece, meterLevel(pcm16ToFloat(piece)));
    if (this.playing && this.at >= this.samples.length) {
      this.playing = false;
      this.finished?.();
      this.finished = null;
    }
  }

  close(): void {
    this.stop();
    this.finished?.();
    this.finished = null;
  }
}
