/** Short messages that come and go: what was done, and what failed in the background. */
import { useSyncExternalStore } from "react";

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const SHOWN_MS = 5_000;
const SHOWN_BAD_MS = 12_000;
let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function dismiss(id: number): void {
  set(toasts.filter((one) => one.id !== id));
}

export function toast(text: string, { bad = false } = {}): void {
  last += 1;
  const id = last;
  set([...toasts.slice(-3), { id, text, bad }]);
  setTimeout(() => dismiss(id), bad ? SHOWN_BAD_MS : SHOWN_MS);
}

/** For `onError` of a mutation whose button has no place to say it. */
export function toastError(error: Error): void {
  toast(error.message, { bad: true });
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}
