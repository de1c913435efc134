/** What a temporary credential is now, and how much of it is used, in words and shares. */
import type { ShownCredential } from "../api/management";
import { cost, count, duration } from "./format";

export type CredentialState = "active" | "used up" | "expired" | "revoked";

interface Budget {
  name: string;
  words: string;
  /** 0 to 1. */
  share: number;
}

export function budgetsOf(row: ShownCredential): Budget[] {
  const { used } = row;
  if (!used) return [];
  const seconds = (value: number) => duration(value * 1000);
  const all: [string, number | null, number | null, (value: number) => string][] = [
    ["calls", used.uses, row.max_uses, count],
    ["tokens", used.tokens, row.max_tokens, count],
    ["sound", used.audio_seconds, row.max_audio_seconds, seconds],
    ["cost", used.cost_usd, row.max_cost_usd, cost],
  ];
  return all.flatMap(([name, value, most, say]) => {
    if (most === null) return [];
    if (value === null) return [{ name, words: `unknown of ${say(most)}`, share: 0 }];
    return [{ name, words: `${say(value)} of ${say(most)}`, share: Math.min(1, value / most) }];
  });
}

export function stateOf(row: ShownCredential, nowMs: number): CredentialState {
  if (row.revoked_at) return "revoked";
  if (row.expires_at * 1000 <= nowMs) return "expired";
  return budgetsOf(row).some((budget) => budget.share >= 1) ? "used up" : "active";
}

const NOT_SCOPES = new Set([
  "object",
  "id",
  "created_at",
  "expires_at",
  "revoked_at",
  "minted_by",
  "project",
  "used",
  "model",
]);

/** What it restricts, for somebody who wants to know what its holder can do. */
export function scopesOf(row: ShownCredential): [name: string, value: unknown][] {
  return Object.entries(row).filter(([name, value]) => {
    if (NOT_SCOPES.has(name) || value === null || value === false) return false;
    return !(typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0);
  });
}

export function modelsOf(row: ShownCredential): string {
  if (row.model === null) return "any";
  return typeof row.model === "string" ? row.model : row.model.join(", ");
}
