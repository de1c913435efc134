/**
 * One call of the playground: credential, socket, microphone, loudspeaker, interruption, demo tool.
 * Server events come in, client events go out; React sees snapshots only. The browser's devices are injected.
 */
import type { Credential } from "../api/types";
import type { Microphone, Speaker } from "./audio";
import { closeWords } from "./close-codes";
import { answerTool } from "./demo-tool";
import type { CallSettings, ClientEvent, ServerEvent } from "./events";
import { decodePcm16, encodePcm16, framesToMs } from "./pcm";
import { sessionUpdate } from "./session-config";
import { EMPTY, reduceTranscript, type Transcript, withError, withToolOutput } from "./transcript";

export type Phase = "idle" | "connecting" | "live" | "ended";
export type MicState = "off" | "starting" | "open" | "holding" | "unavailable";

export interface CallSnapshot {
  phase: Phase;
  mic: MicState;
  micText: string;
  transcript: Transcript;
  speaking: boolean;
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

export interface Devices {
  credential(model: string): Promise<Credential>;
  socket(model: string, key: string): Socket;
  speaker(onLevel: (level: number) => void): Promise<Speaker>;
  microphone(onPiece: (samples: Int16Array) => void, onLevel: (level: number) => void): Promise<Microphone>;
  microphoneProblem(error: unknown): string;
}

/** Ends that somebody wanted: normal, without a reason, and by the session page's “End call”. */
const WANTED_CLOSES = new Set([1000, 1005, 4001]);

/** A shorter press than this is a slip: providers refuse to commit less than 100 ms. */
const SHORTEST_HOLD_MS = 120;

export const IDLE: CallSnapshot = {
  phase: "idle",
  mic: "off",
  micText: "Off until you connect",
  transcript: EMPTY,
  speaking: false,
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
  private readonly listeners = new Set<() => void>();
  private socket: Socket | null = null;
  private speaker: Speaker | null = null;
  private mic: Microphone | null = null;
  private heldMs = 0;
  private readonly silenced = new Set<string>();

  constructor(
    readonly settings: CallSettings,
    private readonly devices: Devices,
  ) {}

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
      this.speaker = await this.devices.speaker((level) => this.hearLevel(level));
      const credential = await this.devices.credential(this.settings.model);
      if (this.over) return;
      this.set({ credentialId: credential.id });
      this.openSocket(credential.key);
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error), true);
    }
  }

  private openSocket(key: string): void {
    const socket = this.devices.socket(this.settings.model, key);
    this.socket = socket;
    socket.onopen = () => void this.opened();
    socket.onmessage = ({ data }) => this.receive(String(data));
    socket.onclose = ({ code, reason }) => this.end(closeWords(code, reason), !WANTED_CLOSES.has(code));
  }

  private async opened(): Promise<void> {
    this.set({
      phase: "live",
      startedAt: Date.now(),
      mic: "starting",
      micText: "Waiting for your permission",
    });
    this.send(sessionUpdate(this.settings));
    try {
      const mic = await this.devices.microphone(
        (samples) => this.captured(samples),
        (level) => {
          this.levels.user = level;
        },
      );
      if (this.over) {
        mic.close();
        return;
      }
      this.mic = mic;
      this.set({ mic: "open", micText: mic.label });
    } catch (error) {
      this.set({ mic: "unavailable", micText: this.devices.microphoneProblem(error) });
    }
  }

  private captured(samples: Int16Array): void {
    const holding = this.snapshot.mic === "holding";
    if (this.settings.mode === "push-to-talk" && !holding) return;
    if (holding) this.heldMs += framesToMs(samples.length);
    this.send({ type: "input_audio_buffer.append", audio: encodePcm16(samples) });
  }

  private hearLevel(level: number): void {
    this.levels.assistant = level;
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
    const transcript = reduceTranscript(this.snapshot.transcript, event);
    if (transcript !== this.snapshot.transcript) this.set({ transcript });
    if (event.type === "input_audio_buffer.speech_started") void this.interrupt();
    if (event.type === "response.done") this.answerTools(event);
  }

  private play(event: ServerEvent): void {
    const itemId = String(event.item_id ?? "");
    // Deltas that were on their way when the user barged in belong to an answer that is over.
    if (this.silenced.has(itemId) || typeof event.delta !== "string") return;
    this.speaker?.play(itemId, Number(event.content_index ?? 0), decodePcm16(event.delta));
  }

  /** Silences the assistant and tells the provider how much of each item was heard. */
  private async interrupt(): Promise<void> {
    for (const entry of this.snapshot.transcript.entries) {
      if (entry.role === "assistant") this.silenced.add(entry.id);
    }
    if (!this.speaker?.playing) return;
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
      const output = answerTool(name, args);
      this.send({
        type: "conversation.item.create",
        item: { type: "function_call_output", call_id, output },
      });
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
    if (this.snapshot.mic !== "open") return;
    this.heldMs = 0;
    this.set({ mic: "holding" });
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
    if (this.snapshot.mic !== "holding") return;
    this.set({ mic: "open" });
    if (this.heldMs < SHORTEST_HOLD_MS) {
      this.send({ type: "input_audio_buffer.clear" });
      this.fail("That was too short to hear. Hold the button while you speak.");
      return;
    }
    this.send({ type: "input_audio_buffer.commit" });
    this.send({ type: "response.create" });
  }

  async sendText(text: string): Promise<void> {
    const content = [{ type: "input_text", text }];
    await this.cutIn();
    this.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    this.send({ type: "response.create" });
  }

  hangUp(): void {
    this.end("You ended the call.", false);
  }

  private end(closeText: string, failed: boolean): void {
    if (this.over) return;
    this.set({
      phase: "ended",
      closeText,
      failed,
      mic: "off",
      micText: "Off",
      speaking: false,
      endedAt: Date.now(),
    });
    if (this.socket) {
      this.socket.onclose = null;
      this.socket.onmessage = null;
      this.socket.close(1000);
    }
    this.mic?.close();
    this.speaker?.close();
    this.levels.user = 0;
    this.levels.assistant = 0;
  }
}
