/** A rule over what was recorded before: begun, followed, stopped. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { runsQuery, useRuns } from "../../api/evaluations";
import type { Rule, RuleRun } from "../../api/schema";
import { count, plural } from "../../lib/format";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Moment } from "../Moment";
import { Problem } from "../Problem";
import { Progress } from "../Progress";

function Run({ run, onCancel }: { run: RuleRun; onCancel: () => void }) {
  return (
    <li className="stack rule-run" data-testid="rule-run">
      <span className="row">
        <strong>{run.status}</strong>
        <span className="grow">
          {run.q ? <code>{run.q}</code> : "all that the rule finds"} · {count(run.scored)} scored
          {run.failed > 0 && <span className="bad"> · {plural(run.failed, "failure")}</span>}
        </span>
        <span className="muted nowrap">
          {run.created_by} · <Moment at={run.created_at} />
        </span>
      </span>
      {run.status === "running" && (
        <Progress done={run.done} of={run.total} name="Calls looked at" stop={onCancel} />
      )}
      {run.error && <p className="bad">{run.error}</p>}
    </li>
  );
}

export function RunDialog({ rule, onClose }: { rule: Rule; onClose: () => void }) {
  const [q, setQ] = useState("last:7d");
  const runs = useQuery(runsQuery(rule.id));
  const { start, cancel } = useRuns(rule.id);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate(q.trim());
  };
  const error = start.error ?? cancel.error ?? runs.error;
  const running = runs.data?.items.some((run) => run.status === "running");
  return (
    <Dialog
      title={`“${rule.name}” over what was recorded before`}
      onClose={onClose}
      wide
      actions={<Button onClick={onClose}>Close</Button>}
    >
      <form className="row" onSubmit={submit}>
        <label className="field grow">
          <span>Of the calls that the rule finds those that this filter finds too (empty: all)</span>
          <input
            className="input"
            value={q}
            data-testid="run-filter"
            onChange={(event) => setQ(event.target.value)}
          />
        </label>
        <Button kind="primary" submit data-testid="start-run" disabled={start.isPending || running === true}>
          Start
        </Button>
      </form>
      <p className="muted">
        Calls that it has scored already are left as they are. It goes on when this page is closed.
      </p>
      {error && <Problem error={error} />}
      {runs.data && runs.data.items.length > 0 && (
        <ul className="rule-runs" aria-label="Runs">
          {runs.data.items.map((run) => (
            <Run key={run.id} run={run} onCancel={() => cancel.mutate(run.id)} />
          ))}
        </ul>
      )}
    </Dialog>
  );
}
