/**
 * The list of sessions as one array: pages that were loaded, under the newest page, which the server sends
 * again whenever something in it changes. A new call appears by itself, a deleted one goes.
 */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { withQuery } from "../api/client";
import { type SessionFilter, sessionsQuery } from "../api/queries";
import type { SessionPage } from "../api/schema";
import type { SessionSummary } from "../api/types";

/** `head` is the newest page as it is now; `loaded` are pages of some time ago, newest first. */
export function merged(head: SessionPage | null, loaded: readonly SessionSummary[]): SessionSummary[] {
  if (!head) return [...loaded];
  const now = new Set(head.items.map((one) => one.id));
  const last = head.items.at(-1);
  // What is newer than the end of the newest page and not in it is gone.
  const older = head.next_cursor && last ? loaded.filter((one) => isOlder(one, last)) : [];
  return [...head.items, ...older.filter((one) => !now.has(one.id))];
}

function isOlder(one: SessionSummary, than: SessionSummary): boolean {
  return one.started_at < than.started_at || (one.started_at === than.started_at && one.id !== than.id);
}

/** Whether the newest page no longer reaches down to what was loaded: between them something is missing. */
export function hasGap(head: SessionPage | null, loaded: readonly SessionSummary[]): boolean {
  const last = head?.items.at(-1);
  const first = loaded[0];
  return Boolean(head?.next_cursor && last && first && first.started_at < last.started_at);
}

function subscribeVisibility(listener: () => void): () => void {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

/** A hidden page holds no connection open: a browser has few of them for all its tabs. */
function useVisible(): boolean {
  return useSyncExternalStore(subscribeVisibility, () => !document.hidden);
}

export const HEAD_SIZE = 100;

/** Only the newest first is sent by itself; other orders are asked for again now and then. */
function useHead(filter: SessionFilter, ready: boolean): SessionPage | null {
  const visible = useVisible();
  const { project, q, sort, order } = filter;
  const newestFirst = !sort && !order;
  const key = JSON.stringify([project, q]);
  const [head, setHead] = useState<{ key: string; page: SessionPage } | null>(null);
  useEffect(() => {
    if (!visible || !newestFirst || !ready) return;
    const stream = new EventSource(withQuery("/api/stream/sessions", { project, q, limit: HEAD_SIZE }));
    stream.addEventListener("sessions", ({ data }: MessageEvent<string>) => {
      setHead({ key, page: JSON.parse(data) as SessionPage });
    });
    return () => stream.close();
  }, [project, q, key, newestFirst, visible, ready]);
  return newestFirst && head?.key === key ? head.page : null;
}

export function useSessionList(filter: SessionFilter) {
  const list = useInfiniteQuery(sessionsQuery(filter));
  const settled = list.isSuccess && !list.isPlaceholderData;
  const head = useHead(filter, settled);
  const loaded = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const gap = settled && hasGap(head, loaded);
  const { refetch } = list;
  useEffect(() => {
    if (gap) void refetch();
  }, [gap, refetch]);
  const found = useMemo(() => merged(settled ? head : null, loaded), [settled, head, loaded]);
  // While a filter is wrong, as most are while they are typed, what was there before stays in sight.
  const [before, setBefore] = useState(found);
  if (list.isSuccess && before !== found) setBefore(found);
  return { list, sessions: list.isError ? before : found };
}
