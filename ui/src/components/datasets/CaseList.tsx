/** The cases of a data set: only those in sight are drawn, and more are fetched as one scrolls. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Case } from "../../api/schema";
import { expectedText, inputText, KINDS } from "../../lib/cases";

const ROW_PX = 58;
const AHEAD = 20;

interface Props {
  cases: readonly Case[];
  selected: string | null;
  onSelect: (id: string) => void;
  hasMore: boolean;
  onMore: () => void;
}

function Row({ one, current, onSelect }: { one: Case; current: boolean; onSelect: () => void }) {
  const expected = expectedText(one);
  return (
    <button
      type="button"
      className="case-row"
      aria-current={current || undefined}
      data-testid="case-row"
      data-id={one.id}
      onClick={onSelect}
    >
      <span className="case-kind">{KINDS[one.input.kind]}</span>
      <span className="ellipsis case-in">{inputText(one)}</span>
      <span className="case-tags">
        {one.tags?.map((tag) => (
          <span className="tag" key={tag}>
            {tag}
          </span>
        ))}
      </span>
      <span className={`ellipsis case-out ${expected ? "" : "muted"}`}>
        {expected ? `→ ${expected}` : "nothing expected yet"}
      </span>
    </button>
  );
}

export function CaseList({ cases, selected, onSelect, hasMore, onMore }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: cases.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (at) => cases[at]?.id ?? at,
    overscan: 10,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= cases.length - AHEAD) onMore();
  }, [hasMore, last, cases.length, onMore]);
  const at = cases.findIndex((one) => one.id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [at, virtual]);
  return (
    <div className="panel case-list" ref={scroller}>
      <ul style={{ height: virtual.getTotalSize() }} aria-label="Cases">
        {rows.map(({ index, key, start }) => {
          const one = cases[index];
          return one ? (
            <li
              key={key}
              style={{ transform: `translateY(${start}px)` }}
              aria-setsize={hasMore ? -1 : cases.length}
              aria-posinset={index + 1}
            >
              <Row one={one} current={one.id === selected} onSelect={() => onSelect(one.id)} />
            </li>
          ) : null;
        })}
      </ul>
    </div>
  );
}
