import { expect, test } from "vitest";
import { limitsText, NEW_KEY, readKey } from "./key-form";

const NOW_MS = Date.UTC(2026, 0, 1);
const read = (more: object) => readKey({ ...NEW_KEY, name: " shop ", ...more }, NOW_MS);

test("a key without limits asks for none", () => {
  expect(read({ project: " " }).request).toEqual({
    name: "shop",
    role: "mint",
    project: null,
    expires_at: null,
    max_requests_per_minute: null,
    max_tokens_per_minute: null,
  });
});

test("limits and an end are asked for as they were typed", () => {
  expect(read({ requests: "600", tokens: " 200000 ", days: 7 }).request).toMatchObject({
    max_requests_per_minute: 600,
    max_tokens_per_minute: 200_000,
    expires_at: "2026-01-08T00:00:00.000Z",
  });
});

test("a limit that the server would refuse is said beside its field, and nothing is sent", () => {
  for (const text of ["0", "-1", "1.5", "1e3", "many"]) {
    expect(read({ requests: text })).toEqual({
      request: null,
      wrong: { requests: "A whole number from 1 on; empty: no limit." },
    });
  }
  expect(read({ requests: "1000000" }).wrong).toEqual({});
  expect(read({ requests: "1000001" }).wrong.requests).toBe("At most 1,000,000.");
  expect(read({ tokens: "1000000001" }).wrong.tokens).toBe("At most 1,000,000,000.");
});

test("a key says its limits", () => {
  expect(limitsText({ max_requests_per_minute: null, max_tokens_per_minute: null })).toBe("");
  expect(limitsText({ max_requests_per_minute: 1, max_tokens_per_minute: 200_000 })).toBe(
    "1 request, 200,000 tokens",
  );
});
