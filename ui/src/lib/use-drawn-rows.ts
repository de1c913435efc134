/**
 * Which rows of a list that scrolls by itself are drawn: all of a short one, so that the browser finds its words and
 * copies them; of a long one those in sight, so that a call of hours opens as quickly as one of a minute.
 */
import { defaultRangeExtractor, useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect } from "react";

const DRAWN_WHOLE = 100;
const AROUND = 12;

export type DrawnRows = Virtualizer<HTMLElement, Element>;

interface Rows {
  scroller: RefObject<HTMLElement | null>;
  keys: readonly string[];
  /** The height of a row, or about what it will be measured to be. */
  rowPx: number;
  /** A row that is drawn wherever it is: the one that Tab reaches. -1 for none. */
  always?: number;
}

export function useDrawnRows({ scroller, keys, rowPx, always = -1 }: Rows): DrawnRows {
  return useVirtualizer<HTMLElement, Element>({
    count: keys.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    getItemKey: (at) => keys[at] ?? at,
    overscan: keys.length <= DRAWN_WHOLE ? DRAWN_WHOLE : AROUND,
    rangeExtractor: (range) => {
      const drawn = defaultRangeExtractor(range);
      if (always < 0 || always >= keys.length || drawn.includes(always)) return drawn;
      return [...drawn, always].sort((a, b) => a - b);
    },
  });
}

/** Scrolls to a row that is not in sight. */
export function reveal(rows: DrawnRows, at: number): void {
  const row = rows.measurementsCache[at];
  const from = rows.scrollOffset ?? 0;
  const height = rows.scrollRect?.height ?? 0;
  if (!row || height === 0 || (row.start >= from && row.end <= from + height)) return;
  rows.scrollToIndex(at, { align: "center" });
}

const NEAR_END_PX = 360;

/** Keeps what sounds now, or what came last in a running call, in sight. `growing` is its length, 0 once it has ended. */
export function useFollowed(rows: DrawnRows, active: number, growing: number): void {
  useEffect(() => {
    if (active >= 0) reveal(rows, active);
  }, [rows, active]);
  useEffect(() => {
    if (growing === 0 || active >= 0) return;
    const below = rows.getTotalSize() - (rows.scrollOffset ?? 0) - (rows.scrollRect?.height ?? 0);
    if (below < NEAR_END_PX) rows.scrollToIndex(growing - 1, { align: "end" });
  }, [rows, active, growing]);
}
