import { expect, test } from "vitest";
import { CallPeaks, deadAir, PeakLane, readPeaks } from "./peaks";

function packed(start: number, ...lanes: number[][]): ArrayBuffer {
  const count = lanes[0]?.length ?? 0;
  const data = new Uint8Array(16 + lanes.length * count);
  data.set([86, 88, 80, 75, 1, 50]);
  const view = new DataView(data.buffer);
  view.setUint16(6, lanes.length, true);
  view.setUint32(8, start, true);
  view.setUint32(12, count, true);
  lanes.forEach((lane, n) => {
    data.set(lane, 16 + n * count);
  });
  return data.buffer;
}

const lane = (values: number[]) => {
  const made = new PeakLane(50);
  made.put(0, Uint8Array.from(values));
  return made;
};

test("packed peaks are read lane by lane", () => {
  const piece = readPeaks(packed(7, [1, 2], [3, 4], [5, 6]));
  expect(piece).toMatchObject({ perSecond: 50, start: 7, count: 2 });
  expect(piece.lanes.map((one) => [...one])).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
});

test("anything else is refused", () => {
  expect(() => readPeaks(new ArrayBuffer(3))).toThrow();
  expect(() => readPeaks(new TextEncoder().encode('{"per_second":50}').buffer as ArrayBuffer)).toThrow();
});

test("the pyramid finds the loudest of any stretch", () => {
  let seed = 7;
  const values = Array.from({ length: 5_000 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % 256;
  });
  const made = lane(values);
  for (const [from, to] of [
    [0, 5_000],
    [1, 4_999],
    [511, 513],
    [512, 1024],
    [777, 3_333],
    [4_990, 9_000],
  ] as const) {
    expect(made.loudest(from, to)).toBe(Math.max(...values.slice(from, to)));
  }
});

test("a lane that grows piece by piece is as one that came at once", () => {
  const values = Array.from({ length: 1_000 }, (_, i) => (i * 37) % 251);
  const grown = new PeakLane(50);
  for (let at = 0; at < values.length; at += 130) {
    grown.put(Math.max(0, at - 30), Uint8Array.from(values.slice(Math.max(0, at - 30), at + 130)));
  }
  expect([...grown.bars(0, 20_000, 97)]).toEqual([...lane(values).bars(0, 20_000, 97)]);
});

test("peaks that turn out quieter are written over", () => {
  const made = lane([9, 9, 9, 9, 9, 9, 9, 9, 200, 200]);
  made.put(8, Uint8Array.from([1, 2]));
  expect(made.loudest(0, 10)).toBe(9);
});

test("each bar is the loudest peak under it, and time without peaks is silent", () => {
  expect([...lane([0, 10, 90, 20]).bars(0, 80, 2)]).toEqual([10, 90]);
  expect([...lane([5, 6]).bars(-40, 80, 6)]).toEqual([0, 0, 5, 6, 0, 0]);
});

test("dead air is where both are silent for long, after somebody has spoken", () => {
  const peaks = new CallPeaks();
  const quiet = new Array(50 * 12).fill(0);
  const user = [...quiet];
  const heard = [...quiet];
  user.fill(200, 100, 150); // second 2 to 3
  heard.fill(180, 350, 400); // second 7 to 8
  peaks.put(readPeaks(packed(0, user, heard, heard)));
  expect(deadAir(peaks)).toEqual([
    { fromMs: 3_000, toMs: 7_000 },
    { fromMs: 8_000, toMs: 12_000 },
  ]);
  expect(deadAir(peaks, 4_500)).toEqual([]);
});
