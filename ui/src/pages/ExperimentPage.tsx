/** One experiment: what it came to, and case by case what went in, what came out and how it sounded. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { comparisonQuery, useDeleteExperiment } from "../api/evaluations";
import type { Experiment } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Delete } from "../components/Delete";
import { EmptyState } from "../components/EmptyState";
import { CaseFilter } from "../components/experiments/CaseFilter";
import { CaseTable } from "../components/experiments/CaseTable";
import { ExperimentState } from "../components/experiments/ExperimentState";
import { ResultDetail } from "../components/experiments/ResultDetail";
import { ScoreCards } from "../components/experiments/ScoreCards";
import { Moment } from "../components/Moment";
import { JsonTree } from "../components/session/JsonTree";
import type { CaseRow } from "../lib/experiment";
import { cost } from "../lib/format";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { changed, useCases } from "../lib/use-cases";
import { useResults } from "../lib/use-results";
import type { ExperimentSearch } from "../router";
import "../styles/session.css";
import "../styles/timeline.css";
import "../styles/transport.css";
import "../styles/session-parts.css";
import "../styles/evaluations.css";

function DeleteExperiment({ experiment }: { experiment: Experiment }) {
  const remove = useDeleteExperiment(experiment.id);
  const navigate = useNavigate();
  return (
    <Delete
      label="Delete this experiment"
      name={experiment.name}
      by={remove}
      onDeleted={() => void navigate({ to: "/experiments" })}
    >
      Its results are removed. The calls that it made stay.
    </Delete>
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
        {isAdmin && <DeleteExperiment experiment={experiment} />}
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
    void navigate({ search: (before) => changed(before, next), replace: true, resetScroll: false });
  return [search, change] as const;
}

interface CasesProps {
  experiment: Experiment;
  rows: readonly CaseRow[];
}

function Cases({ experiment, rows }: CasesProps) {
  const [search, change] = useExperimentSearch();
  const { baseline } = experiment;
  const comparison = useQuery({ ...comparisonQuery(baseline ?? "", experiment.id), enabled: !!baseline });
  const old = useResults(baseline ?? undefined);
  const { found, words, setWords, compared, row } = useCases({
    page: "Experiment",
    rows,
    experiment,
    comparison: comparison.data,
    search,
    onOpen: (id) => change({ case: id }),
  });
  const { score, show } = search;
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
            compared={compared}
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
  const { experiment, rows, state } = useResults(id);
  usePageTitle(experiment.data?.name ?? "Experiment");
  return (
    <main id="main" className="page stack">
      <Awaited of={state} name="Experiment" lines={5} height={56} />
      {experiment.data && <Head experiment={experiment.data} />}
      {experiment.data && rows && <Cases experiment={experiment.data} rows={rows} />}
    </main>
  );
}
