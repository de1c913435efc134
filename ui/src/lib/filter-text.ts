/**
 * A filter as its top-level parts, which chips show: the text stays the one truth, chips only cut pieces out of
 * it or add to it. The server alone reads what a part means (docs/filters.md).
 */

export interface Part {
  text: string;
  start: number;
  end: number;
}

const KEYWORD = /^(and|or|not)$/i;

/** Words between spaces, where quotes and parentheses hold together; a `not` goes with what it negates. */
function tokens(text: string): Part[] {
  const found: Part[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? "")) {
      at += 1;
      continue;
    }
    const end = tokenEnd(text, at);
    found.push({ text: text.slice(at, end), start: at, end });
    at = end;
  }
  return found;
}

function tokenEnd(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at += 1) {
    const one = text[at] ?? "";
    if (quoted && one === "\\") at += 1;
    else if (one === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (one === "(") depth += 1;
    else if (one === ")") depth -= 1;
    else if (/\s/.test(one) && depth <= 0 && !holdsOn(text, start, at)) return at;
  }
  return text.length;
}

/** `duration > 30s`, and `tag: vip`: spaces around an operator do not end a part. */
function holdsOn(text: string, start: number, at: number): boolean {
  return (
    /^[A-Za-z_]\w*\s*(:|!=|<=|>=|<|>|=)$/.test(text.slice(start, at).trim()) ||
    (/^[A-Za-z_]\w*$/.test(text.slice(start, at).trim()) && /^\s*(!=|<=|>=|<|>|=)/.test(text.slice(at)))
  );
}

/** The parts that must all hold; of alternatives (`or`) the whole is one part. */
export function parts(text: string): Part[] {
  const all = tokens(text);
  if (all.some((one) => one.text.toLowerCase() === "or")) {
    const trimmed = text.trim();
    const start = text.indexOf(trimmed);
    return [{ text: trimmed, start, end: start + trimmed.length }];
  }
  const found: Part[] = [];
  let negation: Part | null = null;
  for (const one of all) {
    const word = one.text.toLowerCase();
    if (word === "and") continue;
    if (word === "not") {
      negation ??= one;
      continue;
    }
    const start: number = negation?.start ?? one.start;
    found.push({ text: text.slice(start, one.end), start, end: one.end });
    negation = null;
  }
  return negation ? [...found, negation] : found;
}

export function withoutPart(text: string, part: Part): string {
  const before = text.slice(0, part.start).replace(/\s*\b(and)\s*$/i, "");
  const after = text.slice(part.end).replace(/^\s*and\b\s*/i, " ");
  return `${before.trimEnd()} ${after.trimStart()}`.trim();
}

/** `text` and `added`, both: alternatives get parentheses. */
export function withPart(text: string, added: string): string {
  const own = text.trim();
  if (!own) return added;
  const all = parts(own);
  if (all.some((part) => part.text === added)) return own;
  const isOr = tokens(own).some((one) => one.text.toLowerCase() === "or");
  return isOr ? `(${own}) ${added}` : `${own} ${added}`;
}

/** A value as the language takes it: in quotes where it has spaces, stars or signs of the language. */
export function quoted(value: string): string {
  if (/^[^\s()"<>=!:*\\-][^\s()"*\\]*$/.test(value) && !KEYWORD.test(value)) return value;
  return `"${value.replace(/(["\\*])/g, "\\$1")}"`;
}

export const fieldPart = (field: string, value: string) => `${field}:${quoted(value)}`;

/** Where the server says that a filter is wrong; null where it says no place. */
export function errorPlace(text: string, message: string): { start: number; end: number } | null {
  const match = /at character (\d+) /.exec(message);
  if (match) {
    const start = Number(match[1]) - 1;
    const length = /^[^\s()"]+/.exec(text.slice(start))?.[0].length ?? 1;
    return { start, end: Math.min(text.length, start + length) };
  }
  return /at its end/.test(message) ? { start: text.length, end: text.length } : null;
}
