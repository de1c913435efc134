/** Makes a temporary credential: a field for every scope that the server knows, and the code for the same request. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "../../api/client";
import { credentialSchemaQuery, type MintedCredential, useMint } from "../../api/management";
import { projectsQuery } from "../../api/queries";
import { credentialSnippets } from "../../code/credential";
import type { Language } from "../../code/snippets";
import {
  build,
  type Field,
  fieldOfParam,
  fieldsOf,
  GROUPS,
  initialValues,
  type Values,
} from "../../lib/credential-form";
import { useMe } from "../../lib/me";
import { Button } from "../Button";
import { Snippet } from "../Copy";
import { Problem } from "../Problem";
import { Skeleton } from "../Skeleton";
import { Tabs } from "../Tabs";
import { SecretOnce } from "./SecretOnce";

interface ControlProps {
  field: Field;
  value: string | boolean;
  problem: string | undefined;
  onChange: (value: string | boolean) => void;
}

const ROWS: Partial<Record<Field["kind"], number>> = { lines: 2, pairs: 2, json: 3, area: 3 };

function Control({ field, value, problem, onChange }: ControlProps) {
  const shared = {
    className: `input ${["lines", "pairs", "json"].includes(field.kind) ? "mono" : ""}`,
    "data-testid": `field-${field.path}`,
    "aria-invalid": problem !== undefined,
    placeholder: field.placeholder,
    value: String(value),
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  const rows = ROWS[field.kind];
  if (rows) return <textarea rows={rows} spellCheck={false} {...shared} />;
  if (field.kind === "choice") {
    return (
      <select {...shared}>
        <option value="" />
        {field.choices?.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  const project = field.path === "logging.project_name" ? { list: "known-projects" } : {};
  return <input inputMode={field.kind === "number" ? "decimal" : "text"} {...project} {...shared} />;
}

function FormField(props: ControlProps) {
  const { field, problem, value, onChange } = props;
  if (field.kind === "flag") {
    return (
      <label className="check">
        <input
          type="checkbox"
          data-testid={`field-${field.path}`}
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
        <span>{field.label}</span>
      </label>
    );
  }
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: Control is the input.
    <label className="field" title={field.path}>
      <span>{field.label}</span>
      <Control {...props} />
      {problem ? (
        <small className="bad" role="alert">
          {problem}
        </small>
      ) : (
        field.hint && <small className="muted">{field.hint}</small>
      )}
    </label>
  );
}

function Code({ body }: { body: Record<string, unknown> }) {
  const [language, setLanguage] = useState<Language>("curl");
  const all = credentialSnippets(body, window.location.origin);
  const shown = all.find((one) => one.language === language);
  return (
    <section className="stack credential-code" aria-label="The same as code">
      <div className="row">
        <h2>The same as code</h2>
        <span className="grow" />
        <Tabs
          tabs={all.map((one) => ({ id: one.language, label: one.label }))}
          selected={language}
          onSelect={setLanguage}
          label="Language"
        />
      </div>
      {shown && <Snippet name={`${shown.label} request`} code={shown.code} />}
      <p className="muted" data-testid="cache-note">
        Whether its requests are cached each of them says itself, by the header <code>x-voxgate-cache</code>.
        One that is made on this page has no cache: answers are locked with the text of an API key, which a
        browser that is signed in does not have. Made by this code, it shares the cache of the key.
      </p>
    </section>
  );
}

/** The known projects, for those who may see them. */
function ProjectNames() {
  const role = useMe()?.role;
  const projects = useQuery({ ...projectsQuery, enabled: role === "admin" || role === "read" });
  return (
    <datalist id="known-projects">
      {projects.data?.items.map((project) => (
        <option key={project.name} value={project.name} />
      ))}
    </datalist>
  );
}

export function CredentialForm({ onClose }: { onClose: () => void }) {
  const schema = useQuery(credentialSchemaQuery);
  if (schema.error) return <Problem error={schema.error} retry={() => void schema.refetch()} />;
  if (!schema.data) return <Skeleton name="The form" lines={8} />;
  return <Form fields={fieldsOf(schema.data)} onClose={onClose} />;
}

function Form({ fields, onClose }: { fields: Field[]; onClose: () => void }) {
  const [values, setValues] = useState<Values>(() => initialValues(fields));
  const [tried, setTried] = useState(false);
  const [made, setMade] = useState<MintedCredential | null>(null);
  const mint = useMint();
  const { body, problems } = build(fields, values);
  const refused = mint.error instanceof ApiError ? fieldOfParam(fields, mint.error.param) : null;
  const problemOf = (path: string) =>
    (tried ? problems[path] : undefined) ?? (refused === path ? mint.error?.message : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length === 0) mint.mutate(body, { onSuccess: setMade });
  };
  const change = (path: string) => (value: string | boolean) => {
    setValues((before) => ({ ...before, [path]: value }));
    if (mint.error) mint.reset();
  };
  const groups = GROUPS.map((group) => [group, fields.filter((field) => field.group === group)] as const);
  return (
    <form className="panel credential-form" onSubmit={submit} noValidate data-testid="credential-form">
      <ProjectNames />
      <div className="form-groups">
        {groups
          .filter(([, own]) => own.length > 0)
          .map(([group, own]) => (
            <fieldset key={group}>
              <legend>{group}</legend>
              {own.map((field) => (
                <FormField
                  key={field.path}
                  field={field}
                  value={values[field.path] ?? field.initial}
                  problem={problemOf(field.path)}
                  onChange={change(field.path)}
                />
              ))}
            </fieldset>
          ))}
      </div>
      {mint.error && !refused && <Problem error={mint.error} />}
      {made && (
        <SecretOnce text={made.key}>
          This is the key of <code>{made.id}</code>. It is shown this once and kept nowhere.
        </SecretOnce>
      )}
      <div className="row">
        <Button kind="primary" submit data-testid="mint" disabled={mint.isPending}>
          {mint.isPending ? "Making it…" : made ? "Make another" : "Make the credential"}
        </Button>
        <Button onClick={onClose}>Close</Button>
      </div>
      <Code body={body} />
    </form>
  );
}
