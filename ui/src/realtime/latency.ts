/**
 * Voice to voice, turn by turn, as somebody at this page hears it: from the end of what the user said (the last loud
 * piece that was captured) to the first sound of the answer at the loudspeaker. Facts with their times in, turns out.
 */

export interface TurnLatency {
  /** 1, 2, 3 … */
  number: number;
  by: "voice" | "text";
  /** When the user's words ended: the start of the wait; page time in ms. */
  endedAt: number;
  /** From the end of the words until the turn was known to be over (by the provider, or by the button). */
  noticedMs: number | null;
  /** Until the first piece of the answer came. */
  answeredMs: number | null;
  /** Until it was heard: voice to voice. */
  heardMs: number | null;
}

/** A piece of sound this loud (0 to 1 of the meter, so about -35 dBFS) is somebody speaking. */
const VOICE_LEVEL = 0.35;

export class LatencyMeter {
  turns: readonly TurnLatency[] = [];
  private voiceAt: number | null = null;

  /** The microphone, or the file, gave a piece of that level, which ended now. */
  captured(level: number, at: number): void {
    if (level >= VOICE_LEVEL) this.voiceAt = at;
  }

  /** The turn is over: the provider said that speech stopped, or the button was let go. */
  turnEnded(at: number): void {
    const endedAt = this.voiceAt === null || this.voiceAt > at ? at : this.voiceAt;
    this.begin({ by: "voice", endedAt, noticedMs: at - endedAt });
  }

  textSent(at: number): void {
    this.begin({ by: "text", endedAt: at, noticedMs: 0 });
  }

  private begin(turn: Pick<TurnLatency, "by" | "endedAt" | "noticedMs">): void {
    const open = this.waiting;
    const number = open ? open.number : this.turns.length + 1;
    const made = { ...turn, number, answeredMs: null, heardMs: null };
    // A second end before any answer: the user went on speaking, and it is one turn.
    this.turns = [...this.turns.filter((one) => one !== open), made];
  }

  private get waiting(): TurnLatency | undefined {
    const last = this.turns.at(-1);
    return last?.answeredMs === null ? last : undefined;
  }

  answerCame(at: number): boolean {
    const turn = this.waiting;
    if (turn) this.replace(turn, { answeredMs: at - turn.endedAt });
    return turn !== undefined;
  }

  answerHeard(at: number): boolean {
    const turn = this.turns.at(-1);
    if (!turn || turn.answeredMs === null || turn.heardMs !== null) return false;
    this.replace(turn, { heardMs: at - turn.endedAt });
    return true;
  }

  private replace(turn: TurnLatency, change: Partial<TurnLatency>): void {
    this.turns = this.turns.map((one) => (one === turn ? { ...one, ...change } : one));
  }
}

/** The middle one of the turns by voice that were answered. */
export function medianHeard(turns: readonly TurnLatency[]): number | null {
  const known = turns.flatMap((turn) => (turn.by === "voice" && turn.heardMs !== null ? [turn.heardMs] : []));
  if (known.length === 0) return null;
  const sorted = known.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 ? high : (high + (sorted[middle - 1] ?? high)) / 2;
}
