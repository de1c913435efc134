import { expect, test } from "vitest";
import { EventLogReader, filterRows, fold, typeCounts } from "./event-log";

const line = (t: number, dir: string, msg: unknown) => `${JSON.stringify({ t, dir, msg })}\n`;
const LOG =
  line(5_000_000_000, "gateway", { type: "opened" }) +
  line(5_040_000_000, "client", { type: "input_audio_buffer.append", audio: "QUJD".repeat(2000) }) +
  line(6_000_000_000, "server", {
    type: "error",
    error: { message: "Unknown voice", code: "invalid_value" },
  });

function read(text: string, pieces = 1) {
  const reader = new EventLogReader();
  const size = Math.ceil(text.length / pieces);
  for (let i = 0; i < pieces; i += 1) reader.push(text.slice(i * size, (i + 1) * size));
  reader.push("", true);
  return reader.rows;
}

test("rows have their time since the first event, direction, type and a hint", () => {
  expect(read(LOG)).toMatchObject([
    { ms: 0, dir: "gateway", type: "opened" },
    { ms: 40, dir: "client", type: "input_audio_buffer.append", hint: "‹7.8 KiB of base64›" },
    { ms: 1000, dir: "server", type: "error", hint: "Unknown voice" },
  ]);
});

test("it does not matter where the text is cut into pieces", () => {
  for (const pieces of [2, 7, 100]) expect(read(LOG, pieces)).toEqual(read(LOG));
});

test("a half-written last line is left out", () => {
  expect(read(`${LOG}{"t":7000000000,"dir":"ser`)).toHaveLength(3);
});

test("what is not JSON on the wire shows up as raw", () => {
  const [row] = read(`${JSON.stringify({ t: 1, dir: "client", raw: "AAECAw==" })}\n`);
  expect(row).toMatchObject({ type: "raw", message: { raw: "AAECAw==" } });
});

test("words are not folded, payloads are", () => {
  expect(fold({ text: "long words, ".repeat(100), a: [{ audio: "A".repeat(2048) }] })).toEqual({
    text: "long words, ".repeat(100),
    a: [{ audio: "‹2.0 KiB of base64›" }],
  });
});

test("rows can be filtered by direction, type and words", () => {
  const rows = read(LOG);
  const none = { dir: "" as const, type: "", words: "" };
  expect(filterRows(rows, { ...none, dir: "server" }).map((row) => row.type)).toEqual(["error"]);
  expect(filterRows(rows, { ...none, type: "opened" })).toHaveLength(1);
  expect(filterRows(rows, { ...none, words: "UNKNOWN" })).toHaveLength(1);
  expect(filterRows(rows, none)).toHaveLength(3);
});

test("types are counted, the most frequent first", () => {
  expect(typeCounts(read(LOG + LOG + line(9, "client", { type: "error" })))[0]).toEqual(["error", 3]);
});

test("a window keeps the newest rows, and their numbers", () => {
  const reader = new EventLogReader();
  for (let n = 0; n < 25; n += 1) {
    reader.push(line(n, "client", { type: `t${n}` }));
    reader.keep(10);
  }
  expect(reader.rows.length).toBeLessThanOrEqual(11);
  expect(reader.dropped + reader.rows.length).toBe(25);
  expect(reader.rows.at(-1)).toMatchObject({ index: 24, type: "t24" });
  expect(reader.rows[0]?.index).toBe(reader.dropped);
});
