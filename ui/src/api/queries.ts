/** What the pages ask for: one function per endpoint, with how long an answer stays fresh. */
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { ApiError, get, post, remove, withQuery } from "./client";
import type { Me, Model, Page, Project, Score, ScoreDraft, SessionDetail, SessionSummary } from "./types";

const LIST_REFRESH_MS = 2_000;

export interface SessionFilter {
  project?: string | undefined;
  q?: string | undefined;
}

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }) => {
    try {
      return await get<Me>("/api/me", signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: ({ signal }) => get<Page<Project>>("/api/projects", signal),
  refetchInterval: 10_000,
});

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => get<Page<Model>>("/api/models", signal),
  staleTime: 60_000,
});

export const sessionsQuery = (filter: SessionFilter) =>
  infiniteQueryOptions({
    queryKey: ["sessions", filter],
    queryFn: ({ pageParam, signal }) =>
      get<Page<SessionSummary>>(
        withQuery("/api/sessions", { ...filter, limit: 50, cursor: pageParam }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    // Every loaded page is fetched again, so a long list refreshes less often. Hidden tabs do not refresh.
    refetchInterval: (query) => LIST_REFRESH_MS * Math.max(1, query.state.data?.pages.length ?? 1),
    placeholderData: keepPreviousData,
  });

export const sessionQuery = (id: string) =>
  queryOptions({
    queryKey: ["session", id],
    queryFn: ({ signal }) => get<SessionDetail>(`/api/sessions/${encodeURIComponent(id)}`, signal),
    staleTime: 5_000,
  });

export const findByCredential = (credentialId: string) =>
  get<Page<SessionSummary>>(withQuery("/api/sessions", { q: `credential:${credentialId}`, limit: 1 }));

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (apiKey: string) => post<Me>("/api/login", { api_key: apiKey }),
    onSuccess: (me) => client.setQueryData(meQuery.queryKey, me),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => post("/api/logout"),
    onSuccess: () => {
      client.clear();
      client.setQueryData(meQuery.queryKey, null);
    },
  });
}

export function useEndCall(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => post(`/api/sessions/${encodeURIComponent(id)}/end`),
    onSuccess: () => client.invalidateQueries({ queryKey: ["session", id] }),
  });
}

export function useDeleteSession(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => remove(`/api/sessions/${encodeURIComponent(id)}`),
    onSuccess: () => {
      client.removeQueries({ queryKey: ["session", id] });
      return client.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
}

/** A score is said, or taken back, and the session asked for again. */
export function useScores(id: string) {
  const client = useQueryClient();
  const path = `/api/sessions/${encodeURIComponent(id)}/scores`;
  const onSuccess = () => client.invalidateQueries({ queryKey: ["session", id] });
  const add = useMutation({ mutationFn: (score: ScoreDraft) => post<Score>(path, score), onSuccess });
  const take = useMutation({
    mutationFn: (scoreId: string) => remove(`${path}/${encodeURIComponent(scoreId)}`),
    onSuccess,
  });
  return { add, take };
}
