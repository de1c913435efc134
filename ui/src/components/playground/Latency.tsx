/** Voice to voice of each turn, as this page heard it, split into what it was made of. */
import { millis } from "../../lib/format";
import { medianHeard, type TurnLatency } from "../../realtime/latency";

const SHOWN = 5;

const PARTS = [
  ["noticed", "until the turn was known to be over"],
  ["answered", "until the answer's first sound came"],
  ["heard", "until it was heard"],
] as const;

function partsOf(turn: TurnLatency): Record<(typeof PARTS)[number][0], number> {
  const noticed = turn.noticedMs ?? 0;
  const answered = turn.answeredMs ?? noticed;
  return {
    noticed,
    answered: Math.max(0, answered - noticed),
    heard: Math.max(0, (turn.heardMs ?? answered) - answered),
  };
}

function Bar({ turn, longest }: { turn: TurnLatency; longest: number }) {
  const parts = partsOf(turn);
  return (
    <div className="latency-bar" aria-hidden="true">
      {PARTS.map(([name, words]) => (
        <span
          key={name}
          className={name}
          title={`${millis(parts[name])} ${words}`}
          style={{ width: `${(parts[name] / longest) * 100}%` }}
        />
      ))}
    </div>
  );
}

export function Latency({ turns, suffix }: { turns: readonly TurnLatency[]; suffix: string }) {
  const shown = turns.slice(-SHOWN);
  const longest = Math.max(1, ...shown.map((turn) => turn.heardMs ?? turn.answeredMs ?? 0));
  const median = medianHeard(turns);
  return (
    <div className="latency" data-testid={`latency${suffix}`}>
      <p>
        <span className="muted">Voice to voice, measured here</span>{" "}
        <strong data-testid={`v2v${suffix}`}>{median === null ? "–" : millis(median)}</strong>
        {median !== null && <span className="muted"> median</span>}
      </p>
      {shown.length > 0 && (
        <ol>
          {shown.map((turn) => (
            <li key={turn.number} data-testid="turn-latency">
              <span className="muted">
                {turn.by === "text" ? "text" : "turn"} {turn.number}
              </span>
              <Bar turn={turn} longest={longest} />
              <span className="figure">{turn.heardMs === null ? "waiting" : millis(turn.heardMs)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
