/** Where the keys of the session page lead: jumps between turns, interruptions, silences and errors. */
import type { Span } from "../api/types";
import type { Stretch } from "./peaks";
import { fields, interruptionOf, isFailed, soundOf } from "./trace";

const STEP_MS = 2_000;
/** A jump back from within a turn's first moments goes to the turn before. */
const SLACK_MS = 400;

export interface Landmarks {
  spans: Span[];
  deadAir: Stretch[];
  errors: unknown;
}

const sorted = (times: number[]) => times.sort((a, b) => a - b);
const starts = (spans: Span[]) => sorted(spans.map((span) => soundOf(span).startMs));
const after = (times: number[], ms: number) => times.find((time) => time > ms + 1);
const before = (times: number[], ms: number) => times.findLast((time) => time < ms - SLACK_MS);

/** Where answers were cut. */
const cuts = (spans: Span[]) =>
  sorted(spans.filter((span) => interruptionOf(span)).map((span) => soundOf(span).endMs));

function failures({ spans, errors }: Landmarks): number[] {
  const told = Array.isArray(errors) ? errors.map((one) => fields(one).t_ms) : [];
  const failed = spans.filter((span) => !["turn", "session"].includes(span.type) && isFailed(span));
  const moments = told.filter((ms): ms is number => typeof ms === "number");
  return sorted([...new Set([...starts(failed), ...moments])]);
}

/** Where a key leads to; undefined for keys that mean nothing here or lead nowhere. */
export function jump(key: string, marks: Landmarks, nowMs: number): number | undefined {
  const turns = () => starts(marks.spans.filter((span) => span.type === "turn"));
  switch (key.toLowerCase()) {
    case "arrowright":
      return nowMs + STEP_MS;
    case "arrowleft":
      return Math.max(0, nowMs - STEP_MS);
    case "home":
      return 0;
    case "j":
      return before(turns(), nowMs) ?? 0;
    case "k":
      return after(turns(), nowMs);
    case "i":
      return after(cuts(marks.spans), nowMs);
    case "d":
      return after(
        marks.deadAir.map((one) => one.fromMs),
        nowMs,
      );
    case "e":
      return after(failures(marks), nowMs);
    default:
      return undefined;
  }
}

/** The keys that jump, with what each is for; `lib/keys` calls them. */
export const JUMPS: [key: string, what: string][] = [
  ["j", "Turn before"],
  ["k", "Next turn"],
  ["i", "Next interruption"],
  ["d", "Next dead air"],
  ["e", "Next error"],
  ["Home", "To the beginning"],
];
