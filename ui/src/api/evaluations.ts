/** Data sets, experiments and the rules of online scoring: one function per endpoint, as the pages ask for them. */
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { get, patch, post, put, remove, withQuery } from "./client";
import type {
  AgreementPage,
  Case,
  CaseDeleted,
  CasePage,
  CasesFromSessions,
  CasesSaved,
  Comparison,
  Dataset,
  DatasetPage,
  DatasetVersion,
  Experiment,
  ExperimentCasePage,
  ExperimentPage,
  NewRule,
  ResultPage,
  Rule,
  RuleRun,
} from "./schema";
import type { Page } from "./types";

const PAGE = 100;
const RUNNING_MS = 3_000;
const named = (...parts: string[]) => `/api/${parts.map(encodeURIComponent).join("/")}`;

export const datasetsQuery = infiniteQueryOptions({
  queryKey: ["datasets"],
  queryFn: ({ pageParam, signal }) =>
    get<DatasetPage>(withQuery("/api/datasets", { limit: PAGE, cursor: pageParam }), signal),
  initialPageParam: "",
  getNextPageParam: (last) => last.next_cursor || undefined,
});

export const datasetQuery = (id: string) =>
  queryOptions({
    queryKey: ["dataset", id],
    queryFn: ({ signal }) => get<Dataset>(named("datasets", id), signal),
  });

export const versionsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["dataset", id, "versions"],
    queryFn: ({ pageParam, signal }) =>
      get<Page<DatasetVersion>>(
        withQuery(`${named("datasets", id)}/versions`, { cursor: pageParam }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
  });

export const casesQuery = (id: string, version: number | undefined) =>
  infiniteQueryOptions({
    queryKey: ["dataset", id, "cases", version],
    queryFn: ({ pageParam, signal }) =>
      get<CasePage>(
        withQuery(`${named("datasets", id)}/cases`, {
          version: pageParam ? undefined : version,
          limit: PAGE,
          cursor: pageParam,
        }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: keepPreviousData,
  });

/** After a change of data sets or of their cases. */
function useInvalidateDatasets() {
  const client = useQueryClient();
  return () =>
    Promise.all(["datasets", "dataset"].map((key) => client.invalidateQueries({ queryKey: [key] })));
}

export interface DatasetDraft {
  name: string;
  project: string | null;
  description: string;
}

export function useNewDataset() {
  const onSuccess = useInvalidateDatasets();
  return useMutation({
    mutationFn: (draft: DatasetDraft) => post<Dataset>("/api/datasets", draft),
    onSuccess,
  });
}

export function useEditDataset(id: string) {
  const onSuccess = useInvalidateDatasets();
  return useMutation({
    mutationFn: (edit: { name?: string; description?: string }) =>
      patch<Dataset>(named("datasets", id), edit),
    onSuccess,
  });
}

export function useDeleteDataset(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => remove(named("datasets", id)),
    onSuccess: () => {
      client.removeQueries({ queryKey: ["dataset", id] });
      return client.invalidateQueries({ queryKey: ["datasets"] });
    },
  });
}

/** A case as it is to be from the next version on. */
export function useSaveCase(datasetId: string) {
  const onSuccess = useInvalidateDatasets();
  return useMutation({
    mutationFn: ({ id, ...body }: Case) => put<CasesSaved>(named("datasets", datasetId, "cases", id), body),
    onSuccess,
  });
}

export function useDeleteCase(datasetId: string) {
  const onSuccess = useInvalidateDatasets();
  return useMutation({
    mutationFn: (id: string) => remove<CaseDeleted>(named("datasets", datasetId, "cases", id)),
    onSuccess,
  });
}

export interface ExperimentFilter {
  name?: string | undefined;
  dataset?: string | undefined;
  status?: string | undefined;
}

