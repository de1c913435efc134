/** The browser's ends of a call: the loudspeaker and the microphone, each with its worklet. */
import captureUrl from "./capture.worklet.ts?worker&url";
import { pcm16ToFloat, RATE_HZ } from "./pcm";
import playbackUrl from "./playback.worklet.ts?worker&url";
import { type Truncation, truncations } from "./truncation";
import type { CapturedPiece, PlaybackCommand, PlaybackReport } from "./worklet-messages";

export interface Speaker {
  play(itemId: string, contentIndex: number, samples: Int16Array): void;
  /** Silences at once; tells which items were cut, and where. */
  flush(): Promise<Truncation[]>;
  readonly playing: boolean;
  /** Not heard, and played all the same: the call goes on as if somebody listened. */
  setMuted(muted: boolean): void;
  close(): void;
}

/** What the loudspeaker does now: a level from 0 to 1, and whether an answer sounds. */
export type Playing = (level: number, sounding: boolean) => void;

/** The user's sound, whether it comes from a microphone or from a file: pieces of 40 ms at 24 kHz. */
export interface Input {
  /** The device's or the file's own name, for the status line. */
  readonly label: string;
  close(): void;
}

export type OnPiece = (samples: Int16Array, level: number) => void;

const FLUSH_DEADLINE_MS = 500;

class WorkletSpeaker implements Speaker {
  playing = false;
  private pendingFrames = 0;
  private nextFlush = 1;
  private readonly flushes = new Map<number, (cut: Truncation[]) => void>();

  constructor(
    private readonly context: AudioContext,
    private readonly node: AudioWorkletNode,
    private readonly gain: GainNode,
    private readonly onPlaying: Playing,
  ) {
    node.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => this.hear(data);
  }

  private hear(report: PlaybackReport): void {
    if (report.type === "flushed") {
      const latencyMs = (this.context.outputLatency || this.context.baseLatency || 0) * 1000;
      this.flushes.get(report.id)?.(truncations(report.cut, latencyMs));
      this.flushes.delete(report.id);
      return;
    }
    this.pendingFrames = report.pendingFrames;
    this.playing = report.playing || this.pendingFrames > 0;
    this.onPlaying(report.level, report.playing);
  }

  private command(command: PlaybackCommand, transfer: Transferable[] = []): void {
    this.node.port.postMessage(command, transfer);
  }

  play(itemId: string, contentIndex: number, pcm: Int16Array): void {
    const samples = pcm16ToFloat(pcm);
    this.playing = true;
    this.command({ type: "push", itemId, contentIndex, samples }, [samples.buffer]);
  }

  flush(): Promise<Truncation[]> {
    const id = this.nextFlush;
    this.nextFlush += 1;
    this.playing = false;
    return new Promise((resolve) => {
      this.flushes.set(id, resolve);
      this.command({ type: "flush", id });
      // A context that never got its user gesture does not answer, and played nothing.
      setTimeout(() => this.flushes.delete(id) && resolve([]), FLUSH_DEADLINE_MS);
    });
  }

  setMuted(muted: boolean): void {
    this.gain.gain.value = muted ? 0 : 1;
  }

  close(): void {
    for (const resolve of this.flushes.values()) resolve([]);
    this.node.port.onmessage = null;
    void this.context.close();
  }
}

/** `pan`: -1 is left, 1 is right; two calls side by side are told apart by ear. */
export async function openSpeaker(onPlaying: Playing, pan: number): Promise<Speaker> {
  const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
  await context.audioWorklet.addModule(playbackUrl);
  const node = new AudioWorkletNode(context, "voxgate-playback", {
    numberOfInputs: 0,
    outputChannelCount: [1],
  });
  const gain = new GainNode(context);
  node.connect(gain).connect(new StereoPannerNode(context, { pan })).connect(context.destination);
  // Without a user gesture resume() stays pending for ever: the call must not wait for it.
  void context.resume();
  return new WorkletSpeaker(context, node, gain, onPlaying);
}

/** Why there is no microphone, in words that say what to do. */
export function microphoneProblem(error: unknown): string {
  if (!window.isSecureContext) {
    return "Browsers give the microphone only to https pages and to localhost. Start Voxgate with --tls-cert, or type.";
  }
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The microphone is blocked. Allow it in the address bar, or type.";
  if (name === "NotFoundError") return "No microphone was found. Plug one in, or type.";
  if (name === "NotReadableError") return "Another program holds the microphone. Close it, or type.";
  return `The microphone did not start (${error instanceof Error ? error.message : String(error)}). You can type.`;
}

/** A context with its worklet: it is there before the microphone opens, since what is said before it listens is lost. */
async function listener(options: AudioContextOptions): Promise<AudioContext> {
  const context = new AudioContext(options);
  try {
    await context.audioWorklet.addModule(captureUrl);
    return context;
  } catch (error) {
    await context.close();
    throw error;
  }
}

/** The stream at our rate where the browser converts; at the device's own rate where it refuses (Firefox). */
async function source(
  ours: AudioContext,
  stream: MediaStream,
): Promise<[AudioContext, MediaStreamAudioSourceNode]> {
  try {
    return [ours, ours.createMediaStreamSource(stream)];
  } catch {
    await ours.close();
  }
  const own = await listener({});
  return [own, own.createMediaStreamSource(stream)];
}

export async function openMicrophone(onPiece: OnPiece): Promise<Input> {
  if (!navigator.mediaDevices) throw new Error("the browser gives no microphone here");
  const ours = await listener({ sampleRate: RATE_HZ });
  const stream = await navigator.mediaDevices
    .getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    })
    .catch(async (error: unknown) => {
      await ours.close();
      throw error;
    });
  const [context, input] = await source(ours, stream);
  const node = new AudioWorkletNode(context, "voxgate-capture", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }: MessageEvent<CapturedPiece>) => onPiece(data.samples, data.level);
  input.connect(node);
  // It was made before there was a microphone, which is what lets some browsers begin.
  void context.resume();
  return {
    label: stream.getAudioTracks()[0]?.label || "microphone",
    close() {
      node.port.onmessage = null;
      for (const track of stream.getTracks()) track.stop();
      void context.close();
    },
  };
}
