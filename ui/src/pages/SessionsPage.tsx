/** All calls, newest first, refreshed while one looks. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { projectsQuery, sessionsQuery } from "../api/queries";
import { FirstCall } from "../components/FirstCall";
import { Problem } from "../components/Problem";
import { SessionTable, SessionTableSkeleton } from "../components/SessionTable";
import { count, plural } from "../lib/format";
import { usePageTitle } from "../lib/page-title";
import "../styles/sessions.css";

const TYPING_PAUSE_MS = 300;
const FILTER_HELP =
  "Words are looked for in what was said. Also: status:failed duration>30s v2v_p95>1.5s tag:vip tool:NAME last:24h, and or not ( )";

interface FilterProps {
  project: string;
  q: string;
  onChange: (change: { project?: string; q?: string }) => void;
}

function Filters({ project, q, onChange }: FilterProps) {
  const [text, setText] = useState(q);
  const projects = useQuery(projectsQuery).data?.items ?? [];
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => onChange({ q: text }), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, q, onChange]);
  const names = projects.map((one) => one.name);
  return (
    <search className="filters">
      <select
        className="input"
        aria-label="Project"
        data-testid="project-select"
        value={project}
        onChange={(event) => onChange({ project: event.target.value })}
      >
        <option value="">All projects</option>
        {project && !names.includes(project) && <option value={project}>{project}</option>}
        {projects.map((one) => (
          <option key={one.name} value={one.name}>
            {one.name} ({count(one.sessions)})
          </option>
        ))}
      </select>
      <input
        className="input"
        type="search"
        aria-label="Filter sessions"
        data-testid="filter"
        title={FILTER_HELP}
        placeholder="Filter: words, status:failed, model:gpt-*, last:24h …"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </search>
  );
}

export function SessionsPage() {
  const { project = "", q = "" } = useSearch({ from: "/" });
  const navigate = useNavigate({ from: "/" });
  const [change] = useState(
    () => (next: { project?: string; q?: string }) =>
      void navigate({ search: (before) => ({ ...before, ...next }), replace: true }),
  );
  const list = useInfiniteQuery(sessionsQuery({ project, q }));
  const sessions = list.data?.pages.flatMap((page) => page.items) ?? [];
  usePageTitle("Sessions");
  const live = sessions.filter((one) => one.status === "live").length;
  const filtered = Boolean(project || q);

  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Sessions</h1>
        {live > 0 && <span className="status live">{count(live)} live</span>}
        <Filters project={project} q={q} onChange={change} />
      </div>
      {list.error && <Problem error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <SessionTableSkeleton />}
      {list.isSuccess && sessions.length === 0 && !filtered && <FirstCall />}
      {list.isSuccess && sessions.length === 0 && filtered && (
        <div className="notice">
          <span className="grow">No session fits this filter. {FILTER_HELP}</span>
          <button type="button" className="button" onClick={() => change({ project: "", q: "" })}>
            Show all
          </button>
        </div>
      )}
      {sessions.length > 0 && <SessionTable sessions={sessions} />}
      <div className="list-foot muted">
        {sessions.length > 0 && plural(sessions.length, "session")}
        {list.hasNextPage && (
          <button
            type="button"
            className="button"
            disabled={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {list.isFetchingNextPage ? "Loading…" : "Load older ones"}
          </button>
        )}
      </div>
    </main>
  );
}
