/** All spans as a tree with a waterfall beside it; a span's detail opens below. */
import {
  type CSSProperties,
  type KeyboardEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { Span } from "../../api/types";
import { clock, cost, duration, millis } from "../../lib/format";
import { requestOf } from "../../lib/requests";
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
import { type DrawnRows, reveal, useDrawnRows } from "../../lib/use-drawn-rows";
import { interruptionText } from "./Conversation";
import { JsonTree } from "./JsonTree";
import { Pictures } from "./Pictures";
import { RequestLinks } from "./Requests";

interface Props {
  spans: Span[];
  lengthMs: number;
  selected: Span | null;
  onSelect: (span: Span) => void;
}

const kindOf = (span: Span) => (span.request ? "request" : span.type);

function barStyle(span: Span, lengthMs: number): CSSProperties {
  const left = (span.start_ms / lengthMs) * 100;
  const width = ((Math.min(spanEnd(span, lengthMs), lengthMs) - span.start_ms) / lengthMs) * 100;
  return { left: `${Math.min(99, left)}%`, width: `max(3px, ${width}%)` };
}

interface RowProps {
  row: TreeRow;
  /** Of its top in the list. */
  topPx: number;
  /** From 1, of so many rows. */
  place: number;
  size: number;
  lengthMs: number;
  current: boolean;
  /** The one row that Tab reaches. */
  entry: boolean;
  /** Undefined for one without children. */
  open: boolean | undefined;
  onSelect: (span: Span) => void;
  onFold: (id: string) => void;
}

const Row = memo(function Row(props: RowProps) {
  const { row, topPx, place, size, lengthMs, current, entry, open, onSelect, onFold } = props;
  const { span, depth } = row;
  const running = span.end_ms == null;
  const tone = isFailed(span) ? "bad" : interruptionOf(span) ? "warn" : "";
  return (
    <div
      className={`span-row ${span.request ? "request" : laneOf(span.type)}`}
      role="treeitem"
      style={{ transform: `translateY(${topPx}px)` }}
      aria-level={depth + 1}
      aria-posinset={place}
      aria-setsize={size}
      aria-selected={current}
      aria-expanded={open}
      tabIndex={entry ? 0 : -1}
      title={`${kindOf(span)} · ${span.name} · from ${clock(span.start_ms)}`}
      data-testid={`span-${kindOf(span)}`}
      data-span={span.id}
      onClick={() => onSelect(span)}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        event.stopPropagation();
        onSelect(span);
      }}
    >
      <span className="label" style={{ paddingLeft: `${depth * 14}px` }}>
        {open === undefined ? (
          <span className="fold" />
        ) : (
          <button
            type="button"
            className="fold"
            tabIndex={-1}
            aria-label={open ? "Fold" : "Unfold"}
            onClick={(event) => {
              event.stopPropagation();
              onFold(span.id);
            }}
          >
            {open ? "▾" : "▸"}
          </button>
        )}
        <i aria-hidden="true" />
        <span>{spanLabel(span)}</span>
      </span>
      <span className="track" aria-hidden="true">
        <b className={tone} style={barStyle(span, lengthMs)} />
      </span>
      <span className={`length ${tone}`}>
        {running ? "running" : duration(spanEnd(span) - span.start_ms)}
      </span>
    </div>
  );
});

/** Rows without those below a folded one. */
function unfolded(rows: TreeRow[], folded: Set<string>): TreeRow[] {
  let hiddenBelow = Number.POSITIVE_INFINITY;
  return rows.filter(({ span, depth }) => {
    if (depth > hiddenBelow) return false;
    hiddenBelow = folded.has(span.id) ? depth : Number.POSITIVE_INFINITY;
    return true;
  });
}

function toggled(set: Set<string>, id: string): Set<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

const ROW_PX = 26;

