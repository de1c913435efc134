/** Runs in the audio thread: plays what the page queues, reports what was played, stops at once on a flush. */
import { meterLevel } from "./pcm";
import { PlaybackQueue } from "./playback-queue";
import type { PlaybackCommand } from "./worklet-messages";

const REPORT_EVERY_FRAMES = 1_200;

class PlaybackProcessor extends AudioWorkletProcessor {
  private readonly queue = new PlaybackQueue();
  private sinceReport = 0;
  private peak = 0;
  private wasPlaying = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackCommand>) => this.obey(data);
  }

  private obey(command: PlaybackCommand): void {
    if (command.type === "push") this.queue.push(command.itemId, command.contentIndex, command.samples);
    else this.port.postMessage({ type: "flushed", id: command.id, cut: this.queue.flush() });
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [first, ...others] = outputs[0] ?? [];
    if (!first) return true;
    const playing = this.queue.pull(first) > 0;
    for (const channel of others) channel.set(first);
    this.peak = Math.max(this.peak, meterLevel(first));
    this.sinceReport += first.length;
    if (this.sinceReport >= REPORT_EVERY_FRAMES || playing !== this.wasPlaying) this.report(playing);
    return true;
  }

  private report(playing: boolean): void {
    const pendingFrames = this.queue.pendingFrames;
    this.port.postMessage({ type: "playing", playing, level: this.peak, pendingFrames });
    this.sinceReport = 0;
    this.peak = 0;
    this.wasPlaying = playing;
  }
}

registerProcessor("voxgate-playback", PlaybackProcessor);
