/** What a result scored, each with its reason and with the moments that earned it. */
import type { Result } from "../../api/schema";
import { scoreValue } from "../../lib/experiment";
import { clock } from "../../lib/format";

interface Props {
  scores: NonNullable<Result["scores"]>;
  /** Of the same case in the other experiment. */
  before: NonNullable<Result["scores"]> | undefined;
  onSeek: ((ms: number) => void) | null;
}

export function ResultScores({ scores, before, onSeek }: Props) {
  return (
    <ul className="result-scores" data-testid="result-scores">
      {scores.map((score, at) => {
        const other = before?.find((one) => one.name === score.name);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same scorer may have a score for each span
          <li key={`${score.name} ${at}`}>
            <span className="row">
              <strong>{score.name}</strong>
              <span className={score.value === null ? "warn" : ""}>
                {score.label ?? scoreValue(score.value, score.unit)}
              </span>
              {other && (
                <span className="muted">before: {other.label ?? scoreValue(other.value, other.unit)}</span>
              )}
              {score.evidence?.map((moment) => (
                <button
                  type="button"
                  className="button small"
                  key={`${moment.start_ms} ${moment.end_ms}`}
                  disabled={!onSeek}
                  title="Play what earned this score"
                  data-testid="evidence"
                  onClick={() => onSeek?.(moment.start_ms)}
                >
                  {clock(moment.start_ms)}–{clock(moment.end_ms)}
                </button>
              ))}
            </span>
            {(score.explanation || score.reason_missing) && (
              <p className="muted">{score.explanation ?? score.reason_missing}</p>
            )}
          </li>
        );
      })}
    </ul>
  );
}
