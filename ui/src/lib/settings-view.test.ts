import { expect, test } from "vitest";
import { changedBy, matches, nameIn, sectionsOf, shownValue } from "./settings-view";

const setting = (key: string, value: unknown = null) => ({ key, value, source: "default", secret: false });

test("settings stand in the sections of the file", () => {
  const all = [
    setting("port", 8600),
    setting("routes", []),
    setting("limits.idle_seconds"),
    setting("projects.a b.audio"),
  ];
  expect(sectionsOf(all).map(({ name, settings }) => [name, settings.map(nameIn)])).toEqual([
    ["", ["port"]],
    ["limits", ["idle_seconds"]],
    ["projects.a b", ["audio"]],
  ]);
});

test("only what stands before the first section has a variable", () => {
  expect(changedBy(setting("port"))).toBe("VOXGATE_PORT, or voxgate.toml");
  expect(changedBy(setting("limits.idle_seconds"))).toBe("[limits] in voxgate.toml");
});

test.each([
  [null, "none"],
  [[], "none"],
  [["a", "b"], "a, b"],
  [33_554_432, "33,554,432"],
  [8600, "8600"],
  [true, "true"],
  [{ a: 1 }, '{"a":1}'],
])("%j is shown as %s", (value, shown) => {
  expect(shownValue(value)).toBe(shown);
});

test("all words must be somewhere", () => {
  expect(matches(setting("limits.idle_seconds", 600), "idle 600")).toBe(true);
  expect(matches(setting("limits.idle_seconds", 600), "idle port")).toBe(false);
});
