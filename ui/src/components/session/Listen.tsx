/** Listening in on a running call, with a meter that says whether there is anything to hear. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Ear } from "../../lib/listen";
import { Icon } from "../Icon";

function Meter({ ear }: { ear: Ear }) {
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(
    () =>
      ear.onTick(() => {
        const level = ear.level();
        if (!bar.current) return;
        bar.current.style.width = `${Math.min(100, Math.sqrt(level) * 160)}%`;
        bar.current.dataset.level = level.toFixed(4);
      }),
    [ear],
  );
  return (
    <span className="meter" aria-hidden="true">
      <span className="meter-bar" ref={bar} data-testid="listen-level" data-level="0" />
    </span>
  );
}

export function Listen({ ear, recorded }: { ear: Ear; recorded: boolean }) {
  const state = useSyncExternalStore(ear.subscribe, ear.getState);
  if (!recorded) return <span className="muted">The sound of this call is not recorded.</span>;
  const label = state.connecting ? "Connecting…" : state.on ? "Stop listening" : "Listen in";
  return (
    <>
      <button
        type="button"
        className={`button ${state.on ? "" : "primary"} listen`}
        data-testid="listen"
        aria-pressed={state.on}
        title="Hear the call about a second behind (space)"
        onClick={() => ear.toggle()}
      >
        <Icon name={state.on || state.connecting ? "stop" : "speaker"} /> {label}
      </button>
      {state.on && <Meter ear={ear} />}
      {state.error && (
        <span className="bad" role="alert">
          {state.error}
        </span>
      )}
    </>
  );
}
