/** Peaks in, bars out: the waveform's arithmetic, without drawing. */

/** The loudest peak under each of `count` bars between two times; silence where there are no peaks. */
export function bars(
  peaks: number[],
  perSecond: number,
  fromMs: number,
  toMs: number,
  count: number,
): number[] {
  const out: number[] = [];
  const first = (fromMs / 1000) * perSecond;
  const step = ((toMs - fromMs) / 1000 / count) * perSecond;
  for (let bar = 0; bar < count; bar += 1) {
    const from = Math.floor(first + bar * step);
    const to = Math.max(from + 1, Math.floor(first + (bar + 1) * step));
    let loudest = 0;
    for (let i = Math.max(0, from); i < to && i < peaks.length; i += 1) {
      loudest = Math.max(loudest, peaks[i] ?? 0);
    }
    out.push(loudest);
  }
  return out;
}

const HEARD_FLOOR = 0.02;

/** What was generated and not heard: the assistant's bars where the heard lane is silent. */
export function unheard(assistant: number[], heard: number[]): number[] {
  return assistant.map((peak, i) => ((heard[i] ?? 0) < HEARD_FLOOR ? peak : 0));
}

/** Speech is drawn larger than its linear peak: a square root keeps quiet voices visible. */
export function barHeight(peak: number, half: number): number {
  return Math.max(0.5, Math.sqrt(Math.min(1, peak)) * half);
}

export function barsPath(
  values: number[],
  pitch: number,
  middle: number,
  half: number,
  floor = true,
): string {
  const parts: string[] = [];
  values.forEach((peak, i) => {
    if (!floor && peak < HEARD_FLOOR) return;
    const height = barHeight(peak, half);
    parts.push(`M${(i + 0.5) * pitch} ${(middle - height).toFixed(1)}v${(height * 2).toFixed(1)}`);
  });
  return parts.join("");
}

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

/** Round times for a ruler, at least `minPixels` apart. */
export function ticks(fromMs: number, toMs: number, width: number, minPixels = 64): number[] {
  const needed = ((toMs - fromMs) / 1000) * (minPixels / Math.max(1, width));
  const stepMs = (STEPS_S.find((step) => step >= needed) ?? 3600) * 1000;
  const out: number[] = [];
  for (let ms = Math.ceil(fromMs / stepMs) * stepMs; ms <= toMs; ms += stepMs) out.push(ms);
  return out;
}
