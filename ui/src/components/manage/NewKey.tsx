/** Makes an API key: a name, a role, and if wanted a project, an end, and limits per minute. */
import { type FormEvent, type ReactNode, useState } from "react";
import { useCreateKey } from "../../api/management";
import type { NewKeyRequest } from "../../api/schema";
import { type KeyDraft, type Limit, NEW_KEY, readKey } from "../../lib/key-form";
import { useMe } from "../../lib/me";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { SecretOnce } from "./SecretOnce";

const ROLES: Record<NewKeyRequest["role"], string> = {
  mint: "mint: makes credentials and calls; for your backend",
  read: "read: sees and hears recordings",
  connect: "connect: makes calls",
  admin: "admin: everything",
};
const ENDS: [days: number, words: string][] = [
  [0, "never"],
  [7, "in 7 days"],
  [30, "in 30 days"],
  [90, "in 90 days"],
  [365, "in a year"],
];
const LIMITS: [name: Limit, label: string, hint: string][] = [
  ["requests", "Requests in a minute", "Over all workers; a call is one, when it opens"],
  ["tokens", "Tokens in a minute", "Of requests; calls count none"],
];

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is inside
    <label className="field">
      <span>{label}</span>
      {children}
    </label>
  );
}

interface FieldsProps {
  draft: KeyDraft;
  onChange: (next: Partial<KeyDraft>) => void;
}

function WhoFields({ draft, onChange }: FieldsProps) {
  const own = useMe()?.project ?? null;
  return (
    <>
      <Field label="Name">
        <input
          className="input"
          data-testid="key-name"
          required
          maxLength={100}
          placeholder="backend of the shop"
          value={draft.name}
          onChange={(event) => onChange({ name: event.target.value })}
        />
      </Field>
      <Field label="Role">
        <select
          className="input"
          data-testid="key-role"
          value={draft.role}
          onChange={(event) => onChange({ role: event.target.value as NewKeyRequest["role"] })}
        >
          {Object.entries(ROLES).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Bound to the project">
        <input
          className="input"
          data-testid="key-project"
          placeholder="all projects"
          disabled={own !== null}
          value={draft.project}
          onChange={(event) => onChange({ project: event.target.value })}
        />
      </Field>
      <Field label="Ends">
        <select
          className="input"
          value={draft.days}
          onChange={(event) => onChange({ days: Number(event.target.value) })}
        >
          {ENDS.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </Field>
    </>
  );
}

function LimitFields({ draft, onChange, wrong }: FieldsProps & { wrong: Partial<Record<Limit, string>> }) {
  return LIMITS.map(([name, label, hint]) => (
    <Field key={name} label={label}>
      <input
        className="input"
        inputMode="numeric"
        placeholder="no limit of its own"
        data-testid={`key-${name}`}
        aria-invalid={wrong[name] !== undefined}
        value={draft[name]}
        onChange={(event) => onChange({ [name]: event.target.value })}
      />
      {wrong[name] ? (
        <small className="bad" role="alert">
          {wrong[name]}
        </small>
      ) : (
        <small className="muted">{hint}</small>
      )}
    </Field>
  ));
}

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const own = useMe()?.project ?? "";
  const [draft, setDraft] = useState<KeyDraft>({ ...NEW_KEY, project: own });
  const create = useCreateKey();
  const { request, wrong } = readKey(draft, Date.now());
  const fields = { draft, onChange: (next: Partial<KeyDraft>) => setDraft({ ...draft, ...next }) };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (request) create.mutate(request);
  };
  if (create.data) {
    return (
      <Dialog
        title={`The key “${create.data.name}”`}
        onClose={onClose}
        wide
        actions={<Button onClick={onClose}>Done</Button>}
      >
        <SecretOnce text={create.data.key}>
          Keep it now: Voxgate has only its hash and cannot show it again.
        </SecretOnce>
      </Dialog>
    );
  }
  return (
    <Dialog title="New API key" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <WhoFields {...fields} />
        <LimitFields {...fields} wrong={wrong} />
        {create.error && (
          <p className="bad" role="alert">
            {create.error.message}
          </p>
        )}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            submit
            data-testid="create-key"
            disabled={create.isPending || !request?.name}
          >
            {create.isPending ? "Making it…" : "Make the key"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
