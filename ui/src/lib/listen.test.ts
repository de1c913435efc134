import { expect, test } from "vitest";
import { FrameReader } from "./listen";

const BYTES = new Uint8Array(new Int16Array([16_384, -32_768, 0, 32_767, -16_384, 1]).buffer);

test("frames come whole, wherever the stream is cut", () => {
  for (const size of [1, 3, 4, 5, 12]) {
    const reader = new FrameReader();
    const [left, right]: [number[], number[]] = [[], []];
    for (let at = 0; at < BYTES.length; at += size) {
      const [l, r] = reader.push(BYTES.slice(at, at + size));
      left.push(...l);
      right.push(...r);
    }
    expect(left).toEqual([0.5, 0, -0.5]);
    expect(right).toEqual([-1, Math.fround(32_767 / 32_768), Math.fround(1 / 32_768)]);
  }
});
