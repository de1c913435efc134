/** A session and its growth: fetched once, then followed by its changes over server-sent events while the call runs. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { sessionQuery } from "../api/queries";
import type { SessionDetail } from "../api/types";
import { applied, type LiveChange } from "./live-changes";
import { normalised, soundState } from "./trace";

const MAKING_REFRESH_MS = 1_500;
/** The page is drawn again no more often, however many changes come. */
const SHOW_EVERY_MS = 250;

/** Follows the stream; `show` gets the session as it is then. */
function follow(id: string, show: (session: SessionDetail) => void, ended: () => void): () => void {
  const stream = new EventSource(`/api/sessions/${encodeURIComponent(id)}/stream?changes=true`);
  let known: SessionDetail | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const showSoon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (known) show(known);
    }, SHOW_EVERY_MS);
  };
  stream.addEventListener("trace", ({ data }: MessageEvent<string>) => {
    known = JSON.parse(data) as SessionDetail;
    showSoon();
  });
  stream.addEventListener("change", ({ data }: MessageEvent<string>) => {
    if (known) known = applied(known, JSON.parse(data) as LiveChange);
    showSoon();
  });
  stream.addEventListener("end", () => {
    stream.close();
    ended();
  });
  return () => {
    clearTimeout(timer);
    stream.close();
  };
}

export function useLiveSession(id: string) {
  const client = useQueryClient();
  const query = useQuery({
    ...sessionQuery(id),
    select: normalised,
    // Between the end of a call and its whole sound the recorder is at work.
    refetchInterval: ({ state }) =>
      state.data && soundState(state.data) === "making" ? MAKING_REFRESH_MS : false,
  });
  const live = query.data?.status === "live";

  useEffect(() => {
    if (!live) return;
    const { queryKey } = sessionQuery(id);
    // Scores are no part of the stream's changes: those that were fetched since stay.
    const show = (session: SessionDetail) =>
      client.setQueryData<SessionDetail>(queryKey, (before) => ({
        ...session,
        scores: before?.scores ?? session.scores,
      }));
    return follow(id, show, () => void client.invalidateQueries({ queryKey }));
  }, [client, id, live]);

  return query;
}
