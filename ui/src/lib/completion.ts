/** What could be typed next in a filter: fields by their names, then values by what occurs (facets). */
import type { FacetValue, FilterField } from "../api/types";
import { quoted } from "./filter-text";

export interface Option {
  /** What stands in the place of `from` to the caret. */
  insert: string;
  label: string;
  detail: string;
}

export interface Completion {
  from: number;
  options: Option[];
}

const MOST = 12;
const OPERATOR: Record<FilterField["kind"], string> = {
  text: ":",
  list: ":",
  choice: ":",
  words: ":",
  time: ">",
  duration: ">",
  money: ">",
  ratio: ">",
  number: ">",
};
const LAST = ["1h", "24h", "7d", "30d"];

function inQuotes(text: string): boolean {
  return (text.replace(/\\./g, "").match(/"/g) ?? []).length % 2 === 1;
}

function values(
  field: FilterField | undefined,
  name: string,
  facets: Record<string, FacetValue[]>,
): Option[] {
  if (name === "last") return LAST.map((one) => ({ insert: one, label: one, detail: "started within" }));
  const seen = facets[field?.name ?? name] ?? [];
  const found = seen.map(({ value, count }) => ({
    insert: quoted(value),
    label: value,
    detail: `${count.toLocaleString("en")} calls`,
  }));
  if (found.length > 0 || !field) return found;
  return field.examples
    .split(", ")
    .filter(Boolean)
    .map((one) => ({ insert: one, label: one, detail: "for example" }));
}

function fieldOptions(typed: string, fields: readonly FilterField[]): Option[] {
  const wanted = typed.toLowerCase();
  const own = fields.map((field) => ({
    insert: `${field.name}${OPERATOR[field.kind]}`,
    label: field.name,
    detail: field.help,
  }));
  const all = [
    ...own,
    { insert: "last:", label: "last", detail: "started within: last:24h" },
    { insert: "has:", label: "has", detail: "has any value: has:cost" },
  ];
  const begins = all.filter((one) => one.label.startsWith(wanted));
  const contains = all.filter((one) => !one.label.startsWith(wanted) && one.label.includes(wanted));
  return wanted.length > 1 ? [...begins, ...contains] : begins;
}

export function complete(
  text: string,
  caret: number,
  fields: readonly FilterField[],
  facets: Record<string, FacetValue[]>,
  aliases: Record<string, string> = {},
): Completion {
  const before = text.slice(0, caret);
  const condition =
    /(?:^|[\s(-])([A-Za-z_]\w*)\s*(?::\s*(?:!=|<=|>=|<|>|=)?|!=|<=|>=|<|>|=)("?[^\s()"]*)$/.exec(before);
  if (condition && !inQuotes(before.slice(0, -1 * (condition[2] ?? "").length || undefined))) {
    const name = (condition[1] ?? "").toLowerCase();
    const typed = (condition[2] ?? "").replace(/^"/, "").toLowerCase();
    const from = caret - (condition[2] ?? "").length;
    if (name === "has") {
      const known = fields.filter((field) => field.can_miss && field.name.startsWith(typed));
      const options = known.map(({ name: insert, help }) => ({ insert, label: insert, detail: help }));
      return { from, options: options.slice(0, MOST) };
    }
    const field = fields.find((one) => one.name === (aliases[name] ?? name));
    const options = values(field, name, facets).filter((one) => one.label.toLowerCase().includes(typed));
    const done = options.length === 1 && options[0]?.label.toLowerCase() === typed;
    return { from, options: done ? [] : options.slice(0, MOST) };
  }
  if (inQuotes(before)) return { from: caret, options: [] };
  const typed = /[A-Za-z_]\w*$/.exec(before)?.[0] ?? "";
  return { from: caret - typed.length, options: fieldOptions(typed, fields).slice(0, MOST) };
}
