/** Every metric of the call with what it means, and why one has no value. */
import type { SessionDetail } from "../../api/types";
import { count, duration, millis, percent } from "../../lib/format";
import { METRIC_GROUPS, type MetricDoc, type Unit } from "../../lib/metric-docs";
import { fields, metric, metricReason } from "../../lib/trace";

const rounded = (value: number, digits: number) =>
  (Math.round(value * 10 ** digits) / 10 ** digits).toString();

const SHOW: Record<Unit, (value: number) => string> = {
  ms: (value) => (value < 10_000 ? millis(value) : duration(value)),
  share: (value) => (value > 0 && value < 0.01 ? `${rounded(value * 100, 3)} %` : percent(value)),
  tokens: count,
  count,
  dB: (value) => `${rounded(value, 1)} dB`,
  LUFS: (value) => `${rounded(value, 1)} LUFS`,
  "USD/min": (value) => `$${value.toFixed(4)}/min`,
};

function Row({ session, doc: [name, unit, words] }: { session: SessionDetail; doc: MetricDoc }) {
  const value = metric(session.metrics, name);
  return (
    <tr>
      <th scope="row" className="mono">
        {name}
      </th>
      <td className={value === null ? "muted" : "value"}>{value === null ? "–" : SHOW[unit](value)}</td>
      <td className="muted">
        {words}
        {value === null && <em> Not measured: {metricReason(session, name) ?? "no reason was given"}.</em>}
      </td>
    </tr>
  );
}

const STEPS = ["n", "mean", "p50", "p90", "p95", "p99", "max"] as const;

function Distributions({ latency }: { latency: unknown }) {
  const rows = Object.entries(fields(latency));
  if (rows.length === 0) return null;
  return (
    <section className="panel scroll-x" aria-label="Distributions of latencies">
      <div className="panel-head">
        <h2>Distributions of latencies</h2>
        <span className="muted">ms; percentiles of this call, never to be averaged over calls</span>
      </div>
      <table className="figures cards dense">
        <thead>
          <tr>
            <th scope="col">Latency</th>
            {STEPS.map((step) => (
              <th scope="col" key={step}>
                {step}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, values]) => (
            <tr key={name}>
              <th scope="row" className="mono">
                {name}
              </th>
              {STEPS.map((step) => {
                const value = fields(values)[step];
                return (
                  <td key={step} data-label={step}>
                    {typeof value === "number" ? count(Math.round(value)) : "–"}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Metrics({ session }: { session: SessionDetail }) {
  return (
    <div className="stack">
      <div className="columns">
        {METRIC_GROUPS.map(([group, docs]) => (
          <section className="panel" key={group} aria-label={group}>
            <div className="panel-head">
              <h2>{group}</h2>
            </div>
            <table className="figures metrics cards">
              <tbody>
                {docs.map((doc) => (
                  <Row key={doc[0]} session={session} doc={doc} />
                ))}
              </tbody>
            </table>
          </section>
        ))}
      </div>
      <Distributions latency={fields(session).latency} />
    </div>
  );
}
