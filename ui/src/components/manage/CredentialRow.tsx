/** One temporary credential of the list: its state, what is used of it, and what it allows. */
import { Link } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import type { ShownCredential } from "../../api/management";
import { budgetsOf, type CredentialState, modelsOf, scopesOf, stateOf } from "../../lib/credential-state";
import { Button } from "../Button";
import { Moment, useNow } from "../Moment";
import { JsonText } from "../session/JsonText";

const TONE: Record<CredentialState, string> = {
  active: "live",
  "used up": "interrupted",
  expired: "",
  revoked: "failed",
};

function Used({ row }: { row: ShownCredential }) {
  const budgets = budgetsOf(row);
  if (budgets.length === 0) {
    return <span className="muted">{row.used ? `${row.used.uses} calls` : "not counted"}</span>;
  }
  return (
    <ul className="budgets">
      {budgets.map((budget) => (
        <li key={budget.name}>
          <span className="muted">{budget.name}</span>
          <span className="budget" aria-hidden="true">
            <span style={{ width: `${budget.share * 100}%` }} className={budget.share >= 1 ? "full" : ""} />
          </span>
          <span>{budget.words}</span>
        </li>
      ))}
    </ul>
  );
}

function Scopes({ row }: { row: ShownCredential }) {
  const scopes = scopesOf(row);
  return (
    <dl className="scopes">
      {scopes.map(([name, value]) => (
        <Fragment key={name}>
          <dt>
            <code>{name}</code>
          </dt>
          <dd>
            {typeof value === "object" ? (
              <JsonText value={value} label={name} />
            ) : (
              <code>{String(value)}</code>
            )}
          </dd>
        </Fragment>
      ))}
      <dt>made by</dt>
      <dd>
        <code>{row.minted_by ?? "–"}</code>
      </dd>
    </dl>
  );
}

interface Props {
  row: ShownCredential;
  mayRevoke: boolean;
  mayRead: boolean;
  onRevoke: () => void;
}

export function CredentialRow({ row, mayRevoke, mayRead, onRevoke }: Props) {
  const [open, setOpen] = useState(false);
  const state = stateOf(row, useNow());
  const over = state === "revoked" || state === "expired";
  return (
    <>
      <tr data-testid="credential-row" data-state={state}>
        <td data-label="State">
          <span className={`status ${TONE[state]}`}>{state}</span>
        </td>
        <td>
          <button type="button" className="disclose" aria-expanded={open} onClick={() => setOpen(!open)}>
            <code>{row.id}</code>
          </button>
        </td>
        <td data-label="Models">{modelsOf(row)}</td>
        <td data-label="Project">{row.project ?? <span className="muted">not recorded</span>}</td>
        <td data-label="Used">
          <Used row={row} />
        </td>
        <td data-label="Made" className="nowrap">
          <Moment at={row.created_at} />
        </td>
        <td data-label="Ends" className="nowrap">
          <Expiry at={row.expires_at} />
        </td>
        <td className="row-actions">
          {mayRead && (
            <Link to="/" search={{ q: `credential:${row.id}` }} className="button quiet">
              Calls
            </Link>
          )}
          {mayRevoke && !over && (
            <Button data-testid="revoke" aria-label={`Revoke ${row.id}`} onClick={onRevoke}>
              Revoke
            </Button>
          )}
        </td>
      </tr>
      {open && (
        <tr className="detail-row">
          <td colSpan={8}>
            <Scopes row={row} />
          </td>
        </tr>
      )}
    </>
  );
}

/** How long calls may still start. */
function Expiry({ at }: { at: number }) {
  const now = useNow();
  const seconds = Math.round(at - now / 1000);
  if (seconds <= 0) return <Moment at={at} />;
  const words =
    seconds < 90
      ? `in ${seconds} s`
      : seconds < 5_400
        ? `in ${Math.round(seconds / 60)} min`
        : `in ${Math.round(seconds / 3600)} h`;
  const date = new Date(at * 1000);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {words}
    </time>
  );
}
