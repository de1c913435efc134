/** Two experiments beside each other: each score with its interval, and the cases, the most regressed first. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { comparisonQuery, experimentsQuery } from "../api/evaluations";
import type { Comparison, Experiment } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Button } from "../components/Button";
import { CaseFilter } from "../components/experiments/CaseFilter";
import { CaseTable } from "../components/experiments/CaseTable";
import { ResultDetail } from "../components/experiments/ResultDetail";
import { ScoreChanges } from "../components/experiments/ScoreChanges";
import type { CaseRow } from "../lib/experiment";
import { plural } from "../lib/format";
import { usePageTitle } from "../lib/page-title";
import { changed, useCases } from "../lib/use-cases";
import { together, useResults } from "../lib/use-results";
import type { CompareSearch } from "../router";
import "../styles/session.css";
import "../styles/timeline.css";
import "../styles/transport.css";
import "../styles/session-parts.css";
import "../styles/evaluations.css";

function useCompareSearch() {
  const search = useSearch({ from: "/compare" });
  const navigate = useNavigate({ from: "/compare" });
  const change = (next: { [K in keyof CompareSearch]?: CompareSearch[K] | undefined }) =>
    void navigate({ search: (before) => changed(before, next), replace: true, resetScroll: false });
  return [search, change] as const;
}

interface PickProps {
  label: string;
  id: string | undefined;
  known: Experiment | undefined;
  onPick: (id: string) => void;
}

/** One of the newest, or the one that the address names. */
function Pick({ label, id, known, onPick }: PickProps) {
  const list = useInfiniteQuery(experimentsQuery({}));
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const shown = known && !rows.some((row) => row.id === known.id) ? [known, ...rows] : rows;
  return (
    <label className="field pick">
      <span>{label}</span>
      <select
        className="input"
        value={id ?? ""}
        data-testid={`pick-${label.toLowerCase()}`}
        onChange={(event) => onPick(event.target.value)}
      >
        <option value="" disabled>
          Choose an experiment
        </option>
        {shown.map((row) => (
          <option key={row.id} value={row.id}>
            {row.name} · {row.created_at.slice(0, 16).replace("T", " ")}
            {row.git?.branch ? ` · ${row.git.branch}` : ""}
          </option>
        ))}
      </select>
    </label>
  );
}

interface CasesProps {
  comparison: Comparison;
  after: Experiment;
  rows: readonly CaseRow[];
  old: readonly CaseRow[];
}

function Cases({ comparison, after, rows, old }: CasesProps) {
  const [search, change] = useCompareSearch();
  // Without a choice the one that changed for the worse, which comes first.
  const score = search.score ?? comparison.scores[0]?.name;
  const { found, words, setWords, compared, row } = useCases({
    page: "Comparison",
    rows,
    experiment: after,
    comparison,
    search: score === undefined ? search : { ...search, score },
    onOpen: (id) => change({ case: id }),
  });
  const alone = comparison.only_before.length + comparison.only_after.length;
  return (
    <>
      <ScoreChanges comparison={comparison} chosen={score} onChoose={(name) => change({ score: name })} />
      {alone > 0 && (
        <p className="notice">
          {plural(alone, "case")} {alone === 1 ? "is" : "are"} in one of them only, and not compared.
        </p>
      )}
      <CaseFilter
        words={words}
        onWords={setWords}
        show={search.show}
        onShow={(show) => change({ show })}
        compared={compared}
        found={found.length}
        all={rows.length}
      />
      <div className={`results ${row ? "with-case" : ""}`}>
        <CaseTable
          experiment={after}
          rows={found}
          comparison={comparison}
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
            datasetId={after.dataset?.id ?? null}
            results={row.results}
            before={old.find((one) => one.id === row.id)?.results ?? []}
            names={{ before: "before", after: "after" }}
            onClose={() => change({ case: undefined })}
          />
        )}
      </div>
    </>
  );
}

export function ComparePage() {
  usePageTitle("Compare");
  const [search, change] = useCompareSearch();
  const { before, after } = search;
  const old = useResults(before);
  const now = useResults(after);
  const comparison = useQuery({
    ...comparisonQuery(before ?? "", after ?? ""),
    enabled: !!before && !!after,
  });
  const asked = !!before && !!after;
  const state = together(comparison, old.state, now.state);
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <nav aria-label="Breadcrumb" className="muted hide-small">
          <Link to="/experiments">Experiments</Link> /
        </nav>
        <h1>Compare</h1>
      </div>
      <div className="row picks">
        <Pick
          label="Before"
          id={before}
          known={old.experiment.data}
          onPick={(id) => change({ before: id, case: undefined })}
        />
        <Button
          icon="refresh"
          aria-label="Change places"
          onClick={() => change({ before: after, after: before, case: undefined })}
        />
        <Pick
          label="After"
          id={after}
          known={now.experiment.data}
          onPick={(id) => change({ after: id, case: undefined })}
        />
      </div>
      {asked && <Awaited of={state} name="Comparison" lines={5} height={48} />}
      {!asked && <p className="muted">Choose two experiments: what was before, and what came after.</p>}
      {!state.error && comparison.data && now.experiment.data && now.rows && old.rows && (
        <Cases comparison={comparison.data} after={now.experiment.data} rows={now.rows} old={old.rows} />
      )}
    </main>
  );
}
