/** The rows of the list: only those in sight are drawn, so that it stays quick with any number. */
import { Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { SessionSummary } from "../../api/types";
import { sessionTitle } from "../../lib/trace";
import { Icon } from "../Icon";
import { Status } from "../Status";
import type { Column } from "./columns";
import { Excerpt } from "./Excerpt";
import { KindSign } from "./Kind";

interface RowProps {
  session: SessionSummary;
  columns: readonly Column[];
  index: number;
  active: boolean;
  selected: boolean;
  isNew: boolean;
  onSelect: (index: number, range: boolean) => void;
}

const Row = memo(function Row({ session, columns, index, active, selected, isNew, onSelect }: RowProps) {
  const state = `${active ? "active" : ""} ${selected ? "selected" : ""} ${isNew ? "new" : ""}`;
  return (
    <tr data-testid="session-row" data-id={session.id} className={state} aria-rowindex={index + 2}>
      <td className="cell-check">
        <input
          type="checkbox"
          aria-label={`Select ${sessionTitle(session)}`}
          checked={selected}
          onChange={() => {}}
          onClick={(event) => onSelect(index, event.shiftKey)}
        />
      </td>
      <td className="cell-status">
        <Status status={session.status} />
      </td>
      <td className="cell-title">
        <span className="title-line">
          <KindSign session={session} />
          <Link to="/sessions/$id" params={{ id: session.id }}>
            {sessionTitle(session)}
          </Link>
          {session.tags.map((tag) => (
            <span className="tag" key={tag}>
              {tag}
            </span>
          ))}
        </span>
        {session.excerpt && <Excerpt excerpt={session.excerpt} />}
      </td>
      {columns.map((column) => (
        <td
          key={column.id}
          className={`cell-${column.id} ${column.figure ? "figure" : ""} ${column.tone?.(session) ?? ""}`}
          data-unit={column.unit?.(session)}
        >
          {column.cell(session)}
        </td>
      ))}
    </tr>
  );
});

export interface Sorting {
  sort: string;
  order: "asc" | "desc";
}

interface HeadProps {
  columns: readonly Column[];
  sorting: Sorting;
  onSort: (sorting: Sorting) => void;
  /** Whether all, some or none of the rows are selected. */
  selection: "all" | "some" | "none";
  onSelectAll: () => void;
}

function Head({ columns, sorting, onSort, selection, onSelectAll }: HeadProps) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current) box.current.indeterminate = selection === "some";
  }, [selection]);
  return (
    <thead>
      <tr aria-rowindex={1}>
        <th scope="col" className="cell-check">
          <input
            ref={box}
            type="checkbox"
            aria-label="Select all that are loaded"
            checked={selection === "all"}
            onChange={onSelectAll}
          />
        </th>
        <th scope="col" className="cell-status">
          Status
        </th>
        <th scope="col" className="cell-title" title="Its title, or the first words that were said">
          Session
        </th>
        {columns.map((column) => (
          <Heading key={column.id} column={column} sorting={sorting} onSort={onSort} />
        ))}
      </tr>
    </thead>
  );
}

function Heading({ column, sorting, onSort }: { column: Column } & Pick<HeadProps, "sorting" | "onSort">) {
  const { sort } = column;
  const name = `cell-${column.id} ${column.figure ? "figure" : ""}`;
  if (!sort) {
    return (
      <th scope="col" className={name} title={column.title || undefined}>
        {column.label}
      </th>
    );
  }
  const own = sorting.sort === sort;
  const next = own && sorting.order === "desc" ? "asc" : "desc";
  return (
    <th scope="col" className={name} aria-sort={own ? `${sorting.order}ending` : undefined}>
      <button type="button" title={column.title} onClick={() => onSort({ sort, order: next })}>
        {column.label}
        {own && <Icon name={sorting.order === "asc" ? "up" : "down"} />}
      </button>
    </th>
  );
}

interface Props extends HeadProps {
  sessions: readonly SessionSummary[];
  /** Whether older ones can be fetched. */
  hasMore: boolean;
  onMore: () => void;
  active: number;
  selected: ReadonlySet<string>;
  fresh: ReadonlySet<string>;
  onSelect: (index: number, range: boolean) => void;
  /** While another filter's sessions are on their way. */
  stale: boolean;
  /** Whether each row is a card. */
  narrow: boolean;
}

