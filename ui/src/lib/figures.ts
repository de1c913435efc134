/** What the overview shows: of each figure how it is drawn, said, and which filter leads to its calls. */
import type { Figures } from "../api/schema";
import { cost, count, millis, percent } from "./format";

export interface Line {
  name: string;
  value: (figures: Figures) => number | null;
  dashed?: boolean;
}

export interface Figure {
  id: string;
  title: string;
  /** What is counted, behind the title on hover. */
  help: string;
  kind: "bars" | "lines";
  tone: "accent" | "bad" | "warn" | "tool" | "assistant" | "user";
  lines: readonly Line[];
  say: (value: number | null) => string;
  total: (figures: Figures) => string;
  note: (figures: Figures) => string;
  /** Narrows the list to the calls that the figure is about. */
  filter: string;
  sort?: string;
}

const MINUTE_MS = 60_000;

export function minutes(value: number | null): string {
  if (value === null) return "–";
  return `${value < 10 ? value.toFixed(1) : count(Math.round(value))} min`;
}

const share = (part: number, of: number) => (of > 0 ? percent(part / of) : "–");
const perCall = (value: number, calls: number) => (calls > 0 ? (value / calls).toFixed(2) : "–");

function percentiles(id: "v2v" | "first_audio", title: string, help: string, sort: string): Figure {
  return {
    id,
    title,
    help: `${help} Over the calls, of each its own median.`,
    kind: "lines",
    tone: id === "v2v" ? "assistant" : "user",
    lines: [
      { name: "p50", value: (figures) => figures[id].p50 },
      { name: "p95", value: (figures) => figures[id].p95, dashed: true },
    ],
    say: millis,
    total: (figures) => millis(figures[id].p50),
    note: (figures) => `p95 ${millis(figures[id].p95)}`,
    filter: `has:${sort}`,
    sort,
  };
}

/** The mean of a score. */
export function scoreFigure(name: string): Figure {
  return {
    id: "score",
    title: name,
    help: `Mean of the score ${name} over the calls that have it`,
    kind: "lines",
    tone: "accent",
    lines: [{ name, value: (figures) => figures.score?.mean ?? null }],
    say: (value) => (value === null ? "–" : Number(value.toFixed(3)).toLocaleString("en")),
    total: (figures) => (figures.score ? Number(figures.score.mean.toFixed(3)).toLocaleString("en") : "–"),
    note: (figures) => `of ${count(figures.score?.sessions ?? 0)} calls`,
    filter: `has:score.${name}`,
    sort: `score.${name}`,
  };
}

export const FIGURES: readonly Figure[] = [
  {
    id: "calls",
    title: "Calls",
    help: "Calls that began",
    kind: "bars",
    tone: "accent",
    lines: [{ name: "calls", value: (figures) => figures.calls }],
    say: count,
    total: (figures) => count(figures.calls),
    note: (figures) => (figures.live > 0 ? `${count(figures.live)} live` : `${count(figures.failed)} failed`),
    filter: "",
  },
  {
    id: "minutes",
    title: "Minutes",
    help: "Length of the calls, added up",
    kind: "bars",
    tone: "accent",
    lines: [{ name: "minutes", value: (figures) => figures.duration_ms / MINUTE_MS }],
    say: minutes,
    total: (figures) => minutes(figures.duration_ms / MINUTE_MS),
    note: (figures) => `${perCall(figures.duration_ms / MINUTE_MS, figures.calls)} min a call`,
    filter: "",
    sort: "duration",
  },
  {
    id: "cost",
    title: "Cost",
    help: "Of the calls whose price is known",
    kind: "bars",
    tone: "accent",
    lines: [{ name: "cost", value: (figures) => figures.cost_usd }],
    say: cost,
    total: (figures) => cost(figures.priced > 0 ? figures.cost_usd : null),
    note: (figures) =>
      figures.priced < figures.calls
        ? `${count(figures.calls - figures.priced)} without a price`
        : `${cost(figures.calls ? figures.cost_usd / figures.calls : null)} a call`,
    filter: "",
    sort: "cost",
  },
  {
    id: "errors",
    title: "Calls with errors",
    help: "Calls in which the provider, the client or the gateway reported an error",
    kind: "bars",
    tone: "bad",
    lines: [{ name: "calls with errors", value: (figures) => figures.with_errors }],
    say: count,
    total: (figures) => count(figures.with_errors),
    note: (figures) => `${share(figures.with_errors, figures.calls)} of calls`,
    filter: "errors>0",
  },
  percentiles(
    "v2v",
    "Voice to voice",
    "From the end of the user's speech to the first sound of the answer.",
    "v2v_p50",
  ),
  percentiles(
    "first_audio",
    "First audio",
    "From the start of a response to the model's first audio.",
    "model_ttfa_p50",
  ),
  {
    id: "interruptions",
    title: "Interruptions",
    help: "Answers that the user cut short",
    kind: "bars",
    tone: "warn",
    lines: [{ name: "interruptions", value: (figures) => figures.interruptions }],
    say: count,
    total: (figures) => count(figures.interruptions),
    note: (figures) => `${perCall(figures.interruptions, figures.calls)} a call`,
    filter: "interruptions>0",
    sort: "interruptions",
  },
  {
    id: "tools",
    title: "Calls with failed tools",
    help: "Calls in which a tool failed, or answered with an error",
    kind: "bars",
    tone: "tool",
    lines: [{ name: "calls with failed tools", value: (figures) => figures.with_failed_tools }],
    say: count,
    total: (figures) => count(figures.with_failed_tools),
    note: (figures) => `${share(figures.with_failed_tools, figures.with_tools)} of calls with tools`,
    filter: "tool_error_rate>0",
  },
];
