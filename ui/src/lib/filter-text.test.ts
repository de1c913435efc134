import { describe, expect, it } from "vitest";
import { errorPlace, parts, quoted, withoutPart, withPart } from "./filter-text";

const texts = (text: string) => parts(text).map((part) => part.text);

describe("parts", () => {
  it("holds quotes and parentheses together and leaves out `and`", () => {
    expect(texts('status:failed and model:"a b" (tag:x or tag:y)')).toEqual([
      "status:failed",
      'model:"a b"',
      "(tag:x or tag:y)",
    ]);
  });

  it("keeps a negation with what it negates, and spaces around operators", () => {
    expect(texts("not tag:test -refund duration > 30s  tag: vip")).toEqual([
      "not tag:test",
      "-refund",
      "duration > 30s",
      "tag: vip",
    ]);
  });

  it("has one part for alternatives, and none for nothing", () => {
    expect(texts(" status:failed or cost>1 ")).toEqual(["status:failed or cost>1"]);
    expect(texts("  ")).toEqual([]);
  });

  it("reads escaped quotes and what is not finished", () => {
    expect(texts('"a \\" b" "never closed')).toEqual(['"a \\" b"', '"never closed']);
    expect(texts("tag:x not")).toEqual(["tag:x", "not"]);
  });
});

describe("changing a filter", () => {
  it("takes a part away with its `and`", () => {
    const text = "status:failed and tag:x model:m";
    const [first, second] = parts(text);
    expect(second && withoutPart(text, second)).toBe("status:failed model:m");
    expect(first && withoutPart(text, first)).toBe("tag:x model:m");
  });

  it("adds a part once, and around alternatives parentheses", () => {
    expect(withPart("", "tag:x")).toBe("tag:x");
    expect(withPart("tag:x", "tag:x")).toBe("tag:x");
    expect(withPart("a or b", "tag:x")).toBe("(a or b) tag:x");
  });

  it("quotes what the language would read otherwise", () => {
    expect(quoted("gpt-realtime")).toBe("gpt-realtime");
    expect(quoted("front desk")).toBe('"front desk"');
    expect(quoted('a"*\\')).toBe('"a\\"\\*\\\\"');
    expect(quoted("-x")).toBe('"-x"');
    expect(quoted("or")).toBe('"or"');
    expect(quoted("<script>")).toBe('"<script>"');
  });
});

describe("errorPlace", () => {
  it("finds the place that the server names", () => {
    const text = "refund duration>30";
    const message = "The filter is wrong at character 17 ('30'): '30' is no value of duration.";
    expect(errorPlace(text, message)).toEqual({ start: 16, end: 18 });
    expect(errorPlace("not", "The filter is wrong at its end: a condition is missing.")).toEqual({
      start: 3,
      end: 3,
    });
    expect(errorPlace("x", "The gateway cannot be reached.")).toBeNull();
  });
});
