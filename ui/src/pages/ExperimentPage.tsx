/** One experiment: what it came to, and case by case what went in, what came out and how it sounded. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { comparisonQuery, useDeleteExperiment } from "../api/evaluations";
import type { Experiment } from "../api/schema";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { EmptyState } from "../components/EmptyState";
import { CaseFilter } from "../components/experiments/CaseFilter";
import { CaseTable } from "../components/experiments/CaseTable";
import { ExperimentState } from "../components/experiments/ExperimentState";
import { ResultDetail } from "../components/experiments/ResultDetail";
import { ScoreCards } from "../components/experiments/ScoreCards";
import { Moment } from "../components/Moment";
import { Problem } from "../components/Problem";
import { Skeleton } from "../components/Skeleton";
import { JsonTree } from "../components/session/JsonTree";
import { type CaseRow, pairsOf, shownRows } from "../lib/experiment";
import { cost } from "../lib/format";
import { useKeys } from "../lib/keys";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { useResults } from "../lib/use-results";
import type { ExperimentSearch } from "../router";
import "../styles/session.css";
import "../styles/timeline.css";
import "../styles/transport.css";
import "../styles/session-parts.css";
import "../styles/evaluations.css";

function Delete({ experiment }: { experiment: Experiment }) {
  const [asking, setAsking] = useState(false);
  const remove = useDeleteExperiment(experiment.id);
  const navigate = useNavigate();
  const confirm = () => remove.mutate(undefined, { onSuccess: () => void navigate({ to: "/experiments" }) });
  const actions = (
    <>
      <Button onClick={() => setAsking(false)}>Keep it</Button>
      <Button kind="danger" data-testid="confirm-delete" disabled={remove.isPending} onClick={confirm}>
        Delete
      </Button>
    </>
  );
  return (
    <>
      <Button
        kind="danger"
        icon="trash"
        aria-label="Delete this experiment"
        onClick={() => setAsking(true)}
      />
      {asking && (
        <Dialog title={`Delete “${experiment.name}”?`} onClose={() => setAsking(false)} actions={actions}>
          <p className="muted">
            Its results are removed. The calls that it made stay. This cannot be undone.
          </p>
          {remove.error && <Problem error={remove.error} />}
        </Dialog>
      )}
    </>
  );
}

function Pills({ experiment }: { experiment: Experiment }) {
  const { dataset, git, trials, seed, cost_usd, created_by } = experiment;
  return (
    <div className="pills">
      {dataset && (
        <span className="pill">
          data{" "}
          <Link to="/datasets/$id" params={{ id: dataset.id }} search={{ version: dataset.version }}>
            {dataset.name}@{dataset.version}
          </Link>
        </span>
      )}
      {git?.branch && (
        <span className="pill" title={git.commit ?? undefined}>
          branch <strong>{git.branch}</strong> {git.commit?.slice(0, 8)}
          {git.dirty && <span className="warn"> with changes that are not committed</span>}
        </span>
      )}
      <span className="pill">
        trials <strong>{trials}</strong>
      </span>
      <span className="pill">
        seed <strong>{seed}</strong>
      </span>
      {cost_usd !== null && (
        <span className="pill">
          cost <strong>{cost(cost_usd)}</strong>
        </span>
      )}
      <span className="pill">
        by <strong>{created_by}</strong>
      </span>
    </div>
  );
}

function Head({ experiment }: { experiment: Experiment }) {
  const isAdmin = useIsAdmin();
  return (
    <>
      <div className="page-head">
        <nav aria-label="Breadcrumb" className="muted hide-small">
          <Link to="/experiments">Experiments</Link> /
        </nav>
        <h1 title={experiment.id}>{experiment.name}</h1>
        <ExperimentState experiment={experiment} />
        <span className="muted nowrap">
          <Moment at={experiment.created_at} />
        </span>
        <span className="grow" />
        {experiment.baseline && (
          <Link
            className="button"
            to="/compare"
            search={{ before: experiment.baseline, after: experiment.id }}
            data-testid="compare-baseline"
          >
            Compare with its baseline
          </Link>
        )}
        {isAdmin && <Delete experiment={experiment} />}
      </div>
      <Pills experiment={experiment} />
      <details className="case-part">
        <summary>Task and scorers</summary>
        <JsonTree value={{ task: experiment.task, scorers: experiment.scorers }} label="Task" />
      </details>
    </>
  );
}

function useExperimentSearch() {
  const search = useSearch({ from: "/experiments/$id" });
  const navigate = useNavigate({ from: "/experiments/$id" });
  const change = (next: { [K in keyof ExperimentSearch]?: ExperimentSearch[K] | undefined }) =>
    void navigate({
      search: (before) =>
        Object.fromEntries(
          Object.entries({ ...before, ...next }).filter(([, value]) => value !== undefined),
        ) as ExperimentSearch,
      replace: true,
      resetScroll: false,
    });
  return [search, change] as const;
}

interface CasesProps {
  experiment: Experiment;
  rows: readonly CaseRow[];
}

function Cases({ experiment, rows }: CasesProps) {
  const [search, change] = useExperimentSearch();
  const [words, setWords] = useState("");
  const { baseline } = experiment;
  const comparison = useQuery({ ...comparisonQuery(baseline ?? "", experiment.id), enabled: !!baseline });
  const old = useResults(baseline ?? undefined);
  const { score, show } = search;
  const pairs = useMemo(() => pairsOf(comparison.data, score), [comparison.data, score]);
  const direction = experiment.scores[score ?? ""]?.direction ?? "max";
  const found = shownRows(rows, { score, direction, show, words, pairs });
  const row = rows.find((one) => one.id === search.case);
  const at = found.findIndex((one) => one.id === search.case);
  const move = (to: number) => {
    const next = found[Math.max(0, Math.min(found.length - 1, to))];
    if (next) change({ case: next.id });
  };
  useKeys("Experiment", [
    { key: "j", what: "Next case", act: () => move(at + 1) },
    { key: "k", what: "Case before", act: () => move(at - 1) },
    { key: "Escape", what: "Close the case", act: () => change({ case: undefined }) },
  ]);
  return (
    <>
      <ScoreCards
        experiment={experiment}
        rows={rows}
        comparison={comparison.data}
        chosen={score}
        onChoose={(name) => change({ score: name })}
      />
      {rows.length === 0 ? (
        <EmptyState title="Nothing yet">
          Results appear here as they come. <code>voxgate eval</code> shows the same on its terminal.
        </EmptyState>
      ) : (
        <>
          <CaseFilter
            words={words}
            onWords={setWords}
            show={show}
            onShow={(next) => change({ show: next })}
            compared={pairs.size > 0}
            found={found.length}
            all={rows.length}
          />
          <div className={`results ${row ? "with-case" : ""}`}>
            <CaseTable
              experiment={experiment}
              rows={found}
              comparison={comparison.data}
              selected={search.case}
              onSelect={(id) => change({ case: id })}
              sorted={score}
              onSort={(name) => change({ score: name })}
            />
            {row && (
              <ResultDetail
                key={row.id}
                id={row.id}
                one={row.one}
                datasetId={experiment.dataset?.id ?? null}
                results={row.results}
                before={old.rows?.find((one) => one.id === row.id)?.results ?? []}
                names={{ before: "before", after: baseline ? "after" : "the call" }}
                onClose={() => change({ case: undefined })}
              />
            )}
          </div>
        </>
      )}
    </>
  );
}

export function ExperimentPage() {
  const { id } = useParams({ from: "/experiments/$id" });
  const { experiment, rows, error } = useResults(id);
  usePageTitle(experiment.data?.name ?? "Experiment");
  return (
    <main id="main" className="page stack">
      {error && <Problem error={error} retry={() => void experiment.refetch()} />}
      {experiment.data && <Head experiment={experiment.data} />}
      {!error && !(experiment.data && rows) && <Skeleton name="Experiment" lines={5} height={56} />}
      {experiment.data && rows && <Cases experiment={experiment.data} rows={rows} />}
    </main>
  );
}
