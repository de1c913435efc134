import { describe, expect, it } from "vitest";
import type { SessionPage } from "../api/schema";
import type { SessionSummary } from "../api/types";
import { hasGap, merged } from "./session-list";

const one = (id: string, started_at: string) => ({ id, started_at }) as SessionSummary;
const page = (items: SessionSummary[], next_cursor: string | null) => ({ items, next_cursor }) as SessionPage;
const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((id, n) => one(id, `2026-01-0${9 - n}`)) as [
  SessionSummary,
  SessionSummary,
  SessionSummary,
  SessionSummary,
  SessionSummary,
];
const ids = (list: SessionSummary[]) => list.map((each) => each.id).join("");

describe("merged", () => {
  it("puts new calls before what was loaded, each once", () => {
    expect(ids(merged(page([a, b, c], "next"), [b, c, d, e]))).toBe("abcde");
  });

  it("drops what is gone from the newest page, and keeps what is older", () => {
    expect(ids(merged(page([a, c], "next"), [a, b, c, d]))).toBe("acd");
    expect(ids(merged(page([a], null), [a, b, c]))).toBe("a");
    expect(ids(merged(null, [a, b]))).toBe("ab");
  });

  it("shows the newest state of a call", () => {
    const running = { ...a, status: "live" } as SessionSummary;
    const ended = { ...a, status: "complete" } as SessionSummary;
    expect(merged(page([ended], "next"), [running, b])[0]?.status).toBe("complete");
  });
});

describe("hasGap", () => {
  it("is there when more calls came than one page holds", () => {
    expect(hasGap(page([a, b], "next"), [c, d])).toBe(true);
    expect(hasGap(page([a, b], "next"), [b, c])).toBe(false);
    expect(hasGap(page([a, b], null), [c])).toBe(false);
  });
});
