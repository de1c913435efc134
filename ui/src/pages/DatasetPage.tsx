/** A data set: its cases, one of them beside the list, and its versions. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import { casesQuery, datasetQuery, useDeleteDataset } from "../api/evaluations";
import type { Case, Dataset } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Delete } from "../components/Delete";
import { CaseDetail } from "../components/datasets/CaseDetail";
import { CaseList } from "../components/datasets/CaseList";
import { Versions } from "../components/datasets/Versions";
import { EmptyState } from "../components/EmptyState";
import { Moment } from "../components/Moment";
import { plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import "../styles/session.css";
import "../styles/session-parts.css";
import "../styles/transport.css";
import "../styles/evaluations.css";

function DeleteDataset({ dataset }: { dataset: Dataset }) {
  const remove = useDeleteDataset(dataset.id);
  const navigate = useNavigate();
  return (
    <Delete
      label="Delete this data set"
      name={dataset.name}
      by={remove}
      onDeleted={() => void navigate({ to: "/datasets" })}
    >
      All versions and its copies of recorded calls are removed. Experiments that ran over it stay, without
      their cases.
    </Delete>
  );
}

function Head({ dataset, version }: { dataset: Dataset; version: number }) {
  const isAdmin = useIsAdmin();
  return (
    <>
      <div className="page-head">
        <nav aria-label="Breadcrumb" className="muted hide-small">
          <Link to="/datasets">Data sets</Link> /
        </nav>
        <h1>{dataset.name}</h1>
        <span className="pill">
          project <strong>{dataset.project}</strong>
        </span>
        <span className="pill" data-testid="shown-version">
          version <strong>{version}</strong>
        </span>
        <span className="muted nowrap">
          {plural(dataset.cases, "case")} · <Moment at={dataset.updated_at} />
        </span>
        <span className="grow" />
        <Link to="/experiments" search={{ dataset: dataset.id }} className="button">
          Experiments over it
        </Link>
        {isAdmin && <DeleteDataset dataset={dataset} />}
      </div>
      {dataset.description && <p className="muted">{dataset.description}</p>}
    </>
  );
}

function CaseKeys({ cases, selected, onSelect }: KeysProps) {
  const at = cases.findIndex((one) => one.id === selected);
  const move = (to: number) => {
    const next = cases[Math.max(0, Math.min(cases.length - 1, to))];
    if (next) onSelect(next.id);
  };
  useKeys("Data set", [
    { key: "j", what: "Next case", act: () => move(at + 1) },
    { key: "k", what: "Case before", act: () => move(at - 1) },
  ]);
  return null;
}

interface KeysProps {
  cases: readonly Case[];
  selected: string | null;
  onSelect: (id: string) => void;
}

function NoCases({ dataset }: { dataset: Dataset }) {
  return (
    <EmptyState title="No cases yet" command={`voxgate datasets import "${dataset.name}" cases.csv`}>
      Select calls in <Link to="/">Sessions</Link> and choose <em>Add to data set</em>, or save one from the
      page of a call or from the Playground. Files come by the command line.
    </EmptyState>
  );
}

function Cases({ dataset, version }: { dataset: Dataset; version: number }) {
  const { case: selected = null } = useSearch({ from: "/datasets/$id" });
  const navigate = useNavigate({ from: "/datasets/$id" });
  const select = useCallback(
    (id: string | undefined) =>
      void navigate({
        search: ({ case: _, ...before }) => (id ? { ...before, case: id } : before),
        replace: true,
        resetScroll: false,
      }),
    [navigate],
  );
  const show = (wanted: number) =>
    void navigate({
      search: ({ version: _, ...before }) =>
        wanted === dataset.version ? before : { ...before, version: wanted },
      resetScroll: false,
    });
  const list = useInfiniteQuery(casesQuery(dataset.id, version));
  const { fetchNextPage, isFetchingNextPage } = list;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  const cases = list.data?.pages.flatMap((page) => page.items) ?? [];
  const one = cases.find((each) => each.id === selected);
  if (!list.data || list.error) return <Awaited of={list} name="Cases" lines={6} height={48} />;
  return (
    <div className={`dataset ${one ? "with-case" : ""}`}>
      <CaseKeys cases={cases} selected={selected} onSelect={select} />
      {cases.length > 0 ? (
        <CaseList
          cases={cases}
          selected={selected}
          onSelect={select}
          hasMore={list.hasNextPage}
          onMore={more}
        />
      ) : (
        <NoCases dataset={dataset} />
      )}
      <div className="stack dataset-side">
        {one && (
          <CaseDetail
            key={one.id}
            datasetId={dataset.id}
            one={one}
            newest={version === dataset.version}
            onClose={() => select(undefined)}
          />
        )}
        {dataset.version > 0 && <Versions id={dataset.id} shown={version} onShow={show} />}
      </div>
    </div>
  );
}

export function DatasetPage() {
  const { id } = useParams({ from: "/datasets/$id" });
  const { version } = useSearch({ from: "/datasets/$id" });
  const dataset = useQuery(datasetQuery(id));
  usePageTitle(dataset.data?.name ?? "Data set");
  const shown = version ?? dataset.data?.version ?? 0;
  return (
    <main id="main" className="page stack">
      <Awaited of={dataset} name="Data set" lines={5} height={40} />
      {dataset.data && (
        <>
          <Head dataset={dataset.data} version={shown} />
          {shown !== dataset.data.version && (
            <p className="notice">
              Version {shown} as it was: it does not change. The newest is {dataset.data.version}.
            </p>
          )}
          <Cases dataset={dataset.data} version={shown} />
        </>
      )}
    </main>
  );
}
