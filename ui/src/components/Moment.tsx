/** A relative time that keeps itself right, with the exact one on hover. */
import { useMemo, useSyncExternalStore } from "react";
import { exact, moment, relative } from "../lib/format";

const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One timer for all the times on a page. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (listeners.size === 1) nowMs = Date.now();
  timer ??= setInterval(() => {
    nowMs = Date.now();
    for (const one of listeners) one();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => nowMs);
}

/** Drawn again when its words change, not each second: a list has many. */
export function Moment({ at }: { at: string | number | null | undefined }) {
  const date = useMemo(() => moment(at), [at]);
  const words = useSyncExternalStore(subscribe, () => (date ? relative(date, nowMs) : ""));
  const title = useMemo(() => (date ? exact(date) : ""), [date]);
  if (!date) return <span className="muted">–</span>;
  return (
    <time dateTime={date.toISOString()} title={title}>
      {words}
    </time>
  );
}
