/** Plays sound, one piece at a time on the whole page; tells listeners about state, and about time per frame. */
import type { Stretch } from "./peaks";
import { type Muted, NOBODY_MUTED, Sides } from "./sides";

export interface PlayerState {
  playing: boolean;
  waiting: boolean;
  failed: boolean;
  rate: number;
  loop: Stretch | null;
  muted: Muted;
}

let current: { pause(): void } | null = null;

/** Whoever makes a sound says so, and who made one before is silent. */
export function takeTheFloor(who: { pause(): void }): void {
  if (current !== who) current?.pause();
  current = who;
}

const IDLE: PlayerState = {
  playing: false,
  waiting: false,
  failed: false,
  rate: 1,
  loop: null,
  muted: NOBODY_MUTED,
};
const EVENTS = ["play", "pause", "ended", "playing", "waiting", "error", "canplay"];

export class Player {
  state: PlayerState = IDLE;
  private readonly audio = new Audio();
  private readonly stateListeners = new Set<() => void>();
  private readonly timeListeners = new Set<() => void>();
  private frame = 0;
  private wantedMs: number | null = null;
  private sides: Sides | null = null;
  private context: AudioContext | null = null;

  /** Without an address it plays nothing and only keeps the place. */
  constructor(
    readonly url: string | null,
    preload: "metadata" | "none" = "metadata",
  ) {
    this.audio.preload = preload;
    if (url) this.audio.src = url;
    const update = () => this.update();
    for (const name of EVENTS) this.audio.addEventListener(name, update);
    this.audio.addEventListener("seeked", () => this.tick());
    // Frames stop in a tab that is not seen; the loop must not.
    this.audio.addEventListener("timeupdate", () => this.goRound());
    this.audio.addEventListener("loadedmetadata", () => this.applyWanted());
  }

  get timeMs(): number {
    return this.wantedMs ?? this.audio.currentTime * 1000;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  };

  getState = (): PlayerState => this.state;

  /** `listener` is called for every drawn frame while it plays, and after a seek. */
  onTime = (listener: () => void): (() => void) => {
    this.timeListeners.add(listener);
    return () => this.timeListeners.delete(listener);
  };

  private set(changed: Partial<PlayerState>): void {
    this.state = { ...this.state, ...changed };
    for (const listener of this.stateListeners) listener();
  }

  /** As it is now: the state hears of it from the element's events, which come later. */
  get playing(): boolean {
    return !this.audio.paused && !this.audio.ended;
  }

  private update(): void {
    const { playing } = this;
    const waiting = playing && this.audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    this.set({ playing, waiting, failed: this.audio.error !== null });
    cancelAnimationFrame(this.frame);
    if (playing) this.run();
  }

  private run = (): void => {
    this.goRound();
    this.tick();
    this.frame = requestAnimationFrame(this.run);
  };

  private goRound(): void {
    const { loop } = this.state;
    if (loop && this.playing && this.wantedMs === null && this.timeMs >= loop.toMs) this.seek(loop.fromMs);
  }

  private tick(): void {
    for (const listener of this.timeListeners) listener();
  }

  /** Before the file's head is there an element forgets a seek: it is kept until then. */
  private applyWanted(): void {
    if (this.wantedMs !== null) this.audio.currentTime = this.wantedMs / 1000;
    this.wantedMs = null;
    this.tick();
  }

  seek(ms: number): void {
    const to = Math.max(0, ms);
    if (this.audio.readyState >= HTMLMediaElement.HAVE_METADATA) this.audio.currentTime = to / 1000;
    else this.wantedMs = to;
    this.tick();
  }

  async play(): Promise<void> {
    if (!this.url) return;
    takeTheFloor(this);
    // What goes through a mixer that the browser has put to rest stands still.
    void this.context?.resume();
    const { loop } = this.state;
    if (loop && (this.timeMs < loop.fromMs || this.timeMs >= loop.toMs)) this.seek(loop.fromMs);
    try {
      await this.audio.play();
    } catch {
      // No sound, or paused again before it began: the "error" and "pause" events have told it.
      this.update();
    }
  }

  pause(): void {
    this.audio.pause();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else void this.play();
  }

  set rate(rate: number) {
    this.audio.playbackRate = rate;
    this.set({ rate });
  }

  set loop(loop: Stretch | null) {
    this.set({ loop });
  }

  /** The element's sound goes through the mixer from the first time on that a side is mute. */
  mute(muted: Muted): void {
    if (!this.sides) {
      this.context = new AudioContext();
      this.sides = new Sides(this.context);
      this.context.createMediaElementSource(this.audio).connect(this.sides.input);
      this.sides.output.connect(this.context.destination);
    }
    void this.context?.resume();
    this.sides.set(muted);
    this.set({ muted });
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    void this.context?.close();
    if (current === this) current = null;
  }
}
