import { expect, test } from "vitest";
import { DEFAULTS } from "../realtime/settings";
import { python, shell } from "./literals";
import { snippets, subjectOf } from "./snippets";

const code = (change = {}, origin = "http://127.0.0.1:8600") =>
  Object.fromEntries(
    snippets(subjectOf({ ...DEFAULTS, ...change }, "hands-free", origin, "playground")).map((one) => [
      one.language,
      one.code,
    ]),
  );

test("Python's words are Python's", () => {
  expect(python({ a: null, b: true, c: [1, "x"], 'd"': 'a"b\n' })).toBe(
    '{"a": None, "b": True, "c": [1, "x"], "d\\"": "a\\"b\\n"}',
  );
});

test("what is written in an instruction stays inside its text", () => {
  const instructions = `"""\n'; rm -rf / # </script><script>alert(1)</script> \${x} \`y\``;
  const all = code({ instructions });
  expect(all.browser?.match(/<\/script>/g)).toHaveLength(1);
  expect(all.curl).toContain("'\\''; rm -rf");
  expect(all.python).toContain(`"instructions": ${JSON.stringify(instructions)}`);
});

test("a shell's word is one word", () => {
  expect(shell("it's")).toBe(`'it'\\''s'`);
});

test("the same session is in every language", () => {
  for (const text of Object.values(code({ voice: "cedar", instructions: "Be kind." }))) {
    expect(text).toContain("cedar");
    expect(text).toContain("Be kind.");
    expect(text).toContain("get_weather");
  }
});

test("a program for https connects with TLS, one for http does not", () => {
  expect(code({}, "https://voice.example").node).not.toContain("createConnection");
  expect(code().node).toContain('connect(8600, "127.0.0.1")');
  expect(code({}, "https://voice.example").browser).toContain("wss://voice.example");
});
