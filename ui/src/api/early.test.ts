import { expect, test } from "vitest";
import { earlyAnswer } from "./early";

const asked = (answer: Promise<Response>) => new Map([["/api/me", answer]]);

test("an answer that was asked for early is given once", async () => {
  const early = asked(Promise.resolve(new Response("{}")));
  expect(await (await earlyAnswer("/api/me", early, 500))?.text()).toBe("{}");
  expect(await earlyAnswer("/api/me", early, 500)).toBeNull();
});

test("what nobody asked for, what was refused, failed or is old has to be asked for", async () => {
  expect(await earlyAnswer("/api/me", undefined, 500)).toBeNull();
  expect(await earlyAnswer("/api/projects", asked(Promise.resolve(new Response("{}"))), 500)).toBeNull();
  const refused = Promise.resolve(new Response("{}", { status: 401 }));
  expect(await earlyAnswer("/api/me", asked(refused), 500)).toBeNull();
  expect(await earlyAnswer("/api/me", asked(Promise.reject(new TypeError("offline"))), 500)).toBeNull();
  expect(await earlyAnswer("/api/me", asked(Promise.resolve(new Response("{}"))), 10_001)).toBeNull();
});
