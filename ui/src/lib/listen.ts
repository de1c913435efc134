/** Listening in on a running call: samples come as a stream and are played a moment later, one after the other. */
import { send } from "../api/client";
import { takeTheFloor } from "./player";
import { type Muted, NOBODY_MUTED, Sides } from "./sides";

export interface EarState {
  on: boolean;
  connecting: boolean;
  error: string;
  muted: Muted;
}

const RATE_HZ = 24_000;
const FRAME_BYTES = 4;
/** Enough for what the network makes late; more than the other is left out, so that it stays a second behind. */
const AHEAD_S = 0.25;
const MOST_AHEAD_S = 1.5;
const TICK_MS = 100;

/** Whole frames of 16-bit stereo out of chunks of any size. */
export class FrameReader {
  private rest = new Uint8Array(0);

  push(chunk: Uint8Array): [left: Float32Array<ArrayBuffer>, right: Float32Array<ArrayBuffer>] {
    const data = new Uint8Array(this.rest.length + chunk.length);
    data.set(this.rest);
    data.set(chunk, this.rest.length);
    const frames = Math.floor(data.length / FRAME_BYTES);
    this.rest = data.slice(frames * FRAME_BYTES);
    const view = new DataView(data.buffer);
    const left = new Float32Array(frames);
    const right = new Float32Array(frames);
    for (let i = 0; i < frames; i += 1) {
      left[i] = view.getInt16(i * FRAME_BYTES, true) / 32_768;
      right[i] = view.getInt16(i * FRAME_BYTES + 2, true) / 32_768;
    }
    return [left, right];
  }
}

const OFF: EarState = { on: false, connecting: false, error: "", muted: NOBODY_MUTED };

export class Ear {
  state: EarState = OFF;
  private context: AudioContext | null = null;
  private sides: Sides | null = null;
  private meter: AnalyserNode | null = null;
  private abort: AbortController | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly tickListeners = new Set<() => void>();
  /** When the next piece is played, on the context's clock; and which place of the call that is. */
  private nextAt = 0;
  private nextMs = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** `onTime` is told where in the call it is while it listens. */
  constructor(
    private readonly url: string,
    private readonly onTime: (ms: number) => void,
  ) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getState = (): EarState => this.state;

  /** `listener` is called together with `onTime`, so that both are drawn at once, and before there is a sound. */
  onTick = (listener: () => void): (() => void) => {
    this.tickListeners.add(listener);
    return () => this.tickListeners.delete(listener);
  };

  private set(changed: Partial<EarState>): void {
    this.state = { ...this.state, ...changed };
    for (const listener of this.listeners) listener();
  }

  /** How loud it is just now, 0 to 1. */
  level(): number {
    if (!this.meter) return 0;
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
  }

  async start(): Promise<void> {
    if (this.state.on || this.state.connecting) return;
    takeTheFloor(this);
    this.set({ connecting: true, error: "" });
    const abort = new AbortController();
    this.abort = abort;
    this.open();
    try {
      const response = await send(this.url, { signal: abort.signal });
      this.nextMs = Number(response.headers.get("x-voxgate-start-ms")) || 0;
      this.set({ on: true, connecting: false });
      await this.follow(response);
    } catch (error) {
      if (!abort.signal.aborted) this.set({ error: error instanceof Error ? error.message : String(error) });
    }
    if (this.abort === abort) this.pause();
  }

  /** Within the click: a context that is made later would wait for the next one. */
  private open(): void {
    this.context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "playback" });
    this.sides = new Sides(this.context);
    this.sides.set(this.state.muted);
    this.meter = this.context.createAnalyser();
    this.sides.output.connect(this.meter).connect(this.context.destination);
    this.nextAt = 0;
    void this.context.resume();
    this.timer = setInterval(() => this.tell(), TICK_MS);
  }

  private async follow(response: Response): Promise<void> {
    const stream = response.body?.getReader();
    const frames = new FrameReader();
    for (let part = await stream?.read(); part && !part.done; part = await stream?.read()) {
      this.play(...frames.push(part.value));
    }
  }

  private play(left: Float32Array<ArrayBuffer>, right: Float32Array<ArrayBuffer>): void {
    const { context, sides } = this;
    if (!context || !sides || left.length === 0) return;
    const seconds = left.length / RATE_HZ;
    this.nextMs += seconds * 1000;
    if (this.nextAt - context.currentTime > MOST_AHEAD_S) return;
    const buffer = context.createBuffer(2, left.length, RATE_HZ);
    buffer.copyToChannel(left, 0);
    buffer.copyToChannel(right, 1);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(sides.input);
    if (this.nextAt < context.currentTime) this.nextAt = context.currentTime + AHEAD_S;
    source.start(this.nextAt);
    this.nextAt += seconds;
  }

  private tell(): void {
    for (const listener of this.tickListeners) listener();
    if (!this.state.on || !this.context || this.nextAt === 0) return;
    this.onTime(Math.max(0, this.nextMs - Math.max(0, this.nextAt - this.context.currentTime) * 1000));
  }

  mute(muted: Muted): void {
    this.sides?.set(muted);
    this.set({ muted });
  }

  toggle(): void {
    if (this.state.on || this.state.connecting) this.pause();
    else void this.start();
  }

  pause(): void {
    this.abort?.abort();
    this.abort = null;
    clearInterval(this.timer);
    void this.context?.close();
    this.context = null;
    this.sides = null;
    this.meter = null;
    this.set({ on: false, connecting: false });
  }
}
