/** The keyboard of the session page: play, seek, and jumps between turns, interruptions and errors. */
import { useEffect } from "react";
import type { Span } from "../api/types";
import type { Player } from "./player";
import { interruptionOf, isFailed, soundOf } from "./trace";

const STEP_MS = 2_000;
/** A jump back from within a turn's first moments goes to the turn before. */
const SLACK_MS = 400;

const starts = (spans: Span[]) => spans.map((span) => soundOf(span).startMs).sort((a, b) => a - b);
const after = (times: number[], ms: number) => times.find((time) => time > ms + 1);
const before = (times: number[], ms: number) => times.findLast((time) => time < ms - SLACK_MS);

/** Where a key leads to; undefined for keys that mean nothing here or lead nowhere. */
export function jump(key: string, spans: Span[], nowMs: number): number | undefined {
  const turns = () => starts(spans.filter((span) => span.type === "turn"));
  switch (key.toLowerCase()) {
    case "arrowright":
      return nowMs + STEP_MS;
    case "arrowleft":
      return Math.max(0, nowMs - STEP_MS);
    case "j":
      return before(turns(), nowMs) ?? 0;
    case "k":
      return after(turns(), nowMs);
    case "i":
      return after(starts(spans.filter((span) => interruptionOf(span))), nowMs);
    case "e":
      return after(starts(spans.filter((span) => span.type !== "turn" && isFailed(span))), nowMs);
    default:
      return undefined;
  }
}

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, dialog, [contenteditable]") !== null
  );
}

export function useCallKeys(player: Player | null, spans: Span[], lengthMs: number): void {
  useEffect(() => {
    if (!player) return;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target))
        return;
      const onButton = event.target instanceof HTMLElement && event.target.closest("button, a, summary");
      if (event.key === " " && !onButton) {
        event.preventDefault();
        player.toggle();
        return;
      }
      const to = jump(event.key, spans, player.timeMs);
      if (to === undefined) return;
      event.preventDefault();
      player.seek(Math.min(to, lengthMs));
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [player, spans, lengthMs]);
}
