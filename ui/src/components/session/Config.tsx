/** With which settings the call ran, and what of them changed on the way. */
import { useMemo } from "react";
import type { SessionDetail } from "../../api/types";
import { type Change, type ConfigVersion, configVersions } from "../../lib/config-versions";
import { clock } from "../../lib/format";
import { fields } from "../../lib/trace";
import { useEventLog } from "../../lib/use-event-log";
import { Problem } from "../Problem";
import { Skeleton } from "../Skeleton";
import { JsonTree } from "./JsonTree";

function shown(value: unknown): string {
  if (value === undefined) return "not set";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Differences({ changes }: { changes: Change[] }) {
  return (
    <dl className="diff">
      {changes.map(({ path, before, after }) => (
        <div key={path}>
          <dt className="mono">{path}</dt>
          <dd>
            <del>{shown(before)}</del>
            <ins>{shown(after)}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Version({ version, onSeek }: { version: ConfigVersion; onSeek: (ms: number) => void }) {
  return (
    <section className="panel version" data-testid="config-version">
      <div className="panel-head">
        <h2>
          <button type="button" className="at" title="Seek to here" onClick={() => onSeek(version.ms)}>
            {clock(version.ms, 2)}
          </button>{" "}
          {version.changes.length === 0 ? "The call began with" : "changed"}
        </h2>
      </div>
      {version.changes.length > 0 && <Differences changes={version.changes} />}
      <details className="version-all" open={version.changes.length === 0}>
        <summary className="version-summary">All settings</summary>
        <JsonTree value={version.config} label="Settings" />
      </details>
    </section>
  );
}

const CONNECTION = [
  "requested_model",
  "live_model",
  "upstream_model",
  "actual_model",
  "provider_session_id",
  "transport",
  "dialect",
  "provider_dialect",
  "dial_ms",
  "credential_id",
  "credential",
  "client",
  "request",
  "close",
  "recorded",
  "metadata",
] as const;

function Connection({ session }: { session: SessionDetail }) {
  const told = fields(session);
  const known = CONNECTION.filter((name) => told[name] !== null && told[name] !== undefined);
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>Connection</h2>
      </div>
      <div className="padded">
        <JsonTree value={Object.fromEntries(known.map((name) => [name, told[name]]))} label="Connection" />
      </div>
    </section>
  );
}

/** Those of a request came with it; no provider confirms them. */
export function RequestConfig({ session }: { session: SessionDetail }) {
  return (
    <div className="columns">
      <section className="panel">
        <div className="panel-head">
          <h2>What was asked for</h2>
        </div>
        <div className="padded">
          <JsonTree value={fields(session).config ?? {}} label="Settings" />
        </div>
      </section>
      <Connection session={session} />
    </div>
  );
}

export function Config({ session, onSeek }: { session: SessionDetail; onSeek: (ms: number) => void }) {
  const { rows, error, loading, reload } = useEventLog(session.id, session.status === "live");
  const versions = useMemo(() => configVersions(rows), [rows]);
  return (
    <div className="columns">
      <div className="stack">
        {error && <Problem error={error} retry={reload} />}
        {loading && versions.length === 0 && <Skeleton name="Settings" height={240} />}
        {!loading && versions.length === 0 && !error && (
          <p className="panel padded muted">The provider has not confirmed any settings in this call.</p>
        )}
        {versions.map((version) => (
          <Version key={version.ms} version={version} onSeek={onSeek} />
        ))}
      </div>
      <Connection session={session} />
    </div>
  );
}
