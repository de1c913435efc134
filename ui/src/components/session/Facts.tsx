/** The call in numbers, beside the waveform; what could not be measured says so. */
import type { SessionDetail } from "../../api/types";
import { scoreText } from "../../lib/call-marks";
import { cost, count, duration, millis, percent } from "../../lib/format";
import { cacheOf, closeText, errorCount, metric, metricReason, toolFailed } from "../../lib/trace";

interface Fact {
  label: string;
  value: string;
  title?: string | undefined;
  tone?: string | undefined;
}

type Metrics = SessionDetail["metrics"];

function pair(metrics: Metrics, name: string): string {
  const p50 = metric(metrics, `${name}_p50`, `${name}_heard_p50`);
  const p95 = metric(metrics, `${name}_p95`, `${name}_heard_p95`);
  if (p50 === null) return "–";
  return p95 === null ? millis(p50) : `${Math.round(p50).toLocaleString("en")} / ${millis(p95)}`;
}

const LATENCIES: [label: string, metric: string, title: string][] = [
  ["Voice to voice p50/p95", "v2v", "From the end of the user's speech to the first sound heard"],
  ["… of turns with tools", "tool_turn_v2v", "Voice to voice where a tool was called before the answer"],
  ["Endpointing p50/p95", "endpointing", "Until the end of speech was noticed"],
  ["Model p50/p95", "model_ttfa", "From response.created to its first audio"],
];

const SIGNALS: [label: string, metric: string, show: (value: number) => string, title: string][] = [
  ["Yield latency", "yield_latency_p50", millis, "How long the assistant went on after being interrupted"],
  ["Overlap", "overlap_ms", duration, "Both sides speaking at once"],
  ["Dead air, longest", "dead_air_longest", duration, "The longest silence of both sides"],
  ["Talk ratio (assistant)", "talk_ratio", percent, "The assistant's share of the speech"],
  ["SNR user", "snr_db", (value) => `${Math.round(value)} dB`, "Speech against background noise"],
  ["Cached input", "cache_hit_rate", percent, "Input tokens that came from the cache"],
];

function measured(session: SessionDetail): Fact[] {
  const { metrics } = session;
  const latencies = LATENCIES.flatMap(([label, name, title]) => {
    const reason = metricReason(session, `${name}_p50`);
    if (name === "tool_turn_v2v" && metric(metrics, `${name}_p50`) === null) return [];
    return { label, value: pair(metrics, name), title: reason ? `${title}. Not measured: ${reason}` : title };
  });
  const signals = SIGNALS.flatMap(([label, name, show, title]) => {
    const value = metric(metrics, name, `${name}_ms`);
    return value === null ? [] : [{ label, value: show(value), title }];
  });
  return [...latencies, ...signals];
}

function tokens(session: SessionDetail): Fact[] {
  const into = metric(session.metrics, "tokens_audio_in");
  const out = metric(session.metrics, "tokens_audio_out");
  return into === null && out === null
    ? []
    : [{ label: "Audio tokens in / out", value: `${count(into)} / ${count(out)}` }];
}

/** Of the whole call; by name, the newest. */
function scores(session: SessionDetail): Fact[] {
  const newest = new Map(session.scores.filter((one) => one.span_id === null).map((one) => [one.name, one]));
  return [...newest.values()]
    .filter((one) => one.value !== null || one.label)
    .map((one) => ({
      label: one.name,
      value: scoreText(one),
      title: `Score by ${one.author} (${one.source})`,
      tone: one.label === "fail" ? "bad" : "",
    }));
}

/** Of a request that asked for it. */
function cached(session: SessionDetail): Fact[] {
  const found = cacheOf(session.spans);
  if (!found) return [];
  const value = found.ageMs === null ? found.result : `${found.result}, ${duration(found.ageMs)} old`;
  return [{ label: "Cache", value, title: found.reason || "Whether an answer of before was given again" }];
}

function facts(session: SessionDetail): Fact[] {
  const errors = errorCount(session.errors);
  const tools = session.spans.filter((span) => span.type === "tool");
  const failed = tools.filter(toolFailed).length;
  const closed = closeText(session.close);
  return [
    { label: "Duration", value: duration(session.duration_ms) },
    { label: "Turns", value: count(session.turns) },
    {
      label: "Interruptions",
      value: count(session.interruptions),
      tone: session.interruptions ? "warn" : "",
    },
    ...measured(session),
    ...(tools.length
      ? [{ label: "Tools", value: `${tools.length}, ${failed} failed`, tone: failed ? "bad" : "" }]
      : []),
    ...tokens(session),
    ...cached(session),
    { label: "Cost", value: cost(session.cost_usd) },
    { label: "Errors", value: count(errors), tone: errors ? "bad" : "" },
    ...(closed ? [{ label: "Closed", value: closed }] : []),
    ...scores(session),
  ];
}

export function Facts({ session }: { session: SessionDetail }) {
  return (
    <section className="this-call" aria-label="This call in numbers">
      <h2>This call</h2>
      <dl className="facts">
        {facts(session).map(({ label, value, title, tone }) => (
          <div key={label} title={title}>
            <dt>{label}</dt>
            <dd className={value === "–" ? "muted" : (tone ?? "")}>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
