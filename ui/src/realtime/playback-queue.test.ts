import { describe, expect, test } from "vitest";
import { PlaybackQueue } from "./playback-queue";
import { truncations } from "./truncation";

const sound = (frames: number, value = 0.5) => new Float32Array(frames).fill(value);

describe("playback queue", () => {
  test("samples come out in the order in which they came in, then silence", () => {
    const queue = new PlaybackQueue();
    queue.push("a", 0, Float32Array.from([1, 2, 3]));
    queue.push("a", 0, Float32Array.from([4]));
    const first = new Float32Array(2);
    const second = new Float32Array(4);
    expect(queue.pull(first)).toBe(2);
    expect(queue.pull(second)).toBe(2);
    expect([...first, ...second]).toEqual([1, 2, 3, 4, 0, 0]);
  });

  test("a flush tells how much of the item was played and drops the rest", () => {
    const queue = new PlaybackQueue();
    queue.push("a", 0, sound(24_000));
    queue.push("a", 0, sound(24_000));
    for (let i = 0; i < 200; i += 1) queue.pull(new Float32Array(128));
    expect(queue.flush()).toEqual([
      { itemId: "a", contentIndex: 0, queuedFrames: 48_000, playedFrames: 25_600 },
    ]);
    expect(queue.pendingFrames).toBe(0);
    expect(queue.pull(new Float32Array(128))).toBe(0);
  });

  test("an item that was played to its end is not cut", () => {
    const queue = new PlaybackQueue();
    queue.push("done", 0, sound(128));
    queue.push("next", 0, sound(256));
    queue.pull(new Float32Array(128));
    queue.pull(new Float32Array(128));
    expect(queue.flush().map((item) => [item.itemId, item.playedFrames])).toEqual([["next", 128]]);
  });

  test("silence while the queue is empty does not count as played", () => {
    const queue = new PlaybackQueue();
    queue.push("a", 0, sound(100));
    queue.pull(new Float32Array(128));
    queue.pull(new Float32Array(128));
    queue.push("a", 0, sound(100));
    queue.pull(new Float32Array(50));
    expect(queue.flush()[0]?.playedFrames).toBe(150);
  });

  test("pending frames are what is still to be played", () => {
    const queue = new PlaybackQueue();
    queue.push("a", 0, sound(300));
    queue.pull(new Float32Array(128));
    expect(queue.pendingFrames).toBe(172);
  });
});

describe("truncation", () => {
  const cut = (playedFrames: number) => [
    { itemId: "item_1", contentIndex: 0, queuedFrames: 48_000, playedFrames },
  ];

  test("the end is what was played, less what is on its way to the loudspeaker", () => {
    expect(truncations(cut(29_400), 25)).toEqual([
      { type: "conversation.item.truncate", item_id: "item_1", content_index: 0, audio_end_ms: 1200 },
    ]);
  });

  test("an item of which nothing was heard is cut at 0", () => {
    expect(truncations(cut(240), 40)[0]?.audio_end_ms).toBe(0);
  });
});
