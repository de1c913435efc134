/**
 * What happens in a running call over time, for the live lanes: levels of both sides, how far the assistant has spoken
 * ahead, marks. The newest minute is kept; the canvas reads it, React does not.
 */

export type MarkKind = "speech" | "response" | "tool" | "cut" | "error" | "image";

export interface Mark {
  at: number;
  kind: MarkKind;
  words: string;
}

export interface Level {
  at: number;
  level: number;
}

/** The assistant's sound of one answer: when it came and how much of it. */
export interface Generated {
  from: number;
  ms: number;
}

export const KEPT_MS = 60_000;
const MOST_SPANS = 200;

export class Activity {
  readonly user: Level[] = [];
  readonly heard: Level[] = [];
  readonly generated: Generated[] = [];
  /** Generated and cut off by the user. */
  readonly unheard: Generated[] = [];
  readonly marks: Mark[] = [];
  private open: { item: string; span: Generated } | null = null;

  captured(level: number, at: number): void {
    keep(this.user, { at, level });
  }

  played(level: number, at: number): void {
    keep(this.heard, { at, level });
  }

  /** An answer's sound lies on the clock as it will be heard: behind what is still to be played. */
  came(item: string, ms: number, at: number): void {
    if (this.open?.item !== item) {
      const last = this.generated.at(-1);
      const from = Math.max(at, last ? last.from + last.ms : 0);
      this.open = { item, span: { from, ms: 0 } };
      this.generated.push(this.open.span);
      if (this.generated.length > MOST_SPANS) this.generated.shift();
    }
    this.open.span.ms += ms;
  }

  /** The rest of what was generated is not heard. Later sound begins anew. */
  cut(at: number): void {
    this.open = null;
    for (const span of this.generated) {
      const from = Math.max(span.from, at);
      const ms = span.from + span.ms - from;
      if (ms <= 0) continue;
      this.unheard.push({ from, ms });
      span.ms -= ms;
    }
    if (this.unheard.length > MOST_SPANS) this.unheard.shift();
    this.mark("cut", "interrupted", at);
  }

  mark(kind: MarkKind, words: string, at: number): void {
    keep(this.marks, { kind, words, at });
  }
}

function keep<T extends { at: number }>(list: T[], entry: T): void {
  list.push(entry);
  // Now and then, and many at once: taking off the first of a long list every 40 ms would be work for nothing.
  if (list.length % 256 === 0) {
    const first = list.findIndex((one) => one.at > entry.at - KEPT_MS);
    if (first > 0) list.splice(0, first);
  }
}
