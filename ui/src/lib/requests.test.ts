import { describe, expect, it } from "vitest";
import type { SessionDetail, SessionSummary, Span } from "../api/types";
import {
  costOf,
  earlier,
  endpointOf,
  errorsOf,
  isRequest,
  kindOf,
  requestSpans,
  requestsBySpan,
  triesOf,
  withKind,
} from "./requests";

const span = (id: string, more: Partial<Span>): Span => ({
  id,
  parent_id: null,
  type: "session",
  name: id,
  start_ms: 0,
  end_ms: 10,
  status: "completed",
  error: null,
  input: null,
  output: null,
  ...more,
});
const SPANS = [
  span("root", {}),
  span("tool", { type: "tool", parent_id: "root", input: { call_id: "call_1" } }),
];
const call = (more: object = {}) =>
  ({
    id: "sess_1",
    started_at: "2026-11-22T10:00:00.000Z",
    spans: SPANS,
    ...more,
  }) as unknown as SessionDetail;
const child = (id: string, ref: string | null, more: object = {}) =>
  ({
    id,
    endpoint: "chat/completions",
    model: "gpt-5",
    wave: null,
    status: "complete",
    started_at: "2026-11-22T10:00:02.500Z",
    duration_ms: 400,
    cost_usd: 0.25,
    parent: { session_id: "sess_1", ref },
    ...more,
  }) as unknown as SessionSummary;

describe("requests of a call", () => {
  it("stand under the tool that they name, at their time, else under the call", () => {
    const [under, whole, unknown] = requestSpans(call(), [
      child("a", "call_1"),
      child("b", null),
      child("c", "call_9"),
    ]);
    expect([under?.parent_id, whole?.parent_id, unknown?.parent_id]).toEqual(["tool", "root", "root"]);
    expect([under?.start_ms, under?.end_ms, under?.name]).toEqual([2500, 2900, "chat/completions · gpt-5"]);
  });

  it("have no end while they run", () => {
    expect(requestSpans(call(), [child("a", null, { status: "live" })])[0]?.end_ms).toBeNull();
  });

  it("are found by the span, and cost what is known of them", () => {
    const all = [child("a", "call_1"), child("b", "call_1", { cost_usd: null })];
    expect(requestsBySpan(requestSpans(call(), all)).get("tool")).toEqual(all);
    expect([costOf(all), costOf([])]).toEqual([0.25, null]);
  });
});

describe("a request", () => {
  it("is told from a call by its transport, in lists by its endpoint", () => {
    const request = call({ transport: "http", request: { path: "/openai/v1/audio/speech" } });
    expect([endpointOf(request), endpointOf(call({ transport: "ws" }))]).toEqual([
      "audio/speech",
      "realtime",
    ]);
    expect([isRequest(child("a", null)), isRequest(child("a", null, { endpoint: "realtime" }))]).toEqual([
      true,
      false,
    ]);
  });

  it("tells who was asked", () => {
    const events = [
      { type: "gateway.dial_failed", t_ms: 1, provider: "one", error: { message: "answered 503" } },
      { type: "gateway.dialled", t_ms: 9, provider: "two" },
      { type: "config" },
    ];
    expect(triesOf(call({ events }))).toEqual([
      { provider: "one", atMs: 1, failure: "answered 503" },
      { provider: "two", atMs: 9, failure: "" },
    ]);
  });

  it("has no error where another provider answered", () => {
    const errors = [{ source: "gateway.dial_failed" }, { source: "response" }];
    const request = { transport: "http", request: { path: "/v1/responses" }, errors };
    expect(errorsOf(call({ ...request, status: "complete" }))).toEqual([{ source: "response" }]);
    expect(errorsOf(call({ ...request, status: "failed" }))).toEqual(errors);
    expect(errorsOf(call({ transport: "ws", errors, status: "complete" }))).toEqual(errors);
  });

  it("shows what came before, its instructions once", () => {
    const history = [
      { role: "system", text: "Be brief." },
      { role: "user", text: "Hi." },
      { role: "assistant", text: "" },
    ];
    expect(earlier(call({ config: { instructions: "Be brief.", history } }))).toEqual([
      { role: "system", text: "Be brief." },
      { role: "user", text: "Hi." },
    ]);
  });
});

describe("the filter by kind", () => {
  it.each([
    ["", "calls", "endpoint:realtime"],
    ["tag:vip not endpoint:realtime", "calls", "tag:vip endpoint:realtime"],
    ["endpoint:realtime tag:vip", "requests", "tag:vip not endpoint:realtime"],
    ["not endpoint:realtime", "all", ""],
    ["a or b", "requests", "(a or b) not endpoint:realtime"],
  ] as const)("%s becomes %s", (q, kind, wanted) => {
    expect(withKind(q, kind)).toBe(wanted);
    expect(kindOf(wanted)).toBe(kind);
  });
});
