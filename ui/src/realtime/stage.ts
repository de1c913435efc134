/**
 * What is on the stage of the playground: one call or two side by side, and the one input that all of them hear.
 * Buttons come in, the calls are told; React sees snapshots only.
 */
import type { Input, OnPiece } from "./audio";
import { type CallDevices, VoiceCall } from "./call";
import { PacedInput } from "./paced-input";
import type { CallSettings, TalkMode } from "./settings";
import type { SoundFile } from "./sound-file";

export type InputState = "off" | "starting" | "open" | "holding" | "unavailable";

export interface StageSnapshot {
  input: InputState;
  inputText: string;
  /** A file is being played in. */
  playing: boolean;
}

export interface StageDevices extends CallDevices {
  microphone(onPiece: OnPiece): Promise<Input>;
  microphoneProblem(error: unknown): string;
}

export const OFF: StageSnapshot = { input: "off", inputText: "Off until you connect", playing: false };

export class Stage {
  snapshot: StageSnapshot = OFF;
  readonly calls: readonly VoiceCall[];
  private readonly listeners = new Set<() => void>();
  private input: Input | null = null;

  constructor(
    settings: readonly CallSettings[],
    readonly mode: TalkMode,
    /** In place of the microphone. */
    readonly file: SoundFile | null,
    private readonly devices: StageDevices,
  ) {
    const aside = settings.length > 1;
    this.calls = settings.map(
      (one, at) => new VoiceCall(one, mode, devices, aside ? (at === 0 ? -0.8 : 0.8) : 0),
    );
    for (const call of this.calls) call.subscribe(() => this.follow());
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getSnapshot = (): StageSnapshot => this.snapshot;

  private set(change: Partial<StageSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    for (const listener of this.listeners) listener();
  }

  async connect(): Promise<void> {
    await Promise.all(this.calls.map((call) => call.connect()));
  }

  /** The input opens when all that can be are connected, so that all hear the same; it closes with the last. */
  private follow(): void {
    const phases = this.calls.map((call) => call.snapshot.phase);
    if (phases.every((phase) => phase === "ended")) this.closeInput();
    else if (
      this.snapshot.input === "off" &&
      phases.every((phase) => phase === "live" || phase === "ended")
    ) {
      void this.openInput();
    }
  }

  private async openInput(): Promise<void> {
    const onPiece: OnPiece = (samples, level) => {
      for (const call of this.calls) call.captured(samples, level);
    };
    if (this.file) {
      this.input = new PacedInput(this.file.name, this.file.samples, onPiece);
      this.set({ input: "open", inputText: this.file.name });
      void this.playFile();
      return;
    }
    this.set({ input: "starting", inputText: "Waiting for your permission" });
    try {
      const input = await this.devices.microphone(onPiece);
      if (this.calls.every((call) => call.snapshot.phase === "ended")) {
        input.close();
        return;
      }
      this.input = input;
      this.set({ input: "open", inputText: input.label });
    } catch (error) {
      this.set({ input: "unavailable", inputText: this.devices.microphoneProblem(error) });
    }
  }

  /** From its beginning; with push to talk the button is held for as long as it plays. */
  async playFile(): Promise<void> {
    if (!(this.input instanceof PacedInput)) return;
    this.set({ playing: true });
    if (this.mode === "push-to-talk") this.hold();
    await this.input.play();
    if (this.mode === "push-to-talk") this.release();
    this.set({ playing: false });
  }

  hold(): void {
    if (this.snapshot.input !== "open") return;
    this.set({ input: "holding" });
    for (const call of this.calls) call.hold();
  }

  release(): void {
    if (this.snapshot.input !== "holding") return;
    this.set({ input: "open" });
    for (const call of this.calls) call.release();
  }

  async sendText(text: string, images: readonly string[] = []): Promise<void> {
    await Promise.all(this.calls.map((call) => call.sendText(text, images)));
  }

  hangUp(): void {
    for (const call of this.calls) call.hangUp();
  }

  private closeInput(): void {
    this.input?.close();
    this.input = null;
    if (this.snapshot.input !== "off" || this.snapshot.inputText !== "Off") {
      this.set({ input: "off", inputText: "Off", playing: false });
    }
  }
}
