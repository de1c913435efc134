/**
 * One call of the playground: credential, socket, loudspeaker, interruption, tools, latency. The user's sound comes in
 * pieces from the stage, which may feed two calls with it. Server events come in, client events go out; React sees
 * snapshots only. The browser's devices are injected.
 */
import type { Credential } from "../api/types";
import { Activity } from "./activity";
import type { Playing, Speaker } from "./audio";
import { closeWords } from "./close-codes";
import { type Decoder, decoderFor, type Encoder, encoderFor, wireMs } from "./codec";
import type { ClientEvent, ServerEvent } from "./events";
import { LatencyMeter, type TurnLatency } from "./latency";
import { framesToMs } from "./pcm";
import { sessionUpdate } from "./session-config";
import { type CallSettings, type TalkMode, toolsOf } from "./settings";
import { answerTool } from "./tools";
import { EMPTY, reduceTranscript, type Transcript, withError, withToolOutput } from "./transcript";

export type Phase = "idle" | "connecting" | "live" | "ended";

export interface CallSnapshot {
  phase: Phase;
  transcript: Transcript;
  speaking: boolean;
  holding: boolean;
  muted: boolean;
  turns: readonly TurnLatency[];
  credentialId: string | null;
  closeText: string;
  failed: boolean;
  startedAt: number | null;
  endedAt: number | null;
}

