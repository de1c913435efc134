/** The columns of the list: what each shows, and by which field of the filter language it sorts. */
import type { ReactNode } from "react";
import type { SessionSummary } from "../../api/types";
import { cost, count, duration, millis, moment } from "../../lib/format";
import { endpointOf } from "../../lib/requests";
import { errorCount, metric } from "../../lib/trace";
import { Moment, useNow } from "../Moment";
import { Wave } from "./Wave";

export interface Column {
  id: string;
  label: string;
  title: string;
  /** Field to sort by. */
  sort?: string;
  figure?: boolean;
  /** In px. */
  width: number;
  /** From which width of the page on it is shown where nobody chose columns. */
  from: number;
  cell: (session: SessionSummary) => ReactNode;
  tone?: (session: SessionSummary) => string;
  /** Said beside the number where there are no headings: on small screens. */
  unit?: (session: SessionSummary) => string;
}

/** A running call's length grows while one looks. */
function Running({ since }: { since: string }) {
  const now = useNow();
  const start = moment(since)?.getTime();
  return start === undefined ? "–" : duration(Math.max(0, Math.round((now - start) / 1000) * 1000));
}

const plural = (value: number | null, word: string) => (value === 1 ? word : `${word}s`);
const quietIf = (value: number | null, loud: string) => (value ? loud : "muted");

function user(session: SessionSummary): string {
  const found = session.metadata.user_id ?? session.metadata.user;
  return found == null ? "–" : String(found);
}

function v2v(name: string, percentile: string, from: number): Column {
  return {
    id: name,
    label: `V2V ${percentile}`,
    title: `Voice to voice: from the end of the user's speech to the first sound heard, ${percentile} of the call`,
    sort: name,
    figure: true,
    width: 84,
    from,
    cell: (session) => millis(metric(session.metrics, name)),
    tone: (session) => ((metric(session.metrics, name) ?? 0) >= 2000 ? "warn" : ""),
  };
}

export const COLUMNS: readonly Column[] = [
  {
    id: "started",
    label: "Started",
    title: "When the call began",
    sort: "started",
    width: 94,
    from: 0,
    cell: (session) => <Moment at={session.started_at} />,
    tone: () => "muted",
  },
  {
    id: "wave",
    label: "Sound",
    title: "The whole call: the user above the line, the assistant below",
    width: 138,
    from: 0,
    cell: (session) => <Wave wave={session.wave} live={session.status === "live"} />,
  },
  {
    id: "endpoint",
    label: "Endpoint",
    title: "realtime of calls, the API's path of requests",
    width: 136,
    from: 1500,
    cell: (session) => endpointOf(session),
    tone: () => "muted",
  },
  { id: "project", label: "Project", title: "", width: 88, from: 0, cell: (session) => session.project },
  {
    id: "model",
    label: "Model",
    title: "As the caller asked for it",
    width: 136,
    from: 1160,
    cell: (session) => <span title={`Provider: ${session.provider || "none"}`}>{session.model || "–"}</span>,
    tone: () => "muted",
  },
  {
    id: "user",
    label: "User",
    title: "user_id of the credential's metadata",
    width: 84,
    from: 1600,
    cell: user,
    tone: () => "muted",
  },
  {
    id: "duration",
    label: "Duration",
    title: "Length of the call",
    sort: "duration",
    figure: true,
    width: 92,
    from: 0,
    cell: (session) =>
      session.status === "live" ? <Running since={session.started_at} /> : duration(session.duration_ms),
  },
  {
    id: "turns",
    label: "Turns",
    title: "Turns of the user",
    sort: "turns",
    figure: true,
    width: 56,
    from: 1340,
    cell: (session) => count(session.turns),
    unit: (session) => plural(session.turns, "turn"),
  },
  v2v("v2v_p50", "p50", 0),
  v2v("v2v_p95", "p95", 1500),
  {
    id: "interruptions",
    label: "Interr.",
    title: "Answers that the user interrupted",
    sort: "interruptions",
    figure: true,
    width: 64,
    from: 1440,
    cell: (session) => count(session.interruptions),
    tone: (session) => quietIf(session.interruptions, "warn"),
    unit: (session) => plural(session.interruptions, "interruption"),
  },
  {
    id: "tools",
    label: "Tools",
    title: "Tools that were called",
    width: 136,
    from: 1560,
    cell: ({ tools }) => (
      <span title={tools.join(", ")}>
        {tools.length === 0 ? "–" : tools.length === 1 ? tools[0] : `${tools[0]} +${tools.length - 1}`}
      </span>
    ),
    tone: (session) => (session.tools.length > 0 ? "tools" : "muted"),
  },
  {
    id: "errors",
    label: "Errors",
    title: "Errors of the call",
    sort: "errors",
    figure: true,
    width: 58,
    from: 0,
    cell: (session) => count(errorCount(session.errors)),
    tone: (session) => quietIf(errorCount(session.errors), "bad"),
    unit: (session) => plural(errorCount(session.errors), "error"),
  },
  {
    id: "cost",
    label: "Cost",
    title: "US dollars; – where a price is not known",
    sort: "cost",
    figure: true,
    width: 84,
    from: 0,
    cell: (session) => cost(session.cost_usd),
  },
  {
    id: "scores",
    label: "Scores",
    title: "Of people and scorers; the mean where there are several",
    width: 140,
    from: 1700,
    cell: ({ scores }) => {
      const all = Object.entries(scores).map(([name, value]) => `${name} ${Number(value.toFixed(2))}`);
      return <span title={all.join(", ")}>{all.join(", ") || "–"}</span>;
    },
    tone: ({ scores }) => (Object.keys(scores).length > 0 ? "" : "muted"),
  },
];

/** A score by its name, which sorts too. */
function scoreColumn(name: string): Column {
  return {
    id: `${SCORE}${name}`,
    label: name,
    title: `The score ${name}; the mean where there are several`,
    sort: `${SCORE}${name}`,
    figure: true,
    width: 96,
    from: Number.POSITIVE_INFINITY,
    cell: ({ scores }) => (scores[name] === undefined ? "–" : Number(scores[name].toFixed(3))),
    tone: ({ scores }) => (scores[name] === undefined ? "muted" : ""),
    unit: () => name,
  };
}

const SCORE = "score.";

/** Every column that there is, with one for each of these scores. */
export function allColumns(scoreNames: readonly string[]): Column[] {
  return [...COLUMNS, ...scoreNames.map(scoreColumn)];
}

const KEY = "voxgate-columns";

/** Which columns somebody chose in this browser; null: nobody did. */
export function chosenColumns(): string[] | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return Array.isArray(found) ? found.filter((one) => typeof one === "string") : null;
  } catch {
    return null; // blocked, or not ours
  }
}

export function chooseColumns(ids: readonly string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(ids));
  } catch {
    // Storage is blocked: the choice lasts until the page is left.
  }
}

export function columnsOf(chosen: readonly string[] | null, pageWidth: number): Column[] {
  if (!chosen) return COLUMNS.filter((column) => column.from <= pageWidth);
  const named = chosen.filter((id) => id.startsWith(SCORE)).map((id) => id.slice(SCORE.length));
  return allColumns(named).filter((column) => chosen.includes(column.id));
}
