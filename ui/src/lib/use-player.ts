/** React's view of a Player: state as it changes, time as rarely as a reader needs it. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Player, type PlayerState } from "./player";

/** Something that has a place in a call: a player, or a call that runs. */
export interface PlaceClock {
  readonly timeMs: number;
  onTime(listener: () => void): () => void;
  seek(ms: number): void;
}

/** A player that lives as long as the component and its address; the place outlives a change of address. */
export function usePlayer(url: string | null): Player | null {
  const [player, setPlayer] = useState<Player | null>(null);
  const placeMs = useRef(0);
  useEffect(() => {
    const made = new Player(url);
    made.seek(placeMs.current);
    setPlayer(made);
    return () => {
      placeMs.current = made.timeMs;
      made.close();
    };
  }, [url]);
  return player;
}

export function usePlayerState(player: Player): PlayerState {
  return useSyncExternalStore(player.subscribe, player.getState);
}

/** Something derived from the time; the component draws again only when the derived value changes. */
export function usePlayerTime<T extends string | number | null>(
  player: PlaceClock,
  derive: (ms: number) => T,
): T {
  return useSyncExternalStore(player.onTime, () => derive(player.timeMs));
}

/** Calls back with the time on every frame, for things that are moved without React. */
export function useEveryFrame(player: PlaceClock, act: (ms: number) => void): void {
  const latest = useRef(act);
  latest.current = act;
  const run = useCallback(() => latest.current(player.timeMs), [player]);
  useEffect(() => {
    run();
    return player.onTime(run);
  }, [player, run]);
}

export interface Size {
  width: number;
  height: number;
}

/** The size of an element, kept up to date. */
export function useSize(): [ref: (element: HTMLElement | null) => void, size: Size] {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const observer = useRef<ResizeObserver | null>(null);
  const ref = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    observer.current = new ResizeObserver(measure);
    observer.current.observe(element);
  }, []);
  return [ref, size];
}
