/** The event log for the eye: JSON lines in, one light row each; payloads of sound are folded to their size. */
import { bytes } from "./format";
import { fields } from "./trace";

export type Direction = "client" | "server" | "gateway";

export interface EventRow {
  index: number;
  /** Since the first event. */
  ms: number;
  dir: Direction;
  type: string;
  hint: string;
  size: number;
  message: unknown;
}

const FOLD_CHARS = 400;
const HINT_CHARS = 140;
const HINT_KEYS = ["transcript", "text", "delta", "arguments", "code", "reason", "name", "status", "item_id"];
const SOUND = /^[A-Za-z0-9+/]+={0,2}$/;

/** The message with base64 payloads replaced by their size; everything else as it was. */
export function fold(value: unknown): unknown {
  if (typeof value === "string") {
    const payload = value.length > FOLD_CHARS && SOUND.test(value.slice(0, FOLD_CHARS));
    return payload ? `‹${bytes(value.length)} of base64›` : value;
  }
  if (Array.isArray(value)) return value.map(fold);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fold(inner)]));
}

function hintOf(message: Record<string, unknown>): string {
  const sources = [
    message,
    fields(message.error),
    fields(message.response),
    fields(message.item),
    fields(message.session),
  ];
  const error = fields(message.error).message;
  if (typeof error === "string") return error.slice(0, HINT_CHARS);
  if (typeof message.audio === "string") return message.audio;
  for (const source of sources) {
    for (const key of HINT_KEYS) {
      const value = source[key];
      if (typeof value === "string" && value) return value.slice(0, HINT_CHARS);
      if (typeof value === "number") return `${key} ${value}`;
    }
  }
  return "";
}

/** One line of the log; null for a line that is not JSON (the last one of a running call may be cut). */
export function parseLine(
  line: string,
  index: number,
  firstNs: number | null,
): [row: EventRow, ns: number] | null {
  let record: Record<string, unknown>;
  try {
    record = fields(JSON.parse(line));
  } catch {
    return null;
  }
  const ns = typeof record.t === "number" ? record.t : 0;
  const message = fold(record.msg ?? (record.raw === undefined ? record : { raw: record.raw }));
  const seen = fields(message);
  const type = [seen.type, seen.kind, seen.event].find((one) => typeof one === "string");
  const row: EventRow = {
    index,
    ms: (ns - (firstNs ?? ns)) / 1e6,
    dir: record.dir === "client" || record.dir === "server" ? record.dir : "gateway",
    type: typeof type === "string" ? type : "raw",
    hint: hintOf(seen),
    size: line.length,
    message,
  };
  return [row, ns];
}

export class EventLogReader {
  rows: EventRow[] = [];
  /** How many of the oldest rows were let go. */
  dropped = 0;
  private rest = "";
  private firstNs: number | null = null;

  /** The newest so many, and not a row less until there are a tenth more: cutting takes time too. */
  keep(most: number): void {
    if (this.rows.length <= most * 1.1) return;
    this.dropped += this.rows.length - most;
    this.rows = this.rows.slice(-most);
  }

  /** Takes the next piece of text; a piece may end in the middle of a line. */
  push(text: string, end = false): void {
    const lines = (this.rest + text).split("\n");
    this.rest = end ? "" : (lines.pop() ?? "");
    for (const line of lines) {
      if (!line.trim()) continue;
      const parsed = parseLine(line, this.dropped + this.rows.length, this.firstNs);
      if (!parsed) continue;
      this.firstNs ??= parsed[1];
      this.rows.push(parsed[0]);
    }
  }
}

export interface EventFilter {
  dir: Direction | "";
  type: string;
  words: string;
}

export function filterRows(rows: EventRow[], { dir, type, words }: EventFilter): EventRow[] {
  const wanted = words.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (!dir || row.dir === dir) &&
      (!type || row.type === type) &&
      (!wanted || row.type.toLowerCase().includes(wanted) || row.hint.toLowerCase().includes(wanted)),
  );
}

/** The types in the log with how often each occurs, the most frequent first. */
export function typeCounts(rows: EventRow[]): [type: string, count: number][] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row.type, (counts.get(row.type) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}