export const experimentsQuery = (filter: ExperimentFilter) =>
  infiniteQueryOptions({
    queryKey: ["experiments", filter],
    queryFn: ({ pageParam, signal }) =>
      get<ExperimentPage>(
        withQuery("/api/experiments", { ...filter, limit: PAGE, cursor: pageParam }),
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    refetchInterval: (query) =>
      query.state.data?.pages.some((page) => page.items.some((one) => one.status === "running"))
        ? RUNNING_MS
        : false,
    placeholderData: keepPreviousData,
  });

export const experimentQuery = (id: string) =>
  queryOptions({
    queryKey: ["experiment", id],
    queryFn: ({ signal }) => get<Experiment>(named("experiments", id), signal),
    refetchInterval: (query) => (query.state.data?.status === "running" ? RUNNING_MS : false),
  });

/** More are not drawn: a run of so many is read by `voxgate eval`. */
export const MOST_RESULTS = 20_000;
const RESULTS_PAGE = 500;

async function allPages<T>(path: string, signal: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null | undefined = "";
  do {
    const page: Page<T> = await get<Page<T>>(withQuery(path, { limit: RESULTS_PAGE, cursor }), signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < MOST_RESULTS);
  return items;
}

export const resultsQuery = (id: string, running: boolean) =>
  queryOptions({
    queryKey: ["experiment", id, "results"],
    queryFn: ({ signal }) =>
      allPages<ResultPage["items"][number]>(`${named("experiments", id)}/results`, signal),
    refetchInterval: running ? RUNNING_MS * 2 : false,
  });

export const experimentCasesQuery = (id: string) =>
  queryOptions({
    queryKey: ["experiment", id, "cases"],
    queryFn: ({ signal }) =>
      allPages<ExperimentCasePage["items"][number]>(`${named("experiments", id)}/cases`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export function useDeleteExperiment(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => remove(named("experiments", id)),
    onSuccess: () => {
      client.removeQueries({ queryKey: ["experiment", id] });
      return client.invalidateQueries({ queryKey: ["experiments"] });
    },
  });
}

export const comparisonQuery = (before: string, after: string) =>
  queryOptions({
    queryKey: ["comparison", before, after],
    queryFn: ({ signal }) => get<Comparison>(named("experiments", before, "compare", after), signal),
    staleTime: 60_000,
    retry: false,
  });

export const rulesQuery = queryOptions({
  queryKey: ["scoring-rules"],
  queryFn: ({ signal }) => get<Page<Rule>>("/api/rules", signal),
});

export const runsQuery = (id: string) =>
  queryOptions({
    queryKey: ["rule-runs", id],
    queryFn: ({ signal }) => get<Page<RuleRun>>(`${named("rules", id)}/runs`, signal),
    refetchInterval: (query) =>
      query.state.data?.items.some((run) => run.status === "running") ? RUNNING_MS : false,
  });

/** A rule over what was recorded before. */
export function useRuns(id: string) {
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: ["rule-runs", id] });
  const path = named("rules", id);
  const start = useMutation({ mutationFn: (q: string) => post<RuleRun>(`${path}/run`, { q }), onSuccess });
  const cancel = useMutation({
    mutationFn: (run: string) => remove<RuleRun>(`${path}/runs/${encodeURIComponent(run)}`),
    onSuccess,
  });
  return { start, cancel };
}

export const agreementQuery = queryOptions({
  queryKey: ["agreement"],
  queryFn: ({ signal }) => get<AgreementPage>("/api/agreement", signal),
  staleTime: 30_000,
});

export function useRules() {
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: rulesQuery.queryKey });
  const path = (id: string) => named("rules", id);
  const add = useMutation({ mutationFn: (rule: NewRule) => post<Rule>("/api/rules", rule), onSuccess });
  const edit = useMutation({
    mutationFn: ({ id, ...rule }: Partial<Rule> & { id: string }) => patch<Rule>(path(id), rule),
    onSuccess,
  });
  const take = useMutation({ mutationFn: (id: string) => remove(path(id)), onSuccess });
  return { add, edit, take };
}

export interface FromSessions {
  sessions?: readonly string[];
  q?: string | undefined;
  project?: string | undefined;
  turns: "session" | "each" | readonly string[];
  expected: "said" | "none";
  tags: readonly string[];
}

/** Cases of recorded calls; with `corrected` that is what the one case expects to be said. */
export function useAddFromSessions() {
  const onSuccess = useInvalidateDatasets();
  return useMutation({
    mutationFn: async (asked: { dataset: string; parts: FromSessions[]; corrected: string | null }) => {
      const { dataset, parts, corrected } = asked;
      const sum = { made: 0, known: 0, skipped: 0, ids: [] as string[] };
      for (const part of parts) {
        const answer = await post<CasesFromSessions>(`${named("datasets", dataset)}/from-sessions`, part);
        sum.made += answer.ids.length - answer.known.length;
        sum.known += answer.known.length;
        sum.skipped += answer.skipped.length;
        sum.ids.push(...answer.ids);
      }
      for (const id of corrected === null ? [] : sum.ids) {
        const path = named("datasets", dataset, "cases", id);
        const { id: _, ...body } = await get<Case>(path);
        const expected = { ...body.expected, transcript: corrected };
        await put<CasesSaved>(path, { ...body, expected });
      }
      return sum;
    },
    onSuccess,
  });
}
