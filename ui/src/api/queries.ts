/** What the pages ask for: one function per endpoint, with how long an answer stays fresh. */
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { ApiError, get, post, remove, withQuery } from "./client";
import type { Facets, FilterFields, SessionPage, Stats, View, ViewRequest } from "./schema";
import type { Me, Model, Page, Project, Score, ScoreDraft, SessionDetail, SessionSummary } from "./types";

const LIST_REFRESH_MS = 10_000;
const LIST_PAGE = 100;

export interface SessionFilter {
  project?: string | undefined;
  q?: string | undefined;
  sort?: string | undefined;
  order?: "asc" | undefined;
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

/** The newest first are kept up to date by a stream (`lib/session-list`); other orders are asked for again. */
export const sessionsQuery = (filter: SessionFilter) =>
  infiniteQueryOptions({
    queryKey: ["sessions", filter],
    queryFn: ({ pageParam, signal }) =>
      get<SessionPage>(
        withQuery("/api/sessions", { ...filter, limit: LIST_PAGE, cursor: pageParam }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    // Every loaded page is fetched again, so a long list refreshes less often. Hidden tabs do not refresh.
    refetchInterval: (query) =>
      filter.sort || filter.order
        ? LIST_REFRESH_MS * Math.max(1, query.state.data?.pages.length ?? 1)
        : false,
    placeholderData: keepPreviousData,
  });

export const facetsQuery = (filter: Pick<SessionFilter, "project" | "q">) =>
  queryOptions({
    queryKey: ["facets", filter],
    queryFn: ({ signal }) => get<Facets>(withQuery("/api/sessions/facets", { ...filter }), signal),
    staleTime: 30_000,
  });

export const fieldsQuery = queryOptions({
  queryKey: ["fields"],
  queryFn: ({ signal }) => get<FilterFields>("/api/sessions/fields", signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export interface StatsAsked {
  project: string;
  q: string;
  /** In hours, back from now. */
  hours: number;
  by: string;
  /** The name of a score whose mean is wanted too. */
  score: string;
}

const STATS_REFRESH_MS = 30_000;

export const statsQuery = ({ hours, ...asked }: StatsAsked) =>
  queryOptions({
    queryKey: ["stats", asked, hours],
    queryFn: ({ signal }) => {
      const end = new Date();
      const start = new Date(end.getTime() - hours * 3_600_000);
      const range = { start: start.toISOString(), end: end.toISOString() };
      const offset_minutes = -end.getTimezoneOffset();
      return get<Stats>(withQuery("/api/stats", { ...asked, ...range, offset_minutes }), signal);
    },
    refetchInterval: STATS_REFRESH_MS,
    placeholderData: keepPreviousData,
  });

export const viewsQuery = queryOptions({
  queryKey: ["views"],
  queryFn: ({ signal }) => get<Page<View>>("/api/views", signal),
  staleTime: 30_000,
});

export function useSaveView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (view: ViewRequest) => post<View>("/api/views", view),
    onSuccess: () => client.invalidateQueries({ queryKey: viewsQuery.queryKey }),
  });
}

export function useDeleteView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => remove(`/api/views/${encodeURIComponent(id)}`),
    onSuccess: () => client.invalidateQueries({ queryKey: viewsQuery.queryKey }),
  });
}

const MOST_CHILDREN = 500;

/** The sessions that work for one; those of another project only say so. */
export const childrenQuery = (id: string, project: string) =>
  queryOptions({
    queryKey: ["children", id],
    queryFn: ({ signal }) =>
      get<SessionPage>(
        withQuery("/api/sessions", {
          project,
          q: `parent:${id}`,
          order: "asc",
          limit: MOST_CHILDREN,
        }),
        signal,
      ),
    staleTime: 1_000,
  });

export const sessionQuery = (id: string) =>
  queryOptions({
    queryKey: ["session", id],
    queryFn: ({ signal }) => get<SessionDetail>(`/api/sessions/${encodeURIComponent(id)}`, signal),
    staleTime: 5_000,
    // A trace that grows shares its spans with the one before already (`lib/live-changes`): to compare all of it with
    // each change costs time, and leaves copies.
    structuralSharing: false,
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
      // Not clear(): who watches a query that is taken away hears nothing of the new one.
      client.setQueryData(meQuery.queryKey, null);
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== meQuery.queryKey[0] });
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
