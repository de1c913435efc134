/** Makes an API key: a name, a role, and if wanted a project and an end. */
import { type FormEvent, useState } from "react";
import { useCreateKey } from "../../api/management";
import type { NewKeyRequest } from "../../api/schema";
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
const DAY_MS = 86_400_000;
const ENDS: [days: number, words: string][] = [
  [0, "never"],
  [7, "in 7 days"],
  [30, "in 30 days"],
  [90, "in 90 days"],
  [365, "in a year"],
];

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const own = useMe()?.project ?? null;
  const [name, setName] = useState("");
  const [role, setRole] = useState<NewKeyRequest["role"]>("mint");
  const [project, setProject] = useState(own ?? "");
  const [days, setDays] = useState(0);
  const create = useCreateKey();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires_at = days ? new Date(Date.now() + days * DAY_MS).toISOString() : null;
    create.mutate({ name: name.trim(), role, project: project.trim() || null, expires_at });
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
        <label className="field">
          <span>Name</span>
          <input
            className="input"
            data-testid="key-name"
            required
            maxLength={100}
            placeholder="backend of the shop"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label className="field">
          <span>Role</span>
          <select
            className="input"
            data-testid="key-role"
            value={role}
            onChange={(event) => setRole(event.target.value as NewKeyRequest["role"])}
          >
            {Object.entries(ROLES).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span>Bound to the project</span>
          <input
            className="input"
            data-testid="key-project"
            placeholder="all projects"
            disabled={own !== null}
            value={project}
            onChange={(event) => setProject(event.target.value)}
          />
        </label>
        <label className="field">
          <span>Ends</span>
          <select className="input" value={days} onChange={(event) => setDays(Number(event.target.value))}>
            {ENDS.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {create.error && (
          <p className="bad" role="alert">
            {create.error.message}
          </p>
        )}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" submit data-testid="create-key" disabled={create.isPending || !name.trim()}>
            {create.isPending ? "Making it…" : "Make the key"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
