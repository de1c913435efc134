/** A rule of online scoring, made or changed: which calls, how many of them, by which scorers, and when to tell. */
import { type FormEvent, useState } from "react";
import { useRules } from "../../api/evaluations";
import type { Rule } from "../../api/schema";
import { useMe } from "../../lib/me";
import { draftOfRule, EMPTY, type RuleDraft, readRule, type ScorerDraft } from "../../lib/rule-draft";
import { toast } from "../../lib/toasts";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Problem } from "../Problem";

type Change = (next: Partial<RuleDraft>) => void;

function Text({ label, value, onChange, testId, hint, ...rest }: TextProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <input
        className="input"
        value={value}
        placeholder={hint}
        data-testid={testId}
        onChange={(event) => onChange(event.target.value)}
        {...rest}
      />
    </label>
  );
}

interface TextProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
  testId?: string;
  hint?: string;
  readOnly?: boolean;
  inputMode?: "decimal" | "numeric" | "url";
}

function Scorers({ scorers, onChange }: { scorers: ScorerDraft[]; onChange: (next: ScorerDraft[]) => void }) {
  const put = (at: number, next: Partial<ScorerDraft>) =>
    onChange(scorers.map((one, index) => (index === at ? { ...one, ...next } : one)));
  return (
    <fieldset className="scorers">
      <legend>Scorers</legend>
      {scorers.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they have no names of their own while they are typed
        <div className="row" key={at}>
          <input
            className="input"
            aria-label={`Name of scorer ${at + 1}`}
            placeholder="wer"
            value={one.name}
            data-testid="scorer-name"
            onChange={(event) => put(at, { name: event.target.value })}
          />
          <input
            className="input code"
            aria-label={`Parameters of scorer ${at + 1}, as JSON`}
            placeholder='{"at_least": 0.9}'
            value={one.params}
            onChange={(event) => put(at, { params: event.target.value })}
          />
          <Button
            icon="cross"
            kind="quiet"
            aria-label={`Take scorer ${at + 1} away`}
            disabled={scorers.length === 1}
            onClick={() => onChange(scorers.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      <div className="row">
        <Button icon="plus" onClick={() => onChange([...scorers, { name: "", params: "" }])}>
          Another one
        </Button>
      </div>
    </fieldset>
  );
}

function Alert({ draft, onChange }: { draft: RuleDraft; onChange: Change }) {
  return (
    <>
      <label className="check">
        <input
          type="checkbox"
          checked={draft.alerts}
          data-testid="rule-alerts"
          onChange={(event) => onChange({ alerts: event.target.checked })}
        />
        <span>Tell a webhook when the mean crosses a threshold</span>
      </label>
      {draft.alerts && (
        <div className="alert-fields">
          <Text
            label="Score"
            hint={draft.scorers[0]?.name ?? ""}
            value={draft.score}
            onChange={(score) => onChange({ score })}
          />
          <label className="field">
            <span>Tell when it is</span>
            <select
              className="input"
              value={draft.direction}
              onChange={(event) => onChange({ direction: event.target.value === "min" ? "min" : "max" })}
            >
              <option value="max">below</option>
              <option value="min">above</option>
            </select>
          </label>
          <Text
            label="Threshold"
            value={draft.threshold}
            inputMode="decimal"
            testId="rule-threshold"
            onChange={(threshold) => onChange({ threshold })}
          />
          <Text
            label="Over how many calls"
            value={draft.window}
            inputMode="numeric"
            onChange={(window) => onChange({ window })}
          />
          <Text
            label="Webhook"
            value={draft.webhook}
            hint="https://hooks.example/…"
            inputMode="url"
            testId="rule-webhook"
            onChange={(webhook) => onChange({ webhook })}
          />
        </div>
      )}
    </>
  );
}

export function RuleDialog({ rule, onClose }: { rule: Rule | null; onClose: () => void }) {
  const me = useMe();
  const [draft, setDraft] = useState<RuleDraft>(() =>
    rule ? draftOfRule(rule) : { ...EMPTY, project: me?.project ?? "" },
  );
  const { add, edit } = useRules();
  const change: Change = (next) => setDraft((before) => ({ ...before, ...next }));
  const { rule: read, wrong } = readRule(draft);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!read || wrong) return;
    const onSuccess = () => {
      toast(`“${read.name}” is saved. It scores calls when they are over.`);
      onClose();
    };
    const { project: _, ...changed } = read;
    if (rule) edit.mutate({ id: rule.id, ...(changed as Partial<Rule>) }, { onSuccess });
    else add.mutate(read, { onSuccess });
  };
  const error = add.error ?? edit.error;
  return (
    <Dialog title={rule ? `Change “${rule.name}”` : "New rule"} onClose={onClose} wide>
      <form className="stack" onSubmit={submit}>
        <Text label="Name" value={draft.name} testId="rule-name" onChange={(name) => change({ name })} />
        <Text
          label="Which calls (the language of the list of sessions; empty: all)"
          hint="tag:refund duration>30s"
          value={draft.filter}
          testId="rule-filter"
          onChange={(filter) => change({ filter })}
        />
        <div className="alert-fields">
          <Text
            label="Project (empty: all)"
            value={draft.project}
            readOnly={rule !== null || me?.project != null}
            onChange={(project) => change({ project })}
          />
          <Text
            label="Share of them, in %"
            value={draft.percent}
            inputMode="decimal"
            onChange={(percent) => change({ percent })}
          />
        </div>
        <Scorers scorers={draft.scorers} onChange={(scorers) => change({ scorers })} />
        <Alert draft={draft} onChange={change} />
        {wrong && draft.name && <p className="warn">{wrong}</p>}
        {error && <Problem error={error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            submit
            data-testid="save-rule"
            disabled={wrong !== "" || add.isPending || edit.isPending}
          >
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
