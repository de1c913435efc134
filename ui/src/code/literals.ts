/** Values as source text: JSON for JavaScript, Python's words, one quoted word for the shell. */

const INDENT = 2;

export function json(value: unknown): string {
  // In a page's script, these would end it or open a comment.
  return JSON.stringify(value, null, INDENT).replace(/</g, "\\u003c");
}

export function python(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return pythonText(value);
  if (typeof value !== "object") return String(value);
  const parts = Array.isArray(value)
    ? value.map((one) => python(one, depth + 1))
    : Object.entries(value).map(([name, one]) => `${pythonText(name)}: ${python(one, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length + depth * 4 <= 90 && !line.includes("\n")) return line;
  const pad = "    ".repeat(depth + 1);
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${"    ".repeat(depth)}${close}`;
}

/** JSON's escapes are Python's, but for pairs of surrogates, which only stand outside of its texts. */
function pythonText(text: string): string {
  return JSON.stringify(text.replace(/[\ud800-\udfff](?![\udc00-\udfff])/g, (one) => one));
}

/** Between single quotes nothing means anything, but the quote itself. */
export function shell(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
