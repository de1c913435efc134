/** Experiments: each one run of a task over cases, newest first; two of them can be compared. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { datasetQuery, experimentsQuery } from "../api/evaluations";
import { EXPERIMENT_STATUSES } from "../api/experiment-status";
import type { Experiment } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Button } from "../components/Button";
import { Chip } from "../components/Chip";
import { EmptyState } from "../components/EmptyState";
import { ExperimentState } from "../components/experiments/ExperimentState";
import { Moment } from "../components/Moment";
import { ScrollX } from "../components/ScrollX";
import { TableHead } from "../components/TableHead";
import { scoreNames, scoreValue } from "../lib/experiment";
import { cost } from "../lib/format";
import { usePageTitle } from "../lib/page-title";
import type { ExperimentsSearch } from "../router";
import "../styles/session.css";
import "../styles/evaluations.css";

const HEADINGS = ["Compare", "Experiment", "State", "Scores", "Data", "Branch", "Cost", "Started"];
const SHOWN_SCORES = 4;

function Scores({ row }: { row: Experiment }) {
  const names = scoreNames(row);
  return (
    <span className="row scores-cell">
      {names.slice(0, SHOWN_SCORES).map((name) => {
        const score = row.scores[name];
        return (
          <span className="pill" key={name} title={`${name}, mean ± standard error`}>
            {name} <strong>{scoreValue(score?.mean, score?.unit)}</strong>
            {score?.stderr != null && <small> ± {scoreValue(score.stderr, score.unit)}</small>}
          </span>
        );
      })}
      {names.length > SHOWN_SCORES && <span className="muted">+{names.length - SHOWN_SCORES}</span>}
    </span>
  );
}

function Data({ row }: { row: Experiment }) {
  if (!row.dataset) return <span className="muted">its own cases</span>;
  const { id, name, version } = row.dataset;
  return (
    <Link to="/datasets/$id" params={{ id }} search={{ version }}>
      {name}@{version}
    </Link>
  );
}

interface RowProps {
  row: Experiment;
  chosen: boolean;
  onChoose: () => void;
}

function Row({ row, chosen, onChoose }: RowProps) {
  return (
    <tr data-testid="experiment-row" data-id={row.id}>
      <td>
        <input type="checkbox" aria-label={`Compare ${row.name}`} checked={chosen} onChange={onChoose} />
      </td>
      <td>
        <Link to="/experiments/$id" params={{ id: row.id }}>
          <strong>{row.name}</strong>
        </Link>
        <small className="muted block">
          {row.project}
          {row.scored_from && " · scored again"}
        </small>
      </td>
      <td data-label="State">
        <ExperimentState experiment={row} />
      </td>
      <td data-label="Scores">
        <Scores row={row} />
      </td>
      <td data-label="Data">
        <Data row={row} />
      </td>
      <td data-label="Branch" className="nowrap" title={row.git?.commit ?? undefined}>
        {row.git?.branch ?? <span className="muted">–</span>}
        {row.git?.dirty && <small className="warn"> changed</small>}
      </td>
      <td data-label="Cost" className="figure">
        {cost(row.cost_usd)}
      </td>
      <td data-label="Started" className="nowrap">
        <Moment at={row.created_at} />
      </td>
    </tr>
  );
}

function Filters({
  search,
  onChange,
}: {
  search: ExperimentsSearch;
  onChange: (next: ExperimentsSearch) => void;
}) {
  const dataset = useQuery({ ...datasetQuery(search.dataset ?? ""), enabled: !!search.dataset });
  const { dataset: _, ...others } = search;
  return (
    <search className="row">
      <input
        className="input experiment-name"
        type="search"
        aria-label="Name of the experiment, whole"
        placeholder="Name"
        defaultValue={search.name ?? ""}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          const { name: __, ...rest } = search;
          const name = event.currentTarget.value.trim();
          onChange(name ? { ...rest, name } : rest);
        }}
      />
      <select
        className="input experiment-status"
        aria-label="State"
        value={search.status ?? ""}
        onChange={(event) => {
          const { status: __, ...rest } = search;
          const status = EXPERIMENT_STATUSES.find((one) => one === event.target.value);
          onChange(status ? { ...rest, status } : rest);
        }}
      >
        <option value="">Any state</option>
        {EXPERIMENT_STATUSES.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      {search.dataset && (
        <Chip name="the data set" onRemove={() => onChange(others)}>
          over {dataset.data?.name ?? search.dataset}
        </Chip>
      )}
    </search>
  );
}

export function ExperimentsPage() {
  usePageTitle("Experiments");
  const search = useSearch({ from: "/experiments" });
  const navigate = useNavigate({ from: "/experiments" });
  const list = useInfiniteQuery(experimentsQuery(search));
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = Object.keys(search).length > 0;
  const choose = (id: string) =>
    setChosen((before) =>
      before.includes(id) ? before.filter((one) => one !== id) : [...before.slice(-1), id],
    );
  // The older one is what it was before.
  const [before, after] = rows.filter((row) => chosen.includes(row.id)).reverse();
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Experiments</h1>
        <span className="muted">One run of a model, a prompt or a program over cases</span>
        <span className="grow" />
        {before && after ? (
          <Link
            to="/compare"
            search={{ before: before.id, after: after.id }}
            className="button primary"
            data-testid="compare"
          >
            Compare the two
          </Link>
        ) : (
          <span className="muted">{chosen.length === 1 ? "Choose a second one to compare" : ""}</span>
        )}
      </div>
      <Filters search={search} onChange={(next) => void navigate({ search: next, replace: true })} />
      <Awaited of={list} name="Experiments" lines={5} height={40} />
      {list.data && rows.length === 0 && filtered && (
        <div className="notice">
          <span className="grow">No experiment fits.</span>
          <Button onClick={() => void navigate({ search: {}, replace: true })}>Show all</Button>
        </div>
      )}
      {list.data && rows.length === 0 && !filtered && (
        <EmptyState title="Change something, and see what it does" command="voxgate eval run my_eval.py">
          An experiment runs a task over cases and scores what comes out: another model, other instructions,
          another voice, the same calls. It is written in Python or YAML and started from the command line or
          from CI; what it finds appears here while it runs. Cases come from{" "}
          <Link to="/datasets">data sets</Link> or straight from recorded calls.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <ScrollX name="Experiments, scrolling" panel>
          <table className="table experiments cards" aria-label="Experiments">
            <TableHead headings={HEADINGS} figures={["Cost"]} />
            <tbody>
              {rows.map((row) => (
                <Row
                  key={row.id}
                  row={row}
                  chosen={chosen.includes(row.id)}
                  onChoose={() => choose(row.id)}
                />
              ))}
            </tbody>
          </table>
        </ScrollX>
      )}
      {list.hasNextPage && (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show older ones
        </Button>
      )}
    </main>
  );
}
