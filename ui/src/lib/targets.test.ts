import { expect, test, vi } from "vitest";
import { overAll, partsOf, type Target, until } from "./targets";

const ids = (many: number) => Array.from({ length: many }, (_, n) => `sess_${n}`);

test("a filter is bounded by the moment at which its calls were counted", () => {
  const moment = new Date("2026-01-02T03:04:05.678Z");
  expect(until("status:failed or tag:a", moment)).toBe(
    "(status:failed or tag:a) started<=2026-01-02T03:04:05.678Z",
  );
  expect(until(" ", moment)).toBe("started<=2026-01-02T03:04:05.678Z");
});

test("ids go in parts, a filter page after page, and a stop ends it", async () => {
  const listed: Target = { count: 450, ids: ids(450), filter: {} };
  expect(partsOf(listed).map((part) => (part.ids as string[]).length)).toEqual([200, 200, 50]);
  const cursors = ["b", "c", null];
  const sent: unknown[] = [];
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
    sent.push(JSON.parse(String(init.body)));
    return Promise.resolve(
      new Response(JSON.stringify({ ids: ["x"], next_cursor: cursors.shift() ?? null })),
    );
  });
  const all: Target = { count: 3, ids: null, filter: { q: "tag:a" } };
  const stop = new AbortController();
  let seen = 0;
  await overAll("/p", all, { add: ["b"] }, () => ++seen, stop.signal);
  expect(sent).toEqual([
    { add: ["b"], q: "tag:a", project: null },
    { add: ["b"], q: "tag:a", project: null, cursor: "b" },
    { add: ["b"], q: "tag:a", project: null, cursor: "c" },
  ]);
  await overAll("/p", listed, {}, () => stop.abort(), stop.signal);
  expect(sent.length).toBe(4);
  vi.unstubAllGlobals();
});
