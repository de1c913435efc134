/** Which rows of a list are selected, by id; a range goes from the row that was touched last. */
import { useCallback, useRef, useState } from "react";

/** What is selected after row `index` was touched, with shift (`range`) or without. */
export function toggled(
  ids: readonly string[],
  before: ReadonlySet<string>,
  index: number,
  anchor: number,
  range: boolean,
): Set<string> {
  const after = new Set(before);
  const id = ids[index];
  if (id === undefined) return after;
  if (!range || anchor < 0) {
    if (!after.delete(id)) after.add(id);
    return after;
  }
  const [from, to] = anchor < index ? [anchor, index] : [index, anchor];
  for (const one of ids.slice(from, to + 1)) after.add(one);
  return after;
}

export function useSelection(rows: readonly { id: string }[]) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const current = useRef(rows);
  current.current = rows;
  const anchor = useRef<string | null>(null);

  const toggle = useCallback((index: number, range: boolean) => {
    const ids = current.current.map((row) => row.id);
    const from = anchor.current === null ? -1 : ids.indexOf(anchor.current);
    anchor.current = ids[index] ?? null;
    setSelected((before) => toggled(ids, before, index, from, range));
  }, []);
  const clear = useCallback(() => setSelected(new Set()), []);
  const toggleAll = useCallback(() => {
    const ids = current.current.map((row) => row.id);
    setSelected((before) => (ids.every((id) => before.has(id)) ? new Set() : new Set(ids)));
  }, []);
  return { selected, toggle, toggleAll, clear };
}
