import { expect, test } from "vitest";
import { timeOf, wordAt, wordsOf } from "./words";

const SOUND = { fromMs: 1_000, toMs: 2_000 };

test("the words are the text, with nothing lost", () => {
  for (const text of ["Hi there,  friend.", " lead", "", "eins\nzwei", "東京 へ"]) {
    expect(
      wordsOf(text)
        .map((word) => word.text)
        .join(""),
    ).toBe(text);
  }
});

test("a place in the sound leads to a word, and the word to its place", () => {
  const words = wordsOf("aaaa bbbb cc");
  expect(wordAt(words, SOUND, 1_000)).toBe(0);
  expect(wordAt(words, SOUND, 1_999)).toBe(2);
  expect(wordAt(words, SOUND, 2_000)).toBeNull();
  words.forEach((word, n) => {
    expect(wordAt(words, SOUND, timeOf(word, SOUND) + 1)).toBe(n);
  });
});
