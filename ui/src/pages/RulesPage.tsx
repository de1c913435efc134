/** Rules of online scoring: which calls are scored by what as soon as they are over. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { rulesQuery, useRules } from "../api/evaluations";
import type { Rule } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { EmptyState } from "../components/EmptyState";
import { Moment } from "../components/Moment";
import { Problem } from "../components/Problem";
import { AgreementTable } from "../components/rules/AgreementTable";
import { RuleDialog } from "../components/rules/RuleDialog";
import { RunDialog } from "../components/rules/RunDialog";
import { ScrollX } from "../components/ScrollX";
import { TableHead } from "../components/TableHead";
import { count, percent, plural } from "../lib/format";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { toast, toastError } from "../lib/toasts";
import { fields } from "../lib/trace";
import "../styles/manage.css";
import "../styles/evaluations.css";
import "../styles/rules.css";

const HEADINGS = ["Name", "Calls", "Share", "Scorers", "Scored", "Alert", "On", ""];

function Alert({ rule }: { rule: Rule }) {
  const { alert } = rule;
  if (!alert) return <span className="muted">none</span>;
  return (
    <span title={alert.webhook}>
      {alert.score} {alert.direction === "max" ? "below" : "above"} {alert.threshold}
      <small className="muted block">mean of {alert.window} calls</small>
      <AlertState rule={rule} />
    </span>
  );
}

/** Whether it is on the wrong side now. */
function AlertState({ rule }: { rule: Rule }) {
  const { firing, value, since } = fields(rule.activity.alert);
  if (typeof value !== "number") return <small className="muted block">no value yet</small>;
  return (
    <small className={firing ? "bad block" : "good block"} data-testid="alert-state">
      {firing ? "firing" : "fine"}: {Number(value.toFixed(3))}
      {typeof since === "string" && (
        <>
          , <Moment at={since} />
        </>
      )}
    </small>
  );
}

function Scored({ rule }: { rule: Rule }) {
  const { scored = 0, scored_at, missing = 0, last_missing } = rule.activity;
  const { message, session_id } = fields(last_missing);
  const without = `${plural(missing, "call")} without a value`;
  return (
    <>
      {count(scored)}
      {scored_at && (
        <small className="muted block">
          <Moment at={scored_at} />
        </small>
      )}
      {missing > 0 && (
        <small className="warn block" title={typeof message === "string" ? message : undefined}>
          {typeof session_id === "string" ? (
            <Link to="/sessions/$id" params={{ id: session_id }} search={{ tab: "scores" }}>
              {without}
            </Link>
          ) : (
            without
          )}
        </small>
      )}
    </>
  );
}

type Asked = { what: "edit" | "delete" | "run"; rule: Rule } | { what: "new" } | null;

function Row({ rule, ask }: { rule: Rule; ask: (asked: Asked) => void }) {
  const isAdmin = useIsAdmin();
  const { edit } = useRules();
  const toggle = () => edit.mutate({ id: rule.id, enabled: !rule.enabled }, { onError: toastError });
  const search = { ...(rule.project && { project: rule.project }), ...(rule.filter && { q: rule.filter }) };
  return (
    <tr data-testid="rule-row">
      <td>
        <strong>{rule.name}</strong>
        <small className="muted block">{rule.project ?? "all projects"}</small>
      </td>
      <td data-label="Calls">
        <Link to="/" search={search}>
          {rule.filter ? <code>{rule.filter}</code> : "all"}
        </Link>
      </td>
      <td data-label="Share" className="figure">
        {percent(rule.sampling_rate)}
      </td>
      <td data-label="Scorers">
        {rule.scorers.map((one) => (
          <span className="tag" key={one.name} title={JSON.stringify(one.params)}>
            {one.name}
          </span>
        ))}
      </td>
      <td data-label="Scored" className="figure">
        <Scored rule={rule} />
      </td>
      <td data-label="Alert">
        <Alert rule={rule} />
      </td>
      <td data-label="On">
        <input
          type="checkbox"
          aria-label={`${rule.name} is on`}
          checked={edit.isPending ? (edit.variables.enabled ?? rule.enabled) : rule.enabled}
          disabled={!isAdmin || edit.isPending}
          data-testid="rule-enabled"
          onChange={toggle}
        />
      </td>
      <td className="row-actions">
        {isAdmin && (
          <>
            <Button
              aria-label={`Run over the past: ${rule.name}`}
              data-testid="run-rule"
              onClick={() => ask({ what: "run", rule })}
            >
              Run over the past
            </Button>
            <Button
              kind="quiet"
              aria-label={`Change ${rule.name}`}
              onClick={() => ask({ what: "edit", rule })}
            >
              Change
            </Button>
            <Button aria-label={`Delete ${rule.name}`} onClick={() => ask({ what: "delete", rule })}>
              Delete
            </Button>
          </>
        )}
      </td>
    </tr>
  );
}

function DeleteRule({ rule, onClose }: { rule: Rule; onClose: () => void }) {
  const { take } = useRules();
  const confirm = () =>
    take.mutate(rule.id, {
      onSuccess: () => {
        toast(`“${rule.name}” is deleted.`);
        onClose();
      },
    });
  const actions = (
    <>
      <Button onClick={onClose}>Keep it</Button>
      <Button kind="danger" data-testid="confirm-delete" disabled={take.isPending} onClick={confirm}>
        Delete
      </Button>
    </>
  );
  return (
    <Dialog title={`Delete “${rule.name}”?`} onClose={onClose} actions={actions}>
      <p className="muted">The scores that it has made stay.</p>
      {take.error && <Problem error={take.error} />}
    </Dialog>
  );
}

export function RulesPage() {
  usePageTitle("Rules");
  const list = useQuery(rulesQuery);
  const isAdmin = useIsAdmin();
  const [asked, setAsked] = useState<Asked>(null);
  const close = () => setAsked(null);
  const rules = list.data?.items ?? [];
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Rules</h1>
        <span className="muted">Calls that are scored by themselves as soon as they are over</span>
        <span className="grow" />
        {isAdmin && (
          <Button kind="primary" icon="plus" data-testid="new-rule" onClick={() => setAsked({ what: "new" })}>
            New rule
          </Button>
        )}
      </div>
      <Awaited of={list} name="Rules" lines={3} height={36} />
      {list.data && rules.length === 0 && (
        <EmptyState
          title="Hear of a bad day before your users tell you"
          command="voxgate rules create latency --scorer v2v_p95 --rate 0.2"
        >
          A rule is a filter, a share of the calls and scorers. What they find stands on the page of each
          call, in its list and in charts; a webhook is told when the mean of the last calls crosses a
          threshold.
        </EmptyState>
      )}
      {rules.length > 0 && (
        <ScrollX name="Rules, scrolling" panel>
          <table className="table rules cards" aria-label="Rules">
            <TableHead headings={HEADINGS} figures={["Share", "Scored"]} />
            <tbody>
              {rules.map((rule) => (
                <Row key={rule.id} rule={rule} ask={setAsked} />
              ))}
            </tbody>
          </table>
        </ScrollX>
      )}
      {list.data && <AgreementTable />}
      {asked?.what === "run" && <RunDialog rule={asked.rule} onClose={close} />}
      {asked?.what === "new" && <RuleDialog rule={null} onClose={close} />}
      {asked?.what === "edit" && <RuleDialog rule={asked.rule} onClose={close} />}
      {asked?.what === "delete" && <DeleteRule rule={asked.rule} onClose={close} />}
    </main>
  );
}
