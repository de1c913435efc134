/**
 * The keyboard: pages say which keys do what, one listener calls them, and the help (`?`) lists them.
 * A key is `KeyboardEvent.key` (`j`, `Enter`, `?`), or two after one another (`g s`).
 */
import { useLayoutEffect, useRef, useSyncExternalStore } from "react";

export interface Key {
  key: string;
  what: string;
  /** True: the key was not for us, the browser may have it. */
  act: (event: KeyboardEvent) => unknown;
}

export interface KeyGroup {
  name: string;
  keys: readonly Key[];
}

const SEQUENCE_MS = 1_000;
let groups: readonly KeyGroup[] = [];
const listeners = new Set<() => void>();
let first = "";
let firstAt = 0;

function set(next: readonly KeyGroup[]): void {
  groups = next;
  for (const listener of listeners) listener();
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [role=menu]") !== null
  );
}

const isButton = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest("button, a, summary, input") !== null;

/** The key that an event means: the newest group first, sequences before single keys. */
export function find(all: readonly KeyGroup[], pressed: string, before: string): Key | undefined {
  for (const group of [...all].reverse()) {
    const key =
      (before && group.keys.find((one) => one.key === `${before} ${pressed}`)) ||
      group.keys.find((one) => one.key === pressed);
    if (key) return key;
  }
  return undefined;
}

function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if ((event.key === "Enter" || event.key === " ") && isButton(event.target)) return;
  const before = event.timeStamp - firstAt < SEQUENCE_MS ? first : "";
  const key = find(groups, event.key, before);
  first = groups.some((group) => group.keys.some((one) => one.key.startsWith(`${event.key} `)))
    ? event.key
    : "";
  firstAt = event.timeStamp;
  if (key && key.act(event) !== true) event.preventDefault();
}

/** As long as the component is there, these keys are its: from the moment on that it is seen. */
export function useKeys(name: string, keys: readonly Key[]): void {
  const current = useRef(keys);
  useLayoutEffect(() => {
    current.current = keys;
  });
  const shown = keys.map(({ key, what }) => `${key}\t${what}`).join("\n");
  useLayoutEffect(() => {
    const stable = shown.split("\n").map((line, at) => {
      const [key = "", what = ""] = line.split("\t");
      return { key, what, act: (event: KeyboardEvent) => current.current[at]?.act(event) };
    });
    const group = { name, keys: stable };
    if (groups.length === 0) window.addEventListener("keydown", press);
    set([...groups, group]);
    return () => {
      set(groups.filter((one) => one !== group));
      if (groups.length === 0) window.removeEventListener("keydown", press);
    };
  }, [name, shown]);
}

export function useKeyGroups(): readonly KeyGroup[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => groups,
  );
}
