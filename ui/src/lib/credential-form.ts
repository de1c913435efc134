/**
 * The form for a temporary credential: made from the server's own schema of the request, so that every scope that it
 * takes has a field; words are added here. Schema in, fields out; what was typed in, a request and its problems out.
 */
import type { JsonSchema } from "../api/management";

export type FieldKind = "text" | "area" | "lines" | "pairs" | "number" | "flag" | "choice" | "json";

export interface Field {
  /** In the request, with dots. */
  path: string;
  kind: FieldKind;
  group: Group;
  label: string;
  hint: string;
  placeholder: string;
  initial: string | boolean;
  min?: number;
  max?: number;
  whole?: boolean;
  choices?: readonly string[];
}

export type Values = Record<string, string | boolean>;

export interface Built {
  body: Record<string, unknown>;
  /** By the field's path. */
  problems: Record<string, string>;
}

export const GROUPS = [
  "What it opens",
  "Limits",
  "Where from",
  "What it may say",
  "Recording",
  "More",
] as const;
export type Group = (typeof GROUPS)[number];

interface Words {
  group: Group;
  label: string;
  hint?: string;
  placeholder?: string;
}

const NONE = "none";
const WORDS: Record<string, Words> = {
  model: {
    group: "What it opens",
    label: "Models",
    hint: "One a line, * and ? as in file names; empty: any that has a route",
    placeholder: "local",
  },
  ttl_seconds: {
    group: "What it opens",
    label: "Time to live, s",
    hint: "In which a call may start",
  },
  expires_hard: { group: "What it opens", label: "Running calls end with it, too" },
  max_uses: { group: "Limits", label: "Calls", hint: "1 makes it good for one" },
  max_concurrent: { group: "Limits", label: "Calls at once" },
  max_session_seconds: { group: "Limits", label: "Length of a call, s" },
  max_cost_usd: { group: "Limits", label: "Cost of all its calls, $" },
  max_tokens: { group: "Limits", label: "Tokens of all its calls" },
  max_audio_seconds: { group: "Limits", label: "Sound of all its calls, s" },
  max_requests_per_minute: { group: "Limits", label: "Requests in a minute", hint: "A call is one" },
  max_tokens_per_minute: { group: "Limits", label: "Tokens of requests in a minute" },
  allowed_origins: {
    group: "Where from",
    label: "Pages",
    hint: "Origins, one a line",
    placeholder: "https://shop.example",
  },
  allowed_ips: {
    group: "Where from",
    label: "Addresses",
    hint: "Addresses and networks, one a line",
    placeholder: "192.0.2.0/24",
  },
  "session.instructions": { group: "What it may say", label: "Instructions that calls begin with" },
  "session.audio.output.voice": { group: "What it may say", label: "Voice", placeholder: "marin" },
  "session.lock": {
    group: "What it may say",
    label: "The client may not change",
    hint: "“locked”: nothing that is given here; or fields, one a line, such as instructions or audio.output.voice",
    placeholder: "locked",
  },
  session: {
    group: "What it may say",
    label: "More settings of the session (JSON)",
    placeholder: '{"tools": []}',
  },
  allowed_events: {
    group: "What it may say",
    label: "Client events",
    hint: "One a line; “none”: it only listens",
    placeholder: "input_audio_buffer.*",
  },
  allowed_tools: {
    group: "What it may say",
    label: "Tools that the client may bring",
    hint: "One a line; “none”: no tool",
    placeholder: "get_*",
  },
  "logging.project_name": {
    group: "Recording",
    label: "Recorded in the project",
    hint: "Empty: its calls are not recorded",
  },
  "logging.audio": { group: "Recording", label: "The sound is recorded" },
  "logging.text": { group: "Recording", label: "The words are recorded" },
  "logging.retention_days": { group: "Recording", label: "Kept for, days" },
  "logging.audio_retention_days": { group: "Recording", label: "Sound kept for, days" },
  metadata: {
    group: "Recording",
    label: "Metadata on the trace",
    hint: "name=value, one a line; tags=a,b sets its tags",
    placeholder: "user_id=42",
  },
};

/** Long texts, and what of a session has a field of its own. */
const AREAS = new Set(["session.instructions"]);
const OF_SESSION = ["session.instructions", "session.audio.output.voice", "session.lock"];

/** The one of several forms that a form has a field for: lists before single values, anything before null. */
function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  if (schema.$ref) return resolved(root.$defs?.[schema.$ref.split("/").at(-1) ?? ""] ?? {}, root);
  if (!schema.anyOf) return schema;
  const forms = schema.anyOf.map((one) => resolved(one, root)).filter((one) => one.type !== "null");
  return forms.find((one) => one.type === "array") ?? forms[0] ?? {};
}

function kindOf(path: string, schema: JsonSchema): FieldKind {
  if (AREAS.has(path)) return "area";
  if (schema.enum) return "choice";
  switch (schema.type) {
    case "boolean":
      return "flag";
    case "integer":
    case "number":
      return "number";
    case "string":
      return "text";
    case "array":
      return schema.items?.type === "object" || schema.items?.$ref ? "json" : "lines";
    case "object":
      return schema.properties ? "json" : "pairs";
    default:
      return "json";
  }
}

