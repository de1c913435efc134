/** One case: what goes in, to be heard; what ought to come out, to be changed; and where it came from. */
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useDeleteCase, useSaveCase } from "../../api/evaluations";
import type { Case } from "../../api/schema";
import { draftOf, type ExpectedDraft, inputText, KINDS, readDraft } from "../../lib/cases";
import { useKeys } from "../../lib/keys";
import { useIsAdmin } from "../../lib/me";
import { toast } from "../../lib/toasts";
import { Button } from "../Button";
import { Problem } from "../Problem";
import { JsonTree } from "../session/JsonTree";
import { CaseSound } from "./CaseSound";

interface Props {
  datasetId: string;
  one: Case;
  /** An older version is only looked at. */
  newest: boolean;
  onClose: () => void;
}

const FIELDS: [name: keyof ExpectedDraft, label: string, hint: string, rows: number][] = [
  ["transcript", "What ought to be said", "Your order arrives on Friday.", 3],
  ["calls", "Tool calls that ought to be made, as JSON", '[{"name": "refund", "arguments": {"id": 7}}]', 4],
  ["value", "Anything else that scorers compare with (text or JSON)", "", 2],
];

function ExpectedEditor({ datasetId, one, newest }: Omit<Props, "onClose">) {
  const [draft, setDraft] = useState(() => draftOf(one));
  const [tags, setTags] = useState((one.tags ?? []).join(", "));
  const save = useSaveCase(datasetId);
  const isAdmin = useIsAdmin();
  const { expected, wrong } = readDraft(draft);
  const changed =
    JSON.stringify(draft) !== JSON.stringify(draftOf(one)) || tags !== (one.tags ?? []).join(", ");
  const fixed = !newest || !isAdmin;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrong || fixed) return;
    const named = [...new Set(tags.split(",").map((tag) => tag.trim()))].filter(Boolean);
    save.mutate(
      { ...one, ...(expected && { expected }), tags: named },
      { onSuccess: ({ version }) => toast(`Saved: this is version ${version}.`) },
    );
  };
  return (
    <form className="stack" onSubmit={submit}>
      {FIELDS.map(([name, label, hint, rows]) => (
        <label className="field" key={name}>
          <span>{label}</span>
          <textarea
            className={`input ${name === "transcript" ? "" : "code"}`}
            rows={rows}
            placeholder={hint}
            readOnly={fixed}
            value={draft[name]}
            aria-invalid={name === "calls" && wrong !== ""}
            data-testid={`expected-${name}`}
            onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
          />
        </label>
      ))}
      {wrong && (
        <p className="bad" role="alert">
          {wrong}
        </p>
      )}
      <label className="field">
        <span>Tags, with commas between</span>
        <input
          className="input"
          readOnly={fixed}
          value={tags}
          data-testid="case-tags"
          onChange={(event) => setTags(event.target.value)}
        />
      </label>
      {save.error && <Problem error={save.error} />}
      {!fixed && (
        <div className="row">
          <Button
            kind="primary"
            submit
            data-testid="save-case"
            disabled={!changed || wrong !== "" || save.isPending}
          >
            Save as a new version
          </Button>
          {changed && <span className="muted">not saved yet</span>}
        </div>
      )}
    </form>
  );
}

function Origin({ one }: { one: Case }) {
  if (!one.session_id) return <span className="muted">no recorded call</span>;
  return (
    <Link to="/sessions/$id" params={{ id: one.session_id }}>
      {one.span_id ? "the turn of this call" : "this call"}
    </Link>
  );
}

function DeleteCase({ datasetId, one, onClose }: Pick<Props, "datasetId" | "one" | "onClose">) {
  const remove = useDeleteCase(datasetId);
  const act = () =>
    remove.mutate(one.id, {
      onSuccess: ({ version }) => {
        toast(`Out of version ${version}; earlier ones keep it.`);
        onClose();
      },
    });
  return (
    <>
      <Button icon="trash" data-testid="delete-case" disabled={remove.isPending} onClick={act}>
        Take it out
      </Button>
      {remove.error && <Problem error={remove.error} />}
    </>
  );
}

function More({ one }: { one: Case }) {
  const { config, scenario, value } = one.input;
  const parts: [label: string, value: unknown][] = [
    ["Settings that it brings along", config],
    ["Scenario", scenario],
    ["Value", value],
    ["Metadata", Object.keys(one.metadata ?? {}).length > 0 ? one.metadata : null],
  ];
  return (
    <>
      {parts.map(
        ([label, part]) =>
          part != null && (
            <details key={label} className="case-part">
              <summary>{label}</summary>
              <JsonTree value={part} label={label} />
            </details>
          ),
      )}
    </>
  );
}

export function CaseDetail({ datasetId, one, newest, onClose }: Props) {
  const isAdmin = useIsAdmin();
  useKeys("This case", [{ key: "Escape", what: "Close it", act: onClose }]);
  return (
    <section className="panel case-detail" aria-label="Case" data-testid="case-detail">
      <div className="panel-head">
        <h2 className="grow">{KINDS[one.input.kind]}</h2>
        {newest && isAdmin && <DeleteCase datasetId={datasetId} one={one} onClose={onClose} />}
        <Button kind="quiet" onClick={onClose}>
          Close
        </Button>
      </div>
      <div className="stack padded">
        <p className="case-input">{inputText(one)}</p>
        <CaseSound datasetId={datasetId} one={one} />
        <dl className="facts">
          <div>
            <dt>Id</dt>
            <dd>
              <code>{one.id}</code>
            </dd>
          </div>
          <div>
            <dt>Came from</dt>
            <dd>
              <Origin one={one} />
            </dd>
          </div>
        </dl>
        <More one={one} />
        <h3>Expected</h3>
        <ExpectedEditor
          // Another version of it begins anew.
          key={JSON.stringify([one.id, one.expected, one.tags])}
          datasetId={datasetId}
          one={one}
          newest={newest}
        />
      </div>
    </section>
  );
}
