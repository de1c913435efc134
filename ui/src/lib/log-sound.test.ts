import { expect, test } from "vitest";
import { encodePcm16 } from "../realtime/pcm";
import { LogSound } from "./log-sound";

const line = (msg: object) => JSON.stringify({ t: 0, dir: "client", msg });
const append = (value: number, ms: number) =>
  line({ type: "input_audio_buffer.append", audio: encodePcm16(new Int16Array(ms * 24).fill(value)) });

function samples(wav: ArrayBuffer | null): number[] {
  return wav ? [...new Int16Array(wav.slice(44))] : [];
}

test("the sound of one turn is what was said in it", () => {
  const log = new LogSound();
  log.push(append(1, 100));
  log.push(line({ type: "input_audio_buffer.speech_started", item_id: "a", audio_start_ms: 20 }));
  log.push(line({ type: "input_audio_buffer.speech_stopped", item_id: "a", audio_end_ms: 60 }));
  log.push(line({ type: "input_audio_buffer.committed", item_id: "a" }));
  log.push(line({ type: "conversation.item.create", item: { type: "message", role: "user" } }));
  log.push(append(2, 50));
  log.push(line({ type: "input_audio_buffer.committed", item_id: "b" }));
  log.push('{"t": 1, "dir": "cli');
  expect(samples(log.wav(0))).toEqual(Array(40 * 24).fill(1));
  expect(log.wav(1)).toBeNull();
  expect(samples(log.wav(2))).toEqual(Array(50 * 24).fill(2));
  expect(samples(log.wav(null))).toHaveLength(150 * 24);
  expect(log.wav(9)).toBeNull();
});

test("a telephone's sound is decoded", () => {
  const log = new LogSound();
  const format = { type: "audio/pcmu" };
  log.push(line({ type: "session.updated", session: { audio: { input: { format } } } }));
  log.push(line({ type: "input_audio_buffer.append", audio: btoa("\xff".repeat(800)) }));
  log.push(line({ type: "input_audio_buffer.committed", item_id: "a" }));
  expect(samples(log.wav(0)).length).toBeGreaterThan(2300);
});
