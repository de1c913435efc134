/** A piece of sound with a place in it: play, seek, how far. Its player is made when it is first played. */
import { useEffect, useState } from "react";
import { clock } from "../lib/format";
import { Player } from "../lib/player";
import { usePlayerState, usePlayerTime } from "../lib/use-player";
import { Icon } from "./Icon";

interface Props {
  url: string;
  /** What it is, for screen readers and beside the button. */
  name: string;
  lengthMs?: number | null | undefined;
}

export function Sound({ url, name, lengthMs }: Props) {
  const [player, setPlayer] = useState<Player | null>(null);
  useEffect(() => () => player?.close(), [player]);
  if (player?.url === url) return <Playing player={player} name={name} lengthMs={lengthMs ?? null} />;
  const play = () => {
    const made = new Player(url, "none");
    setPlayer(made);
    void made.play();
  };
  return (
    <span className="sound row" data-testid="sound">
      <button
        type="button"
        className="button icon"
        aria-label={`Play ${name}`}
        title={`Play ${name}`}
        onClick={play}
      >
        <Icon name="play" />
      </button>
      <span>{name}</span>
      {lengthMs ? <span className="muted">{clock(lengthMs)}</span> : null}
    </span>
  );
}

function Playing({ player, name, lengthMs }: { player: Player; name: string; lengthMs: number | null }) {
  const { playing, failed } = usePlayerState(player);
  const at = usePlayerTime(player, (ms) => clock(ms));
  const label = failed ? `${name} cannot be played` : `${playing ? "Pause" : "Play"} ${name}`;
  return (
    <span className="sound row" data-testid="sound">
      <button
        type="button"
        className="button icon"
        aria-label={label}
        title={label}
        disabled={failed}
        onClick={() => player.toggle()}
      >
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <span>{name}</span>
      <span className={failed ? "bad" : "muted"}>
        {failed ? "cannot be played: it is gone, or not of a kind that browsers play" : at}
        {!failed && lengthMs ? ` / ${clock(lengthMs)}` : ""}
      </span>
    </span>
  );
}
