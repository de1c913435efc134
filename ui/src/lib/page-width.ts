/** How wide the page is, in steps, so that a window that is being dragged does not draw everything each time. */
import { useSyncExternalStore } from "react";

const STEP_PX = 20;

function subscribe(listener: () => void): () => void {
  window.addEventListener("resize", listener);
  return () => window.removeEventListener("resize", listener);
}

export function usePageWidth(): number {
  return useSyncExternalStore(subscribe, () => Math.floor(window.innerWidth / STEP_PX) * STEP_PX);
}

/** As in the styles: below it rows become cards. */
export const NARROW_PX = 900;
