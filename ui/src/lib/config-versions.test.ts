import { expect, test } from "vitest";
import { configVersions, differences } from "./config-versions";
import type { EventRow } from "./event-log";

const row = (ms: number, type: string, session: unknown, dir: EventRow["dir"] = "server"): EventRow => ({
  index: ms,
  ms,
  dir,
  type,
  hint: "",
  size: 0,
  message: { type, session },
});

test("versions say what changed, by its path", () => {
  const before = { id: "sess_1", voice: "alloy", audio: { input: { turn_detection: { threshold: 0.5 } } } };
  const after = { id: "sess_1", voice: "alloy", audio: { input: { turn_detection: { threshold: 0.8 } } } };
  const versions = configVersions([
    row(0, "session.created", before),
    row(5, "session.updated", { ...before, expires_at: 7 }),
    row(9, "session.update", after, "client"),
    row(10, "session.updated", { ...after, tools: [] }),
  ]);
  expect(versions.map((version) => version.ms)).toEqual([0, 10]);
  expect(versions[1]?.changes).toEqual([
    { path: "audio.input.turn_detection.threshold", before: 0.5, after: 0.8 },
    { path: "tools", before: undefined, after: [] },
  ]);
});

test("equal values do not differ, lists differ as a whole", () => {
  expect(differences({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toEqual([]);
  expect(differences({ a: [1] }, { a: [1, 2] })).toEqual([{ path: "a", before: [1], after: [1, 2] }]);
});
