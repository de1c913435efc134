/** How far an experiment is, in a word and, while it runs, as a bar. */
import type { Experiment } from "../../api/schema";
import { planned } from "../../lib/experiment";
import { count, plural } from "../../lib/format";

const LOOKS: Record<Experiment["status"], string> = {
  running: "live",
  complete: "complete",
  failed: "failed",
  cancelled: "interrupted",
};

export function ExperimentState({ experiment }: { experiment: Experiment }) {
  const { status, results, errors } = experiment;
  const all = planned(experiment);
  return (
    <span className="experiment-state">
      <span className={`status ${LOOKS[status]}`} data-testid="experiment-status">
        {status}
      </span>
      {status === "running" && all !== null && (
        <progress value={results} max={Math.max(1, all)} aria-label={`${results} of ${all} results`} />
      )}
      <span className="muted">
        {all === null || results === all ? plural(results, "result") : `${count(results)} of ${count(all)}`}
      </span>
      {errors > 0 && <span className="bad">{plural(errors, "error")}</span>}
    </span>
  );
}
