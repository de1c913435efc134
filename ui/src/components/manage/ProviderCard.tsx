/** One provider: where it is, whether there is a key, how it has answered, and a check that asks it now. */
import { useCheckProvider } from "../../api/management";
import type { CheckStep, Provider, ProviderCheck } from "../../api/schema";
import { millis } from "../../lib/format";
import { Button } from "../Button";
import { Moment } from "../Moment";
import { Problem } from "../Problem";

const STATES: Record<Provider["health"]["state"], [tone: string, words: string]> = {
  untried: ["", "no call yet"],
  answering: ["live", "answering"],
  failing: ["failed", "failing"],
  resting: ["interrupted", "resting"],
};
const STEPS: Record<CheckStep["name"], string> = { key: "Key", models: "Models", call: "Call" };
const MARKS: Record<CheckStep["status"], [mark: string, tone: string]> = {
  passed: ["✓", "good"],
  failed: ["✗", "bad"],
  skipped: ["–", "muted"],
};

function keyWords(provider: Provider): string {
  if (provider.kind === "embedded") return "needs none";
  if (provider.key_from === null) return "none is sent";
  const place = provider.key_from === "settings" ? "in the settings" : provider.key_from;
  return provider.has_key ? `present (${place})` : `missing: set ${place}`;
}

function Health({ provider }: { provider: Provider }) {
  const { state, answered_at, failed_at, failure, rests_for_seconds } = provider.health;
  const [tone, words] = STATES[state];
  return (
    <>
      <span className={`status ${tone}`} data-testid="provider-state">
        {words}
      </span>
      {answered_at && state === "answering" && (
        <span className="muted">
          last <Moment at={answered_at} />
        </span>
      )}
      {state === "resting" && (
        <span className="muted">
          tried last
          {rests_for_seconds ? `, for ${Math.ceil(rests_for_seconds)} s more` : ": due for a trial"}
        </span>
      )}
      {failed_at && (state === "failing" || state === "resting") && (
        <p className="bad failure">
          <Moment at={failed_at} />
          {failure && `: ${failure}`}
        </p>
      )}
    </>
  );
}

function Result({ check }: { check: ProviderCheck }) {
  return (
    <ol className="check-steps" data-testid="check-result" data-status={check.status}>
      {check.steps.map((step) => {
        const [mark, tone] = MARKS[step.status];
        return (
          <li key={step.name}>
            <span className={tone} aria-hidden="true">
              {mark}
            </span>
            <strong>{STEPS[step.name]}</strong>
            <span>
              <span className="visually-hidden">{step.status}: </span>
              {step.said} {step.advice && <span className="muted">{step.advice}</span>}
            </span>
            <span className="muted figure">{step.ms !== null && millis(step.ms)}</span>
          </li>
        );
      })}
    </ol>
  );
}

export function ProviderCard({ provider, mayCheck }: { provider: Provider; mayCheck: boolean }) {
  const check = useCheckProvider(provider.name);
  const renamed = Object.entries(provider.renamed);
  return (
    <section className="panel provider" aria-label={provider.name} data-testid={`provider-${provider.name}`}>
      <header className="row">
        <h2>{provider.name}</h2>
        <span className="muted">{provider.kind}</span>
        <span className="grow" />
        {mayCheck && (
          <Button
            icon="refresh"
            data-testid="check"
            disabled={check.isPending}
            onClick={() => check.mutate(null)}
          >
            {check.isPending ? "Asking it…" : "Check"}
          </Button>
        )}
      </header>
      <div className="row">
        <Health provider={provider} />
      </div>
      <dl className="facts">
        <dt>Address</dt>
        <dd>{provider.base_url ? <code>{provider.base_url}</code> : "in the box"}</dd>
        <dt>Key</dt>
        <dd className={provider.has_key ? "" : "bad"}>{keyWords(provider)}</dd>
        <dt>Speaks</dt>
        <dd>
          {provider.dialect === "ga" ? "GA" : (provider.dialect ?? "requests only")}
          {provider.api_version && ` · ${provider.api_version}`}
        </dd>
        <dt>Models</dt>
        <dd>{provider.models.length > 0 ? provider.models.join(", ") : "no route leads here"}</dd>
        {renamed.length > 0 && (
          <>
            <dt>There called</dt>
            <dd>{renamed.map(([model, name]) => `${model} → ${name}`).join(", ")}</dd>
          </>
        )}
      </dl>
      {check.error && <Problem error={check.error} />}
      {check.data && <Result check={check.data} />}
    </section>
  );
}