function fieldOf(path: string, schema: JsonSchema, given: JsonSchema, forced?: FieldKind): Field {
  const words = WORDS[path] ?? { group: "More", label: path };
  const kind = forced ?? kindOf(path, schema);
  const standard = given.default ?? schema.default;
  const initial =
    kind === "flag" ? standard === true : kind === "number" && standard != null ? String(standard) : "";
  return {
    path,
    kind,
    group: words.group,
    label: words.label,
    hint: words.hint ?? "",
    placeholder: words.placeholder ?? "",
    initial,
    ...(schema.minimum !== undefined ? { min: schema.minimum } : {}),
    ...(schema.exclusiveMinimum !== undefined ? { min: schema.exclusiveMinimum } : {}),
    ...(schema.maximum !== undefined ? { max: schema.maximum } : {}),
    ...(schema.type === "integer" ? { whole: true } : {}),
    ...(schema.enum ? { choices: schema.enum.map(String) } : {}),
  };
}

export function fieldsOf(schema: JsonSchema): Field[] {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, given]) => {
    const inner = resolved(given, schema);
    if (name === "session") {
      const own = OF_SESSION.map((path) =>
        fieldOf(path, { type: "string" }, {}, path === "session.lock" ? "lines" : undefined),
      );
      return [...own, fieldOf("session", inner, {}, "json")];
    }
    if (!inner.properties) return [fieldOf(name, inner, given)];
    return Object.entries(inner.properties).map(([part, of]) =>
      fieldOf(`${name}.${part}`, resolved(of, schema), of),
    );
  });
  return fields.sort((a, b) => place(a) - place(b));
}

const ORDER = Object.keys(WORDS);

/** By group, within it as the words above; what has none comes last. */
function place({ group, path }: Field): number {
  const at = ORDER.indexOf(path);
  return GROUPS.indexOf(group) * 100 + (at < 0 ? 99 : at);
}

export function initialValues(fields: readonly Field[]): Values {
  return Object.fromEntries(fields.map((field) => [field.path, field.initial]));
}

const lines = (text: string) =>
  text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);

/** What one field says; undefined: nothing. Throws what is wrong with it, in words. */
function typedValue(field: Field, value: string | boolean): unknown {
  if (typeof value === "boolean") return value === field.initial ? undefined : value;
  const text = value.trim();
  if (!text) return undefined;
  switch (field.kind) {
    case "number":
      return numberOf(field, text);
    case "lines":
      return listOf(field.path, lines(text));
    case "pairs":
      return pairsOf(text);
    case "json":
      return objectOf(text);
    default:
      return text;
  }
}

function numberOf(field: Field, text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || (field.whole && !Number.isInteger(number))) {
    throw new Error(field.whole ? "This must be a whole number." : "This must be a number.");
  }
  if (field.min !== undefined && number < field.min) throw new Error(`At least ${field.min}.`);
  if (field.max !== undefined && number > field.max) {
    throw new Error(`At most ${field.max.toLocaleString("en")}.`);
  }
  return number;
}

function listOf(path: string, entries: string[]): unknown {
  if (path === "model" && entries.length === 1) return entries[0];
  if (path === "session.lock" && entries.length === 1 && ["locked", "defaults"].includes(entries[0] ?? "")) {
    return entries[0];
  }
  return entries.length === 1 && entries[0] === NONE ? [] : entries;
}

function pairsOf(text: string): Record<string, unknown> {
  const pairs = text.split("\n").filter((line) => line.trim());
  const found: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new Error(`“${pair.trim()}” is not name=value.`);
    const name = pair.slice(0, at).trim();
    const value = pair.slice(at + 1).trim();
    found[name] = name === "tags" ? lines(value) : value;
  }
  return found;
}

function objectOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("This is not JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("Write a JSON object: {…}.");
  return value as Record<string, unknown>;
}

/** Puts a value at a path, into objects that are made as needed. */
function put(body: Record<string, unknown>, path: string, value: unknown): void {
  const [name = "", ...rest] = path.split(".");
  if (rest.length === 0) {
    body[name] = value;
    return;
  }
  if (!isObject(body[name])) body[name] = {};
  put(body[name] as Record<string, unknown>, rest.join("."), value);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The request for what was typed. */
export function build(fields: readonly Field[], values: Values): Built {
  const body: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  // The session's JSON first: the fields of their own are put into it.
  for (const field of [...fields].sort((a, b) => a.path.length - b.path.length)) {
    try {
      const value = typedValue(field, values[field.path] ?? field.initial);
      if (value !== undefined) put(body, field.path, value);
    } catch (error) {
      problems[field.path] = error instanceof Error ? error.message : String(error);
    }
  }
  if (isObject(body.logging) && body.logging.project_name === undefined) {
    problems["logging.project_name"] = "Name a project: without one nothing is recorded.";
  }
  return { body, problems };
}

/** The field that the server's `param` means: `allowed_ips.0` is one line of `allowed_ips`. */
export function fieldOfParam(fields: readonly Field[], param: string | null): string | null {
  if (!param) return null;
  const fitting = fields
    .map((field) => field.path)
    .filter((path) => param === path || param.startsWith(`${path}.`))
    .sort((a, b) => b.length - a.length);
  return fitting[0] ?? null;
}
