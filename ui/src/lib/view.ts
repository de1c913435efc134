/** Which part of a call is shown: zoom about a place, pan, fit. One of these is shared by all that shows time. */

export interface View {
  fromMs: number;
  toMs: number;
}

/** The closest look: a fifth of a second. */
const SHORTEST_MS = 200;
/** What is free at the end of a call that grows: else all that is shown would move a little with every moment. */
const ROOM = 0.02;

export const place = (view: View, ms: number) => ((ms - view.fromMs) / (view.toMs - view.fromMs)) * 100;

export function clamped(view: View, lengthMs: number): View {
  const whole = Math.max(1, lengthMs);
  const shown = Math.min(whole, Math.max(Math.min(SHORTEST_MS, whole), view.toMs - view.fromMs));
  const fromMs = Math.min(Math.max(0, view.fromMs), whole - shown);
  return { fromMs, toMs: fromMs + shown };
}

/** `factor` times closer; what is at `ms` stays where it is. */
export function zoomed(view: View, factor: number, ms: number, lengthMs: number): View {
  const shown = Math.min(lengthMs, Math.max(SHORTEST_MS, (view.toMs - view.fromMs) / factor));
  const share = (ms - view.fromMs) / (view.toMs - view.fromMs);
  const fromMs = ms - share * shown;
  return clamped({ fromMs, toMs: fromMs + shown }, lengthMs);
}

export class ViewState {
  view: View;
  private wanted: View | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(private lengthMs: number) {
    this.view = clamped({ fromMs: 0, toMs: lengthMs }, lengthMs);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (): View => this.view;

  /** The call's length, and its room while it grows. */
  get wholeMs(): number {
    return this.lengthMs;
  }

  get isWhole(): boolean {
    return this.wanted === null;
  }

  /** As a call grows: the whole stays the whole, a part that was chosen stays where it is. While it goes on
   * (`live`) the whole has some room at its end, and moves when that is used up. */
  grow(lengthMs: number, live = false): void {
    const roomy = lengthMs * (1 + ROOM);
    if (lengthMs === this.lengthMs || (live && lengthMs <= this.lengthMs && this.lengthMs <= roomy)) return;
    this.lengthMs = live ? roomy : lengthMs;
    this.show(this.wanted);
  }

  zoom(factor: number, ms: number): void {
    this.show(zoomed(this.view, factor, ms, this.lengthMs));
  }

  pan(byMs: number): void {
    if (this.wanted === null) return;
    this.show({ fromMs: this.view.fromMs + byMs, toMs: this.view.toMs + byMs });
  }

  fit(): void {
    this.show(null);
  }

  /** A stretch with some room around it. */
  showStretch(fromMs: number, toMs: number): void {
    const room = Math.max(500, (toMs - fromMs) * 0.15);
    this.show({ fromMs: fromMs - room, toMs: toMs + room });
  }

  /** Turns the page when a place is out of sight. */
  reveal(ms: number): void {
    const { fromMs, toMs } = this.view;
    if (this.wanted === null || (ms >= fromMs && ms <= toMs)) return;
    const shown = toMs - fromMs;
    this.show({ fromMs: ms - shown * 0.1, toMs: ms + shown * 0.9 });
  }

  private show(wanted: View | null): void {
    const next = clamped(wanted ?? { fromMs: 0, toMs: this.lengthMs }, this.lengthMs);
    this.wanted = next.toMs - next.fromMs >= this.lengthMs ? null : next;
    if (next.fromMs === this.view.fromMs && next.toMs === this.view.toMs) return;
    this.view = next;
    for (const listener of this.listeners) listener();
  }
}
