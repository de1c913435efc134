/** A rule of online scoring as it is typed, and as it is sent. */
import type { NewRule, Rule } from "../api/schema";

export interface ScorerDraft {
  name: string;
  /** JSON; empty: none. */
  params: string;
}

export interface RuleDraft {
  name: string;
  project: string;
  filter: string;
  percent: string;
  scorers: ScorerDraft[];
  alerts: boolean;
  score: string;
  window: string;
  threshold: string;
  direction: "max" | "min";
  webhook: string;
}

export const EMPTY: RuleDraft = {
  name: "",
  project: "",
  filter: "",
  percent: "100",
  scorers: [{ name: "", params: "" }],
  alerts: false,
  score: "",
  window: "50",
  threshold: "",
  direction: "max",
  webhook: "",
};

const written = (params: Record<string, unknown> | undefined) =>
  params && Object.keys(params).length > 0 ? JSON.stringify(params) : "";

export function draftOfRule(rule: Rule): RuleDraft {
  const { alert } = rule;
  return {
    name: rule.name,
    project: rule.project ?? "",
    filter: rule.filter,
    percent: String(Number((rule.sampling_rate * 100).toFixed(4))),
    scorers: rule.scorers.map((one) => ({ name: one.name, params: written(one.params) })),
    alerts: alert !== null,
    score: alert?.score ?? "",
    window: String(alert?.window ?? EMPTY.window),
    threshold: alert ? String(alert.threshold) : "",
    direction: alert?.direction ?? "max",
    webhook: alert?.webhook ?? "",
  };
}

function paramsOf({ name, params }: ScorerDraft): { params: Record<string, unknown>; wrong: string } {
  if (!params.trim()) return { params: {}, wrong: "" };
  try {
    const read: unknown = JSON.parse(params);
    if (read && typeof read === "object" && !Array.isArray(read)) {
      return { params: read as Record<string, unknown>, wrong: "" };
    }
  } catch {
    // Said below, as for anything else that is no object.
  }
  return { params: {}, wrong: `The parameters of “${name}” are a JSON object, such as {"at_least": 0.9}.` };
}

function number(text: string): number | null {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

/** The rule as it is sent, or what is wrong with it. */
export function readRule(draft: RuleDraft): { rule: NewRule | null; wrong: string } {
  const no = (wrong: string) => ({ rule: null, wrong });
  const percent = number(draft.percent);
  if (percent === null || percent < 0 || percent > 100) return no("The share of calls is from 0 to 100 %.");
  const named = draft.scorers.filter((one) => one.name.trim());
  if (named.length === 0) return no("At least one scorer is needed.");
  const read = named.map((one) => ({ name: one.name.trim(), ...paramsOf(one) }));
  const bad = read.find((one) => one.wrong);
  if (bad) return no(bad.wrong);
  const threshold = number(draft.threshold);
  const window = number(draft.window);
  if (draft.alerts && (threshold === null || window === null || !Number.isInteger(window) || window < 1)) {
    return no("An alert needs a threshold and a whole number of calls.");
  }
  if (draft.alerts && !/^https?:\/\/\S+$/.test(draft.webhook.trim()))
    return no("The webhook is an http(s) address.");
  const alert = draft.alerts
    ? {
        score: draft.score.trim() || (named[0]?.name.trim() ?? ""),
        window: window ?? 1,
        threshold: threshold ?? 0,
        direction: draft.direction,
        webhook: draft.webhook.trim(),
      }
    : null;
  const scorers = read.map(({ name, params }) => ({ name, params }));
  const rule = {
    name: draft.name.trim(),
    project: draft.project.trim() || null,
    filter: draft.filter.trim(),
    sampling_rate: percent / 100,
    scorers,
    alert,
  };
  return { rule, wrong: rule.name ? "" : "A name is needed." };
}
