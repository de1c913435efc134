/** What an experiment came to: each score with its error, how it is spread, and how it changed. */
import type { Comparison, Experiment } from "../../api/schema";
import { type Bin, bins, type CaseRow, change, scoreNames, scoreValue, VERDICTS } from "../../lib/experiment";
import { count, plural } from "../../lib/format";

function spread(made: readonly Bin[], unit: string | null): string {
  const first = made[0];
  const last = made.at(-1);
  if (!first || !last) return "";
  return `From ${scoreValue(first.from, unit)} to ${scoreValue(last.to, unit)}: ${made.map((bin) => bin.count).join(", ")} cases`;
}

function Histogram({ values, unit }: { values: readonly number[]; unit: string | null }) {
  const made = bins(values);
  const most = Math.max(1, ...made.map((bin) => bin.count));
  return (
    <span className="histogram" role="img" aria-label={spread(made, unit)} title={spread(made, unit)}>
      {made.map((bin) => (
        <i key={bin.from} style={{ height: bin.count > 0 ? `max(2px, ${(bin.count / most) * 100}%)` : 0 }} />
      ))}
    </span>
  );
}

interface Props {
  experiment: Experiment;
  rows: readonly CaseRow[];
  comparison: Comparison | undefined;
  chosen: string | undefined;
  onChoose: (name: string | undefined) => void;
}

export function ScoreCards({ experiment, rows, comparison, chosen, onChoose }: Props) {
  const names = scoreNames(experiment);
  return (
    <ul className="score-cards" aria-label="Scores">
      {names.map((name) => (
        <li key={name}>
          <Card
            name={name}
            score={experiment.scores[name]}
            values={rows.flatMap((row) => row.means.get(name) ?? [])}
            compared={comparison?.scores.find((one) => one.name === name)}
            chosen={name === chosen}
            onChoose={() => onChoose(name === chosen ? undefined : name)}
          />
        </li>
      ))}
    </ul>
  );
}

interface CardProps {
  name: string;
  score: Experiment["scores"][string] | undefined;
  values: readonly number[];
  compared: Comparison["scores"][number] | undefined;
  chosen: boolean;
  onChoose: () => void;
}

function Card({ name, score, values, compared, chosen, onChoose }: CardProps) {
  if (!score) return null;
  const { unit } = score;
  return (
    <button
      type="button"
      className="panel score-card"
      aria-pressed={chosen}
      title={`Sort by ${name}${score.direction === "max" ? ": more is better" : ": less is better"}`}
      data-testid={`score-${name}`}
      onClick={onChoose}
    >
      <span className="score-name">
        {name} <span aria-hidden="true">{score.direction === "max" ? "↑" : "↓"}</span>
        <span className="visually-hidden">
          {score.direction === "max" ? "more is better" : "less is better"}
        </span>
      </span>
      <strong>
        {scoreValue(score.mean, unit)}
        {score.stderr !== null && (
          <small title="Standard error of the mean over cases"> ± {scoreValue(score.stderr, unit)}</small>
        )}
      </strong>
      {compared?.delta != null && (
        <span className={`verdict ${compared.verdict}`} title={compared.note ?? undefined}>
          {change(compared.delta, unit)} · {VERDICTS[compared.verdict]}
        </span>
      )}
      <Histogram values={values} unit={unit} />
      <span className="muted">
        n {count(score.n)}
        {score.missing > 0 && <span className="warn"> · {plural(score.missing, "value")} missing</span>}
      </span>
    </button>
  );
}
