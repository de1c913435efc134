/** An API key as it is typed, and as it is asked for. */
import type { NewKeyRequest } from "../api/schema";
import { count } from "./format";

export interface KeyDraft {
  name: string;
  role: NewKeyRequest["role"];
  project: string;
  /** Until it ends; 0: never. */
  days: number;
  requests: string;
  tokens: string;
}

export const NEW_KEY: KeyDraft = { name: "", role: "mint", project: "", days: 0, requests: "", tokens: "" };

const DAY_MS = 86_400_000;
/** As the server takes them, in a minute. */
const MOST = { requests: 1_000_000, tokens: 1_000_000_000 };
export type Limit = keyof typeof MOST;

/** Empty is no limit. Throws what is wrong, in words. */
function limitOf(name: Limit, text: string): number | null {
  const typed = text.trim();
  if (!typed) return null;
  const value = Number(typed);
  if (!/^\d+$/.test(typed) || value < 1) throw new Error("A whole number from 1 on; empty: no limit.");
  if (value > MOST[name]) throw new Error(`At most ${count(MOST[name])}.`);
  return value;
}

/** The request, or what is wrong with its limits. */
export function readKey(
  draft: KeyDraft,
  nowMs: number,
): { request: NewKeyRequest | null; wrong: Partial<Record<Limit, string>> } {
  const wrong: Partial<Record<Limit, string>> = {};
  const read = (name: Limit) => {
    try {
      return limitOf(name, draft[name]);
    } catch (error) {
      wrong[name] = error instanceof Error ? error.message : String(error);
      return null;
    }
  };
  const request = {
    name: draft.name.trim(),
    role: draft.role,
    project: draft.project.trim() || null,
    expires_at: draft.days ? new Date(nowMs + draft.days * DAY_MS).toISOString() : null,
    max_requests_per_minute: read("requests"),
    max_tokens_per_minute: read("tokens"),
  };
  return { request: Object.keys(wrong).length > 0 ? null : request, wrong };
}

/** The limits of a key, in words; empty where it has none. */
export function limitsText(key: {
  max_requests_per_minute: number | null;
  max_tokens_per_minute: number | null;
}): string {
  const { max_requests_per_minute: requests, max_tokens_per_minute: tokens } = key;
  return [
    requests === null ? "" : `${count(requests)} request${requests === 1 ? "" : "s"}`,
    tokens === null ? "" : `${count(tokens)} token${tokens === 1 ? "" : "s"}`,
  ]
    .filter(Boolean)
    .join(", ");
}
