/** The raw event log: every message of both sides, in a window that stays quick with tens of thousands of rows. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { type Direction, type EventFilter, type EventRow, filterRows, typeCounts } from "../../lib/event-log";
import { bytes, clock, count } from "../../lib/format";
import { useEventLog } from "../../lib/use-event-log";
import { Problem } from "../Problem";

const ARROWS: Record<Direction, string> = { client: "→", server: "←", gateway: "•" };
const DIRECTIONS: [Direction | "", string][] = [
  ["", "All directions"],
  ["client", "→ from the client"],
  ["server", "← from the provider"],
  ["gateway", "• of the gateway"],
];
const ROW_PX = 30;

interface FiltersProps {
  rows: EventRow[];
  shown: number;
  filter: EventFilter;
  onChange: (filter: EventFilter) => void;
}

function Filters({ rows, shown, filter, onChange }: FiltersProps) {
  const types = useMemo(() => typeCounts(rows), [rows]);
  return (
    <div className="event-filters">
      <select
        className="input"
        aria-label="Direction"
        value={filter.dir}
        onChange={(event) => onChange({ ...filter, dir: event.target.value as Direction | "" })}
      >
        {DIRECTIONS.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      <select
        className="input"
        aria-label="Event type"
        data-testid="event-type"
        value={filter.type}
        onChange={(event) => onChange({ ...filter, type: event.target.value })}
      >
        <option value="">All types</option>
        {types.map(([type, many]) => (
          <option key={type} value={type}>
            {type} ({count(many)})
          </option>
        ))}
      </select>
      <input
        className="input"
        type="search"
        placeholder="Words in type or text"
        aria-label="Words in the events"
        value={filter.words}
        onChange={(event) => onChange({ ...filter, words: event.target.value })}
      />
      <span className="muted" data-testid="event-count">
        {shown === rows.length ? `${count(shown)} events` : `${count(shown)} of ${count(rows.length)} events`}
      </span>
    </div>
  );
}

interface EventProps {
  row: EventRow;
  open: boolean;
  onToggle: () => void;
  onSeek: () => void;
}

function Event({ row, open, onToggle, onSeek }: EventProps) {
  return (
    <>
      <div className={`event ${row.dir} ${row.type === "error" ? "is-error" : ""}`}>
        <button type="button" className="at" title="Seek to here" onClick={onSeek}>
          {clock(row.ms, 3)}
        </button>
        <button type="button" className="event-line" aria-expanded={open} onClick={onToggle}>
          <span className="dir" title={row.dir}>
            {ARROWS[row.dir]}
            <span className="visually-hidden">{row.dir}</span>
          </span>
          <span className="event-type">{row.type}</span>
          <span className="event-hint">{row.hint}</span>
          <span className="event-size">{bytes(row.size)}</span>
        </button>
      </div>
      {open && (
        <pre className="event-json">
          <code>{JSON.stringify(row.message, null, 2)}</code>
        </pre>
      )}
    </>
  );
}

function toggled(set: Set<number>, index: number): Set<number> {
  const next = new Set(set);
  if (!next.delete(index)) next.add(index);
  return next;
}

function Rows({ rows, onSeek }: { rows: EventRow[]; onSeek: (ms: number) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<Set<number>>(new Set());
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (i) => rows[i]?.index ?? i,
    overscan: 12,
  });
  return (
    <div className="event-rows" ref={scroller} data-testid="event-rows">
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className="event-slot"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Event
                row={row}
                open={open.has(row.index)}
                onToggle={() => setOpen((before) => toggled(before, row.index))}
                onSeek={() => onSeek(row.ms)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Events({ id, live, onSeek }: { id: string; live: boolean; onSeek: (ms: number) => void }) {
  const { rows, error, loading, dropped, reload } = useEventLog(id, live);
  const [filter, setFilter] = useState<EventFilter>({ dir: "", type: "", words: "" });
  const shown = useMemo(() => filterRows(rows, filter), [rows, filter]);
  return (
    <section className="panel events" aria-label="Raw events" aria-busy={loading}>
      <Filters rows={rows} shown={shown.length} filter={filter} onChange={setFilter} />
      {error && <Problem error={error} retry={reload} />}
      {dropped > 0 && (
        <p className="notice warning">
          The newest {count(rows.length)} events are shown; the {count(dropped)} before them are in the
          download.
        </p>
      )}
      {loading && rows.length === 0 ? (
        <span className="skeleton tall" />
      ) : (
        <Rows rows={shown} onSeek={onSeek} />
      )}
    </section>
  );
}
