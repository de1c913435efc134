import { describe, expect, it } from "vitest";
import type { FilterField } from "../api/types";
import { complete } from "./completion";

const field = (name: string, kind: FilterField["kind"], examples = ""): FilterField => ({
  name,
  kind,
  examples,
  help: `help of ${name}`,
  operators: [":"],
  can_miss: kind !== "choice",
  sortable: false,
});
const FIELDS = [
  field("status", "choice", "live, failed"),
  field("tag", "list"),
  field("duration", "duration", "30s"),
];
const FACETS = {
  tag: [
    { value: "vip", count: 3 },
    { value: "front desk", count: 1 },
  ],
};
const labels = (text: string, caret = text.length) =>
  complete(text, caret, FIELDS, FACETS, { tags: "tag" }).options.map((one) => one.label);

describe("complete", () => {
  it("offers fields by what is typed, and all at an empty place", () => {
    expect(labels("tag:x st")).toEqual(["status", "last"]);
    expect(labels("")).toEqual(["status", "tag", "duration", "last", "has"]);
  });

  it("offers the values that occur, in quotes where needed, also under another name of the field", () => {
    expect(labels("-tags:f")).toEqual(["front desk"]);
    const { from, options } = complete("tag:", 4, FIELDS, FACETS);
    expect(from).toBe(4);
    expect(options.map((one) => one.insert)).toEqual(["vip", '"front desk"']);
  });

  it("offers examples where nothing was counted, and fields for has:", () => {
    expect(labels("duration>")).toEqual(["30s"]);
    expect(labels("has:d")).toEqual(["duration"]);
    expect(labels("last:7")).toEqual(["7d"]);
  });

  it("is silent inside quotes and when the value is complete", () => {
    expect(labels('"some wor')).toEqual([]);
    expect(labels("tag:vip")).toEqual([]);
  });

  it("looks at the caret, not at the end", () => {
    expect(labels("ta status:live", 2)).toEqual(["tag", "status"]);
  });
});
