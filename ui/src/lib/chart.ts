/** The arithmetic of charts: numbers in, places on a picture out. */

/** The smallest round number that is not below the value. */
export function niceMax(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step =
    [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

export type Values = readonly (number | null)[];

export function largest(series: readonly Values[]): number {
  return Math.max(0, ...series.flatMap((values) => values.map((value) => value ?? 0)));
}

export function placeY(value: number, max: number, height: number): number {
  return height - (value / max) * height;
}

/** A line through the middle of each bucket; where a value is missing, there is none. */
export function linePath(values: Values, max: number, width: number, height: number): string {
  const step = width / Math.max(1, values.length);
  let path = "";
  values.forEach((value, at) => {
    if (value === null) return;
    const isStart = at === 0 || values[at - 1] === null;
    const x = ((at + 0.5) * step).toFixed(1);
    const y = placeY(value, max, height).toFixed(1);
    path += `${isStart ? "M" : "L"}${x} ${y}`;
    // One alone between gaps is a dot.
    if (isStart && (values[at + 1] ?? null) === null) path += "h0.01";
  });
  return path;
}

export function barsPath(values: Values, max: number, width: number, height: number): string {
  const step = width / Math.max(1, values.length);
  const gap = step > 6 ? 1.5 : step > 3 ? 0.75 : 0;
  return values
    .map((value, at) => {
      if (!value) return "";
      const tall = Math.max(1, (value / max) * height);
      const wide = Math.max(0.75, step - gap);
      return `M${(at * step).toFixed(2)} ${height}v${(-tall).toFixed(1)}h${wide.toFixed(2)}v${tall.toFixed(1)}z`;
    })
    .join("");
}

/** The bucket under a place on the picture. */
export function bucketAt(x: number, width: number, count: number): number {
  return Math.max(0, Math.min(count - 1, Math.floor((x / Math.max(1, width)) * count)));
}

const SHORT_S = 36 * 3600;

/** When a bucket begins, as precisely as its length makes sense. */
export function bucketLabel(
  start: string,
  bucketSeconds: number,
  locale?: string,
  timeZone?: string,
): string {
  const zone = timeZone ? { timeZone } : {};
  const day = { weekday: "short", day: "numeric", month: "short" } as const;
  const date = new Date(start);
  if (bucketSeconds >= 86_400) return date.toLocaleDateString(locale, { ...day, ...zone });
  return date.toLocaleString(locale, { ...day, hour: "2-digit", minute: "2-digit", ...zone });
}

/** Under the picture: the time of day where all is within two days, else the day. */
export function axisLabel(start: string, rangeSeconds: number, locale?: string): string {
  const date = new Date(start);
  return rangeSeconds <= SHORT_S
    ? date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString(locale, { day: "numeric", month: "short" });
}

const filterTime = (iso: string) => iso.replace(/:00(\.\d+)?Z$/, "Z").replace(/\.\d+Z$/, "Z");

/** Calls that began between two moments, in the filter language. */
export function between(start: string, end: string): string {
  return `started>=${filterTime(start)} started<${filterTime(end)}`;
}
