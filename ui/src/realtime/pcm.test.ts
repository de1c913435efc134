import { describe, expect, test } from "vitest";
import { decodePcm16, encodePcm16, floatToPcm16, framesToMs, meterLevel, pcm16ToFloat } from "./pcm";
import { Resampler } from "./resampler";

function tone(hz: number, rateHz: number, frames: number): Float32Array {
  return Float32Array.from({ length: frames }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rateHz));
}

describe("pcm", () => {
  test("samples use the whole 16-bit range and louder ones are clipped", () => {
    const samples = floatToPcm16(Float32Array.from([0, 1, -1, 2, -2, 0.5]));
    expect([...samples]).toEqual([0, 32767, -32768, 32767, -32768, 16384]);
  });

  test("base64 is little-endian and comes back unchanged", () => {
    const samples = Int16Array.from([0, 1, -1, 32767, -32768, 256]);
    expect(encodePcm16(samples)).toBe("AAABAP///38AgAAB");
    expect(decodePcm16(encodePcm16(samples))).toEqual(samples);
  });

  test("a long piece of sound survives the way to base64 and back", () => {
    const samples = floatToPcm16(tone(440, 24_000, 50_000));
    expect(decodePcm16(encodePcm16(samples))).toEqual(samples);
  });

  test("an odd byte at the end is dropped", () => {
    expect([...decodePcm16(btoa("\x01\x00\x02"))]).toEqual([1]);
  });

  test("integers become floats below 1", () => {
    expect([...pcm16ToFloat(Int16Array.from([-32768, 0, 16384]))]).toEqual([-1, 0, 0.5]);
  });

  test("24 frames are one millisecond", () => {
    expect(framesToMs(2400)).toBe(100);
  });

  test("the meter rises with loudness and rests at silence", () => {
    const loud = meterLevel(tone(440, 24_000, 960));
    const soft = meterLevel(tone(440, 24_000, 960).map((sample) => sample / 20));
    expect(meterLevel(new Float32Array(960))).toBe(0);
    expect(soft).toBeGreaterThan(0);
    expect(loud).toBeGreaterThan(soft);
  });
});

describe("resampler", () => {
  function resampled(fromHz: number, block: number): Float32Array {
    const resampler = new Resampler(fromHz, 24_000);
    const input = tone(440, fromHz, fromHz / 2);
    const out: number[] = [];
    for (let i = 0; i < input.length; i += block) out.push(...resampler.push(input.subarray(i, i + block)));
    return Float32Array.from(out);
  }

  test.each([48_000, 44_100, 16_000])("a tone at %i Hz keeps its pitch, length and loudness", (fromHz) => {
    const out = resampled(fromHz, 128);
    expect(Math.abs(out.length - 12_000)).toBeLessThan(40);
    const steady = out.subarray(1000, 11_000);
    const crossings = steady.reduce((n, s, i) => n + (s >= 0 && (steady[i - 1] ?? 0) < 0 ? 1 : 0), 0);
    expect(Math.abs(crossings / (10_000 / 24_000) - 440)).toBeLessThan(4);
    expect(Math.max(...steady)).toBeCloseTo(0.5, 1);
  });

  test("the size of the blocks changes nothing", () => {
    expect([...resampled(48_000, 128)]).toEqual([...resampled(48_000, 1000)]);
  });

  test("what lies above the new band is removed", () => {
    const out = new Resampler(48_000, 24_000).push(tone(16_000, 48_000, 9600));
    expect(Math.max(...out.subarray(100, 4000).map(Math.abs))).toBeLessThan(0.05);
  });
});
