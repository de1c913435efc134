import { expect, test } from "vitest";
import type { SessionDetail, Span } from "../api/types";
import { applied, type LiveChange } from "./live-changes";

const span = (id: string, start_ms: number, more: Partial<Span> = {}) => ({ id, start_ms, ...more }) as Span;
const SESSION = {
  id: "sess_1",
  turns: 1,
  title: "Hello",
  errors: 0,
  spans: [span("a", 0, { name: "turn 1" }), span("b", 10)],
} as unknown as SessionDetail;
const change = (more: Partial<LiveChange>): LiveChange => ({
  id: "sess_1",
  session: {},
  added: {},
  spans: [],
  removed: [],
  ...more,
});

test("fields are replaced, spans are added, changed and removed, in the order of their start", () => {
  const after = applied(
    SESSION,
    change({
      session: { turns: 2 },
      spans: [span("c", 5), { id: "a", end_ms: 9 }],
      removed: ["b"],
    }),
  );
  expect(after).toMatchObject({ turns: 2, title: "Hello" });
  expect(after.spans).toEqual([span("a", 0, { name: "turn 1", end_ms: 9 }), span("c", 5)]);
});

test("spans that start together stand in their places", () => {
  const places = [
    span("late", 0, { position: 2 } as Partial<Span>),
    span("early", 0, { position: 1 } as Partial<Span>),
  ];
  const after = applied(SESSION, change({ spans: places, removed: ["b"] }));
  expect(after.spans.map(({ id }) => id)).toEqual(["a", "early", "late"]);
});

test("lists grow, also one that was a number until now", () => {
  const once = applied(SESSION, change({ added: { errors: [{ code: "x" }], events: [{ t_ms: 1 }] } }));
  const twice = applied(once, change({ added: { errors: [{ code: "y" }] } }));
  expect(twice.errors).toEqual([{ code: "x" }, { code: "y" }]);
  expect(twice.events).toEqual([{ t_ms: 1 }]);
});

test("what was told before stays as it was: the page compares", () => {
  const before = structuredClone(SESSION);
  applied(SESSION, change({ session: { turns: 9 }, spans: [{ id: "a", end_ms: 1 }] }));
  expect(SESSION).toEqual(before);
});
