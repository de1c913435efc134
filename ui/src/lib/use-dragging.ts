/** Dragging sideways, in pixels since the last move. */
import { type PointerEvent, useRef } from "react";

export function useDragging(moved: (byPx: number) => void) {
  const last = useRef<number | null>(null);
  return {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      last.current = event.clientX;
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      if (last.current === null) return;
      moved(event.clientX - last.current);
      last.current = event.clientX;
    },
    onPointerUp: () => {
      last.current = null;
    },
    onPointerCancel: () => {
      last.current = null;
    },
  };
}
