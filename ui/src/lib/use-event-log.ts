/** Reads the event log as a stream, so that a long one shows up at once; while the call runs, again and again. */
import { useCallback, useEffect, useState } from "react";
import { send } from "../api/client";
import { EventLogReader, type EventRow } from "./event-log";

const LARGEST_ROWS = 100_000;
const LIVE_REFRESH_MS = 3_000;
const SHOW_EVERY_MS = 250;

interface Log {
  rows: EventRow[];
  error: Error | null;
  loading: boolean;
  cut: boolean;
}

async function read(
  id: string,
  signal: AbortSignal,
  show: (rows: EventRow[]) => void,
): Promise<[EventRow[], boolean]> {
  const response = await send(`/api/sessions/${encodeURIComponent(id)}/events`, { signal });
  const reader = new EventLogReader();
  const decoder = new TextDecoder();
  const stream = response.body?.getReader();
  let shown = performance.now();
  for (let part = await stream?.read(); part && !part.done; part = await stream?.read()) {
    reader.push(decoder.decode(part.value, { stream: true }));
    if (reader.rows.length >= LARGEST_ROWS) {
      await stream?.cancel();
      return [reader.rows.slice(0, LARGEST_ROWS), true];
    }
    if (performance.now() - shown > SHOW_EVERY_MS) {
      show([...reader.rows]);
      shown = performance.now();
    }
  }
  reader.push(decoder.decode(), true);
  return [reader.rows, false];
}

export function useEventLog(id: string, live: boolean): Log & { reload: () => void } {
  const [log, setLog] = useState<Log>({ rows: [], error: null, loading: true, cut: false });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks for reading again
  useEffect(() => {
    const abort = new AbortController();
    // A later reading must not make the list shorter while it grows back.
    const show = (rows: EventRow[]) =>
      setLog((before) => (rows.length > before.rows.length ? { ...before, rows } : before));
    read(id, abort.signal, show).then(
      ([rows, cut]) => setLog({ rows, cut, error: null, loading: false }),
      (error: Error) => {
        if (!abort.signal.aborted) setLog((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [id, live, round]);

  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => !document.hidden && reload(), LIVE_REFRESH_MS);
    return () => clearInterval(timer);
  }, [live, reload]);

  return { ...log, reload };
}
