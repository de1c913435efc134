/** The call of a case in one experiment beside that in another: the same clock, and switched by ear. */
import { useCallback, useState } from "react";
import type { Result } from "../../api/schema";
import { useKeys } from "../../lib/keys";
import { Button } from "../Button";
import { CallLanes, type Heard } from "./CallLanes";

interface Props {
  /** The one that is looked at last. */
  calls: readonly { name: string; result: Result; scored: Result["scores"] }[];
  /** Seeks in the last one. */
  onHeard: (heard: Heard | null) => void;
}

/** The other one at the same place; it plays on if the first did. */
function switchEar(from: Heard, to: Heard): void {
  const { playing } = from.player;
  to.player.seek(to.startMs + Math.max(0, from.player.timeMs - from.startMs));
  from.player.pause();
  if (playing) void to.player.play();
}

export function Beside({ calls, onHeard }: Props) {
  const [heard, setHeard] = useState<readonly (Heard | null)[]>([]);
  const [at, setAt] = useState(0);
  const put = useCallback(
    (index: number, one: Heard | null) =>
      setHeard((before) =>
        Array.from({ length: Math.max(before.length, index + 1) }, (_, i) =>
          i === index ? one : (before[i] ?? null),
        ),
      ),
    [],
  );
  const first = useCallback((one: Heard | null) => put(0, one), [put]);
  const second = useCallback((one: Heard | null) => put(1, one), [put]);
  const [a, b] = heard;
  const change = () => {
    if (!a || !b) return;
    // Whichever plays is the one that is left.
    const from = b.player.playing ? 1 : a.player.playing ? 0 : at;
    const [one, other] = from === 0 ? [a, b] : [b, a];
    switchEar(one, other);
    setAt(1 - from);
  };
  useKeys("Two calls", [{ key: "b", what: "Switch between before and after, by ear", act: change }]);
  const tell = [first, second];
  return (
    <div className="beside">
      {calls.length === 2 && (
        <div className="row">
          <Button icon="refresh" disabled={!a || !b} data-testid="switch-ear" onClick={change}>
            Switch by ear
          </Button>
          <span className="muted">
            <kbd>b</kbd> plays the other one on from the same place
          </span>
        </div>
      )}
      {calls.map(({ name, result, scored }, index) =>
        result.output?.session_id ? (
          <CallLanes
            key={`${name} ${result.output.session_id}`}
            sessionId={result.output.session_id}
            turnSpanId={result.output.turn_span_id}
            scores={scored}
            name={name}
            onReady={(one) => {
              tell[index]?.(one);
              if (index === calls.length - 1) onHeard(one);
            }}
          />
        ) : (
          <p className="muted" key={name}>
            {name}: {result.error ? "it failed before there was a call" : "no call was made"}
          </p>
        ),
      )}
    </div>
  );
}
