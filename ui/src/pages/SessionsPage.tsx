/** All calls, newest first: new ones appear by themselves, running ones tick. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { SessionSummary } from "../api/types";
import { Button } from "../components/Button";
import { FirstCall } from "../components/FirstCall";
import { Icon } from "../components/Icon";
import { Menu, MenuItem } from "../components/Menu";
import { Problem } from "../components/Problem";
import { Bulk } from "../components/sessions/Bulk";
import {
  allColumns,
  type Column,
  chooseColumns,
  chosenColumns,
  columnsOf,
} from "../components/sessions/columns";
import { ExportMenu } from "../components/sessions/ExportMenu";
import { FilterBar, type Narrowed } from "../components/sessions/FilterBar";
import { type Sorting, Table, TableSkeleton } from "../components/sessions/Table";
import { Views } from "../components/sessions/Views";
import { focusAtEnd } from "../lib/focus";
import { count, plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { usePageTitle } from "../lib/page-title";
import { NARROW_PX, usePageWidth } from "../lib/page-width";
import { scoreNamesOf } from "../lib/score-names";
import { useSelection } from "../lib/selection";
import { useSessionList } from "../lib/session-list";
import type { SessionsSearch } from "../router";
import "../styles/filters.css";
import "../styles/sessions.css";

const NEW_MS = 4_000;
const FIRST: Sorting = { sort: "started", order: "desc" };

interface ColumnProps {
  columns: readonly Column[];
  /** Of the calls that are listed. */
  scores: readonly string[];
  onChange: (ids: string[]) => void;
}

function ColumnMenu({ columns, scores, onChange }: ColumnProps) {
  const shown = columns.map((column) => column.id);
  const toggle = (id: string) =>
    onChange(shown.includes(id) ? shown.filter((one) => one !== id) : [...shown, id]);
  return (
    <Menu label={<Icon name="columns" />} name="Columns" title="Columns" className="button icon hide-small">
      {allColumns(scores).map(({ id, label, title }) => (
        <MenuItem key={id} checked={shown.includes(id)} onSelect={() => toggle(id)}>
          <span title={title}>{label}</span>
        </MenuItem>
      ))}
    </Menu>
  );
}

function useColumns() {
  const [chosen, setChosen] = useState(chosenColumns);
  const width = usePageWidth();
  const narrow = width <= NARROW_PX;
  const columns = useMemo(
    () => columnsOf(narrow ? null : chosen, narrow ? NARROW_PX : width),
    [chosen, width, narrow],
  );
  const choose = (ids: string[]) => {
    setChosen(ids);
    chooseColumns(ids);
  };
  return { columns, choose, narrow };
}

/** Calls that were not there before, for a moment; and how many, to be read out. */
function useFresh(sessions: readonly SessionSummary[], key: string) {
  const known = useRef<{ key: string; newest: string }>({ key: "", newest: "" });
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const newest = sessions[0]?.started_at ?? "";
    const { current } = known;
    known.current = { key, newest: newest > current.newest || key !== current.key ? newest : current.newest };
    if (key !== current.key || !current.newest || newest <= current.newest) return;
    setFresh(new Set(sessions.filter((one) => one.started_at > current.newest).map((one) => one.id)));
    const timer = setTimeout(() => setFresh(new Set()), NEW_MS);
    return () => clearTimeout(timer);
  }, [sessions, key]);
  return fresh;
}

function ListKeys({ sessions, active, setActive, toggle, clear, focusFilter }: KeysProps) {
  const navigate = useNavigate();
  const move = (to: number) => setActive(Math.max(0, Math.min(sessions.length - 1, to)));
  const open = () => {
    const session = sessions[active];
    if (session) void navigate({ to: "/sessions/$id", params: { id: session.id } });
    return session === undefined;
  };
  useKeys("Sessions", [
    { key: "j", what: "Next session", act: () => move(active + 1) },
    { key: "k", what: "Session before", act: () => move(active - 1) },
    { key: "Enter", what: "Open it", act: open },
    { key: "x", what: "Select it", act: () => active >= 0 && toggle(active, false) },
    { key: "X", what: "Select from the last one to it", act: () => active >= 0 && toggle(active, true) },
    { key: "/", what: "Filter", act: focusFilter },
    { key: "Escape", what: "Clear the selection", act: clear },
  ]);
  return null;
}

