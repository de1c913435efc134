/** The settings in force, put into the sections of `voxgate.toml`, with where each may be changed. */
import type { Setting } from "../api/schema";

export interface Section {
  /** As in the file; empty for what stands before the first section. */
  name: string;
  settings: Setting[];
}

/** These have sections of their own on other pages, or are drawn as a table there. */
const ELSEWHERE = new Set(["routes"]);

export function sectionsOf(settings: readonly Setting[]): Section[] {
  const sections = new Map<string, Setting[]>();
  for (const setting of settings) {
    if (ELSEWHERE.has(setting.key)) continue;
    const name = setting.key.split(".").slice(0, -1).join(".");
    sections.set(name, [...(sections.get(name) ?? []), setting]);
  }
  return [...sections].map(([name, own]) => ({ name, settings: own }));
}

export const nameIn = (setting: Setting) => setting.key.split(".").at(-1) ?? setting.key;

/** Where to change it: the environment has names for those before the first section only. */
export function changedBy(setting: Setting): string {
  if (setting.key.includes(".")) return `[${setting.key.split(".").slice(0, -1).join(".")}] in voxgate.toml`;
  return `VOXGATE_${setting.key.toUpperCase()}, or voxgate.toml`;
}

export function shownValue(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "string") return value === "" ? "“”" : value;
  if (Array.isArray(value)) {
    return value.length === 0 ? "none" : value.map((one) => shownValue(one)).join(", ");
  }
  if (typeof value === "number") return value >= 10_000 ? value.toLocaleString("en") : String(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Whether a setting's name, value or place has the words that are looked for. */
export function matches(setting: Setting, words: string): boolean {
  const text = `${setting.key} ${shownValue(setting.value)} ${setting.source}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
