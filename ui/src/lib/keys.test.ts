import { describe, expect, it } from "vitest";
import { find, type KeyGroup } from "./keys";

const nothing = () => {};
const group = (name: string, ...keys: string[]): KeyGroup => ({
  name,
  keys: keys.map((key) => ({ key, what: name, act: nothing })),
});

describe("find", () => {
  const groups = [group("app", "?", "g s", "g o"), group("list", "j", "o", "?")];

  it("asks the newest group first", () => {
    expect(find(groups, "?", "")?.what).toBe("list");
  });

  it("takes a sequence before a single key of the same group, and falls back to the single one", () => {
    expect(find([groups[0] as KeyGroup], "s", "g")?.key).toBe("g s");
    expect(find(groups, "o", "g")?.key).toBe("o");
    expect(find([groups[0] as KeyGroup], "s", "")).toBeUndefined();
  });
});