export interface Socket {
  send(text: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

export interface CallDevices {
  credential(model: string): Promise<Credential>;
  socket(model: string, key: string): Socket;
  speaker(onPlaying: Playing, pan: number): Promise<Speaker>;
  /** Of the page, in ms. */
  now(): number;
}

/** Ends that somebody wanted: normal, without a reason, and by the session page's “End call”. */
const WANTED_CLOSES = new Set([1000, 1005, 4001]);

/** A shorter press than this is a slip: providers refuse to commit less than 100 ms. */
const SHORTEST_HOLD_MS = 120;

export const IDLE: CallSnapshot = {
  phase: "idle",
  transcript: EMPTY,
  speaking: false,
  holding: false,
  muted: false,
  turns: [],
  credentialId: null,
  closeText: "",
  failed: false,
  startedAt: null,
  endedAt: null,
};

export class VoiceCall {
  snapshot: CallSnapshot = IDLE;
  /** Levels change 25 times a second: they are read by the meters' animation, not sent through React. */
  readonly levels = { user: 0, assistant: 0 };
  readonly activity = new Activity();
  private readonly latency = new LatencyMeter();
  private readonly encode: Encoder;
  private readonly decode: Decoder;
  private readonly listeners = new Set<() => void>();
  private readonly silenced = new Set<string>();
  private socket: Socket | null = null;
  private speaker: Speaker | null = null;
  private sounding = false;
  private heldMs = 0;

  constructor(
    readonly settings: CallSettings,
    readonly mode: TalkMode,
    private readonly devices: CallDevices,
    private readonly pan = 0,
  ) {
    this.encode = encoderFor(settings.inputFormat);
    this.decode = decoderFor(settings.outputFormat);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getSnapshot = (): CallSnapshot => this.snapshot;

  private set(change: Partial<CallSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    for (const listener of this.listeners) listener();
  }

  private get over(): boolean {
    return this.snapshot.phase === "ended";
  }

  async connect(): Promise<void> {
    this.set({ phase: "connecting" });
    try {
      this.speaker = await this.devices.speaker((...playing) => this.hearing(...playing), this.pan);
      const credential = await this.devices.credential(this.settings.model);
      if (this.over) return;
      this.set({ credentialId: credential.id });
      this.openSocket(credential.key);
    } catch (error) {
      this.end(problemWords(error), true);
    }
  }

  private openSocket(key: string): void {
    const socket = this.devices.socket(this.settings.model, key);
    this.socket = socket;
    socket.onopen = () => {
      this.set({ phase: "live", startedAt: Date.now() });
      this.send(sessionUpdate(this.settings, this.mode));
    };
    socket.onmessage = ({ data }) => this.receive(String(data));
    socket.onclose = ({ code, reason }) => this.end(closeWords(code, reason), !WANTED_CLOSES.has(code));
  }

  /** A piece of the user's sound, which ended just now. */
  captured(samples: Int16Array, level: number): void {
    const at = this.devices.now();
    const { phase, holding } = this.snapshot;
    if (phase !== "live") return;
    this.levels.user = level;
    if (this.mode === "push-to-talk" && !holding) return;
    this.activity.captured(level, at);
    this.latency.captured(level, at);
    if (holding) this.heldMs += framesToMs(samples.length);
    const audio = this.encode(samples);
    if (audio) this.send({ type: "input_audio_buffer.append", audio });
  }

  private hearing(level: number, sounding: boolean): void {
    const at = this.devices.now();
    this.levels.assistant = level;
    this.activity.played(level, at);
    if (sounding && !this.sounding && this.latency.answerHeard(at)) this.set({ turns: this.latency.turns });
    this.sounding = sounding;
    const speaking = this.speaker?.playing ?? false;
    if (speaking !== this.snapshot.speaking) this.set({ speaking });
  }

  private receive(text: string): void {
    let event: ServerEvent;
    try {
      event = JSON.parse(text) as ServerEvent;
    } catch {
      this.fail("The provider sent a message that is not JSON.");
      return;
    }
    if (event.type === "response.output_audio.delta") this.play(event);
    const transcript = reduceTranscript(this.snapshot.transcript, event, this.settings.outputFormat);
    if (transcript !== this.snapshot.transcript) this.set({ transcript });
    this.note(event);
    if (event.type === "input_audio_buffer.speech_started") void this.interrupt();
    if (event.type === "response.done") this.answerTools(event);
  }

  /** For the lanes and the latency. */
  private note(event: ServerEvent): void {
    const at = this.devices.now();
    if (event.type === "input_audio_buffer.speech_started") this.activity.mark("speech", "speech begins", at);
    if (event.type === "response.created") this.activity.mark("response", "answer begins", at);
    if (event.type === "error") this.activity.mark("error", "error", at);
    if (event.type === "input_audio_buffer.speech_stopped") {
      this.activity.mark("speech", "speech ends", at);
      this.latency.turnEnded(at);
      this.set({ turns: this.latency.turns });
    }
  }

  private play(event: ServerEvent): void {
    const itemId = String(event.item_id ?? "");
    // Deltas that were on their way when the user barged in belong to an answer that is over.
    if (this.silenced.has(itemId) || typeof event.delta !== "string") return;
    const at = this.devices.now();
    this.activity.came(itemId, wireMs(this.settings.outputFormat, event.delta.length), at);
    if (this.latency.answerCame(at)) this.set({ turns: this.latency.turns });
    this.speaker?.play(itemId, Number(event.content_index ?? 0), this.decode(event.delta));
  }

  /** Silences the assistant and tells the provider how much of each item was heard. */
  private async interrupt(): Promise<void> {
    for (const entry of this.snapshot.transcript.entries) {
      if (entry.role === "assistant") this.silenced.add(entry.id);
    }
    if (!this.speaker?.playing) return;
    this.activity.cut(this.devices.now());
    for (const truncation of await this.speaker.flush()) this.send({ ...truncation });
    this.set({ speaking: false });
  }

  private answerTools(event: ServerEvent): void {
    const response = event.response as { status?: string; output?: unknown[] } | undefined;
    if (response?.status !== "completed") return;
    const calls = (response.output ?? []) as {
      type?: string;
      name?: string;
      call_id?: string;
      arguments?: string;
    }[];
    let answered = false;
    for (const { type, name = "", call_id = "", arguments: args = "" } of calls) {
      if (type !== "function_call") continue;
      const output = answerTool(toolsOf(this.settings), name, args);
      this.activity.mark("tool", name, this.devices.now());
      const item = { type: "function_call_output", call_id, output };
      this.send({ type: "conversation.item.create", item });
      this.set({ transcript: withToolOutput(this.snapshot.transcript, call_id, output) });
      answered = true;
    }
    if (answered) this.send({ type: "response.create" });
  }

  private send(event: ClientEvent): void {
    if (this.snapshot.phase === "live") this.socket?.send(JSON.stringify(event));
  }

  private fail(message: string): void {
    const id = `local-${this.snapshot.transcript.entries.length}`;
    this.set({ transcript: withError(this.snapshot.transcript, id, message) });
  }

  /** Push to talk: the button goes down. What the assistant says is cut, as a spoken barge-in would. */
  hold(): void {
    if (this.snapshot.phase !== "live") return;
    this.heldMs = 0;
    this.set({ holding: true });
    this.send({ type: "input_audio_buffer.clear" });
    void this.cutIn();
  }

  /** Ends what the assistant is saying, for turns that no voice activity detection announces. */
  private cutIn(): Promise<void> {
    if (this.snapshot.transcript.active.length > 0) this.send({ type: "response.cancel" });
    return this.interrupt();
  }

  /** Push to talk: the button comes up. */
  release(): void {
    if (!this.snapshot.holding) return;
    this.set({ holding: false });
    if (this.heldMs < SHORTEST_HOLD_MS) {
      this.send({ type: "input_audio_buffer.clear" });
      this.fail("That was too short to hear. Hold the button while you speak.");
      return;
    }
    this.latency.turnEnded(this.devices.now());
    this.set({ turns: this.latency.turns });
    this.send({ type: "input_audio_buffer.commit" });
    this.send({ type: "response.create" });
  }

  /** `images` are data URLs. */
  async sendText(text: string, images: readonly string[] = []): Promise<void> {
    const content = [
      ...images.map((image_url) => ({ type: "input_image", image_url })),
      ...(text ? [{ type: "input_text", text }] : []),
    ];
    await this.cutIn();
    this.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    this.send({ type: "response.create" });
    this.latency.textSent(this.devices.now());
    if (images.length > 0) this.activity.mark("image", "picture", this.devices.now());
    this.set({ turns: this.latency.turns });
  }

  setMuted(muted: boolean): void {
    this.speaker?.setMuted(muted);
    this.set({ muted });
  }

  hangUp(): void {
    this.end("You ended the call.", false);
  }

  private end(closeText: string, failed: boolean): void {
    if (this.over) return;
    const over = { phase: "ended", speaking: false, holding: false, endedAt: Date.now() } as const;
    this.set({ ...over, closeText, failed });
    if (this.socket) {
      this.socket.onclose = null;
      this.socket.onmessage = null;
      this.socket.close(1000);
    }
    this.speaker?.close();
    this.levels.user = 0;
    this.levels.assistant = 0;
  }
}

/** What went wrong before the call, and what to do: errors of the control plane bring advice along. */
function problemWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const advice = (error as { advice?: unknown }).advice;
  return typeof advice === "string" && advice ? `${error.message} ${advice}` : error.message;
}