const CHECK_PX = 36;
const STATUS_PX = 112;
const TITLE_PX = 280;
const ROW_PX = 40;
const EXCERPT_PX = 20;
const CARD_PX = 104;
/** Rows from the end at which older ones are fetched. */
const AHEAD = 30;

function useRows(sessions: readonly SessionSummary[], narrow: boolean) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const from = body.current?.getBoundingClientRect().top ?? 0;
    setTop(Math.round(from + window.scrollY));
  }, []);
  const virtual = useWindowVirtualizer({
    count: sessions.length,
    estimateSize: (index) => (narrow ? CARD_PX : ROW_PX) + (sessions[index]?.excerpt ? EXCERPT_PX : 0),
    overscan: 12,
    scrollMargin: top,
    // A row keeps its place when new ones come above it.
    getItemKey: (index) => sessions[index]?.id ?? index,
  });
  const words = sessions.some((one) => one.excerpt);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other sizes need a new measuring.
  useEffect(() => virtual.measure(), [narrow, words]);
  return { body, virtual, top };
}

export function Table(props: Props) {
  const { sessions, hasMore, onMore, active, selected, fresh, onSelect, stale, narrow, ...head } = props;
  const { body, virtual, top } = useRows(sessions, narrow);
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= sessions.length - AHEAD) onMore();
  }, [hasMore, last, sessions.length, onMore]);
  useEffect(() => {
    if (active >= 0) virtual.scrollToIndex(active, { align: "auto" });
  }, [active, virtual]);
  const before = (rows[0]?.start ?? top) - top;
  const after = virtual.getTotalSize() - ((rows.at(-1)?.end ?? top) - top);
  const wide = head.columns.length + 3;
  return (
    <table
      className={`panel sessions ${stale ? "stale" : ""}`}
      aria-label="Sessions"
      aria-rowcount={hasMore ? -1 : sessions.length + 1}
      style={narrow ? undefined : { minWidth: leastWidth(head.columns) }}
    >
      <Widths columns={head.columns} />
      <Head {...head} />
      <tbody ref={body}>
        {before > 0 && <Space height={before} wide={wide} />}
        {rows.map(({ index }) => {
          const session = sessions[index];
          return session ? (
            <Row
              key={session.id}
              session={session}
              columns={head.columns}
              index={index}
              active={index === active}
              selected={selected.has(session.id)}
              isNew={fresh.has(session.id)}
              onSelect={onSelect}
            />
          ) : null;
        })}
        {after > 0 && <Space height={after} wide={wide} />}
      </tbody>
    </table>
  );
}

const leastWidth = (columns: readonly Column[]) =>
  columns.reduce((sum, column) => sum + column.width, CHECK_PX + STATUS_PX + TITLE_PX);

/** Fixed, so that nothing moves when other rows come into sight. */
function Widths({ columns }: { columns: readonly Column[] }) {
  return (
    <colgroup>
      <col style={{ width: CHECK_PX }} />
      <col style={{ width: STATUS_PX }} />
      <col />
      {columns.map((column) => (
        <col key={column.id} style={{ width: column.width }} />
      ))}
    </colgroup>
  );
}

/** In the place of rows that are not drawn. */
function Space({ height, wide }: { height: number; wide: number }) {
  return (
    <tr className="space">
      <td colSpan={wide} style={{ height }} />
    </tr>
  );
}

export function TableSkeleton({ columns }: { columns: readonly Column[] }) {
  const all = ["", "Status", "Call", ...columns.map((column) => column.label)];
  return (
    <table className="panel sessions" aria-busy="true" aria-label="Sessions are loading">
      <Widths columns={columns} />
      <thead>
        <tr>
          {all.map((label) => (
            <th key={label} scope="col" className={label === "Call" ? "cell-title" : ""}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {["a", "b", "c", "d", "e", "f", "g", "h"].map((row) => (
          <tr key={row}>
            {all.map((label) => (
              <td key={label}>{label && <span className="skeleton" />}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
