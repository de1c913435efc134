/** A session and its growth: fetched once, then followed over server-sent events while the call runs. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { sessionQuery } from "../api/queries";
import type { SessionDetail } from "../api/types";
import { normalised, soundState } from "./trace";

const MAKING_REFRESH_MS = 1_500;

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
    const stream = new EventSource(`/api/sessions/${encodeURIComponent(id)}/stream`);
    stream.addEventListener("trace", ({ data }: MessageEvent<string>) => {
      client.setQueryData(queryKey, JSON.parse(data) as SessionDetail);
    });
    stream.addEventListener("end", () => {
      stream.close();
      void client.invalidateQueries({ queryKey });
    });
    return () => stream.close();
  }, [client, id, live]);

  return query;
}
