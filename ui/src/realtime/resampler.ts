/** A streaming resampler for microphones whose rate is not ours (some browsers do not convert by themselves). */

const HALF_TAPS = 16;

function windowedSinc(x: number, cutoff: number): number {
  if (Math.abs(x) >= HALF_TAPS) return 0;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / HALF_TAPS);
  const phase = Math.PI * x * cutoff;
  return window * cutoff * (phase === 0 ? 1 : Math.sin(phase) / phase);
}

export class Resampler {
  private readonly step: number;
  private readonly cutoff: number;
  private history = new Float32Array(HALF_TAPS);
  /** Where the next output sample lies, in input samples from the start of `history`. */
  private position = HALF_TAPS;

  constructor(fromHz: number, toHz: number) {
    this.step = fromHz / toHz;
    this.cutoff = Math.min(1, toHz / fromHz);
  }

  push(input: Float32Array): Float32Array {
    if (this.step === 1) return input.slice();
    const buffer = new Float32Array(this.history.length + input.length);
    buffer.set(this.history);
    buffer.set(input, this.history.length);
    const out: number[] = [];
    while (this.position + HALF_TAPS < buffer.length) {
      out.push(this.sampleAt(buffer));
      this.position += this.step;
    }
    const drop = Math.max(0, Math.floor(this.position) - HALF_TAPS);
    this.history = buffer.slice(drop);
    this.position -= drop;
    return Float32Array.from(out);
  }

  private sampleAt(buffer: Float32Array): number {
    const centre = Math.floor(this.position);
    let sum = 0;
    for (let i = centre - HALF_TAPS + 1; i <= centre + HALF_TAPS; i += 1) {
      sum += (buffer[i] ?? 0) * windowedSinc(i - this.position, this.cutoff);
    }
    return sum;
  }
}
