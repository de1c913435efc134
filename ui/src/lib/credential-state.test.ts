import { expect, test } from "vitest";
import type { ShownCredential } from "../api/management";
import { budgetsOf, modelsOf, scopesOf, stateOf } from "./credential-state";

const row = (change: Partial<ShownCredential> = {}): ShownCredential => ({
  id: "cred_1",
  created_at: 1_000,
  expires_at: 2_000,
  revoked_at: null,
  model: null,
  project: null,
  minted_by: "key_1",
  max_uses: null,
  max_tokens: null,
  max_audio_seconds: null,
  max_cost_usd: null,
  used: null,
  ...change,
});
const used = { uses: 1, tokens: 500, audio_seconds: 30, cost_usd: null };

test("a credential is active until something ends it", () => {
  expect(stateOf(row(), 1_500_000)).toBe("active");
  expect(stateOf(row(), 2_000_000)).toBe("expired");
  expect(stateOf(row({ revoked_at: 1_200 }), 1_500_000)).toBe("revoked");
  expect(stateOf(row({ max_uses: 1, used }), 1_500_000)).toBe("used up");
  expect(stateOf(row({ max_uses: 2, used }), 1_500_000)).toBe("active");
});

test("only what is limited has a share, and an unknown cost says so", () => {
  const budgets = budgetsOf(row({ max_uses: 2, max_cost_usd: 1, max_audio_seconds: 60, used }));
  expect(budgets).toEqual([
    { name: "calls", words: "1 of 2", share: 0.5 },
    { name: "sound", words: "30.0 s of 1 min 00 s", share: 0.5 },
    { name: "cost", words: "unknown of $1.00", share: 0 },
  ]);
});

test("scopes that restrict nothing are not listed", () => {
  const shown = scopesOf(row({ allowed_tools: [], metadata: {}, expires_hard: false, allowed_ips: null }));
  expect(shown).toEqual([["allowed_tools", []]]);
  expect(modelsOf(row({ model: ["a", "b*"] }))).toBe("a, b*");
  expect(modelsOf(row())).toBe("any");
});
