/** A value as text: JSON that is short on one line, longer JSON indented, plain text as it is. */

const ONE_LINE_CHARS = 120;

function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export function jsonText(value: unknown): string {
  const inner = parsed(value);
  if (typeof inner === "string") return inner;
  const line = JSON.stringify(inner) ?? "";
  if (line.length > ONE_LINE_CHARS) return JSON.stringify(inner, null, 2);
  return line.replaceAll('":', '": ').replaceAll(',"', ', "');
}

export function JsonText({ value, label }: { value: unknown; label: string }) {
  return (
    <pre className="json" title={label}>
      <code>{jsonText(value)}</code>
    </pre>
  );
}
