/** Calls and requests told apart: the sign of a row, and the choice of one kind above the list. */
import type { SessionSummary } from "../../api/types";
import { endpointOf, isRequest, type Kind, kindOf, withKind } from "../../lib/requests";
import { Icon } from "../Icon";

export function KindSign({ session }: { session: SessionSummary }) {
  const request = isRequest(session);
  const name = request ? `Request: ${endpointOf(session)}` : "Call";
  return (
    <span className={`kind ${request ? "request" : "call"}`} title={name} data-testid="kind">
      <Icon name={request ? "request" : "phone"} />
      <span className="visually-hidden">{name}</span>
    </span>
  );
}

const KINDS: [kind: Kind, label: string][] = [
  ["all", "All"],
  ["calls", "Calls"],
  ["requests", "Requests"],
];

export function KindFilter({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const chosen = kindOf(q);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would be drawn as one
    <div className="kinds" role="group" aria-label="Calls or requests">
      {KINDS.map(([kind, label]) => (
        <button
          key={kind}
          type="button"
          aria-pressed={kind === chosen}
          data-testid={`kind-${kind}`}
          onClick={() => onChange(withKind(q, kind))}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
