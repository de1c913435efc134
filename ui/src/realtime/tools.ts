/**
 * The tools of a call as they are edited: a definition as JSON text and the result that the page gives in place of a
 * program. Text in, either a definition that a session takes or what is wrong with it out.
 */

export interface ToolDraft {
  id: string;
  /** `{"type": "function", "name", "description", "parameters"}`, as text. */
  definition: string;
  /** What the page answers: JSON or plain text. `{{name}}` stands for an argument. */
  result: string;
}

export interface FunctionTool {
  type: "function";
  name: string;
  description?: string;
  parameters?: Record<string, unknown>;
}

export type Parsed = { tool: FunctionTool; problem: null } | { tool: null; problem: string };

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const SCHEMA_TYPES = new Set(["object", "array", "string", "number", "integer", "boolean", "null"]);

export const WEATHER_TOOL: FunctionTool = {
  type: "function",
  name: "get_weather",
  description: "The current weather in a city (invented, for demonstrations).",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The city's name" } },
    required: ["city"],
    additionalProperties: false,
  },
};

export const DEMO_TOOL: ToolDraft = {
  id: "demo",
  definition: JSON.stringify(WEATHER_TOOL, null, 2),
  result: '{"city": "{{city}}", "temperature": "18 degrees", "sky": "light rain"}',
};

export const NEW_TOOL: Omit<ToolDraft, "id"> = {
  definition: JSON.stringify(
    {
      type: "function",
      name: "find_order",
      description: "Looks up an order of the customer by its number.",
      parameters: {
        type: "object",
        properties: { number: { type: "string", description: "The order's number" } },
        required: ["number"],
      },
    },
    null,
    2,
  ),
  result: '{"number": "{{number}}", "status": "shipped", "arrives": "tomorrow"}',
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Where in a text JSON ends to be JSON, in words. */
function jsonProblem(text: string, error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const at = /position (\d+)/.exec(said)?.[1];
  if (at === undefined) return `This is not JSON: ${said}`;
  const line = text.slice(0, Number(at)).split("\n").length;
  return `This is not JSON: line ${line} cannot be read.`;
}

export function parseTool(draft: ToolDraft): Parsed {
  const wrong = (problem: string): Parsed => ({ tool: null, problem });
  let value: unknown;
  try {
    value = JSON.parse(draft.definition);
  } catch (error) {
    return wrong(jsonProblem(draft.definition, error));
  }
  if (!isRecord(value)) return wrong('Write one object: {"type": "function", "name": …}.');
  if (value.type !== "function") return wrong('“type” must be "function".');
  if (typeof value.name !== "string" || !NAME.test(value.name)) {
    return wrong("“name” must have 1 to 64 letters, digits, _ or -.");
  }
  if (value.description !== undefined && typeof value.description !== "string") {
    return wrong("“description” must be a text.");
  }
  const problem = value.parameters === undefined ? null : schemaProblem(value.parameters, "parameters");
  return problem ? wrong(problem) : { tool: value as unknown as FunctionTool, problem: null };
}

/** What a model's provider would refuse of a JSON Schema; what it says beyond is left alone. */
function schemaProblem(schema: unknown, path: string): string | null {
  if (!isRecord(schema)) return `“${path}” must be an object with a JSON Schema.`;
  if (path === "parameters" && schema.type !== "object") return '“parameters.type” must be "object".';
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? "object"];
  const odd = types.find((type) => !SCHEMA_TYPES.has(String(type)));
  if (odd !== undefined) return `“${path}.type” is ${JSON.stringify(odd)}, which JSON Schema does not know.`;
  return childProblem(schema, path) ?? requiredProblem(schema, path);
}

function childProblem(schema: Record<string, unknown>, path: string): string | null {
  if (schema.items !== undefined && typeof schema.items !== "boolean") {
    const problem = schemaProblem(schema.items, `${path}.items`);
    if (problem) return problem;
  }
  if (schema.properties === undefined) return null;
  if (!isRecord(schema.properties)) return `“${path}.properties” must be an object.`;
  for (const [name, child] of Object.entries(schema.properties)) {
    const problem = schemaProblem(child, `${path}.properties.${name}`);
    if (problem) return problem;
  }
  return null;
}

function requiredProblem(schema: Record<string, unknown>, path: string): string | null {
  if (schema.required === undefined) return null;
  if (!Array.isArray(schema.required)) return `“${path}.required” must be a list of names.`;
  const known = isRecord(schema.properties) ? schema.properties : {};
  const missing = schema.required.find((name) => !Object.hasOwn(known, String(name)));
  return missing === undefined
    ? null
    : `“${path}.required” names ${JSON.stringify(missing)}, which is no property.`;
}

/** The definitions that a session can take; drafts that are wrong are left out. */
export function definitions(drafts: ToolDraft[]): FunctionTool[] {
  return drafts.flatMap((draft) => parseTool(draft).tool ?? []);
}

/** Two tools of one name: the provider would not know which is meant. */
export function duplicate(drafts: ToolDraft[]): string | null {
  const names = definitions(drafts).map((tool) => tool.name);
  return names.find((name, at) => names.indexOf(name) !== at) ?? null;
}

/** The result of one call; wrong arguments give an error that the model can read. */
export function answerTool(drafts: ToolDraft[], name: string, argumentsJson: string): string {
  const draft = drafts.find((one) => parseTool(one).tool?.name === name);
  if (!draft) return JSON.stringify({ error: `unknown tool ${name}` });
  let args: unknown;
  try {
    args = JSON.parse(argumentsJson || "{}");
  } catch {
    return JSON.stringify({ error: "the arguments are not JSON" });
  }
  const required = parseTool(draft).tool?.parameters?.required;
  const given = isRecord(args) ? args : {};
  const missing = Array.isArray(required)
    ? required.find((one) => !Object.hasOwn(given, String(one)))
    : undefined;
  if (missing !== undefined) return JSON.stringify({ error: `\`${missing}\` is missing` });
  return filled(draft.result, given);
}

/** `{{name}}` replaced by the argument, in such a way that JSON stays JSON. */
function filled(result: string, args: Record<string, unknown>): string {
  return result.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => {
    if (!Object.hasOwn(args, name)) return whole;
    const value = args[name];
    return typeof value === "string" ? JSON.stringify(value).slice(1, -1) : JSON.stringify(value);
  });
}
