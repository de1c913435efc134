/** The settings of a call as the provider confirmed them, each version with what changed from the one before. */
import { type EventRow, fold } from "./event-log";
import { fields } from "./trace";

export interface Change {
  path: string;
  /** Undefined where there was nothing before, or is nothing any more. */
  before: unknown;
  after: unknown;
}

export interface ConfigVersion {
  ms: number;
  config: Record<string, unknown>;
  changes: Change[];
}

/** Names that differ at every confirmation and say nothing of the settings. */
const PASSING = new Set(["id", "object", "expires_at", "client_secret"]);
const CONFIRMS = new Set(["session.created", "session.updated"]);

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function differences(before: unknown, after: unknown, path = ""): Change[] {
  if (same(before, after)) return [];
  const isObject = (value: unknown) => !!value && typeof value === "object" && !Array.isArray(value);
  if (!isObject(before) || !isObject(after)) return [{ path, before, after }];
  const [a, b] = [fields(before), fields(after)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differences(a[key], b[key], path ? `${path}.${key}` : key),
  );
}

function settings(session: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields(session)).filter(([key, value]) => !PASSING.has(key) && value != null),
  );
}

/** Out of the event log; confirmations that change nothing are left out. */
export function configVersions(rows: EventRow[]): ConfigVersion[] {
  const versions: ConfigVersion[] = [];
  for (const row of rows) {
    if (row.dir !== "server" || !CONFIRMS.has(row.type)) continue;
    const config = settings(fold(fields(row.message).session));
    const last = versions.at(-1);
    const changes = last ? differences(last.config, config) : [];
    if (!last || changes.length > 0) versions.push({ ms: row.ms, config, changes });
  }
  return versions;
}
