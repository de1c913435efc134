/** Play, place, speed, loop, zoom: the controls under the lanes. */
import type { ReactNode } from "react";
import { clock } from "../../lib/format";
import type { Player } from "../../lib/player";
import type { SoundState } from "../../lib/trace";
import { usePlayerState, usePlayerTime } from "../../lib/use-player";
import type { ViewState } from "../../lib/view";
import { Icon } from "../Icon";

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

interface TransportProps {
  player: Player;
  view: ViewState;
  lengthMs: number;
  sound: SoundState;
  onLoop: () => void;
  /** What stands in place of the play button while the call runs. */
  listen?: ReactNode;
}

const SOUND_WORDS: Record<SoundState, string> = {
  live: "",
  making: "The whole call is being put together…",
  ready: "",
  none: "This call has no sound.",
  unrecorded: "The sound of this call was not recorded: its credential said so.",
};

export function stepRate(player: Player, by: number): void {
  const at = RATES.indexOf(player.state.rate);
  player.rate = RATES[Math.min(RATES.length - 1, Math.max(0, at + by))] ?? 1;
}

function Speed({ player }: { player: Player }) {
  const { rate } = usePlayerState(player);
  return (
    <select
      className="input speed"
      aria-label="Speed"
      title="Speed (< and >)"
      value={rate}
      onChange={(event) => {
        player.rate = Number(event.target.value);
      }}
    >
      {RATES.map((one) => (
        <option key={one} value={one}>
          {one}×
        </option>
      ))}
    </select>
  );
}

function LoopButton({ player, onLoop }: { player: Player; onLoop: () => void }) {
  const { loop } = usePlayerState(player);
  return (
    <button
      type="button"
      className="button quiet small"
      aria-pressed={loop !== null}
      title="Loop what is selected, or this turn (L)"
      data-testid="loop-button"
      onClick={onLoop}
    >
      Loop
    </button>
  );
}

function Zoom({ view, player }: { view: ViewState; player: Player }) {
  const zoom = (factor: number) => view.zoom(factor, player.timeMs);
  return (
    <fieldset className="zoom">
      <legend className="visually-hidden">Zoom</legend>
      <button type="button" aria-label="Zoom out" title="Zoom out (−)" onClick={() => zoom(0.5)}>
        −
      </button>
      <button type="button" className="fit" title="Show the whole call (0)" onClick={() => view.fit()}>
        Fit
      </button>
      <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(2)}>
        +
      </button>
    </fieldset>
  );
}

const SHOWN_KEYS: [keys: string[], words: string][] = [
  [["space"], "play"],
  [["j", "k"], "turn"],
  [["i"], "interruption"],
  [["d"], "dead air"],
  [["e"], "error"],
  [["l"], "loop"],
  [["?"], "all keys"],
];

export function Transport({ player, view, lengthMs, sound, onLoop, listen }: TransportProps) {
  const time = usePlayerTime(player, (ms) => clock(ms));
  return (
    <div className="transport">
      {listen ?? <PlayButton player={player} words={SOUND_WORDS[sound]} />}
      <span className="time">
        <strong data-testid="time">{time}</strong> <span className="muted">/ {clock(lengthMs)}</span>
      </span>
      {sound === "ready" && (
        <>
          <Speed player={player} />
          <LoopButton player={player} onLoop={onLoop} />
        </>
      )}
      <Zoom view={view} player={player} />
      <span className="grow" />
      <span className="keys hide-small muted" aria-hidden="true">
        {SHOWN_KEYS.map(([keys, words]) => (
          <span className="key-group" key={words}>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}{" "}
            {words}
          </span>
        ))}
      </span>
    </div>
  );
}

function PlayButton({ player, words }: { player: Player; words: string }) {
  const state = usePlayerState(player);
  return (
    <>
      <button
        type="button"
        className="play"
        data-testid="play"
        data-playing={state.playing}
        disabled={state.failed || !player.url}
        aria-label={state.playing ? "Pause" : "Play"}
        onClick={() => player.toggle()}
      >
        <Icon name={state.playing ? "pause" : "play"} />
      </button>
      {(words || state.failed) && (
        <span className="muted">{words || "The sound of this call could not be loaded."}</span>
      )}
    </>
  );
}
