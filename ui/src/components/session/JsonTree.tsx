/** A JSON value as a tree that opens and closes; always text, never markup. */
import { useState } from "react";

const OPEN_DEPTH = 2;
const OPEN_ENTRIES = 12;
const LONG_CHARS = 600;
const MOST_ENTRIES = 200;

function parsed(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function LongText({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  if (text.length <= LONG_CHARS) return <span className="json-string">{text}</span>;
  return (
    <span className="json-string">
      {whole ? text : `${text.slice(0, LONG_CHARS)}…`}{" "}
      <button type="button" className="link" onClick={() => setWhole(!whole)}>
        {whole ? "less" : `all ${text.length.toLocaleString("en")} characters`}
      </button>
    </span>
  );
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === "string") return <LongText text={value} />;
  return <span className={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
}

interface NodeProps {
  name: string | null;
  value: unknown;
  depth: number;
}

function brief(value: object): string {
  const many = Object.keys(value).length;
  return Array.isArray(value) ? `[${many}]` : `{${many}}`;
}

function Node({ name, value, depth }: NodeProps) {
  const key = name === null ? null : <span className="json-key">{name}</span>;
  if (value === null || typeof value !== "object") {
    return (
      <div className="json-leaf">
        {key} <Leaf value={value} />
      </div>
    );
  }
  const entries = Object.entries(value);
  if (entries.length === 0) {
    return (
      <div className="json-leaf">
        {key} <span className="json-null">{Array.isArray(value) ? "[]" : "{}"}</span>
      </div>
    );
  }
  return (
    <details className="json-node" open={depth < OPEN_DEPTH && entries.length <= OPEN_ENTRIES}>
      <summary>
        {key} <span className="json-null">{brief(value)}</span>
      </summary>
      {entries.slice(0, MOST_ENTRIES).map(([inner, each]) => (
        <Node key={inner} name={inner} value={each} depth={depth + 1} />
      ))}
      {entries.length > MOST_ENTRIES && <p className="muted">… and {entries.length - MOST_ENTRIES} more</p>}
    </details>
  );
}

/** What is in an object stands there at once; only what is in that opens and closes. */
function Root({ value }: { value: unknown }) {
  const entries = value && typeof value === "object" ? Object.entries(value) : [];
  if (entries.length === 0 || entries.length > OPEN_ENTRIES)
    return <Node name={null} value={value} depth={0} />;
  return entries.map(([name, each]) => <Node key={name} name={name} value={each} depth={1} />);
}

/** Text that is JSON is shown as what it says. */
export function JsonTree({ value, label }: { value: unknown; label: string }) {
  const shown = parsed(value);
  return (
    <div className="json-tree">
      <span className="visually-hidden">{label}: </span>
      <Root value={shown} />
    </div>
  );
}
