/** Plays sound, one piece at a time on the whole page; tells listeners about state, and about time per frame. */

export interface PlayerState {
  playing: boolean;
  waiting: boolean;
  failed: boolean;
}

let current: Player | null = null;

export class Player {
  state: PlayerState = { playing: false, waiting: false, failed: false };
  private readonly audio = new Audio();
  private readonly stateListeners = new Set<() => void>();
  private readonly timeListeners = new Set<() => void>();
  private frame = 0;
  private wantedMs: number | null = null;

  /** Without an address it plays nothing and only keeps the place. */
  constructor(
    readonly url: string | null,
    preload: "metadata" | "none" = "metadata",
  ) {
    this.audio.preload = preload;
    if (url) this.audio.src = url;
    const update = () => this.update();
    for (const name of ["play", "pause", "ended", "playing", "waiting", "error", "canplay"]) {
      this.audio.addEventListener(name, update);
    }
    this.audio.addEventListener("seeked", () => this.tick());
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

  private update(): void {
    const playing = !this.audio.paused && !this.audio.ended;
    const waiting = playing && this.audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    this.state = { playing, waiting, failed: this.audio.error !== null };
    for (const listener of this.stateListeners) listener();
    cancelAnimationFrame(this.frame);
    if (playing) this.run();
  }

  private run = (): void => {
    this.tick();
    this.frame = requestAnimationFrame(this.run);
  };

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
    if (current !== this) current?.pause();
    current = this;
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
    if (this.state.playing) this.pause();
    else void this.play();
  }

  set rate(rate: number) {
    this.audio.playbackRate = rate;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    if (current === this) current = null;
  }
}
