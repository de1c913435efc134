/** Data sets: cases to run a model over, made from calls or from files. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { datasetsQuery } from "../api/evaluations";
import type { Dataset } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Button } from "../components/Button";
import { NewDataset } from "../components/datasets/NewDataset";
import { EmptyState } from "../components/EmptyState";
import { Moment } from "../components/Moment";
import { ScrollX } from "../components/ScrollX";
import { TableHead } from "../components/TableHead";
import { count } from "../lib/format";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import "../styles/session.css";
import "../styles/session-parts.css";
import "../styles/transport.css";
import "../styles/evaluations.css";

const HEADINGS = ["Name", "Project", "Cases", "Version", "Changed", "Made by"];

function Row({ row }: { row: Dataset }) {
  return (
    <tr data-testid="dataset-row">
      <td>
        <Link to="/datasets/$id" params={{ id: row.id }}>
          <strong>{row.name}</strong>
        </Link>
        {row.description && <small className="muted block">{row.description}</small>}
      </td>
      <td data-label="Project">{row.project}</td>
      <td data-label="Cases" className="figure">
        {count(row.cases)}
      </td>
      <td data-label="Version" className="figure">
        {row.version}
      </td>
      <td data-label="Changed" className="nowrap">
        <Moment at={row.updated_at} />
      </td>
      <td data-label="Made by">{row.created_by}</td>
    </tr>
  );
}

export function DatasetsPage() {
  usePageTitle("Data sets");
  const list = useInfiniteQuery(datasetsQuery);
  const isAdmin = useIsAdmin();
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Data sets</h1>
        <span className="muted">Calls and files as cases, to run again and again</span>
        <span className="grow" />
        {isAdmin && (
          <Button kind="primary" icon="plus" data-testid="new-dataset" onClick={() => setMaking(true)}>
            New data set
          </Button>
        )}
      </div>
      <Awaited of={list} name="Data sets" lines={4} height={32} />
      {list.data && rows.length === 0 && (
        <EmptyState title="From calls to tests" command="voxgate datasets import refunds cases.csv">
          A data set is a list of cases: what is said to the assistant, and what ought to come of it. Select
          calls in <Link to="/">Sessions</Link> and choose <em>Add to data set</em>, or bring a file along
          (CSV, JSON lines, a folder of sound). Then an experiment runs any model, prompt or voice over it.
        </EmptyState>
      )}
      {rows.length > 0 && (
        <ScrollX name="Data sets, scrolling" panel>
          <table className="table cards" aria-label="Data sets">
            <TableHead headings={HEADINGS} figures={["Cases", "Version"]} />
            <tbody>
              {rows.map((row) => (
                <Row key={row.id} row={row} />
              ))}
            </tbody>
          </table>
        </ScrollX>
      )}
      {list.hasNextPage && (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show more
        </Button>
      )}
      {making && (
        <NewDataset
          onClose={() => setMaking(false)}
          onMade={({ id }) => void navigate({ to: "/datasets/$id", params: { id } })}
        />
      )}
    </main>
  );
}
