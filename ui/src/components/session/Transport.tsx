/** Play, place, speed: the controls under the waveform. */
import { useState } from "react";
import { clock } from "../../lib/format";
import type { Player } from "../../lib/player";
import type { SoundState } from "../../lib/trace";
import { usePlayerState, usePlayerTime } from "../../lib/use-player";
import { Icon } from "../Icon";

const RATES = [1, 1.25, 1.5, 2, 0.75];

interface TransportProps {
  player: Player;
  lengthMs: number;
  sound: SoundState;
}

const SOUND_WORDS: Record<SoundState, string> = {
  live: "The whole call can be played when it has ended; what was said so far, below.",
  making: "The whole call is being put together…",
  ready: "",
  none: "This call has no sound.",
  unrecorded: "The sound of this call was not recorded: its credential said so.",
};

export function Transport({ player, lengthMs, sound }: TransportProps) {
  const [rate, setRate] = useState(1);
  const time = usePlayerTime(player, (ms) => clock(ms));
  const next = RATES[(RATES.indexOf(rate) + 1) % RATES.length] ?? 1;
  return (
    <div className="transport">
      <PlayButton player={player} words={SOUND_WORDS[sound]} />
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
      <span className="grow" />
      <span className="keys hide-small muted" aria-hidden="true">
        <kbd>space</kbd> play <kbd>←</kbd> <kbd>→</kbd> 2 s <kbd>J</kbd> <kbd>K</kbd> turn <kbd>I</kbd>{" "}
        interruption <kbd>E</kbd> error
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
