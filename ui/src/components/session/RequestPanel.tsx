/** A request in numbers: who was asked for what, how long it took, what it cost; its sound, if it has any. */
import type { SessionDetail } from "../../api/types";
import { clock, cost, count, duration, millis } from "../../lib/format";
import { endpointOf, httpStatus, triesOf } from "../../lib/requests";
import { errorText, fields, metric } from "../../lib/trace";
import { Sound } from "../Sound";

interface Fact {
  label: string;
  value: string;
  tone?: string;
  title?: string;
}

function modelText(session: SessionDetail): string {
  const { upstream_model: upstream, actual_model: actual } = fields(session);
  const answered = typeof actual === "string" && actual ? actual : upstream;
  const asked = session.model || "–";
  return typeof answered === "string" && answered && answered !== asked ? `${asked} → ${answered}` : asked;
}

/** What the cache had to do with it. */
function cacheText(cache: unknown): string {
  const { result, age_seconds: age } = fields(cache);
  if (typeof result !== "string") return "";
  return typeof age === "number" ? `${result}, ${duration(age * 1000)} old` : result;
}

function tokens(session: SessionDetail): Fact[] {
  const usage = fields(session.usage);
  const into = metric(usage, "input_tokens");
  const out = metric(usage, "output_tokens");
  const cached = metric(usage, "cached_tokens");
  const seconds = metric(usage, "seconds");
  return [
    ...(into === null && out === null
      ? []
      : [
          {
            label: "Tokens in / out",
            value: `${count(into)} / ${count(out)}${cached ? `, ${count(cached)} cached` : ""}`,
          },
        ]),
    ...(seconds === null ? [] : [{ label: "Billed sound", value: duration(seconds * 1000) }]),
  ];
}

function facts(session: SessionDetail): Fact[] {
  const response = session.spans.find((span) => span.type === "response");
  const output = fields(response?.output);
  const status = httpStatus(session);
  const first = metric(response?.metrics, "ttft_text", "model_ttfa");
  const cached = cacheText(output.cache);
  return [
    { label: "Endpoint", value: endpointOf(session) },
    { label: "Model", value: modelText(session), title: "As the caller asked for it, and what answered" },
    { label: "Provider", value: session.provider || "–" },
    {
      label: "Status",
      value: status === null ? "–" : String(status),
      tone: status !== null && status >= 400 ? "bad" : "",
    },
    ...(typeof output.reason === "string" ? [{ label: "Finished by", value: output.reason }] : []),
    ...(cached ? [{ label: "Cache", value: cached }] : []),
    {
      label: "Time to first token",
      value: millis(first),
      title: "From the request to the first word, or the first byte of sound",
    },
    { label: "Duration", value: duration(session.duration_ms) },
    ...tokens(session),
    { label: "Cost", value: cost(session.cost_usd) },
  ];
}

function Tries({ session }: { session: SessionDetail }) {
  const tries = triesOf(session);
  if (tries.length < 2 && !tries.some((one) => one.failure)) return null;
  return (
    <section className="tries" aria-label="Who was asked" data-testid="tries">
      <h2>Who was asked</h2>
      <ol>
        {tries.map(({ provider, atMs, failure }) => (
          <li key={`${provider}-${atMs}`}>
            <span className="muted">{clock(atMs, 2)}</span> <strong>{provider}</strong>{" "}
            {failure ? <span className="bad">{failure}</span> : <span className="ok">answered</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}

const TRACKS = [
  ["user", "The sound that was sent"],
  ["assistant", "The sound that was made"],
] as const;

function Sounds({ session }: { session: SessionDetail }) {
  const tracks = fields(session.tracks);
  const base = `/api/sessions/${encodeURIComponent(session.id)}/audio`;
  const there = session.status === "live" ? [] : TRACKS.filter(([track]) => track in tracks);
  if (there.length === 0) return null;
  return (
    <div className="request-sounds">
      {there.map(([track, name]) => {
        const { bytes, rate } = fields(tracks[track]);
        const lengthMs = (Number(bytes) / 2 / Number(rate)) * 1000;
        return (
          <Sound key={track} url={`${base}?track=${track}&format=wav`} name={name} lengthMs={lengthMs} />
        );
      })}
    </div>
  );
}

export function RequestPanel({ session }: { session: SessionDetail }) {
  const failure = errorText(session.spans.find((span) => span.type === "session")?.error);
  return (
    <section className="panel request-panel" aria-label="This request in numbers" data-testid="request-panel">
      <dl>
        {facts(session).map(({ label, value, tone, title }) => (
          <div key={label} title={title}>
            <dt>{label}</dt>
            <dd className={value === "–" ? "muted" : (tone ?? "")}>{value}</dd>
          </div>
        ))}
      </dl>
      {failure && <p className="bad padded">{failure}</p>}
      <Sounds session={session} />
      <Tries session={session} />
    </section>
  );
}
