/** Mutes one side of the call. */
import type { Muted } from "../../lib/sides";
import { Icon } from "../Icon";

interface Props {
  side: keyof Muted;
  muted: Muted;
  onMute: (muted: Muted) => void;
}

export function MuteButton({ side, muted, onMute }: Props) {
  const label = `${muted[side] ? "Hear" : "Mute"} the ${side}`;
  return (
    <button
      type="button"
      className="mute"
      aria-pressed={muted[side]}
      aria-label={label}
      title={`${label} (${side === "user" ? "U" : "A"})`}
      data-testid={`mute-${side}`}
      onClick={() => onMute({ ...muted, [side]: !muted[side] })}
    >
      <Icon name={muted[side] ? "muted" : "speaker"} />
    </button>
  );
}
