import { expect, test } from "vitest";
import { loudness } from "./sides";

test("each side has its own ear, and who speaks alone is in the middle", () => {
  expect(loudness({ user: false, assistant: false })).toEqual([
    [1, 0],
    [0, 1],
  ]);
  const [user, assistant] = loudness({ user: true, assistant: false });
  expect(user).toEqual([0, 0]);
  expect(assistant[0]).toBe(assistant[1]);
  expect(loudness({ user: true, assistant: true })).toEqual([
    [0, 0],
    [0, 0],
  ]);
});
