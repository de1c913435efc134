/** The list of sessions: one row each, the whole row a link. */
import { Link } from "@tanstack/react-router";
import type { SessionSummary } from "../api/types";
import { cost, count, duration, millis } from "../lib/format";
import { errorCount, metric, sessionTitle } from "../lib/trace";
import { Moment } from "./Moment";
import { Status } from "./Status";

interface FigureProps {
  label: string;
  value: string;
  tone?: string | undefined;
  /** Said beside the number where there are no headings: on small screens. */
  unit?: string | undefined;
}

function Figure({ label, value, tone, unit }: FigureProps) {
  return (
    <td className={`figure ${tone ?? ""}`} data-label={label} data-unit={unit}>
      {value}
    </td>
  );
}

const unit = (value: number | null, word: string) => (value === 1 ? word : `${word}s`);

function Row({ session }: { session: SessionSummary }) {
  const errors = errorCount(session.errors);
  return (
    <tr data-testid="session-row">
      <td className="cell-status">
        <Status status={session.status} />
      </td>
      <td className="cell-title">
        <Link to="/sessions/$id" params={{ id: session.id }}>
          {sessionTitle(session)}
        </Link>
        {session.tags?.map((tag) => (
          <span className="tag" key={tag}>
            {tag}
          </span>
        ))}
      </td>
      <td className="cell-project">{session.project}</td>
      <td className="cell-model muted" title={session.provider ? `Provider: ${session.provider}` : undefined}>
        {session.model ?? "–"}
      </td>
      <td className="cell-when muted">
        <Moment at={session.started_at} />
      </td>
      <Figure label="duration" value={duration(session.duration_ms)} />
      <Figure label="turns" value={count(session.turns)} unit={unit(session.turns, "turn")} />
      <Figure label="voice to voice" value={millis(metric(session.metrics, "v2v_p50", "v2v_heard_p50"))} />
      <Figure
        label="interruptions"
        value={count(session.interruptions)}
        unit={unit(session.interruptions, "interruption")}
        tone={session.interruptions ? "warn" : "muted"}
      />
      <Figure
        label="errors"
        value={count(errors)}
        unit={unit(errors, "error")}
        tone={errors ? "bad" : "muted"}
      />
      <Figure label="cost" value={cost(session.cost_usd)} />
    </tr>
  );
}

const HEADINGS: [text: string, title: string, figure: boolean][] = [
  ["Status", "", false],
  ["Call", "Its title, or the first words of the user", false],
  ["Project", "", false],
  ["Model", "", false],
  ["Started", "", false],
  ["Duration", "", true],
  ["Turns", "", true],
  ["V2V p50", "Voice to voice: from the end of the user's speech to the first sound heard, median", true],
  ["Interr.", "Answers that the user interrupted", true],
  ["Errors", "", true],
  ["Cost", "US dollars", true],
];

function Head() {
  return (
    <thead>
      <tr>
        {HEADINGS.map(([text, title, figure]) => (
          <th key={text} scope="col" title={title || undefined} className={figure ? "figure" : ""}>
            {text}
          </th>
        ))}
      </tr>
    </thead>
  );
}

export function SessionTable({ sessions }: { sessions: SessionSummary[] }) {
  return (
    <table className="panel sessions" aria-label="Sessions">
      <Head />
      <tbody>
        {sessions.map((session) => (
          <Row key={session.id} session={session} />
        ))}
      </tbody>
    </table>
  );
}

export function SessionTableSkeleton() {
  return (
    <table className="panel sessions" aria-busy="true" aria-label="Sessions are loading">
      <Head />
      <tbody>
        {["a", "b", "c", "d", "e", "f"].map((row) => (
          <tr key={row}>
            {HEADINGS.map(([text]) => (
              <td key={text}>
                <span className="skeleton" />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
