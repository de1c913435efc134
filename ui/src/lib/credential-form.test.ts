import { expect, test } from "vitest";
import type { JsonSchema } from "../api/management";
import { build, fieldOfParam, fieldsOf, initialValues, type Values } from "./credential-form";

const SCHEMA: JsonSchema = {
  $defs: {
    Logging: {
      type: "object",
      properties: { project_name: { type: "string" }, audio: { type: "boolean", default: true } },
      required: ["project_name"],
    },
    Session: { type: "object", properties: { instructions: { type: "string" } } },
  },
  type: "object",
  properties: {
    model: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }, { type: "null" }] },
    ttl_seconds: { type: "integer", default: 600, minimum: 1, maximum: 86_400 },
    expires_hard: { type: "boolean", default: false },
    max_cost_usd: { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }] },
    allowed_ips: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }] },
    allowed_tools: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }] },
    logging: { anyOf: [{ $ref: "#/$defs/Logging" }, { type: "null" }] },
    session: { anyOf: [{ $ref: "#/$defs/Session" }, { type: "null" }] },
    metadata: { type: "object", additionalProperties: { type: "string" } },
    something_new: { anyOf: [{ type: "integer" }, { type: "null" }] },
  },
};
const FIELDS = fieldsOf(SCHEMA);
const built = (values: Values) => build(FIELDS, { ...initialValues(FIELDS), ...values });

test("every scope of the schema has a field, also one that this app has no words for", () => {
  const tops = new Set(FIELDS.map((field) => field.path.split(".")[0]));
  expect([...tops].sort()).toEqual(Object.keys(SCHEMA.properties ?? {}).sort());
  expect(FIELDS.find((field) => field.path === "something_new")).toMatchObject({
    kind: "number",
    group: "More",
  });
});

test("limits come from the schema", () => {
  expect(FIELDS.find((field) => field.path === "ttl_seconds")).toMatchObject({
    kind: "number",
    min: 1,
    max: 86_400,
    initial: "600",
  });
  expect(built({ ttl_seconds: "0" }).problems).toEqual({ ttl_seconds: "At least 1." });
  expect(built({ ttl_seconds: "1.5" }).problems.ttl_seconds).toContain("whole");
  expect(built({ ttl_seconds: "86401" }).problems.ttl_seconds).toBe("At most 86,400.");
});

test("what was not filled in is not asked for", () => {
  expect(built({})).toEqual({ body: { ttl_seconds: 600 }, problems: {} });
});

test("one model is a name, several are a list", () => {
  expect(built({ model: "local" }).body.model).toBe("local");
  expect(built({ model: "local\ngpt-*" }).body.model).toEqual(["local", "gpt-*"]);
});

test("“none” is an empty list, which allows nothing", () => {
  expect(built({ allowed_tools: "none" }).body.allowed_tools).toEqual([]);
  expect(built({ allowed_tools: "a, b" }).body.allowed_tools).toEqual(["a", "b"]);
});

test("the session is put together from its fields and its JSON", () => {
  const values = {
    session: '{"tools": [], "lock": "defaults"}',
    "session.instructions": "Be brief.",
    "session.lock": "locked",
  };
  expect(built(values).body.session).toEqual({ tools: [], instructions: "Be brief.", lock: "locked" });
  expect(built({ "session.lock": "instructions\ntools" }).body.session).toEqual({
    lock: ["instructions", "tools"],
  });
  expect(built({ session: "{" }).problems.session).toContain("JSON");
  expect(built({ "session.audio.output.voice": "cedar" }).body.session).toEqual({
    audio: { output: { voice: "cedar" } },
  });
});

test("a voice is put beside what the JSON says of the sound", () => {
  const session = '{"audio": {"input": {"turn_detection": null}}}';
  expect(built({ session, "session.audio.output.voice": "cedar" }).body.session).toEqual({
    audio: { input: { turn_detection: null }, output: { voice: "cedar" } },
  });
});

test("recording needs a project", () => {
  expect(built({ "logging.audio": false }).problems).toHaveProperty(["logging.project_name"]);
  expect(built({ "logging.audio": false, "logging.project_name": "shop" }).body.logging).toEqual({
    project_name: "shop",
    audio: false,
  });
});

test("metadata are pairs, tags a list", () => {
  expect(built({ metadata: "user_id=4=2\ntags=a, b" }).body.metadata).toEqual({
    user_id: "4=2",
    tags: ["a", "b"],
  });
  expect(built({ metadata: "nothing" }).problems.metadata).toContain("name=value");
});

test("what the server found wrong is shown at its field", () => {
  expect(fieldOfParam(FIELDS, "allowed_ips.0")).toBe("allowed_ips");
  expect(fieldOfParam(FIELDS, "session.lock.1")).toBe("session.lock");
  expect(fieldOfParam(FIELDS, "session.tools")).toBe("session");
  expect(fieldOfParam(FIELDS, "unknown")).toBeNull();
});
