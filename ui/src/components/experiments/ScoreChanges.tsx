/** How each score changed between two experiments: the difference with its interval, and how many cases went which way. */
import type { Comparison, ScoreCompared } from "../../api/schema";
import { change, scoreValue, VERDICTS } from "../../lib/experiment";
import { percent } from "../../lib/format";
import { ScrollX } from "../ScrollX";
import { TableHead } from "../TableHead";

const HEADINGS = ["Score", "Before", "After", "Change", "95 % interval", "Verdict", "Cases"];

/** The interval as a bar around no change. */
function IntervalBar({ one }: { one: ScoreCompared }) {
  if (!one.interval || one.delta === null) return <span className="muted">–</span>;
  const [low, high] = one.interval;
  const reach = Math.max(Math.abs(low), Math.abs(high), Math.abs(one.delta)) || 1;
  const at = (value: number) => 50 + (value / reach) * 48;
  return (
    <span
      className={`interval ${one.verdict}`}
      role="img"
      aria-label={`from ${change(low, one.unit)} to ${change(high, one.unit)}`}
      title={`${change(low, one.unit)} to ${change(high, one.unit)}`}
    >
      <i style={{ left: `${at(low)}%`, width: `${Math.max(1, at(high) - at(low))}%` }} />
      <b style={{ left: `${at(one.delta)}%` }} />
    </span>
  );
}

function CaseCounts({ one }: { one: ScoreCompared }) {
  const all = Math.max(1, one.paired);
  const parts = (["regressed", "same", "improved"] as const).map((name) => [name, one[name]] as const);
  const said = `${one.regressed} regressed, ${one.same} same, ${one.improved} improved`;
  return (
    <span className="case-counts">
      <span className="counts-bar" role="img" aria-label={said} title={said}>
        {parts.map(([name, n]) => (
          <i key={name} className={name} style={{ width: `${(n / all) * 100}%` }} />
        ))}
      </span>
      <small className="muted nowrap">
        {one.regressed} ▼ {one.same} = {one.improved} ▲
      </small>
    </span>
  );
}

interface Props {
  comparison: Comparison;
  chosen: string | undefined;
  onChoose: (name: string) => void;
}

export function ScoreChanges({ comparison, chosen, onChoose }: Props) {
  const headings = HEADINGS.map((one) =>
    one === "95 % interval" ? `${percent(comparison.confidence)} interval` : one,
  );
  return (
    <ScrollX name="Scores, scrolling" panel>
      <table className="table score-changes cards" aria-label="Scores">
        <TableHead headings={headings} figures={["Before", "After", "Change"]} />
        <tbody>
          {comparison.scores.map((one) => (
            <tr
              key={one.name}
              className={one.name === chosen ? "selected" : ""}
              data-testid={`change-${one.name}`}
            >
              <td>
                <button
                  type="button"
                  className="link"
                  aria-pressed={one.name === chosen}
                  title="Sort the cases by it"
                  onClick={() => onChoose(one.name)}
                >
                  {one.name}
                </button>{" "}
                <span title={one.direction === "max" ? "more is better" : "less is better"}>
                  {one.direction === "max" ? "↑" : "↓"}
                </span>
              </td>
              <td data-label="Before" className="figure">
                {scoreValue(one.before, one.unit)}
              </td>
              <td data-label="After" className="figure">
                {scoreValue(one.after, one.unit)}
              </td>
              <td data-label="Change" className="figure">
                {one.delta === null ? "–" : change(one.delta, one.unit)}
              </td>
              <td data-label="Interval">
                <IntervalBar one={one} />
              </td>
              <td data-label="Verdict">
                <span className={`verdict ${one.verdict}`}>{VERDICTS[one.verdict]}</span>
                {one.note && <small className="muted block">{one.note}</small>}
              </td>
              <td data-label="Cases">
                <CaseCounts one={one} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollX>
  );
}
