import { expect, test } from "vitest";
import { answerTool, DEMO_TOOL, definitions, duplicate, NEW_TOOL, parseTool } from "./tools";

const tool = (definition: unknown, result = "ok") => ({
  id: "t",
  definition: typeof definition === "string" ? definition : JSON.stringify(definition),
  result,
});

test("the tools that the page brings are valid", () => {
  expect(parseTool(DEMO_TOOL).problem).toBeNull();
  expect(parseTool({ id: "n", ...NEW_TOOL }).problem).toBeNull();
});

test.each([
  ["{", "not JSON"],
  ['{"type": "function",\n"name": }', "not JSON"],
  ["[]", "one object"],
  [{ type: "mcp", name: "x" }, "function"],
  [{ type: "function", name: "no spaces" }, "name"],
  [{ type: "function", name: "x", description: 3 }, "description"],
  [{ type: "function", name: "x", parameters: { type: "string" } }, "parameters.type"],
  [{ type: "function", name: "x", parameters: { type: "object", properties: [] } }, "properties"],
  [
    { type: "function", name: "x", parameters: { type: "object", properties: { a: { type: "text" } } } },
    "parameters.properties.a.type",
  ],
  [
    { type: "function", name: "x", parameters: { type: "object", properties: {}, required: ["b"] } },
    '"b", which is no property',
  ],
])("what is wrong with %j is said", (definition, words) => {
  expect(parseTool(tool(definition)).problem).toContain(words);
});

test("a wrong draft is not sent to the provider", () => {
  expect(definitions([DEMO_TOOL, tool("{")]).map((one) => one.name)).toEqual(["get_weather"]);
});

test("a name that stands twice is told", () => {
  expect(duplicate([DEMO_TOOL])).toBeNull();
  expect(duplicate([DEMO_TOOL, DEMO_TOOL])).toBe("get_weather");
});

test("the result takes the arguments over and stays JSON whatever they are", () => {
  const args = JSON.stringify({ city: 'O"slo\n' });
  expect(JSON.parse(answerTool([DEMO_TOOL], "get_weather", args))).toMatchObject({ city: 'O"slo\n' });
});

test("a number is put in as one", () => {
  const draft = tool({ type: "function", name: "x" }, '{"n": {{n}}}');
  expect(answerTool([draft], "x", '{"n": 7}')).toBe('{"n": 7}');
});

test("arguments that are wrong give an error that the model can read", () => {
  expect(answerTool([DEMO_TOOL], "get_weather", "{")).toContain("not JSON");
  expect(answerTool([DEMO_TOOL], "get_weather", "{}")).toContain("city");
  expect(answerTool([DEMO_TOOL], "other", "{}")).toContain("unknown tool");
});