/** The row that Tab reaches, and the way of the arrow keys from it to one that may not be drawn yet. */
function useFocus(ids: readonly string[], selected: string | undefined) {
  const [last, setLast] = useState<string | null>(null);
  const wanted = useRef<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const at = Math.max(0, ids.indexOf(last ?? ""), last === null ? ids.indexOf(selected ?? "") : 0);
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    box.current
      ?.querySelector<HTMLElement>(`[data-span="${CSS.escape(wanted.current)}"]`)
      ?.focus({ preventScroll: true });
    wanted.current = null;
  });
  const go = (rows: DrawnRows, to: number) => {
    wanted.current = ids[to] ?? null;
    setLast(wanted.current);
    rows.scrollToIndex(to, { align: "auto" });
  };
  return { box, at, go, setLast };
}

const rowOf = (target: EventTarget) => (target as HTMLElement).closest<HTMLElement>("[role=treeitem]");

export function SpanTree({ spans, lengthMs, selected, onSelect }: Props) {
  const all = useMemo(() => tree(spans), [spans]);
  const parents = useMemo(() => new Set(spans.map((span) => span.parent_id)), [spans]);
  const [folded, setFolded] = useState<Set<string>>(new Set());
  const rows = useMemo(() => unfolded(all, folded), [all, folded]);
  const ids = useMemo(() => rows.map(({ span }) => span.id), [rows]);
  const fold = useCallback((id: string) => setFolded((before) => toggled(before, id)), []);
  const selectedId = selected?.id;
  const { box, at, go, setLast } = useFocus(ids, selectedId);
  const drawn = useDrawnRows({ scroller: box, keys: ids, rowPx: ROW_PX, always: at });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that are folded must not move the list
  useEffect(() => {
    if (selectedId) reveal(drawn, ids.indexOf(selectedId));
  }, [selectedId, drawn]);
  // Up and down move between the rows, left and right fold, as in any tree.
  const keys = (event: KeyboardEvent<HTMLDivElement>) => {
    const row = rowOf(event.target);
    const from = ids.indexOf(row?.dataset.span ?? "");
    if (!row || from < 0) return;
    const to = { ArrowDown: from + 1, ArrowUp: from - 1, Home: 0, End: ids.length - 1 }[event.key];
    const open = { ArrowRight: true, ArrowLeft: false }[event.key];
    if (to === undefined && open === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (to !== undefined) go(drawn, Math.max(0, Math.min(ids.length - 1, to)));
    else if (open !== undefined && row.ariaExpanded === String(!open)) fold(row.dataset.span ?? "");
  };
  return (
    <div
      className="span-tree"
      role="tree"
      aria-label="Spans"
      ref={box}
      onKeyDown={keys}
      onFocus={(event) => setLast(rowOf(event.target)?.dataset.span ?? null)}
      data-testid="span-tree"
    >
      <div role="presentation" style={{ height: drawn.getTotalSize() }}>
        {drawn.getVirtualItems().map(({ index, key, start }) => {
          const row = rows[index];
          return row ? (
            <Row
              key={key}
              row={row}
              topPx={start}
              place={index + 1}
              size={rows.length}
              lengthMs={Math.max(1, lengthMs)}
              current={row.span.id === selectedId}
              entry={index === at}
              open={parents.has(row.span.id) ? !folded.has(row.span.id) : undefined}
              onSelect={onSelect}
              onFold={fold}
            />
          ) : null;
        })}
      </div>
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

interface DetailProps {
  sessionId: string;
  /** What can be done with the span. */
  actions?: ReactNode;
  span: Span;
  onClose: () => void;
}

export function SpanDetail({ sessionId, actions, span, onClose }: DetailProps) {
  const cut = interruptionOf(span);
  const error = errorText(span.error);
  const request = requestOf(span);
  return (
    <section className="span-detail" aria-label={`Span ${span.name}`} data-testid="span-detail">
      <div className="panel-head">
        <h2 className="grow">
          {kindOf(span)} · {span.name}
        </h2>
        {actions}
        <button type="button" className="button quiet small" onClick={onClose}>
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
      {request && <RequestLinks requests={[request]} />}
      <Pictures sessionId={sessionId} span={span} />
      <MetricRows metrics={span.metrics} />
      {(["input", "output", "usage"] as const).map((key) =>
        span[key] == null ? null : (
          <details className="span-part" key={key} open={key !== "usage"}>
            <summary className="part-summary">{key}</summary>
            <JsonTree value={span[key]} label={key} />
          </details>
        ),
      )}
    </section>
  );
}
