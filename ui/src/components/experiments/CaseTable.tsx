/** The cases of an experiment with what they scored: only rows in sight are drawn. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Comparison, Experiment } from "../../api/schema";
import { inputText } from "../../lib/cases";
import { type CaseRow, change, pairsOf, scoreNames, scoreValue } from "../../lib/experiment";

const ROW_PX = 52;

interface Props {
  experiment: Experiment;
  rows: readonly CaseRow[];
  comparison: Comparison | undefined;
  selected: string | undefined;
  onSelect: (id: string) => void;
  /** The score that it is sorted by. */
  sorted: string | undefined;
  onSort: (name: string) => void;
}

function answer({ results }: CaseRow): string {
  const last = results.at(-1);
  if (!last) return "not run yet";
  return last.error ? `failed: ${last.error}` : (last.output?.text ?? "no words");
}

function ScoreCell({ row, name, unit, pair }: CellProps) {
  const value = row.means.get(name);
  const why = row.missing.get(name);
  return (
    <td className="figure" title={why} data-label={name}>
      {value === undefined ? <span className="muted">{why ? "missing" : "–"}</span> : scoreValue(value, unit)}
      {pair && pair.delta !== 0 && (
        <small className={`block ${pair.change === "regressed" ? "bad" : "good"}`}>
          {change(pair.delta, unit)}
          <span className="visually-hidden"> {pair.change}</span>
        </small>
      )}
    </td>
  );
}

interface CellProps {
  row: CaseRow;
  name: string;
  unit: string | null | undefined;
  pair: ReturnType<typeof pairsOf> extends Map<string, infer P> ? P | undefined : never;
}

export function CaseTable(props: Props) {
  const { experiment, rows, comparison, selected, onSelect, sorted, onSort } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const names = scoreNames(experiment);
  const pairs = new Map(names.map((name) => [name, pairsOf(comparison, name)]));
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (at) => rows[at]?.id ?? at,
    overscan: 10,
  });
  const at = rows.findIndex((row) => row.id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [at, virtual]);
  const drawn = virtual.getVirtualItems();
  const before = drawn[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (drawn.at(-1)?.end ?? 0);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
    <section className="panel case-table" ref={scroller} tabIndex={0} aria-label="Cases, scrolling">
      <table className="table cards" aria-label="Cases" aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">Case</th>
            {names.map((name) => (
              <th key={name} scope="col" className="figure" aria-sort={name === sorted ? "other" : undefined}>
                <button type="button" title={`Worst first by ${name}`} onClick={() => onSort(name)}>
                  {name}
                </button>
              </th>
            ))}
            <th scope="col" className="figure">
              Trials
            </th>
          </tr>
        </thead>
        <tbody>
          {before > 0 && <Space height={before} wide={names.length + 2} />}
          {drawn.map(({ index }) => {
            const row = rows[index];
            return row ? (
              <tr
                key={row.id}
                ref={virtual.measureElement}
                data-index={index}
                aria-rowindex={index + 2}
                aria-selected={row.id === selected}
                className={row.id === selected ? "selected" : ""}
                data-testid="result-row"
                data-id={row.id}
                onClick={() => onSelect(row.id)}
              >
                <td className="case-cell">
                  <button type="button" className="link ellipsis" onClick={() => onSelect(row.id)}>
                    {row.one ? inputText(row.one) : row.id}
                  </button>
                  <small className={`ellipsis block ${row.errors > 0 ? "bad" : "muted"}`}>
                    {answer(row)}
                  </small>
                </td>
                {names.map((name) => (
                  <ScoreCell
                    key={name}
                    row={row}
                    name={name}
                    unit={experiment.scores[name]?.unit}
                    pair={pairs.get(name)?.get(row.id)}
                  />
                ))}
                <td className="figure" data-label="Trials">
                  {row.results.length}
                  {row.errors > 0 && <small className="block bad">{row.errors} failed</small>}
                </td>
              </tr>
            ) : null;
          })}
          {after > 0 && <Space height={after} wide={names.length + 2} />}
        </tbody>
      </table>
    </section>
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
