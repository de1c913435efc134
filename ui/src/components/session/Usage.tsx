/** What the call used and what that cost: in all, by modality, by response, transcription beside it. */
import type { SessionDetail, Span } from "../../api/types";
import { clock, cost, count } from "../../lib/format";
import { fields, spanLabel } from "../../lib/trace";

const MODALITIES = ["text", "audio", "image"] as const;

const number = (source: unknown, name: string): number | null => {
  const value = fields(source)[name];
  return typeof value === "number" ? value : null;
};

function share(part: number | null, whole: number | null): string {
  return part !== null && whole ? `${Math.round((part / whole) * 100)} %` : "–";
}

function Modalities({ usage }: { usage: unknown }) {
  return (
    <table className="figures">
      <thead>
        <tr>
          <th scope="col">Tokens</th>
          <th scope="col">in</th>
          <th scope="col">of these cached</th>
          <th scope="col">out</th>
        </tr>
      </thead>
      <tbody>
        {MODALITIES.map((name) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{count(number(usage, `input_${name}_tokens`))}</td>
            <td>{count(number(usage, `cached_${name}_tokens`))}</td>
            <td>{count(number(usage, `output_${name}_tokens`))}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">all</th>
          <td>{count(number(usage, "input_tokens"))}</td>
          <td>
            {count(number(usage, "cached_tokens"))}{" "}
            <small className="muted">
              {share(number(usage, "cached_tokens"), number(usage, "input_tokens"))}
            </small>
          </td>
          <td>{count(number(usage, "output_tokens"))}</td>
        </tr>
      </tfoot>
    </table>
  );
}

function CostParts({ session }: { session: SessionDetail }) {
  const { parts, model, without_usage: without } = fields(fields(session).cost);
  const rows = Object.entries(fields(parts)).filter(
    (row): row is [string, number] => typeof row[1] === "number",
  );
  const largest = Math.max(...rows.map(([, usd]) => usd), 1e-12);
  return (
    <>
      <p className="padded">
        <strong className="large">{cost(session.cost_usd)}</strong>{" "}
        <span className="muted">
          {session.cost_usd === null
            ? "a price is not known, or nothing was used"
            : "by the list price of the call's time"}
          {model ? ` of ${String(model)}` : ""}
        </span>
      </p>
      {rows.length > 0 && (
        <table className="figures">
          <tbody>
            {rows
              .sort((a, b) => b[1] - a[1])
              .map(([name, usd]) => (
                <tr key={name}>
                  <th scope="row">{name.replaceAll("_", " ")}</th>
                  <td className="bar-cell">
                    <span className="cost-bar" style={{ width: `${(usd / largest) * 100}%` }} />
                  </td>
                  <td>{cost(usd)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      )}
      {typeof without === "number" && without > 0 && (
        <p className="padded muted">
          {count(without)} responses or transcripts came without usage: what was cut off is not in the sum.
        </p>
      )}
    </>
  );
}

function UsageRow({ span, onSelect }: { span: Span; onSelect: (span: Span) => void }) {
  const of = (name: string) => number(span.usage, name);
  const seconds = of("seconds");
  return (
    <tr>
      <td>
        <button type="button" className="at" title="Seek to here" onClick={() => onSelect(span)}>
          {clock(span.start_ms)}
        </button>
      </td>
      <th scope="row">
        <span className={`dot ${span.type}`} aria-hidden="true" />
        {span.type === "user" ? "transcription" : "response"} <span className="muted">{spanLabel(span)}</span>
      </th>
      <td data-label="In">{seconds === null ? count(of("input_tokens")) : `${seconds.toFixed(1)} s`}</td>
      <td data-label="In, text">{count(of("input_text_tokens"))}</td>
      <td data-label="In, audio">{count(of("input_audio_tokens"))}</td>
      <td data-label="Cached">{count(of("cached_tokens"))}</td>
      <td data-label="Out, text">{count(of("output_text_tokens"))}</td>
      <td data-label="Out, audio">{count(of("output_audio_tokens"))}</td>
      <td data-label="Cost">{cost(span.cost_usd)}</td>
    </tr>
  );
}

export function Usage({ session, onSelect }: { session: SessionDetail; onSelect: (span: Span) => void }) {
  const used = session.spans.filter(
    (span) => (span.type === "response" || span.type === "user") && (span.usage || span.cost_usd),
  );
  if (used.length === 0) {
    return (
      <p className="panel padded muted">
        The provider has reported no usage in this call{session.status === "live" ? " yet" : ""}.
      </p>
    );
  }
  return (
    <div className="stack">
      <div className="columns">
        <section className="panel" aria-label="Cost">
          <div className="panel-head">
            <h2>Cost</h2>
          </div>
          <CostParts session={session} />
        </section>
        <section className="panel" aria-label="Usage by modality">
          <div className="panel-head">
            <h2>By modality</h2>
          </div>
          <Modalities usage={session.usage} />
        </section>
      </div>
      <section className="panel scroll-x" aria-label="Usage by response">
        <div className="panel-head">
          <h2>By response</h2>
        </div>
        <table className="figures wide cards dense">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">What</th>
              <th scope="col">In</th>
              <th scope="col">text</th>
              <th scope="col">audio</th>
              <th scope="col">cached</th>
              <th scope="col">Out text</th>
              <th scope="col">audio</th>
              <th scope="col">Cost</th>
            </tr>
          </thead>
          <tbody>
            {used.map((span) => (
              <UsageRow key={span.id} span={span} onSelect={onSelect} />
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}
