/** Everything else that is known of a session: metrics by name, metadata, usage, tracks, as the server told them. */
import type { SessionDetail } from "../../api/types";
import { fields, metricReason } from "../../lib/trace";
import { JsonText } from "./JsonText";

const ELSEWHERE = new Set(["spans", "metrics", "metric_reasons", "metric_versions", "title", "id"]);

function shown(value: unknown): string {
  if (value === null || value === undefined) return "not measured";
  if (typeof value === "number") return String(Math.round(value * 1000) / 1000);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function Metrics({ session }: { session: SessionDetail }) {
  const entries = Object.entries(fields(session.metrics)).filter(([name]) => !name.startsWith("_"));
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>Metrics</h2>
      </div>
      <dl className="facts">
        {entries.map(([name, value]) => {
          const missing = value === null || fields(value).value === null;
          const reason = metricReason(session, name);
          return (
            <div key={name}>
              <dt>{name}</dt>
              <dd className={missing ? "muted" : ""} title={reason ?? undefined}>
                {missing ? (reason ?? "not measured") : shown(fields(value).value ?? value)}
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

export function Details({ session }: { session: SessionDetail }) {
  const others = Object.entries(session).filter(([name, value]) => !ELSEWHERE.has(name) && value !== null);
  const small = others.filter(([, value]) => typeof value !== "object");
  const large = others.filter(
    ([, value]) => typeof value === "object" && Object.keys(value as object).length > 0,
  );
  return (
    <div className="details">
      <section className="panel">
        <div className="panel-head">
          <h2>Session</h2>
        </div>
        <dl className="facts">
          <div>
            <dt>id</dt>
            <dd className="mono">{session.id}</dd>
          </div>
          {small.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{shown(value)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <Metrics session={session} />
      {large.map(([name, value]) => (
        <section className="panel" key={name}>
          <div className="panel-head">
            <h2>{name}</h2>
          </div>
          <JsonText value={value} label={name} />
        </section>
      ))}
    </div>
  );
}
