/** The waveform's data: fetched whole for a call that has ended, and piece by piece while it runs. */
import { useEffect, useRef, useState } from "react";
import { ApiError, send } from "../api/client";
import { CallPeaks, readPeaks } from "./peaks";

const GROW_MS = 1_000;
/** The last ones are asked for again: what was not cut yet may have been cut. */
const AGAIN_SECONDS = 6;
/** An answer with so many has left some out: the next one is asked for at once. */
const MOST_SECONDS = 600;

async function fetchPeaks(id: string, start: number, signal: AbortSignal) {
  const path = `/api/sessions/${encodeURIComponent(id)}/peaks?format=bytes&start=${start}`;
  return readPeaks(await (await send(path, { signal })).arrayBuffer());
}

/** `revision` changes with every piece. */
export function useCallPeaks(
  id: string,
  state: "live" | "ready" | "none",
): { peaks: CallPeaks | null; revision: number } {
  const peaks = useRef<CallPeaks | null>(null);
  const [revision, setRevision] = useState(0);
  useEffect(() => {
    if (state === "none") return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const made = state === "ready" ? new CallPeaks() : (peaks.current ?? new CallPeaks());
    const step = async () => {
      let whole = true;
      const start = state === "live" ? Math.max(0, made.length - AGAIN_SECONDS * made.perSecond) : 0;
      try {
        if (state === "ready" || !document.hidden) {
          const piece = await fetchPeaks(id, start, abort.signal);
          whole = piece.count < MOST_SECONDS * piece.perSecond;
          made.put(piece);
        }
        peaks.current = made;
        if (!abort.signal.aborted) setRevision((before) => before + 1);
      } catch (error) {
        // Not recorded, not made yet, or the call has just ended: the page shows spans meanwhile.
        if (!(error instanceof ApiError)) return;
      }
      if (state === "live" && !abort.signal.aborted) timer = setTimeout(step, whole ? GROW_MS : 0);
    };
    void step();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, state]);
  return { peaks: peaks.current, revision };
}
