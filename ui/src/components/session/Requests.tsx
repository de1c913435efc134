/** The requests that work for a call: followed while it runs, as links under the tool that made them. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { childrenQuery } from "../../api/queries";
import type { SessionDetail, SessionSummary } from "../../api/types";
import { cost, duration, millis } from "../../lib/format";
import { endpointOf } from "../../lib/requests";
import { metric } from "../../lib/trace";
import { Icon } from "../Icon";

const REFRESH_MS = 1_000;
/** A tool may go on after the call, and its requests come a moment later. */
const AFTER_MS = 15_000;
const NONE: SessionSummary[] = [];

export function useRequests(session: SessionDetail): SessionSummary[] {
  const mayCome = () =>
    session.status === "live" || Date.now() - Date.parse(session.ended_at ?? "") < AFTER_MS;
  const query = useQuery({
    ...childrenQuery(session.id, session.project),
    refetchInterval: ({ state }) =>
      mayCome() || state.data?.items.some((one) => one.status === "live") ? REFRESH_MS : false,
  });
  // Always the same when there are none: the spans of a long call are not gone through again for nothing.
  return query.data?.items.length ? query.data.items : NONE;
}

function RequestLink({ request }: { request: SessionSummary }) {
  const first = metric(request.metrics, "ttft_text", "ttft_text_p50", "model_ttfa_p50");
  return (
    <Link
      to="/sessions/$id"
      params={{ id: request.id }}
      className="request-link"
      data-testid="request-link"
      onClick={(event) => event.stopPropagation()}
    >
      <Icon name="request" />
      <span className="mono">{endpointOf(request)}</span>
      <span>{request.model}</span>
      <span className="ellipsis grow muted">{request.title}</span>
      {first !== null && <span className="muted">first token {millis(first)}</span>}
      {request.status === "live" ? (
        <span className="live">running</span>
      ) : (
        <span className="muted">{duration(request.duration_ms)}</span>
      )}
      {request.status === "failed" && <span className="bad">failed</span>}
      <span className="muted">{cost(request.cost_usd)}</span>
    </Link>
  );
}

export function RequestLinks({ requests }: { requests: readonly SessionSummary[] | undefined }) {
  if (!requests?.length) return null;
  return (
    <ul className="request-links" aria-label="Requests of this tool">
      {requests.map((request) => (
        <li key={request.id}>
          <RequestLink request={request} />
        </li>
      ))}
    </ul>
  );
}
