/** The spans as a tree with a waterfall; a span shows what is known of it, and seeks. */
import { type CSSProperties, type KeyboardEvent, useMemo } from "react";
import type { Span } from "../../api/types";
import { clock, cost, duration, millis } from "../../lib/format";
import {
  errorText,
  fields,
  interruptionOf,
  isFailed,
  laneOf,
  spanEnd,
  spanLabel,
  type TreeRow,
  tree,
} from "../../lib/trace";
import { interruptionText } from "./Conversation";
import { JsonText } from "./JsonText";

interface Props {
  spans: Span[];
  lengthMs: number;
  selected: Span | null;
  onSelect: (span: Span) => void;
}

function barStyle(span: Span, lengthMs: number): CSSProperties {
  const left = (span.start_ms / lengthMs) * 100;
  const width = ((spanEnd(span, lengthMs) - span.start_ms) / lengthMs) * 100;
  return { left: `${Math.min(99, left)}%`, width: `max(3px, ${width}%)` };
}

interface RowProps {
  row: TreeRow;
  lengthMs: number;
  current: boolean;
  onSelect: (span: Span) => void;
}

function Row({ row: { span, depth }, lengthMs, current, onSelect }: RowProps) {
  const running = span.end_ms == null;
  const tone = isFailed(span) ? "bad" : interruptionOf(span) ? "warn" : "";
  return (
    <button
      type="button"
      className={`span-row ${laneOf(span.type)}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={current}
      title={`${span.type} · ${span.name} · from ${clock(span.start_ms)}`}
      data-testid={`span-${span.type}`}
      onClick={() => onSelect(span)}
    >
      <span className="label" style={{ paddingLeft: `${depth * 14}px` }}>
        <i aria-hidden="true" />
        <span>{spanLabel(span)}</span>
      </span>
      <span className="track" aria-hidden="true">
        <b className={tone} style={barStyle(span, lengthMs)} />
      </span>
      <span className={`length ${tone}`}>
        {running ? "running" : duration(spanEnd(span) - span.start_ms)}
      </span>
    </button>
  );
}

/** Up and down move between the rows, as in any tree. */
function moveFocus(event: KeyboardEvent<HTMLDivElement>) {
  const row = document.activeElement;
  const to =
    event.key === "ArrowDown"
      ? row?.nextElementSibling
      : event.key === "ArrowUp"
        ? row?.previousElementSibling
        : null;
  if (!(to instanceof HTMLElement)) return;
  event.preventDefault();
  to.focus();
}

export function SpanTree({ spans, lengthMs, selected, onSelect }: Props) {
  const rows = useMemo(() => tree(spans), [spans]);
  return (
    <div className="span-tree" role="tree" aria-label="Spans" onKeyDown={moveFocus} data-testid="span-tree">
      {rows.map((row) => (
        <Row
          key={row.span.id}
          row={row}
          lengthMs={Math.max(1, lengthMs)}
          current={row.span.id === selected?.id}
          onSelect={onSelect}
        />
      ))}
    </div>
  );
}

function MetricRows({ metrics }: { metrics: unknown }) {
  const rows = Object.entries(fields(metrics)).filter(
    ([, value]) => value !== null && typeof value !== "object",
  );
  if (rows.length === 0) return null;
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{typeof value === "number" ? Math.round(value * 1000) / 1000 : String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function SpanDetail({ span, onClose }: { span: Span; onClose: () => void }) {
  const cut = interruptionOf(span);
  const error = errorText(span.error);
  return (
    <section className="span-detail" aria-label={`Span ${span.name}`} data-testid="span-detail">
      <div className="panel-head">
        <h2 className="grow">
          {span.type} · {span.name}
        </h2>
        <button type="button" className="button quiet" onClick={onClose}>
          Close
        </button>
      </div>
      <p className="muted padded">
        {clock(span.start_ms)} to {span.end_ms == null ? "now" : clock(span.end_ms)} ·{" "}
        {span.status ?? "no status"}
        {span.cost_usd ? ` · ${cost(span.cost_usd)}` : ""}
        {span.end_ms == null ? "" : ` · ${millis(span.end_ms - span.start_ms)}`}
      </p>
      {cut && <p className="warn padded">{interruptionText(cut)}</p>}
      {error && <p className="bad padded">{error}</p>}
      <MetricRows metrics={span.metrics} />
      {(["input", "output", "usage"] as const).map((key) =>
        span[key] == null ? null : (
          <details key={key} open={key !== "usage"}>
            <summary>{key}</summary>
            <JsonText value={span[key]} label={key} />
          </details>
        ),
      )}
    </section>
  );
}
