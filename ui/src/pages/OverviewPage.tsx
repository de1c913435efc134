/** What the calls came to: over time, and side by side. Every figure leads to the calls behind it. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo, useRef, useState } from "react";
import { ApiError } from "../api/client";
import { statsQuery } from "../api/queries";
import type { Stats } from "../api/schema";
import { EmptyState } from "../components/EmptyState";
import { Chart } from "../components/overview/Chart";
import { Groups } from "../components/overview/Groups";
import { Problem } from "../components/Problem";
import { Skeleton } from "../components/Skeleton";
import { FilterBar, type Narrowed } from "../components/sessions/FilterBar";
import { Tabs } from "../components/Tabs";
import { between } from "../lib/chart";
import { FIGURES, type Figure, scoreFigure } from "../lib/figures";
import { withPart } from "../lib/filter-text";
import { focusAtEnd } from "../lib/focus";
import { useKeys } from "../lib/keys";
import { usePageTitle } from "../lib/page-title";
import { scoreNamesQuery } from "../lib/score-names";
import type { OverviewRange, OverviewSearch, SessionsSearch } from "../router";
import "../styles/filters.css";
import "../styles/sessions.css";
import "../styles/overview.css";

const RANGES = [
  { id: "24h", label: "24 hours", hours: 24 },
  { id: "7d", label: "7 days", hours: 7 * 24 },
  { id: "30d", label: "30 days", hours: 30 * 24 },
  { id: "90d", label: "90 days", hours: 90 * 24 },
] as const;
const DEFAULT_RANGE: OverviewRange = "7d";

function useOverviewSearch() {
  const search = useSearch({ from: "/overview" });
  const { project = "", q = "", range = DEFAULT_RANGE, by = "model", score = "" } = search;
  const navigate = useNavigate({ from: "/overview" });
  const change = useCallback(
    (next: { [K in keyof OverviewSearch]?: OverviewSearch[K] | undefined }) =>
      void navigate({
        search: (before) => ({ ...before, ...next }) as OverviewSearch,
        replace: true,
        resetScroll: false,
      }),
    [navigate],
  );
  return { project, q, range, by, score, change };
}

interface ChartsProps {
  stats: Stats;
  figures: readonly Figure[];
  /** The address of the list for these calls. */
  searchOf: (filter: string, sort?: string) => SessionsSearch;
}

function Charts({ stats, figures, searchOf }: ChartsProps) {
  const [at, setAt] = useState<number | null>(null);
  const navigate = useNavigate();
  const open = (figure: Figure, bucket: number) => {
    const start = stats.buckets[bucket]?.start;
    if (!start) return;
    const end = stats.buckets[bucket + 1]?.start ?? stats.end;
    const time = between(start, end);
    const filter = figure.filter ? `${figure.filter} ${time}` : time;
    void navigate({ to: "/", search: searchOf(filter, figure.sort) });
  };
  return (
    <div className="charts">
      {figures.map((figure) => (
        <section key={figure.id} className="panel chart-card" aria-label={figure.title}>
          <h2 title={figure.help}>
            <Link
              to="/"
              search={searchOf(
                `${figure.filter ? `${figure.filter} ` : ""}${between(stats.start, stats.end)}`,
                figure.sort,
              )}
            >
              {figure.title}
            </Link>
          </h2>
          <p className="chart-total">
            <strong data-testid={`total-${figure.id}`}>{figure.total(stats.total)}</strong>{" "}
            <span className="muted">{figure.note(stats.total)}</span>
          </p>
          <Chart
            figure={figure}
            buckets={stats.buckets}
            bucketSeconds={stats.bucket_seconds}
            at={at}
            onLook={setAt}
            onOpen={(bucket) => open(figure, bucket)}
          />
        </section>
      ))}
    </div>
  );
}

interface ScoreProps {
  project: string;
  q: string;
  score: string;
  onChange: (name: string | undefined) => void;
}

/** A score to draw beside the figures, of those that the newest calls have. */
function ScoreChoice({ project, q, score, onChange }: ScoreProps) {
  const names = useQuery(scoreNamesQuery({ project, q })).data ?? [];
  const all = score && !names.includes(score) ? [score, ...names] : names;
  if (all.length === 0) return null;
  return (
    <select
      className="input score-choice"
      aria-label="Score to draw"
      data-testid="overview-score"
      value={score}
      onChange={(event) => onChange(event.target.value || undefined)}
    >
      <option value="">No score</option>
      {all.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

const filterError = (error: Error | null) =>
  error instanceof ApiError && error.param === "q" ? error : null;

export function OverviewPage() {
  const { project, q, range, by, score, change } = useOverviewSearch();
  const hours = RANGES.find((one) => one.id === range)?.hours ?? 24;
  const query = useQuery(statsQuery({ project, q, hours, by, score }));
  const filter = useRef<HTMLInputElement>(null);
  usePageTitle("Overview");
  useKeys("Overview", [{ key: "/", what: "Filter", act: () => focusAtEnd(filter.current) }]);
  const narrowTo = useCallback((next: Partial<Narrowed>) => change(next), [change]);
  const wrong = filterError(query.error);
  const figures = useMemo(() => (score ? [...FIGURES, scoreFigure(score)] : FIGURES), [score]);
  const stats = query.data;

  const searchOf = (added: string, sort?: string): SessionsSearch => {
    const found = withPart(q, added);
    return { ...(project ? { project } : {}), ...(found ? { q: found } : {}), ...(sort ? { sort } : {}) };
  };
  return (
    <main id="main" className="page stack overview">
      <div className="page-head">
        <h1>Overview</h1>
        <span className="grow" />
        <ScoreChoice project={project} q={q} score={score} onChange={(next) => change({ score: next })} />
        <Tabs tabs={RANGES} selected={range} onSelect={(next) => change({ range: next })} label="Time" />
      </div>
      <FilterBar project={project} q={q} onChange={narrowTo} input={filter} error={wrong} />
      {query.error && !wrong && <Problem error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton name="Figures" lines={3} height={180} />}
      {stats && stats.total.calls === 0 && (
        <EmptyState
          title="No call in this time"
          command={"voxgate sessions list"}
          actions={
            <Link className="button" to="/playground">
              Make one in the Playground
            </Link>
          }
        >
          Nothing that began within the last {RANGES.find((one) => one.id === range)?.label} fits. Look at a
          longer time, or take parts of the filter away. The command lists what there is.
        </EmptyState>
      )}
      {stats && stats.total.calls > 0 && (
        <div className={query.isPlaceholderData ? "stack stale" : "stack"}>
          <Charts stats={stats} figures={figures} searchOf={searchOf} />
          <Groups
            by={by}
            groups={stats.groups}
            total={stats.total}
            onChange={(next) => change({ by: next })}
            searchOf={(part) => searchOf(`${part} ${between(stats.start, stats.end)}`)}
          />
        </div>
      )}
    </main>
  );
}
