/** Play, place, speed: the controls under the waveform. */
import { useState } from "react";
import { clock } from "../../lib/format";
import type { Player } from "../../lib/player";
import { usePlayerState, usePlayerTime } from "../../lib/use-player";
import { Icon } from "../Icon";

const RATES = [1, 1.25, 1.5, 2, 0.75];

export function Transport({ player, lengthMs, live }: { player: Player; lengthMs: number; live: boolean }) {
  const [rate, setRate] = useState(1);
  const time = usePlayerTime(player, (ms) => clock(ms));
  const next = RATES[(RATES.indexOf(rate) + 1) % RATES.length] ?? 1;
  return (
    <div className="transport">
      <PlayButton player={player} />
      <span className="time">
        <strong data-testid="time">{time}</strong> <span className="muted">/ {clock(lengthMs)}</span>
      </span>
      <button
        type="button"
        className="button quiet"
        aria-label={`Speed ${rate}, change to ${next}`}
        onClick={() => {
          player.rate = next;
          setRate(next);
        }}
      >
        {rate.toFixed(2).replace(/0$/, "")}×
      </button>
      {live && (
        <button type="button" className="button" onClick={() => player.reload()}>
          Load what was said since
        </button>
      )}
      <span className="grow" />
      <span className="keys hide-small muted" aria-hidden="true">
        <kbd>space</kbd> play <kbd>←</kbd> <kbd>→</kbd> 2 s <kbd>J</kbd> <kbd>K</kbd> turn <kbd>I</kbd>{" "}
        interruption <kbd>E</kbd> error
      </span>
    </div>
  );
}

function PlayButton({ player }: { player: Player }) {
  const state = usePlayerState(player);
  return (
    <>
      <button
        type="button"
        className="play"
        data-testid="play"
        data-playing={state.playing}
        disabled={state.failed}
        aria-label={state.playing ? "Pause" : "Play"}
        onClick={() => player.toggle()}
      >
        <Icon name={state.playing ? "pause" : "play"} />
      </button>
      {state.failed && <span className="muted">There is no sound to play in this call.</span>}
    </>
  );
}
