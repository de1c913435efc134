/** Numbers with their units, and times, for people: every figure on a page comes through here. */

const DASH = "–";
// Made once: a number or a time that makes its own costs fifty times as much.
const WHOLE = new Intl.NumberFormat("en");
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const UNITS: [limit: number, seconds: number, name: string][] = [
  [90, 1, "s"],
  [90 * 60, 60, "min"],
  [36 * 3600, 3600, "h"],
  [Number.POSITIVE_INFINITY, 86_400, "d"],
];

/** A duration to read at a glance: `850 ms`, `12.4 s`, `3 min 05 s`, `1 h 02 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return DASH;
  if (Math.abs(ms) < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

/** A place in a call: `0:13.6`, `1:02:03.4`. */
export function clock(ms: number, digits = 1): string {
  const scale = 10 ** digits;
  const total = Math.max(0, Math.floor((ms / 1000) * scale + 1e-6) / scale);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = (total % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** Milliseconds as they are compared with each other: `1,080 ms`. */
export function millis(ms: number | null | undefined): string {
  return ms == null || !Number.isFinite(ms) ? DASH : `${WHOLE.format(Math.round(ms))} ms`;
}

export function count(value: number | null | undefined): string {
  return value == null ? DASH : WHOLE.format(value);
}

/** Dollars with as many digits as the amount needs: `$0.0418`, `$12.30`, `$0`. */
export function cost(usd: number | null | undefined): string {
  if (usd == null || !Number.isFinite(usd)) return DASH;
  if (usd === 0) return "$0";
  return `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
}

export function percent(ratio: number | null | undefined): string {
  return ratio == null ? DASH : `${Math.round(ratio * 100)} %`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 ** 2) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** A moment from an ISO string, or from seconds, milliseconds or nanoseconds since 1970. */
export function moment(value: string | number | null | undefined): Date | null {
  if (value == null || value === "") return null;
  if (typeof value === "string") {
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? null : date;
  }
  if (value > 1e17) return new Date(value / 1e6);
  return new Date(value > 1e11 ? value : value * 1000);
}

export function relative(date: Date, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - date.getTime()) / 1000);
  if (seconds < 5) return "just now";
  const unit = UNITS.find(([limit]) => seconds < limit);
  return unit ? `${Math.round(seconds / unit[1])} ${unit[2]} ago` : "";
}

export function exact(date: Date): string {
  return `${EXACT.format(date)} · ${date.toISOString()}`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
