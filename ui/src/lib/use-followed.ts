/** Keeps what sounds now, or what came last in a running call, in sight of a list that scrolls by itself. */
import { type RefObject, useEffect } from "react";

const NEAR_END_PX = 120;

/** `count` is how many there are of a list that grows; 0 for one that does not. */
export function useFollowed(list: RefObject<HTMLElement | null>, active: string | null, count: number): void {
  useEffect(() => {
    const box = list.current;
    const entry = active && box?.querySelector<HTMLElement>(`[data-span="${CSS.escape(active)}"]`);
    if (!box || !entry) return;
    const { top, bottom } = entry.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    if (top >= frame.top && bottom <= frame.bottom) return;
    box.scrollTop += top - frame.top - box.clientHeight / 3;
  }, [list, active]);
  useEffect(() => {
    const box = list.current;
    if (!box || count === 0 || active) return;
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX * 3)
      box.scrollTop = box.scrollHeight;
  }, [list, active, count]);
}
