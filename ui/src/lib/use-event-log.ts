/**
 * Reads the event log as a stream, without its sound; while the call runs, what is new every few seconds. A window:
 * of a very long log the oldest rows are let go, so that the page's memory stays flat.
 */
import { useCallback, useEffect, useState } from "react";
import { send } from "../api/client";
import { EventLogReader, type EventRow } from "./event-log";

export const LARGEST_ROWS = 100_000;
const LARGEST_LIVE_ROWS = 20_000;
const LIVE_REFRESH_MS = 2_000;
const SHOW_EVERY_MS = 250;

interface Log {
  rows: EventRow[];
  error: Error | null;
  loading: boolean;
  /** How many rows at the beginning are not shown any more. */
  dropped: number;
}

class LogFollower {
  private readonly reader = new EventLogReader();
  private start = 0;
  private shown = 0;

  constructor(
    private readonly id: string,
    private readonly live: boolean,
    private readonly signal: AbortSignal,
    private readonly show: (rows: EventRow[], dropped: number) => void,
  ) {}

  /** Everything that there is now, and what is new since the last time. */
  async read(): Promise<void> {
    const path = `/api/sessions/${encodeURIComponent(this.id)}/events?audio=false&start=${this.start}`;
    const response = await send(path, { signal: this.signal });
    const decoder = new TextDecoder();
    const stream = response.body?.getReader();
    for (let part = await stream?.read(); part && !part.done; part = await stream?.read()) {
      this.take(decoder.decode(part.value, { stream: true }));
      if (performance.now() - this.shown > SHOW_EVERY_MS) this.tell();
    }
    this.take(decoder.decode(), true);
    this.start = Number(response.headers.get("x-voxgate-next-start")) || this.start;
    this.tell();
  }

  private take(text: string, end = false): void {
    this.reader.push(text, end);
    this.reader.keep(this.live ? LARGEST_LIVE_ROWS : LARGEST_ROWS);
  }

  private tell(): void {
    this.shown = performance.now();
    this.show([...this.reader.rows], this.reader.dropped);
  }
}

export function useEventLog(id: string, live: boolean, wanted = true): Log & { reload: () => void } {
  const [log, setLog] = useState<Log>({ rows: [], error: null, loading: true, dropped: 0 });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks for reading again
  useEffect(() => {
    if (!wanted) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    // A later reading must not make the list shorter while it grows back.
    const follower = new LogFollower(id, live, abort.signal, (rows, dropped) =>
      setLog((before) =>
        rows.length + dropped >= before.rows.length + before.dropped ? { ...before, rows, dropped } : before,
      ),
    );
    const step = async () => {
      try {
        if (!document.hidden || !live) await follower.read();
        setLog((before) =>
          before.loading || before.error ? { ...before, error: null, loading: false } : before,
        );
      } catch (error) {
        if (abort.signal.aborted) return;
        setLog((before) => ({ ...before, error: error as Error, loading: false }));
      }
      if (live && !abort.signal.aborted) timer = setTimeout(step, LIVE_REFRESH_MS);
    };
    void step();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, live, round, wanted]);

  return { ...log, reload };
}
