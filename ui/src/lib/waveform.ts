/** The ruler's arithmetic: round times, far enough apart to be read. */

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

/** Round times for a ruler, at least `minPixels` apart. */
export function ticks(fromMs: number, toMs: number, width: number, minPixels = 64): number[] {
  const needed = ((toMs - fromMs) / 1000) * (minPixels / Math.max(1, width));
  const stepMs = (STEPS_S.find((step) => step >= needed) ?? 3600) * 1000;
  const out: number[] = [];
  for (let ms = Math.ceil(fromMs / stepMs) * stepMs; ms <= toMs; ms += stepMs) out.push(ms);
  return out;
}
