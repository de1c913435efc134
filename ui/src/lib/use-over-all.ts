/** Something that is done with many sessions, request after request: how far it is, what failed, and a stop. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { overAll, type Target } from "./targets";

/** Whatever counts or shows sessions. */
const CHANGED = ["sessions", "session", "facets", "projects", "stats"];

export function useOverAll<Answer extends { next_cursor: string | null }>(
  path: string,
  countOf: (answer: Answer) => number,
) {
  const client = useQueryClient();
  const [done, setDone] = useState<number | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);

  /** How many it was done with; null where it failed on the way. */
  const run = async (target: Target, body: object, onAnswer?: (answer: Answer) => void) => {
    controller.current = new AbortController();
    let so_far = 0;
    setDone(0);
    setError(null);
    try {
      const each = (answer: Answer) => {
        so_far += countOf(answer);
        setDone(so_far);
        onAnswer?.(answer);
      };
      await overAll<Answer>(path, target, body, each, controller.current.signal);
      return so_far;
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
      return null;
    } finally {
      setDone(null);
      void Promise.all(CHANGED.map((key) => client.invalidateQueries({ queryKey: [key] })));
    }
  };
  return { run, done, error, running: done !== null, stop: () => controller.current?.abort() };
}
