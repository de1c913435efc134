/** Peaks as the server packs them (docs/api.md, Sound), and the pyramid from which any stretch of an hour is drawn. */

export const LANE_NAMES = ["user", "assistant", "heard"] as const;
export type LaneName = (typeof LANE_NAMES)[number];

/** Levels of bytes: the root of the loudest amplitude, 0 to 255. */
export interface PeakPiece {
  perSecond: number;
  start: number;
  count: number;
  lanes: Uint8Array[];
}

const HEAD_BYTES = 16;
const MAGIC = "VXPK";

export function readPeaks(data: ArrayBuffer): PeakPiece {
  const view = new DataView(data);
  const magic = String.fromCharCode(...new Uint8Array(data, 0, Math.min(4, data.byteLength)));
  if (data.byteLength < HEAD_BYTES || magic !== MAGIC || view.getUint8(4) !== 1) {
    throw new Error("These are no peaks that this page can read. Load it again.");
  }
  const many = view.getUint16(6, true);
  const count = view.getUint32(12, true);
  const lanes = Array.from(
    { length: many },
    (_, lane) => new Uint8Array(data, HEAD_BYTES + lane * count, count),
  );
  return { perSecond: view.getUint8(5), start: view.getUint32(8, true), count, lanes };
}

const FACTOR = 8;
const LEVELS = 4;

/** One lane: its peaks, and above them the loudest of eight, of 64, of 512, so that a wide view reads few. */
export class PeakLane {
  length = 0;
  private levels: Uint8Array[] = Array.from({ length: LEVELS }, () => new Uint8Array(0));

  constructor(readonly perSecond: number) {}

  /** Puts peaks at a place: behind the others while a call grows, over the last ones that were not final. */
  put(start: number, peaks: Uint8Array): void {
    const end = start + peaks.length;
    this.reserve(end);
    this.levels[0]?.set(peaks, start);
    this.length = Math.max(this.length, end);
    this.summarise(start, end);
  }

  private reserve(size: number): void {
    this.levels = this.levels.map((level, n) => {
      const needed = Math.ceil(size / FACTOR ** n);
      if (level.length >= needed) return level;
      const larger = new Uint8Array(Math.max(needed, level.length * 2));
      larger.set(level);
      return larger;
    });
  }

  private summarise(start: number, end: number): void {
    let [from, to] = [start, end];
    for (let n = 1; n < LEVELS; n += 1) {
      const below = this.levels[n - 1];
      const level = this.levels[n];
      from = Math.floor(from / FACTOR);
      to = Math.ceil(to / FACTOR);
      for (let i = from; below && level && i < to; i += 1) {
        let loudest = 0;
        const last = Math.min((i + 1) * FACTOR, below.length);
        for (let j = i * FACTOR; j < last; j += 1) loudest = Math.max(loudest, below[j] ?? 0);
        level[i] = loudest;
      }
    }
  }

  /** The loudest of `[from, to)`, in peaks. */
  loudest(from: number, to: number): number {
    let loudest = 0;
    let at = Math.max(0, Math.floor(from));
    const end = Math.min(this.length, Math.max(at + 1, Math.floor(to)));
    while (at < end) {
      let n = 0;
      let size = 1;
      while (n + 1 < LEVELS && at % (size * FACTOR) === 0 && at + size * FACTOR <= end) {
        n += 1;
        size *= FACTOR;
      }
      loudest = Math.max(loudest, this.levels[n]?.[at / size] ?? 0);
      at += size;
    }
    return loudest;
  }

  /** The loudest under each of `count` bars between two times; silence where there are no peaks. */
  bars(fromMs: number, toMs: number, count: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, count));
    const first = (fromMs / 1000) * this.perSecond;
    const step = ((toMs - fromMs) / 1000 / count) * this.perSecond;
    for (let bar = 0; bar < out.length; bar += 1) {
      const from = first + bar * step;
      if (from + step > 0 && from < this.length) out[bar] = this.loudest(from, from + step);
    }
    return out;
  }
}

/** The lanes of a call; `revision` counts what was put in. */
export class CallPeaks {
  revision = 0;
  readonly lanes: Record<LaneName, PeakLane>;

  constructor(readonly perSecond = 50) {
    this.lanes = {
      user: new PeakLane(perSecond),
      assistant: new PeakLane(perSecond),
      heard: new PeakLane(perSecond),
    };
  }

  put(piece: PeakPiece): void {
    LANE_NAMES.forEach((name, n) => {
      const lane = piece.lanes[n];
      if (lane) this.lanes[name].put(piece.start, lane);
    });
    this.revision += 1;
  }

  get length(): number {
    return this.lanes.user.length;
  }

  get lengthMs(): number {
    return (this.length / this.perSecond) * 1000;
  }
}

export interface Stretch {
  fromMs: number;
  toMs: number;
}

/** Two hundredths of the largest amplitude: above the hiss of a line, below speech. */
const QUIET = Math.round(255 * Math.sqrt(0.02));
const SCAN_MS = 100;

/** Where both sides were silent for longer than the limit, between the first sound and the end. */
export function deadAir(peaks: CallPeaks, limitMs = 3_000): Stretch[] {
  const step = (SCAN_MS / 1000) * peaks.perSecond;
  const found: Stretch[] = [];
  let quietSince = -1;
  let spoken = false;
  const close = (end: number) => {
    const [fromMs, toMs] = [(quietSince / peaks.perSecond) * 1000, (end / peaks.perSecond) * 1000];
    if (quietSince >= 0 && toMs - fromMs > limitMs) found.push({ fromMs, toMs });
  };
  for (let at = 0; at < peaks.length; at += step) {
    const { user, heard } = peaks.lanes;
    const loud = Math.max(user.loudest(at, at + step), heard.loudest(at, at + step)) > QUIET;
    if (loud) close(at);
    if (loud) quietSince = -1;
    else if (spoken && quietSince < 0) quietSince = at;
    spoken ||= loud;
  }
  close(peaks.length);
  return found;
}
