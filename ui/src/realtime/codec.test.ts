import { expect, test } from "vitest";
import { decoderFor, encoderFor, wireMs } from "./codec";
import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from "./g711";
import type { WireFormat } from "./settings";

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);

test("the laws know the reference's samples", () => {
  // ITU-T G.191: silence, full scale, and the smallest steps.
  expect([0, 32_767, -32_768, -1].map(encodeMulaw)).toEqual([0xff, 0x80, 0x00, 0x7f]);
  expect([0, 32_767, -32_768, -1].map(encodeAlaw)).toEqual([0xd5, 0xaa, 0x2a, 0x55]);
  expect([0x80, 0x00, 0xff].map(decodeMulaw)).toEqual([32_124, -32_124, 0]);
  expect([0xaa, 0x2a, 0xd5].map(decodeAlaw)).toEqual([32_256, -32_256, 8]);
});

test("what a byte means is encoded as that byte again", () => {
  expect(BYTES.map((byte) => encodeAlaw(decodeAlaw(byte)))).toEqual(BYTES);
  // µ-law has two zeros: 0x7f and 0xff.
  expect(BYTES.map((byte) => encodeMulaw(decodeMulaw(byte)))).toEqual(
    BYTES.map((b) => (b === 0x7f ? 0xff : b)),
  );
});

const tone = (ms: number) =>
  Int16Array.from({ length: ms * 24 }, (_, i) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * i) / 24_000)),
  );

function energy(samples: Int16Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

test.each<WireFormat>(["audio/pcm", "audio/pcmu", "audio/pcma"])(
  "a tone in pieces survives the way over %s with its length and its loudness",
  (format) => {
    const encode = encoderFor(format);
    const decode = decoderFor(format);
    const sound = tone(1_000);
    const back: number[] = [];
    let ms = 0;
    for (let from = 0; from < sound.length; from += 960) {
      const text = encode(sound.subarray(from, from + 960));
      ms += wireMs(format, text.replace(/=+$/, "").length);
      back.push(...decode(text));
    }
    expect(Math.abs(ms - 1_000)).toBeLessThan(15);
    expect(Math.abs(back.length / 24 - 1_000)).toBeLessThan(15);
    expect(energy(Int16Array.from(back)) / energy(sound)).toBeCloseTo(1, 1);
  },
);
