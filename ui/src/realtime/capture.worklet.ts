/** Runs in the audio thread: the microphone's samples, at 24 kHz, in pieces of 40 ms, to the page. */
import { floatToPcm16, meterLevel, RATE_HZ } from "./pcm";
import { Resampler } from "./resampler";

const PIECE_FRAMES = RATE_HZ / 25;

class CaptureProcessor extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, RATE_HZ);
  private readonly piece = new Float32Array(PIECE_FRAMES);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel) this.collect(this.resampler.push(channel));
    return true;
  }

  private collect(samples: Float32Array): void {
    for (let from = 0; from < samples.length; ) {
      const part = samples.subarray(from, from + PIECE_FRAMES - this.filled);
      this.piece.set(part, this.filled);
      this.filled += part.length;
      from += part.length;
      if (this.filled === PIECE_FRAMES) this.emit();
    }
  }

  private emit(): void {
    const samples = floatToPcm16(this.piece);
    this.port.postMessage({ samples, level: meterLevel(this.piece) }, [samples.buffer]);
    this.filled = 0;
  }
}

registerProcessor("voxgate-capture", CaptureProcessor);