interface KeysProps {
  sessions: readonly SessionSummary[];
  active: number;
  setActive: (index: number) => void;
  toggle: (index: number, range: boolean) => void;
  clear: () => void;
  focusFilter: () => void;
}

function useListSearch() {
  const search = useSearch({ from: "/" });
  const navigate = useNavigate({ from: "/" });
  const [change] = useState(
    () => (next: Partial<SessionsSearch>) =>
      void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false }),
  );
  const open = (next: SessionsSearch) => void navigate({ search: next });
  return { search, change, open };
}

const filterError = (error: Error | null) =>
  error instanceof ApiError && error.param === "q" ? error : null;

export function SessionsPage() {
  const { search, change, open } = useListSearch();
  const { project = "", q = "", sort = FIRST.sort, order = "desc" } = search;
  const { columns, choose, narrow } = useColumns();
  const { list, sessions } = useSessionList(search);
  const fresh = useFresh(sessions, `${project} ${q} ${sort} ${order}`);
  const [active, setActive] = useState(-1);
  const { selected, toggle, toggleAll, clear } = useSelection(sessions);
  const filter = useRef<HTMLInputElement>(null);
  usePageTitle("Sessions");

  const live = sessions.filter((one) => one.status === "live").length;
  const filtered = Boolean(project || q);
  const { fetchNextPage, isFetchingNextPage } = list;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  const narrowTo = useCallback((next: Partial<Narrowed>) => change(next), [change]);
  const wrong = filterError(list.error);
  const scores = useMemo(() => scoreNamesOf(sessions), [sessions]);
  const chosen = sessions.filter((one) => selected.has(one.id));

  return (
    <main id="main" className="page stack sessions-page">
      <ListKeys
        sessions={sessions}
        active={active}
        setActive={setActive}
        toggle={toggle}
        clear={clear}
        focusFilter={() => focusAtEnd(filter.current)}
      />
      <div className="page-head">
        <h1>Sessions</h1>
        {live > 0 && <span className="status live">{count(live)} live</span>}
        <span className="visually-hidden" role="status" aria-live="polite">
          {fresh.size > 0 ? plural(fresh.size, "new call") : ""}
        </span>
        <span className="grow" />
        <Views search={search} onOpen={open} />
        <ExportMenu target={{ count: sessions.length, ids: null, filter: { project, q } }} small />
        <ColumnMenu columns={columns} scores={scores} onChange={choose} />
      </div>
      <FilterBar project={project} q={q} onChange={narrowTo} input={filter} error={wrong} />
      {list.error && !wrong && <Problem error={list.error} retry={() => void list.refetch()} />}
      {chosen.length > 0 && (
        <Bulk
          selected={chosen}
          filter={{ project, q }}
          allLoaded={chosen.length === sessions.length}
          onClear={clear}
        />
      )}
      {list.isPending && <TableSkeleton columns={columns} />}
      {list.isSuccess && sessions.length === 0 && !filtered && <FirstCall />}
      {list.isSuccess && sessions.length === 0 && filtered && (
        <div className="notice" data-testid="nothing-found">
          <span className="grow">No session fits this filter.</span>
          <Button onClick={() => change({ project: "", q: "" })}>Show all</Button>
        </div>
      )}
      {sessions.length > 0 && (
        <Table
          sessions={sessions}
          columns={columns}
          narrow={narrow}
          stale={list.isPlaceholderData || wrong !== null}
          hasMore={list.hasNextPage}
          onMore={more}
          active={active}
          selected={selected}
          fresh={fresh}
          onSelect={toggle}
          selection={chosen.length === 0 ? "none" : chosen.length === sessions.length ? "all" : "some"}
          onSelectAll={toggleAll}
          sorting={{ sort, order }}
          onSort={(next) =>
            change({
              sort: next.sort === FIRST.sort ? undefined : next.sort,
              order: next.order === "asc" ? "asc" : undefined,
            })
          }
        />
      )}
      <div className="list-foot muted" aria-hidden="true">
        {sessions.length > 0 && `${plural(sessions.length, "session")}${list.hasNextPage ? " loaded" : ""}`}
      </div>
    </main>
  );
}
